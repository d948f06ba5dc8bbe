//! Service accounts: tokens, policies, and what their owners do with them.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::request::{Answer, Request};
use crate::world::{Binding, Policy, ServiceAccount, Token, World};
use crate::{envelope, register};

/// Longest life of a token in seconds.
const LIFE: i64 = 3600;

/// A call about service accounts.
pub fn route(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let is_token = request.call.starts_with("iamcredentials.");
    let service = if is_token { "iamcredentials.googleapis.com" } else { "iam.googleapis.com" };
    let caller = world.admit(request, service, &["cloud-platform"])?;
    match request.call {
        "iamcredentials.projects.serviceAccounts.generateAccessToken" => generate(world, request, &caller),
        "iam.projects.serviceAccounts.create" => create(world, request, &caller),
        "iam.projects.serviceAccounts.testIamPermissions" => {
            let account = find(world, &request.resource)?;
            let asked = asked_permissions(request)?;
            Ok(held(asked.into_iter().filter(|asked| world.may_on_account(&caller.principal, asked, account)).collect()))
        }
        "iam.projects.serviceAccounts.getIamPolicy" => {
            let account = may(world, request, &caller, "iam.serviceAccounts.getIamPolicy")?;
            let version = request.parameter("options.requestedPolicyVersion").unwrap_or("1");
            Ok(Answer::ok(shown(&account.policy, version == "3")))
        }
        "iam.projects.serviceAccounts.setIamPolicy" => {
            may(world, request, &caller, "iam.serviceAccounts.setIamPolicy")?;
            let delay = world.revocation_delay;
            let account = world.accounts.get_mut(&request.resource).ok_or_else(unknown)?;
            replace((&mut account.policy, delay), &request.body["policy"])
        }
        "iam.projects.serviceAccounts.get" => {
            let account = may(world, request, &caller, "iam.serviceAccounts.get")?;
            Ok(Answer::ok(described(&request.resource, account)))
        }
        "iam.projects.serviceAccounts.delete" => {
            may(world, request, &caller, "iam.serviceAccounts.delete")?;
            world.accounts.remove(&request.resource);
            Ok(Answer::ok(json!({})))
        }
        "iam.projects.serviceAccounts.keys.list" => {
            may(world, request, &caller, "iam.serviceAccountKeys.list")?;
            Ok(register::keys(world, &request.resource))
        }
        "iam.projects.roles.get" => register::role(world, &request.resource, &caller),
        _ => Err(envelope::error(404, "NOT_FOUND", "Method not found.")),
    }
}

fn unknown() -> Answer {
    let mut answer = envelope::error(404, "NOT_FOUND", "Unknown service account");
    answer.body["error"]["errors"] = json!([{"domain": "global", "message": "Unknown service account", "reason": "notFound"}]);
    answer
}

fn find<'a>(world: &'a World, email: &str) -> Result<&'a ServiceAccount, Answer> {
    world.accounts.get(email).ok_or_else(unknown)
}

fn may<'a>(world: &'a World, request: &Request, caller: &Token, permission: &str) -> Result<&'a ServiceAccount, Answer> {
    let account = find(world, &request.resource)?;
    if world.may_on_account(&caller.principal, permission, account) {
        return Ok(account);
    }
    Err(envelope::denied(permission, &format!("iam.googleapis.com/projects/{}/serviceAccounts/{}", account.project, request.resource)))
}

fn generate(world: &mut World, request: &Request, caller: &Token) -> Result<Answer, Answer> {
    if !request.path.starts_with("/v1/projects/-/") {
        return Err(envelope::invalid("The project must be the wildcard character -."));
    }
    let account = world.accounts.get(&request.resource);
    let missing = || envelope::error(404, "NOT_FOUND", &format!("Not found; Gaia id not found for email {}", request.resource));
    let account = account.ok_or_else(missing)?;
    if !world.may_on_account(&caller.principal, "iam.serviceAccounts.getAccessToken", account) {
        let resource = format!("iam.googleapis.com/projects/-/serviceAccounts/{}", request.resource);
        return Err(envelope::denied("iam.serviceAccounts.getAccessToken", &resource));
    }
    let scopes: Vec<String> = request.body["scope"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if scopes.is_empty() {
        return Err(envelope::invalid("Request contains an invalid argument: scope is required."));
    }
    let life = request.body["lifetime"].as_str().unwrap_or("3600s").strip_suffix('s').and_then(|life| life.parse::<i64>().ok());
    let life = life.filter(|life| (1..=LIFE).contains(life)).ok_or_else(|| envelope::invalid("The token lifetime is out of bounds."))?;
    let expires = world.now() + life;
    let token = world.issue(Token { principal: format!("serviceAccount:{}", request.resource), scopes, expires });
    let expire_time = Timestamp::from_second(expires).unwrap_or(Timestamp::MAX).to_string();
    Ok(Answer::ok(json!({"accessToken": token, "expireTime": expire_time})))
}

fn create(world: &mut World, request: &Request, caller: &Token) -> Result<Answer, Answer> {
    let path = request.path.split('/').nth(3).unwrap_or_default().to_owned();
    let project = world.project(&path).filter(|project| world.may_on_project(&caller.principal, "iam.serviceAccounts.create", project));
    let denied = || envelope::denied("iam.serviceAccounts.create", &format!("cloudresourcemanager.googleapis.com/projects/{path}"));
    let project = project.ok_or_else(denied)?.id.clone();
    let name = request.body["accountId"].as_str().unwrap_or_default();
    if name.len() < 6 || name.len() > 30 {
        return Err(envelope::invalid("The account ID is malformed."));
    }
    let email = world.add_account(name, &project);
    let account = world.accounts.get_mut(&email).ok_or_else(unknown)?;
    account.display_name = request.body["serviceAccount"]["displayName"].as_str().unwrap_or_default().into();
    account.description = request.body["serviceAccount"]["description"].as_str().unwrap_or_default().into();
    Ok(Answer::ok(described(&email, account)))
}

fn described(email: &str, account: &ServiceAccount) -> Value {
    let mut shown = json!({
        "email": email, "etag": etag(&account.policy), "name": format!("projects/{}/serviceAccounts/{email}", account.project),
        "oauth2ClientId": account.unique_id, "projectId": account.project, "uniqueId": account.unique_id,
    });
    // Google leaves out what is empty.
    for (field, text) in [("displayName", &account.display_name), ("description", &account.description)] {
        if !text.is_empty() {
            shown[field] = json!(text);
        }
    }
    shown
}

/// The permissions of a test: at most 100, none with a wildcard.
pub fn asked_permissions(request: &Request) -> Result<Vec<String>, Answer> {
    let asked: Vec<String> =
        request.body["permissions"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if asked.len() > 100 || asked.iter().any(|asked| asked.contains('*') || asked.split('.').count() < 3) {
        return Err(envelope::invalid("The permissions are too many or malformed."));
    }
    Ok(asked)
}

/// The answer of a test.
pub fn held(held: Vec<String>) -> Answer {
    Answer::ok(if held.is_empty() { json!({}) } else { json!({"permissions": held}) })
}

fn etag(policy: &Policy) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(policy.changes.to_be_bytes())
}

/// A policy as it is shown. Who does not ask for version 3 is not told conditions.
pub fn shown(policy: &Policy, with_conditions: bool) -> Value {
    if policy.bindings.is_empty() && policy.changes == 0 {
        return json!({"etag": etag(policy)});
    }
    let is_conditional = policy.bindings.iter().any(|binding| binding.condition.is_some());
    let bindings: Vec<Binding> = policy
        .bindings
        .iter()
        .map(|binding| Binding { condition: binding.condition.clone().filter(|_| with_conditions), ..binding.clone() })
        .collect();
    let mut shown = json!({"etag": etag(policy), "version": if is_conditional && with_conditions { 3 } else { 1 }});
    if !bindings.is_empty() {
        shown["bindings"] = json!(bindings);
    }
    shown
}

/// Replaces a policy, where the etag is the current one. What it bound before lets in for the delay.
pub fn replace((policy, delay): (&mut Policy, Duration), wanted: &Value) -> Result<Answer, Answer> {
    if wanted["etag"].as_str().is_some_and(|sent| sent != etag(policy)) {
        let message = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.";
        return Err(envelope::error(409, "ABORTED", message));
    }
    let bindings = wanted.get("bindings").cloned().unwrap_or_else(|| json!([]));
    let bindings: Vec<Binding> = serde_json::from_value(bindings).map_err(|_| envelope::invalid("The policy is malformed."))?;
    let is_conditional = bindings.iter().any(|binding| binding.condition.is_some());
    if is_conditional && wanted["version"] != 3 {
        return Err(envelope::invalid("Conditional bindings need version 3 of the policy."));
    }
    let before = std::mem::replace(&mut policy.bindings, bindings);
    (policy.changes, policy.lingering) = (policy.changes + 1, Some((before, Instant::now() + delay)));
    Ok(Answer::ok(shown(policy, true)))
}
