//! `BackupPolicy`: what must be protected.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::{BackupState, PlanState, RestoreResult};

/// What must be protected, how often and for how long. It becomes a vault, a plan and a selection by tag in each AWS account that allows `Backup`, and a
/// snapshot schedule on the disks of each Google Cloud project that does; elsewhere it shows what is missing and writes nothing. What can be restored is
/// watched on every cloud.
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
    printcolumn(name = "Protected", type_ = "string", json_path = ".status.protection.text"),
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
    /// Time of day at which the backup starts, `HH:MM` in UTC. Google Cloud takes full hours only.
    #[schemars(length(min = 5, max = 5))]
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("dailyAt must be a time of day in UTC such as 03:30"))]
    pub daily_at: String,
    /// Days that a recovery point is kept.
    #[schemars(range(min = 1, max = 36500))]
    pub retention_days: u32,
    /// Machines, disks, databases and buckets with this tag are protected.
    pub tag: Tag,
    /// Hours that may be lost at most: each of them must have a recovery point that can be restored and is no older. A daily backup cannot keep a
    /// promise of 24 hours, since each run takes a time of its own.
    #[serde(default = "default_rpo")]
    #[schemars(range(max = 8760))]
    #[x_kube(validation = Rule::new("self >= 25").message("rpoHours: backups are made daily and each takes its time, so that 24 hours or fewer cannot be kept; say 26"))]
    pub rpo_hours: u32,
    /// Regions that the policy is about, in the words of each cloud's own API: `eu-west-1` on AWS, `westeurope` on Azure, `europe-west1` on Google Cloud. A
    /// thing that has the tag in any other region is told as unprotected.
    #[schemars(length(min = 1, max = 40), inner(length(max = 32)))]
    #[x_kube(validation = Rule::new("self.all(region, region.matches('^([a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}|[a-z]+-[a-z]+[0-9]{1,2}|[a-z]+[0-9]{0,2})$'))")
        .message("regions are the names that the cloud's own API uses, such as eu-west-1, westeurope or europe-west1, in small letters and without spaces"))]
    pub regions: Vec<String>,
    /// Disks that the cloud restores on a schedule, to prove that they can be. Without it nothing is restored. Needs the capability RestoreTest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_test: Option<RestoreTest>,
}

/// A test of restores. The cloud restores a sample of disks into new ones, which it deletes after the verdict; a machine is never restored, since it would
/// boot beside the original.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreTest {
    /// How often.
    #[serde(default)]
    pub every: RestoreEvery,
    /// Disks of each account and region that are restored at once; others each time.
    #[serde(default = "default_sample")]
    #[schemars(range(min = 1, max = 10))]
    pub sample: u32,
    /// Largest disk that is restored, in GiB: a restored disk costs what the original costs while it is there.
    #[serde(default = "default_size")]
    #[schemars(range(min = 1, max = 65536))]
    pub max_gib: u32,
}

/// How often a test is made.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestoreEvery {
    /// On each Tuesday.
    #[default]
    Week,
    /// On the first Tuesday of each month.
    Month,
}

fn default_sample() -> u32 {
    1
}

fn default_size() -> u32 {
    100
}

fn default_rpo() -> u32 {
    26
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
    /// What can be restored, as the recovery points were read last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<ProtectionStatus>,
    /// The last restores of tests, the newest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_tests: Option<RestoreTestStatus>,
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
    /// InSync, Planned (observe only), Failed, or Blocked where no write of ours mends it.
    pub state: PlanState,
    /// Vault in the client's account, or snapshot schedule.
    pub vault: String,
    /// Id of the plan in the client's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// What differs, or would be written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

/// What can be restored: the inventory joined with the recovery points of the clouds.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProtectionStatus {
    /// When the recovery points were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Time>,
    /// Protected of all, such as `12/14`.
    #[serde(default)]
    pub text: String,
    /// Assets that are covered by the scope and have the tag.
    #[serde(default)]
    pub assets: u64,
    /// Of these, those with a usable recovery point within the RPO.
    #[serde(default)]
    pub protected: u64,
    /// Those whose first recovery point is not due yet.
    #[serde(default)]
    pub waiting: u64,
    /// Those without a usable recovery point.
    #[serde(default)]
    pub unprotected: u64,
    /// Those whose newest usable recovery point is older than the RPO.
    #[serde(default)]
    pub stale: u64,
    /// Those without a usable recovery point within the RPO whose last job failed.
    #[serde(default)]
    pub failing: u64,
    /// Those of which nothing can be said, since their account or region could not be asked.
    #[serde(default)]
    pub unknown: u64,
    /// Assets that are covered and could be backed up, and have no such tag.
    #[serde(default)]
    pub unselected: u64,
    /// Things that are gone and of which our vaults hold recovery points.
    #[serde(default)]
    pub orphaned: u64,
    /// The moment to which everything could be brought back: the newest usable recovery point of the asset whose newest is the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Time>,
    /// The first moment at which everything that is saved could be deleted, as far as it was read: locks that nobody can take away, enforced retentions or soft
    /// delete hold some of it until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest_erasure: Option<Time>,
    /// What is not as it should be, the worst first; the file at `address` holds all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<BackupGap>,
    /// Gaps that are not shown here.
    #[serde(default)]
    pub more_gaps: u64,
    /// Accounts and regions that could not be asked, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Where the verdict of each asset is in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Digest of the inventories that were joined.
    #[serde(default)]
    pub inventories: String,
}

/// One thing that cannot be restored as the policy wants it, or soon cannot.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupGap {
    /// Protected where it can be restored today and the next recovery point will not come.
    pub state: BackupState,
    /// CloudAccount.
    pub account: String,
    /// Region.
    pub region: String,
    /// Kind in the words of the inventory.
    pub kind: String,
    /// The cloud's own id.
    pub id: String,
    /// Name; empty where it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Newest usable recovery point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_point: Option<Time>,
    /// Why.
    pub reason: String,
    /// What to do.
    pub cure: String,
}

/// Restores of tests.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreTestStatus {
    /// The newest first; the client's ledger has all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RestoreTestRecord>,
    /// Disks that the next test restores.
    #[serde(default)]
    pub sampled: u64,
    /// Accounts and regions in which no test can be made, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// What came of one restore.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreTestRecord {
    /// CloudAccount.
    pub account: String,
    /// Region.
    pub region: String,
    /// What was brought back.
    pub source: String,
    /// The recovery point.
    pub point: String,
    /// The cloud's id of the restore.
    pub run: String,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// Seconds that it took.
    #[serde(default)]
    pub rto_seconds: u64,
    /// What came of it.
    pub result: RestoreResult,
    /// Whether the cloud says that what was restored is gone.
    #[serde(default)]
    pub removed: bool,
    /// What was restored and should be gone, and is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
    /// What the cloud says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// SHA-256 of the record without this field.
    #[serde(default)]
    pub digest: String,
}
