//! Who is to be visited when an object changes: its own controller, its owner, and who reads it.

use caretaker_api::names;
use caretaker_core::kinds::{Kind, ObjectId};
use tokio::sync::mpsc;

use super::held::Held;
use super::{Cache, Key, Source};

impl Cache {
    /// Who of a kind must be visited. All objects that are there now come first.
    pub fn subscribe(&self, kind: Kind) -> mpsc::UnboundedReceiver<ObjectId> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state.wakers.lock().expect("no panic while held").insert(kind, sender);
        // An object that comes meanwhile is told twice, which is one visit.
        for ((namespace, name), _) in self.held_in(kind.as_str(), None) {
            self.wake(ObjectId { kind, namespace, name });
        }
        receiver
    }

    /// Asks for a visit.
    pub fn wake(&self, object: ObjectId) {
        if let Some(sender) = self.state.wakers.lock().expect("no panic while held").get(&object.kind) {
            // A receiver that is gone belongs to an engine that has stopped.
            let _ = sender.send(object);
        }
    }

    /// A definition has appeared: all who make objects of the kind have waited for it.
    pub(super) fn wake_makers(&self, kind: &str) {
        for maker in self.state.kinds.makers_of(kind) {
            for ((namespace, name), _) in self.held_in(maker.as_str(), None) {
                self.wake(ObjectId { kind: maker, namespace, name });
            }
        }
    }

    /// Wakes those whom a change concerns. `old` is absent for a new object, `new` for a deleted one.
    pub(super) fn wake_for_change(&self, kind: &str, key: &Key, (old, new): (Option<&Held>, Option<&Held>), source: Source) {
        let differs = |of: fn(&Held) -> u64| match (old, new) {
            (Some(old), Some(new)) => !old.is_same_object(new) || of(old) != of(new),
            _ => true,
        };
        let (is_own, is_told) = (differs(|held| held.faces.own), differs(|held| held.faces.told));
        let Some(own) = self.state.kinds.named(kind) else {
            // Nobody reads what others' controllers write into the status of the objects that we make.
            if is_own && source == Source::Watch {
                self.wake_owner(key, old, new);
            }
            return;
        };
        let id = ObjectId { kind: own, namespace: key.0.clone(), name: key.1.clone() };
        if is_own && source != Source::Visit {
            self.wake(id.clone());
        }
        if !is_told {
            return;
        }
        if source != Source::Applied {
            self.wake_owner(key, old, new);
        }
        for reader in self.readers(&id) {
            self.wake(reader);
        }
        let mut told: Vec<ObjectId> = [old, new].into_iter().flatten().filter_map(Held::own).flat_map(|own| own.tells()).collect();
        told.dedup();
        told.into_iter().for_each(|id| self.wake(id));
    }

    fn wake_owner(&self, (namespace, _): &Key, old: Option<&Held>, new: Option<&Held>) {
        let owner = |held: &Held| {
            let kind = self.state.kinds.from_label(held.label(names::OWNER_KIND_LABEL)?)?;
            let namespace = if kind.api.namespaced { namespace.clone() } else { String::new() };
            Some(ObjectId { kind, namespace, name: held.label(names::OWNER_NAME_LABEL)?.to_owned() })
        };
        // Somebody may have taken the labels away.
        let mut owners: Vec<ObjectId> = [old, new].into_iter().flatten().filter_map(owner).collect();
        owners.dedup();
        owners.into_iter().for_each(|id| self.wake(id));
    }

    /// Objects that read the one that changed without having made it.
    fn readers(&self, changed: &ObjectId) -> Vec<ObjectId> {
        let within = |reader: Kind| (reader.api.namespaced && changed.kind.api.namespaced).then_some(changed.namespace.as_str());
        let of_kind = |kind: Kind| {
            let held = self.held_in(kind.as_str(), within(kind)).into_iter();
            held.filter(|(_, held)| held.own().is_some_and(|own| own.reads(changed))).map(move |((namespace, name), _)| ObjectId {
                kind,
                namespace,
                name,
            })
        };
        self.state.kinds.readers_of(changed.kind).flat_map(of_kind).collect()
    }
}
