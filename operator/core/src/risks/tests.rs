use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-06-10T00:00:00Z";

fn condition(kind: &str, (is, reason): (&str, &str), since: &str) -> Value {
    json!({"type": kind, "status": is, "reason": reason, "message": "it is so", "lastTransitionTime": since})
}

fn client(conditions: &[Value]) -> ManagedClient {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [],
            "exit": {"recipients": ["age1"]},
        },
        "status": {"conditions": conditions},
    }))
    .unwrap()
}

fn account(name: &str, conditions: &[Value]) -> CloudAccount {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name},
        "spec": {"aws": {"accountId": "200000000001"}}, "status": {"conditions": conditions},
    }))
    .unwrap()
}

fn world<'a>(client: &'a ManagedClient, accounts: &'a [CloudAccount]) -> World<'a> {
    World { client, accounts, monitoring: &[], backups: &[], reports: &[], changes: &[], incidents: &[], handovers: &[] }
}

fn found(client: &ManagedClient, accounts: &[CloudAccount]) -> Vec<Risk> {
    risks(&world(client, accounts), NOW.parse().unwrap())
}

fn lines(client: &ManagedClient, accounts: &[CloudAccount]) -> Vec<String> {
    found(client, accounts).into_iter().map(|risk| format!("{} {}", risk.object, risk.condition)).collect()
}

/// F58: each condition of each object, wrong in each way, stands exactly once; where it is right, not at all.
#[test]
fn every_condition_that_is_wrong_stands_exactly_once() {
    let kinds: Vec<ConditionType> = ConditionType::ALL.iter().copied().filter(|kind| !SUMS.contains(kind)).collect();
    let since = "2026-06-01T00:00:00Z";
    for kind in &kinds {
        let (good, bad) = if *kind == ConditionType::ScopeAmbiguous { ("False", "True") } else { ("True", "False") };
        for is in [bad, "Unknown"] {
            let wrong = [condition(kind.as_str(), (is, "Failed"), since)];
            let both = lines(&client(&wrong), &[account("prod", &wrong), account("test", &wrong)]);
            let mirrored = [format!("CloudAccount prod {kind}"), format!("CloudAccount test {kind}")];
            assert_eq!(both, mirrored, "the client mirrors it: {kind} {is}");
            let right = [condition(kind.as_str(), (good, "Settled"), since)];
            let own = lines(&client(&wrong), &[account("prod", &right)]);
            assert_eq!(own, [format!("ManagedClient acme {kind}")], "{kind} {is}");
            assert_eq!(lines(&client(&right), &[account("prod", &right)]), [""; 0], "{kind}");
            for asked in ASKED_FOR {
                let asked = [condition(kind.as_str(), (is, asked.as_str()), since)];
                assert_eq!(lines(&client(&asked), &[account("prod", &asked)]), [""; 0], "{kind} {is} {asked:?}");
            }
        }
    }
    let all: Vec<Value> = kinds.iter().map(|kind| condition(kind.as_str(), ("Unknown", "Failed"), since)).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    lines(&client(&all), &[]).into_iter().for_each(|line| *counts.entry(line).or_default() += 1);
    assert!(counts.len() == kinds.len() && counts.values().all(|count| *count == 1), "{counts:?}");
}

/// A fault of the spec stands in `Ready` alone; what other conditions tell is not told by it again.
#[test]
fn ready_is_told_where_nothing_else_tells_it() {
    let since = "2026-06-01T00:00:00Z";
    let ready = |reason: &str| condition("Ready", ("False", reason), since);
    let grant = condition("AccessProven", ("False", "WaitingForGrant"), since);
    let good = client(&[]);
    for (why, conditions, expected) in [
        ("a fault of the spec", vec![ready("InvalidSpec")], vec!["CloudAccount prod Ready"]),
        ("it waits for the grant", vec![ready("WaitingForGrant"), grant.clone()], vec!["CloudAccount prod AccessProven"]),
        ("both", vec![ready("InvalidSpec"), grant.clone()], vec!["CloudAccount prod AccessProven", "CloudAccount prod Ready"]),
        ("it was handed over", vec![ready("HandedOver")], vec![]),
    ] {
        assert_eq!(lines(&good, &[account("prod", &conditions)]), expected, "{why}");
    }
    let theirs = client(&[ready("WaitingForGrant"), grant.clone()]);
    assert_eq!(lines(&theirs, &[account("prod", &[ready("WaitingForGrant"), grant])]), ["CloudAccount prod AccessProven"]);
}

#[test]
fn owner_and_time_follow_the_rules() {
    let of = |kind: &str, reason: &str, since: &str| found(&client(&[condition(kind, ("False", reason), since)]), &[]).remove(0);
    for (why, kind, reason, since, owner, due, overdue) in [
        ("the client's grant", "AccessProven", "WaitingForGrant", "2026-06-09T12:00:00Z", Party::Client, "2026-06-10T12:00:00Z", false),
        ("a cloud that is down", "AccessProven", "Unreachable", "2026-06-09T00:00:00Z", Party::Provider, NOW, true),
        ("the client's word", "ChangesDecided", "WaitingForApproval", "2026-06-09T00:00:00Z", Party::Client, "2026-06-16T00:00:00Z", false),
        ("an emergency", "ChangesDecided", "BreakGlass", "2026-06-09T00:00:00Z", Party::Provider, "2026-06-16T00:00:00Z", false),
        ("a way that is open", "Isolated", "NotRefused", "2026-06-01T00:00:00Z", Party::Provider, "2026-06-02T00:00:00Z", true),
        ("no BAA", "AgreementsInForce", "AgreementMissing", NOW, Party::Provider, NOW, true),
        ("a credential that ends", "AccessLasting", "Expiring", "2026-06-01T00:00:00Z", Party::Client, "2026-07-01T00:00:00Z", false),
    ] {
        let risk = of(kind, reason, since);
        assert_eq!((risk.owner, risk.due, risk.overdue), (owner, due.parse().unwrap(), overdue), "{why}");
    }
    for kind in ConditionType::ALL {
        assert!(!rules::cure(*kind).is_empty() && rules::due(*kind, Timestamp::UNIX_EPOCH) >= Timestamp::UNIX_EPOCH);
    }
}

/// What an exit has not come to yet is no risk; what it waits for is.
#[test]
fn an_exit_under_way_tells_what_it_waits_for() {
    let since = "2026-06-09T00:00:00Z";
    let handover = |conditions: Value| -> Handover {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "final"}, "spec": {"mode": "Final", "client": "acme"},
            "status": {"steps": [], "conditions": conditions},
        }))
        .unwrap()
    };
    let exits = [handover(json!([
        condition("Ready", ("False", "WaitingForAcceptance"), since),
        condition("Accepted", ("False", "WaitingForAcceptance"), since),
        condition("AccessRevoked", ("Unknown", "Pending"), since),
    ]))];
    let client = client(&[condition("ExitReady", ("False", "Progressing"), since)]);
    let told = risks(&World { handovers: &exits, ..world(&client, &[]) }, NOW.parse().unwrap());
    let lines: Vec<(&str, Party)> = told.iter().map(|risk| (risk.condition.as_str(), risk.owner)).collect();
    assert_eq!(lines, [("Accepted", Party::Client)]);
}

#[test]
fn a_gate_that_no_condition_tells_is_a_risk() {
    let mut client = client(&[condition("BackupsProtected", ("Unknown", "NotRequested"), NOW)]);
    let gate = |name: &str, state: &str| json!({"name": name, "before": "Active", "state": state, "since": "2026-06-09T00:00:00Z", "message": "m", "actor": "Provider"});
    let gates = json!([gate("Access", "Closed"), gate("Backups", "Closed"), gate("Monitoring", "Open"), gate("Renewal", "Closed")]);
    client.status.as_mut().unwrap().gates = serde_json::from_value(gates).unwrap();
    assert_eq!(lines(&client, &[]), ["ManagedClient acme gate Backups", "ManagedClient acme gate Renewal"]);
}

#[test]
fn a_cure_can_be_copied_as_it_stands() {
    let since = "2026-06-01T00:00:00Z";
    let wrong: Vec<Value> = ConditionType::ALL.iter().map(|kind| condition(kind.as_str(), ("False", "Failed"), since)).collect();
    let all = found(&client(&wrong), &[account("prod", &wrong)]);
    assert!(all.iter().any(|risk| risk.cure.contains("kubectl caretaker") && risk.cure.contains(" acme")), "{all:?}");
    assert!(all.iter().all(|risk| !risk.cure.contains("CLIENT")), "{all:?}");
}
