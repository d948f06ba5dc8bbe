//! Escalation tiers: who is told, in which order.

use caretaker_api::MonitoringStack;
use caretaker_api::monitoring_stack::Tier;
use k8s_openapi::api::core::v1::SecretKeySelector;
use kube::ResourceExt;

use super::prometheus_operator::{AlertmanagerConfigSpec, Matcher, Receiver, Route, Webhook};

/// Name of a tier's AlertmanagerConfig.
pub(super) fn name(stack: &MonitoringStack, tier: &Tier) -> String {
    super::name(stack, &format!("tier-{}", tier.name))
}

/// What Alertmanager calls a tier's receiver: prometheus-operator puts namespace and object in front.
pub(super) fn receiver(stack: &MonitoringStack, tier: &Tier) -> String {
    format!("{}/{}/{}", stack.namespace().unwrap_or_default(), name(stack, tier), tier.name)
}

/// One object for each tier: prometheus-operator drops the whole object of a receiver that it cannot use, and the other tiers must still be told.
pub(super) fn configs(tiers: &[Tier]) -> impl Iterator<Item = (&Tier, AlertmanagerConfigSpec)> {
    let first = tiers.iter().min_by_key(|tier| tier.after_minutes).map(|tier| &tier.name);
    tiers.iter().map(move |tier| (tier, config(tier, Some(&tier.name) == first)))
}

/// What carries no tier goes to the first.
fn config(tier: &Tier, is_first: bool) -> AlertmanagerConfigSpec {
    let secret = tier.webhook_secret.as_ref();
    let url_secret = secret.map(|secret| SecretKeySelector { name: secret.name.clone(), key: secret.key.clone(), optional: None });
    let url = if secret.is_some() { None } else { tier.webhook_url.clone() };
    let matcher = |value: String, match_type| Matcher { name: "tier".into(), value, match_type };
    AlertmanagerConfigSpec {
        route: Route {
            receiver: tier.name.clone(),
            matchers: vec![if is_first { matcher(format!("{}|", tier.name), "=~") } else { matcher(tier.name.clone(), "=") }],
            group_by: vec!["alertname", "account", "region"],
            group_wait: "30s",
            group_interval: "5m",
            repeat_interval: "4h",
        },
        receivers: vec![Receiver { name: tier.name.clone(), webhook_configs: vec![Webhook { send_resolved: true, url_secret, url }] }],
    }
}
