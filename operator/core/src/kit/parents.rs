//! The grants of parents: of an organisation, a tenant or a folder.

use caretaker_api::cloud_account::CloudAccountSpec;
use caretaker_cloud::manifest::{Action, On, aws_actions, gcp_permissions};
use caretaker_cloud::{AccessGrant, Purpose, WantedPermission};

use super::purposes;

/// Name of the StackSet that gives the role to the accounts of an organization.
pub const STACK_SET: &str = "caretaker-access";

/// APIs that list: the project of a folder's service account must have them on where no quota of the provider's pays.
pub const LISTING: [&str; 2] = ["cloudasset.googleapis.com", "cloudresourcemanager.googleapis.com"];
/// APIs that tell whether something is really gone: that project must have them on whoever pays for the lists.
pub const TELLING: [&str; 16] = [
    "iam.googleapis.com",
    "compute.googleapis.com",
    "storage.googleapis.com",
    "container.googleapis.com",
    "sqladmin.googleapis.com",
    "cloudkms.googleapis.com",
    "run.googleapis.com",
    "cloudfunctions.googleapis.com",
    "spanner.googleapis.com",
    "alloydb.googleapis.com",
    "bigtableadmin.googleapis.com",
    "redis.googleapis.com",
    "firestore.googleapis.com",
    "secretmanager.googleapis.com",
    "logging.googleapis.com",
    "backupdr.googleapis.com",
];

/// What a parent's own grant is for: listing, and ending our access where that is allowed.
#[must_use]
pub fn parent_purposes(spec: &CloudAccountSpec) -> Vec<Purpose> {
    let revokes = purposes(&spec.allow).into_iter().filter(|purpose| *purpose == Purpose::Revoke);
    std::iter::once(Purpose::Members).chain(revokes).collect()
}

/// All that an account's or a parent's grant covers.
#[must_use]
pub fn wanted(spec: &CloudAccountSpec, grant: &AccessGrant) -> Vec<WantedPermission> {
    match grant {
        AccessGrant::Aws(held) if spec.target.is_parent() => parent_purposes(spec)
            .into_iter()
            .flat_map(aws_actions)
            .map(|action| WantedPermission { resource: super::resource(action, &held.role_arn, ""), action: action.name.to_owned() })
            .collect(),
        AccessGrant::AzureTenant(_) => Vec::new(),
        AccessGrant::GcpFolder(held) => {
            let resource = |on: On| if on == On::Account { "*".to_owned() } else { held.service_account.clone() };
            let of = |action: &Action| WantedPermission { resource: resource(action.on), action: action.name.to_owned() };
            folder_actions(spec).map(of).collect()
        }
        _ => super::wanted(&spec.allow, grant),
    }
}

/// What a folder's grant is for: listing, and all that the grant of a project in it is for, since it is granted once for all of them.
pub fn folder_actions(spec: &CloudAccountSpec) -> impl Iterator<Item = &'static Action> {
    std::iter::once(Purpose::Members).chain(purposes(&spec.allow)).flat_map(gcp_permissions)
}
