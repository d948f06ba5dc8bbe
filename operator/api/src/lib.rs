//! The kinds of `caretaker.dev/v1alpha1`.
//!
//! This crate holds types and names only: what a person writes, what the operator answers, and the labels both rely on. It
//! decides nothing and reads nothing. The documentation of every field becomes the text that `kubectl explain` shows.

pub mod backup_policy;
pub mod cloud_account;
pub mod condition;
pub mod handover;
pub mod managed_client;
pub mod monitoring_stack;
pub mod names;
pub mod provider_profile;

pub use backup_policy::BackupPolicy;
pub use cloud_account::CloudAccount;
pub use handover::Handover;
pub use managed_client::ManagedClient;
pub use monitoring_stack::MonitoringStack;
pub use provider_profile::ProviderProfile;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group of all kinds.
pub const GROUP: &str = "caretaker.dev";
/// API version of all kinds.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all kinds, in alphabetical order of their names: the source of `crds/` and of the chart.
#[must_use]
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    vec![BackupPolicy::crd(), CloudAccount::crd(), Handover::crd(), ManagedClient::crd(), MonitoringStack::crd(), ProviderProfile::crd()]
}
