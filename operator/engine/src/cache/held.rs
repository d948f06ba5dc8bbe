//! One object as the cache holds it: its JSON text, and beside it only what is asked of every object. A tree of values takes several times the memory, and
//! most objects are looked at once in a while.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;

/// An object.
pub(super) struct Held {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    uid: Option<String>,
    version: Option<u64>,
    json: Box<[u8]>,
}

impl Held {
    /// Takes an object without its managed fields, which are as large as the rest; those of others below what is ours are kept.
    pub fn new(mut object: DynamicObject) -> Arc<Self> {
        crate::managed_fields::keep_foreign(&mut object.metadata);
        let version = object.resource_version().and_then(|version| version.parse().ok());
        // An object that came as JSON can be written as JSON.
        let json = serde_json::to_vec(&object).unwrap_or_default().into_boxed_slice();
        Arc::new(Self { uid: object.uid(), version, json, labels: object.metadata.labels.unwrap_or_default() })
    }

    /// The object as it is asked for; `None` where it does not fit the type.
    pub fn read<K: DeserializeOwned>(&self) -> Option<K> {
        serde_json::from_slice(&self.json).ok()
    }

    /// Whether this is an older version of the same object. Versions of one kind can be compared as numbers.
    pub fn is_older(&self, held: &Self) -> bool {
        self.uid == held.uid && matches!((self.version, held.version), (Some(new), Some(old)) if new < old)
    }
}
