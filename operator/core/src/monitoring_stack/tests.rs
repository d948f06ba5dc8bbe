//! What a stack plans and says, by what was seen.

use caretaker_api::MonitoringStack;
use caretaker_api::condition::ConditionType;
use caretaker_api::monitoring_stack::MonitoringStackStatus;
use caretaker_cloud::{Address, Asset, AssetType, Cloud, Power};
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::conditions::find;
use crate::inventory::Line;
use crate::inventory::scope::ScopeVerdict;
use crate::outcome::Outcome;

fn stack(status: MonitoringStackStatus) -> MonitoringStack {
    let mut stack: MonitoringStack = serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack", "metadata": {"name": "main", "namespace": "client-acme", "generation": 1},
        "spec": {"accounts": ["prod"], "prober": "prober:9115", "tiers": [{"name": "tier-1", "afterMinutes": 0, "webhookUrl": "https://desk.example/a"}]},
    }))
    .unwrap();
    stack.status = Some(status);
    stack
}

/// So many machines of each sort: watched, without a private address, of unknown power state.
fn seen(watched: usize, without_address: usize, unsaid: usize) -> Observed {
    let mut observed = Observed {
        client: "acme".into(),
        inventories: [("prod".to_owned(), "digest".to_owned())].into(),
        prometheus: State::Runs(None),
        alertmanager: State::Runs(None),
        ..Observed::default()
    };
    let machine = |number: usize, power: Power, has_address: bool| Asset {
        power: Some(power),
        addresses: has_address
            .then(|| Address::private(std::net::IpAddr::from([10, 0, 0, u8::try_from(number).unwrap()])))
            .into_iter()
            .collect(),
        ..Asset::new(Cloud::Azure, "sub", "westeurope", AssetType::Instance, &format!("vm-{number}"))
    };
    let mut take = |asset: Asset| observed.watched.take(&Line { asset, verdict: ScopeVerdict::Covered, exclusion: String::new() });
    (0..watched).for_each(|number| take(machine(number, Power::Running, true)));
    (0..without_address).for_each(|number| take(machine(100 + number, Power::Running, false)));
    (0..unsaid).for_each(|number| take(machine(200 + number, Power::Unknown, true)));
    observed
}

fn lost(is_remembered: bool) -> Vec<LostInventory> {
    vec![LostInventory { account: "prod".into(), cause: "it is not there".into(), is_remembered }]
}

/// Status and reason of the condition, and its message.
fn said(stack: &MonitoringStack, observed: &Observed) -> ((String, String), String, MonitoringStackStatus, Outcome) {
    let (status, outcome) = status(stack, observed, &check(stack, observed), &Done::default(), Timestamp::UNIX_EPOCH);
    let condition = find(&status.conditions, ConditionType::MonitoringReady).unwrap();
    ((condition.status.clone(), condition.reason.clone()), condition.message.clone(), status, outcome)
}

#[test]
fn the_stack_of_a_client_that_has_left_says_that_it_ended() {
    let mut ended = stack(MonitoringStackStatus { targets: 4, ..MonitoringStackStatus::default() });
    ended.spec.accounts.clear();
    let running = seen(0, 0, 0);
    assert_eq!(said(&ended, &running).0, ("True".into(), "Settled".into()), "a client of whose accounts none is listed yet");
    let (is, message, status, outcome) = said(&ended, &Observed { has_left: true, ..running });
    assert_eq!((is, status.targets), (("Unknown".into(), "HandedOver".into()), 0), "{message}");
    assert!(matches!(outcome, Outcome::Ended(told, _) if told == message));
}

#[test]
fn the_condition_is_true_only_where_all_that_runs_is_watched() {
    for (watched, without_address, unsaid, expected, why) in [
        (3, 0, 0, ("True", "Settled"), "all are watched"),
        (0, 0, 0, ("True", "Settled"), "nothing runs"),
        (2, 1, 0, ("False", "NotAllWatched"), "one runs and cannot be reached"),
        (0, 4, 0, ("False", "NotAllWatched"), "none can be reached"),
        (2, 1, 1, ("False", "NotAllWatched"), "one runs for sure"),
        (2, 0, 1, ("Unknown", "NotAllWatched"), "nobody knows whether the one that is not watched runs"),
    ] {
        let (condition, message, status, outcome) = said(&stack(MonitoringStackStatus::default()), &seen(watched, without_address, unsaid));
        assert_eq!((condition.0.as_str(), condition.1.as_str()), expected, "{why}");
        assert_eq!((status.targets as usize, status.unwatched.count as usize), (watched, without_address + unsaid), "{why}");
        assert!(message.starts_with(&format!("{watched} targets")), "{why}: {message}");
        assert_eq!(
            matches!(outcome, Outcome::Settled(_)),
            expected.0 == "True",
            "what is not watched keeps the stack from being Ready: {why}"
        );
    }
}

#[test]
fn the_message_names_some_machines_and_what_to_do() {
    let (_, message, status, _) = said(&stack(MonitoringStackStatus::default()), &seen(1, 7, 0));
    assert!(message.contains("7 running machines") && message.contains("vm-100 (azure sub, westeurope)"), "{message}");
    assert!(message.contains("and 2 more") && message.contains("exclude them from the client's scope"), "{message}");
    assert_eq!(status.unwatched.reasons[0].examples.len(), 5);
}

#[test]
fn a_stack_that_watched_not_all_says_so_no_more_once_it_does() {
    let (_, _, before, _) = said(&stack(MonitoringStackStatus::default()), &seen(1, 1, 0));
    let (condition, message, after, _) = said(&stack(before), &seen(2, 0, 0));
    assert_eq!((condition.0.as_str(), after.unwatched.count), ("True", 0));
    assert!(message.starts_with("2 targets; the pods of"), "{message}");
}

#[test]
fn a_lost_inventory_leaves_the_targets_as_they_are_and_says_unknown() {
    let before = MonitoringStackStatus { targets: 4, inventories: [("prod".to_owned(), "old".to_owned())].into(), ..Default::default() };
    let names_machines = |plan: &Plan| plan.objects.iter().any(|object| object.kind == "ScrapeConfig" && object.name.contains("targets"));
    for (observed, targets, names_targets, why) in [
        (Observed { lost: lost(false), ..seen(0, 0, 0) }, 4, false, "after a restart nothing is remembered"),
        (Observed { lost: lost(false), ..seen(2, 0, 0) }, 4, false, "another account's targets alone would drop this one's"),
        (Observed { lost: lost(true), ..seen(3, 0, 0) }, 3, true, "what an earlier visit read is still known"),
    ] {
        let stack = stack(before.clone());
        let (condition, message, status, outcome) = said(&stack, &observed);
        assert_eq!((condition.0.as_str(), condition.1.as_str()), ("Unknown", "InventoryLost"), "{why}");
        assert!(
            message.contains("CloudAccount prod (it is not there)") && message.contains(&format!("{targets} targets")),
            "{why}: {message}"
        );
        assert_eq!(status.targets, targets, "{why}");
        assert!(matches!(outcome, Outcome::Waiting(_)), "{why}");
        let plan = plan(&stack, &observed);
        for kind in TARGET_KINDS {
            assert_eq!(plan.prunes.contains(&kind), names_targets, "{kind}: {why}");
        }
        assert_eq!(names_machines(&plan), names_targets, "{why}");
        let rules = plan.objects.iter().find(|object| object.kind == "PrometheusRule").unwrap();
        assert!(rules.body.to_string().contains("InstanceDown"), "the machines that are watched still have their alert: {why}");
    }
}

#[test]
fn without_loss_everything_else_of_the_stack_s_goes() {
    let stack = stack(MonitoringStackStatus { targets: 4, ..Default::default() });
    let plan = plan(&stack, &seen(0, 0, 0));
    assert!(TARGET_KINDS.iter().chain(&NEEDED_KINDS).all(|kind| plan.prunes.contains(kind)), "{:?}", plan.prunes);
    let rules = plan.objects.iter().find(|object| object.kind == "PrometheusRule").unwrap();
    assert!(!rules.body.to_string().contains("InstanceDown"), "nothing is watched, as a reading told");
}

#[test]
fn while_the_prometheus_operator_is_missing_nothing_is_made_and_nothing_goes() {
    let observed = Observed { missing_kinds: vec!["Probe"], ..seen(1, 0, 0) };
    assert_eq!(plan(&stack(MonitoringStackStatus::default()), &observed), Plan::default());
    let (condition, ..) = said(&stack(MonitoringStackStatus::default()), &observed);
    assert_eq!(condition.1, "PrometheusOperatorMissing");
}

#[test]
fn the_condition_is_not_true_while_the_programs_do_not_work() {
    let waits = || State::Waits("its pod cannot be made: exceeded quota".into());
    let silent = Loaded { prometheus: Err("timeout".into()), alertmanager: Err("timeout".into()) };
    let cases: [(Observed, &str, &str); 3] = [
        (
            Observed { prometheus: waits(), ..seen(2, 0, 0) },
            "PodsNotReady",
            "2 targets; Prometheus: its pod cannot be made: exceeded quota",
        ),
        (
            Observed { alertmanager: waits(), ..seen(2, 0, 0) },
            "PodsNotReady",
            "2 targets; Alertmanager: its pod cannot be made: exceeded quota",
        ),
        (Observed { loaded: Some(silent), ..seen(2, 0, 0) }, "Unreachable", "2 targets; Prometheus does not answer the operator: timeout"),
    ];
    for (observed, reason, expected) in cases {
        let (condition, message, _, outcome) = said(&stack(MonitoringStackStatus::default()), &observed);
        assert_eq!((condition.0.as_str(), condition.1.as_str(), message.as_str()), ("False", reason, expected));
        assert!(matches!(outcome, Outcome::Waiting(wait) if wait.after == LOOK));
    }
    let (_, message, ..) = said(&stack(MonitoringStackStatus::default()), &seen(2, 0, 0));
    assert!(message.contains("not to ask them"), "what was not asked is not claimed: {message}");
}

#[test]
fn what_a_person_must_cure_is_looked_at_less_often_after_a_while() {
    let broken = Observed { prometheus: State::Waits("exceeded quota".into()), ..seen(1, 0, 0) };
    let at = |before: MonitoringStackStatus, minute: i64| {
        let now = Timestamp::from_second(minute * 60).unwrap();
        let (status, outcome) = status(&stack(before), &broken, &[], &Done::default(), now);
        let Outcome::Waiting(wait) = outcome else { panic!("it waits") };
        (status, wait.after)
    };
    let (status, after) = at(MonitoringStackStatus::default(), 0);
    assert_eq!(after, LOOK);
    assert_eq!(at(status.clone(), 4).1, LOOK, "it may come up by itself");
    assert_eq!(at(status, 5).1, RESYNC);
}

/// With the Secret of the chart's value as it was found in the operator's namespace.
fn with_pull_secret(found: Option<k8s_openapi::api::core::v1::Secret>) -> Observed {
    let layout = r#"{"imagePullSecret": "registry", "images": {"prometheus": "registry.example/prometheus:v3.5.0"}}"#.parse().unwrap();
    Observed { layout, pull_secret: PullSecret::of("registry", "caretaker-system", found), ..seen(1, 0, 0) }
}

fn pulls_with(plan: &Plan) -> Vec<serde_json::Value> {
    let of = |kind: &str| plan.objects.iter().find(|object| object.kind == kind).unwrap().body["spec"].clone();
    ["Prometheus", "Alertmanager"].map(|kind| json!([of(kind)["image"], of(kind)["imagePullSecrets"]])).into()
}

#[test]
fn the_secret_for_pulling_is_set_once_and_copied_to_each_client() {
    let held =
        serde_json::from_value(json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "czNjcjN0"}})).unwrap();
    let observed = with_pull_secret(Some(held));
    let plan = plan(&stack(MonitoringStackStatus::default()), &observed);
    let copy = plan.objects.iter().find(|object| object.name == PULL_SECRET).unwrap();
    assert_eq!(
        (copy.kind, copy.namespace.as_str(), &copy.body["data"][".dockerconfigjson"]),
        ("Secret", "client-acme", &json!("czNjcjN0"))
    );
    let named = json!([{"name": "caretaker-pull"}]);
    assert_eq!(pulls_with(&plan), [json!(["registry.example/prometheus:v3.5.0", named]), json!([null, named])]);
    assert_eq!(said(&stack(MonitoringStackStatus::default()), &observed).0.0, "True");
    assert!(!format!("{observed:?} {plan:?}").contains("czNjcjN0") && !format!("{observed:?} {plan:?}").contains("s3cr3t"), "it is shown");
}

#[test]
fn a_missing_secret_for_pulling_is_told_and_leaves_what_runs_alone() {
    let observed = Observed { names_pull_secret: true, ..with_pull_secret(None) };
    let (condition, message, _, outcome) = said(&stack(MonitoringStackStatus::default()), &observed);
    assert_eq!((condition.0.as_str(), condition.1.as_str()), ("False", "ReferenceMissing"));
    for part in ["1 targets", "Secret registry in namespace caretaker-system", "kubectl create secret docker-registry registry"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(matches!(outcome, Outcome::Waiting(_)), "it is well again unaided");
    let plan = plan(&stack(MonitoringStackStatus::default()), &observed);
    assert!(plan.drops.is_empty() && plan.objects.iter().all(|object| object.name != PULL_SECRET), "an earlier copy stays");
    assert_eq!(pulls_with(&plan)[1], json!([null, [{"name": "caretaker-pull"}]]));
}

#[test]
fn a_secret_for_pulling_that_is_not_set_any_more_goes() {
    for (names_pull_secret, expected) in [(true, vec![("Secret", PULL_SECRET)]), (false, vec![])] {
        let plan = plan(&stack(MonitoringStackStatus::default()), &Observed { names_pull_secret, ..seen(1, 0, 0) });
        assert_eq!(plan.drops, expected, "nothing is asked of the API server where there never was one");
        assert_eq!(pulls_with(&plan), [json!([null, null]), json!([null, null])]);
    }
}

#[test]
fn a_namespace_that_no_prometheus_operator_looks_after_is_told_with_how_the_pods_are() {
    let away = || Attended::No("the prometheus-operator does not run".into());
    let waits = State::Waits("its pod is not made yet".into());
    for (observed, told) in [
        (Observed { attended: away(), ..seen(2, 0, 0) }, "run on with what they have"),
        (Observed { attended: away(), alertmanager: waits, ..seen(2, 0, 0) }, "Alertmanager: its pod is not made yet"),
    ] {
        let (condition, message, _, outcome) = said(&stack(MonitoringStackStatus::default()), &observed);
        assert_eq!((condition.0.as_str(), condition.1.as_str()), ("False", "PrometheusOperatorMissing"));
        assert!(message.starts_with("2 targets; the prometheus-operator does not run; ") && message.contains(told), "{message}");
        assert!(matches!(outcome, Outcome::Waiting(_)), "it is well again unaided");
        assert!(!plan(&stack(MonitoringStackStatus::default()), &observed).objects.is_empty(), "its objects are kept as they should be");
    }
    for (attended, next) in [(Attended::Unknown, RESYNC), (Attended::Yes, RESYNC), (Attended::Missed, LOOK)] {
        let (condition, _, _, outcome) = said(&stack(MonitoringStackStatus::default()), &Observed { attended, ..seen(2, 0, 0) });
        assert_eq!((condition.0.as_str(), outcome), ("True", Outcome::Settled(next)));
    }
}
