use serde_json::{Value, json};

use super::*;

fn client() -> ManagedClient {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [],
            "exit": {"recipients": ["age1"]}, "lifecycle": {"stage": "Assessment"},
        },
        "status": {"lifecycle": {"phase": "Assessment"}},
    }))
    .unwrap()
}

fn account(name: &str, status: Value) -> CloudAccount {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name},
        "spec": {"aws": {"accountId": "200000000001"}}, "status": status,
    }))
    .unwrap()
}

#[test]
fn what_was_read_is_counted_and_what_was_not_is_said() {
    let proven = json!([{"type": "AccessProven", "status": "True", "reason": "Proven", "message": "", "lastTransitionTime": "2026-06-01T00:00:00Z"}]);
    let read = json!({
        "conditions": proven,
        "inventory": {
            "digest": "d", "address": "a", "assets": 3, "byType": {"ec2/instance": 2, "s3/bucket": 1}, "takenAt": "2026-06-01T00:00:00Z",
            "coverage": {"text": "9/10", "planned": 10, "complete": 9, "gaps": [{"region": "eu-west-1", "service": "ec2", "verdict": "Denied", "cause": "no"}]},
        },
    });
    let accounts = [account("prod", read.clone()), account("test", read), account("new", json!({}))];
    let client = client();
    let world = World {
        client: &client,
        accounts: &accounts,
        monitoring: &[],
        backups: &[],
        reports: &[],
        changes: &[],
        incidents: &[],
        handovers: &[],
    };
    let told = assessment(&world, Timestamp::UNIX_EPOCH);
    assert_eq!((told.assets, told.by_type["ec2/instance"], told.read_only, told.phase), (6, 4, true, Phase::Assessment));
    assert_eq!((told.accounts[0].access, told.accounts[0].coverage.as_str(), told.accounts[0].gaps.len()), (Some(true), "9/10", 1));
    assert_eq!((told.accounts[2].access, told.accounts[2].coverage.as_str()), (None, "Unknown"), "nothing known is not none");
    assert_eq!(told.unknown.len(), 2, "{:?}", told.unknown);
    assert!(told.unknown[0].contains("account new") && told.unknown[1].contains("spec.backups is not set"), "{:?}", told.unknown);
}
