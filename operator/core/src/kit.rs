//! The grant that a client is asked for: what it covers, and which names it goes by. Made from the same permission manifest that the operator
//! checks. The text that is sent to the client is made in the crate `documents`.

pub mod azure;
pub mod gcp;
pub mod parents;

use caretaker_api::cloud_account::{AwsAccount, Capability};
use caretaker_api::provider_profile::AwsProvider;
use caretaker_cloud::manifest::{Action, On, aws_actions};
use caretaker_cloud::{AccessGrant, Purpose, WantedPermission};

use crate::grant::partition;

/// Name of the inline policy that allows a purpose. The one for revoking goes last when access is removed.
#[must_use]
pub const fn policy_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Read => "caretaker-read",
        Purpose::Backup => "caretaker-backup",
        Purpose::RestoreTest => "caretaker-restore-test",
        Purpose::Revoke => "caretaker-revoke",
        Purpose::Members => "caretaker-members",
    }
}

/// Name of the role that AWS Backup uses in the client's account.
pub const BACKUP_ROLE: &str = "CaretakerBackupService";

/// The purposes that an account's grant covers.
#[must_use]
pub fn purposes(allow: &[Capability]) -> Vec<Purpose> {
    let mut purposes = vec![Purpose::Read];
    if allow.contains(&Capability::Backup) {
        purposes.push(Purpose::Backup);
    }
    if allow.contains(&Capability::RestoreTest) {
        purposes.push(Purpose::RestoreTest);
    }
    if allow.contains(&Capability::Revoke) {
        purposes.push(Purpose::Revoke);
    }
    purposes
}

/// All that an account's grant covers: the same actions on the same resources as the kit's policies.
#[must_use]
pub fn wanted(allow: &[Capability], grant: &AccessGrant) -> Vec<WantedPermission> {
    let grant = match grant {
        AccessGrant::Aws(grant) => grant,
        AccessGrant::Azure(grant) => return azure::wanted(&grant.subscription_id),
        AccessGrant::Gcp(grant) => return gcp::wanted(&purposes(allow), grant),
        AccessGrant::AzureTenant(_) | AccessGrant::GcpFolder(_) => return Vec::new(),
    };
    let backup_role = format!("arn:{}:iam::{}:role/{BACKUP_ROLE}", partition(&grant.role_arn), grant.account_id);
    let of = |purpose: Purpose| {
        let (own_role, backup_role) = (grant.role_arn.as_str(), backup_role.as_str());
        aws_actions(purpose)
            .iter()
            .map(move |action| WantedPermission { resource: resource(action, own_role, backup_role), action: action.name.to_owned() })
    };
    let mut all = Vec::new();
    for purpose in purposes(allow) {
        all.extend(of(purpose));
    }
    all
}

/// ARN of the role that AWS Backup uses.
#[must_use]
pub fn backup_role_arn(account: &AwsAccount, provider: &AwsProvider) -> String {
    format!("arn:{}:iam::{}:role/{BACKUP_ROLE}", partition(&provider.principal_arn), account.account_id)
}

/// The resource that an action is granted on.
#[must_use]
pub fn resource(action: &Action, own_role: &str, backup_role: &str) -> String {
    match action.on {
        On::Account => "*".to_owned(),
        On::OwnPrincipal => own_role.to_owned(),
        On::BackupRole => backup_role.to_owned(),
    }
}
