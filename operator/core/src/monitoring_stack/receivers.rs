//! By what each tier is paged. Each way has an object of its own: the prometheus-operator drops an object whole, and the other ways must still page.

mod judge;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use caretaker_api::escalation::{EmailReceiver, Heartbeat, RECEIVERS_SECRET, ReceiverKey, TierReceiver};
use caretaker_api::monitoring_stack::{MonitoringTerms, Tier};
use k8s_openapi::api::core::v1::{Secret, SecretKeySelector};

use super::network;
use super::page_text::{Escape, text, title};
use super::prometheus_operator::{Email, KeyValue, MsTeams, Opsgenie, PagerDuty, Receiver, Slack, Webhook};
use judge::{Sort, judge};

/// Name of the object of the heartbeat, and of its receiver.
pub(super) const HEARTBEAT: &str = "heartbeat";
/// Where PagerDuty's European accounts send events.
/// Source: <https://support.pagerduty.com/main/docs/service-regions>
const PAGER_DUTY_EU: &str = "https://events.eu.pagerduty.com/v2/enqueue";
/// Where Opsgenie's European accounts are.
/// Source: <https://docs.opsgenie.com/docs/european-service-region>
const OPSGENIE_EU: &str = "https://api.eu.opsgenie.com/";
/// What a web address with a scheme of its own port is reached by.
const WEB: u16 = 443;

/// One way by which a tier is paged.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    /// The tier's own address or Secret.
    Plain(&'a Tier),
    /// An entry of its receivers.
    Entry(&'a TierReceiver),
}

/// The ways of a tier, each with its name: that of the tier, followed by the kind where it is an entry.
pub(super) fn ways(tier: &Tier) -> Vec<(String, Way<'_>)> {
    if tier.receivers.is_empty() {
        return vec![(tier.name.clone(), Way::Plain(tier))];
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut name = |entry: &TierReceiver| {
        let kind = kind(entry);
        let count = seen.entry(kind).and_modify(|count| *count += 1).or_insert(1);
        if *count == 1 { format!("{}.{kind}", tier.name) } else { format!("{}.{kind}-{count}", tier.name) }
    };
    tier.receivers.iter().map(|entry| (name(entry), Way::Entry(entry))).collect()
}

/// Part of the name of a way's object.
pub(super) fn part(way: &str) -> String {
    format!("tier-{way}")
}

fn kind(entry: &TierReceiver) -> &'static str {
    let TierReceiver { email, slack, pager_duty, opsgenie, ms_teams, .. } = entry;
    let kinds = [
        (email.is_some(), "email"),
        (slack.is_some(), "slack"),
        (pager_duty.is_some(), "pagerduty"),
        (opsgenie.is_some(), "opsgenie"),
        (ms_teams.is_some(), "msteams"),
    ];
    kinds.into_iter().find_map(|(is, kind)| is.then_some(kind)).unwrap_or("webhook")
}

/// The key that an entry needs, and what it has to hold.
fn needed(entry: &TierReceiver) -> Option<(&ReceiverKey, Sort)> {
    let TierReceiver { email, slack, pager_duty, opsgenie, ms_teams, webhook } = entry;
    let addresses = [(slack, Sort::Https), (ms_teams, Sort::Https), (webhook, Sort::Address)];
    let events = [(pager_duty, Sort::RoutingKey), (opsgenie, Sort::ApiKey)];
    let password = email.as_ref().and_then(|email| email.password.as_ref()).map(|key| (key, Sort::Password));
    let address = addresses.into_iter().find_map(|(key, sort)| Some((key.as_ref()?, sort)));
    let event = events.into_iter().find_map(|(events, sort)| Some((&events.as_ref()?.secret, sort)));
    address.or(event).or(password)
}

/// Whether anything of the terms needs the Secret of the receivers.
#[must_use]
pub fn needs_secret(terms: &MonitoringTerms) -> bool {
    terms.heartbeat.is_some() || terms.tiers.iter().flat_map(|tier| &tier.receivers).any(|entry| needed(entry).is_some())
}

/// Each key of the Secret of the receivers that the terms name, with what it is for and its kind.
#[must_use]
pub fn keys_of(terms: &MonitoringTerms) -> Vec<(String, &'static str, &ReceiverKey)> {
    let kind = |sort: Sort| match sort {
        Sort::Https | Sort::Address => "address",
        Sort::RoutingKey | Sort::ApiKey => "key",
        Sort::Password => "password",
    };
    let of = |(name, way): (String, Way<'_>)| match way {
        Way::Plain(_) => None,
        Way::Entry(entry) => needed(entry).map(|(_, sort)| (format!("receiver {name}"), kind(sort))),
    };
    let mut all = Vec::new();
    for tier in &terms.tiers {
        for (entry, told) in tier.receivers.iter().zip(ways(tier).into_iter().map(of)) {
            all.extend(needed(entry).zip(told).map(|((key, _), (what, kind))| (what, kind, key)));
        }
    }
    all.extend(terms.heartbeat.iter().map(|heartbeat| ("heartbeat".to_owned(), "address", &heartbeat.webhook)));
    all
}

/// What the Secret of the receivers holds, as far as it is told: no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Why a way cannot be used, by its name.
    faults: BTreeMap<String, String>,
    /// Ports that addresses name, by the way.
    ports: BTreeMap<String, u16>,
}

impl Judged {
    /// Looks at each key that is needed.
    #[must_use]
    pub fn of(terms: &MonitoringTerms, secret: Option<&Secret>) -> Self {
        let mut judged = Self::default();
        for tier in &terms.tiers {
            for (name, way) in ways(tier) {
                if let Way::Entry(entry) = way
                    && let Some((key, sort)) = needed(entry)
                {
                    judged.note(part(&name), (&key.key, sort), secret);
                }
            }
        }
        if let Some(heartbeat) = &terms.heartbeat {
            judged.note(HEARTBEAT.into(), (&heartbeat.webhook.key, Sort::Address), secret);
        }
        judged
    }

    fn note(&mut self, way: String, (key, sort): (&str, Sort), secret: Option<&Secret>) {
        let Some(secret) = secret else {
            drop(self.faults.insert(way, format!("the Secret {RECEIVERS_SECRET} does not exist")));
            return;
        };
        let held = secret.data.iter().flatten().find(|(held, _)| *held == key).map(|(_, value)| value.0.as_slice());
        match held.map(|value| judge(value, sort)) {
            None => drop(self.faults.insert(way, format!("the Secret {RECEIVERS_SECRET} has no key {key}"))),
            Some(Err(why)) => drop(self.faults.insert(way, format!("the key {key} of the Secret {RECEIVERS_SECRET} {why}"))),
            Some(Ok(port)) => self.ports.extend(port.map(|port| (way, port))),
        }
    }

    /// Whether a way can be used.
    pub(super) fn is_usable(&self, way: &str) -> bool {
        !self.faults.contains_key(way)
    }

    /// The ways that cannot be used, and why; `None` where all can.
    pub(super) fn told(&self) -> Option<String> {
        let told = self.faults.iter().map(|(way, why)| match way.strip_prefix("tier-") {
            Some(way) => format!("{way} is not paged: {why}"),
            None => format!("no heartbeat goes out: {why}"),
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| format!("{}; all other ways page as they should", told.join("; ")))
    }
}

/// Ports beyond the namespace that the way of a tier needs.
pub(super) fn ports(way: Way<'_>, name: &str, judged: &Judged) -> Vec<u16> {
    match way {
        Way::Plain(tier) => {
            tier.webhook_url.as_deref().and_then(network::port_of).map_or_else(|| network::WEB_PORTS.to_vec(), |port| vec![port])
        }
        Way::Entry(TierReceiver { email: Some(email), .. }) => {
            // Never none: a rule of a network policy without ports opens all of them.
            let port = email.smarthost.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).filter(|port| *port > 0);
            vec![port.unwrap_or(WEB)]
        }
        Way::Entry(_) => judged.ports.get(name).map_or_else(|| vec![WEB], |port| vec![*port]),
    }
}

/// The port that beats need.
pub(super) fn beat_port(judged: &Judged) -> Option<u16> {
    judged.ports.get(HEARTBEAT).copied()
}

fn selector(key: &ReceiverKey) -> SecretKeySelector {
    SecretKeySelector { name: key.name.clone(), key: key.key.clone(), optional: None }
}

/// A way as Alertmanager has it.
pub(super) fn receiver(name: &str, way: Way<'_>) -> Receiver {
    let mut made = Receiver { name: name.to_owned(), ..Receiver::default() };
    match way {
        Way::Plain(tier) => {
            let secret = tier.webhook_secret.as_ref();
            let url_secret = secret.map(|secret| SecretKeySelector { name: secret.name.clone(), key: secret.key.clone(), optional: None });
            let url = if secret.is_some() { None } else { tier.webhook_url.clone() };
            made.webhook_configs.push(Webhook { send_resolved: true, url_secret, url });
        }
        Way::Entry(entry) => entries(entry, &mut made),
    }
    made
}

fn entries(entry: &TierReceiver, made: &mut Receiver) {
    let (send_resolved, plain) = (true, Escape::Plain);
    made.email_configs.extend(entry.email.as_ref().map(email));
    made.slack_configs.extend(entry.slack.as_ref().map(|key| Slack {
        send_resolved,
        api_url: selector(key),
        title: title(Escape::Slack),
        fallback: title(Escape::Slack),
        text: text(Escape::Slack),
        mrkdwn_in: vec!["pretext"],
    }));
    made.pager_duty_configs.extend(entry.pager_duty.as_ref().map(|events| PagerDuty {
        send_resolved,
        routing_key: selector(&events.secret),
        url: events.eu.then_some(PAGER_DUTY_EU),
        description: title(plain),
        severity: "critical",
        details: details(),
    }));
    made.opsgenie_configs.extend(entry.opsgenie.as_ref().map(|events| Opsgenie {
        send_resolved,
        api_key: selector(&events.secret),
        api_url: events.eu.then_some(OPSGENIE_EU),
        message: title(plain),
        description: text(plain),
    }));
    let teams = |key: &ReceiverKey| MsTeams { send_resolved, webhook_url: selector(key), title: title(plain), text: text(plain) };
    made.ms_teams_configs.extend(entry.ms_teams.as_ref().map(teams));
    let webhook = |key: &ReceiverKey| Webhook { send_resolved, url_secret: Some(selector(key)), url: None };
    made.webhook_configs.extend(entry.webhook.as_ref().map(webhook));
}

/// What PagerDuty shows below the first line, in place of Alertmanager's own four details. Those hold alerts as JSON, and Alertmanager reads a detail that is
/// YAML of lists or maps as templates once more: a machine named `{{ .X }}` would keep the page from going out. What begins with `>` is text to YAML, or none.
/// Source: `DeepCopyWithTemplate` in <https://github.com/prometheus/alertmanager/blob/v0.31.1/template/template.go>
fn details() -> Vec<KeyValue> {
    let count = |key, of: &str| KeyValue { key, value: format!("{{{{ .Alerts.{of} | len }}}}") };
    vec![
        KeyValue { key: "firing", value: format!("> {}", text(Escape::Plain)) },
        KeyValue { key: "resolved", value: "> see firing".into() },
        count("num_firing", "Firing"),
        count("num_resolved", "Resolved"),
    ]
}

fn email(email: &EmailReceiver) -> Email {
    Email {
        send_resolved: true,
        to: email.to.join(", "),
        from: email.from.clone(),
        smarthost: email.smarthost.clone(),
        auth_username: email.username.clone(),
        auth_password: email.password.as_ref().map(selector),
        require_tls: true,
        headers: vec![KeyValue { key: "Subject", value: title(Escape::Plain) }],
        html: format!("<pre>{}\n{}</pre>", title(Escape::Plain), text(Escape::Plain)),
        text: text(Escape::Plain),
    }
}

/// The receiver of beats. That a beat stays away is what tells of an end.
pub(super) fn beat(heartbeat: &Heartbeat) -> Receiver {
    let webhook = Webhook { send_resolved: false, url_secret: Some(selector(&heartbeat.webhook)), url: None };
    Receiver { name: HEARTBEAT.into(), webhook_configs: vec![webhook], ..Receiver::default() }
}
