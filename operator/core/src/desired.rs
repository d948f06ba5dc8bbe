//! An object that is wanted in the cluster, as plain data.

use serde_json::Value;

/// An object that is wanted. The engine adds owner, labels and digest.
#[derive(Clone, Debug, PartialEq)]
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

impl Desired {
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
