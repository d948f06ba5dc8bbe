//! What is said of prometheus-operators, by their pods at one look after the other.

use serde_json::{Value, json};

use super::*;

fn pod(name: &str, args: &[&str], is_ready: bool) -> Pod {
    of("prometheus-operator", name, args, is_ready)
}

fn of(label: &str, name: &str, args: &[&str], is_ready: bool) -> Pod {
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff"}});
    let state: Value = if is_ready { json!({"running": {}}) } else { waiting };
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "monitoring", "labels": {"app.kubernetes.io/name": label}},
        "spec": {"containers": [{"name": "operator", "args": args}]},
        "status": {
            "conditions": [{"type": "Ready", "status": if is_ready { "True" } else { "False" }}],
            "containerStatuses": [{
                "name": "operator", "image": "registry.example/operator:1", "imageID": "", "ready": is_ready, "restartCount": 0, "state": state,
            }],
        },
    }))
    .unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn away(attendants: &Attendants, is_taken_up: bool, second: i64) -> String {
    match attendants.of("client-acme", is_taken_up, at(second)) {
        Attended::No(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_that_is_removed_while_it_runs_is_told_after_a_moment_and_is_well_again_at_once() {
    let mut attendants = Attendants::default();
    attendants.look(&[pod("operator-1", &[], true)], at(0));
    assert_eq!(attendants.of("client-acme", true, at(0)), Attended::Yes);
    attendants.look(&[], at(60));
    assert_eq!(attendants.of("client-acme", true, at(60)), Attended::Missed, "it may be on its way to another node");
    attendants.look(&[], at(70));
    attendants.look(&[], at(80));
    let why = away(&attendants, true, 80);
    assert!(why.contains("pod monitoring/operator-1 is gone"), "{why}");
    attendants.look(&[pod("operator-2", &[], false)], at(95));
    assert!(
        away(&attendants, true, 95).contains("monitoring/operator-2 cannot start container operator: ImagePullBackOff"),
        "it is back, and broken"
    );
    attendants.look(&[pod("operator-3", &[], true)], at(100));
    assert_eq!(attendants.of("client-acme", true, at(100)), Attended::Yes);
    attendants.look(&[], at(110));
    assert_eq!(attendants.of("client-acme", true, at(129)), Attended::Missed, "the moment begins anew");
}

#[test]
fn of_one_that_no_label_tells_nothing_is_claimed() {
    let mut attendants = Attendants::default();
    for second in [0, 60, 120] {
        attendants.look(&[of("cert-manager", "other", &["--namespaces=x"], true)], at(second));
        for is_taken_up in [true, false] {
            assert_eq!(attendants.of("client-acme", is_taken_up, at(second)), Attended::Unknown);
        }
    }
    // Such as OpenShift's own beside one of the provider's.
    attendants.look(&[pod("platform", &["--namespaces=openshift-monitoring"], true)], at(180));
    assert_eq!(attendants.of("client-acme", true, at(180)), Attended::Unknown, "somebody has taken the objects up");
    assert!(away(&attendants, false, 180).contains("--namespaces=openshift-monitoring does not name client-acme"));
}

#[test]
fn flags_that_leave_the_namespace_out_are_named() {
    for (args, told) in [
        (&["--namespaces=a,b"][..], Some("--namespaces=a,b does not name client-acme")),
        (&["-namespaces", "a"], Some("--namespaces=a does not name client-acme")),
        (&["--deny-namespaces=a,client-acme"], Some("--deny-namespaces names client-acme")),
        (&["--prometheus-instance-namespaces=a"], Some("--prometheus-instance-namespaces=a does not name")),
        (&["--alertmanager-instance-namespaces=a"], Some("--alertmanager-instance-namespaces=a does not name")),
        (&["--namespaces=a,client-acme"], None),
        (&["--namespaces="], None),
        (&["--namespaces=$(NAMESPACES)"], None),
        (&["--deny-namespaces=a", "--log-level=info"], None),
        (&["--kubelet-service=kube-system/kubelet", "--log-format=namespaces=a"], None),
    ] {
        let mut attendants = Attendants::default();
        attendants.look(&[of("kube-prometheus-stack-prometheus-operator", "operator", args, true)], at(0));
        match (attendants.of("client-acme", false, at(0)), told) {
            (Attended::No(why), Some(told)) => assert!(why.contains(told) && why.contains("pod monitoring/operator"), "{args:?}: {why}"),
            (Attended::Yes, None) => {}
            (found, _) => panic!("{args:?}: {found:?}"),
        }
    }
}

#[test]
fn one_that_is_started_again_for_other_namespaces_is_told_though_all_runs() {
    let mut attendants = Attendants::default();
    attendants.look(&[pod("operator-1", &[], true)], at(0));
    attendants.look(&[pod("operator-2", &["--namespaces=a"], true)], at(60));
    assert!(away(&attendants, true, 60).contains("--namespaces=a does not name client-acme"));
    attendants.look(&[pod("operator-2", &["--namespaces=a"], true), pod("operator-3", &["--namespaces=client-acme"], true)], at(120));
    assert_eq!(attendants.of("client-acme", true, at(120)), Attended::Yes, "one of two is enough");
}
