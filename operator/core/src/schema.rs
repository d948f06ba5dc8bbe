//! Whether the definitions that the cluster serves hold every field that this release writes. An older definition refuses whole writes or drops fields.

use serde_json::Value;

/// The command that cures it.
pub const CURE: &str = "kubectl apply --server-side --force-conflicts -f crds/, with the files of this release";
/// Most fields that are named in a message.
const MAX_NAMED: usize = 5;

/// Fields of `ours` that `served` does not have, as paths such as `status.externalIds` and `spec.accounts[].name`. Both are OpenAPI schemas.
#[must_use]
pub fn missing_fields(ours: &Value, served: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    compare(ours, served, "", &mut missing);
    missing.sort();
    missing
}

fn compare(ours: &Value, served: &Value, path: &str, missing: &mut Vec<String>) {
    if served["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    for (name, field) in ours["properties"].as_object().into_iter().flatten() {
        // The API server brings its own.
        if path.is_empty() && ["apiVersion", "kind", "metadata"].contains(&name.as_str()) {
            continue;
        }
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match served["properties"].get(name) {
            Some(found) => compare(field, found, &here, missing),
            None => missing.push(here),
        }
    }
    for (inner, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if ours[inner].is_object() {
            compare(&ours[inner], &served[inner], &format!("{path}{mark}"), missing);
        }
    }
}

/// The schema of a kind in the document that the API server answers under `/openapi/v3/apis/GROUP/VERSION`.
#[must_use]
pub fn served<'a>(document: &'a Value, group: &str, version: &str, kind: &str) -> Option<&'a Value> {
    let is_it = |schema: &&Value| {
        schema["x-kubernetes-group-version-kind"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|found| found["group"] == group && found["version"] == version && found["kind"] == kind))
    };
    document["components"]["schemas"].as_object()?.values().find(is_it)
}

/// One line for a condition and for the log: what is missing, and the command. `None` where nothing is.
#[must_use]
pub fn outdated(missing: &[(String, Vec<String>)]) -> Option<String> {
    let fields: Vec<String> = missing.iter().flat_map(|(kind, fields)| fields.iter().map(move |field| format!("{kind} {field}"))).collect();
    if fields.is_empty() {
        return None;
    }
    let more = fields.len().saturating_sub(MAX_NAMED);
    let tail = if more == 0 { String::new() } else { format!(" and {more} more") };
    let named = fields.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    Some(format!("the definitions in the cluster are older than this release and lack {named}{tail}: {CURE}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ours() -> Value {
        json!({"properties": {
            "metadata": {"properties": {"name": {}}},
            "spec": {"properties": {"accounts": {"items": {"properties": {"name": {}, "aws": {"properties": {"regions": {}}}}}}}},
            "status": {"properties": {"externalIds": {"additionalProperties": {"type": "string"}}, "observedGeneration": {}}},
        }})
    }

    #[test]
    fn a_field_that_the_cluster_does_not_know_is_named_by_its_path() {
        let without = |pointer: &str, name: &str| {
            let mut served = ours();
            served.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
            served
        };
        let accounts = "/properties/spec/properties/accounts/items/properties";
        let cases = [
            ("nothing is missing", ours(), vec![]),
            ("a field of the status", without("/properties/status/properties", "externalIds"), vec!["status.externalIds"]),
            ("the status as a whole is one field", without("/properties", "status"), vec!["status"]),
            ("a field of a list's items", without(accounts, "name"), vec!["spec.accounts[].name"]),
            ("deeper", without(&format!("{accounts}/aws/properties"), "regions"), vec!["spec.accounts[].aws.regions"]),
            ("metadata is the API server's", without("/properties", "metadata"), vec![]),
        ];
        for (reason, served, expected) in cases {
            assert_eq!(missing_fields(&ours(), &served), expected, "{reason}");
        }
        let mut open = without("/properties/status/properties", "externalIds");
        open["properties"]["status"]["x-kubernetes-preserve-unknown-fields"] = json!(true);
        assert!(missing_fields(&ours(), &open).is_empty(), "a definition that takes any field lacks none");
    }

    #[test]
    fn the_served_schema_is_found_by_its_kind() {
        let kind = |name: &str| json!([{"group": "caretaker.dev", "version": "v1alpha1", "kind": name}]);
        let document = json!({"components": {"schemas": {
            "a": {"x-kubernetes-group-version-kind": kind("Handover"), "n": 1},
            "b": {"x-kubernetes-group-version-kind": kind("CloudAccount"), "n": 2},
            "c": {},
        }}});
        assert_eq!(served(&document, "caretaker.dev", "v1alpha1", "CloudAccount").unwrap()["n"], 2);
        assert!(served(&document, "caretaker.dev", "v1", "CloudAccount").is_none());
    }

    #[test]
    fn the_message_names_some_and_the_command() {
        assert_eq!(outdated(&[("Handover".into(), vec![])]), None);
        let fields = (0..7).map(|number| format!("status.f{number}")).collect();
        let message = outdated(&[("Handover".into(), fields)]).unwrap();
        assert!(message.contains("Handover status.f4 and 2 more") && message.contains(CURE), "{message}");
    }
}
