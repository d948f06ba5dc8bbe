//! One object as the cache holds it. An object of our own kinds is decoded once and shared by all who look at it. Of others' objects the JSON text is held, and
//! beside it only what is asked of every object: a tree of values takes several times the memory, and most of them are looked at once in a while.

use std::collections::BTreeMap;
use std::sync::Arc;

use caretaker_core::kinds::{Faces, Kind, OwnKind, OwnObject, faces};
use kube::ResourceExt;
use kube::api::DynamicObject;

/// An object.
pub(super) struct Held {
    /// What the object's own controller and others react to.
    pub faces: Faces,
    uid: Option<String>,
    version: Option<u64>,
    body: Body,
}

enum Body {
    /// An object of our own kinds.
    Own(Arc<dyn OwnObject>),
    /// An object of another kind, or one of ours that does not fit its type: then with the cause.
    Json { labels: BTreeMap<String, String>, json: Box<[u8]>, unfit: Option<String> },
}

impl Held {
    /// Takes an object without its managed fields, which are as large as the rest; those of others below what is ours are kept. `kind` is given for our own
    /// kinds.
    pub fn new(mut object: DynamicObject, kind: Option<Kind>) -> Arc<Self> {
        crate::managed_fields::keep_foreign(&mut object.metadata);
        let (uid, version, faces) = (object.uid(), version(object.resource_version()), faces(&object));
        let body = match kind {
            None => json(object, None),
            Some(kind) => match (kind.decode)(object.clone()) {
                Ok(own) => Body::Own(own),
                Err(cause) => json(object, Some(cause)),
            },
        };
        Arc::new(Self { faces, uid, version, body })
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        match &self.body {
            Body::Own(own) => own.meta().labels.as_ref()?.get(key),
            Body::Json { labels, .. } => labels.get(key),
        }
        .map(String::as_str)
    }

    /// The object of our own kinds, unless it does not fit its type.
    pub fn own(&self) -> Option<&Arc<dyn OwnObject>> {
        match &self.body {
            Body::Own(own) => Some(own),
            Body::Json { .. } => None,
        }
    }

    /// Why the object does not fit its type.
    pub fn unfit(&self) -> Option<&str> {
        match &self.body {
            Body::Own(_) => None,
            Body::Json { unfit, .. } => unfit.as_deref(),
        }
    }

    /// The object as its type.
    pub fn typed<K: OwnKind>(&self) -> Option<Arc<K>> {
        self.own()?.clone().into_any().downcast::<K>().ok()
    }

    /// The object as JSON values.
    pub fn to_dynamic(&self) -> Option<DynamicObject> {
        match &self.body {
            Body::Own(own) => own.to_dynamic(),
            Body::Json { json, .. } => serde_json::from_slice(json).ok(),
        }
    }

    /// Whether both are versions of the same object.
    pub fn is_same_object(&self, other: &Self) -> bool {
        self.uid == other.uid
    }

    /// Whether this is an older version of the same object, or the same version. Versions of one kind can be compared as numbers.
    pub fn is_no_newer(&self, held: &Self) -> bool {
        self.is_same_object(held) && matches!((self.version, held.version), (Some(new), Some(old)) if new <= old)
    }

    /// The uid.
    pub fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }
}

fn json(object: DynamicObject, unfit: Option<String>) -> Body {
    // An object that came as JSON can be written as JSON.
    let json = serde_json::to_vec(&object).unwrap_or_default().into_boxed_slice();
    Body::Json { labels: object.metadata.labels.unwrap_or_default(), json, unfit }
}

fn version(text: Option<String>) -> Option<u64> {
    text?.parse().ok()
}
