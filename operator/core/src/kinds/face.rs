//! Which change of an object is whose business: its own controller looks at all but the status, which it wrote itself; others look at the status too, but not at
//! times, nor at texts of what is as it should be.

use std::hash::{DefaultHasher, Hash, Hasher};

use kube::core::DynamicObject;
use serde_json::Value;

/// Digests of the parts of an object. They are compared within one process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faces {
    /// Everything that the object's own controller, or its maker, reacts to: all but the status and the API server's own book-keeping. That somebody else
    /// wrote the status counts: it is put back.
    pub own: u64,
    /// Everything that other objects react to: the above and the status, conditions without their times, and without their messages where
    /// they are True: a person who looks at the client is to read why a child is not ready.
    pub told: u64,
}

/// Fields of the metadata that somebody may react to.
const METADATA: [&str; 6] = ["uid", "labels", "annotations", "finalizers", "ownerReferences", "deletionTimestamp"];
/// Fields of a condition that change without meaning anything else: of one that is not True, and of one that is.
const TIME: [&str; 1] = ["lastTransitionTime"];
const TIME_AND_TEXT: [&str; 2] = ["message", "lastTransitionTime"];
/// Fields of a status that answer whoever asked, and nobody else.
const ANSWERS: [&str; 1] = ["lastHandledRequest"];

/// The faces of an object as the API server told it.
#[must_use]
pub fn faces(object: &DynamicObject) -> Faces {
    let mut hasher = DefaultHasher::new();
    let metadata = serde_json::to_value(&object.metadata).unwrap_or(Value::Null);
    for field in METADATA {
        feed(metadata.get(field).unwrap_or(&Value::Null), &mut hasher);
    }
    for (key, value) in object.data.as_object().into_iter().flatten().filter(|(key, _)| *key != "status") {
        key.hash(&mut hasher);
        feed(value, &mut hasher);
    }
    // Into the status of others' kinds their own controllers write all the time.
    let is_ours = object.types.as_ref().is_some_and(|types| types.api_version.split('/').next() == Some(caretaker_api::GROUP));
    let kept = crate::drift::worth_keeping(metadata.get("managedFields").unwrap_or(&Value::Null));
    for entry in kept.as_array().into_iter().flatten().filter(|entry| is_ours && entry["subresource"] == "status") {
        feed(&entry["manager"], &mut hasher);
        feed(&entry["time"], &mut hasher);
    }
    let own = hasher.finish();
    for (key, value) in object.data["status"].as_object().into_iter().flatten() {
        if ANSWERS.contains(&key.as_str()) {
            continue;
        }
        key.hash(&mut hasher);
        match value.as_array().filter(|_| key == "conditions") {
            Some(conditions) => conditions.iter().for_each(|condition| feed_condition(condition, &mut hasher)),
            None => feed(value, &mut hasher),
        }
    }
    Faces { own, told: hasher.finish() }
}

fn feed_condition(condition: &Value, hasher: &mut DefaultHasher) {
    let skipped: &[&str] = if condition["status"] == "True" { &TIME_AND_TEXT } else { &TIME };
    feed_but(condition, skipped, hasher);
}

fn feed_but(value: &Value, skipped: &[&str], hasher: &mut DefaultHasher) {
    for (key, value) in value.as_object().into_iter().flatten().filter(|(key, _)| !skipped.contains(&key.as_str())) {
        key.hash(hasher);
        feed(value, hasher);
    }
}

fn feed(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(is) => (1_u8, is).hash(hasher),
        Value::Number(number) => (2_u8, number).hash(hasher),
        Value::String(text) => (3_u8, text).hash(hasher),
        Value::Array(list) => {
            (4_u8, list.len()).hash(hasher);
            list.iter().for_each(|item| feed(item, hasher));
        }
        Value::Object(map) => {
            (5_u8, map.len()).hash(hasher);
            for (key, value) in map {
                key.hash(hasher);
                feed(value, hasher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account() -> Value {
        json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount",
            "metadata": {"name": "prod", "namespace": "client-a", "uid": "u", "generation": 1, "resourceVersion": "7",
                "annotations": {"a": "1"}, "managedFields": [{"manager": "caretaker"}]},
            "spec": {"allow": ["Read"]},
            "status": {"lastHandledRequest": "r", "account": "1", "conditions": [
                {"type": "Ready", "status": "False", "reason": "Failed", "message": "role a", "lastTransitionTime": "t", "observedGeneration": 1},
                {"type": "InventoryComplete", "status": "True", "reason": "Settled", "message": "8 machines"}]},
        })
    }

    /// Row: a change, whether the object's own controller is to look, whether others are.
    #[test]
    fn a_change_is_told_to_those_who_react_to_it() {
        let rows = [
            ("the message of a condition that is not True", "/status/conditions/0/message", json!("role b"), false, true),
            ("the message of a condition that is True", "/status/conditions/1/message", json!("9 machines"), false, false),
            (
                "a status that somebody else wrote",
                "/metadata/managedFields",
                json!([{"manager": "kubectl-edit", "subresource": "status", "time": "2026-11-28T02:00:00Z", "fieldsV1": {"f:status": {}}}]),
                true,
                true,
            ),
            ("the time of a condition", "/status/conditions/0/lastTransitionTime", json!("u"), false, false),
            ("the answer to a request", "/status/lastHandledRequest", json!("s"), false, false),
            ("the version", "/metadata/resourceVersion", json!("8"), false, false),
            ("managed fields", "/metadata/managedFields", json!([]), false, false),
            ("the reason of a condition", "/status/conditions/0/reason", json!("AccessDenied"), false, true),
            ("the status of a condition", "/status/conditions/0/status", json!("Unknown"), false, true),
            ("the generation that a condition speaks of", "/status/conditions/0/observedGeneration", json!(2), false, true),
            ("another field of the status", "/status/account", json!("2"), false, true),
            ("the spec", "/spec/allow", json!([]), true, true),
            ("an annotation", "/metadata/annotations/a", json!("2"), true, true),
            ("another object of the name", "/metadata/uid", json!("v"), true, true),
        ];
        let of = |value: &Value| faces(&serde_json::from_value(value.clone()).unwrap());
        let before = of(&account());
        for (what, pointer, value, own, told) in rows {
            let mut changed = account();
            *changed.pointer_mut(pointer).unwrap() = value;
            let after = of(&changed);
            assert_eq!((before.own != after.own, before.told != after.told), (own, told), "{what}");
        }
        for field in ["finalizers", "ownerReferences", "deletionTimestamp"] {
            let mut changed = account();
            changed["metadata"][field] = match field {
                "finalizers" => json!(["x"]),
                "ownerReferences" => json!([{"apiVersion": "v1", "kind": "Namespace", "name": "n", "uid": "w"}]),
                _ => json!("2026-01-01T00:00:00Z"),
            };
            assert!(of(&changed).own != before.own, "{field}");
        }
    }
}
