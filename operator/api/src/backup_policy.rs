//! `BackupPolicy`: what must be protected.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::words::PlanState;

/// What must be protected, how often and for how long. It becomes a vault, a plan and a selection by tag in each account that
/// allows `Backup`; elsewhere it shows what is missing and writes nothing.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "BackupPolicy",
    plural = "backuppolicies",
    shortname = "bp",
    category = "caretaker",
    namespaced,
    status = "BackupPolicyStatus",
    derive = "PartialEq",
    doc = "What must be protected, how often and for how long.",
    validation = Rule::new("self.metadata.name.size() <= 40").message("metadata.name may have at most 40 characters: names in the client's cloud are derived from it"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Daily", type_ = "string", json_path = ".spec.dailyAt"),
    printcolumn(name = "Days", type_ = "integer", json_path = ".spec.retentionDays"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct BackupPolicySpec {
    /// CloudAccounts of this namespace that the policy is for.
    #[schemars(length(min = 1, max = 1000))]
    pub accounts: Vec<String>,
    /// What is protected.
    #[serde(flatten)]
    pub terms: BackupTerms,
}

/// A daily backup.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupTerms {
    /// Time of day at which the backup starts, `HH:MM` in UTC.
    #[schemars(length(min = 5, max = 5))]
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("dailyAt must be a time of day in UTC such as 03:30"))]
    pub daily_at: String,
    /// Days that a recovery point is kept.
    #[schemars(range(min = 1, max = 36500))]
    pub retention_days: u32,
    /// Machines and disks with this tag are protected.
    pub tag: Tag,
    /// Regions in which vault and plan are made.
    #[schemars(length(min = 1, max = 40), inner(length(max = 32)))]
    #[x_kube(validation = Rule::new("self.all(region, region.matches('^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$'))")
        .message("regions are the names that AWS's own API uses, such as eu-west-1, in small letters and without spaces"))]
    pub regions: Vec<String>,
}

/// A tag of a cloud resource.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// Key, in its exact letter case.
    #[schemars(length(min = 1, max = 128))]
    pub key: String,
    /// Value, in its exact letter case.
    #[schemars(length(max = 256))]
    pub value: String,
}

/// What the operator found out about a policy.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupPolicyStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The policy in each account and region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PlanStatus>,
    /// When something that others had changed was last put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_repaired_at: Option<Time>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

/// The policy in one account and region.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// CloudAccount.
    pub account: String,
    /// Region.
    pub region: String,
    /// InSync, Planned (observe only) or Failed.
    pub state: PlanState,
    /// Vault in the client's account.
    pub vault: String,
    /// Id of the plan in the client's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// What differs, or would be written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}
