use serde_json::json;

use super::*;

const NOW: i64 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn now() -> Timestamp {
    at(NOW)
}

fn terms() -> PodTerms {
    PodTerms { image: "registry.example/caretaker:1".into(), has_pull_secret: false }
}

/// A client with these conditions True, and this isolation status.
fn client(is_true: &[&str], isolation: Value) -> ManagedClient {
    let condition = |kind: &&str| json!({"type": kind, "status": "True", "reason": "Settled", "message": "", "observedGeneration": 1, "lastTransitionTime": "2026-11-28T01:00:00Z"});
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient",
        "metadata": {"name": "acme", "uid": "u1", "generation": 1, "creationTimestamp": at(NOW - 60).to_string()},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}},
            "accounts": [{"name": "prod", "aws": {"accountId": "222222222222"}}],
            "monitoring": {"tiers": [{"name": "one", "afterMinutes": 0, "webhookUrl": "https://desk.example/alerts"}]},
            "exit": {"recipients": ["age1"]},
        },
        "status": {"conditions": is_true.iter().map(condition).collect::<Vec<_>>(), "isolation": isolation},
    }))
    .unwrap()
}

fn asking(mut client: ManagedClient, value: &str) -> ManagedClient {
    client.annotations_mut().insert(ISOLATION_TEST_AT.into(), value.into());
    client
}

/// The pod of a test, in this state.
fn seen(client: &ManagedClient, uid: &str, state: Value) -> Seen {
    let mut made = pod(client, &terms(), &attempts("client-acme", false, &[]));
    made["metadata"]["uid"] = json!(uid);
    made["status"] =
        json!({"containerStatuses": [{"name": "test", "image": "x", "imageID": "", "ready": false, "restartCount": 0, "state": state}]});
    Seen { terms: Some(terms()), pod: Some(serde_json::from_value(made).unwrap()), others: Vec::new() }
}

fn words(openings: &[&str]) -> Value {
    let list = attempts("client-acme", false, &[]);
    let found = |attempt: &Attempt| {
        let must = attempt.expected == caretaker_api::isolation::Expected::Works;
        json!({"works": must != openings.iter().any(|open| attempt.what.contains(open)), "told": "so"})
    };
    json!({"terminated": {"exitCode": 0, "message": json!(list.iter().map(found).collect::<Vec<_>>()).to_string()}})
}

fn running(second: i64) -> Value {
    json!({"running": {"startedAt": at(second).to_string(), "podUid": "p1"}})
}

/// Status, reason and message of the condition, and the new status.
fn settled(client: &ManagedClient, seen: &Seen, began: Option<&Began>) -> (String, String, String, IsolationStatus) {
    let conditions = client.status.as_ref().unwrap().conditions.clone();
    let mut set = ConditionSet::new(&conditions, &[ConditionType::Isolated], 1, now());
    let stage = stage(client, true, false, now());
    let (status, _) = settle(client, (&stage, seen), began, &mut set, now());
    let found = set.get(ConditionType::Isolated).unwrap().clone();
    (found.status, found.reason, found.message, status.unwrap_or_default())
}

#[test]
fn a_test_is_due_by_the_table() {
    let ready = ["NamespaceReady", "MonitoringReady"];
    let last = |ago: i64| json!({"lastTest": at(NOW - ago).to_string()});
    let good = ["NamespaceReady", "MonitoringReady", "Isolated"];
    let cases = [
        ("the namespace is not ready", client(&["MonitoringReady"], json!(null)), Stage::Early),
        ("the first one comes when monitoring is ready", client(&ready, json!(null)), Stage::Due),
        ("monitoring is waited for", client(&["NamespaceReady"], json!(null)), Stage::Waits(Duration::from_secs(540))),
        ("one that found openings is made again soon", client(&ready, last(599)), Stage::Waits(Duration::from_secs(1))),
        ("and then", client(&ready, last(600)), Stage::Due),
        ("one that found none stands for a day", client(&good, last(27 * 3600)), Stage::Due),
        ("one that somebody asks for", asking(client(&good, last(60)), "now"), Stage::Due),
        (
            "one that was asked for and made",
            asking(client(&ready, json!({"lastTest": at(NOW - 60).to_string(), "lastHandledRequest": "now"})), "now"),
            Stage::Waits(Duration::from_secs(540)),
        ),
        (
            "a request that was taken back asks for nothing",
            client(&ready, json!({"lastTest": at(NOW - 60).to_string(), "lastHandledRequest": "now"})),
            Stage::Waits(Duration::from_secs(540)),
        ),
        ("one runs", client(&ready, running(NOW - 5)), Stage::Runs),
    ];
    for (why, client, expected) in cases {
        assert_eq!(stage(&client, true, false, now()), expected, "{why}");
    }
    assert!(matches!(stage(&client(&good, last(20 * 3600)), true, false, now()), Stage::Waits(_)), "less than a day");
    assert_eq!(stage(&client(&ready, json!(null)), false, false, now()), Stage::Off);
    assert_eq!(stage(&client(&ready, running(NOW - 5)), true, true, now()), Stage::Ended);
}

#[test]
fn a_client_that_has_just_become_ready_is_tested_soon() {
    let client = client(&["NamespaceReady"], json!(null));
    let seen = Seen { terms: Some(terms()), ..Seen::default() };
    let look = |is_ready: bool| {
        let conditions = client.status.as_ref().unwrap().conditions.clone();
        let mut set = ConditionSet::new(&conditions, &[ConditionType::NamespaceReady, ConditionType::MonitoringReady], 1, now());
        if is_ready {
            set.set(ConditionType::MonitoringReady, Is::True, Reason::Settled, "");
        }
        settle(&client, (&stage(&client, true, false, now()), &seen), None, &mut set, now()).1
    };
    assert_eq!((look(false), look(true)), (Some(Duration::from_secs(540)), Some(LOOK)));
}

#[test]
fn a_pod_that_is_left_over_goes_before_a_test_begins() {
    let client = client(&["NamespaceReady", "MonitoringReady"], json!(null));
    let left = seen(&client, "p0", words(&[]));
    assert_eq!(step(&client, &Stage::Due, &left, now()), Step::Delete("p0".into()));
    let (status, .., isolation) = settled(&client, &left, None);
    assert_eq!((status.as_str(), isolation), ("Unknown", IsolationStatus::default()), "its words count for nothing");
    let none = Seen { terms: Some(terms()), ..Seen::default() };
    let Step::Begin(made) = step(&client, &Stage::Due, &none, now()) else { panic!("a test begins") };
    assert!(made.to_string().contains("prometheus-operated"), "its own monitoring is a control");
}

#[test]
fn what_a_test_told_becomes_the_condition() {
    let ready = ["NamespaceReady", "MonitoringReady"];
    let run = client(&ready, running(NOW - 20));
    let cases = [
        ("all is closed", seen(&run, "p1", words(&[])), "True", "Proven", "was refused 7 of 7 things"),
        (
            "the metadata is open",
            seen(&run, "p1", words(&["169.254.169.254"])),
            "False",
            "WayOpen",
            "169.254.169.254:80, the metadata of clouds (so)",
        ),
        ("nothing works", seen(&run, "p1", words(&["DNS"])), "Unknown", "ControlFailed", "DNS: names of Services (so)"),
        ("another pod", seen(&run, "p2", words(&[])), "Unknown", "TestFailed", "another pod has taken its name"),
        ("no pod", Seen { terms: Some(terms()), ..Seen::default() }, "Unknown", "TestFailed", "was deleted before it had ended"),
        (
            "it was killed",
            seen(&run, "p1", json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})),
            "Unknown",
            "TestFailed",
            "its pod ended with 137 (OOMKilled)",
        ),
        (
            "its image was changed",
            Seen { terms: Some(PodTerms { image: "other".into(), ..terms() }), ..seen(&run, "p1", words(&[])) },
            "Unknown",
            "TestFailed",
            "another image",
        ),
    ];
    for (why, seen, status, reason, part) in cases {
        let found = settled(&run, &seen, None);
        assert_eq!((found.0.as_str(), found.1.as_str()), (status, reason), "{why}: {}", found.2);
        assert!(found.2.contains(part), "{why}: {}", found.2);
        assert!(found.3.running.is_none() && found.3.last_test.is_some(), "{why}");
        let is_left = seen.pod.is_some();
        assert_eq!(step(&run, &Stage::Runs, &seen, now()) != Step::None, is_left, "{why}: the pod goes");
    }
}

#[test]
fn a_pod_that_runs_when_tests_end_goes_too() {
    let client = client(&["NamespaceReady"], running(NOW - 5));
    let held = seen(&client, "p1", json!({"running": {"startedAt": at(NOW - 4).to_string()}}));
    for stage in [Stage::Off, Stage::Ended] {
        assert!(looks(&client, &stage));
        assert_eq!(step(&client, &stage, &held, now()), Step::Delete("p1".into()), "{stage:?}");
        let mut set = ConditionSet::new(&[], &[ConditionType::Isolated], 1, now());
        let (left, _) = settle(&client, (&stage, &held), None, &mut set, now());
        assert!(left.unwrap().running.is_none(), "it is looked for once");
    }
}

#[test]
fn a_test_that_goes_on_is_waited_for_and_one_that_hangs_is_told() {
    let waits = |reason: &str| json!({"waiting": {"reason": reason, "message": "so"}});
    let cases = [
        ("ContainerCreating", 100, false),
        ("ContainerCreating", 300, true),
        ("ImagePullBackOff", 30, false),
        ("ImagePullBackOff", 50, true),
    ];
    for (why, ago, is_told) in cases {
        let client = client(&["NamespaceReady"], running(NOW - ago));
        let held = seen(&client, "p1", waits(why));
        let (_, reason, message, isolation) = settled(&client, &held, None);
        assert_eq!(isolation.running.is_none(), is_told, "{why} since {ago} s");
        let expected = if is_told { Step::Delete("p1".into()) } else { Step::None };
        assert_eq!(step(&client, &Stage::Runs, &held, now()), expected, "{why} since {ago} s");
        if is_told {
            assert_eq!(reason, "TestFailed");
            assert!(message.ends_with(&format!("its pod has not come to its end: {why} so")), "{message}");
        }
    }
}

#[test]
fn a_pod_that_cannot_be_made_is_told_and_what_was_let_in_is_an_opening() {
    let client = client(&["NamespaceReady", "MonitoringReady"], json!(null));
    let none = Seen { terms: Some(terms()), ..Seen::default() };
    let refused = Began { pod_uid: Err("exceeded quota: caretaker".into()), attempts: Vec::new() };
    let (status, reason, message, isolation) = settled(&client, &none, Some(&refused));
    assert_eq!((status.as_str(), reason.as_str()), ("Unknown", "TestFailed"));
    assert!(message.ends_with("its pod cannot be made: exceeded quota: caretaker") && isolation.last_test.is_some(), "{message}");
    let row = IsolationAttempt {
        what: "admission: a privileged pod".into(),
        expected: caretaker_api::isolation::Expected::Refused,
        seen: "it was let in".into(),
        as_expected: false,
    };
    let began = Began { pod_uid: Err("x".into()), attempts: vec![row.clone()] };
    assert_eq!(settled(&client, &none, Some(&began)).1, "WayOpen");
    let began = Began { pod_uid: Ok("p1".into()), attempts: vec![row] };
    let (status, reason, _, isolation) = settled(&client, &none, Some(&began));
    assert_eq!((status.as_str(), reason.as_str()), ("Unknown", "Progressing"));
    assert_eq!(isolation.running.unwrap().attempts.len(), 1);
}
