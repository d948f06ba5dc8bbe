//! A spec as a tree: what lies under what, and which value stands at which path.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The part of a tree at a path such as `exit.contract.zone`.
#[must_use]
pub fn at<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(tree, |node, name| node.get(name))
}

/// The profile's values with the client's own over them, field by field: maps are merged, everything else is taken whole.
#[must_use]
pub fn merged(defaults: &Value, own: &Value) -> Value {
    let (Value::Object(defaults), Value::Object(own)) = (defaults, own) else {
        return own.clone();
    };
    let mut whole = own.clone();
    for (name, value) in defaults {
        let value = own.get(name).map_or_else(|| value.clone(), |own| merged(value, own));
        whole.insert(name.clone(), value);
    }
    Value::Object(whole)
}

/// The profile's values but for those that a client goes without.
#[must_use]
pub fn taken(defaults: &Map<String, Value>, without: &[String]) -> Value {
    let mut tree = Value::Object(defaults.clone());
    for path in without {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let pointer = if parent.is_empty() { String::new() } else { format!("/{}", parent.replace('.', "/")) };
        if let Some(Value::Object(map)) = tree.pointer_mut(&pointer) {
            map.remove(name);
        }
    }
    tree
}

/// Values of a tree by path: maps are entered, lists and plain values are taken whole.
#[must_use]
pub fn leaves(tree: &Value) -> BTreeMap<String, Value> {
    fn enter(path: &str, node: &Value, found: &mut BTreeMap<String, Value>) {
        match node {
            Value::Object(map) if !map.is_empty() => {
                for (name, value) in map {
                    let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    enter(&here, value, found);
                }
            }
            Value::Object(_) if path.is_empty() => {}
            other => {
                found.insert(path.to_owned(), other.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    enter("", tree, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_merge_and_lists_are_taken_whole() {
        let cases = [
            ("the profile alone", json!({"a": 1}), json!({}), json!({"a": 1})),
            ("the client's own wins", json!({"a": 1}), json!({"a": 2}), json!({"a": 2})),
            ("maps merge", json!({"a": {"b": 1, "c": 1}}), json!({"a": {"c": 2, "d": 2}}), json!({"a": {"b": 1, "c": 2, "d": 2}})),
            ("lists are replaced", json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
            ("an empty list is a value", json!({"a": [1]}), json!({"a": []}), json!({"a": []})),
            ("what is false or 0 is a value", json!({"a": 1, "b": true}), json!({"a": 0, "b": false}), json!({"a": 0, "b": false})),
        ];
        for (reason, defaults, own, expected) in cases {
            assert_eq!(merged(&defaults, &own), expected, "{reason}");
        }
    }

    #[test]
    fn what_a_client_goes_without_is_not_taken() {
        let defaults = json!({"backups": {"x": 1}, "monitoring": {"heartbeat": {"y": 1}, "retentionDays": 3}}).as_object().unwrap().clone();
        let without = ["backups".to_owned(), "monitoring.heartbeat".into(), "monitoring.none.at".into()];
        assert_eq!(taken(&defaults, &without), json!({"monitoring": {"retentionDays": 3}}));
    }

    #[test]
    fn leaves_are_told_by_path() {
        let tree = json!({"a": {"b": [1, {"c": 2}], "d": {}}, "e": false});
        let found = leaves(&tree);
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["a.b", "a.d", "e"]);
        assert_eq!(found["a.b"], json!([1, {"c": 2}]));
        assert!(leaves(&json!({})).is_empty());
    }
}
