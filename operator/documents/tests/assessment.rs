//! The report of an assessment: all of it stands on the page, and nothing in it speaks to a browser.

use caretaker_api::{BackupPolicy, CloudAccount, ManagedClient};
use caretaker_core::assessment::{Assessment, assessment};
use caretaker_core::risks::World;
use caretaker_documents::assessment::{files, page};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Name of a thing as a stranger could give it.
const EVIL: &str = "<script>alert(1)</script>";

fn made(client_status: Value, account_status: Value, policy: bool) -> Assessment {
    let client: ManagedClient = serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
        "spec": {
            "displayName": format!("Acme {EVIL}"), "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [],
            "exit": {"recipients": ["age1"]}, "lifecycle": {"stage": "Assessment"},
        },
        "status": client_status,
    }))
    .unwrap();
    let accounts: Vec<CloudAccount> = vec![
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod"},
            "spec": {"aws": {"accountId": "200000000001"}}, "status": account_status,
        }))
        .unwrap(),
    ];
    let gap = json!({"state": "Unprotected", "account": "prod", "region": "eu-west-1", "kind": "ec2/volume", "id": "vol-1", "name": EVIL, "reason": "no point", "cure": "tag it"});
    let backups: Vec<BackupPolicy> = policy
        .then(|| {
            serde_json::from_value(json!({
                "apiVersion": "caretaker.dev/v1alpha1", "kind": "BackupPolicy", "metadata": {"name": "main"},
                "spec": {"accounts": ["prod"], "dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "k", "value": "v"}, "regions": ["eu-west-1"]},
                "status": {"protection": {"text": "1/2", "unprotected": 1, "unselected": 4, "gaps": [gap], "inventories": ""}},
            }))
            .unwrap()
        })
        .into_iter()
        .collect();
    let world = World {
        client: &client,
        accounts: &accounts,
        monitoring: &[],
        backups: &backups,
        reports: &[],
        changes: &[],
        incidents: &[],
        handovers: &[],
    };
    assessment(&world, "2026-06-10T00:00:00Z".parse::<Timestamp>().unwrap())
}

fn full() -> Assessment {
    let wrong = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "False", "reason": reason, "message": message, "lastTransitionTime": "2026-06-01T00:00:00Z"});
    let gate = json!({"name": "Contract", "before": "Onboarding", "state": "Closed", "since": "2026-06-01T00:00:00Z", "message": "no contract yet", "actor": "Client"});
    let inventory = json!({
        "digest": "d", "address": "a", "assets": 3, "byType": {"ec2/instance": 2, "s3/bucket": 1}, "takenAt": "2026-06-02T00:00:00Z",
        "coverage": {"text": "9/10", "planned": 10, "complete": 9, "notes": ["queues are not listed"],
            "gaps": [{"region": "eu-west-1", "service": "rds/instances", "verdict": "Denied", "cause": "allow rds:Describe"}]},
    });
    let account = json!({"inventory": inventory, "conditions": [wrong("LeastPrivilege", "PermissionsExcess", EVIL)]});
    made(json!({"lifecycle": {"phase": "Assessment"}, "gates": [gate]}), account, true)
}

#[test]
fn everything_stands_on_the_page_and_nothing_speaks_to_a_browser() {
    let text = page(&full());
    let plain = text.replace("&#x2f;", "/");
    for part in [
        "nothing may be written in any cloud",
        "ec2/instance",
        "rds/instances",
        "allow rds:Describe",
        "queues are not listed",
        "1/2",
        "4 could be backed up",
        "tag it",
        "LeastPrivilege",
        "the client takes away what is too much",
        "no contract yet",
        "&lt;script&gt;alert(1)",
    ] {
        assert!(plain.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("<script>"), "{text}");
    // It opens without a network.
    for outside in ["http://", "https://", "src=", "href=", "@import", "url("] {
        assert!(!text.contains(outside), "{outside}");
    }
    let [(name, json), (page_name, _)] = files(&full());
    assert_eq!((name, page_name), ("assessment.json", "assessment.html"));
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["format"], &value["readOnly"], &value["assets"]), (&json!("caretaker-assessment-1"), &json!(true), &json!(3)));
    assert_eq!(value["risks"][0]["owner"], "Client");
}

/// Nothing is read yet: the page says so, and claims nothing.
#[test]
fn what_is_not_known_is_not_called_well() {
    let text = page(&made(Value::Null, Value::Null, false));
    for part in ["at least 0", "not read", "not known", "Nothing is known of recovery points", "spec.backups is not set"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("Every account was read"), "{text}");
}
