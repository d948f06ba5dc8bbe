use caretaker_api::cloud_account::AccessStatus;
use serde_json::json;

use super::*;

fn account() -> CloudAccount {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod", "generation": 1, "uid": "u"},
        "spec": {"aws": {"accountId": "111122223333", "externalId": "e1"}},
    }))
    .unwrap()
}

fn proof() -> Identity {
    Identity { account: "111122223333".into(), principal: "us".into() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// An account whose access was proven at second 1000, and whose wait is noted until `throttled`.
fn proven(throttled: Option<i64>) -> CloudAccount {
    let done = Done { proof: Some(Ok(proof())), ..Done::default() };
    let (mut known, _) = status(&account(), &Observed::default(), &[], &done, at(1000));
    known.throttled_until = throttled.map(|second| Time(at(second)));
    let inventory = caretaker_api::cloud_account::InventoryStatus { taken_at: Some(Time(at(1000))), ..Default::default() };
    known.inventory = Some(inventory);
    CloudAccount { status: Some(known), ..account() }
}

#[test]
fn a_throttled_reading_is_noted_and_takes_no_proof_back() {
    let throttled = CloudError::new(ErrorClass::Throttled(Some(Duration::from_secs(90))), "ec2:DescribeInstances", "wait");
    let done = Done { proof: Some(Ok(proof())), inventory: Some(Err(throttled)), ..Done::default() };
    let (status, outcome) = status(&account(), &Observed::default(), &[], &done, at(1000));
    assert_eq!(status.throttled_until, Some(Time(at(1090))));
    assert!(matches!(&outcome, Outcome::Waiting(wait) if wait.reason == Reason::Throttled), "{outcome:?}");
    assert_eq!(find(&status.conditions, ConditionType::AccessProven).unwrap().status, "True");
}

#[test]
fn what_is_due_follows_from_edits_waits_and_proofs() {
    let edited = |mut account: CloudAccount| {
        account.metadata.generation = Some(2);
        account
    };
    let unproven = CloudAccount {
        status: Some(CloudAccountStatus {
            access: Some(AccessStatus { generation: Some(1), proven_at: Some(Time(at(1000))), ..AccessStatus::default() }),
            ..proven(None).status.unwrap()
        }),
        ..account()
    };
    let unproven = {
        let mut account = unproven;
        account.status.as_mut().unwrap().conditions.clear();
        account
    };
    for (why, account, prove, discover) in [
        ("never visited", account(), true, true),
        ("all is fresh", proven(None), false, false),
        ("an edit asks for both", edited(proven(None)), true, true),
        ("an edit does not end a wait", edited(proven(Some(2000))), false, false),
        ("a wait that is over", edited(proven(Some(1001))), true, true),
        ("not proven any more", unproven, true, false),
    ] {
        let plan = plan(&account, &Observed::default(), at(1010));
        assert_eq!((plan.prove, plan.discover), (prove, discover), "{why}");
    }
    let mut without = account();
    without.spec.target = serde_json::from_value(json!({"aws": {"accountId": "111122223333"}})).unwrap();
    assert!(plan(&without, &Observed::default(), at(1)).make_external_id);
    let ending = crate::handover::ending::AccountEnding { is_proved: false, message: String::new() };
    assert!(!plan(&without, &Observed { ending: Some(ending), ..Observed::default() }, at(1)).make_external_id, "not after the exit");
}
