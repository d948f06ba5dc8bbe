//! Who makes objects.

use caretaker_core::ownership::Kind;

/// Who makes objects: the object that is visited.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Kind.
    pub kind: Kind,
    /// Name of the ManagedClient that it belongs to.
    pub client: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid: what proves that an object is ours.
    pub uid: String,
}
