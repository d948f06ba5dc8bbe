//! What is said of pods, by what the cluster says of them.

use serde_json::json;

use super::*;

fn pod(status: Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "prometheus-main-0", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "prometheus-main", "uid": "s"}]},
        "status": status,
    }))
    .unwrap()
}

fn waits(status: Value) -> String {
    match state(Part::Prometheus, "main", Seen { pods: &[pod(status)], events: &[], claims: &[], object: None }) {
        State::Waits(why) => why,
        State::Runs(_) => panic!("it does not run"),
    }
}

fn container(state: Value, last: Value) -> Value {
    json!({"containerStatuses": [{
        "name": "prometheus", "image": "registry.example/prometheus:v3", "imageID": "", "ready": false, "restartCount": 3, "state": state, "lastState": last,
    }]})
}

#[test]
fn a_pod_that_is_ready_runs_at_its_address() {
    let ready = json!({"podIP": "10.231.1.7", "conditions": [{"type": "Ready", "status": "True"}]});
    let found = state(Part::Prometheus, "main", Seen { pods: &[pod(ready.clone())], events: &[], claims: &[], object: None });
    assert_eq!(found, State::Runs(Some("10.231.1.7".parse().unwrap())));
    let others = state(Part::Prometheus, "other", Seen { pods: &[pod(ready.clone())], events: &[], claims: &[], object: None });
    assert!(matches!(others, State::Waits(_)), "it is another stack's");
    let mut leaving = pod(ready);
    leaving.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-11-28T00:00:00Z")).unwrap());
    assert!(
        matches!(state(Part::Prometheus, "main", Seen { pods: &[leaving], events: &[], claims: &[], object: None }), State::Waits(_)),
        "it is going"
    );
}

#[test]
fn what_keeps_a_pod_from_running_is_named() {
    let pull = |reason: &str| container(json!({"waiting": {"reason": reason, "message": "Back-off 3m20s"}}), json!({}));
    for (status, expected) in [
        (pull("ErrImagePull"), "cannot start container prometheus: ImagePullBackOff: image registry.example/prometheus:v3"),
        (pull("ImagePullBackOff"), "cannot start container prometheus: ImagePullBackOff: image registry.example/prometheus:v3"),
        (
            container(
                json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting"}}),
                json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            ),
            "cannot start container prometheus: CrashLoopBackOff: it ended with 137 (OOMKilled)",
        ),
        (
            container(json!({"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"x\" not found"}}), json!({})),
            "cannot start container prometheus: CreateContainerConfigError: secret \"x\" not found",
        ),
        (container(json!({"terminated": {"exitCode": 2, "reason": "Error"}}), json!({})), "ended container prometheus with 2 (Error)"),
        (container(json!({"waiting": {"reason": "PodInitializing"}}), json!({})), "is not ready: container prometheus is starting"),
        (
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "pod has unbound immediate PersistentVolumeClaims"}]}),
            "has no node: pod has unbound immediate PersistentVolumeClaims",
        ),
        (json!({}), "is not ready"),
    ] {
        assert_eq!(waits(status), format!("pod prometheus-main-0 {expected}"));
    }
}

#[test]
fn what_keeps_a_pod_from_being_made_is_named() {
    let event: Event = serde_json::from_value(json!({
        "metadata": {}, "type": "Warning", "reason": "FailedCreate",
        "involvedObject": {"kind": "StatefulSet", "name": "prometheus-main"},
        "message": "create Pod prometheus-main-0 in StatefulSet prometheus-main failed error: exceeded quota: caretaker",
    }))
    .unwrap();
    let late = json!({});
    let refused =
        json!({"conditions": [{"type": "Reconciled", "status": "False", "observedGeneration": 2, "message": "scrape config: bad"}]});
    let old = json!({"conditions": [{"type": "Reconciled", "status": "True", "observedGeneration": 1}]});
    let fine = json!({"conditions": [{"type": "Reconciled", "status": "True", "observedGeneration": 2}]});
    let none: &[Event] = &[];
    for (events, object, expected) in [
        (std::slice::from_ref(&event), Some((Some(2), &fine)), "exceeded quota: caretaker"),
        (none, Some((Some(2), &late)), "has not taken up the object Prometheus"),
        (none, Some((Some(2), &old)), "has not taken up the object Prometheus"),
        (none, Some((Some(2), &refused)), "the prometheus-operator says: scrape config: bad"),
        (none, Some((Some(2), &fine)), "its pod is not made yet"),
        (none, None, "Prometheus is not made yet"),
    ] {
        let State::Waits(why) = state(Part::Prometheus, "main", Seen { pods: &[], events, claims: &[], object }) else {
            panic!("{expected}")
        };
        assert!(why.contains(expected), "{why}: {expected}");
    }
    let other = state(Part::Alertmanager, "main", Seen { pods: &[], events: &[event], claims: &[], object: Some((Some(2), &fine)) });
    assert_eq!(other, State::Waits("its pod is not made yet".into()), "the event is the other part's");
}
