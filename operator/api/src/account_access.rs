//! What is known about the ways into an account: the proof, the permissions, the register.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::WayKind;

/// How far the access to an account goes, by what `spec.allow` names.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AccessProfile {
    /// Inventory, permissions and backup state are read; nothing is ever written.
    #[default]
    ReadOnly,
    /// Also backup vaults, plans and selections are made and repaired.
    Backup,
    /// All that `spec.allow` names, and at the end the operator removes its own access.
    Full,
}

impl AccessProfile {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "ReadOnly",
            Self::Backup => "Backup",
            Self::Full => "Full",
        }
    }
}

/// How the policy of our sessions was widened beyond the actions of their purpose. What the role itself is granted stays the limit.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SessionPolicy {
    /// It names whole families of actions, such as `ec2:Describe*`.
    Families,
    /// There is none: a session may do all that the role may.
    Absent,
}

impl SessionPolicy {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Families => "Families",
            Self::Absent => "Absent",
        }
    }
}

/// What is known about the way in.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessStatus {
    /// Generation of the spec that the proof belongs to; an edit makes the proof void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// How far the access should go. The grant kit grants exactly this, and `missing` and `excess` are measured by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<AccessProfile>,
    /// The role that was assumed, or that is tried.
    pub principal: String,
    /// The identity that the session really has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// How the policy of our sessions was widened: AWS takes session tags of the provider's credentials and a session's policy up to a common size, which both
    /// together were over. Not there where each session is cut down to the actions of its purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_policy: Option<SessionPolicy>,
    /// When the role was last assumed with success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Time>,
    /// When callers without or with a wrong credential or ExternalId were last refused or let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusals_proven_at: Option<Time>,
    /// When they were last tried, with any outcome. Each try leaves failed events in the client's audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusals_tried_at: Option<Time>,
    /// Attempts to get in with principals that lead into other clients' accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<OthersStatus>,
    /// Permissions that the profile needs and that are not granted, each with the step that does not work without it: `ec2:DescribeVolumes: list disks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub missing: Vec<MissingPermission>,
    /// What is granted beyond the profile. A warning: nothing waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess: Option<ExcessStatus>,
    /// Every way of the provider into the account, read once a day and on request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<AccessRegister>,
}

/// Attempts to get in with principals of other ProviderProfiles, each with the right ExternalId. None may succeed. On AWS a principal whose own policy
/// allows the roles of its clients only is refused by that policy already, which says nothing of what the role trusts.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OthersStatus {
    /// When the last of them were made. Each leaves failed events in the client's audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_at: Option<Time>,
    /// Digest of the principals that there were. Where it changes, they are tried again.
    #[serde(default)]
    pub digest: String,
    /// How many principals lead into other clients' accounts on this cloud. A few of them try at each round.
    #[serde(default)]
    pub known: u32,
    /// How many of the last round were refused.
    #[serde(default)]
    pub refused: u32,
    /// How many of the last round could not try, or had no answer.
    #[serde(default)]
    pub unknown: u32,
    /// Digests of the principals that were let in. They stay here until they are refused, or no profile has them any more. Whose they are stands in the
    /// operator's log, and nowhere in this client's namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub let_in: Vec<String>,
}

/// A permission that is not granted. In the API it is one text, `ACTION: STEP`, so that a status that names permissions alone stays valid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct MissingPermission {
    /// The permission in the cloud's own words, such as `ec2:DescribeVolumes`.
    pub action: String,
    /// The step that does not work without it.
    pub step: String,
}

impl From<String> for MissingPermission {
    fn from(text: String) -> Self {
        match text.split_once(": ") {
            Some((action, step)) => Self { action: action.into(), step: step.into() },
            None => Self { action: text, step: String::new() },
        }
    }
}

impl From<MissingPermission> for String {
    fn from(missing: MissingPermission) -> Self {
        if missing.step.is_empty() { missing.action } else { format!("{}: {}", missing.action, missing.step) }
    }
}

/// What is granted beyond the profile.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExcessStatus {
    /// The statements that grant more, at most 50, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<ExcessStatement>,
    /// Number of statements that grant more.
    #[serde(default)]
    pub total: u32,
    /// What could not be read. Where this stands, `statements` may lack some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// One statement, role definition or binding that grants more than the profile needs.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExcessStatement {
    /// Where it stands, such as `inline policy extra, statement All`.
    pub name: String,
    /// The permissions or roles beyond the profile, at most 10.
    pub beyond: Vec<String>,
    /// Number of permissions or roles beyond the profile.
    #[serde(default)]
    pub total: u32,
}

/// Every way of the provider into the account, as far as it can be read.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessRegister {
    /// When it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Time>,
    /// Number of ways in that were found.
    #[serde(default)]
    pub total: u32,
    /// The ways in, at most 50: those that end soon first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<WayIn>,
    /// What could not be read, at most 50 lines. A part that was not read is never "none".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// One way of the provider into the account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WayIn {
    /// Role, User, AccessKey, Delegation, EligibleDelegation, Binding, Impersonation or ServiceAccountKey.
    pub kind: WayKind,
    /// Who gets in by it, in the cloud's own words.
    pub principal: String,
    /// What it leads to: a role, subscription, project or service account.
    pub scope: String,
    /// Roles or policies that it grants, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// Day of its last use in UTC, such as `2026-11-25`, where the cloud tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// When it ends by itself, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_one_text_in_the_api_and_a_bare_name_is_one_too() {
        let old = serde_json::json!({"principal": "p", "missing": ["ec2:DescribeVolumes", "ec2:DescribeVpcs: list networks"]});
        let read: AccessStatus = serde_json::from_value(old.clone()).unwrap();
        let missing = |action: &str, step: &str| MissingPermission { action: action.into(), step: step.into() };
        assert_eq!(read.missing, [missing("ec2:DescribeVolumes", ""), missing("ec2:DescribeVpcs", "list networks")]);
        assert_eq!(serde_json::to_value(&read).unwrap()["missing"], old["missing"]);
    }
}
