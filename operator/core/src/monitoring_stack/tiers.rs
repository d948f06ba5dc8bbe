//! Escalation tiers: who is told, in which order and when.

use caretaker_api::MonitoringStack;
use caretaker_api::monitoring_stack::{MonitoringTerms, Tier};
use k8s_openapi::api::core::v1::SecretKeySelector;
use kube::ResourceExt;

use super::prometheus_operator::{AlertmanagerConfigSpec, Matcher, Receiver, Route, Webhook};

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

/// Name of a tier's AlertmanagerConfig.
pub(super) fn name(stack: &MonitoringStack, tier: &Tier) -> String {
    super::name(stack, &format!("tier-{}", tier.name))
}

/// The receiver of a tier as Alertmanager calls it: prometheus-operator puts namespace and object in front.
#[must_use]
pub fn receiver(stack: &MonitoringStack, tier: &Tier) -> String {
    format!("{}/{}/{}", stack.namespace().unwrap_or_default(), name(stack, tier), tier.name)
}

/// One object for each tier: prometheus-operator drops the whole object of a receiver that it cannot use, and the other tiers must still be told.
pub(super) fn configs(terms: &MonitoringTerms) -> impl Iterator<Item = (&Tier, AlertmanagerConfigSpec)> {
    let first = in_order(terms).first().map(|(_, tier)| &tier.name);
    terms.tiers.iter().map(move |tier| (tier, config(tier, Some(&tier.name) == first)))
}

/// An alert that carries no tier goes to the first.
fn config(tier: &Tier, is_first: bool) -> AlertmanagerConfigSpec {
    let secret = tier.webhook_secret.as_ref();
    let url_secret = secret.map(|secret| SecretKeySelector { name: secret.name.clone(), key: secret.key.clone(), optional: None });
    let url = if secret.is_some() { None } else { tier.webhook_url.clone() };
    let matcher = |value: String, match_type| Matcher { name: "tier".into(), value, match_type };
    AlertmanagerConfigSpec {
        route: Route {
            receiver: tier.name.clone(),
            matchers: vec![if is_first { matcher(format!("{}|", tier.name), "=~") } else { matcher(tier.name.clone(), "=") }],
            group_by: GROUP_BY.to_vec(),
            group_wait: "30s",
            group_interval: "5m",
            repeat_interval: "4h",
        },
        receivers: vec![Receiver { name: tier.name.clone(), webhook_configs: vec![Webhook { send_resolved: true, url_secret, url }] }],
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
