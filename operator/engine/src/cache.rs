//! Objects that we watch: our own kinds, and what we make of others (by label). There is one watch per kind. The engine's loops and all look-ups share what it
//! holds, and a change wakes those whom it concerns: the object's own controller, its owner, and who reads it.
//!
//! A kind whose definition is missing is looked for again every half minute; everything else works on. An object that does not fit its type is held as it is,
//! told, and stops nobody else.

mod held;
mod informer;
mod wakes;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, RwLock};

use caretaker_api::names::{self, client_namespace};
use caretaker_core::kinds::{Kind, Kinds, ObjectId, OwnKind, OwnedKind};
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use tokio::sync::mpsc;

use crate::metrics::Metrics;
use held::Held;

/// Deleted objects that are remembered of each kind: the answer to our own write may come after the watch has told that the object is gone.
const REMEMBERED_GONE: usize = 256;

/// Namespace and name.
type Key = (String, String);
type Objects = BTreeMap<Key, Arc<Held>>;

/// What is known of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    /// Nothing yet.
    Unknown,
    /// Its definition is missing from the cluster.
    Missing,
    /// Its objects were listed.
    Listed,
}

/// How far a controller is: one line of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The controller's kind.
    pub kind: Kind,
    /// Whether the objects of its kind were listed once.
    pub is_listed: bool,
    /// Whether its loop runs. A standby's does not.
    pub is_running: bool,
    /// Objects.
    pub objects: usize,
    /// Objects that do not fit their type.
    pub unfit: usize,
}

/// Who has written what the cache is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The watch told it.
    Watch,
    /// The object's maker has applied it and goes on with its visit.
    Applied,
    /// The object's own controller has written it and goes on with its visit.
    Visit,
}

struct State {
    kinds: Kinds,
    metrics: Metrics,
    objects: RwLock<HashMap<&'static str, Objects>>,
    known: RwLock<HashMap<&'static str, Knowledge>>,
    gone: Mutex<HashMap<&'static str, VecDeque<String>>>,
    wakers: Mutex<HashMap<Kind, mpsc::UnboundedSender<ObjectId>>>,
}

/// Objects that we watch. Cheap to clone.
#[derive(Clone)]
pub struct Cache {
    state: Arc<State>,
}

impl Cache {
    /// An empty cache of these kinds, and of what they make. The metrics tell of watches and of objects that do not fit their type.
    #[must_use]
    pub fn new(kinds: Kinds, metrics: Metrics) -> Self {
        let state = State {
            kinds,
            metrics,
            objects: RwLock::default(),
            known: RwLock::default(),
            gone: Mutex::default(),
            wakers: Mutex::default(),
        };
        Self { state: Arc::new(state) }
    }

    /// Starts all watches. They run until the process ends.
    pub fn start(&self, client: &Client) {
        for watched in informer::watched(self.state.kinds) {
            self.learn(watched.api.kind, Knowledge::Unknown);
            self.state.metrics.watch_begins(watched.api.kind, watched.own.is_some());
            tokio::spawn(self.clone().watch(client.clone(), watched));
        }
    }

    /// Whether every kind was listed once, or is known to be missing where it may be. Before that, what is absent here says nothing.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        let known = self.state.known.read().expect("no panic while held");
        informer::watched(self.state.kinds).iter().all(|watched| match known.get(watched.api.kind) {
            Some(Knowledge::Listed) => true,
            Some(Knowledge::Missing) => watched.api.optional,
            Some(Knowledge::Unknown) | None => false,
        })
    }

    /// How far each controller is.
    #[must_use]
    pub fn gates(&self) -> Vec<Gate> {
        let objects = self.state.objects.read().expect("no panic while held");
        let wakers = self.state.wakers.lock().expect("no panic while held");
        let gate = |kind: Kind| {
            let held = objects.get(kind.as_str());
            Gate {
                kind,
                is_listed: self.has_kind(kind.as_str()),
                is_running: wakers.get(&kind).is_some_and(|sender| !sender.is_closed()),
                objects: held.map_or(0, BTreeMap::len),
                unfit: held.map_or(0, |held| held.values().filter(|held| held.unfit().is_some()).count()),
            }
        };
        self.state.kinds.iter().map(gate).collect()
    }

    /// Whether the definition of an optional kind is there and its objects were listed.
    #[must_use]
    pub fn has_kind(&self, kind: &str) -> bool {
        self.state.known.read().expect("no panic while held").get(kind) == Some(&Knowledge::Listed)
    }

    /// Notes what is known of a kind, and answers what was known before.
    fn learn(&self, kind: &'static str, knowledge: Knowledge) -> Option<Knowledge> {
        self.state.known.write().expect("no panic while held").insert(kind, knowledge)
    }

    fn held(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Held>> {
        let objects = self.state.objects.read().expect("no panic while held");
        objects.get(kind)?.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All of a kind in a namespace, or in all where it is `None`.
    fn held_in(&self, kind: &str, namespace: Option<&str>) -> Vec<(Key, Arc<Held>)> {
        let objects = self.state.objects.read().expect("no panic while held");
        let Some(of_kind) = objects.get(kind) else {
            return Vec::new();
        };
        let pair = |(key, held): (&Key, &Arc<Held>)| (key.clone(), held.clone());
        match namespace {
            None => of_kind.iter().map(pair).collect(),
            Some(namespace) => {
                let from = (namespace.to_owned(), String::new());
                of_kind.range(from..).take_while(|((found, _), _)| found == namespace).map(pair).collect()
            }
        }
    }

    /// One object.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        self.held(kind, namespace, name)?.to_dynamic().map(Arc::new)
    }

    /// All objects of a kind in a namespace, or in all where it is `None`.
    #[must_use]
    pub fn list(&self, kind: &str, namespace: Option<&str>) -> Vec<Arc<DynamicObject>> {
        self.held_in(kind, namespace).iter().filter_map(|(_, held)| held.to_dynamic().map(Arc::new)).collect()
    }

    /// One object of our own kinds, shared. An object that does not fit its type counts as absent here; [`Cache::unfit`] says why.
    #[must_use]
    pub fn shared<K: OwnKind>(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.held(K::KIND.as_str(), namespace, name)?.typed()
    }

    /// All objects of one of our own kinds, shared.
    #[must_use]
    pub fn list_shared<K: OwnKind>(&self, namespace: Option<&str>) -> Vec<Arc<K>> {
        self.held_in(K::KIND.as_str(), namespace).iter().filter_map(|(_, held)| held.typed()).collect()
    }

    /// One object of our own kinds, as a copy. See [`Cache::shared`].
    #[must_use]
    pub fn typed<K: OwnKind>(&self, namespace: &str, name: &str) -> Option<K> {
        self.shared(namespace, name).map(Arc::unwrap_or_clone)
    }

    /// All objects of one of our own kinds, as copies. See [`Cache::list_shared`].
    #[must_use]
    pub fn list_typed<K: OwnKind>(&self, namespace: Option<&str>) -> Vec<K> {
        self.list_shared(namespace).into_iter().map(Arc::unwrap_or_clone).collect()
    }

    /// Why an object of our own kinds does not fit its type; `None` where it does or is absent.
    #[must_use]
    pub fn unfit(&self, kind: Kind, namespace: &str, name: &str) -> Option<String> {
        self.held(kind.as_str(), namespace, name)?.unfit().map(str::to_owned)
    }

    /// Objects of a kind that `kind/name` made.
    #[must_use]
    pub fn owned_by(&self, kind: &str, owner: Kind, namespace: &str, owner_name: &str) -> Vec<Arc<DynamicObject>> {
        let is_cluster_scoped = owner.makes(kind).is_some_and(|made| !made.namespaced);
        let within = match (owner.api.namespaced, is_cluster_scoped) {
            (_, true) => String::new(),
            (false, false) => client_namespace(owner_name),
            (true, false) => namespace.to_owned(),
        };
        let label = owner.label();
        let is_owned = |held: &Held| {
            held.label(names::OWNER_KIND_LABEL) == Some(label.as_str()) && held.label(names::OWNER_NAME_LABEL) == Some(owner_name)
        };
        let found = self.held_in(kind, Some(&within));
        found.iter().filter(|(_, held)| is_owned(held)).filter_map(|(_, held)| held.to_dynamic().map(Arc::new)).collect()
    }

    /// Takes an object that the API server has just answered to its maker, so that the next visit does not see an older one.
    pub fn remember(&self, kind: &'static str, object: DynamicObject) {
        self.put(kind, object, Source::Applied);
    }

    /// Takes an object that the API server has just answered to its own controller: that controller is not woken by it. Answers the newest version that is
    /// known, or the cause where the object does not fit its type.
    ///
    /// # Errors
    /// The object does not fit its type; the message names the field and never its value.
    pub fn remember_visited<K: OwnKind>(&self, object: DynamicObject) -> Result<Arc<K>, String> {
        let held = self.put(K::KIND.as_str(), object, Source::Visit);
        held.typed().ok_or_else(|| held.unfit().unwrap_or("it is of another type").to_owned())
    }

    /// Forgets the objects of a kind whose definition has gone.
    fn clear(&self, kind: &'static str) {
        self.state.objects.write().expect("no panic while held").remove(kind);
    }

    fn has_gone(&self, kind: &str, uid: Option<&str>) -> bool {
        let gone = self.state.gone.lock().expect("no panic while held");
        uid.is_some_and(|uid| gone.get(kind).is_some_and(|gone| gone.iter().any(|found| found == uid)))
    }

    fn note_gone(&self, kind: &'static str, uid: Option<&str>) {
        let mut gone = self.state.gone.lock().expect("no panic while held");
        let gone = gone.entry(kind).or_default();
        gone.extend(uid.map(str::to_owned));
        if gone.len() > REMEMBERED_GONE {
            gone.pop_front();
        }
    }

    /// Puts an object in, unless a newer version is held or the object is known to be gone. Answers what is held then.
    fn put(&self, kind: &'static str, object: DynamicObject, source: Source) -> Arc<Held> {
        let own = self.state.kinds.named(kind);
        let has_ended = object.metadata.deletion_timestamp.is_some() && object.finalizers().is_empty() && own.is_some();
        let (key, held) = (key(&object), Held::new(object, own));
        if source != Source::Watch && (has_ended || self.has_gone(kind, held.uid())) {
            // The watch tells of its end; what was deleted is not to come back by a late answer.
            return held;
        }
        let old = {
            let mut objects = self.state.objects.write().expect("no panic while held");
            let of_kind = objects.entry(kind).or_default();
            match of_kind.get(&key) {
                Some(newer) if held.is_no_newer(newer) => return newer.clone(),
                _ => of_kind.insert(key.clone(), held.clone()),
            }
        };
        self.tell_unfit(kind, &key, old.as_deref(), Some(&held));
        self.wake_for_change(kind, &key, (old.as_deref(), Some(&held)), source);
        held
    }

    fn remove(&self, kind: &'static str, object: &DynamicObject) {
        let key = key(object);
        self.note_gone(kind, object.uid().as_deref());
        let old = {
            let mut objects = self.state.objects.write().expect("no panic while held");
            let of_kind = objects.entry(kind).or_default();
            // Another object of the name may have been made meanwhile.
            let is_it = of_kind.get(&key).is_some_and(|held| held.uid() == object.metadata.uid.as_deref());
            if is_it { of_kind.remove(&key) } else { None }
        };
        if old.is_none() {
            return;
        }
        self.tell_unfit(kind, &key, old.as_deref(), None);
        self.wake_for_change(kind, &key, (old.as_deref(), None), Source::Watch);
    }

    /// Takes a whole list: what it lacks is gone, but for what was written since the list was begun.
    fn replace(&self, kind: &'static str, mut fresh: Objects) {
        let old = {
            let mut objects = self.state.objects.write().expect("no panic while held");
            let old = objects.remove(kind).unwrap_or_default();
            for (key, held) in &mut fresh {
                if let Some(newer) = old.get(key).filter(|newer| held.is_no_newer(newer)) {
                    *held = newer.clone();
                }
            }
            objects.insert(kind, fresh.clone());
            old
        };
        for (key, held) in old.iter().filter(|(key, _)| !fresh.contains_key(*key)) {
            self.note_gone(kind, held.uid());
            self.tell_unfit(kind, key, Some(held), None);
            self.wake_for_change(kind, key, (Some(held), None), Source::Watch);
        }
        for (key, held) in &fresh {
            let before = old.get(key).map(Arc::as_ref);
            self.tell_unfit(kind, key, before, Some(held));
            self.wake_for_change(kind, key, (before, Some(held)), Source::Watch);
        }
    }

    /// Keeps the number of objects that do not fit their type, and names each once per version. The object's own controller publishes the event.
    fn tell_unfit(&self, kind: &'static str, (namespace, name): &Key, old: Option<&Held>, new: Option<&Held>) {
        let is_unfit = |held: Option<&Held>| held.is_some_and(|held| held.unfit().is_some());
        match (is_unfit(old), is_unfit(new)) {
            (false, true) => self.state.metrics.undecodable(kind, 1),
            (true, false) => self.state.metrics.undecodable(kind, -1),
            _ => {}
        }
        let is_news = |new: &&Held| old.is_none_or(|old| !new.is_no_newer(old));
        if let Some(cause) = new.filter(is_news).and_then(Held::unfit) {
            tracing::error!(kind, namespace, object = name, "an object does not fit its type and is left alone: {cause}");
        }
    }
}

/// The API resource of an owned kind.
#[must_use]
pub fn api_resource(owned: &OwnedKind) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(owned.group, owned.version, owned.kind), owned.plural)
}

fn key(object: &DynamicObject) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests;
