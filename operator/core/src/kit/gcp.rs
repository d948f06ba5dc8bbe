//! What a grant on Google Cloud covers, and what it needs.

use caretaker_cloud::manifest::{On, gcp_permissions};
use caretaker_cloud::{GcpGrant, Purpose, WantedPermission};

/// The role that lets the provider's principal make tokens of the service account.
pub const TOKEN_CREATOR: &str = "roles/iam.serviceAccountTokenCreator";
/// APIs that the client's project must have on, where the client's own quota pays.
pub const APIS: [&str; 4] =
    ["cloudasset.googleapis.com", "cloudresourcemanager.googleapis.com", "iam.googleapis.com", "policyanalyzer.googleapis.com"];

/// All that a grant covers, as the adapter tests it: on the project, or on our own service account.
#[must_use]
pub fn wanted(purposes: &[Purpose], grant: &GcpGrant) -> Vec<WantedPermission> {
    let resource = |on: On| if on == On::Account { "*".to_owned() } else { grant.service_account.clone() };
    let actions = purposes.iter().flat_map(|purpose| gcp_permissions(*purpose));
    actions.map(|action| WantedPermission { resource: resource(action.on), action: action.name.to_owned() }).collect()
}
