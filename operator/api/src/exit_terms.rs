//! Terms of an exit beside the bundle itself: the contract's end, the rules that apply, what becomes of the data, and what was found of them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a date is written, in CEL.
const IS_DATE: &str = "self == '' || self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$')";

/// When the contract ends, and which notice it wants.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.atEnd) || self.atEnd != 'HandOver' || has(self.endsOn)")
        .message("atEnd: HandOver needs endsOn, the last day of the contract"),
)]
pub struct ContractTerms {
    /// Last day of the contract, `YYYY-MM-DD`. Without it the contract runs until somebody gives notice.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(validation = Rule::new(IS_DATE).message("endsOn must be a date such as 2027-03-31"))]
    pub ends_on: String,
    /// Time zone in which days begin and end, by its IANA name such as `Europe/Zurich`.
    #[serde(default = "default_zone")]
    #[schemars(length(min = 1, max = 64))]
    pub zone: String,
    /// Days between the notice and the end.
    #[serde(default = "default_notice")]
    #[schemars(range(min = 0, max = 730))]
    pub notice_days: u32,
    /// Public holidays where working days are counted, such as `2026-12-25`. Saturdays and Sundays are left out anyway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), inner(length(max = 10), regex(pattern = "^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")))]
    pub holidays: Vec<String>,
    /// The notice, once it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// How long the client may take to move after the contract's end, while the provider goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// What the operator does when the last day is over.
    #[serde(default)]
    pub at_end: AtEnd,
}

/// Zone when nothing is said.
fn default_zone() -> String {
    "UTC".into()
}

/// Days of notice when nothing is said.
fn default_notice() -> u32 {
    30
}

/// A notice that was given.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Day on which it was given, `YYYY-MM-DD`.
    #[schemars(length(min = 10, max = 10))]
    #[x_kube(validation = Rule::new(IS_DATE).message("givenOn must be a date such as 2026-12-01"))]
    pub given_on: String,
    /// Who gave it.
    pub by: NoticeBy,
}

/// A side of the contract.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeBy {
    /// The client.
    Client,
    /// The provider.
    Provider,
}

/// Time after the contract's end in which the provider goes on.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// Days.
    #[schemars(range(min = 0, max = 730))]
    pub days: u32,
    /// Why it takes longer than a rule allows without a reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 500))]
    pub reason: String,
    /// Day on which the client was told so, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(validation = Rule::new(IS_DATE).message("toldOn must be a date such as 2026-12-10"))]
    pub told_on: String,
}

/// What happens when the last day of the contract is over.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AtEnd {
    /// It is told, and people begin the exit.
    #[default]
    Remind,
    /// The operator begins a Final handover. Nothing is revoked before the client accepts its bundle.
    HandOver,
}

/// A rule that gives deadlines to an exit. Whether it applies is a question for lawyers; here only its clocks run.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Regime {
    /// EU Data Act, Regulation (EU) 2023/2854, Article 25: at most two months of notice, 30 days of transition, and at least 30 days to fetch the data.
    DataAct,
    /// DORA, Regulation (EU) 2022/2554, Articles 28(8) and 30(3)(f): a transition period that is agreed.
    Dora,
    /// FAR 52.237-3: services can be called on for up to 90 days after the contract.
    Far,
    /// HIPAA, 45 CFR 164.504(e)(2)(ii)(J): all protected health information is returned or destroyed where that is feasible.
    Hipaa,
}

/// Data of the client's that the provider holds.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DataStore {
    /// Inventories of the accounts, and the CloudAccount objects.
    Inventories,
    /// What was seen of backups, and the BackupPolicy object. The recovery points themselves are the client's, and stay.
    BackupEvidence,
    /// Measured days and reports, and the ServiceReport objects.
    ServiceLevels,
    /// Metrics and alerts of the monitoring, and the MonitoringStack object.
    Monitoring,
    /// Incidents, open and closed, and the Incident objects.
    Incidents,
    /// Sealed bundles, which the provider cannot open.
    Bundles,
    /// The ledger: what was done in the client's clouds, and the proof that our access has ended.
    Ledger,
}

/// What becomes of it after the exit.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DispositionAction {
    /// It was delivered in the bundle, and the provider's copy is destroyed.
    Return,
    /// It is destroyed.
    Destroy,
    /// It is kept, for a reason.
    Retain,
}

/// What becomes of one kind of data after the exit.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.action != 'Retain' || (has(self.reason) && self.reason.size() > 0)").message("Retain needs a reason, which the certificate tells"),
    validation = Rule::new("self.action != 'Return' || !(self.store in ['Monitoring', 'Bundles'])").message("metrics and bundles are no part of a bundle: choose Destroy or Retain"),
    validation = Rule::new("self.action == 'Retain' || self.store != 'Ledger'").message("the ledger is kept: it is the proof that our access has ended; it goes when the provider removes it from the store after the ManagedClient was deleted"),
)]
pub struct Disposition {
    /// Which data.
    pub store: DataStore,
    /// What becomes of it.
    pub action: DispositionAction,
    /// Why it is kept; the certificate tells it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 500))]
    pub reason: String,
}

/// An order that nothing of the client's data may be erased.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegalHold {
    /// Who ordered it.
    #[schemars(length(min = 1, max = 120))]
    pub by: String,
    /// Why.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
}

/// A date of the exit, or of an agreement, that somebody must keep.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DeadlineKind {
    /// Notice must be given by then, or the contract does not end on its last day by notice.
    Notice,
    /// The client must be told by then that the transition takes longer.
    Feasibility,
    /// The bundle must be delivered and verified by then.
    Delivery,
    /// Our services can be called on until then.
    PhaseOut,
    /// The client can fetch the bundle until then; nothing is erased before.
    Retrieval,
    /// The provider's copies must be erased by then.
    Erasure,
    /// An agreement or qualification expires then, and another one must have taken its place.
    Agreement,
    /// The term of a service in `spec.externalServices` ends then.
    Renewal,
}

/// How a deadline stands.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadlineState {
    /// It lies ahead.
    Pending,
    /// It lies ahead by less than two weeks; of an agreement or a service, by less than 30 days.
    Near,
    /// It was kept.
    Met,
    /// It has passed, and nobody had to do anything by then.
    Passed,
    /// It has passed, and was not kept.
    Missed,
    /// A legal hold stands before it.
    Held,
}

/// One deadline.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deadline {
    /// Which.
    pub kind: DeadlineKind,
    /// Whose rule it is: `Contract`, or a regime; of an agreement, its kind.
    #[schemars(length(max = 40))]
    pub rule: String,
    /// The moment: the day before it has ended.
    pub at: Time,
    /// How it stands.
    pub state: DeadlineState,
    /// In words, with the source of the number.
    pub message: String,
}

/// What became of one kind of data.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreErasure {
    /// Which data.
    pub store: DataStore,
    /// What becomes of it.
    pub action: DispositionAction,
    /// Why it is kept; empty where it is not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Objects that were found when its erasure began, in the store and in the cluster.
    #[serde(default)]
    pub objects: u64,
    /// Their size in bytes, as far as they lay in the store.
    #[serde(default)]
    pub bytes: u64,
    /// When a listing showed nothing of it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Time>,
}

/// What became of the client's data after the exit.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasureStatus {
    /// Since when the status announces the erasure. Nothing is erased within a week of it, or within `retrievalDays` where these are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Time>,
    /// When erasure may begin at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Time>,
    /// Each kind of data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<StoreErasure>,
    /// When all was erased that is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// Address of the signed certificate, relative to the store. Its signature is beside it, with `.minisig`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub certificate: String,
    /// SHA-256 of the certificate, hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub certificate_sha256: String,
    /// What came of bringing the certificate to `spec.exit.destination`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_delivery: Option<CertificateDelivery>,
}

/// What came of bringing the certificate of erasure to the client's own destination. It is tried once: the client may have closed its bucket since the exit.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateDelivery {
    /// Where the client finds it. Its signature is beside it, with `.minisig`.
    pub to: String,
    /// Why it is not there; empty where it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fault: String,
}
