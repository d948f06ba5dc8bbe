//! Resource Manager: who calls, which version, and the calls that are understood.

use std::time::Instant;

use serde_json::{Value, json};

use crate::limits::quota;
use crate::reply::Reply;
use crate::services;
use crate::world::{Action, Delegation, Issued, Refusal, Subscription, World, actions};
use crate::{eligible, graph, recovery};

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path, decoded.
    pub path: String,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// Bearer token, where there is one.
    pub bearer: Option<String>,
    /// Whether the body is said to be JSON.
    pub json: bool,
    /// Body; `Null` for none.
    pub body: Value,
}

impl Request {
    /// A value of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Answers a request.
pub fn answer(world: &mut World, request: &Request) -> Reply {
    let rule = world.rule(&request.path, &request.body.to_string());
    match rule {
        Some(Refusal::TokenEnded) => {
            if let Some(issued) = request.bearer.as_ref().and_then(|bearer| world.tokens.get_mut(bearer)) {
                issued.until = Instant::now();
            }
        }
        Some(Refusal::DelegationRevoked) => world.subscriptions.values_mut().for_each(|subscription| subscription.delegations.clear()),
        _ => {}
    }
    if let Some(refused) = rule.and_then(refuse) {
        return refused;
    }
    let reply = match caller(world, request.bearer.as_deref()) {
        Ok(caller) => counted(world, &caller, request),
        Err(refused) => refused,
    };
    if rule == Some(Refusal::TimeoutAfterSuccess) {
        Reply::error(504, "GatewayTimeout", "The gateway did not receive a response.")
    } else {
        reply
    }
}

/// The answer where the caller's bucket has room, with what is left of it.
fn counted(world: &mut World, caller: &Issued, request: &Request) -> Reply {
    let Some(limits) = &mut world.limits else { return route(world, caller, request) };
    let path = request.path.to_ascii_lowercase();
    if path.contains("microsoft.resourcegraph") {
        return match limits.query(&caller.object_id) {
            Ok(left) => {
                let mut reply = route(world, caller, request);
                reply.headers.retain(|(name, _)| !name.starts_with("x-ms-user-quota"));
                quota(reply, left)
            }
            Err(refused) => refused,
        };
    }
    let subscription = path.trim_matches('/').split('/').nth(1).unwrap_or_default().to_owned();
    if request.method != "GET" || subscription.is_empty() {
        return route(world, caller, request);
    }
    match limits.read(&subscription, &caller.object_id) {
        Ok(left) => route(world, caller, request).with("x-ms-ratelimit-remaining-subscription-reads", left.to_string()),
        Err(refused) => refused,
    }
}

/// The answer of a refusal that does not look at the call.
pub fn refuse(refusal: Refusal) -> Option<Reply> {
    match refusal {
        Refusal::Denied => Some(Reply::denied("the action")),
        Refusal::Throttled(seconds) => {
            let message = "Number of requests exceeded the limit. Please try again later.";
            let reply = Reply::error(429, "TooManyRequests", message).with("retry-after", seconds.to_string());
            Some(reply.with("x-ms-ratelimit-remaining-subscription-reads", "13500"))
        }
        Refusal::Server(status) => Some(Reply::error(status, "InternalServerError", "The server failed.")),
        Refusal::TokenEnded | Refusal::DelegationRevoked | Refusal::TimeoutAfterSuccess => None,
    }
}

fn caller(world: &World, bearer: Option<&str>) -> Result<Issued, Reply> {
    let refused = |code: &str, message: &str| {
        let challenge = "Bearer authorization_uri=\"https://login.microsoftonline.com/\", error=\"invalid_token\"";
        Err(Reply::error(401, code, message).with("www-authenticate", challenge))
    };
    match bearer.map(|bearer| world.tokens.get(bearer)) {
        None => refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."),
        Some(None) => refused("InvalidAuthenticationToken", "The access token is invalid."),
        Some(Some(issued)) if issued.until <= Instant::now() => {
            refused("ExpiredAuthenticationToken", "The access token expiry UTC time has passed.")
        }
        Some(Some(issued)) => Ok(issued.clone()),
    }
}

/// Why a version is not served, if it is not.
pub fn version(request: &Request, served: &str) -> Option<Reply> {
    match request.query("api-version") {
        None => Some(Reply::error(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.")),
        Some(version) if version == served => None,
        Some(version) => {
            let message = format!("The api-version '{version}' is invalid. The supported versions are '{served}'.");
            Some(Reply::error(400, "InvalidApiVersionParameter", &message))
        }
    }
}

fn route(world: &mut World, caller: &Issued, request: &Request) -> Reply {
    if request.method == "POST" && !request.json {
        return Reply::error(415, "UnsupportedMediaType", "The content media type is not supported. Only 'application/json' is.");
    }
    let path = request.path.to_ascii_lowercase();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let served = |version_served: &str, reply: &mut dyn FnMut() -> Reply| version(request, version_served).unwrap_or_else(reply);
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["providers", "microsoft.resourcegraph", "resources"]) => {
            served("2021-03-01", &mut || graph::query(world, caller, &request.body))
        }
        ("GET", ["subscriptions"]) => served("2021-01-01", &mut || list(world, caller, request)),
        (method, ["subscriptions", id, rest @ ..]) => {
            if world.roles(caller, id).is_empty() {
                return Reply::no_subscription(id);
            }
            let held = (method == "GET").then(|| recovery::answer(world, caller, request, (id, rest))).flatten();
            if let Some(reply) = held {
                return reply;
            }
            match (method, rest) {
                ("GET", []) => served("2021-01-01", &mut || Reply::ok(show(world, id))),
                ("GET", ["resourcegroups"]) => served("2021-04-01", &mut || groups(world, caller, id)),
                ("GET", ["resourcegroups", group, "providers", "microsoft.authorization", "permissions"]) => {
                    served("2015-07-01", &mut || permissions(world, caller, id, group))
                }
                ("GET", ["providers", "microsoft.managedservices", "registrationassignments"]) => {
                    let expand = request.query("$expandRegistrationDefinition") == Some("true");
                    if request.query("api-version") == Some(eligible::VERSION) {
                        return eligible::delegations(world, caller, id, expand);
                    }
                    served("2019-09-01", &mut || delegations(world, caller, id, expand))
                }
                ("DELETE", ["providers", "microsoft.managedservices", "registrationassignments", name]) => {
                    served("2019-09-01", &mut || end_delegation(world, caller, id, name))
                }
                ("GET", ["providers"]) => served("2021-04-01", &mut || services::providers(id)),
                ("GET", ["resourcegroups", _, "providers", provider, kind, _]) => {
                    let Some(version) = services::version(provider, kind) else { return unknown() };
                    served(version, &mut || services::resource(world, caller, (id, &path)))
                }
                _ => unknown(),
            }
        }
        _ => unknown(),
    }
}

fn unknown() -> Reply {
    Reply::error(404, "InvalidResourceType", "The resource type could not be found. The simulator knows only the calls that are made.")
}

fn show(world: &World, id: &str) -> Value {
    let found = world.subscriptions.get(id).cloned().unwrap_or_default();
    let managers: Vec<Value> = found.delegations.iter().map(|delegation| json!({"tenantId": delegation.tenant_id})).collect();
    let mut body = json!({
        "id": format!("/subscriptions/{id}"), "subscriptionId": id, "displayName": format!("Subscription {id}"),
        "tenantId": found.tenant_id,
        "state": found.state.as_deref().unwrap_or("Enabled"), "authorizationSource": "RoleBased", "managedByTenants": managers,
        "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
    });
    if world.hide_managers
        && let Some(fields) = body.as_object_mut()
    {
        fields.remove("managedByTenants");
    }
    body
}

fn list(world: &World, caller: &Issued, request: &Request) -> Reply {
    let visible = world.subscriptions.keys().filter(|id| !world.roles(caller, id).is_empty());
    let from: usize = request.query("$skiptoken").and_then(|token| token.parse().ok()).unwrap_or_default();
    let size = world.page_subscriptions.unwrap_or(usize::MAX);
    let mut rest = visible.skip(from);
    let value: Vec<Value> = rest.by_ref().take(size).map(|id| show(world, id)).collect();
    // Microsoft's definition demands the link, also where nothing follows.
    let next = match (rest.next(), request.query("api-version")) {
        (Some(_), Some(version)) => format!("/subscriptions?api-version={version}&$skiptoken={}", from + size),
        _ => String::new(),
    };
    Reply::ok(json!({"value": value, "nextLink": next}))
}

fn groups(world: &World, caller: &Issued, id: &str) -> Reply {
    if !world.may(caller, id, Action::Read) {
        return Reply::denied("Microsoft.Resources/subscriptions/resourceGroups/read");
    }
    let names = world.subscriptions.get(id).map(|found| found.groups.clone()).unwrap_or_default();
    let value: Vec<Value> = names
        .iter()
        .map(|name| {
            json!({
                "id": format!("/subscriptions/{id}/resourceGroups/{name}"), "name": name, "type": "Microsoft.Resources/resourceGroups",
                "location": "westeurope", "properties": {"provisioningState": "Succeeded"},
            })
        })
        .collect();
    Reply::ok(json!({"value": value}))
}

fn permissions(world: &World, caller: &Issued, id: &str, group: &str) -> Reply {
    if !world.may(caller, id, Action::Read) {
        return Reply::denied("Microsoft.Authorization/permissions/read");
    }
    if !world.subscriptions.get(id).is_some_and(|found| found.groups.iter().any(|name| name.to_lowercase() == group)) {
        return Reply::error(404, "ResourceGroupNotFound", &format!("Resource group '{group}' could not be found."));
    }
    let roles = world.roles(caller, id);
    let value: Vec<Value> = roles.iter().map(|role| json!({"actions": actions(role), "notActions": []})).collect();
    Reply::ok(json!({"value": value}))
}

pub(crate) fn show_delegation(id: &str, found: &Subscription, delegation: &Delegation, state: &str, expand: bool) -> Value {
    let kind = "Microsoft.ManagedServices/registrationAssignments";
    let definition = format!("/subscriptions/{id}/providers/Microsoft.ManagedServices/registrationDefinitions/{}", delegation.name);
    let mut shown = json!({
        "id": format!("/subscriptions/{id}/providers/{kind}/{}", delegation.name), "name": delegation.name, "type": kind,
        "properties": {"registrationDefinitionId": definition, "provisioningState": state},
    });
    if expand {
        let authorizations: Vec<Value> =
            delegation.authorizations.iter().map(|(object, role)| json!({"principalId": object, "roleDefinitionId": role})).collect();
        shown["properties"]["registrationDefinition"] = json!({
            "id": definition, "name": delegation.name, "type": "Microsoft.ManagedServices/registrationDefinitions",
            "properties": {
                "registrationDefinitionName": "Simulated", "provisioningState": "Succeeded", "managedByTenantId": delegation.tenant_id,
                "manageeTenantId": found.tenant_id, "authorizations": authorizations,
            },
        });
    }
    shown
}

fn delegations(world: &World, caller: &Issued, id: &str, expand: bool) -> Reply {
    if !world.may(caller, id, Action::ReadDelegations) {
        return Reply::denied("Microsoft.ManagedServices/registrationAssignments/read");
    }
    let Some(found) = world.subscriptions.get(id) else { return Reply::no_subscription(id) };
    let value: Vec<Value> =
        found.delegations.iter().map(|delegation| show_delegation(id, found, delegation, "Succeeded", expand)).collect();
    Reply::ok(json!({"value": value}))
}

fn end_delegation(world: &mut World, caller: &Issued, id: &str, name: &str) -> Reply {
    if !world.may(caller, id, Action::DeleteDelegation) {
        return Reply::denied("Microsoft.ManagedServices/registrationAssignments/delete");
    }
    let (accept, delay) = (world.accept_deletions, world.revocation_delay);
    let Some(found) = world.subscriptions.get_mut(id) else { return Reply::no_subscription(id) };
    let Some(at) = found.delegations.iter().position(|delegation| delegation.name.eq_ignore_ascii_case(name)) else {
        return Reply::empty(204);
    };
    let gone = found.delegations.remove(at);
    found.lingering.push((gone.clone(), Instant::now() + delay));
    let body = show_delegation(id, found, &gone, "Deleting", false);
    let reply = Reply::ok(body);
    if accept { Reply { status: 202, ..reply }.with("retry-after", "1") } else { reply }
}
