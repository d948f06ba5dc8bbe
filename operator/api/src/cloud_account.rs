//! `CloudAccount`: one account of a client.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::account_access::{
    AccessProfile, AccessRegister, AccessStatus, ExcessStatement, ExcessStatus, MissingPermission, OthersStatus, SessionPolicy, WayIn,
};
pub use crate::account_budget::{BudgetStatus, KeyWait};
pub use crate::cloud_target::{AzureAccount, Cloud, CloudTarget, GcpAccount};
use crate::parents::{MemberStatus, Membership};
use crate::scope::ScopeTerms;
use crate::words::GapVerdict;

/// One account of a client in a cloud, or a parent of many: how to reach it, what may be done there, the proof of access and a summary of its
/// inventory. The inventory itself is in the store.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "CloudAccount",
    plural = "cloudaccounts",
    shortname = "ca",
    category = "caretaker",
    namespaced,
    status = "CloudAccountStatus",
    derive = "PartialEq",
    doc = "One account of a client in a cloud: how to reach it, what may be done there, the proof of access and a summary of its inventory.",
    // A name is judged once: an object from before the rule must be left with a way to be confirmed and deleted.
    validation = Rule::new("oldSelf.hasValue() || self.metadata.name.size() <= 40").optional_old_self(true).message("metadata.name may have at most 40 characters: names in the client's cloud are derived from it"),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.account"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Assets", type_ = "integer", json_path = ".status.inventory.assets"),
    printcolumn(name = "Coverage", type_ = "string", json_path = ".status.inventory.coverage.text"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CloudAccountSpec {
    /// Name of the ProviderProfile whose identity is used.
    #[serde(default = "default_profile")]
    #[schemars(length(min = 1, max = 253))]
    pub provider_profile: String,
    /// The account, or the parent.
    #[serde(flatten)]
    pub target: CloudTarget,
    /// What the operator may change in the account. Empty means observe only: nothing is ever written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allow: Vec<Capability>,
    /// Minutes between two readings of the inventory.
    #[serde(default = "default_interval")]
    #[schemars(range(min = 5, max = 10080))]
    pub discovery_interval_minutes: u32,
    /// Days that inventories are kept in the store. The last one, the baseline and what an unfinished handover delivers are kept longer.
    #[serde(default = "default_retention")]
    #[schemars(range(min = 1, max = 3650))]
    pub inventory_retention_days: u32,
    /// Days from the first reading after which the inventory is frozen as the baseline, which later ones are compared with. It is frozen once: the
    /// first reading without gaps, or what was read when there is none for a week more.
    #[serde(default = "default_baseline")]
    #[schemars(range(min = 0, max = 365))]
    pub baseline_after_days: u32,
    /// Which assets are looked after. Without it all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeTerms>,
    /// The parent that the account came from. The operator writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Membership>,
}

impl CloudAccountSpec {
    /// Whether the account is worked on: an account that its parent calls closed, or does not name any more, is kept as it was and not called.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.member.as_ref().is_none_or(Membership::is_live)
    }
}

/// Name of the profile when none is named.
#[must_use]
pub fn default_profile() -> String {
    "default".into()
}

/// Minutes between two readings of the inventory when nothing is said.
#[must_use]
pub fn default_interval() -> u32 {
    60
}

/// Days that inventories are kept when nothing is said.
#[must_use]
pub fn default_retention() -> u32 {
    30
}

/// Days to the baseline when nothing is said.
#[must_use]
pub fn default_baseline() -> u32 {
    14
}

/// An AWS account and the role that leads into it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(oldSelf.externalId) || (has(self.externalId) && self.externalId == oldSelf.externalId)")
        .message("externalId is made once and never changes: the client's role depends on it"),
)]
pub struct AwsAccount {
    /// The account's 12 digits.
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{12}$')").message("accountId must be the 12 digits of the AWS account, leading zeros included"))]
    #[schemars(length(max = 40))]
    pub account_id: String,
    /// Name of the role in the client's account that the operator assumes.
    #[serde(default = "default_role")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9+=,.@_-]+$')").message("roleName takes letters, digits and + = , . @ _ -"))]
    pub role_name: String,
    /// Regions to read. Without it the account itself is asked which regions are enabled. Buckets, roles, users and what else is in no region are read
    /// whichever are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), inner(length(max = 32)))]
    #[x_kube(validation = Rule::new("self.all(region, region.matches('^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$'))")
        .message("regions are the names that AWS's own API uses, such as eu-west-1, in small letters and without spaces"))]
    pub regions: Option<Vec<String>>,
    /// The ExternalId that the client's role must demand. The operator makes it once; do not set it unless you restore an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.size() >= 22")
        .message("externalId must not be guessable: 22 characters or more, as 128 random bits have; leave it out, and the operator makes one"))]
    #[schemars(length(min = 2, max = 1224))]
    pub external_id: Option<String>,
}

/// Name of the role when none is named.
#[must_use]
pub fn default_role() -> String {
    "CaretakerAccess".into()
}

/// Something the operator may change in a client's account.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Capability {
    /// Make and repair backup vaults, plans and selections.
    Backup,
    /// Have the cloud restore a sample of disks on a schedule, and delete them again.
    RestoreTest,
    /// Remove the operator's own access at the end: the policies of its role and the role.
    Revoke,
}

/// What the operator found out about an account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudAccountStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Cloud and id of the account, such as `aws 123456789012`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The grant kit to send to the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kit: Option<KitStatus>,
    /// The proof of access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessStatus>,
    /// The last inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<InventoryStatus>,
    /// The inventory that later ones are compared with. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineStatus>,
    /// A parent's accounts, at most 500, by id. An account that is no longer listed stays here as Gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub members: Vec<MemberStatus>,
    /// When a parent's accounts were last listed completely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_listed_at: Option<Time>,
    /// A wait that the cloud asked for: nothing is called before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_until: Option<Time>,
    /// What the last reading used of the account's request budgets, and the waits that the cloud asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetStatus>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

/// Where the grant kit is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KitStatus {
    /// ConfigMap in this namespace with the CloudFormation template, the Terraform file and a letter to the client.
    pub config_map: String,
    /// SHA-256 of the kit's files.
    pub digest: String,
}

/// Summary of an inventory; the assets are in the store.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryStatus {
    /// SHA-256 of the assets. It is the same as long as nothing changes, however often the account is read.
    pub digest: String,
    /// Address of the inventory's manifest, relative to the store.
    pub address: String,
    /// When the reading ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Time>,
    /// When the first reading of the account ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Number of assets.
    #[serde(default)]
    pub assets: u64,
    /// Number of assets by type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_type: BTreeMap<String, u64>,
    /// Number of assets by verdict of the scope: Covered, Excluded, Unclassified.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_verdict: BTreeMap<String, u64>,
    /// Number of assets that stay in the inventory although the cloud's index shows them no more: neither their own service nor the cloud's record
    /// of what was deleted has said that they are gone. On AWS these are kinds that only Resource Explorer shows, whose services are not asked.
    #[serde(default)]
    pub unconfirmed: u64,
    /// Why the first of them could not be asked for. Empty where all could.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unconfirmed_cause: String,
    /// Which part was read completely.
    #[serde(default)]
    pub coverage: CoverageStatus,
    /// What is known of the machines' patches.
    #[serde(default)]
    pub patches: PatchStatus,
    /// When the store lost an inventory that held assets of parts which cannot be read now; until they are read again nothing is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Time>,
    /// What differs from the reading before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_previous: Option<DiffStatus>,
    /// What differs from the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_baseline: Option<DiffStatus>,
}

/// What differs from another inventory, in numbers; the differences are in the store.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffStatus {
    /// Digest of the inventory that was compared with.
    pub digest: String,
    /// When that one was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Time>,
    /// Number of assets that are new.
    pub added: u64,
    /// Number of assets that are gone.
    pub removed: u64,
    /// Number of assets that are others.
    pub changed: u64,
    /// Address of the differences, relative to the store: one JSON line each, zstd. Empty where there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
}

/// The frozen inventory.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BaselineStatus {
    /// SHA-256 of the assets.
    pub digest: String,
    /// Address of the inventory's manifest, relative to the store.
    pub address: String,
    /// When the reading ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Time>,
    /// Number of assets.
    pub assets: u64,
    /// Complete and planned cells of that reading.
    pub coverage: String,
}

/// Numbers of machines by what is known of their patches. It is what the cloud itself tells of them; nothing is installed on them.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PatchStatus {
    /// Assessed within 30 days, and nothing is missing.
    #[serde(default)]
    pub up_to_date: u64,
    /// Assessed within 30 days, and patches are missing, have failed or wait for a reboot.
    #[serde(default)]
    pub missing: u64,
    /// Nobody has looked into the machine within 30 days: switch on the cloud's patch assessment (Systems Manager, Update Manager, VM Manager).
    #[serde(default)]
    pub unassessed: u64,
    /// The cloud did not tell: see the gaps of the coverage.
    #[serde(default)]
    pub unknown: u64,
}

/// How complete an inventory is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverageStatus {
    /// Complete and planned cells, such as `100/102`, or `Unknown`.
    pub text: String,
    /// Number of cells that were planned.
    #[serde(default)]
    pub planned: u32,
    /// Number of cells that were read completely.
    #[serde(default)]
    pub complete: u32,
    /// The cells that were not, at most 50, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<CellStatus>,
    /// What no cell shows although it was read completely, and what to do about it: on AWS the kinds that only Resource Explorer lists (queues, topics,
    /// certificates and the like), in regions where it is off or its default view does not show everything. The handover bundle tells it among its gaps. What
    /// services make and end by themselves is not listed from there: network interfaces, spot requests, tasks, pods, sessions, the copies that RDS,
    /// ElastiCache, MemoryDB, Redshift and AWS Backup make by a schedule, and backups of FSx.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One (region, service) that was not read completely.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellStatus {
    /// Region or location.
    pub region: String,
    /// Service and part, such as `ec2/instances`.
    pub service: String,
    /// Partial, Denied, Throttled, Unreachable or Disabled.
    pub verdict: GapVerdict,
    /// What happened and what to do.
    pub cause: String,
}
