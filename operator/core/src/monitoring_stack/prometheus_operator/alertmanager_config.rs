//! `AlertmanagerConfig`, as far as a stack uses it.
//! Source: <https://prometheus-operator.dev/docs/api-reference/api/>

use k8s_openapi::api::core::v1::SecretKeySelector;
use serde::Serialize;

use super::Spec;

/// Spec of `AlertmanagerConfig`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerConfigSpec {
    /// The route.
    pub route: Route,
    /// The receivers.
    pub receivers: Vec<Receiver>,
    /// Times that the route names, be it to be quiet or to be active in them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mute_time_intervals: Vec<NamedIntervals>,
}

impl Spec for AlertmanagerConfigSpec {
    const KIND: &'static str = "AlertmanagerConfig";
}

/// The one route.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Its receiver.
    pub receiver: String,
    /// What it takes.
    pub matchers: Vec<Matcher>,
    /// Labels that make a group.
    pub group_by: Vec<&'static str>,
    /// Wait before the first word of a group.
    pub group_wait: &'static str,
    /// Wait before the next word of a group.
    pub group_interval: &'static str,
    /// Wait before a word is said again.
    pub repeat_interval: String,
    /// Names of times in which it is active; empty for always.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub active_time_intervals: Vec<&'static str>,
    /// Names of times in which it is quiet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mute_time_intervals: Vec<&'static str>,
}

/// A condition on a label.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Matcher {
    /// Name of the label.
    pub name: String,
    /// Its value.
    pub value: String,
    /// How they are compared, such as `=`.
    pub match_type: &'static str,
}

/// A receiver.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// Webhooks that it is reached by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhook_configs: Vec<Webhook>,
    /// Mail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub email_configs: Vec<Email>,
    /// Slack.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slack_configs: Vec<Slack>,
    /// PagerDuty.
    #[serde(rename = "pagerdutyConfigs", skip_serializing_if = "Vec::is_empty")]
    pub pager_duty_configs: Vec<PagerDuty>,
    /// Opsgenie.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opsgenie_configs: Vec<Opsgenie>,
    /// Microsoft Teams by a workflow.
    #[serde(rename = "msteamsv2Configs", skip_serializing_if = "Vec::is_empty")]
    pub ms_teams_configs: Vec<MsTeams>,
}

/// A webhook.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Whether the end of an alert is told as well.
    pub send_resolved: bool,
    /// Key of the Secret that holds the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_secret: Option<SecretKeySelector>,
    /// The address, where it is no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Mail.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Email {
    /// Whether the end of an alert is told as well.
    pub send_resolved: bool,
    /// Addresses that get it, with commas between.
    pub to: String,
    /// Address that sends it.
    pub from: String,
    /// The server, `host:port`.
    pub smarthost: String,
    /// User at the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_username: Option<String>,
    /// Key of the Secret that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_password: Option<SecretKeySelector>,
    /// Whether the connection must be encrypted.
    #[serde(rename = "requireTLS")]
    pub require_tls: bool,
    /// Headers.
    pub headers: Vec<KeyValue>,
    /// Text for programs that show HTML.
    pub html: String,
    /// Text for all others.
    pub text: String,
}

/// Slack.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Slack {
    /// Whether the end of an alert is told as well.
    pub send_resolved: bool,
    /// Key of the Secret that holds the address.
    #[serde(rename = "apiURL")]
    pub api_url: SecretKeySelector,
    /// First line, and text of the notice on a phone.
    pub title: String,
    /// The same where nothing else can be shown.
    pub fallback: String,
    /// The rest.
    pub text: String,
    /// Fields in which Slack's marks are more than text.
    pub mrkdwn_in: Vec<&'static str>,
}

/// PagerDuty.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PagerDuty {
    /// Whether the end of an alert is told as well.
    pub send_resolved: bool,
    /// Key of the Secret that holds the routing key.
    pub routing_key: SecretKeySelector,
    /// Where events go, unless to the usual address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'static str>,
    /// First line.
    pub description: String,
    /// How bad it is.
    pub severity: &'static str,
    /// The rest.
    pub details: Vec<KeyValue>,
}

/// Opsgenie.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Opsgenie {
    /// Whether the end of an alert is told as well.
    pub send_resolved: bool,
    /// Key of the Secret that holds the API key.
    pub api_key: SecretKeySelector,
    /// Where it is, unless at the usual address.
    #[serde(rename = "apiURL", skip_serializing_if = "Option::is_none")]
    pub api_url: Option<&'static str>,
    /// First line.
    pub message: String,
    /// The rest.
    pub description: String,
}

/// Microsoft Teams by a workflow.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MsTeams {
    /// Whether the end of an alert is told as well.
    pub send_resolved: bool,
    /// Key of the Secret that holds the address.
    #[serde(rename = "webhookURL")]
    pub webhook_url: SecretKeySelector,
    /// First line.
    pub title: String,
    /// The rest.
    pub text: String,
}

/// A name with its text.
#[derive(Clone, Debug, Serialize)]
pub struct KeyValue {
    /// The name.
    pub key: &'static str,
    /// The text.
    pub value: String,
}

/// Times under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedIntervals {
    /// The name.
    pub name: &'static str,
    /// The times: one that fits is enough.
    pub time_intervals: Vec<TimeInterval>,
}

/// A time in UTC. Every field must fit; an empty one always does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeInterval {
    /// Times of the day.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimeRange>,
    /// Days of the month.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days_of_month: Vec<DayRange>,
    /// Months, such as `3` or `3:5`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<String>,
    /// Years, such as `2027` or `2028:2999`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub years: Vec<String>,
}

/// A time of the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeRange {
    /// Its first minute, `HH:MM`.
    pub start_time: String,
    /// The minute after its last one, up to `24:00`.
    pub end_time: String,
}

/// Days of a month, the last one included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayRange {
    /// First day.
    pub start: i8,
    /// Last day.
    pub end: i8,
}
