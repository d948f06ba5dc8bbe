//! What Prometheus and Alertmanager say that they have loaded, against what was asked for.

use std::collections::BTreeSet;

use caretaker_api::MonitoringStack;
use caretaker_api::condition::Reason;
use caretaker_api::monitoring_stack::Tier;
use kube::ResourceExt;

use super::receivers::{HEARTBEAT, part, ways};
use super::{Part, Plan, rules, tiers};

/// What a part says; `Err` says why it was not heard.
pub type Answer<T> = Result<T, String>;

/// What both say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Prometheus.
    pub prometheus: Answer<PrometheusSays>,
    /// Alertmanager.
    pub alertmanager: Answer<AlertmanagerSays>,
}

/// What Prometheus says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrometheusSays {
    /// Whether the last reload of its configuration went well.
    pub is_reloaded: bool,
    /// Its scrape pools, such as `scrapeConfig/client-acme/main-targets-0`.
    pub pools: BTreeSet<String>,
    /// Its alert rules.
    pub rules: Vec<RuleSays>,
    /// Alertmanagers that it sends to.
    pub alertmanagers: usize,
}

/// What Prometheus says of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSays {
    /// Name of the alert.
    pub name: String,
    /// Why it cannot be evaluated; empty where it can.
    pub error: String,
}

/// What Alertmanager says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertmanagerSays {
    /// Its receivers, such as `client-acme/main-tier-tier-1/tier-1`.
    pub receivers: BTreeSet<String>,
    /// Whether the alert that always fires has arrived.
    pub has_watchdog: bool,
}

/// What is wrong, in the order in which it is to be cured; `None` where all is loaded and alerts arrive. `refused` tells why the prometheus-operator refused an
/// object, by its name.
#[must_use]
pub fn fault(stack: &MonitoringStack, plan: &Plan, loaded: &Loaded, refused: &dyn Fn(&str) -> Option<String>) -> Option<(Reason, String)> {
    let (prometheus, alertmanager) = match (&loaded.prometheus, &loaded.alertmanager) {
        (Err(why), _) => return Some((Reason::Unreachable, format!("Prometheus does not answer the operator: {why}"))),
        (_, Err(why)) => return Some((Reason::Unreachable, format!("Alertmanager does not answer the operator: {why}"))),
        (Ok(prometheus), Ok(alertmanager)) => (prometheus, alertmanager),
    };
    of_tiers(stack, alertmanager, refused)
        .or_else(|| of_prometheus(stack, plan, prometheus, refused))
        .map(|message| (Reason::NotLoaded, message))
        .or_else(|| of_alerts(prometheus, alertmanager).map(|message| (Reason::AlertsLost, message)))
}

/// Ways by which nobody would be told. They come first: what else is wrong, somebody must hear of it.
fn of_tiers(stack: &MonitoringStack, alertmanager: &AlertmanagerSays, refused: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let terms = &stack.spec.terms;
    let is_missing = |part: &str, name: &str| !alertmanager.receivers.contains(&tiers::full(stack, part, name));
    let of_tier = |tier| ways(tier).into_iter().map(move |(name, _)| (tier, name));
    let missing = terms.tiers.iter().flat_map(of_tier).filter(|(_, name)| is_missing(&part(name), name));
    let mut missing: Vec<String> = missing.map(|(tier, name)| describe(stack, (tier, &name), refused)).collect();
    if terms.heartbeat.is_some() && is_missing(HEARTBEAT, HEARTBEAT) {
        missing.push(format!("no heartbeat goes out yet: Alertmanager has not loaded its receiver{}", cause(stack, HEARTBEAT, refused)));
    }
    (!missing.is_empty()).then(|| missing.join("; "))
}

fn cause(stack: &MonitoringStack, part: &str, refused: &dyn Fn(&str) -> Option<String>) -> String {
    refused(&super::name(stack, part)).map(|cause| format!("; the prometheus-operator says: {cause}")).unwrap_or_default()
}

fn describe(stack: &MonitoringStack, (tier, name): (&Tier, &str), refused: &dyn Fn(&str) -> Option<String>) -> String {
    let cause = cause(stack, &part(name), refused);
    match &tier.webhook_secret {
        Some(secret) => format!(
            "{name} is told nothing: see that the Secret {} has the key {} and that it holds an address and nothing else{cause}",
            secret.name, secret.key
        ),
        None => format!("{name} is told nothing yet: Alertmanager has not loaded its receiver{cause}"),
    }
}

fn of_prometheus(
    stack: &MonitoringStack,
    plan: &Plan,
    prometheus: &PrometheusSays,
    refused: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    if !prometheus.is_reloaded {
        return Some("Prometheus refused its configuration at the last reload: its log says why".into());
    }
    if let Some(rule) = prometheus.rules.iter().find(|rule| !rule.error.is_empty()) {
        return Some(format!("the rule {} cannot be evaluated: {}", rule.name, rule.error));
    }
    let namespace = stack.namespace().unwrap_or_default();
    let pools = plan.objects.iter().filter_map(|object| {
        let prefix = match object.kind {
            "ScrapeConfig" => "scrapeConfig",
            "Probe" => "probe",
            _ => return None,
        };
        Some((object, format!("{prefix}/{namespace}/{}", object.name)))
    });
    let mut unloaded: Vec<String> =
        pools.filter(|(_, pool)| !prometheus.pools.contains(pool)).map(|(object, _)| object.describe()).collect();
    let has_rule = |name: &str| prometheus.rules.iter().any(|rule| rule.name == name);
    if !rules::names(plan).all(has_rule) {
        unloaded.push(format!("PrometheusRule {namespace}/{}", super::name(stack, "rules")));
    }
    let first = unloaded.first()?;
    let cause =
        first.rsplit('/').next().and_then(refused).map(|cause| format!(": the prometheus-operator says: {cause}")).unwrap_or_default();
    Some(format!("{} of {} objects are not loaded yet by Prometheus, the first is {first}{cause}", unloaded.len(), plan.objects.len()))
}

fn of_alerts(prometheus: &PrometheusSays, alertmanager: &AlertmanagerSays) -> Option<String> {
    if prometheus.alertmanagers == 0 {
        return Some(format!("{} knows no Alertmanager: no alert leaves it", Part::Prometheus.kind()));
    }
    (!alertmanager.has_watchdog).then(|| format!("the alert {} has not arrived at Alertmanager: no alert reaches anybody", rules::WATCHDOG))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Observed, Target, plan};
    use super::*;

    fn stack() -> MonitoringStack {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack", "metadata": {"name": "main", "namespace": "client-acme"},
            "spec": {"accounts": ["prod"], "prober": "prober:9115", "tiers": [
                {"name": "desk", "afterMinutes": 0, "webhookUrl": "https://desk.example/a"},
                {"name": "lead", "afterMinutes": 30, "webhookSecret": {"name": "pager", "key": "url"}},
            ]},
        }))
        .unwrap()
    }

    fn planned() -> Plan {
        let target = Target {
            cloud: caretaker_cloud::Cloud::Aws,
            account: "222222222222".into(),
            region: "eu-west-1".into(),
            id: "i-1".into(),
            name: String::new(),
            private: "10.0.0.1".parse().unwrap(),
            public: Some("203.0.113.7".parse().unwrap()),
        };
        let watched = super::super::Watched::of(vec![target]);
        plan(&stack(), &Observed { client: "acme".into(), watched, ..Observed::default() })
    }

    fn all_is_well() -> (PrometheusSays, AlertmanagerSays) {
        let rule = |name: &str| RuleSays { name: name.into(), error: String::new() };
        let names = ["Watchdog", "RulesFail", "InstanceDown", "NoTargetAnswers", "PublicAddressDown", "ProberDown"];
        let pools =
            ["scrapeConfig/client-acme/main-prometheus", "scrapeConfig/client-acme/main-targets-0", "probe/client-acme/main-public-0"];
        (
            PrometheusSays { is_reloaded: true, pools: pools.map(str::to_owned).into(), rules: names.map(rule).into(), alertmanagers: 1 },
            AlertmanagerSays {
                receivers: ["client-acme/main-tier-desk/desk", "client-acme/main-tier-lead/lead", "null"].map(str::to_owned).into(),
                has_watchdog: true,
            },
        )
    }

    /// What is said when the answers are changed.
    fn said(change: impl FnOnce(&mut PrometheusSays, &mut AlertmanagerSays)) -> Option<(Reason, String)> {
        let (mut prometheus, mut alertmanager) = all_is_well();
        change(&mut prometheus, &mut alertmanager);
        let refused = |name: &str| (name == "main-tier-lead").then(|| "secret pager not found".to_owned());
        fault(&stack(), &planned(), &Loaded { prometheus: Ok(prometheus), alertmanager: Ok(alertmanager) }, &refused)
    }

    #[test]
    fn all_that_was_asked_for_must_be_loaded() {
        assert_eq!(said(|_, _| {}), None);
        type Change = fn(&mut PrometheusSays, &mut AlertmanagerSays);
        let cases: [(Change, Reason, &str); 8] = [
            (|p, _| p.is_reloaded = false, Reason::NotLoaded, "refused its configuration"),
            (
                |p, _| assert!(p.pools.remove("scrapeConfig/client-acme/main-targets-0")),
                Reason::NotLoaded,
                "ScrapeConfig client-acme/main-targets-0",
            ),
            (|p, _| assert!(p.pools.remove("probe/client-acme/main-public-0")), Reason::NotLoaded, "Probe client-acme/main-public-0"),
            (|p, _| p.rules.retain(|rule| rule.name != "InstanceDown"), Reason::NotLoaded, "PrometheusRule client-acme/main-rules"),
            (|p, _| p.rules[2].error = "many-to-many".into(), Reason::NotLoaded, "InstanceDown cannot be evaluated: many-to-many"),
            (|_, a| assert!(a.receivers.remove("client-acme/main-tier-lead/lead")), Reason::NotLoaded, "Secret pager has the key url"),
            (|p, _| p.alertmanagers = 0, Reason::AlertsLost, "knows no Alertmanager"),
            (|_, a| a.has_watchdog = false, Reason::AlertsLost, "Watchdog has not arrived"),
        ];
        for (change, reason, words) in cases {
            let (found, message) = said(change).expect(words);
            assert!(found == reason && message.contains(words), "{found:?} {message}: {words}");
        }
    }

    #[test]
    fn a_tier_that_is_told_nothing_comes_first_with_the_cause() {
        let (_, message) = said(|p, a| {
            a.receivers.clear();
            p.is_reloaded = false;
        })
        .unwrap();
        assert!(message.starts_with("desk is told nothing yet"), "{message}");
        assert!(
            message.contains("lead is told nothing") && message.ends_with("the prometheus-operator says: secret pager not found"),
            "{message}"
        );
    }

    #[test]
    fn who_does_not_answer_is_named() {
        let (prometheus, alertmanager) = all_is_well();
        for (loaded, name) in [
            (Loaded { prometheus: Err("timeout".into()), alertmanager: Ok(alertmanager) }, "Prometheus"),
            (Loaded { prometheus: Ok(prometheus), alertmanager: Err("timeout".into()) }, "Alertmanager"),
        ] {
            let (reason, message) = fault(&stack(), &planned(), &loaded, &|_| None).unwrap();
            assert!(reason == Reason::Unreachable && message.starts_with(name), "{message}");
        }
    }
}
