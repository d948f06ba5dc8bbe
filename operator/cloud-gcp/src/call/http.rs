//! One call over HTTP: no retry, no redirect, a bounded answer.

use std::time::Duration;

use caretaker_cloud::runtime::Proxies;
use caretaker_cloud::{CloudError, ErrorClass, Result};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Url};
use serde_json::Value;

use crate::config::Secret;
use crate::errors::{Answer, Refusal};

/// Longest time of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer, in bytes: 500 rows have about one MiB.
const MAX_ANSWER: usize = 64 << 20;

/// What is sent with a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// Token of the caller.
    pub token: Option<&'a Secret>,
    /// The project that pays.
    pub quota_project: Option<&'a str>,
    /// The caller's own project pays: the quota project need not have every service of the client's switched on.
    pub pays_itself: bool,
    /// Body in JSON. With one the method is POST.
    pub json: Option<&'a Value>,
    /// Form. With one the method is POST.
    pub form: Option<&'a [(&'a str, &'a str)]>,
    /// POST also without a body.
    pub post: bool,
    /// PATCH instead of POST.
    pub patch: bool,
}

/// The client for all calls.
pub fn client(ca_bundle_pem: Option<&[u8]>) -> Result<reqwest::Client> {
    let fault = |error: reqwest::Error| CloudError::new(ErrorClass::Credentials, "read the CA bundle", error.to_string());
    // A redirect would carry the token to somebody else.
    let mut builder = reqwest::Client::builder()
        .timeout(CALL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("caretaker/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = ca_bundle_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(fault)?;
        if certificates.is_empty() {
            return Err(CloudError::new(ErrorClass::Credentials, "read the CA bundle", "it holds no certificate"));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(fault)
}

/// A URL with a query.
pub fn url(base: &str, path: &str, query: &[(&str, &str)]) -> Result<Url> {
    let mut url = Url::parse(&format!("{base}{path}"))
        .map_err(|error| CloudError::new(ErrorClass::Invalid, "read an endpoint's URL", format!("{base}: {error}")))?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// Makes a call. The answer's body where the status is one of success.
pub async fn send(client: &reqwest::Client, url: Url, call: Call<'_>) -> std::result::Result<Value, Refusal> {
    let posts = call.post || call.json.is_some() || call.form.is_some();
    let method = match (call.patch, posts) {
        (true, _) => Method::PATCH,
        (false, true) => Method::POST,
        (false, false) => Method::GET,
    };
    let mut request = client.request(method, url.clone());
    if let Some(token) = call.token {
        request = request.bearer_auth(token.reveal());
    }
    if let Some(project) = call.quota_project {
        request = request.header("x-goog-user-project", project);
    }
    if let Some(body) = call.json {
        request = request.json(body);
    } else if let Some(form) = call.form {
        let mut encoded = Url::parse("http://form/").map_err(|error| Refusal::None(error.to_string()))?;
        encoded.query_pairs_mut().extend_pairs(form);
        let body = encoded.query().unwrap_or_default().to_owned();
        request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    } else if posts {
        request = request.header("content-length", "0");
    }
    let none = |error: reqwest::Error| Refusal::None(describe(error));
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let cause = describe(error);
            return Err(Proxies::from_env().fault(url.as_str(), &cause).await.map_or(Refusal::None(cause), Refusal::Proxy));
        }
    };
    let (status, headers) = (response.status(), response.headers().clone());
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(none)? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(Refusal::None("the answer has no end".into()));
        }
        bytes.extend_from_slice(&chunk);
    }
    let body = serde_json::from_slice::<Value>(&bytes);
    if status.is_success() {
        // serde's message may quote the text, which may be a token.
        let body =
            body.map_err(|error| Refusal::None(format!("the answer is not JSON (line {}, column {})", error.line(), error.column())))?;
        // Every answer of Google's is an object; what a proxy makes of it must not be taken apart as one.
        return if body.is_object() { Ok(body) } else { Err(Refusal::None("the answer is no JSON object".into())) };
    }
    Err(Refusal::Answer(Answer {
        status: status.as_u16(),
        retry_after: retry_after(&headers),
        server_time: server_time(&headers),
        body: body.unwrap_or_default(),
    }))
}

/// The error and its causes, without the URL: that holds page tokens.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

fn server_time(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second())
}
