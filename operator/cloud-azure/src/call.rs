//! A thin client of Azure Resource Manager on the SDK's pipeline: one call, one answer, no retries.

use std::sync::Arc;
use std::time::Duration;

use azure_core::http::headers::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use azure_core::http::{ClientOptions, Context, Method, Pipeline, PipelineSendOptions, Request, RetryOptions, Transport, Url};
use caretaker_cloud::runtime::Proxies;
use caretaker_cloud::{CloudError, ErrorClass, Result};
use jiff::Timestamp;
use serde_json::Value;

use crate::errors::{self, Waits};

/// Path of Resource Graph.
const RESOURCE_GRAPH: &str = "/providers/Microsoft.ResourceGraph/";
/// Longest time of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The way over the network, for the token endpoint and for Resource Manager.
///
/// # Errors
/// The CA bundle cannot be read.
pub fn transport(ca_bundle_pem: Option<&[u8]>) -> Result<Transport> {
    let fault = |error: reqwest::Error| CloudError::new(ErrorClass::Credentials, "read the CA bundle", error.to_string());
    // A redirect would carry the token to a place that nobody has configured.
    let mut client =
        reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(CALL_TIMEOUT).redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = ca_bundle_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(fault)?;
        if certificates.is_empty() {
            return Err(CloudError::new(ErrorClass::Credentials, "read the CA bundle", "it holds no certificate"));
        }
        client = client.tls_certs_merge(certificates);
    }
    Ok(Transport::new(Arc::new(client.build().map_err(fault)?)))
}

/// Options of the SDK: our transport, and no retries of its own, since it would sleep inside a call for as long as Azure asks.
pub fn options(transport: &Transport) -> ClientOptions {
    ClientOptions { transport: Some(transport.clone()), retry: RetryOptions::none(), ..ClientOptions::default() }
}

/// An address from the configuration.
///
/// # Errors
/// It is no address, or not over TLS: a token never travels in the clear.
pub fn https(what: &str, text: &str) -> Result<Url> {
    let fault = |message: String| CloudError::new(ErrorClass::Credentials, "read the configuration", message);
    let url: Url = text.parse().map_err(|error| fault(format!("the {what} {text:?} is no address: {error}")))?;
    if url.scheme() == "https" { Ok(url) } else { Err(fault(format!("the {what} {text:?} must begin with https://"))) }
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The action in Azure's words, such as `Microsoft.Resources/subscriptions/read`.
    pub operation: &'static str,
    method: Method,
    target: String,
    body: Option<Value>,
}

impl Call {
    /// Reads. `target` is a path with its query, or a whole address as an answer gave it.
    pub fn get(operation: &'static str, target: impl Into<String>) -> Self {
        Self { operation, method: Method::Get, target: target.into(), body: None }
    }

    /// Asks with a body; writes nothing.
    pub fn post(operation: &'static str, target: impl Into<String>, body: Value) -> Self {
        Self { operation, method: Method::Post, target: target.into(), body: Some(body) }
    }

    /// Whether Resource Graph answers it, which counts queries by itself.
    pub fn is_query(&self) -> bool {
        self.target.starts_with(RESOURCE_GRAPH)
    }

    /// Deletes.
    pub fn delete(operation: &'static str, target: impl Into<String>) -> Self {
        Self { operation, method: Method::Delete, target: target.into(), body: None }
    }
}

/// An answer of success.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body; `Null` where it was empty.
    pub body: Value,
}

/// Azure Resource Manager.
pub struct Arm {
    pipeline: Pipeline,
    endpoint: Url,
    proxies: Proxies,
}

impl Arm {
    /// A client of this endpoint.
    pub fn new(endpoint: Url, transport: &Transport) -> Self {
        let pipeline =
            Pipeline::new(option_env!("CARGO_PKG_NAME"), option_env!("CARGO_PKG_VERSION"), options(transport), vec![], vec![], None);
        Self { pipeline, endpoint, proxies: Proxies::from_env() }
    }

    /// Makes one call with this bearer token, or with none.
    pub async fn send(&self, call: &Call, bearer: Option<&str>) -> Result<Answer> {
        let mut request = Request::new(self.address(call)?, call.method);
        request.insert_header(HeaderName::from_static("accept"), "application/json");
        if let Some(bearer) = bearer {
            request.insert_header(AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if let Some(body) = &call.body {
            request.insert_header(CONTENT_TYPE, "application/json");
            request.set_body(body.to_string());
        }
        let checks = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
        let response = match self.pipeline.send(&Context::new(), &mut request, Some(checks)).await {
            Ok(response) => response,
            Err(error) => return Err(errors::unanswered(call.operation, (self.endpoint.as_str(), &self.proxies), &error).await),
        };
        let status: u16 = response.status().into();
        let header = |name: &'static str| response.headers().get_optional_str(&HeaderName::from_static(name)).map(str::to_owned);
        let waits =
            Waits { retry_after: header("retry-after"), quota_resets_after: header("x-ms-user-quota-resets-after"), date: header("date") };
        let text: &[u8] = response.body();
        let body = if text.is_empty() { Some(Value::Null) } else { serde_json::from_slice(text).ok() };
        match (status, body) {
            (200..300, Some(body)) => Ok(Answer { status, body }),
            // A page of a proxy, or an answer cut off in the middle: no answer.
            (200..300, None) => Err(CloudError::new(ErrorClass::Unreachable, call.operation, "the answer is no JSON")),
            (_, body) => Err(errors::refused(call.operation, status, &body.unwrap_or_default(), &waits, Timestamp::now())),
        }
    }

    /// The address of a call. Addresses that an answer gave must lead to the same server: the token goes nowhere else.
    fn address(&self, call: &Call) -> Result<Url> {
        let foreign = || CloudError::new(ErrorClass::Conflict, call.operation, "an answer leads to another server: not followed");
        let url = self.endpoint.join(&call.target).map_err(|_| foreign())?;
        if url.origin() == self.endpoint.origin() { Ok(url) } else { Err(foreign()) }
    }
}

/// A name as one segment of a path.
pub fn segment(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => text.push(char::from(byte)),
            // A dot is legal and common, but `..` alone would climb.
            b'.' if name.bytes().any(|byte| byte != b'.') => text.push('.'),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_the_configured_server_only() {
        let arm = Arm::new(https("endpoint", "https://management.example").unwrap(), &transport(None).unwrap());
        for target in
            ["https://elsewhere.example/x", "http://management.example/x", "//elsewhere.example/x", "https://management.example:8443/"]
        {
            assert!(arm.address(&Call::get("x", target)).is_err(), "{target}");
        }
        assert_eq!(arm.address(&Call::get("x", "/a?b=c")).unwrap().as_str(), "https://management.example/a?b=c");
        assert!(arm.address(&Call::get("x", "https://management.example/next")).is_ok());
        assert!(https("endpoint", "http://management.example").is_err());
    }

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("a b/c(ü).d"), "a%20b%2Fc%28%C3%BC%29.d");
        assert_eq!(segment(".."), "%2E%2E");
    }
}
