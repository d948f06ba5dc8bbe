//! Alert rules. Escalation is the same alert once more for each tier, with the tier's name as a label and its time added: Prometheus and Alertmanager do it
//! alone, whatever becomes of the operator.

use caretaker_api::monitoring_stack::{MonitoringTerms, Tier};

use super::Plan;
use super::prometheus_operator::{AlertRule, AnyRule, PrometheusRuleSpec, RecordingRule, RuleGroup};
use super::tiers::in_order;

/// The label `job` of machines, whatever ScrapeConfig they stand in.
pub const MACHINES_JOB: &str = "machines";
/// The label `job` of public addresses, whatever Probe they stand in.
pub const PUBLIC_JOB: &str = "public-addresses";
/// Name of the group of rules.
pub const GROUP: &str = "caretaker";
/// The alert that always fires. It goes to no receiver, for no tier can have its name: that it stands in Alertmanager shows that alerts arrive there.
pub const WATCHDOG: &str = "Watchdog";

/// The alert whose page is a beat. It stops where Prometheus has scraped nothing for ten minutes: neither itself, nor any machine where some are to be watched.
pub const HEARTBEAT: &str = "Heartbeat";

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

/// Minutes that an outage may pause and still be the same: one that comes back within them goes on where it was.
pub const PAUSE_MINUTES: u32 = 10;

/// The rules that make sense for what is watched.
pub(super) fn rules(terms: &MonitoringTerms, has_targets: bool) -> PrometheusRuleSpec {
    let mut rules = vec![&RULES_FAIL];
    if has_targets {
        rules.extend([&DOWN, &NONE]);
    }
    if terms.prober.is_some() {
        rules.extend([&PROBE, &PROBER]);
    }
    let tiers = in_order(terms);
    let beats = std::iter::once(watchdog()).chain(terms.heartbeat.as_ref().map(|_| heartbeat(has_targets)));
    let all = rules.iter().flat_map(|rule| escalation(rule, &tiers));
    PrometheusRuleSpec { groups: vec![RuleGroup { name: GROUP, rules: beats.chain(all).collect() }] }
}

/// The rule of the first tier, then since when its outage lasts, then the rules of the tiers above.
///
/// The tiers above look at since when, and not at a `for` of their own: an outage that blinks would begin anew for them each time. That moment is a series of
/// its own, and not a state of the alert: Prometheus does not take the state of short alerts over a restart.
fn escalation(rule: &Rule, tiers: &[(u32, &Tier)]) -> Vec<AnyRule> {
    let Some(((first_after, first), above)) = tiers.split_first() else { return Vec::new() };
    let lasts = rule.minutes + first_after;
    let mut made = vec![alert(rule, first, rule.expr.to_owned(), format!("{lasts}m"))];
    if above.is_empty() {
        return made;
    }
    let since = since(rule.alert);
    let fires = format!(
        "max without (alertname, alertstate, severity, tier) (ALERTS{{alertname=\"{}\",alertstate=\"firing\",tier=\"{}\"}})",
        rule.alert, first.name
    );
    let window = lasts + PAUSE_MINUTES;
    made.push(AnyRule::Record(RecordingRule {
        expr: format!("(last_over_time({since}[{window}m]) and {fires}) or ({fires} * 0 + time())"),
        record: since.clone(),
    }));
    for (after, tier) in above {
        made.push(alert(rule, tier, format!("time() - {since} >= {}", (after - first_after) * 60), "0s".to_owned()));
    }
    made
}

/// The series that says since when the outage behind an alert lasts, as seconds of the epoch.
fn since(alert: &str) -> String {
    format!("caretaker:{alert}:since")
}

fn alert(rule: &Rule, tier: &Tier, expr: String, lasts: String) -> AnyRule {
    AnyRule::Alert(AlertRule {
        alert: rule.alert,
        expr,
        lasts,
        labels: [("severity", rule.severity.to_owned()), ("tier", tier.name.clone())].into(),
        annotations: [("summary", rule.summary)].into(),
    })
}

/// Names of the alerts of a plan.
pub(super) fn names(plan: &Plan) -> impl Iterator<Item = &str> {
    let rules = plan.objects.iter().filter(|object| object.kind == "PrometheusRule");
    rules.filter_map(|object| object.body["spec"]["groups"][0]["rules"].as_array()).flatten().filter_map(|rule| rule["alert"].as_str())
}

fn watchdog() -> AnyRule {
    AnyRule::Alert(AlertRule {
        alert: WATCHDOG,
        expr: "vector(1)".into(),
        lasts: "0s".into(),
        labels: [("severity", "none".to_owned()), ("tier", "-".to_owned())].into(),
        annotations: [("summary", "Always fires: alerts arrive at Alertmanager.")].into(),
    })
}

fn heartbeat(has_targets: bool) -> AnyRule {
    let scraped = |job: &str| format!("count(count_over_time(up{{job=\"{job}\"}}[10m])) > 0");
    let jobs = std::iter::once("prometheus").chain(has_targets.then_some(MACHINES_JOB));
    AnyRule::Alert(AlertRule {
        alert: HEARTBEAT,
        expr: jobs.fold("vector(1)".to_owned(), |expr, job| format!("{expr} and on () ({})", scraped(job))),
        lasts: "0s".into(),
        labels: [("severity", "none".to_owned()), ("tier", "-".to_owned())].into(),
        annotations: [("summary", "Monitoring is alive: raise the alarm when this stays away.")].into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_beats_only_while_all_is_scraped_that_must_be() {
        let expr = |has_targets: bool| match heartbeat(has_targets) {
            AnyRule::Alert(rule) => rule.expr,
            AnyRule::Record(_) => unreachable!("it is an alert"),
        };
        let scraped = |expr: &str, job: &str| expr.contains(&format!("and on () (count(count_over_time(up{{job=\"{job}\"}}[10m])) > 0)"));
        assert!(scraped(&expr(true), "prometheus") && scraped(&expr(true), MACHINES_JOB), "{}", expr(true));
        assert!(
            scraped(&expr(false), "prometheus") && !scraped(&expr(false), MACHINES_JOB),
            "nobody waits for machines that there are none of"
        );
    }
}
