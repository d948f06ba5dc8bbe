//! Tokens for assertions and subject tokens.

use serde_json::{Value, json};

use crate::envelope;
use crate::keys::{unverified, verified};
use crate::request::{Answer, Request};
use crate::world::{Token, World};

/// Whom an assertion must be for.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// Seconds of a clock's error that are put up with.
const TOLERANCE: i64 = 300;
/// Longest life of a token in seconds.
const LIFE: i64 = 3600;

/// The token endpoints' own envelope.
fn refused(code: &str, description: &str) -> Answer {
    Answer { status: 400, body: json!({"error": code, "error_description": description}), ..Answer::default() }
}

/// RFC 7523: a token for an assertion that a known key has signed.
pub fn by_assertion(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    if request.body["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
        return Err(refused("unsupported_grant_type", "Invalid grant_type"));
    }
    let assertion = request.body["assertion"].as_str().unwrap_or_default();
    let malformed = || refused("invalid_grant", "Bad Request");
    let (header, claims) = unverified(assertion).ok_or_else(malformed)?;
    let (email, key) = (claims["iss"].as_str().unwrap_or_default(), header["kid"].as_str().unwrap_or_default());
    let public = world.keys.get(&(email.to_owned(), key.to_owned()));
    let public = public.ok_or_else(|| refused("invalid_grant", "Invalid grant: account not found"))?;
    let claims = verified(assertion, public).ok_or_else(|| refused("invalid_grant", "Invalid JWT Signature."))?;
    if claims["aud"] != AUDIENCE {
        return Err(refused("invalid_grant", "Invalid JWT: Failed audience check"));
    }
    let (from, until) = (claims["iat"].as_i64().unwrap_or(i64::MAX), claims["exp"].as_i64().unwrap_or_default());
    if from > world.now() + TOLERANCE || until < world.now() - TOLERANCE || until - from > LIFE || until <= from {
        return Err(refused(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat \
             and exp values in the JWT claim.",
        ));
    }
    let scopes = scopes(&claims["scope"]).ok_or_else(|| refused("invalid_scope", "Invalid OAuth scope or ID token audience provided."))?;
    let token = world.issue(Token { principal: format!("serviceAccount:{email}"), scopes, expires: world.now() + LIFE });
    Ok(Answer::ok(json!({"access_token": token, "expires_in": LIFE, "token_type": "Bearer"})))
}

fn scopes(value: &Value) -> Option<Vec<String>> {
    let scopes: Vec<String> = value.as_str()?.split_whitespace().map(str::to_owned).collect();
    (!scopes.is_empty()).then_some(scopes)
}

/// RFC 8693: a token for one of another issuer.
pub fn by_subject_token(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let body = &request.body;
    let is_right = body["grantType"] == "urn:ietf:params:oauth:grant-type:token-exchange"
        && body["requestedTokenType"] == "urn:ietf:params:oauth:token-type:access_token"
        && body["subjectTokenType"] == "urn:ietf:params:oauth:token-type:jwt";
    if !is_right {
        return Err(refused("invalid_request", "Invalid value for the grant or a token type."));
    }
    let audience = body["audience"].as_str().unwrap_or_default();
    let issuer = world
        .issuers
        .get(audience)
        .ok_or_else(|| refused("invalid_target", "The target service indicated by the \"audience\" parameters is invalid."))?;
    let subject = body["subjectToken"].as_str().unwrap_or_default();
    let claims = verified(subject, &issuer.public).filter(|claims| claims["iss"] == issuer.issuer.as_str());
    // Google quotes what it refuses.
    let claims = claims
        .ok_or_else(|| refused("invalid_grant", &format!("The given credential {subject} is rejected by the attribute condition.")))?;
    if claims["exp"].as_i64().unwrap_or_default() < world.now() || claims["aud"] != audience {
        return Err(refused("invalid_grant", "ID Token issued is stale to sign-in, or for another audience."));
    }
    let scopes = scopes(&body["scope"]).ok_or_else(|| refused("invalid_scope", "The scope is missing."))?;
    let pool = audience.split("/providers/").next().unwrap_or_default();
    let principal = format!("principal:{pool}/subject/{}", claims["sub"].as_str().unwrap_or_default());
    let token = world.issue(Token { principal, scopes, expires: world.now() + LIFE });
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    Ok(Answer::ok(json!({"access_token": token, "issued_token_type": kind, "token_type": "Bearer", "expires_in": LIFE})))
}

impl World {
    /// The caller of a request.
    pub fn caller(&self, request: &Request) -> Result<Token, Answer> {
        let Some(bearer) = &request.bearer else { return Err(envelope::unauthenticated("CREDENTIALS_MISSING")) };
        let token = self.tokens.get(bearer).filter(|token| token.expires > self.now());
        token.cloned().ok_or_else(|| envelope::unauthenticated("ACCESS_TOKEN_EXPIRED"))
    }
}
