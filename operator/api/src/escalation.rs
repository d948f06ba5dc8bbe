//! By what a tier is paged, when it is, and the beat that tells that monitoring lives.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::service_level::Weekday;

/// Name of the one Secret of a client's namespace that holds what receivers need. The operator may read it and judges each key before it makes a receiver of
/// it: a value of the wrong sort would keep Alertmanager from loading all others.
pub const RECEIVERS_SECRET: &str = "caretaker-receivers";

/// One way by which a tier is paged.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.email), has(self.slack), has(self.pagerDuty), has(self.opsgenie), has(self.msTeams), has(self.webhook)].filter(k, k).size() == 1")
        .message("a receiver is exactly one of email, slack, pagerDuty, opsgenie, msTeams and webhook"),
)]
pub struct TierReceiver {
    /// Mail by a server of the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailReceiver>,
    /// Slack: the key holds the address of an incoming webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<ReceiverKey>,
    /// PagerDuty: the key holds the routing key of an Events API v2 integration, 32 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pager_duty: Option<EventsReceiver>,
    /// Opsgenie: the key holds the API key of an integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opsgenie: Option<EventsReceiver>,
    /// Microsoft Teams: the key holds the address of a workflow that takes adaptive cards. Needs Alertmanager 0.28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms_teams: Option<ReceiverKey>,
    /// Alertmanager's webhook: the key holds the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<ReceiverKey>,
}

/// A key of the Secret `caretaker-receivers` in the client's namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverKey {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self == 'caretaker-receivers'").message("receivers are kept in the Secret caretaker-receivers of the client's namespace: the operator may read no other"))]
    pub name: String,
    /// Key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A service that takes events with a key.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsReceiver {
    /// Where the key of the integration is.
    #[serde(flatten)]
    pub secret: ReceiverKey,
    /// Whether the account is in the service's European region.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub eu: bool,
}

/// Mail by a server of the provider's. The connection is encrypted.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.username) == has(self.password)").message("email needs both username and password, or neither"))]
pub struct EmailReceiver {
    /// Addresses that get it.
    #[schemars(length(min = 1, max = 10), inner(length(max = 254), regex(pattern = "^[^@ ,<>\"{}]+@[^@ ,<>\"{}]+$")))]
    pub to: Vec<String>,
    /// Address that sends it.
    #[schemars(length(min = 3, max = 254))]
    #[x_kube(validation = Rule::new("self.matches('^[^@ ,<>\"{}]+@[^@ ,<>\"{}]+$')").message("from takes a plain address such as caretaker@provider.example"))]
    pub from: String,
    /// The mail server, `host:port`.
    #[schemars(length(min = 3, max = 260))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5}$')").message("smarthost must be host:port, such as smtp.provider.example:587"))]
    pub smarthost: String,
    /// User at the mail server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 254))]
    pub username: Option<String>,
    /// Key that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<ReceiverKey>,
}

/// Hours in which a tier is paged, as a contract says them.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContractHours {
    /// Name by which tiers refer to them, such as `office`.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$')").message("name takes lower-case letters, digits and -, and starts with a letter"))]
    pub name: String,
    /// Time zone of the times, by its IANA name such as `Europe/Zurich`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$')").message("zone must be an IANA name such as Europe/Zurich or UTC"))]
    pub zone: String,
    /// The times of the week. Outside all of them the tier is not paged.
    #[schemars(length(min = 1, max = 14))]
    pub times: Vec<HoursSpan>,
    /// Dates in the zone, such as `2026-12-25`, on which no time begins. One that began the evening before ends when it should.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), inner(length(max = 10), regex(pattern = "^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")))]
    pub holidays: Vec<String>,
}

/// A time on some days of the week.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoursSpan {
    /// Days on which it begins.
    #[schemars(length(min = 1, max = 7))]
    pub days: Vec<Weekday>,
    /// Time of day at which it begins, `HH:MM`.
    #[schemars(length(min = 5, max = 5))]
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("from must be a time of day such as 08:00"))]
    pub from: String,
    /// Time of day at which it ends, `HH:MM` up to `24:00`. One that is not later than `from` is on the next day.
    #[schemars(length(min = 5, max = 5))]
    #[x_kube(validation = Rule::new("self.matches('^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$')").message("to must be a time of day such as 18:00, or 24:00"))]
    pub to: String,
}

/// A time in which nobody is paged, such as for maintenance.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuietWindow {
    /// Begin by the clock of the zone, such as `2026-10-24T22:00`.
    #[schemars(length(min = 16, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]$')").message("from must be a time of the zone's clock such as 2026-10-24T22:00"))]
    pub from: String,
    /// End by the clock of the zone.
    #[schemars(length(min = 16, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]$')").message("to must be a time of the zone's clock such as 2026-10-25T06:00"))]
    pub to: String,
    /// Time zone of both, by its IANA name.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$')").message("zone must be an IANA name such as Europe/Zurich or UTC"))]
    pub zone: String,
    /// Why.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
}

/// A beat that goes out as long as Prometheus evaluates, scrapes and reaches Alertmanager, and Alertmanager reaches the world. Whoever gets it raises the alarm
/// when it stays away.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// Key that holds the address that takes the beats, such as that of a dead man's switch.
    pub webhook: ReceiverKey,
    /// Minutes between two beats.
    #[serde(default = "default_beat")]
    #[schemars(range(min = 1, max = 60))]
    pub interval_minutes: u32,
}

/// Minutes between two beats when nothing is said.
fn default_beat() -> u32 {
    1
}
