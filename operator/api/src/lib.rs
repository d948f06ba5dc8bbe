//! The kinds of `caretaker.dev/v1alpha1`.
//!
//! This crate holds types and names only: what a person writes, what the operator answers, and the labels both rely on. It
//! decides nothing and reads nothing. The documentation of every field becomes the text that `kubectl explain` shows.

pub mod account_access;
pub mod account_budget;
pub mod agreements;
pub mod backup_policy;
pub mod billing;
pub mod change_request;
pub mod cloud_account;
pub mod cloud_target;
pub mod compliance;
pub mod condition;
pub mod contract;
pub mod destination;
pub mod escalation;
pub mod exit_terms;
pub mod external_services;
pub mod handover;
pub mod incident;
pub mod isolation;
pub mod ledger;
pub mod lifecycle;
pub mod managed_client;
pub mod monitoring_stack;
pub mod names;
pub mod parents;
pub mod provider_identity;
pub mod provider_profile;
pub mod qualifications;
mod quota;
pub mod reading;
mod recipients;
pub mod scope;
pub mod service_level;
pub mod service_profile;
pub mod service_report;
pub mod words;

pub use backup_policy::BackupPolicy;
pub use change_request::ChangeRequest;
pub use cloud_account::CloudAccount;
pub use handover::Handover;
pub use incident::Incident;
pub use managed_client::ManagedClient;
pub use monitoring_stack::MonitoringStack;
pub use provider_profile::ProviderProfile;
pub use service_profile::ServiceProfile;
pub use service_report::ServiceReport;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group of all kinds.
pub const GROUP: &str = "caretaker.dev";
/// API version of all kinds.
pub const VERSION: &str = "v1alpha1";

/// The definitions of all kinds, in alphabetical order of their names: the source of `crds/` and of the chart.
///
/// # Panics
/// Never: a definition always has a JSON form.
#[must_use]
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    let crds = [
        BackupPolicy::crd(),
        ChangeRequest::crd(),
        CloudAccount::crd(),
        Handover::crd(),
        Incident::crd(),
        ManagedClient::crd(),
        MonitoringStack::crd(),
        ProviderProfile::crd(),
        ServiceProfile::crd(),
        ServiceReport::crd(),
    ];
    let mut crds = crds.map(without_foreign_formats);
    let at = |kind: &str, crds: &[serde_json::Value]| {
        crds.iter().position(|crd| crd["spec"]["names"]["kind"] == kind).expect("the kind is listed")
    };
    let (client, profile) = (at("ManagedClient", &crds), at("ServiceProfile", &crds));
    let [client, profile] = crds.get_disjoint_mut([client, profile]).expect("two kinds");
    service_profile::definition::join(client, profile);
    crds.map(|crd| serde_json::from_value(crd).expect("a definition of ours is one")).into()
}

/// Kubernetes knows no unsigned formats and warns whoever applies them; the bounds say the same.
fn without_foreign_formats(crd: CustomResourceDefinition) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                if map.get("format").and_then(|format| format.as_str()).is_some_and(|format| format.starts_with("uint")) {
                    map.remove("format");
                }
                map.values_mut().for_each(strip);
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(crd).expect("a definition has a JSON form");
    strip(&mut value);
    value
}
