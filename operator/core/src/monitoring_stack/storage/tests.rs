//! What is made of volumes, and what is said of them, by what is there.

use caretaker_cloud::Cloud;
use serde_json::{Value, json};

use super::super::pods::{Seen, State, state};
use super::super::{Target, Watched, check, plan};
use super::*;
use crate::conditions::find;

const PROMETHEUS: &str = CLAIMS[0];
const ALERTMANAGER: &str = CLAIMS[1];

fn stack(days: u32, storage: &Value) -> MonitoringStack {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack", "metadata": {"name": "main", "namespace": "client-acme"},
        "spec": {"retentionDays": days, "storage": storage, "prober": "prober:9115", "tiers": [
            {"name": "tier-1", "afterMinutes": 0, "webhookUrl": "https://desk.example/a"},
            {"name": "tier-2", "afterMinutes": 30, "webhookUrl": "https://desk.example/b"},
            {"name": "tier-3", "afterMinutes": 240, "webhookUrl": "https://desk.example/c"},
        ]},
    }))
    .unwrap()
}

fn volume(name: &str, asked: &str, there: &str, class: &str, phase: &str) -> PersistentVolumeClaim {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "client-acme"},
        "spec": {"storageClassName": class, "resources": {"requests": {"storage": asked}}},
        "status": {"phase": phase, "capacity": {"storage": there}},
    }))
    .unwrap()
}

/// Both claims as they are asked for, with a volume of so many GiB for Prometheus.
fn bound(gib: u32) -> Vec<PersistentVolumeClaim> {
    let size = format!("{gib}Gi");
    vec![volume(PROMETHEUS, &size, &size, "fast", "Bound"), volume(ALERTMANAGER, "1Gi", "1Gi", "fast", "Bound")]
}

fn watching(count: u8, claims: Vec<PersistentVolumeClaim>) -> Observed {
    let target = |number: u8| Target {
        cloud: Cloud::Aws,
        account: "222222222222".into(),
        region: "eu-west-1".into(),
        id: format!("i-{number}"),
        name: String::new(),
        private: std::net::IpAddr::from([10, 0, 0, number]),
        public: (number == 0).then(|| std::net::IpAddr::from([203, 0, 113, 7])),
    };
    Observed { client: "acme".into(), watched: Watched::of((0..count).map(target).collect()), claims, ..Observed::default() }
}

fn made(stack: &MonitoringStack, observed: &Observed, kind: &str) -> Value {
    plan(stack, observed).objects.into_iter().find(|object| object.kind == kind).unwrap().body["spec"].clone()
}

fn said(stack: &MonitoringStack, observed: &Observed) -> (&'static str, Reason, String) {
    let (is, reason, message) = told(stack, observed);
    (is.as_str(), reason, message)
}

#[test]
fn volumes_are_asked_for_with_room_beside_the_blocks() {
    let stack = stack(400, &json!({"sizeGib": 20, "storageClassName": "fast"}));
    let observed = watching(1, Vec::new());
    let prometheus = made(&stack, &observed, "Prometheus");
    assert_eq!((&prometheus["retention"], &prometheus["retentionSize"]), (&json!("400d"), &json!("16384MB")), "80 % of 20 GiB");
    let claim =
        |size: &str| json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": size}}});
    assert_eq!(prometheus["storage"]["volumeClaimTemplate"]["spec"], claim("20Gi"));
    assert_eq!(made(&stack, &observed, "Alertmanager")["storage"]["volumeClaimTemplate"]["spec"], claim("1Gi"));
    let names = Part::ALL.map(|part| super::claim(part, "main"));
    assert_eq!(names, CLAIMS, "the right to delete claims ends at these names");
}

#[test]
fn a_class_that_is_not_named_is_the_provider_s_else_the_cluster_s() {
    let stack = stack(15, &json!({"sizeGib": 20}));
    let of =
        |observed: &Observed| made(&stack, observed, "Prometheus")["storage"]["volumeClaimTemplate"]["spec"]["storageClassName"].clone();
    assert_eq!(of(&watching(1, Vec::new())), Value::Null);
    let layout = r#"{"storageClassName": "provider"}"#.parse().unwrap();
    assert_eq!(of(&Observed { layout, ..watching(1, Vec::new()) }), "provider");
}

#[test]
fn without_the_setting_nothing_changes_and_it_is_told_where_the_data_lies() {
    let stack = stack(15, &Value::Null);
    let prometheus = made(&stack, &watching(1, Vec::new()), "Prometheus");
    assert!(prometheus["storage"].is_null() && prometheus["retentionSize"].is_null(), "{prometheus}");
    let (is, reason, message) = said(&stack, &watching(1, Vec::new()));
    assert_eq!((is, reason), ("Unknown", Reason::NotRequested), "no failure");
    assert!(message.contains("go with the pod") && message.contains("spec.monitoring.storage"), "{message}");
    let (.., message) = said(&stack, &watching(1, bound(20)));
    assert!(message.ends_with(&format!("kubectl delete pvc -n client-acme {PROMETHEUS} {ALERTMANAGER}")), "{message}");
}

#[test]
fn what_prometheus_may_fill_follows_the_volume_that_is_there() {
    let grown = stack(1, &json!({"sizeGib": 100}));
    let mut claims = bound(10);
    assert_eq!(made(&grown, &watching(1, claims.clone()), "Prometheus")["retentionSize"], "8192MB", "the claim still has 10 GiB");
    claims[0] = volume(PROMETHEUS, "100Gi", "100Gi", "fast", "Bound");
    assert_eq!(made(&grown, &watching(1, claims), "Prometheus")["retentionSize"], "81920MB");
    let larger = vec![volume(PROMETHEUS, "100Gi", "500Gi", "fast", "Bound")];
    assert_eq!(made(&grown, &watching(1, larger), "Prometheus")["retentionSize"], "81920MB", "what was asked for, not what others may use");
}

#[test]
fn each_difference_of_a_claim_is_told_with_its_cure() {
    let asks = json!({"sizeGib": 20, "storageClassName": "fast"});
    let with = |claim: PersistentVolumeClaim| vec![claim, bound(20).remove(1)];
    for (claims, is, reason, words) in [
        (bound(20), "True", Reason::Settled, "are bound"),
        (Vec::new(), "Unknown", Reason::Pending, "prometheus-main-db-prometheus-main-0 is not made yet"),
        (bound(20)[..1].to_vec(), "Unknown", Reason::Pending, "alertmanager-main-db-alertmanager-main-0 is not made yet"),
        (with(volume(PROMETHEUS, "20Gi", "0", "fast", "Pending")), "False", Reason::VolumeNotBound, "(storage class fast) is not bound"),
        (with(volume(PROMETHEUS, "20Gi", "20Gi", "fast", "Lost")), "False", Reason::VolumeNotBound, "has lost its volume"),
        (
            with(volume(PROMETHEUS, "20Gi", "20Gi", "slow", "Bound")),
            "False",
            Reason::VolumeNotAsAsked,
            "storage class slow, and fast is asked for",
        ),
        (
            with(volume(PROMETHEUS, "10Gi", "10Gi", "fast", "Bound")),
            "False",
            Reason::VolumeNotAsAsked,
            "--type=merge -p '{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"20Gi\"}}}}'",
        ),
        (with(volume(PROMETHEUS, "20Gi", "10Gi", "fast", "Bound")), "False", Reason::VolumeNotAsAsked, "has 10.0 GiB of 20 GiB"),
        (with(volume(PROMETHEUS, "30Gi", "30Gi", "fast", "Bound")), "True", Reason::Settled, "are bound"),
    ] {
        let (found, because, message) = said(&stack(15, &asks), &watching(1, claims));
        assert!((found, because) == (is, reason) && message.contains(words), "{found} {because:?} {message}: {words}");
    }
    let (.., message) = said(&stack(15, &asks), &watching(1, with(volume(PROMETHEUS, "20Gi", "20Gi", "slow", "Bound"))));
    assert!(message.contains("kubectl delete pod -n client-acme prometheus-main-0"), "{message}");
}

#[test]
fn days_that_a_volume_cannot_hold_are_told_before() {
    let of = |size: u32| said(&stack(400, &json!({"sizeGib": size})), &watching(10, bound(size)));
    // 11 520 series, a sample a minute, 2 bytes: 33 177 600 bytes a day, 13 271 040 000 in 400 days, which are 80 % of 15.45 GiB.
    let (is, reason, message) = of(15);
    assert_eq!((is, reason), ("False", Reason::RetentionDoesNotFit), "{message}");
    for words in ["400 days of 10 targets need about 12.4 GiB", "has room for 12.0 GiB, which is 388 days", "Raise storage.sizeGib to 16"] {
        assert!(message.contains(words), "{message}: {words}");
    }
    assert_eq!(of(16).0, "True", "what the message asks for is enough");
}

#[test]
fn a_volume_that_the_quota_cannot_hold_is_refused_before_anything_is_made() {
    let asks = stack(15, &json!({"sizeGib": 20}));
    let other = volume("theirs", "80Gi", "80Gi", "fast", "Bound");
    let quota = |storage: &str, count: &str| {
        let hard = [("requests.storage", storage), ("persistentvolumeclaims", count)];
        Some(hard.map(|(of, amount)| (of.to_owned(), Quantity(amount.to_owned()))).into())
    };
    let faults = |claims: Vec<PersistentVolumeClaim>, storage: &str, count: &str| {
        check(&asks, &Observed { quota: quota(storage, count), ..watching(1, claims) })
    };
    assert_eq!(faults(vec![other.clone()], "101Gi", "3"), [], "80 and 20 and 1");
    let found = faults(vec![other.clone()], "100Gi", "3");
    assert_eq!((found[0].reason, found[0].field.as_str()), (Reason::QuotaTooSmall, "spec.storage"));
    let words = "21.0 GiB more are asked for, and the claims of the namespace hold 80.0 GiB of the 100.0 GiB that quota.storageGib allows";
    assert!(found[0].message.starts_with(words) && found[0].message.contains("spec.monitoring.storage"), "{}", found[0].message);
    let found = faults(vec![other.clone()], "1Ti", "2");
    assert!(found[0].message.starts_with("3 volume claims are more than the 2"), "{}", found[0].message);
    let all = [bound(20), vec![other]].concat();
    assert_eq!(faults(all, "1Gi", "1"), [], "what is made already is not refused for a quota that shrank");
    assert_eq!(check(&stack(15, &Value::Null), &Observed { quota: quota("1Gi", "1"), ..watching(1, Vec::new()) }), []);
}

#[test]
fn a_pod_without_its_volume_is_told_by_the_claim_its_class_and_the_cause() {
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "prometheus-main-0", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "prometheus-main", "uid": "s"}]},
        "status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "pod has unbound immediate PersistentVolumeClaims"}]},
    }))
    .unwrap();
    let event: Event = serde_json::from_value(json!({
        "metadata": {}, "type": "Warning", "reason": "ProvisioningFailed", "message": "storageclass.storage.k8s.io \"nope\" not found",
        "involvedObject": {"kind": "PersistentVolumeClaim", "name": PROMETHEUS},
    }))
    .unwrap();
    let pods = [pod];
    let waits = |claims: &[PersistentVolumeClaim], events: &[Event]| match state(
        Part::Prometheus,
        "main",
        Seen { pods: &pods, events, claims, object: None },
    ) {
        State::Waits(why) => why,
        State::Runs(_) => panic!("it has no volume"),
    };
    let pending = [volume(PROMETHEUS, "20Gi", "0", "nope", "Pending")];
    let named = format!("volume claim {PROMETHEUS} (storage class nope) is not bound: ");
    assert_eq!(waits(&pending, std::slice::from_ref(&event)), named.clone() + "storageclass.storage.k8s.io \"nope\" not found");
    assert_eq!(waits(&pending, &[]), named + "pod prometheus-main-0 has no node: pod has unbound immediate PersistentVolumeClaims");
    let nameless = [volume(PROMETHEUS, "20Gi", "0", "", "Pending")];
    assert!(waits(&nameless, &[]).contains("no storage class, for the cluster has no default one"));
    assert!(waits(&bound(20), &[event]).starts_with("pod prometheus-main-0 has no node"), "an event of earlier");
}

#[test]
fn a_volume_that_is_bound_and_cannot_be_used_is_told() {
    let pod = |state: Value| {
        serde_json::from_value(json!({
            "metadata": {"name": "prometheus-main-0", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "prometheus-main", "uid": "s"}]},
            "status": {"containerStatuses": [{"name": "prometheus", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state}]},
        }))
        .unwrap()
    };
    let event: Event = serde_json::from_value(json!({
        "metadata": {}, "type": "Warning", "reason": "FailedAttachVolume", "message": "Multi-Attach error for volume \"pvc-1\"",
        "involvedObject": {"kind": "Pod", "name": "prometheus-main-0"},
    }))
    .unwrap();
    let said = |pods: &[k8s_openapi::api::core::v1::Pod]| {
        state(Part::Prometheus, "main", Seen { pods, events: std::slice::from_ref(&event), claims: &bound(20), object: None })
    };
    let waiting = [pod(json!({"waiting": {"reason": "ContainerCreating"}}))];
    assert_eq!(said(&waiting), State::Waits("pod prometheus-main-0 cannot use a volume: Multi-Attach error for volume \"pvc-1\"".into()));
    let begun = [pod(json!({"running": {"startedAt": "2026-11-29T00:00:00Z"}}))];
    assert_eq!(said(&begun), State::Waits("pod prometheus-main-0 is not ready: container prometheus is starting".into()), "it is over");
}

#[test]
fn the_condition_is_a_warning_beside_the_others() {
    let observed = Observed { prometheus: State::Runs(None), alertmanager: State::Runs(None), ..watching(1, bound(1)) };
    let stack = stack(400, &json!({"sizeGib": 1}));
    let (status, outcome) = super::super::status(&stack, &observed, &[], &super::super::Done::default(), jiff::Timestamp::UNIX_EPOCH);
    let of = |kind| find(&status.conditions, kind).unwrap().status.clone();
    assert_eq!((of(ConditionType::DataKept).as_str(), of(ConditionType::MonitoringReady).as_str()), ("False", "True"));
    assert!(matches!(outcome, crate::outcome::Outcome::Settled(_)), "{outcome:?}");
}
