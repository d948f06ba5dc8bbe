//! `ChangeRequest`: a planned write in a client's cloud that needs the client's yes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contract::Domain;
use crate::words::ChangeState;

/// A planned write in a client's cloud that needs the client's yes. The operator makes it, and nobody changes it: whoever has the verb `approve` on it sets
/// `decision`, once, in their own name. It is applied as it stands here or not at all.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "ChangeRequest",
    plural = "changerequests",
    shortname = "chreq",
    category = "caretaker",
    namespaced,
    status = "ChangeRequestStatus",
    derive = "PartialEq",
    doc = "A planned write in a client's cloud that needs the client's yes.",
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.domain"),
    printcolumn(name = "Steps", type_ = "integer", json_path = ".spec.reach.steps"),
    printcolumn(name = "Decided By", type_ = "string", json_path = ".spec.decision.by"),
    printcolumn(name = "Expires", type_ = "date", json_path = ".spec.expiresAt"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(oldSelf.decision) || has(self.decision)").message("spec.decision stays: an approval is taken back by rejecting the change"),
    validation = Rule::new("!has(self.decision) || self.decision.digest == self.digest").message("spec.decision.digest must be spec.digest: a decision is about what was read"),
)]
pub struct ChangeRequestSpec {
    /// Domain that it is in.
    pub domain: Domain,
    /// BackupPolicy in whose name it is planned.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("a ChangeRequest cannot be changed"))]
    pub policy: String,
    /// What is to be done, account by account, in order.
    #[schemars(length(min = 1, max = 50))]
    pub accounts: Vec<ChangeAccount>,
    /// How far it reaches.
    pub reach: ChangeReach,
    /// Price in units: what is there more of afterwards that a cloud bills. Never money.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub units: Vec<ChangeUnit>,
    /// SHA-256 of `accounts`, which holds the state that was seen: what is approved is this and nothing else.
    #[schemars(length(min = 64, max = 64))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("a ChangeRequest cannot be changed"))]
    pub digest: String,
    /// Until when it can be begun.
    #[x_kube(validation = Rule::new("self == oldSelf").message("a ChangeRequest cannot be changed"))]
    pub expires_at: Time,
    /// The client's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf || (oldSelf.verdict == 'Approve' && self.verdict == 'Reject')").message("a decision stands; an approval can be taken back by rejecting the change"))]
    pub decision: Option<ChangeDecision>,
}

/// What is to be done in one account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeAccount {
    /// CloudAccount.
    #[schemars(length(max = 63))]
    pub name: String,
    /// SHA-256 of what was seen there and of the steps.
    #[schemars(length(max = 64))]
    pub seen: String,
    /// The steps, in order.
    #[schemars(length(max = 200))]
    pub steps: Vec<ChangeStep>,
}

/// One write.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeStep {
    /// In words.
    #[schemars(length(max = 1000))]
    pub what: String,
    /// What takes it back, in words; empty where nothing can.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1000))]
    pub reverse: String,
    /// The step as data, JSON: exactly this is done.
    #[schemars(length(max = 8000))]
    pub data: String,
}

/// How far a change reaches.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeReach {
    /// Accounts that are written to, with their ids in the cloud.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub accounts: Vec<String>,
    /// Regions in which something is written.
    #[serde(default)]
    #[schemars(length(max = 40))]
    pub regions: Vec<String>,
    /// Number of steps.
    pub steps: u32,
    /// Assets of the whole policy that the tag selects, where the inventory has told: each of them is backed up, or backed up in another way, afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assets: Option<u64>,
}

/// A count of something that a cloud bills.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeUnit {
    /// Of what, such as `backup vault`.
    #[schemars(length(max = 120))]
    pub name: String,
    /// How many more.
    pub count: u64,
}

/// Yes or no.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeVerdict {
    /// Do it.
    Approve,
    /// Leave it.
    Reject,
}

/// The client's word about a change.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeDecision {
    /// Yes or no.
    pub verdict: ChangeVerdict,
    /// Name of the user who says so, as the API server knows it: it must be the one who writes it.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
    /// `spec.digest` of what was read.
    #[schemars(length(min = 64, max = 64))]
    pub digest: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 500))]
    pub reason: String,
}

/// What the operator knows of a change; the client's ledger has the same.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRequestStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// How far it is.
    #[serde(default)]
    pub state: ChangeState,
    /// Why, where it has ended without being applied.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
    /// What was done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ChangeResult>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

/// What came of one step.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeResult {
    /// CloudAccount.
    pub account: String,
    /// The step in words.
    pub what: String,
    /// The receipt: the calls that were made; or what the cloud said against it.
    pub result: String,
    /// Whether it is done.
    pub done: bool,
}
