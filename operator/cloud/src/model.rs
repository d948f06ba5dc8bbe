//! Grants, cells and what a cloud answers: plain data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The way into one account of a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccessGrant {
    /// A role on AWS.
    Aws(AwsGrant),
    /// A delegated subscription on Azure.
    Azure(AzureGrant),
    /// A service account on GCP.
    Gcp(GcpGrant),
    /// The delegated subscriptions of a tenant on Azure.
    AzureTenant(AzureTenantGrant),
    /// A folder on GCP.
    GcpFolder(GcpFolderGrant),
}

impl AccessGrant {
    /// Account, subscription or project; of a parent its own id.
    #[must_use]
    pub fn account(&self) -> &str {
        match self {
            Self::Aws(grant) => &grant.account_id,
            Self::Azure(grant) => &grant.subscription_id,
            Self::Gcp(grant) => &grant.project_id,
            Self::AzureTenant(grant) => &grant.tenant_id,
            Self::GcpFolder(grant) => &grant.folder_id,
        }
    }
}

/// A role in a client's AWS account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsGrant {
    /// The account's 12 digits.
    pub account_id: String,
    /// ARN of the role.
    pub role_arn: String,
    /// The ExternalId that the role must demand. Not a secret in AWS's sense, yet never logged.
    pub external_id: String,
    /// Name of the session in the client's audit log: 2 to 64 characters of `[\w+=,.@-]`.
    pub session_name: String,
    /// The object of ours that acts, as the client's audit log shows it with every call: 2 to 64 characters of `[\w+=,.@-]`. A role that was made from
    /// an older kit is assumed without it.
    pub source_identity: String,
}

/// A subscription of a client that is delegated to the provider's tenant by Azure Lighthouse.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AzureGrant {
    /// Whose it is: the work of one client's grants has one turn in a budget that several clients share.
    pub client: String,
    /// The subscription's id, in lower case: Azure compares ids without letter case.
    pub subscription_id: String,
    /// The client's own tenant, in lower case, where the client has declared it.
    pub home_tenant_id: Option<String>,
}

/// A project of a client and the service account that leads into it. One service account per client: GCP knows no ExternalId.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GcpGrant {
    /// Whose it is: the work of one client's grants has one turn in a budget that several clients share.
    pub client: String,
    /// The project's id.
    pub project_id: String,
    /// E-mail address of the service account that is impersonated.
    pub service_account: String,
}

/// A client's tenant, whose subscriptions are delegated to the provider's tenant one by one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AzureTenantGrant {
    /// The client's tenant, in lower case.
    pub tenant_id: String,
    /// The subscriptions that are looked after; empty for all that are delegated.
    pub subscription_ids: Vec<String>,
    /// Subscriptions that are not looked after, although they are delegated.
    pub exclude: Vec<String>,
}

/// A client's folder and the service account that may read what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GcpFolderGrant {
    /// Whose it is: the work of one client's grants has one turn in a budget that several clients share.
    pub client: String,
    /// Number of the folder.
    pub folder_id: String,
    /// Id of the project that holds the service account.
    pub project_id: String,
    /// E-mail address of the service account that is impersonated.
    pub service_account: String,
}

/// An account of a parent, as the cloud lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Account, subscription or project, in the cloud's own way of comparing.
    pub id: String,
    /// Its name in the cloud.
    pub name: String,
    /// Its state.
    pub state: MemberState,
}

/// State of an account, in words that fit all clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// In use.
    Active,
    /// Being made.
    Pending,
    /// Switched off.
    Suspended,
    /// Closed, or being closed.
    Closed,
}

/// What a session is for. It narrows the session to what the purpose needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Read the inventory, permissions and backup state.
    Read,
    /// Make and repair backup objects.
    Backup,
    /// Have a sample restored, and give the verdict.
    RestoreTest,
    /// Remove our own access.
    Revoke,
    /// List the accounts of a parent, and nothing else.
    Members,
}

/// What an attempt to get in presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// The grant's own secret.
    Right,
    /// A wrong one.
    Wrong,
    /// None.
    Nothing,
    /// The grant's own secret, by a principal of the provider's that the client has no reason to trust. Whatever comes of it, it was let in.
    Stolen,
}

/// Who a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Account, subscription or project.
    pub account: String,
    /// The principal in the cloud's own words, such as an ARN.
    pub principal: String,
}

/// A permission that is asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedPermission {
    /// What the permission is for, in the cloud's own words; `*` for everything in the account.
    pub resource: String,
    /// The action in the cloud's own words.
    pub action: String,
}

/// What is missing of the permissions that were asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionGap {
    /// Actions that are not granted.
    pub missing: Vec<String>,
    /// Whether the cloud could tell. `false`: `missing` says nothing.
    pub known: bool,
}

/// Region of a cell that spans all locations of an account.
pub const EVERYWHERE: &str = "all";

/// One unit of reading.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CellKey {
    /// Account, subscription or project.
    pub account: String,
    /// Region or location.
    pub region: String,
    /// Service and part, such as `ec2/instances`.
    pub service: String,
}

/// How far a cell was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// To the end: an absence may be concluded.
    Complete,
    /// Some came, not all.
    Partial,
    /// The cloud refused.
    Denied,
    /// The cloud asked to wait.
    Throttled,
    /// No answer.
    Unreachable,
    /// Switched off in this account.
    Disabled,
}

/// A cell with its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// Which.
    #[serde(flatten)]
    pub key: CellKey,
    /// How far.
    pub verdict: Verdict,
    /// Number of assets that came.
    pub assets: u64,
    /// Number of calls that were made.
    pub calls: u32,
    /// What happened and what to do. Where the verdict is Complete: what the cell cannot show all the same, mostly nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// How long the cloud asked to wait, in seconds, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// When the verdict fell.
    pub at: Timestamp,
}

/// Whether a caller's ARN is the principal's: a session of a role counts as the role.
#[must_use]
pub fn is_principal(caller: &str, principal: &str) -> bool {
    if caller == principal {
        return true;
    }
    let (caller, principal): (Vec<&str>, Vec<&str>) = (caller.split(':').collect(), principal.split(':').collect());
    let [_, partition, "sts", _, account, caller] = caller.as_slice() else { return false };
    let [_, of, "iam", _, within, role] = principal.as_slice() else { return false };
    let session_of = caller.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
    partition == of && account == within && role.starts_with("role/") && session_of == role.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_a_role_counts_as_the_role() {
        let role = "arn:aws:iam::111111111111:role/path/caretaker";
        assert!(is_principal("arn:aws:sts::111111111111:assumed-role/caretaker/pod", role));
        assert!(!is_principal("arn:aws:sts::222222222222:assumed-role/caretaker/pod", role));
        assert!(!is_principal("arn:aws:sts::111111111111:assumed-role/caretaker2/pod", role));
        assert!(is_principal("arn:aws:iam::111111111111:user/caretaker", "arn:aws:iam::111111111111:user/caretaker"));
        assert!(!is_principal("arn:aws:iam::111111111111:user/other", "arn:aws:iam::111111111111:user/caretaker"));
    }
}
