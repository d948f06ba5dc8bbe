//! Service levels that were agreed with a client: objectives, times that do not count, and credits.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Service levels that were agreed. A report is made of them for each month.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLevelTerms {
    /// Time zone in which a month begins and ends, by its IANA name such as `Europe/Zurich`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$')").message("zone must be an IANA name such as Europe/Zurich or UTC"))]
    pub zone: String,
    /// The objectives.
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(validation = Rule::new("self.all(o, self.exists_one(p, p.name == o.name))").message("each objective needs a name of its own"))]
    pub objectives: Vec<Objective>,
    /// Weekly windows of maintenance, which do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub maintenance: Vec<WeeklyWindow>,
    /// Single times that do not count, such as an outage that the client caused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub exclusions: Vec<Exclusion>,
    /// Terms of credits. Tiers stand at each objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<CreditTerms>,
}

/// One objective.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objective {
    /// Name, such as `web-reachable`.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$')").message("name takes lower-case letters, digits and -, and starts with a letter"))]
    pub name: String,
    /// Least share of time that is up, in percent, as decimal text such as `"99.9"`.
    #[schemars(length(min = 1, max = 10))]
    #[x_kube(validation = Rule::new("self.matches('^(100([.]0{1,6})?|[0-9]{1,2}([.][0-9]{1,6})?)$')").message("target must be a percentage from 0 to 100 with at most six decimals, such as \"99.95\""))]
    pub target: String,
    /// Whose time is measured.
    pub uptime: UptimeTerms,
    /// Credits by how far the objective was missed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub credits: Vec<CreditTier>,
}

/// Whose time is measured.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UptimeTerms {
    /// Which measurement.
    pub source: UptimeSource,
    /// Labels that a target must have, such as `region: eu-west-1` or `instance: 203.0.113.7`; without any, all targets of the source.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    #[schemars(length(max = 10))]
    pub labels: std::collections::BTreeMap<String, String>,
    /// When the service is up, where there are several targets.
    #[serde(default)]
    pub up_when: UpWhen,
}

/// A measurement that the monitoring makes.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum UptimeSource {
    /// Whether the exporter on a machine answers.
    Machines,
    /// Whether a public address answers the prober.
    PublicAddresses,
}

/// When a service of several targets is up.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpWhen {
    /// While all of them are up.
    #[default]
    AllTargets,
    /// While at least one of them is up.
    AnyTarget,
}

/// A window in each week, in the time zone of the terms.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeeklyWindow {
    /// Day on which it begins.
    pub day: Weekday,
    /// Time of day at which it begins, `HH:MM`.
    #[schemars(length(min = 5, max = 5))]
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("from must be a time of day such as 02:00"))]
    pub from: String,
    /// How long it lasts, in minutes.
    #[schemars(range(min = 1, max = 1440))]
    pub minutes: u32,
    /// Why, as the contract says it.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
}

/// A day of the week.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    /// The same day of the calendar.
    #[must_use]
    pub const fn civil(self) -> jiff::civil::Weekday {
        use jiff::civil::Weekday as Civil;
        match self {
            Self::Monday => Civil::Monday,
            Self::Tuesday => Civil::Tuesday,
            Self::Wednesday => Civil::Wednesday,
            Self::Thursday => Civil::Thursday,
            Self::Friday => Civil::Friday,
            Self::Saturday => Civil::Saturday,
            Self::Sunday => Civil::Sunday,
        }
    }
}

/// A single time that does not count.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("timestamp(self.from) < timestamp(self.to)").message("an exclusion must end after it begins"))]
pub struct Exclusion {
    /// Begin, RFC 3339.
    #[schemars(length(max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$')").message("from must be a time such as 2026-11-03T22:00:00Z"))]
    pub from: String,
    /// End, RFC 3339. It does not count itself.
    #[schemars(length(max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$')").message("to must be a time such as 2026-11-03T23:30:00Z"))]
    pub to: String,
    /// Why it does not count, as the contract says it.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
}

/// A credit by the share of time that was up.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreditTier {
    /// It is due where the share is below this, in percent, as decimal text.
    #[schemars(length(min = 1, max = 10))]
    #[x_kube(validation = Rule::new("self.matches('^(100([.]0{1,6})?|[0-9]{1,2}([.][0-9]{1,6})?)$')").message("below must be a percentage from 0 to 100 with at most six decimals, such as \"99.9\""))]
    pub below: String,
    /// Share of the month's fee, in percent, as decimal text.
    #[schemars(length(min = 1, max = 10))]
    #[x_kube(validation = Rule::new("self.matches('^(100([.]0{1,6})?|[0-9]{1,2}([.][0-9]{1,6})?)$')").message("percent must be a percentage from 0 to 100 with at most six decimals, such as \"10\""))]
    pub percent: String,
}

/// Terms of credits.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreditTerms {
    /// Most of the month's fee that is credited, in percent, as decimal text.
    #[schemars(length(min = 1, max = 10))]
    #[x_kube(validation = Rule::new("self.matches('^(100([.]0{1,6})?|[0-9]{1,2}([.][0-9]{1,6})?)$')").message("capPercent must be a percentage from 0 to 100 with at most six decimals, such as \"30\""))]
    pub cap_percent: String,
    /// Days after the end of the month within which a credit must be claimed.
    #[schemars(range(min = 1, max = 730))]
    pub claim_within_days: u32,
}
