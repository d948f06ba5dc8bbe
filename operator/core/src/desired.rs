//! An object that is wanted in the cluster, as plain data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Resource;
use kube::core::ObjectMeta;
use serde::Serialize;
use serde_json::{Value, json};

use crate::ownership;

/// An object that is wanted. The engine adds owner, labels and digest.
#[derive(Clone, PartialEq)]
pub struct Desired {
    /// Kind; must be in the ownership table.
    pub kind: &'static str,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Further labels.
    pub labels: Vec<(String, String)>,
    /// Everything but `apiVersion`, `kind` and `metadata`.
    pub body: Value,
}

/// A Secret is never shown with what it holds.
impl fmt::Debug for Desired {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Desired");
        shown.field("kind", &self.kind).field("namespace", &self.namespace).field("name", &self.name).field("labels", &self.labels);
        if self.kind == "Secret" { shown.finish_non_exhaustive() } else { shown.field("body", &self.body).finish() }
    }
}

impl Desired {
    /// The object as its own type has it: name, namespace and labels are taken from its metadata, and its status is left out. A list that is empty is
    /// left out as well where the type leaves it out; see [`Self::with_list`].
    ///
    /// # Panics
    /// Where the type cannot be written as JSON. The types of Kubernetes and our own can: the keys of all their maps are texts.
    pub fn of<K>(object: &K) -> Self
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        let kind = match K::kind(&()) {
            Cow::Borrowed(kind) => kind,
            // The engine refuses a kind that is not in the table, and says so.
            Cow::Owned(kind) => ownership::owned(&kind).map_or("unknown", |owned| owned.kind),
        };
        let mut body = serde_json::to_value(object).expect("types of Kubernetes are JSON");
        if let Some(fields) = body.as_object_mut() {
            fields.retain(|field, _| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
        }
        let ObjectMeta { namespace, name, labels, .. } = object.meta();
        Self {
            kind,
            namespace: namespace.clone().unwrap_or_default(),
            name: name.clone().unwrap_or_default(),
            labels: labels.iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect(),
            body,
        }
    }

    /// A ConfigMap with these files.
    pub fn config_map(namespace: impl Into<String>, name: impl Into<String>, files: BTreeMap<String, String>) -> Self {
        Self::of(&ConfigMap { metadata: named(namespace, name), data: Some(files), ..ConfigMap::default() })
    }

    /// Names a list of the spec also where it is empty. A list that is not named is nobody's: it could be filled by somebody else without being seen.
    #[must_use]
    pub fn with_list(mut self, field: &str) -> Self {
        if self.body["spec"][field].is_null() {
            self.body["spec"][field] = json!([]);
        }
        self
    }

    /// An object without further labels.
    pub fn new(kind: &'static str, namespace: impl Into<String>, name: impl Into<String>, body: Value) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into(), labels: Vec::new(), body }
    }

    /// Kind, namespace and name for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.namespace.is_empty() {
            format!("{} {}", self.kind, self.name)
        } else {
            format!("{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// Metadata of an object that is wanted.
pub fn named(namespace: impl Into<String>, name: impl Into<String>) -> ObjectMeta {
    ObjectMeta { namespace: Some(namespace.into()), name: Some(name.into()), ..ObjectMeta::default() }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Namespace, NamespaceStatus};

    use super::*;

    #[test]
    fn an_object_is_taken_apart_and_its_status_is_not_wanted() {
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let metadata = ObjectMeta { name: Some("client-a".into()), labels: Some(labels), ..ObjectMeta::default() };
        let status = NamespaceStatus { phase: Some("Active".into()), ..NamespaceStatus::default() };
        let made = Desired::of(&Namespace { metadata, status: Some(status), ..Namespace::default() });
        let labels = vec![("a".to_owned(), "b".to_owned())];
        assert_eq!(made, Desired { labels, ..Desired::new("Namespace", "", "client-a", json!({})) });
    }

    #[test]
    fn a_secret_is_never_shown() {
        let of = |kind| format!("{:?}", Desired::new(kind, "client-a", "x", json!({"data": {"k": "czNjcjN0"}})));
        assert!(!of("Secret").contains("czNjcjN0") && of("Secret").contains("client-a"), "{}", of("Secret"));
        assert!(of("ConfigMap").contains("czNjcjN0"), "{}", of("ConfigMap"));
    }

    #[test]
    fn a_list_is_named_though_it_is_empty_and_is_kept_where_it_is_not() {
        let made = |spec: Value| Desired::new("MonitoringStack", "client-a", "main", json!({"spec": spec})).with_list("accounts").body;
        assert_eq!(made(json!({})), json!({"spec": {"accounts": []}}));
        assert_eq!(made(json!({"accounts": ["one"]})), json!({"spec": {"accounts": ["one"]}}));
    }
}
