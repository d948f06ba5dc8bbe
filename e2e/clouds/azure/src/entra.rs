//! The token endpoint: client credentials with a secret or with an assertion of another issuer.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::reply::Reply;
use crate::world::{Application, Federation, Issued, World};

/// Audience that a projected token must have.
pub const AUDIENCE: &str = "api://AzureADTokenExchange";
/// Type of a client assertion.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A projected token as the federation's issuer would make it. The signature is a digest with a shared key, which stands for the issuer's
/// real one.
#[must_use]
pub fn assertion(federation: &Federation, audience: &str, life_seconds: i64) -> String {
    let claims = json!({
        "iss": federation.issuer, "sub": federation.subject, "aud": audience, "exp": Timestamp::now().as_second() + life_seconds,
    });
    let text = format!("{}.{}", part(&json!({"alg": "simulated", "typ": "JWT"})), part(&claims));
    let signature = sign(&text, &federation.key);
    format!("{text}.{signature}")
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn sign(text: &str, key: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{key}\n{text}")))
}

fn refused(status: u16, number: u32, error: &str, message: &str) -> Reply {
    let body = json!({
        "error": error, "error_description": format!("AADSTS{number}: {message}"), "error_codes": [number],
        "timestamp": Timestamp::now().to_string(), "trace_id": "0", "correlation_id": "0",
    });
    Reply { status, headers: Vec::new(), body, cut: false }
}

/// `POST /{tenant}/oauth2/v2.0/token`. `resource` is the audience that tokens are given out for.
pub fn token(world: &mut World, tenant: &str, form: &[(String, String)], resource: &str) -> Reply {
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    if field("grant_type") != "client_credentials" {
        return refused(400, 70003, "unsupported_grant_type", "The app requested an unsupported grant type.");
    }
    if field("scope") != format!("{resource}/.default") {
        return refused(400, 70011, "invalid_scope", "The provided value for the input parameter 'scope' is not valid.");
    }
    let known = |application: &&Application| {
        application.tenant_id.eq_ignore_ascii_case(tenant) && application.client_id.eq_ignore_ascii_case(field("client_id"))
    };
    let Some(application) = world.applications.iter().find(known).cloned() else {
        return refused(400, 700_016, "unauthorized_client", "The application was not found in the directory.");
    };
    if let Some(refusal) =
        judge(&application, field("client_secret"), (field("client_assertion_type"), field("client_assertion")), world.now())
    {
        return refusal;
    }
    let (secret, life) = (issue(&application, resource, world.tokens.len()), world.token_life);
    let until = Instant::now() + life;
    let issued = Issued { client_id: application.client_id, tenant_id: application.tenant_id, object_id: application.object_id, until };
    world.tokens.insert(secret.clone(), issued);
    Reply::ok(json!({"token_type": "Bearer", "expires_in": life.as_secs(), "ext_expires_in": life.as_secs(), "access_token": secret}))
}

/// What speaks against the credentials.
fn judge(application: &Application, secret: &str, (kind, assertion): (&str, &str), now: Timestamp) -> Option<Reply> {
    let bad_assertion = |number, message| Some(refused(401, number, "invalid_client", message));
    if assertion.is_empty() {
        let right = application.secret.as_deref().is_some_and(|own| !own.is_empty() && own == secret);
        let message = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value.";
        return (!right).then(|| refused(401, 7_000_215, "invalid_client", message));
    }
    let Some(federation) = &application.federation else {
        return bad_assertion(700_213, "No matching federated identity record found for presented assertion.");
    };
    let (text, signature) = assertion.rsplit_once('.').unwrap_or_default();
    if kind != ASSERTION || signature != sign(text, &federation.key) {
        return bad_assertion(700_027, "The client assertion failed signature validation.");
    }
    let payload = text.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let claims: Value = payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or_default();
    if claims["iss"] != federation.issuer.as_str() || claims["sub"] != federation.subject.as_str() {
        return bad_assertion(700_213, "No matching federated identity record found for presented assertion subject.");
    }
    if claims["aud"] != AUDIENCE {
        return bad_assertion(700_212, "No matching federated identity record found for presented assertion audience.");
    }
    let ended = claims["exp"].as_i64().is_none_or(|exp| exp <= now.as_second());
    ended.then(|| bad_assertion(700_024, "The client assertion is not within its valid time range.")).flatten()
}

/// A token in the form of Azure's own; the number makes it one of a kind.
fn issue(application: &Application, resource: &str, number: usize) -> String {
    let claims = json!({
        "aud": resource, "iss": format!("https://sts.windows.net/{}/", application.tenant_id), "tid": application.tenant_id,
        "appid": application.client_id, "oid": application.object_id, "idtyp": "app", "uti": number.to_string(),
    });
    let text = format!("{}.{}", part(&json!({"alg": "simulated", "typ": "JWT"})), part(&claims));
    let signature = sign(&text, "the simulator's own");
    format!("{text}.{signature}")
}
