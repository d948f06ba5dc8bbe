//! `Incident`: one outage that a person must own.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One outage that a person must own. The operator makes it of what the client's Prometheus knows; a person takes it in `spec.acknowledgement`.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "Incident",
    plural = "incidents",
    shortname = "inc",
    category = "caretaker",
    namespaced,
    status = "IncidentStatus",
    derive = "PartialEq",
    doc = "One outage that a person must own.",
    printcolumn(name = "Alert", type_ = "string", json_path = ".spec.alert"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".status.tier"),
    printcolumn(name = "Taken-By", type_ = "string", json_path = ".spec.acknowledgement.by"),
    printcolumn(name = "Opened", type_ = "date", json_path = ".spec.openedAt"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct IncidentSpec {
    /// Name of the alert.
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("alert of an incident cannot be changed"))]
    pub alert: String,
    /// Labels that all its alerts have in common: with the name of the alert they are the incident's key. The tier is none of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("labels of an incident cannot be changed"))]
    pub labels: BTreeMap<String, String>,
    /// When the alert began to fire.
    #[x_kube(validation = Rule::new("self == oldSelf").message("openedAt of an incident cannot be changed"))]
    pub opened_at: Time,
    /// Who took it. What was taken is not told to further tiers while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledgement: Option<Acknowledgement>,
}

/// That somebody took an incident.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who: the user as the cluster knows it. An admission policy refuses another one's name.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
    /// When. Without it the moment counts at which the operator saw it. A later moment takes an incident once more that has grown since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// A word on it, such as the number of a ticket or of a vendor's case; no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub note: Option<String>,
}

/// How an incident stands.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IncidentState {
    /// The first tier was told, and nobody took it.
    #[default]
    Opened,
    /// A tier above the first was told, and nobody took it.
    Escalated,
    /// Somebody took it.
    Acknowledged,
    /// The outage is over; if it comes back within ten minutes, it is the same.
    Resolved,
    /// It did not come back.
    Closed,
}

impl IncidentState {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "Opened",
            Self::Escalated => "Escalated",
            Self::Acknowledged => "Acknowledged",
            Self::Resolved => "Resolved",
            Self::Closed => "Closed",
        }
    }
}

/// What happened to an incident.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IncidentChange {
    /// The alert began to fire for the first tier.
    Opened,
    /// The alert began to fire for a further tier.
    Escalated,
    /// Somebody took it.
    Acknowledged,
    /// It was taken and something else has failed since: it is to be taken once more, and further tiers are told again.
    Grown,
    /// It was taken and did not end within `resolveWithinMinutes`: further tiers are told again.
    Overdue,
    /// The alert stopped firing.
    Resolved,
    /// It came back within ten minutes.
    Reopened,
    /// It did not come back within ten minutes.
    Closed,
}

/// One event of an incident.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentEvent {
    /// When, as Prometheus evaluated its rules; of an acknowledgement, when it was given.
    pub at: Time,
    /// What happened.
    pub change: IncidentChange,
    /// The tier that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A record in the store.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredIncident {
    /// Its address in the store.
    pub address: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// What the operator found out about an incident.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// How it stands.
    #[serde(default)]
    pub state: IncidentState,
    /// The last tier that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What happened, first to last: the first twenty and the last twenty events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40))]
    pub events: Vec<IncidentEvent>,
    /// Events in the middle that are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events_left_out: u32,
    /// Machines or addresses that it is about now, or was about last: the first fifty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub members: Vec<String>,
    /// Number of them.
    #[serde(default)]
    pub member_count: u32,
    /// Members that it had when it was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub taken_members: Vec<String>,
    /// Seconds from its opening until it was taken first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_to_acknowledge: Option<i64>,
    /// Seconds from its opening until it was resolved last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_to_resolve: Option<i64>,
    /// Seconds that it has waited for a vendor, of those until it was resolved last.
    #[serde(default)]
    pub seconds_with_vendor: i64,
    /// Until when what Prometheus knows is in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_until: Option<Time>,
    /// Until when Alertmanager holds back pages to further tiers. The operator lengthens it while the incident lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages_held_until: Option<Time>,
    /// The record in the store, once it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<StoredIncident>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
