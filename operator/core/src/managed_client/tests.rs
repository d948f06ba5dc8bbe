//! All that a client has in the cluster, field by field. A field that is added, lost or spelt in another way is written to every client at the next start.

use serde_json::{Value, json};

use super::*;

fn client() -> ManagedClient {
    let account = |name: &str, field: &str, target: Value| json!({"name": name, field: target});
    let mut organization = account("org", "awsOrganization", json!({"accountId": "000000000001", "regions": ["eu-west-1"]}));
    organization["allow"] = json!(["Backup", "Revoke"]);
    organization["discoveryIntervalMinutes"] = json!(15);
    organization["inventoryRetentionDays"] = json!(7);
    organization["baselineAfterDays"] = json!(3);
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "generation": 1},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
            "providerProfile": "east",
            "groups": [{"group": "readers", "role": "View"}, {"group": "doers", "role": "Edit"}, {"group": "watchers", "role": "View"}],
            "quota": {"cpuCores": 3, "memoryGib": 5, "pods": 7},
            "scope": {"include": [{"region": "eu-west-1"}]},
            "accounts": [
                organization,
                account("sub", "azure", json!({"subscriptionId": "AAAAAAAA-0000-4000-8000-000000000001"})),
                account("project", "gcp", json!({"projectId": "acme-prod"})),
                account("prod", "aws", json!({"accountId": "222222222222"})),
            ],
            "monitoring": {"tiers": [{"name": "one", "afterMinutes": 0, "webhookUrl": "https://desk.example/alerts"}]},
            "backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "k", "value": "v"}, "regions": ["eu-west-1"]},
            "exit": {"recipients": ["age1"]},
        },
        "status": {"externalIds": {"org": "e1", "prod": "e2", "sub": "of an account that was of another cloud"}},
    }))
    .unwrap()
}

/// The organization as its controller leaves it: with one account.
fn observed() -> Observed {
    let parent = serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "org"},
        "spec": {"awsOrganization": {"accountId": "000000000001", "externalId": "e1"}},
        "status": {"members": [{"id": "111111111111", "state": "Active", "since": "2026-01-01T00:00:00Z"}]},
    }))
    .unwrap();
    Observed { accounts: vec![parent], ..Observed::default() }
}

/// The plan as plain data.
fn planned(client: &ManagedClient, observed: &Observed) -> Value {
    let plain = |made: &Desired| {
        let mut labels = made.labels.clone();
        labels.sort();
        json!({"object": made.describe(), "labels": labels, "body": made.body})
    };
    plan(client, observed, Timestamp::UNIX_EPOCH).iter().map(plain).collect()
}

#[test]
fn the_whole_plan_is_as_it_was() {
    let expected: Value = serde_json::from_str(include_str!("tests/plan.json")).unwrap();
    let found = planned(&client(), &observed());
    let pretty = serde_json::to_string_pretty(&found).unwrap();
    assert_eq!(found.as_array().unwrap().len(), expected.as_array().unwrap().len(), "{pretty}");
    for (found, expected) in found.as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
        assert_eq!(found, expected);
    }
}

#[test]
fn an_empty_list_is_named_so_that_nobody_else_fills_it() {
    let mut client = client();
    client.spec.accounts.truncate(1);
    client.spec.accounts[0].allow.clear();
    let mut unlisted = observed();
    unlisted.accounts.clear();
    let plan = plan(&client, &unlisted, Timestamp::UNIX_EPOCH);
    let of = |kind: &str| &plan.iter().find(|made| made.kind == kind).unwrap().body["spec"];
    assert_eq!(of("CloudAccount")["allow"], json!([]));
    assert_eq!(of("MonitoringStack")["accounts"], json!([]));
}

#[test]
fn names_are_asked_for_where_the_cluster_resolves_them() {
    let dns = r#"[{"namespace": "openshift-dns", "ports": [5353]}]"#.parse().unwrap();
    let (usual, other) =
        (plan(&client(), &observed(), Timestamp::UNIX_EPOCH), plan(&client(), &Observed { dns, ..observed() }, Timestamp::UNIX_EPOCH));
    let differs: Vec<String> = usual.iter().zip(&other).filter(|(one, other)| one != other).map(|(one, _)| one.describe()).collect();
    assert_eq!(differs, ["NetworkPolicy client-acme/allow-dns"], "nothing else follows the setting");
    let policy = other.iter().find(|made| made.name == "allow-dns").unwrap();
    let text = policy.body["spec"]["egress"].to_string();
    assert!(text.contains("openshift-dns") && text.contains("5353") && !text.contains("kube-system"), "{text}");
}

/// Months after the exit nobody of the provider's is to be woken for a machine of somebody who has left, and no packet goes to it.
#[test]
fn a_client_that_has_left_is_watched_until_its_transition_is_over() {
    let left = |exit: Value| {
        let mut client = client();
        let told = json!([{
            "type": "HandedOver", "status": "True", "reason": "HandedOver", "message": "handed over", "lastTransitionTime": "2027-03-01T12:00:00Z",
        }]);
        client.spec.exit = serde_json::from_value(exit).unwrap();
        client.status = Some(serde_json::from_value(json!({"handedOverBy": "final", "conditions": told})).unwrap());
        client
    };
    let ends = json!({"recipients": ["age1"], "contract": {"endsOn": "2027-03-31"}});
    let moves = json!({"recipients": ["age1"], "contract": {"endsOn": "2027-03-31", "transition": {"days": 30}}});
    for (why, client, now, watched) in [
        ("it is here", client(), "2027-03-01T11:00:00Z", true),
        ("it has left", left(json!({"recipients": ["age1"]})), "2027-03-01T12:00:00Z", false),
        ("the contract still runs", left(ends.clone()), "2027-03-31T23:59:59Z", true),
        ("and is over", left(ends), "2027-04-01T00:00:00Z", false),
        ("in transition", left(moves.clone()), "2027-04-30T23:59:59Z", true),
        ("after it", left(moves), "2027-05-01T00:00:00Z", false),
    ] {
        let now: Timestamp = now.parse().unwrap();
        let plan = plan(&client, &observed(), now);
        let stack = plan.iter().find(|made| made.kind == "MonitoringStack").expect("what was measured stays");
        assert_eq!(stack.body["spec"]["accounts"] != json!([]), watched, "{why}");
        let (status, _) = status(&client, &observed(), &[], &Report::default(), now);
        let told = status.conditions.iter().find(|condition| condition.type_ == "MonitoringReady").unwrap();
        assert_eq!(told.reason != "HandedOver", watched, "{why}: {}", told.message);
    }
}
