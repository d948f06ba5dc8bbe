//! The resources' own providers: which types and versions they serve, and one resource at a time. They know what Resource Graph may not.

use serde_json::{Value, json};

use crate::reply::Reply;
use crate::world::{Action, Issued, World};

/// The types that are served one by one, each with its version.
const SERVED: [(&str, &str, &str); 2] =
    [("Microsoft.Compute", "virtualMachines", "2021-03-01"), ("Microsoft.Compute", "disks", "2020-12-01")];

/// The version of a type.
pub fn version(provider: &str, kind: &str) -> Option<&'static str> {
    let is_it = |served: &&(&str, &str, &str)| served.0.eq_ignore_ascii_case(provider) && served.1.eq_ignore_ascii_case(kind);
    SERVED.iter().find(is_it).map(|(_, _, version)| *version)
}

/// `GET /subscriptions/{id}/providers`.
pub fn providers(id: &str) -> Reply {
    let kinds: Vec<Value> = SERVED
        .iter()
        .map(|(_, kind, version)| json!({"resourceType": kind, "locations": ["West Europe"], "apiVersions": [version, "2099-01-01-preview"]}))
        .collect();
    let name = SERVED[0].0;
    let provider = json!({
        "id": format!("/subscriptions/{id}/providers/{name}"), "namespace": name, "registrationState": "Registered", "resourceTypes": kinds,
    });
    Reply::ok(json!({"value": [provider]}))
}

/// One resource of a subscription, by its id in lower case.
pub fn resource(world: &World, caller: &Issued, (subscription, id): (&str, &str)) -> Reply {
    if !world.may(caller, subscription, Action::Read) {
        return Reply::denied("the resource's read");
    }
    let Some(found) = world.subscriptions.get(subscription).and_then(|held| held.own(id)) else {
        let message = format!("The Resource '{id}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix");
        return Reply::error(404, "ResourceNotFound", &message);
    };
    Reply::ok(json!({
        "id": found["id"], "name": found["name"], "type": found["type"], "location": found["location"], "tags": found["tags"],
        "properties": {"provisioningState": "Succeeded"},
    }))
}
