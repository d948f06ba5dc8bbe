//! Labels, annotations, finalizers and derived names: the words that several parts must spell alike.

/// Label on everything the operator makes; its value is [`MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY`].
pub const MANAGER: &str = "caretaker";

/// Name under which the kubectl plugin writes: the API server notes it as the field manager.
pub const PLUGIN: &str = "kubectl-caretaker";
/// Label that names the `ManagedClient` an object belongs to.
pub const CLIENT_LABEL: &str = "caretaker.dev/client";
/// Label that names the kind of the Caretaker object that made an object, in lower case.
pub const OWNER_KIND_LABEL: &str = "caretaker.dev/owner-kind";
/// Label that names the Caretaker object that made an object.
pub const OWNER_NAME_LABEL: &str = "caretaker.dev/owner-name";
/// Label on a `CloudAccount` that a parent was fanned out to; its value is the parent's name.
pub const PARENT_LABEL: &str = "caretaker.dev/parent";
/// Annotation with the digest of the desired state that was applied last; a removed field changes it.
pub const APPLIED_DIGEST: &str = "caretaker.dev/applied-digest";
/// Annotation that asks for one visit now; its value is copied to `status.lastHandledRequest`.
pub const REQUESTED_AT: &str = "caretaker.dev/requested-at";
/// Annotation on a `ManagedClient` that asks for an isolation test now; its value is copied to `status.isolation.lastHandledRequest`.
pub const ISOLATION_TEST_AT: &str = "caretaker.dev/isolation-test-at";
/// Annotation on a `MonitoringStack` that asks for a page test now; its value is copied to `status.pageTest.request`.
pub const PAGE_TEST_AT: &str = "caretaker.dev/page-test-at";
/// Annotation that stops all writes for an object while its value is `true`.
pub const PAUSED: &str = "caretaker.dev/paused";
/// Annotation that must repeat the name of a `ManagedClient` before one that was not handed over may be deleted.
pub const CONFIRM_DELETION: &str = "caretaker.dev/confirm-deletion";
/// Annotation on a `ProviderProfile` that lets the operator make a new signing key where the known one is lost; its value is the lost one's key id.
pub const NEW_SIGNING_KEY: &str = "caretaker.dev/new-signing-key";
/// Finalizer of every kind: the operator's clean-up comes before the object goes.
pub const FINALIZER: &str = "caretaker.dev/cleanup";
/// Prefix of a client's namespace.
pub const NAMESPACE_PREFIX: &str = "client-";
/// Longest name of a `ManagedClient`, in bytes: a namespace has 63, the prefix takes 7.
pub const MAX_CLIENT_NAME: usize = 56;

/// Longest name of a `CloudAccount`, in bytes: names in the client's cloud are derived from it.
pub const MAX_ACCOUNT_NAME: usize = 40;

/// The namespace of a client.
#[must_use]
pub fn client_namespace(client: &str) -> String {
    format!("{NAMESPACE_PREFIX}{client}")
}
