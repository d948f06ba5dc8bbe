//! `Handover`: one exit or its rehearsal.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cloud_account::InventoryStatus;
use crate::ledger::LedgerHead;
use crate::words::RevokedBy;

/// One exit of a client, or its rehearsal: the log of steps, the sealed bundle, its acceptance and the receipts of revocation. A
/// rehearsal makes and verifies the same bundle and revokes nothing.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "Handover",
    plural = "handovers",
    shortname = "ho",
    category = "caretaker",
    namespaced,
    status = "HandoverStatus",
    derive = "PartialEq",
    validation = Rule::new("!has(self.spec.acceptance) || (has(self.status) && has(self.status.bundle) && self.spec.acceptance.digest == self.status.bundle.sha256)")
        .message("spec.acceptance.digest must be the sha256 of the sealed bundle, as status.bundle.sha256 shows it; let the client verify the bundle first"),
    validation = Rule::new("!has(oldSelf.spec.acceptance) || (has(self.spec.acceptance) && self.spec.acceptance == oldSelf.spec.acceptance) || (has(oldSelf.status) && has(oldSelf.status.step) && oldSelf.status.step == 'Accept')")
        .message("spec.acceptance was taken, and cannot be changed or withdrawn: our access is being revoked, or the exit has ended"),
    validation = Rule::new("!has(self.spec.cancelled) || has(oldSelf.spec.cancelled) || !has(oldSelf.status) || !has(oldSelf.status.step) || !(oldSelf.status.step in ['Revoke', 'VerifyRefusal', 'Done'] || (has(oldSelf.spec.emergency) && oldSelf.status.step != 'Freeze'))")
        .message("it is too late to cancel: our access is being revoked, or the exit has ended; from here it only goes forward"),
    doc = "One exit of a client, or its rehearsal: the log of steps, the sealed bundle, its acceptance and the receipts of revocation.",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Step", type_ = "string", json_path = ".status.step"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Digest", type_ = "string", priority = 1, json_path = ".status.bundle.sha256"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode == oldSelf.mode").message("mode cannot change; make another Handover"),
    validation = Rule::new("!has(oldSelf.cancelled) || (has(self.cancelled) && self.cancelled == oldSelf.cancelled)")
        .message("an exit is cancelled once and for good; begin another one"),
    validation = Rule::new("has(self.emergency) == has(oldSelf.emergency) && (!has(self.emergency) || self.emergency == oldSelf.emergency)")
        .message("emergency is declared when the exit is created; cancel this one and create another"),
    validation = Rule::new("self.mode == 'Final' || !has(self.emergency)").message("a rehearsal revokes nothing; only a Final handover can be an emergency"),
    validation = Rule::new("self.mode == 'Final' || !has(self.acceptance)").message("a rehearsal is not accepted; only a Final handover is"),
)]
pub struct HandoverSpec {
    /// Rehearsal makes and verifies the bundle and revokes nothing. Final goes on to acceptance and to the revocation of the
    /// provider's own access, which cannot be taken back.
    pub mode: HandoverMode,
    /// Name of the ManagedClient, repeated: a Final handover ends its contract, and must not begin by a slip. Only a Final one needs it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub client: String,
    /// Declares an emergency, such as a compromise of the provider: a Final handover revokes our access first, and makes the bundle from the last
    /// inventories. Given at creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Emergency>,
    /// The client's acceptance of the bundle. Nothing is revoked before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Acceptance>,
    /// Calls the exit off, which is possible until our access begins to be revoked: nothing was taken back from the client until then, and what was frozen is
    /// thawed. The sealed bundle stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Cancellation>,
}

/// Why an exit revokes first.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Emergency {
    /// Who declares it.
    #[schemars(length(min = 1, max = 120))]
    pub by: String,
    /// Why.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
}

/// Why an exit does not go on.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancellation {
    /// Who calls it off.
    #[schemars(length(min = 1, max = 120))]
    pub by: String,
    /// Why.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
}

/// Rehearsal or the real thing.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HandoverMode {
    /// Nothing is revoked.
    #[default]
    Rehearsal,
    /// Ends with the revocation of the provider's access.
    Final,
}

/// A person's word that the bundle is theirs and complete.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acceptance {
    /// SHA-256 of the sealed bundle, 64 hexadecimal digits, as `status.bundle.sha256` shows it.
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-f]{64}$')").message("digest must be the 64 hexadecimal digits of status.bundle.sha256"))]
    #[schemars(length(max = 128))]
    pub digest: String,
    /// Who accepts: a person of the client.
    #[schemars(length(min = 1, max = 120))]
    pub accepted_by: String,
    /// The code of `15-acceptance.json` in the opened bundle. It proves that the bundle was opened. A bundle that an earlier release sealed has none.
    #[x_kube(validation = Rule::new("self.matches('^[0-9A-Za-z -]*$')").message("code must be that of 15-acceptance.json: four groups of five letters and digits"))]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 40))]
    pub code: String,
}

/// The steps, in their order.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HandoverStep {
    /// Writes in the client's clouds stop; recipients and scope are recorded.
    #[default]
    Freeze,
    /// The last reading of every account.
    Discover,
    /// The bundle's files are made.
    Build,
    /// The bundle is packed, sealed to the recipients and signed.
    Seal,
    /// The sealed bundle is put into the store.
    Deliver,
    /// It is read back and verified.
    Verify,
    /// The client accepts the digest. A rehearsal skips it.
    Accept,
    /// The provider's access is removed, by us or by the client. A rehearsal skips it.
    Revoke,
    /// A fresh attempt from outside is refused. A rehearsal skips it.
    VerifyRefusal,
    /// The end.
    Done,
}

/// How far a step is.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepState {
    /// Begun.
    #[default]
    Started,
    /// Waits for somebody; the message says for whom.
    Waiting,
    /// Ended well.
    Completed,
    /// Not part of a rehearsal.
    Skipped,
    /// The exit was called off here.
    Cancelled,
}

/// One line of the log.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// The step.
    pub step: HandoverStep,
    /// How far it is.
    pub state: StepState,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// What happened, or what is waited for.
    #[serde(default)]
    pub message: String,
}

/// How far an exit is in its accounts.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountCounts {
    /// Accounts that are handed over.
    pub total: u32,
    /// Those that were read for the bundle.
    pub read: u32,
    /// Those that could not be read; the bundle's gaps say why.
    pub unread: u32,
    /// Those that the exit ends our access to: the accounts, and members that the scope leaves out.
    pub to_close: u32,
    /// Those where it is proved that our access has ended.
    pub closed: u32,
}

/// What was fixed when the handover began.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frozen {
    /// Generation of the ManagedClient.
    pub client_generation: i64,
    /// The recipients that the bundle is sealed to.
    pub recipients: Vec<String>,
    /// The CloudAccounts that are handed over: the first 20. `status.accounts.total` counts all, and the ledger names them.
    pub accounts: Vec<String>,
    /// Time that stands in the bundle.
    pub at: Option<Time>,
    /// Whether our access is revoked before the bundle is made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_emergency: bool,
}

/// The last reading of one account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalReading {
    /// CloudAccount.
    pub account: String,
    /// The inventory that goes into the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<InventoryStatus>,
    /// Why it is not fresh, or not there; empty where it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gap: String,
}

/// Receipt of the sealed bundle.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleStatus {
    /// Id of the bundle; it stands in the signature's trusted comment.
    pub id: String,
    /// SHA-256 of the sealed file, hexadecimal: what the client accepts.
    pub sha256: String,
    /// SHA-256 of the tar inside, hexadecimal.
    pub tar_sha256: String,
    /// Size of the sealed file in bytes.
    pub size_bytes: u64,
    /// Address of the sealed file, relative to the store. The signature is beside it, with `.minisig`.
    pub address: String,
    /// Number of recipients.
    pub recipients: u32,
    /// Number of gaps that the bundle declares.
    pub gaps: u32,
    /// SHA-256 of the code that stands in the bundle, hexadecimal: who accepts gives the code. Empty for a rehearsal, and for a bundle that an earlier
    /// release sealed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code_sha256: String,
}

/// Receipt of the revocation in one account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevocationStatus {
    /// CloudAccount.
    pub account: String,
    /// The principal whose way in was closed.
    pub principal: String,
    /// `Operator` where we may revoke, `Client` where the client runs the script.
    pub by: RevokedBy,
    /// Steps that were done, with their receipts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// What remains in the account for the client to delete, which the revocation script does. IAM lets no role delete itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub left: String,
    /// Number of refusals seen in a row.
    #[serde(default)]
    pub refusals: u32,
    /// When the last attempt was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<Time>,
    /// When the first of these refusals was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_since: Option<Time>,
    /// When the refusal counted as proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Time>,
    /// Where the same principal was let in at the time of the last refusal: beside it the refusal is the client's door, and not a right that the provider has
    /// lost.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub control: String,
    /// What the cloud said last.
    #[serde(default)]
    pub last_answer: String,
}

/// What the operator did and found.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandoverStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The step that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<HandoverStep>,
    /// The log of steps, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepRecord>,
    /// What was fixed at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// How far it is in its accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<AccountCounts>,
    /// The end of the client's ledger after the last entry of this handover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerHead>,
    /// The last readings: 20 at most, those that failed first. The ledger has all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<FinalReading>,
    /// The sealed bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleStatus>,
    /// The revocations: 20 at most, the open ones first. The ledger has all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocations: Vec<RevocationStatus>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}
