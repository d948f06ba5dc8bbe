//! The definitions of a ManagedClient and of a ServiceProfile are one: a profile may set what the client's own schema has, and a client may leave out what its
//! profile gives.
//!
//! The API server fills in the defaults of a schema before anybody reads the object, and then nobody can tell them from what a person wrote. So the fields that
//! a profile may set have none: they are filled in where the object is read.

use serde_json::{Map, Value, json};

use super::{FIELDS, OF_ONE_ENGAGEMENT};

/// Where the schema of a spec is in a definition.
const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";

/// Opens what a profile may set in the definition of a ManagedClient, and puts its schema into that of a ServiceProfile.
pub(crate) fn join(client: &mut Value, profile: &mut Value) {
    let Some(spec) = client.pointer_mut(SPEC) else { return };
    let mut rules = Vec::new();
    for path in FIELDS {
        open_field(spec, path, &mut rules);
    }
    let mut defaults = json!({"type": "object", "properties": {}});
    for path in FIELDS {
        copy(spec, &mut defaults, path);
    }
    for path in OF_ONE_ENGAGEMENT {
        remove(&mut defaults, path);
    }
    let own = spec.as_object_mut().map(|spec| spec.entry("x-kubernetes-validations").or_insert_with(|| json!([])));
    if let Some(Value::Array(own)) = own {
        own.extend(rules);
    }
    // A schema without a type is made one that takes null.
    if let Some(Value::Object(size)) = profile.pointer_mut(&format!("{SPEC}/properties/rollout/properties/waveSize")) {
        size.remove("nullable");
    }
    if let Some(slot) = profile.pointer_mut(&format!("{SPEC}/properties/defaults")) {
        defaults["description"] = slot["description"].take();
        *slot = defaults;
    }
}

/// The schema at a path.
fn schema<'a>(spec: &'a mut Value, path: &[&str]) -> Option<&'a mut Value> {
    path.iter().try_fold(spec, |node, name| node.get_mut("properties")?.get_mut(name))
}

/// Opens one field, and asks for it by a rule where its parent did.
fn open_field(spec: &mut Value, path: &str, rules: &mut Vec<Value>) {
    let names: Vec<&str> = path.split('.').collect();
    let (name, parents) = names.split_last().expect("a path has a name");
    if let Some(parent) = schema(spec, parents)
        && let Some(Value::Array(required)) = parent.get_mut("required")
        && let Some(at) = required.iter().position(|found| found == name)
    {
        required.remove(at);
        if required.is_empty() {
            parent.as_object_mut().map(|parent| parent.remove("required"));
        }
        rules.push(required_rule(parents, name));
    }
    if let Some(field) = schema(spec, &names) {
        open(field, &names, rules);
    }
}

/// Takes defaults and required fields out of a schema, down to lists.
fn open(node: &mut Value, path: &[&str], rules: &mut Vec<Value>) {
    let Some(map) = node.as_object_mut() else { return };
    if let Some(default) = map.remove("default").filter(|default| !default.is_object()) {
        tell(map, &format!("Default `{default}` where no profile gives it."));
    }
    let required = map.remove("required");
    let required: Vec<&str> = required.iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str).collect();
    rules.extend(required.iter().map(|name| required_rule(path, name)));
    if map.get("type").and_then(Value::as_str) == Some("object") {
        lift(map, path, rules);
    }
    for (name, field) in map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        if let Some(field) = field.as_object_mut().filter(|_| required.contains(&name.as_str())) {
            tell(field, "Required where no profile gives it.");
        }
        open(field, &[path, &[name]].concat(), rules);
    }
}

fn tell(schema: &mut Map<String, Value>, sentence: &str) {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let text = format!("{text} {sentence}").trim().to_owned();
    schema.insert("description".into(), text.into());
}

/// `has(self.profile)`, or one of these fields is missing: what stands behind is asked only where neither is so.
fn guard(path: &[&str]) -> String {
    let missing: String = (1..=path.len()).map(|end| format!("!has(self.{}) || ", path[..end].join("."))).collect();
    format!("has(self.profile) || {missing}")
}

fn required_rule(path: &[&str], name: &str) -> Value {
    let field = [path, &[name]].concat().join(".");
    json!({
        "rule": format!("{}has(self.{field})", guard(path)),
        "message": format!("spec.{field} is required where no profile (spec.profile) gives it"),
    })
}

/// Rules over several fields of an object go up to the spec: with a profile, one of the fields may come from there, and the operator asks for the whole.
fn lift(map: &mut Map<String, Value>, path: &[&str], rules: &mut Vec<Value>) {
    let Some(Value::Array(held)) = map.get_mut("x-kubernetes-validations") else { return };
    held.retain(|rule| {
        let text = rule["rule"].as_str().unwrap_or_default();
        if fields_of(text) < 2 {
            return true;
        }
        let mut lifted = rule.clone();
        lifted["rule"] = format!("{}({})", guard(path), text.replace("self.", &format!("self.{}.", path.join(".")))).into();
        rules.push(lifted);
        false
    });
    if held.is_empty() {
        map.remove("x-kubernetes-validations");
    }
}

/// Number of different fields that a rule names.
fn fields_of(rule: &str) -> usize {
    let name = |rest: &str| rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    rule.split("self.").skip(1).map(name).collect::<std::collections::BTreeSet<_>>().len()
}

/// Puts the schema at a path into another one, with plain objects on the way.
fn copy(from: &mut Value, into: &mut Value, path: &str) {
    let names: Vec<&str> = path.split('.').collect();
    let Some(field) = schema(from, &names).cloned() else { return };
    let mut here = into;
    for (at, name) in names.iter().enumerate() {
        let description = schema(from, &names[..=at]).map(|node| node["description"].clone());
        let fields = &mut here["properties"];
        if at + 1 == names.len() {
            fields[*name] = field;
            return;
        }
        if fields.get(name).is_none() {
            fields[*name] = json!({"type": "object", "description": description, "properties": {}});
        }
        here = &mut fields[*name];
    }
}

fn remove(tree: &mut Value, path: &str) {
    let names: Vec<&str> = path.split('.').collect();
    let (name, parents) = names.split_last().expect("a path has a name");
    if let Some(fields) = schema(tree, parents).and_then(|parent| parent.get_mut("properties")).and_then(Value::as_object_mut) {
        fields.remove(*name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str) -> Value {
        let crd = crate::all_crds().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
        serde_json::to_value(crd).unwrap().pointer(SPEC).unwrap().clone()
    }

    fn field(spec: &mut Value, path: &str) -> Value {
        schema(spec, &path.split('.').collect::<Vec<_>>()).cloned().unwrap_or_default()
    }

    #[test]
    fn every_field_of_a_profile_is_one_of_a_client_and_the_api_server_fills_in_none() {
        fn defaults(node: &Value, path: &str, found: &mut Vec<String>) {
            if node.get("default").is_some() {
                found.push(path.to_owned());
            }
            for (name, field) in node["properties"].as_object().into_iter().flatten() {
                defaults(field, &format!("{path}.{name}"), found);
            }
        }
        let (mut client, mut profile) = (of("ManagedClient"), of("ServiceProfile"));
        let mut found = Vec::new();
        for path in FIELDS {
            let held = field(&mut client, path);
            assert!(held.is_object(), "a ManagedClient has no field {path}");
            defaults(&held, path, &mut found);
            let mut copy = field(&mut profile, &format!("defaults.{path}"));
            let mut held = held;
            if path == "serviceLevels" {
                remove(&mut held, "exclusions");
                assert!(copy["properties"].get("exclusions").is_none());
            }
            assert_eq!(copy.take(), held, "{path}");
        }
        assert!(found.is_empty(), "the API server would fill these in, as if the client had set them: {found:?}");
    }

    #[test]
    fn identity_is_no_field_of_a_profile() {
        let mut profile = of("ServiceProfile");
        for path in [
            "displayName",
            "contacts",
            "accounts",
            "groups",
            "scope",
            "breakGlass",
            "agreements",
            "lifecycle",
            "providerProfile",
            "profile",
            "exit.recipients",
            "exit.destination",
            "exit.legalHold",
            "exit.contract.endsOn",
            "exit.contract.notice",
            "exit.contract.atEnd",
            "exit.contract.transition.toldOn",
        ] {
            assert_eq!(field(&mut profile, &format!("defaults.{path}")), Value::Null, "{path}");
        }
    }

    #[test]
    fn what_was_required_is_asked_for_where_no_profile_is_named() {
        let client = of("ManagedClient");
        let rules: Vec<&str> =
            client["x-kubernetes-validations"].as_array().unwrap().iter().filter_map(|rule| rule["rule"].as_str()).collect();
        for rule in [
            "has(self.profile) || !has(self.monitoring) || has(self.monitoring.tiers)",
            "has(self.profile) || !has(self.monitoring) || !has(self.monitoring.storage) || has(self.monitoring.storage.sizeGib)",
            "has(self.profile) || !has(self.backups) || !has(self.backups.tag) || has(self.backups.tag.key)",
            "has(self.profile) || !has(self.exit) || !has(self.exit.contract) || !has(self.exit.contract.transition) || has(self.exit.contract.transition.days)",
        ] {
            assert!(rules.contains(&rule), "{rule} is not in {rules:#?}");
        }
        let mut client = client.clone();
        for (path, rule) in [
            ("monitoring.tiers", "each tier needs a name of its own"),
            ("billing.units", "each unit needs a name of its own"),
            ("domains", "each domain stands once"),
        ] {
            let stays = field(&mut client, path)["x-kubernetes-validations"].to_string();
            assert!(stays.contains(rule), "a rule of the list by itself stays with it: {path}: {stays}");
        }
        let lifted = rules.iter().find(|rule| rule.contains("self.monitoring.hours.exists")).unwrap();
        assert!(lifted.starts_with("has(self.profile) || !has(self.monitoring) || (self.monitoring.tiers.all("), "{lifted}");
    }
}
