use serde_json::{Value, json};

use super::informer::watched;
use super::*;
use crate::testing::{Widget, all_kinds, widget};

fn cache() -> Cache {
    Cache::new(all_kinds(), Metrics::default())
}

fn object(value: &Value) -> DynamicObject {
    serde_json::from_value(value.clone()).unwrap()
}

fn account(version: u64, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount",
        "metadata": {"name": "prod", "namespace": "client-a", "uid": "u", "resourceVersion": version.to_string(), "labels": {
            "caretaker.dev/owner-kind": "managedclient", "caretaker.dev/owner-name": "a"}},
        "spec": {"providerProfile": "default", "aws": {"accountId": "111111111111"}},
        "status": {"conditions": [{"type": "AccessProven", "status": "False", "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    })
}

fn id(kind: Kind, namespace: &str, name: &str) -> ObjectId {
    ObjectId { kind, namespace: namespace.into(), name: name.into() }
}

/// All wakes that are there now.
fn drain(wakes: &mut mpsc::UnboundedReceiver<ObjectId>) -> Vec<ObjectId> {
    std::iter::from_fn(|| wakes.try_recv().ok()).collect()
}

/// One descriptor is all that a kind needs: definition, RBAC, watches, the order of deletion, and who is woken.
#[test]
fn a_kind_that_exists_only_here_goes_through_the_table() {
    let kinds = all_kinds();
    let rule = |group: &str, resource: &str| {
        kinds.rules().into_iter().find(|rule| rule.group == group && rule.resources.iter().any(|found| found == resource))
    };
    assert!(rule("caretaker.dev", "widgets").is_some_and(|rule| rule.verbs.contains(&"watch")));
    assert!(rule("caretaker.dev", "widgets/status").is_some_and(|rule| rule.verbs == ["patch"]));
    assert!(rule("example.dev", "gadgets").is_some_and(|rule| rule.verbs.contains(&"delete")));
    let order: Vec<&str> = kinds.in_order_of_deletion().into_iter().map(Kind::as_str).collect();
    assert_eq!(order, ["Handover", "Widget", "BackupPolicy", "MonitoringStack", "CloudAccount"]);
    assert!(kinds.definitions().iter().any(|crd| crd.spec.names.plural == "widgets"));
    let is_watched = |kind: &str, own: bool| watched(kinds).iter().any(|watched| watched.api.kind == kind && watched.own.is_some() == own);
    assert!(is_watched("Widget", true) && is_watched("Gadget", false));

    let cache = cache();
    cache.put("Widget", object(&widget("w", 1, &json!({"size": 1, "account": "prod"}))), Source::Watch);
    cache.put("Widget", object(&widget("other", 1, &json!({"size": 1, "account": "test"}))), Source::Watch);
    let mut wakes = cache.subscribe(Widget::KIND);
    assert_eq!(drain(&mut wakes).len(), 2, "all that are there come first");
    let own = id(Widget::KIND, "client-a", "w");
    cache.put("CloudAccount", object(&account(1, "AccessDenied", "")), Source::Watch);
    assert_eq!(drain(&mut wakes), [own.clone()], "it reads the account; the other widget does not");
    let gadget = json!({"apiVersion": "example.dev/v1", "kind": "Gadget", "metadata": {"name": "g", "namespace": "client-a", "uid": "g",
        "resourceVersion": "1", "labels": {"caretaker.dev/owner-kind": "widget", "caretaker.dev/owner-name": "w"}}});
    cache.put("Gadget", object(&gadget), Source::Watch);
    assert_eq!(drain(&mut wakes), [own.clone()], "it made the gadget");
    assert_eq!(cache.owned_by("Gadget", Widget::KIND, "client-a", "w").len(), 1);
    cache.learn("Gadget", Knowledge::Missing);
    cache.wake_makers("Gadget");
    assert_eq!(drain(&mut wakes).len(), 2, "who makes gadgets has waited for their definition");
}

/// Row: what is written, by whom; how often the account, its owner and its profile are woken.
#[test]
fn a_status_wakes_those_who_show_it_and_never_its_own_controller() {
    let cache = cache();
    cache.put("CloudAccount", object(&account(1, "AccessDenied", "role a")), Source::Watch);
    let mut own = cache.subscribe(Kind::CLOUD_ACCOUNT);
    let (mut owner, mut profile) = (cache.subscribe(Kind::MANAGED_CLIENT), cache.subscribe(Kind::PROVIDER_PROFILE));
    drain(&mut own);
    let mut later = account(4, "AccessDenied", "role c");
    later["status"]["conditions"][0]["lastTransitionTime"] = json!("2026-01-02T00:00:00Z");
    let mut spec = account(7, "AccessDenied", "role d");
    spec["spec"]["allow"] = json!(["Backup"]);
    let rows = [
        ("the same version again", account(1, "AccessDenied", "role a"), Source::Watch, (0, 0, 0)),
        ("our own write of why it is not so", account(2, "AccessDenied", "role b"), Source::Visit, (0, 1, 0)),
        ("the watch tells of it before the answer comes", account(3, "AccessDenied", "role c"), Source::Watch, (0, 1, 0)),
        ("a time alone", later, Source::Visit, (0, 0, 0)),
        ("another reason", account(5, "CredentialsInvalid", "role c"), Source::Visit, (0, 1, 1)),
        ("the reason goes", account(6, "AccessDenied", "role c"), Source::Watch, (0, 1, 1)),
        ("an edit of the spec by the owner, which goes on with its visit", spec, Source::Applied, (1, 0, 0)),
        ("an older version", account(4, "CredentialsInvalid", "late"), Source::Watch, (0, 0, 0)),
    ];
    for (why, value, source, expected) in rows {
        cache.put("CloudAccount", object(&value), source);
        assert_eq!((drain(&mut own).len(), drain(&mut owner).len(), drain(&mut profile).len()), expected, "{why}");
    }
    cache.remove("CloudAccount", &object(&account(8, "AccessDenied", "")));
    assert_eq!((drain(&mut own).len(), drain(&mut owner).len()), (1, 1), "its end is told");
    cache.put("CloudAccount", object(&account(7, "AccessDenied", "")), Source::Visit);
    assert!(cache.list("CloudAccount", None).is_empty(), "a late answer does not bring it back");
}

/// An edit that comes with the answer to a write of ours is an edit all the same.
#[test]
fn a_new_object_of_the_name_is_another_object() {
    let cache = cache();
    cache.put("CloudAccount", object(&account(5, "AccessDenied", "")), Source::Watch);
    let mut own = cache.subscribe(Kind::CLOUD_ACCOUNT);
    drain(&mut own);
    let mut other = account(3, "AccessDenied", "");
    other["metadata"]["uid"] = json!("v");
    cache.put("CloudAccount", object(&other), Source::Applied);
    assert_eq!(drain(&mut own).len(), 1);
    cache.remove("CloudAccount", &object(&account(6, "AccessDenied", "")));
    assert_eq!(cache.list("CloudAccount", None).len(), 1, "the end of the first is not the end of the second");
}

#[test]
fn an_object_is_decoded_once_and_shared() {
    let cache = cache();
    cache.put("CloudAccount", object(&account(1, "AccessDenied", "")), Source::Watch);
    let shared = || cache.shared::<caretaker_api::CloudAccount>("client-a", "prod").unwrap();
    assert!(Arc::ptr_eq(&shared(), &shared()) && Arc::ptr_eq(&shared(), &cache.list_shared(None)[0]));
    cache.put("Widget", object(&widget("w", 1, &json!({"size": 1}))), Source::Watch);
    assert!(Arc::ptr_eq(&shared(), &shared()) && cache.shared::<Widget>("client-a", "prod").is_none());
}

#[test]
fn an_unfit_object_is_counted_until_it_is_mended_or_gone() {
    let metrics = Metrics::default();
    let cache = Cache::new(all_kinds(), metrics.clone());
    let count = |expected: u32| {
        let line = format!("caretaker_undecodable_objects{{kind=\"Widget\"}} {expected}\n");
        assert!(metrics.render().contains(&line), "{line} is not in {}", metrics.render());
    };
    let bad = |name: &str, version| object(&widget(name, version, &json!({"size": "large"})));
    cache.put("Widget", bad("a", 1), Source::Watch);
    cache.put("Widget", bad("b", 2), Source::Watch);
    cache.put("Widget", bad("b", 3), Source::Watch);
    count(2);
    assert_eq!(cache.unfit(Widget::KIND, "client-a", "b").as_deref(), Some("spec.size: expected u32"));
    assert!(cache.get("Widget", "client-a", "b").is_some(), "its owner can mend or delete it");
    cache.put("Widget", object(&widget("a", 4, &json!({"size": 1}))), Source::Watch);
    count(1);
    let fresh = Objects::from([(("client-a".to_owned(), "a".to_owned()), Held::new(bad("a", 5), Some(Widget::KIND)))]);
    cache.replace("Widget", fresh);
    count(1);
    cache.remove("Widget", &bad("a", 6));
    count(0);
}

/// A list may have been begun before our last write.
#[test]
fn a_list_does_not_bring_back_an_older_version() {
    let cache = cache();
    cache.put("CloudAccount", object(&account(9, "AccessDenied", "")), Source::Visit);
    let fresh = |version| {
        let held = Held::new(object(&account(version, "WrongAccount", "")), Some(Kind::CLOUD_ACCOUNT));
        Objects::from([(("client-a".to_owned(), "prod".to_owned()), held)])
    };
    let reason = || cache.list_typed::<caretaker_api::CloudAccount>(None)[0].status.clone().unwrap().conditions[0].reason.clone();
    cache.replace("CloudAccount", fresh(8));
    assert_eq!(reason(), "AccessDenied");
    cache.replace("CloudAccount", fresh(10));
    assert_eq!(reason(), "WrongAccount");
    cache.replace("CloudAccount", Objects::new());
    assert!(cache.list("CloudAccount", None).is_empty());
}

#[test]
fn a_cache_that_does_not_know_yet_is_not_synced() {
    let cache = cache();
    for watched in watched(all_kinds()) {
        cache.learn(watched.api.kind, if watched.api.optional { Knowledge::Missing } else { Knowledge::Listed });
    }
    assert!(cache.is_synced(), "an optional kind may be missing");
    cache.learn("Prometheus", Knowledge::Unknown);
    assert!(!cache.is_synced(), "nobody may conclude that it is missing");
}
