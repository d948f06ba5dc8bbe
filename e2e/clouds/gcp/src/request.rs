//! Requests and answers as plain data.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

use crate::{recovery, schedules, services};

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Google's name of the call, such as `cloudasset.searchAllResources`; empty where it is none that is known.
    pub call: &'static str,
    /// Path, decoded, without the service's name before it.
    pub path: String,
    /// Query parameters; those that may repeat are lists.
    pub query: BTreeMap<String, Vec<String>>,
    /// Token that the caller presents.
    pub bearer: Option<String>,
    /// The header `X-Goog-User-Project`.
    pub quota_project: Option<String>,
    /// Body, also of a form, as JSON; null where it is neither.
    pub body: Value,
    /// The resource in the path: project, or service account.
    pub resource: String,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Value,
    /// The header `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    /// Whether something else than JSON is sent.
    pub is_garbled: bool,
}

impl Answer {
    /// An answer of success.
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body, ..Self::default() }
    }
}

impl Request {
    /// Reads a request.
    pub fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let is_form = header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let body = if is_form {
            let text = String::from_utf8_lossy(body).into_owned();
            pairs(&text).map(|(key, value)| (key, json!(value))).collect::<serde_json::Map<_, _>>().into()
        } else {
            serde_json::from_slice(body).unwrap_or(Value::Null)
        };
        let asked = decode(uri.path(), false);
        // Services whose paths are the same are told apart by the one that stands before.
        let (service, path) = match asked.strip_prefix("/at/").and_then(|rest| rest.split_once('/')) {
            Some((service, rest)) => (service, format!("/{rest}")),
            None => ("", asked.clone()),
        };
        let names = [schedules::name, recovery::name, services::name];
        let known = names.iter().find_map(|name| name(method.as_str(), service, &path));
        let (call, resource) = known.unwrap_or_else(|| name(method.as_str(), &path));
        let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in pairs(uri.query().unwrap_or_default()) {
            query.entry(key).or_default().push(value);
        }
        Self {
            call,
            path,
            query,
            bearer: header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
            quota_project: header("x-goog-user-project"),
            body,
            resource,
        }
    }

    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name)?.first().map(String::as_str)
    }
}

/// Google's name of a call, and the resource in its path.
fn name(method: &str, path: &str) -> (&'static str, String) {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (last, verb) = parts.last().and_then(|last| last.rsplit_once(':')).unwrap_or((parts.last().copied().unwrap_or_default(), ""));
    let call = match (method, parts.as_slice(), verb) {
        ("POST", ["token"], _) => "oauth2.token",
        ("POST", ["v1", "token"], _) => "sts.token",
        ("POST", ["v1", "projects", _, "serviceAccounts", _], "generateAccessToken") => {
            "iamcredentials.projects.serviceAccounts.generateAccessToken"
        }
        ("POST", ["v1", "projects", _, "serviceAccounts", _], "getIamPolicy") => "iam.projects.serviceAccounts.getIamPolicy",
        ("POST", ["v1", "projects", _, "serviceAccounts", _], "setIamPolicy") => "iam.projects.serviceAccounts.setIamPolicy",
        ("POST", ["v1", "projects", _, "serviceAccounts", _], "testIamPermissions") => "iam.projects.serviceAccounts.testIamPermissions",
        ("POST", ["v1", "projects", project, "serviceAccounts"], "") => {
            return ("iam.projects.serviceAccounts.create", (*project).to_owned());
        }
        ("GET", ["v1", "projects", _, "serviceAccounts", _], "") => "iam.projects.serviceAccounts.get",
        ("GET", ["v1", "projects", _, "serviceAccounts", account, "keys"], "") => {
            return ("iam.projects.serviceAccounts.keys.list", (*account).to_owned());
        }
        ("GET", ["v1", "projects", project, "roles", role], "") => {
            return ("iam.projects.roles.get", format!("projects/{project}/roles/{role}"));
        }
        ("DELETE", ["v1", "projects", _, "serviceAccounts", _], "") => "iam.projects.serviceAccounts.delete",
        ("GET", ["v3", "projects"], "") => "cloudresourcemanager.projects.list",
        ("GET", ["v3", "folders"], "") => "cloudresourcemanager.folders.list",
        ("GET", ["v3", "folders", _], "") => "cloudresourcemanager.folders.get",
        ("POST", ["v3", "folders", _], "testIamPermissions") => "cloudresourcemanager.folders.testIamPermissions",
        ("GET", ["v3", "projects", _], "") => "cloudresourcemanager.projects.get",
        ("POST", ["v3", "projects", _], "testIamPermissions") => "cloudresourcemanager.projects.testIamPermissions",
        ("POST", ["v1" | "v3", "projects", _], "getIamPolicy") => "cloudresourcemanager.projects.getIamPolicy",
        ("POST", ["v1" | "v3", "projects", _], "setIamPolicy") => "cloudresourcemanager.projects.setIamPolicy",
        ("GET", ["v1", "projects", project, "locations", _, "activityTypes", _, _], "query") => {
            return ("policyanalyzer.projects.locations.activityTypes.activities.query", (*project).to_owned());
        }
        ("GET", ["v1", "projects", _], "batchGetAssetsHistory") => "cloudasset.batchGetAssetsHistory",
        ("GET", ["v1", "projects", _], "searchAllResources") => "cloudasset.searchAllResources",
        ("GET", ["v1", "projects", project, "assets"], "") => return ("cloudasset.assets.list", (*project).to_owned()),
        _ => "",
    };
    (call, last.to_owned())
}

fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key, true), decode(value, true))
    })
}

fn decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(if plus_is_space && bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
