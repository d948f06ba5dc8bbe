//! Tables of what counts as a difference, and of who is blamed.

use serde_json::{Value, json};

use super::*;

const OWN: &str = "caretaker-managedclient";

/// An object of the cluster: what we applied, and what one other manager owns beside it.
fn live(body: Value, fields: Value) -> Value {
    let mut object = body;
    object["metadata"] = json!({"uid": "u", "resourceVersion": "7", "managedFields": [
        {"manager": OWN, "operation": "Apply", "time": "2026-11-28T01:00:00Z", "fieldsV1": {"f:spec": {"f:hard": {"f:pods": {}}}}},
        {"manager": "bob", "operation": "Update", "time": "2026-11-28T02:00:00Z", "fieldsV1": fields},
    ]});
    object
}

fn fields(kind: &str, live: &Value, wanted: &Value) -> Vec<String> {
    differences(kind, OWN, live, wanted).into_iter().map(|found| found.field).collect()
}

#[test]
fn what_is_added_to_a_network_policy_is_seen() {
    let deny = json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}});
    let within = json!({"spec": {"ingress": [{"from": [{"podSelector": {}}]}]}});
    let dns = json!({"spec": {"egress": [{"ports": [{"port": 53}]}]}});
    let cases: [Case<'_>; 5] = [
        ("nothing", "NetworkPolicy", deny.clone(), &deny, &[]),
        (
            "K17: the wall is opened",
            "NetworkPolicy",
            json!({"spec": {"podSelector": {"matchLabels": {"no": "pod"}}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}}),
            &deny,
            &["spec.egress", "spec.ingress", "spec.podSelector.matchLabels"],
        ),
        (
            "an empty selector is added: every namespace",
            "NetworkPolicy",
            json!({"spec": {"ingress": [{"from": [{"podSelector": {}, "namespaceSelector": {}}]}]}}),
            &within,
            &["spec.ingress[0].from[0].namespaceSelector"],
        ),
        (
            "the API server fills in the protocol",
            "NetworkPolicy",
            json!({"spec": {"egress": [{"ports": [{"port": 53, "protocol": "TCP"}]}]}}),
            &dns,
            &[],
        ),
        (
            "somebody widens a port",
            "NetworkPolicy",
            json!({"spec": {"egress": [{"ports": [{"port": 53, "protocol": "TCP", "endPort": 99}]}]}}),
            &dns,
            &["spec.egress[0].ports[0].endPort"],
        ),
    ];
    check(cases);
}

#[test]
fn what_is_added_to_another_kind_of_kubernetes_is_seen() {
    let kit = json!({"data": {"main.tf": "a"}});
    let subjects = json!({"subjects": [{"kind": "Group", "name": "dev"}]});
    let (hard, nothing) = (json!({"spec": {"hard": {"pods": "50"}}}), json!({}));
    let cases: [Case<'_>; 8] = [
        ("H1: a file is added to a kit", "ConfigMap", json!({"data": {"main.tf": "a", "override.tf": "b"}}), &kit, &["data.override.tf"]),
        ("bytes are added", "ConfigMap", json!({"data": {"main.tf": "a"}, "binaryData": {"x": "eA=="}}), &kit, &["binaryData"]),
        ("a file is changed", "ConfigMap", json!({"data": {"main.tf": "b"}}), &kit, &["data.main.tf"]),
        (
            "K17: a key is added to a quota",
            "ResourceQuota",
            json!({"spec": {"hard": {"pods": "50", "count/configmaps": "3"}}}),
            &hard,
            &["spec.hard.count/configmaps"],
        ),
        ("a value of a quota is changed", "ResourceQuota", json!({"spec": {"hard": {"pods": "1000"}}}), &hard, &["spec.hard.pods"]),
        (
            "what a quota uses is status",
            "ResourceQuota",
            json!({"spec": {"hard": {"pods": "50"}}, "status": {"used": {"pods": "1"}}}),
            &hard,
            &[],
        ),
        (
            "a subject is added",
            "RoleBinding",
            json!({"subjects": [{"kind": "Group", "name": "dev"}, {"kind": "Group", "name": "x"}]}),
            &subjects,
            &["subjects"],
        ),
        ("finalizers of a namespace are the cluster's", "Namespace", json!({"spec": {"finalizers": ["kubernetes"]}}), &nothing, &[]),
    ];
    check(cases);
}

/// Why, kind, what is there, what is wanted, and the fields that differ.
type Case<'a> = (&'a str, &'a str, Value, &'a Value, &'a [&'a str]);

fn check<'a>(cases: impl IntoIterator<Item = Case<'a>>) {
    for (reason, kind, found, wanted, expected) in cases {
        assert_eq!(fields(kind, &live(found, json!({})), wanted), expected, "{reason}");
    }
}

#[test]
fn of_a_custom_resource_an_addition_is_what_another_manager_owns() {
    let wanted = json!({"spec": {"aws": {"accountId": "1"}, "allow": ["Backup"], "groups": [{"name": "a", "rules": [{"expr": "up"}]}]}});
    let with = |name: &str, value: Value| {
        let mut object = wanted.clone();
        object["spec"][name] = value;
        object
    };
    let cases: [(&str, Value, Value, &[&str]); 8] = [
        ("a default belongs to nobody", with("interval", json!(60)), json!({}), &[]),
        (
            "T5: a field is added",
            with("member", json!({"state": "Closed"})),
            json!({"f:spec": {"f:member": {".": {}, "f:state": {}}}}),
            &["spec.member.state"],
        ),
        ("who owns with us what is as wanted changes nothing", wanted.clone(), json!({"f:spec": {"f:aws": {"f:accountId": {}}}}), &[]),
        (
            "an owned list that is as wanted is none",
            wanted.clone(),
            json!({"f:spec": {"f:allow": {}, "f:groups": {"k:{\"name\":\"a\"}": {"f:rules": {}}}}}),
            &[],
        ),
        (
            "an element of a keyed list is added",
            with("groups", json!([{"name": "a", "rules": [{"expr": "up"}]}, {"name": "b"}])),
            json!({"f:spec": {"f:groups": {"k:{\"name\":\"b\"}": {".": {}, "f:name": {}}}}}),
            &["spec.groups", "spec.groups[name=b].name"],
        ),
        (
            "a field in an element of an owned list is added",
            with("groups", json!([{"name": "a", "rules": [{"expr": "up", "for": "1h"}]}])),
            json!({"f:spec": {"f:groups": {"k:{\"name\":\"a\"}": {"f:rules": {}}}}}),
            &["spec.groups[name=a].rules[0].for"],
        ),
        ("labels and status are no part", wanted.clone(), json!({"f:metadata": {"f:labels": {"f:x": {}}}, "f:status": {"f:x": {}}}), &[]),
        ("what is owned but gone is none", wanted.clone(), json!({"f:spec": {"f:member": {}}}), &[]),
    ];
    for (reason, found, owned, expected) in cases {
        assert_eq!(fields("CloudAccount", &live(found, owned), &wanted), expected, "{reason}");
    }
}

#[test]
fn the_manager_that_owns_the_field_is_named_with_its_time() {
    let wanted = json!({"spec": {"hard": {"pods": "50"}}});
    let found = json!({"spec": {"hard": {"pods": "1000"}}});
    let changed = differences("ResourceQuota", OWN, &live(found.clone(), json!({"f:spec": {"f:hard": {"f:pods": {}}}})), &wanted);
    let told = Difference { field: "spec.hard.pods".into(), manager: Some("bob".into()), time: Some("2026-11-28T02:00:00Z".into()) };
    assert_eq!(changed, [told]);
    let other = differences("ResourceQuota", OWN, &live(found, json!({"f:spec": {"f:scopes": {}}})), &wanted);
    assert_eq!(other[0].manager, None, "bob did not write that");
}

#[test]
fn what_we_changed_without_applying_is_seen_once_it_is_not_wanted_any_more() {
    let wanted = json!({"spec": {"a": 1}});
    let mut found = live(json!({"spec": {"a": 1, "b": 2}}), json!({"f:spec": {"f:b": {}}}));
    found["metadata"]["managedFields"][1]["manager"] = json!(OWN);
    assert_eq!(fields("BackupPolicy", &found, &wanted), ["spec.b"], "applying would leave it there");
    found["metadata"]["managedFields"][1]["operation"] = json!("Apply");
    assert!(fields("BackupPolicy", &found, &wanted).is_empty(), "applying takes it away");
}

#[test]
fn a_secret_that_is_set_once_is_kept() {
    let wanted = json!({"spec": {"aws": {"accountId": "1"}}});
    let found = live(json!({"spec": {"aws": {"accountId": "1", "externalId": "x"}}}), json!({"f:spec": {"f:aws": {"f:externalId": {}}}}));
    let whole = with_set_once("CloudAccount", &found, &wanted);
    assert_eq!(whole["spec"]["aws"]["externalId"], "x");
    assert!(fields("CloudAccount", &found, &whole).is_empty());
    assert_eq!(with_set_once("BackupPolicy", &found, &wanted), wanted, "of another kind nothing is kept");
    let other = json!({"spec": {"aws": {"accountId": "1", "externalId": "y"}}});
    assert_eq!(with_set_once("CloudAccount", &found, &other), other, "what is wanted stands");
}

#[test]
fn the_replacement_is_exact_and_for_one_version() {
    let found = live(json!({"data": {"a": "1", "b": "2"}, "binaryData": {"x": "eA=="}}), json!({}));
    let patch = replacement("ConfigMap", &found, &json!({"data": {"a": "1"}}));
    let expected = json!([
        {"op": "test", "path": "/metadata/uid", "value": "u"},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/data", "value": {"a": "1"}},
        {"op": "remove", "path": "/binaryData"},
    ]);
    assert_eq!(patch, expected);
}

#[test]
fn only_managed_fields_of_others_are_kept() {
    let entry = |manager: &str, operation: &str, subresource: Option<&str>, fields: Value| json!({"manager": manager, "operation": operation, "subresource": subresource, "time": "t", "fieldsV1": fields});
    let spec = json!({"f:spec": {"f:x": {}}, "f:metadata": {"f:labels": {}}});
    let managed = json!([
        entry(OWN, "Apply", None, spec.clone()),
        entry(OWN, "Update", None, spec.clone()),
        entry("bob", "Update", None, spec.clone()),
        entry("bob", "Update", None, json!({"f:metadata": {"f:annotations": {}}})),
        entry("kube-controller-manager", "Update", Some("status"), json!({"f:status": {"f:used": {}}})),
        entry(OWN, "Apply", Some("status"), json!({"f:status": {}})),
    ]);
    let kept = worth_keeping(&managed);
    let told: Vec<(&str, &str, &Value)> = kept
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap(), &entry["fieldsV1"]))
        .collect();
    let (only_spec, nothing) = (json!({"f:spec": {"f:x": {}}}), json!({}));
    let expected = [(OWN, "Update", &only_spec), ("bob", "Update", &only_spec), ("kube-controller-manager", "Update", &nothing)];
    assert_eq!(told, expected);
}

/// The API server writes 1000 pods as 1k: that is nobody's change.
#[test]
fn an_amount_that_the_api_server_writes_otherwise_is_no_difference() {
    let wanted = json!({"spec": {"hard": {"pods": "1000", "requests.memory": "1024Gi"}}});
    let same = json!({"spec": {"hard": {"pods": "1k", "requests.memory": "1Ti"}}});
    let more = json!({"spec": {"hard": {"pods": "1001", "requests.memory": "1Ti"}}});
    assert_eq!(fields("ResourceQuota", &live(same.clone(), json!({})), &wanted), Vec::<String>::new());
    assert!(only_added(&same, &wanted));
    assert_eq!(fields("ResourceQuota", &live(more, json!({})), &wanted), ["spec.hard.pods"]);
    let (one, two) = (json!({"spec": {"size": "1k"}}), json!({"spec": {"size": "1000"}}));
    assert_eq!(fields("ResourceQuota", &live(one, json!({})), &two), ["spec.size"], "not a quantity");
}
