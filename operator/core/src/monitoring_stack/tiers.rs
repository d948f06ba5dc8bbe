//! Escalation tiers: who is told, in which order and when.

use caretaker_api::MonitoringStack;
use caretaker_api::escalation::Heartbeat;
use caretaker_api::monitoring_stack::{MonitoringTerms, Tier};
use jiff::Timestamp;
use kube::ResourceExt;

use super::prometheus_operator::{AlertmanagerConfigSpec, Matcher, Route};
use super::receivers::{self, HEARTBEAT, Judged, Way, part, ways};
use super::{hours, rules};

/// Labels of an alert that make one page, and one incident: what differs in others of them is told, and taken, together.
pub const GROUP_BY: [&str; 3] = ["alertname", "account", "region"];

/// The tiers in the order in which they are told, each with the minutes after which it is. Without `afterMinutes` a tier is told once everybody before it had
/// its `ackWithinMinutes`.
#[must_use]
pub fn in_order(terms: &MonitoringTerms) -> Vec<(u32, &Tier)> {
    let mut sum = 0_u32;
    let mut tiers = Vec::new();
    for tier in &terms.tiers {
        tiers.push((tier.after_minutes.unwrap_or(sum), tier));
        sum = sum.saturating_add(tier.ack_within_minutes.unwrap_or_default());
    }
    tiers.sort_by_key(|(minutes, _)| *minutes);
    tiers
}

/// The receivers of a tier as Alertmanager calls them: prometheus-operator puts namespace and object in front.
#[must_use]
pub fn receivers(stack: &MonitoringStack, tier: &Tier) -> Vec<String> {
    ways(tier).into_iter().map(|(name, _)| full(stack, &part(&name), &name)).collect()
}

/// A receiver as Alertmanager calls it.
pub(super) fn full(stack: &MonitoringStack, part: &str, receiver: &str) -> String {
    format!("{}/{}/{receiver}", stack.namespace().unwrap_or_default(), super::name(stack, part))
}

/// One object for each way that can be used, and one for the heartbeat, with the part of its name: prometheus-operator drops the whole object of a receiver
/// that it cannot use, and the others must still be told.
pub(super) fn configs(terms: &MonitoringTerms, judged: &Judged, now: Timestamp) -> Vec<(String, AlertmanagerConfigSpec)> {
    let first = in_order(terms).first().map(|(_, tier)| &tier.name);
    let mut all = Vec::new();
    for tier in &terms.tiers {
        let timed = hours::timed(terms, tier, now);
        let usable = ways(tier).into_iter().filter(|(name, _)| judged.is_usable(&part(name)));
        all.extend(usable.map(|(name, way)| (part(&name), config((&name, way), tier, Some(&tier.name) == first, timed.clone()))));
    }
    all.extend(terms.heartbeat.as_ref().filter(|_| judged.is_usable(HEARTBEAT)).map(|heartbeat| (HEARTBEAT.to_owned(), beats(heartbeat))));
    all
}

/// An alert that carries no tier goes to the first.
fn config((name, way): (&str, Way<'_>), tier: &Tier, is_first: bool, timed: hours::Timed) -> AlertmanagerConfigSpec {
    let matcher = |value: String, match_type| Matcher { name: "tier".into(), value, match_type };
    AlertmanagerConfigSpec {
        route: Route {
            receiver: name.to_owned(),
            matchers: vec![if is_first { matcher(format!("{}|", tier.name), "=~") } else { matcher(tier.name.clone(), "=") }],
            group_by: GROUP_BY.to_vec(),
            group_wait: "30s",
            group_interval: "5m",
            repeat_interval: "4h".into(),
            active_time_intervals: timed.active,
            mute_time_intervals: timed.quiet,
        },
        receivers: vec![receivers::receiver(name, way)],
        mute_time_intervals: timed.named,
    }
}

/// The route of beats: neither hours nor windows stop it. Alertmanager looks each half minute whether the last beat is old enough, and a word of the same
/// moment is not: the wait is shorter by a few seconds.
fn beats(heartbeat: &Heartbeat) -> AlertmanagerConfigSpec {
    AlertmanagerConfigSpec {
        route: Route {
            receiver: HEARTBEAT.into(),
            matchers: vec![Matcher { name: "alertname".into(), value: rules::HEARTBEAT.into(), match_type: "=" }],
            group_by: vec!["alertname"],
            group_wait: "0s",
            group_interval: "30s",
            repeat_interval: format!("{}s", heartbeat.interval_minutes * 60 - 10),
            active_time_intervals: Vec::new(),
            mute_time_intervals: Vec::new(),
        },
        receivers: vec![receivers::beat(heartbeat)],
        mute_time_intervals: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(tiers: serde_json::Value) -> Vec<(u32, String)> {
        let terms: MonitoringTerms = serde_json::from_value(json!({"tiers": tiers})).unwrap();
        in_order(&terms).into_iter().map(|(minutes, tier)| (minutes, tier.name.clone())).collect()
    }

    #[test]
    fn a_tier_is_told_once_everybody_before_it_had_its_time() {
        let by_ack = json!([
            {"name": "desk", "ackWithinMinutes": 15, "webhookUrl": "https://a.example"},
            {"name": "lead", "ackWithinMinutes": 30, "webhookUrl": "https://b.example"},
            {"name": "vendor", "kind": "Vendor", "webhookUrl": "https://c.example"},
        ]);
        assert_eq!(order(by_ack), [(0, "desk".into()), (15, "lead".into()), (45, "vendor".into())]);
        let written = json!([
            {"name": "lead", "afterMinutes": 30, "webhookUrl": "https://b.example"},
            {"name": "desk", "afterMinutes": 5, "webhookUrl": "https://a.example"},
        ]);
        assert_eq!(order(written), [(5, "desk".into()), (30, "lead".into())], "the order of the list does not matter there");
    }
}
