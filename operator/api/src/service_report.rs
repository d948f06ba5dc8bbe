//! `ServiceReport`: what the service levels of one month came to.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::service_level::ServiceLevelTerms;

/// What the service levels of one month came to. The operator makes one for each month; a person makes one as a dry run, which asks whether a month would
/// have passed under other terms.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "ServiceReport",
    plural = "servicereports",
    shortname = "sr",
    category = "caretaker",
    namespaced,
    status = "ServiceReportStatus",
    derive = "PartialEq",
    doc = "What the service levels of one month came to.",
    validation = Rule::new("has(self.spec.dryRun) && self.spec.dryRun || self.metadata.name == self.spec.month").message("a report is named as its month, and the operator makes it; set spec.dryRun to try one"),
    validation = Rule::new("!(has(self.spec.dryRun) && self.spec.dryRun) || !self.metadata.name.matches('^[0-9]{4}-[0-9]{2}$')").message("metadata.name: the name of a month is kept for the month's own report; give the dry run another one"),
    printcolumn(name = "Month", type_ = "string", json_path = ".spec.month"),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.verdict"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Dry", type_ = "boolean", json_path = ".spec.dryRun"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReportSpec {
    /// The month, such as `2026-11`, in the time zone of the terms.
    #[schemars(length(min = 7, max = 7))]
    #[x_kube(
        validation = Rule::new("self.matches('^20[0-9]{2}-(0[1-9]|1[0-2])$')").message("month must be a year and a month such as 2026-11"),
        validation = Rule::new("self == oldSelf").message("the month of a report cannot be changed: make another report"),
    )]
    pub month: String,
    /// Whether it is a trial: nothing of it is kept as a record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("dryRun of a report cannot be changed: make another report"))]
    pub dry_run: bool,
    /// The terms. A dry run without them takes those of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<ServiceLevelTerms>,
}

/// What a figure says of its objective.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LevelVerdict {
    /// Met, even if all time that is not known was down.
    Met,
    /// Nothing was measured.
    Undefined,
    /// It depends on time that is not known.
    Undetermined,
    /// Missed, even if all time that is not known was up.
    Missed,
}

impl LevelVerdict {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "Met",
            Self::Undefined => "Undefined",
            Self::Undetermined => "Undetermined",
            Self::Missed => "Missed",
        }
    }
}

/// What one objective came to.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LevelStatus {
    /// Name of the objective.
    pub objective: String,
    /// The verdict.
    pub verdict: LevelVerdict,
    /// Share of time that was up in percent, rounded down, if all time that is not known was down; of the worst part where the terms changed in the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_percent: Option<String>,
    /// The same if all time that is not known was up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_percent: Option<String>,
    /// Seconds that count.
    pub counted_seconds: i64,
    /// Seconds of them that were down.
    pub down_seconds: i64,
    /// Seconds of them of which nothing is known.
    pub unknown_seconds: i64,
    /// Seconds that were excluded.
    pub excluded_seconds: i64,
    /// Seconds in which there was nothing to measure, such as before the first probe.
    pub unmeasured_seconds: i64,
}

/// A report in the store.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredReport {
    /// Folder in the store: `report.json`, `report.csv`, `report.md`, `report.html`.
    pub address: String,
    /// SHA-256 of `report.json`.
    pub sha256: String,
}

/// What the operator found out about a report.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReportStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Begin of the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// End of the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// UTC days of the month whose measurements are in the store.
    #[serde(default)]
    pub days_stored: u32,
    /// UTC days that the month touches.
    #[serde(default)]
    pub days: u32,
    /// The worst of the verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<LevelVerdict>,
    /// What each objective came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<LevelStatus>,
    /// Credit in percent of the month's fee if all time that is not known was up; empty where none is agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_percent: Option<String>,
    /// The report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<StoredReport>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}
