//! The permission manifest by cloud: what each purpose needs, how we get in, and where the register of ways in looks.

use caretaker_api::cloud_account::Cloud;
use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::{
    AWS_SIGHT, AZURE_SIGHT, Action, GCP_SIGHT, Sight, aws_actions, aws_entry, azure_actions, azure_entry, gcp_entry, gcp_permissions,
};

/// Every purpose, from the narrowest access profile to the widest.
/// The last one is for parents only.
pub const PURPOSES: [Purpose; 5] = [Purpose::Read, Purpose::Backup, Purpose::RestoreTest, Purpose::Revoke, Purpose::Members];

/// The permissions that a purpose needs on a cloud.
#[must_use]
pub fn actions(cloud: Cloud, purpose: Purpose) -> &'static [Action] {
    match cloud {
        Cloud::Aws => aws_actions(purpose),
        Cloud::Azure => azure_actions(purpose),
        Cloud::Gcp => gcp_permissions(purpose),
    }
}

/// The calls by which we get into an account of a cloud.
#[must_use]
pub fn entry(cloud: Cloud) -> &'static [Action] {
    match cloud {
        Cloud::Aws => aws_entry(),
        Cloud::Azure => azure_entry(),
        Cloud::Gcp => gcp_entry(),
    }
}

/// Where the register of ways in looks on a cloud, and where it does not.
#[must_use]
pub fn sight(cloud: Cloud) -> Sight {
    match cloud {
        Cloud::Aws => AWS_SIGHT,
        Cloud::Azure => AZURE_SIGHT,
        Cloud::Gcp => GCP_SIGHT,
    }
}
