use serde_json::{Value, json};

use super::*;
use crate::managed_client::CONDITIONS;

fn client(exit: Value, status: Value) -> ManagedClient {
    let mut terms = json!({"recipients": ["age1"]});
    terms.as_object_mut().unwrap().extend(exit.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
        "spec": {"displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [], "exit": terms},
        "status": status,
    }))
    .unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn left(at: &str) -> Value {
    let condition = json!({"type": "HandedOver", "status": "True", "reason": "HandedOver", "message": "", "lastTransitionTime": at});
    json!({"handedOverBy": "final", "conditions": [condition], "erasure": {"announcedAt": at}})
}

fn erased(since: &str, at: &str) -> Value {
    let mut status = left(since);
    status["erasure"] = json!({"announcedAt": since, "completedAt": at});
    status
}

fn delivered(at: Option<&str>) -> Vec<Handover> {
    let steps = at.map(|at| json!({"step": "Verify", "state": "Completed", "completedAt": at, "message": ""}));
    let object = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "final"}, "spec": {"mode": "Final"},
        "status": {"steps": steps.into_iter().collect::<Vec<_>>()},
    });
    vec![serde_json::from_value(object).unwrap()]
}

/// Kind, rule, moment and state of each.
fn told(client: &ManagedClient, handovers: &[Handover], now: &str) -> Vec<String> {
    let of = |deadline: Deadline| format!("{:?} {} {} {:?}", deadline.kind, deadline.rule, deadline.at.0, deadline.state);
    deadlines(client, handovers, at(now)).into_iter().map(of).collect()
}

#[test]
fn days_of_a_contract_end_at_midnight_of_its_zone() {
    let exit = json!({"contract": {"endsOn": "2027-03-28", "zone": "Europe/Zurich", "noticeDays": 30}});
    let expected = [
        "Notice Contract 2027-02-26T23:00:00Z Pending",
        // The clocks go forward on the last day: its midnight is that of summer time.
        "Delivery Contract 2027-03-28T22:00:00Z Pending",
        "Retrieval Contract 2027-04-27T22:00:00Z Pending",
        "Erasure Contract 2027-04-28T22:00:00Z Pending",
    ];
    assert_eq!(told(&client(exit, Value::Null), &[], "2026-11-28T00:00:00Z"), expected);
}

#[test]
fn each_state_has_its_edge() {
    let contract = |more: Value| {
        let mut terms = json!({"endsOn": "2027-03-31", "noticeDays": 10});
        terms.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"contract": terms})
    };
    let plain = || contract(json!({}));
    let hold = json!({"contract": {"endsOn": "2027-03-31"}, "legalHold": {"by": "court", "reason": "case 7"}});
    let (early, late) = (delivered(Some("2027-03-31T23:59:59Z")), delivered(Some("2027-04-01T00:00:00Z")));
    for (why, exit, status, handovers, now, kind, expected) in [
        ("notice is asked for", plain(), Value::Null, &[][..], "2027-03-01T00:00:00Z", "Notice", Some("Pending")),
        ("two weeks before", plain(), Value::Null, &[], "2027-03-08T00:00:01Z", "Notice", Some("Near")),
        ("nobody gave notice", plain(), Value::Null, &[], "2027-03-22T00:00:00Z", "Notice", Some("Passed")),
        (
            "it was given",
            contract(json!({"notice": {"givenOn": "2027-03-01", "by": "Client"}})),
            Value::Null,
            &[],
            "2027-03-02T00:00:00Z",
            "Notice",
            None,
        ),
        ("no bundle on the last day", plain(), Value::Null, &[], "2027-03-31T23:59:59Z", "Delivery", Some("Near")),
        ("no bundle after it", plain(), Value::Null, &[], "2027-04-01T00:00:00Z", "Delivery", Some("Missed")),
        ("in the last second", plain(), Value::Null, &early, "2027-05-01T00:00:00Z", "Delivery", Some("Met")),
        ("a second late", plain(), Value::Null, &late, "2027-05-01T00:00:00Z", "Delivery", Some("Missed")),
        ("an exit under way has no bundle yet", plain(), Value::Null, &delivered(None), "2027-04-01T00:00:00Z", "Delivery", Some("Missed")),
        ("it never began", plain(), Value::Null, &[], "2028-01-01T00:00:00Z", "Erasure", Some("Pending")),
        (
            "it was left, and nothing was erased",
            plain(),
            left("2027-03-31T00:00:00Z"),
            &early,
            "2027-05-02T00:00:00Z",
            "Erasure",
            Some("Missed"),
        ),
        (
            "erased in time",
            plain(),
            erased("2027-03-31T00:00:00Z", "2027-05-01T12:00:00Z"),
            &early,
            "2027-06-01T00:00:00Z",
            "Erasure",
            Some("Met"),
        ),
        ("a hold", hold, left("2027-03-31T00:00:00Z"), &early, "2027-06-01T00:00:00Z", "Erasure", Some("Held")),
    ] {
        let found = told(&client(exit, status), handovers, now);
        let row = found.iter().find(|row| row.starts_with(kind));
        assert_eq!(row.and_then(|row| row.rsplit(' ').next()), expected, "{why}: {found:?}");
    }
}

#[test]
fn the_rules_set_their_clocks() {
    let moved = |days: u32| json!({"days": days, "reason": "20 TB"});
    let noticed = |transition: Value, regimes: Value| {
        let notice = json!({"givenOn": "2026-12-04", "by": "Client"});
        json!({"contract": {"noticeDays": 60, "notice": notice, "transition": transition}, "regimes": regimes, "retrievalDays": 30})
    };
    let now = "2026-12-05T00:00:00Z";
    // 4 December and 60 days are 2 February; the Data Act gives 30 more.
    let act = told(&client(noticed(Value::Null, json!(["DataAct"])), Value::Null), &[], now);
    assert_eq!(act[0], "Delivery DataAct 2027-03-05T00:00:00Z Pending");
    // 14 working days after Friday, 4 December: Thursday, 24 December.
    let longer = told(&client(noticed(moved(90), json!(["DataAct"])), Value::Null), &[], now);
    assert_eq!(longer[0], "Feasibility DataAct 2026-12-25T00:00:00Z Pending");
    assert_eq!(longer[1], "Delivery DataAct 2027-05-04T00:00:00Z Pending");
    // Tuesday, 8 December, is a holiday of the client's, and one that falls on a Sunday moves nothing.
    let mut with_holidays = noticed(moved(90), json!(["DataAct"]));
    with_holidays["contract"]["holidays"] = json!(["2026-12-08", "2026-12-13", "2026-12-25"]);
    assert_eq!(told(&client(with_holidays, Value::Null), &[], now)[0], "Feasibility DataAct 2026-12-29T00:00:00Z Pending");
    let mut told_so = noticed(moved(90), json!(["DataAct"]));
    told_so["contract"]["transition"]["toldOn"] = json!("2026-12-24");
    assert_eq!(told(&client(told_so.clone(), Value::Null), &[], "2027-01-05T00:00:00Z")[0], "Feasibility DataAct 2026-12-25T00:00:00Z Met");
    told_so["contract"]["transition"]["toldOn"] = json!("2026-12-25");
    assert_eq!(told(&client(told_so, Value::Null), &[], "2027-01-05T00:00:00Z")[0], "Feasibility DataAct 2026-12-25T00:00:00Z Missed");
    let far = json!({"contract": {"endsOn": "2026-12-31", "noticeDays": 0}, "regimes": ["Far"]});
    assert!(told(&client(far, Value::Null), &[], now).contains(&"PhaseOut Far 2027-04-01T00:00:00Z Pending".to_owned()));
    let hipaa = told(&client(json!({"regimes": ["Hipaa"], "retrievalDays": 5}), left("2026-12-01T00:00:00Z")), &[], now);
    assert_eq!(hipaa, ["Retrieval Hipaa 2026-12-06T00:00:00Z Near", "Erasure Hipaa 2026-12-07T00:00:00Z Near"]);
}

#[test]
fn nothing_is_erased_before_exit_transition_and_retrieval_are_over() {
    let exit = json!({"contract": {"endsOn": "2027-03-31"}, "retrievalDays": 10});
    for (why, exit, status, expected) in [
        ("the client is here", exit.clone(), Value::Null, None),
        ("it left before the contract's end", exit.clone(), left("2027-01-01T00:00:00Z"), Some("2027-04-11T00:00:00Z")),
        ("it left after it", exit, left("2027-05-01T06:00:00Z"), Some("2027-05-11T06:00:00Z")),
        ("there is no contract", json!({"retrievalDays": 0}), left("2027-05-01T06:00:00Z"), Some("2027-05-01T06:00:00Z")),
    ] {
        assert_eq!(erasable_from(&client(exit, status), at("2027-05-01T06:00:00Z")), expected.map(at), "{why}");
    }
}

#[test]
fn terms_that_a_rule_forbids_are_refused_with_the_cure() {
    for (why, exit, expected) in [
        ("nothing is said", json!({}), vec![]),
        ("no such day", json!({"contract": {"endsOn": "2027-02-30"}}), vec!["contract.endsOn"]),
        ("no such zone", json!({"contract": {"zone": "America/NewYork"}}), vec!["contract.zone"]),
        (
            "notice after the end",
            json!({"contract": {"endsOn": "2027-01-01", "notice": {"givenOn": "2027-01-02", "by": "Client"}}}),
            vec!["contract.notice.givenOn"],
        ),
        ("the Data Act at its edges", json!({"regimes": ["DataAct"], "retrievalDays": 30, "contract": {"noticeDays": 62}}), vec![]),
        (
            "beyond them",
            json!({"regimes": ["DataAct"], "retrievalDays": 29, "contract": {"noticeDays": 63, "transition": {"days": 31}}}),
            vec!["retrievalDays", "contract.noticeDays", "contract.transition.reason"],
        ),
        (
            "seven months",
            json!({"regimes": ["DataAct"], "contract": {"transition": {"days": 216, "reason": "x"}}}),
            vec!["contract.transition.days"],
        ),
        ("a holiday that is no day", json!({"contract": {"holidays": ["2026-12-25", "2026-02-30"]}}), vec!["contract.holidays[1]"]),
        ("DORA without a transition", json!({"regimes": ["Dora"]}), vec!["contract.transition"]),
        ("DORA with one", json!({"regimes": ["Dora"], "contract": {"transition": {"days": 90}}}), vec![]),
    ] {
        let found: Vec<String> = faults(&client(exit, Value::Null).spec.exit).into_iter().map(|fault| fault.field).collect();
        let expected: Vec<String> = expected.into_iter().map(|field| format!("spec.exit.{field}")).collect();
        assert_eq!(found, expected, "{why}");
    }
}

#[test]
fn a_contract_that_ends_begins_one_exit_and_only_where_it_says_so() {
    let begins = |at_end: &str, status: Value, handovers: &[Handover], now: &str| {
        let client = client(json!({"contract": {"endsOn": "2027-03-31", "zone": "America/New_York", "atEnd": at_end}}), status);
        contract_handover(&client, handovers, at(now)).map(|(name, spec)| (name, spec.mode, spec.client))
    };
    let begun = Some(("contract-end-20270331".to_owned(), HandoverMode::Final, "acme".to_owned()));
    let over = "2027-04-01T04:00:00Z";
    assert_eq!(begins("HandOver", Value::Null, &[], over), begun);
    assert_eq!(begins("HandOver", Value::Null, &[], "2027-04-01T03:59:59Z"), None, "the last day lasts in New York");
    assert_eq!(begins("Remind", Value::Null, &[], over), None);
    assert_eq!(begins("HandOver", left("2027-03-01T00:00:00Z"), &[], over), None, "it has left already");
    assert_eq!(begins("HandOver", Value::Null, &delivered(None), over), None, "an exit is under way");
    let mut off = delivered(None);
    off[0].spec.cancelled = Some(caretaker_api::handover::Cancellation { by: "Jo".into(), reason: "extended".into() });
    off[0]
        .status
        .get_or_insert_default()
        .steps
        .push(caretaker_api::handover::StepRecord { state: StepState::Cancelled, ..Default::default() });
    assert_eq!(begins("HandOver", Value::Null, &off, over), begun, "another one was called off");
    off[0].metadata.name = Some("contract-end-20270331".into());
    assert_eq!(begins("HandOver", Value::Null, &off, over), None, "this one was called off, and does not come back");
}

#[test]
fn a_missed_deadline_is_told_and_stands_in_the_way() {
    let exit = json!({"contract": {"endsOn": "2027-03-31"}});
    let of = |now: &str| {
        let client = client(exit.clone(), Value::Null);
        let found = deadlines(&client, &[], at(now));
        let mut set = ConditionSet::new(&[], CONDITIONS, 1, at(now));
        condition(&mut set, &found);
        let told = set.get(ConditionType::DeadlinesMet).cloned().unwrap();
        (told.status, told.reason, blocker(&found, &client))
    };
    assert_eq!(of("2027-01-01T00:00:00Z"), ("True".into(), "Settled".into(), None));
    let (is, _, near) = of("2027-03-25T00:00:00Z");
    assert!(is == "True" && near.as_ref().is_some_and(|why| why.contains("caretaker exit acme --final")), "{near:?}");
    let (is, reason, missed) = of("2027-04-01T00:00:00Z");
    assert!(is == "False" && reason == "DeadlineMissed" && missed.is_some_and(|why| why.starts_with("missed: Delivery")), "{is} {reason}");
    let none = client(json!({}), Value::Null);
    assert_eq!(deadlines(&none, &[], at("2027-01-01T00:00:00Z")), []);
}
