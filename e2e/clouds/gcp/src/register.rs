//! What tells who can get in: keys of service accounts, and what custom roles hold.

use serde_json::{Value, json};

use crate::envelope;
use crate::request::Answer;
use crate::world::{Token, World};

/// When a key ends of which nobody said so: never, in Google's words.
const NEVER: &str = "9999-12-31T23:59:59Z";

/// The keys of a service account that people made.
pub fn keys(world: &World, email: &str) -> Answer {
    let project = world.accounts.get(email).map(|account| account.project.clone()).unwrap_or_default();
    let mut ids: Vec<&String> = world.keys.keys().filter(|(of, _)| of == email).map(|(_, id)| id).collect();
    ids.sort();
    let keys: Vec<Value> = ids
        .into_iter()
        .map(|id| {
            let ends = world.key_ends.get(id).map_or(NEVER, String::as_str);
            json!({
                "name": format!("projects/{project}/serviceAccounts/{email}/keys/{id}"), "keyAlgorithm": "KEY_ALG_RSA_2048",
                "keyOrigin": "GOOGLE_PROVIDED", "keyType": "USER_MANAGED", "validAfterTime": "2026-01-01T00:00:00Z", "validBeforeTime": ends,
            })
        })
        .collect();
    // Google leaves out what is empty.
    Answer::ok(if keys.is_empty() { json!({}) } else { json!({"keys": keys}) })
}

/// A custom role of a project.
pub fn role(world: &World, name: &str, caller: &Token) -> Result<Answer, Answer> {
    let project = name.split('/').nth(1).and_then(|project| world.project(project));
    if !project.is_some_and(|project| world.may_on_project(&caller.principal, "iam.roles.get", project)) {
        return Err(envelope::denied("iam.roles.get", name));
    }
    let held = world.roles.get(name).ok_or_else(|| envelope::error(404, "NOT_FOUND", &format!("The role named {name} was not found.")))?;
    Ok(Answer::ok(json!({"name": name, "title": "Made by a client", "includedPermissions": held, "stage": "GA", "etag": "BwXhqDVNFSI="})))
}
