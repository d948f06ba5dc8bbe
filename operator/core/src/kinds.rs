//! The kinds: each is declared once, by a descriptor. Definitions, RBAC, watches, wake-ups, pruning, the order of deletion, the start of the controllers and
//! the mirroring of conditions all follow from the descriptors.

mod face;
mod object;
mod table;

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use caretaker_api::condition::ConditionType;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::DynamicObject;

pub use face::{Faces, faces};
pub use object::{ObjectId, OwnKind, OwnObject, decode, definition, harmless};

/// A kind of object in the API that the operator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedKind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Resource.
    pub plural: &'static str,
    /// Whether it lives in a namespace.
    pub namespaced: bool,
    /// Whether its definition may be missing from the cluster.
    pub optional: bool,
}

impl OwnedKind {
    /// `group/version`, or the version alone for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// All that is to be said of a kind of Caretaker.
pub struct KindSpec {
    /// The kind in the API.
    pub api: OwnedKind,
    /// The short name that kubectl takes.
    pub short: &'static str,
    /// The word for its objects of one client, such as `accounts`.
    pub word: &'static str,
    /// The kinds that its objects make.
    pub makes: &'static [&'static OwnedKind],
    /// The kinds of Caretaker whose objects it reads without having made them. [`OwnKind::reads`] says which objects.
    pub reads: &'static [Kind],
    /// Its condition that the ManagedClient shows under the same name.
    pub mirrored: Option<ConditionType>,
    /// Its place when a client is deleted, the lowest first; `None` for kinds that do not lie in a client's namespace.
    pub deletion: Option<u8>,
    /// Decodes an object of the kind; the error says which field does not fit, without its value.
    pub decode: fn(DynamicObject) -> Result<Arc<dyn OwnObject>, String>,
    /// The kind's CustomResourceDefinition.
    pub definition: fn() -> CustomResourceDefinition,
}

/// A kind of Caretaker: a handle of its descriptor.
#[derive(Clone, Copy)]
pub struct Kind(&'static KindSpec);

impl Kind {
    /// `ProviderProfile`.
    pub const PROVIDER_PROFILE: Self = Self(&table::PROVIDER_PROFILE);
    /// `ManagedClient`.
    pub const MANAGED_CLIENT: Self = Self(&table::MANAGED_CLIENT);
    /// `CloudAccount`.
    pub const CLOUD_ACCOUNT: Self = Self(&table::CLOUD_ACCOUNT);
    /// `MonitoringStack`.
    pub const MONITORING_STACK: Self = Self(&table::MONITORING_STACK);
    /// `BackupPolicy`.
    pub const BACKUP_POLICY: Self = Self(&table::BACKUP_POLICY);
    /// `Handover`.
    pub const HANDOVER: Self = Self(&table::HANDOVER);

    /// The kind of a descriptor.
    #[must_use]
    pub const fn of(spec: &'static KindSpec) -> Self {
        Self(spec)
    }

    /// The kind's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.api.kind
    }

    /// The kind's resource in the API.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.0.api.plural
    }

    /// The field manager of the kind's controller.
    #[must_use]
    pub fn field_manager(self) -> String {
        format!("caretaker-{}", self.label())
    }

    /// The kind's name in the label [`caretaker_api::names::OWNER_KIND_LABEL`].
    #[must_use]
    pub fn label(self) -> String {
        self.as_str().to_ascii_lowercase()
    }

    /// The kind of this name, if objects of this kind make it.
    #[must_use]
    pub fn makes(self, kind: &str) -> Option<&'static OwnedKind> {
        self.0.makes.iter().copied().find(|made| made.kind == kind)
    }

    /// The descriptor's part that names the kind in the API.
    #[must_use]
    pub fn api(self) -> &'static OwnedKind {
        &self.0.api
    }
}

impl Deref for Kind {
    type Target = KindSpec;

    fn deref(&self) -> &KindSpec {
        self.0
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Kind {}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Verbs on objects that the operator makes.
pub const OWNED_VERBS: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// What the operator may do with some resources of one API group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Resources and subresources.
    pub resources: Vec<String>,
    /// Verbs.
    pub verbs: Vec<&'static str>,
}

/// A table of kinds.
#[derive(Clone, Copy, Debug)]
pub struct Kinds(&'static [Kind]);

impl Kinds {
    /// The kinds of Caretaker.
    pub const OURS: Self = Self(&table::ALL);

    /// A table of these kinds.
    #[must_use]
    pub const fn of(kinds: &'static [Kind]) -> Self {
        Self(kinds)
    }

    /// Every kind.
    pub fn iter(self) -> impl Iterator<Item = Kind> + Clone {
        self.0.iter().copied()
    }

    /// The kind of this name in the API.
    #[must_use]
    pub fn named(self, kind: &str) -> Option<Kind> {
        self.iter().find(|found| found.as_str() == kind)
    }

    /// The kind behind the value of an owner's label.
    #[must_use]
    pub fn from_label(self, label: &str) -> Option<Kind> {
        self.iter().find(|kind| kind.label() == label)
    }

    /// The kinds of others that kinds of this table make, by group and name.
    #[must_use]
    pub fn foreign(self) -> Vec<&'static OwnedKind> {
        let is_ours = |made: &&&OwnedKind| self.named(made.kind).is_some();
        let mut found: Vec<&'static OwnedKind> = Vec::new();
        for made in self.0.iter().flat_map(|kind| kind.0.makes).filter(|made| !is_ours(made)) {
            if !found.contains(made) {
                found.push(made);
            }
        }
        found.sort_by_key(|made| (made.group, made.plural));
        found
    }

    /// The kind of this name, if objects of some kind of this table make it.
    #[must_use]
    pub fn made(self, kind: &str) -> Option<&'static OwnedKind> {
        self.iter().find_map(|maker| maker.makes(kind))
    }

    /// The kinds that make objects of this one.
    pub fn makers_of(self, kind: &str) -> impl Iterator<Item = Kind> {
        self.iter().filter(move |maker| maker.makes(kind).is_some())
    }

    /// The kinds whose objects read objects of this one without having made them.
    pub fn readers_of(self, kind: Kind) -> impl Iterator<Item = Kind> {
        self.iter().filter(move |reader| reader.reads.contains(&kind))
    }

    /// The kinds in a client's namespace, in the order in which their objects are deleted.
    #[must_use]
    pub fn in_order_of_deletion(self) -> Vec<Kind> {
        let mut placed: Vec<(u8, Kind)> = self.iter().filter_map(|kind| Some((kind.deletion?, kind))).collect();
        placed.sort_by_key(|(place, _)| *place);
        placed.into_iter().map(|(_, kind)| kind).collect()
    }

    /// All that the operator may do with objects that it makes and with those of its own kinds.
    #[must_use]
    pub fn rules(self) -> Vec<Rule> {
        let foreign = self.foreign();
        let groups: BTreeSet<&'static str> = foreign.iter().map(|made| made.group).collect();
        let resources = |group: &str| foreign.iter().filter(|made| made.group == group).map(|made| made.plural.to_owned()).collect();
        let mut rules: Vec<Rule> =
            groups.into_iter().map(|group| Rule { group, resources: resources(group), verbs: OWNED_VERBS.to_vec() }).collect();
        let of = |subresource: &str| self.iter().map(|kind| format!("{}{subresource}", kind.plural())).collect();
        let ours = |resources, verbs| Rule { group: caretaker_api::GROUP, resources, verbs };
        rules.push(ours(of(""), OWNED_VERBS.to_vec()));
        rules.push(ours(of("/status"), vec!["patch"]));
        rules.push(ours(of("/finalizers"), vec!["update"]));
        rules
    }

    /// The definitions of all kinds, by their names.
    #[must_use]
    pub fn definitions(self) -> Vec<CustomResourceDefinition> {
        let mut found: Vec<CustomResourceDefinition> = self.iter().map(|kind| (kind.definition)()).collect();
        found.sort_by(|one, other| one.spec.names.kind.cmp(&other.spec.names.kind));
        found
    }
}

#[cfg(test)]
mod tests;
