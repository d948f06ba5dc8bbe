//! Alert rules. Escalation is the same alert once more for each tier, with the tier's name as a label and its time added.

use caretaker_api::monitoring_stack::MonitoringTerms;

use super::Plan;
use super::prometheus_operator::{AlertRule, PrometheusRuleSpec, RuleGroup};

/// The label `job` of machines, whatever ScrapeConfig they stand in.
pub const MACHINES_JOB: &str = "machines";
/// The label `job` of public addresses, whatever Probe they stand in.
pub const PUBLIC_JOB: &str = "public-addresses";
/// Name of the group of rules.
pub const GROUP: &str = "caretaker";
/// The alert that always fires. It goes to no receiver, for no tier can have its name: that it stands in Alertmanager shows that alerts arrive there.
pub const WATCHDOG: &str = "Watchdog";

struct Rule {
    alert: &'static str,
    expr: &'static str,
    minutes: u32,
    severity: &'static str,
    summary: &'static str,
}

const DOWN: Rule = Rule {
    alert: "InstanceDown",
    expr: "up{job=\"machines\"} == 0",
    minutes: 5,
    severity: "critical",
    summary: "{{ $labels.instance_id }} ({{ $labels.name }}) in {{ $labels.region }} does not answer its exporter's port.",
};
const NONE: Rule = Rule {
    alert: "NoTargetAnswers",
    expr: "absent(up{job=\"machines\"} == 1)",
    minutes: 10,
    severity: "critical",
    summary: "No machine of the inventory answers: the way to the client's network may be broken.",
};
const PROBE: Rule = Rule {
    alert: "PublicAddressDown",
    expr: "probe_success{job=\"public-addresses\"} == 0",
    minutes: 5,
    severity: "critical",
    summary: "{{ $labels.instance }} does not answer from outside.",
};
const PROBER: Rule = Rule {
    alert: "ProberDown",
    expr: "max by (job) (up{job=\"public-addresses\"}) == 0",
    minutes: 5,
    severity: "critical",
    summary: "The prober does not answer: nobody knows whether the public addresses answer from outside.",
};
const RULES_FAIL: Rule = Rule {
    alert: "RulesFail",
    expr: "increase(prometheus_rule_evaluation_failures_total[10m]) > 0",
    minutes: 10,
    severity: "warning",
    summary: "Prometheus cannot evaluate some of its rules; alerts may be missing.",
};

/// The rules that make sense for what is watched.
pub(super) fn rules(terms: &MonitoringTerms, has_targets: bool) -> PrometheusRuleSpec {
    let mut rules = vec![&RULES_FAIL];
    if has_targets {
        rules.extend([&DOWN, &NONE]);
    }
    if terms.prober.is_some() {
        rules.extend([&PROBE, &PROBER]);
    }
    let alerts = rules.iter().flat_map(|rule| {
        terms.tiers.iter().map(move |tier| AlertRule {
            alert: rule.alert,
            expr: rule.expr,
            lasts: format!("{}m", rule.minutes + tier.after_minutes),
            labels: [("severity", rule.severity.to_owned()), ("tier", tier.name.clone())].into(),
            annotations: [("summary", rule.summary)].into(),
        })
    });
    PrometheusRuleSpec { groups: vec![RuleGroup { name: GROUP, rules: std::iter::once(watchdog()).chain(alerts).collect() }] }
}

/// Names of the alerts of a plan.
pub(super) fn names(plan: &Plan) -> impl Iterator<Item = &str> {
    let rules = plan.objects.iter().filter(|object| object.kind == "PrometheusRule");
    rules.filter_map(|object| object.body["spec"]["groups"][0]["rules"].as_array()).flatten().filter_map(|rule| rule["alert"].as_str())
}

fn watchdog() -> AlertRule {
    AlertRule {
        alert: WATCHDOG,
        expr: "vector(1)",
        lasts: "0s".into(),
        labels: [("severity", "none".to_owned()), ("tier", "-".to_owned())].into(),
        annotations: [("summary", "Always fires: alerts arrive at Alertmanager.")].into(),
    }
}
