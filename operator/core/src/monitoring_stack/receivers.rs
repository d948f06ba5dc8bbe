//! By what each tier is paged. Each way has an object of its own: the prometheus-operator drops an object whole, and the other ways must still page.

use std::collections::{BTreeMap, HashMap};

use caretaker_api::escalation::{EmailReceiver, Heartbeat, RECEIVERS_SECRET, ReceiverKey, TierReceiver};
use caretaker_api::monitoring_stack::{MonitoringTerms, Tier};
use k8s_openapi::api::core::v1::{Secret, SecretKeySelector};

use super::network;
use super::page_text::{Escape, text, title};
use super::prometheus_operator::{Email, KeyValue, MsTeams, Opsgenie, PagerDuty, Receiver, Slack, Webhook};

/// Name of the object of the heartbeat, and of its receiver.
pub(super) const HEARTBEAT: &str = "heartbeat";
/// Characters of a routing key.
/// Source: <https://developer.pagerduty.com/docs/send-alert-event> (`routing_key`: "This is the 32 character Integration Key").
const ROUTING_KEY: usize = 32;
/// Lengths of the parts of an API key.
/// Source: <https://docs.opsgenie.com/docs/api-key-management>: it is a UUID.
const API_KEY: [usize; 5] = [8, 4, 4, 4, 12];
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

/// What a key has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// An address that begins with `https://`.
    Https,
    /// An address.
    Address,
    /// A routing key of PagerDuty's.
    RoutingKey,
    /// An API key of Opsgenie's.
    ApiKey,
    /// A password.
    Password,
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

/// The port that an address names, or what is wrong with a value, without the value.
fn judge(value: &[u8], sort: Sort) -> Result<Option<u16>, &'static str> {
    let text = std::str::from_utf8(value).map_err(|_| "holds something that is no text")?;
    if text.is_empty() {
        return Err("is empty");
    }
    if text.contains(['\n', '\r']) {
        return Err("holds a line end: write the value without one");
    }
    if text.chars().any(char::is_control) {
        return Err("holds characters that cannot be shown");
    }
    match sort {
        Sort::Password => return Ok(None),
        _ if text.contains(['"', '\'', '`', '\\']) => return Err("holds quotes or a backslash: write the value without them"),
        _ if text.chars().any(|c| c.is_whitespace() || !c.is_ascii()) => return Err("holds blanks or characters beyond ASCII"),
        _ => {}
    }
    match sort {
        Sort::Https | Sort::Address => {
            let port = address(text).ok_or("holds no address of the web")?;
            let is_https = text.starts_with("https://");
            if sort == Sort::Https && !is_https { Err("holds an address that does not begin with https://") } else { Ok(Some(port)) }
        }
        Sort::RoutingKey if text.len() != ROUTING_KEY || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Err("holds no routing key: one has 32 letters and digits")
        }
        Sort::ApiKey
            if !text.split('-').map(str::len).eq(API_KEY) || !text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()) =>
        {
            Err("holds no API key: one has 32 hexadecimal digits with dashes after the 8th, 12th, 16th and 20th")
        }
        _ => Ok(None),
    }
}

/// The port of an address that Alertmanager can load. What it cannot load would keep all receivers from being loaded.
fn address(text: &str) -> Option<u16> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().filter(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok())?,
        None => host.split(':').next().filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)))?,
    };
    let after = host.trim_start_matches('[').get(name.len()..)?.trim_start_matches(']');
    let is_port = after.is_empty() || after.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_escaped = |text: &str| text.split('%').skip(1).all(|part| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    (!name.is_empty() && is_port && is_escaped(rest) && !rest.contains(['<', '>', '{', '}', '|', '^'])).then(|| network::port_of(text))?
}

/// Ports beyond the namespace that the way of a tier needs.
pub(super) fn ports(way: Way<'_>, name: &str, judged: &Judged) -> Vec<u16> {
    match way {
        Way::Plain(tier) => {
            tier.webhook_url.as_deref().and_then(network::port_of).map_or_else(|| network::WEB_PORTS.to_vec(), |port| vec![port])
        }
        Way::Entry(TierReceiver { email: Some(email), .. }) => {
            email.smarthost.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).into_iter().collect()
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
        details: vec![KeyValue { key: "page", value: text(plain) }],
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn terms() -> MonitoringTerms {
        let key = |key: &str| json!({"name": "caretaker-receivers", "key": key});
        serde_json::from_value(json!({
            "tiers": [
                {"name": "desk", "ackWithinMinutes": 5, "receivers": [
                    {"slack": key("slack")}, {"pagerDuty": {"name": "caretaker-receivers", "key": "pd", "eu": true}}, {"opsgenie": key("og")},
                    {"msTeams": key("teams")}, {"webhook": key("hook")}, {"webhook": key("hook2")},
                    {"email": {"to": ["a@x.example", "b@x.example"], "from": "c@x.example", "smarthost": "smtp.x.example:587", "username": "u", "password": key("pw")}},
                ]},
                {"name": "lead", "webhookSecret": {"name": "other", "key": "url"}},
            ],
            "heartbeat": {"webhook": key("beat")},
        }))
        .unwrap()
    }

    fn secret(changes: &[(&str, Option<&str>)]) -> Secret {
        let mut data: BTreeMap<String, String> = [
            ("slack", "https://hooks.slack.com/services/T0/B0/x"),
            ("pd", "0123456789abcdefABCDEF0123456789"),
            ("og", "01234567-89ab-cdef-0123-456789abcdef"),
            ("teams", "https://x.logic.azure.com:443/workflows/1?sig=a%2Fb"),
            ("hook", "http://desk.x.example:8080/a"),
            ("hook2", "https://desk.x.example/b"),
            ("pw", "p\"a'ss w$rd"),
            ("beat", "https://beats.example:8443/uuid"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        for (key, value) in changes {
            match value {
                Some(value) => drop(data.insert((*key).to_owned(), (*value).to_owned())),
                None => drop(data.remove(*key)),
            }
        }
        let data = data.into_iter().map(|(key, value)| (key, k8s_openapi::ByteString(value.into_bytes()))).collect();
        Secret { data: Some(data), ..Secret::default() }
    }

    #[test]
    fn a_value_of_the_wrong_sort_is_named_and_touches_no_other_way() {
        let good = Judged::of(&terms(), Some(&secret(&[])));
        assert_eq!(good.told(), None, "{good:?}");
        for (key, value, way, words) in [
            ("slack", Some("https://hooks.slack.com/x\n"), "desk.slack", "holds a line end"),
            ("slack", Some("\"https://hooks.slack.com/x\""), "desk.slack", "holds quotes"),
            ("slack", Some("http://hooks.slack.com/x"), "desk.slack", "does not begin with https"),
            ("slack", Some("xoxb-1-2"), "desk.slack", "no address"),
            ("teams", Some("hello"), "desk.msteams", "no address"),
            ("teams", Some("https://x.example/%zz"), "desk.msteams", "no address"),
            ("teams", Some("https://x.example:port/"), "desk.msteams", "no address"),
            ("teams", Some("https:///x"), "desk.msteams", "no address"),
            ("pd", Some("0123456789abcdef0123456789abcde"), "desk.pagerduty", "32 letters"),
            ("og", Some("0123456789abcdef0123456789abcdef"), "desk.opsgenie", "API key"),
            ("hook2", Some("https://a b.example"), "desk.webhook-2", "holds blanks"),
            ("hook", None, "desk.webhook", "no key hook"),
            ("pw", Some(""), "desk.email", "is empty"),
            ("pw", Some("s3cr3t\n"), "desk.email", "holds a line end"),
        ] {
            let judged = Judged::of(&terms(), Some(&secret(&[(key, value)])));
            let told = judged.told().unwrap_or_default();
            assert!(told.starts_with(&format!("{way} is not paged: ")) && told.contains(words), "{key} {value:?}: {told}");
            assert_eq!(judged.faults.len(), 1, "{judged:?}");
            assert!(
                value.is_none_or(|value| value.is_empty() || !format!("{judged:?}").contains(value.trim())),
                "a value is shown: {judged:?}"
            );
        }
        let told = Judged::of(&terms(), Some(&secret(&[("beat", Some("x"))]))).told().unwrap();
        assert!(told.starts_with("no heartbeat goes out: "), "{told}");
        let missing = Judged::of(&terms(), None);
        assert_eq!(missing.faults.len(), 8, "{missing:?}");
        assert!(missing.is_usable("tier-lead"), "its Secret is another one, and nobody looked");
    }

    #[test]
    fn each_way_has_a_name_of_its_own_and_the_ports_that_it_needs() {
        let (terms, judged) = (terms(), Judged::of(&terms(), Some(&secret(&[]))));
        let found: Vec<(String, Vec<u16>)> = terms
            .tiers
            .iter()
            .flat_map(ways)
            .map(|(name, way)| {
                let ports = ports(way, &part(&name), &judged);
                (name, ports)
            })
            .collect();
        let expected = [
            ("desk.slack", vec![443]),
            ("desk.pagerduty", vec![443]),
            ("desk.opsgenie", vec![443]),
            ("desk.msteams", vec![443]),
            ("desk.webhook", vec![8080]),
            ("desk.webhook-2", vec![443]),
            ("desk.email", vec![587]),
            ("lead", vec![443, 80]),
        ];
        assert_eq!(found, expected.map(|(name, ports)| (name.to_owned(), ports)));
        assert_eq!(beat_port(&judged), Some(8443));
        assert!(needs_secret(&terms));
    }
}
