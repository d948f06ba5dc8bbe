//! An object of our own kinds: what its type tells, and how it is decoded.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use caretaker_api::status::CommonStatus;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::core::object::HasStatus;
use kube::core::{DynamicObject, TypeMeta};
use kube::{CustomResourceExt, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Kind;

/// An object of our own kinds by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectId {
    /// Kind.
    pub kind: Kind,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// The type of one of our own kinds.
pub trait OwnKind:
    Resource<DynamicType = ()>
    + CustomResourceExt
    + HasStatus<Status: CommonStatus + DeserializeOwned>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// The kind.
    const KIND: Kind;

    /// Whether the object reads this one, of a kind in [`super::KindSpec::reads`], and is to be visited when it changes. An object in a namespace is asked only
    /// for objects of its own namespace and for cluster-scoped ones.
    fn reads(&self, _other: &ObjectId) -> bool {
        false
    }

    /// Objects that are to be visited when this one changes, although they do not name it.
    fn tells(&self) -> Vec<ObjectId> {
        Vec::new()
    }
}

/// An object of some kind of ours. Decoded once, and shared by all who look at it.
pub trait OwnObject: Send + Sync {
    /// Metadata; of the managed fields only those of others that [`crate::drift::worth_keeping`] keeps.
    fn meta(&self) -> &ObjectMeta;
    /// The status's conditions.
    fn conditions(&self) -> &[Condition];
    /// See [`OwnKind::reads`].
    fn reads(&self, other: &ObjectId) -> bool;
    /// See [`OwnKind::tells`].
    fn tells(&self) -> Vec<ObjectId>;
    /// The object as JSON values; `None` where it has no such form.
    fn to_dynamic(&self) -> Option<DynamicObject>;
    /// The object, to be cast to its type.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<K: OwnKind> OwnObject for K {
    fn meta(&self) -> &ObjectMeta {
        Resource::meta(self)
    }

    fn conditions(&self) -> &[Condition] {
        self.status().map(|status| status.conditions().as_slice()).unwrap_or_default()
    }

    fn reads(&self, other: &ObjectId) -> bool {
        OwnKind::reads(self, other)
    }

    fn tells(&self) -> Vec<ObjectId> {
        OwnKind::tells(self)
    }

    fn to_dynamic(&self) -> Option<DynamicObject> {
        let mut object: DynamicObject = serde_json::from_value(serde_json::to_value(self).ok()?).ok()?;
        object.types = Some(TypeMeta { api_version: K::api_version(&()).into_owned(), kind: K::kind(&()).into_owned() });
        Some(object)
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Decodes an object.
///
/// # Errors
/// The object does not fit its type; the message names the field and never its value.
pub fn decode<K: OwnKind>(object: DynamicObject) -> Result<Arc<dyn OwnObject>, String> {
    let value = serde_json::to_value(object).map_err(|error| harmless("", &error.to_string()))?;
    match serde_path_to_error::deserialize::<_, K>(value) {
        Ok(object) => Ok(Arc::new(object)),
        Err(error) => Err(harmless(&error.path().to_string(), &error.inner().to_string())),
    }
}

/// The message of a decoder without the value that it saw: a value may be a secret.
#[must_use]
pub fn harmless(path: &str, message: &str) -> String {
    let cause = if message.starts_with("missing field") {
        message.to_owned()
    } else {
        match message.rfind(", expected ") {
            Some(at) => message[at + 2..].to_owned(),
            None => "the value does not fit".to_owned(),
        }
    };
    if path.is_empty() || path == "." { cause } else { format!("{path}: {cause}") }
}

/// A kind's definition, without what Kubernetes does not know: it warns of unsigned formats, and the bounds say the same.
///
/// # Panics
/// Never: a definition always has a JSON form.
#[must_use]
pub fn definition<K: OwnKind>() -> CustomResourceDefinition {
    caretaker_api::without_foreign_formats(&K::crd())
}
