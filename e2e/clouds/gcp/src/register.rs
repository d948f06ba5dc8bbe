//! What tells who can get in: keys of service accounts, and what custom roles hold.

use serde_json::{Value, json};

use crate::envelope;
use crate::request::{Answer, Request};
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

/// When the key that the filter names was last used.
pub fn key_uses(world: &World, request: &Request) -> Result<Answer, Answer> {
    let caller = world.admit(request, "policyanalyzer.googleapis.com", &["cloud-platform"])?;
    let permission = "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query";
    let project = world.project(&request.resource).filter(|project| world.may_on_project(&caller.principal, permission, project));
    let denied = || envelope::denied(permission, &format!("cloudresourcemanager.googleapis.com/projects/{}", request.resource));
    let project = project.ok_or_else(denied)?;
    if !request.path.contains("/activityTypes/serviceAccountKeyLastAuthentication/") {
        return Err(envelope::invalid("Only the last use of keys is simulated."));
    }
    let filter = request.parameter("filter").unwrap_or_default();
    let name = filter.strip_prefix("activities.full_resource_name=\"").and_then(|rest| rest.strip_suffix('"'));
    let name = name.ok_or_else(|| envelope::invalid("The filter is not of the subset that is simulated."))?;
    let of = name.strip_prefix("//iam.googleapis.com/projects/").and_then(|rest| rest.split('/').next());
    let used = name.rsplit('/').next().and_then(|id| world.key_uses.get(id)).filter(|_| of == Some(project.id.as_str()));
    let Some(used) = used else { return Ok(Answer::ok(json!({}))) };
    Ok(Answer::ok(json!({"activities": [{
        "fullResourceName": name, "activityType": "serviceAccountKeyLastAuthentication",
        "observationPeriod": {"startTime": "2026-01-01T07:00:00Z", "endTime": "2026-06-01T07:00:00Z"},
        "activity": {"lastAuthenticatedTime": used, "serviceAccountKey": {"fullResourceName": name, "projectNumber": project.number}},
    }]})))
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
