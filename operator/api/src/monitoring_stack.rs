//! `MonitoringStack`: the monitoring of one client.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::escalation::{ContractHours, Heartbeat, QuietWindow, TierReceiver};

/// The monitoring of one client: Prometheus, Alertmanager, rules, targets from the inventory and escalation tiers, as objects of
/// the prometheus-operator.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "MonitoringStack",
    plural = "monitoringstacks",
    shortname = "ms",
    category = "caretaker",
    namespaced,
    status = "MonitoringStackStatus",
    derive = "PartialEq",
    doc = "The monitoring of one client: Prometheus, Alertmanager, rules, targets from the inventory and escalation tiers.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Targets", type_ = "integer", json_path = ".status.targets"),
    printcolumn(name = "Unwatched", type_ = "integer", json_path = ".status.unwatched.count"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct MonitoringStackSpec {
    /// CloudAccounts of this namespace whose inventories give the targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub accounts: Vec<String>,
    /// What is watched and who is told.
    #[serde(flatten)]
    pub terms: MonitoringTerms,
}

/// What is watched and who is told.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    // Here, where the value is not printed.
    validation = Rule::new("!has(self.prober) || !self.prober.contains('@')").message("prober must not hold a user or a password: give host:port alone"),
    validation = Rule::new("self.tiers.all(t, !has(t.hours) || (has(self.hours) && self.hours.exists(h, h.name == t.hours)))").message("tiers[].hours names an entry of hours: there is none of that name"),
)]
pub struct MonitoringTerms {
    /// Days that Prometheus keeps its data.
    #[serde(default = "default_retention")]
    #[schemars(range(min = 1, max = 400))]
    pub retention_days: u32,
    /// Volumes for the data of Prometheus and Alertmanager. Without them metrics and silences go with the pod that holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageTerms>,
    /// Port of the exporter on each running machine of the inventory.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub exporter_port: u32,
    /// Address of a blackbox exporter, `host:port`, without a user. With it the public addresses of the inventory are probed from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 260))]
    #[x_kube(validation = Rule::new("self.matches('^[^/ ]+:[0-9]{1,5}$')").message("prober must be host:port, such as blackbox.monitoring.svc:9115"))]
    pub prober: Option<String>,
    /// Escalation tiers, first to last. The first is told when an alert fires, each other one when the outage has lasted its time and nobody took it.
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(
        validation = Rule::new("self.all(t, self.exists_one(o, o.name == t.name))").message("each tier needs a name of its own"),
        validation = Rule::new("self.all(t, has(t.afterMinutes)) || self.all(t, !has(t.afterMinutes))").message("give every tier afterMinutes, or none and ackWithinMinutes instead"),
        validation = Rule::new("self.all(t, !has(t.afterMinutes) || self.filter(o, has(o.afterMinutes) && o.afterMinutes == t.afterMinutes).size() == 1)").message("each tier needs an afterMinutes of its own; the later tier has the larger one"),
        validation = Rule::new("self.exists(t, has(t.afterMinutes)) || self.filter(t, !has(t.ackWithinMinutes)).size() == 1 && !has(self[self.size() - 1].ackWithinMinutes)").message("without afterMinutes each tier but the last needs ackWithinMinutes: the next tier is told when nobody took the incident within it"),
        validation = Rule::new("self.all(t, !has(t.afterMinutes) || !has(t.ackWithinMinutes))").message("ackWithinMinutes says when the next tier is told, and so does afterMinutes of that tier: give one of them"),
    )]
    pub tiers: Vec<Tier>,
    /// Hours of the contract, by name. A tier that names none is paged at all times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(validation = Rule::new("self.all(h, self.exists_one(o, o.name == h.name))").message("each entry of hours needs a name of its own"))]
    pub hours: Vec<ContractHours>,
    /// Windows in which no tier is paged. The heartbeat goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub windows: Vec<QuietWindow>,
    /// A beat for a dead man's switch outside: when it stays away, this client's monitoring has stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
}

/// Volumes for the data of Prometheus and Alertmanager: one claim each.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageTerms {
    /// Size of the volume of Prometheus, in GiB. Blocks of samples take four fifths of it; beyond, the oldest go before `retentionDays` are over.
    #[schemars(range(min = 1, max = 65536))]
    pub size_gib: u32,
    /// Size of the volume of Alertmanager, in GiB: silences, and what was sent.
    #[serde(default = "default_alertmanager_size")]
    #[schemars(range(min = 1, max = 1024))]
    pub alertmanager_size_gib: u32,
    /// StorageClass of both. Without it the chart's `monitoring.storageClassName`, or the cluster's default. A claim that was made keeps its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
}

/// GiB of Alertmanager's volume when nothing is said.
fn default_alertmanager_size() -> u32 {
    1
}

/// Days that Prometheus keeps its data when nothing is said.
fn default_retention() -> u32 {
    15
}

/// Port of the node exporter.
fn default_port() -> u32 {
    9100
}

/// One escalation tier.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.webhookUrl), has(self.webhookSecret), has(self.receivers)].filter(r, r).size() == 1").message("a tier needs exactly one of webhookUrl, webhookSecret and receivers"),
    // Here, where the value is not printed: the API server tells it of a field whose own rule fails.
    validation = Rule::new("!has(self.webhookUrl) || !self.webhookUrl.matches('^https?://[^/?#]*@')")
        .message("webhookUrl must not hold a user or a password: put the address into a Secret of the client's namespace and name it in webhookSecret"),
)]
pub struct Tier {
    /// Name of the tier, such as `tier-1`.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$')").message("name takes lower-case letters, digits and -, and starts with a letter"))]
    pub name: String,
    /// Minutes that an alert must have lasted before this tier is told. All tiers have it, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1440))]
    pub after_minutes: Option<u32>,
    /// Minutes within which somebody of this tier is to take an incident: after them the next tier is told. The last tier needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1440))]
    pub ack_within_minutes: Option<u32>,
    /// Minutes within which an incident that was taken at this tier is to end: after them the tiers above are told although it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10080))]
    pub resolve_within_minutes: Option<u32>,
    /// Who stands behind the tier. The time that an incident waits for a vendor is told apart.
    #[serde(default, skip_serializing_if = "TierKind::is_provider")]
    pub kind: TierKind,
    /// Address that receives Alertmanager's webhook. Use `webhookSecret` where the address is a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^/ ]+')").message("webhookUrl must start with http:// or https:// and a host"))]
    pub webhook_url: Option<String>,
    /// Key of a Secret in the client's namespace that holds the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<SecretKey>,
    /// Several ways by which the tier is paged, each on its own: one that fails stops no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 6))]
    pub receivers: Vec<TierReceiver>,
    /// Name of the hours in which the tier is paged. Outside them the clock of an outage runs on, and the tiers above are told at their time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40))]
    pub hours: Option<String>,
}

/// Who stands behind a tier.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TierKind {
    /// The provider's own people.
    #[default]
    Provider,
    /// A vendor whom the provider calls in.
    Vendor,
}

impl TierKind {
    /// Whether it is the provider.
    #[must_use]
    pub const fn is_provider(&self) -> bool {
        matches!(self, Self::Provider)
    }
}

/// A key of a Secret in the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Machines that are not watched.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnwatchedStatus {
    /// Number of machines.
    #[serde(default)]
    pub count: u32,
    /// Why they are not watched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<UnwatchedGroup>,
}

/// Machines that are not watched for one reason.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnwatchedGroup {
    /// Why.
    pub reason: UnwatchedReason,
    /// Number of machines.
    pub count: u32,
    /// Some of them, with cloud, account and region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub examples: Vec<String>,
}

/// Why a machine is not watched.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum UnwatchedReason {
    /// It runs, and its cloud tells no private address of it.
    NoPrivateAddress,
    /// Its cloud does not tell whether it runs.
    PowerStateUnknown,
}

/// A page test.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageTestStatus {
    /// Value of the annotation `caretaker.dev/page-test-at` that asked for it.
    pub request: String,
    /// When it began.
    pub began_at: Time,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// The tier whose page is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trying: Option<PageTrial>,
    /// What came of each tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub results: Vec<PageResult>,
}

/// A page that is under way.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageTrial {
    /// The tier.
    pub tier: String,
    /// When its alert was given to Alertmanager.
    pub sent_at: Time,
    /// Attempts that Alertmanager had counted before.
    pub requests_before: i64,
    /// Failures that it had counted before.
    pub failed_before: i64,
}

/// What came of a tier's page.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageResult {
    /// The tier.
    pub tier: String,
    /// When it was known.
    pub at: Time,
    /// Whether Alertmanager delivered it to the tier's receiver without an error. That a person has seen it is another matter.
    pub passed: bool,
    /// What was seen.
    pub message: String,
}

/// What the operator found out about a stack.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MonitoringStackStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Number of targets from the inventories.
    #[serde(default)]
    pub targets: u32,
    /// Machines of the inventories that are covered and not watched, although they run or may run.
    #[serde(default)]
    pub unwatched: UnwatchedStatus,
    /// Digests of the inventories that the targets come from, by account.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub inventories: std::collections::BTreeMap<String, String>,
    /// The page test that lasts, or was the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_test: Option<PageTestStatus>,
    /// When a page of a test was last delivered, by tier.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub pages_passed: std::collections::BTreeMap<String, Time>,
    /// When the objects last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Time>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}
