//! Alert rules. Escalation is the same alert once more for each tier, with the tier's name as a label and its time added.

use caretaker_api::monitoring_stack::MonitoringTerms;

use super::prometheus_operator::{AlertRule, PrometheusRuleSpec, RuleGroup};

struct Rule {
    alert: &'static str,
    expr: &'static str,
    minutes: u32,
    severity: &'static str,
    summary: &'static str,
}

const DOWN: Rule = Rule {
    alert: "InstanceDown",
    expr: "up == 0",
    minutes: 5,
    severity: "critical",
    summary: "{{ $labels.instance_id }} ({{ $labels.name }}) in {{ $labels.region }} does not answer its exporter's port.",
};
const NONE: Rule = Rule {
    alert: "NoTargetAnswers",
    expr: "absent(up == 1)",
    minutes: 10,
    severity: "critical",
    summary: "No machine of the inventory answers: the way to the client's network may be broken.",
};
const PROBE: Rule = Rule {
    alert: "PublicAddressDown",
    expr: "probe_success == 0",
    minutes: 5,
    severity: "critical",
    summary: "{{ $labels.instance }} does not answer from outside.",
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
        rules.push(&PROBE);
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
    PrometheusRuleSpec { groups: vec![RuleGroup { name: "caretaker", rules: alerts.collect() }] }
}
