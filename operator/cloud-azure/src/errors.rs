//! Azure's answers as classes that a caller can act on.

use std::time::Duration;

use azure_core::error::{Error, ErrorKind};
use caretaker_cloud::runtime::Proxies;
use caretaker_cloud::{CloudError, ErrorClass};
use jiff::Timestamp;
use serde_json::Value;

/// The headers that an answer is judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// `Retry-After`: seconds or a date.
    pub retry_after: Option<String>,
    /// `x-ms-user-quota-resets-after`: hours, minutes and seconds, with colons.
    pub quota_resets_after: Option<String>,
    /// `Date`: Azure's clock, which a date to wait for is of.
    pub date: Option<String>,
}

impl Waits {
    /// How long Azure asks to wait. `Retry-After` counts alone where it stands: the headers with what remains of a quota belong to other
    /// limits than the one that was hit.
    #[must_use]
    pub fn asked(&self, now: Timestamp) -> Option<Duration> {
        let now = self.date.as_deref().and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map_or(now, |date| date.timestamp());
        let from_retry = self.retry_after.as_deref().and_then(|text| seconds_or_date(text.trim(), now));
        from_retry.or_else(|| self.quota_resets_after.as_deref().and_then(|text| clock(text.trim())))
    }
}

fn seconds_or_date(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::from_secs(u64::try_from(until.as_second() - now.as_second()).unwrap_or_default()))
}

fn clock(text: &str) -> Option<Duration> {
    let parts: Vec<u64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    Some(Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
}

/// The class of an answer that is no success. Source: the error tables of Azure Resource Manager and of its resource providers.
#[must_use]
pub fn class_of(status: u16, code: &str, waits: &Waits, now: Timestamp) -> ErrorClass {
    match (status, code) {
        // The provider or the subscription is switched off: no fault of permissions.
        (_, "MissingSubscriptionRegistration" | "SubscriptionNotRegistered" | "ReadOnlyDisabledSubscription" | "DisallowedProvider") => {
            ErrorClass::NotEnabled
        }
        // A subscription that we may not see and one that is gone look the same.
        (404, "SubscriptionNotFound" | "InvalidSubscriptionId") => ErrorClass::DeniedOrGone,
        (401, "ExpiredAuthenticationToken" | "InvalidAuthenticationToken") => ErrorClass::Expired,
        (401 | 403, _) => ErrorClass::Denied,
        (404, _) => ErrorClass::NotFound,
        (409 | 412, _) => ErrorClass::Conflict,
        (429, _) => ErrorClass::Throttled(waits.asked(now)),
        // A 503 with a wait is a request to wait as well; without one it is the server's failure.
        (503, _) if waits.retry_after.is_some() => ErrorClass::Throttled(waits.asked(now)),
        (408 | 500.., _) => ErrorClass::Unreachable,
        _ => ErrorClass::Invalid,
    }
}

/// The error of an answer that is no success. `body` is the answer as JSON, `Null` where it was none.
#[must_use]
pub fn refused(operation: &str, status: u16, body: &Value, waits: &Waits, now: Timestamp) -> CloudError {
    let text = |name: &str| body.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or_default();
    let code = text("code");
    let message = match (code, text("message")) {
        ("", _) => format!("HTTP status {status}"),
        (code, message) => format!("{code}: {message}"),
    };
    let class = class_of(status, code, waits, now);
    let message = if class == ErrorClass::DeniedOrGone { format!("no access or gone: {message}") } else { message };
    CloudError::new(class, operation, message).with_code(code)
}

/// The error of an answer that did not come, which may be a proxy's doing.
pub async fn unanswered(operation: &str, (url, proxies): (&str, &Proxies), error: &Error) -> CloudError {
    let cause = chain(error);
    match proxies.fault(url, &cause).await {
        Some(fault) => CloudError::at_own_proxy(operation, fault),
        None => CloudError::new(ErrorClass::Unreachable, operation, cause),
    }
}

/// The error of a token that was not given, where no answer came at all: that may be a proxy's doing.
pub async fn no_token_by_proxy(operation: &str, (url, proxies): (&str, &Proxies), error: &Error, now: Timestamp) -> CloudError {
    let told = no_token(operation, error, now);
    if told.class != ErrorClass::Unreachable {
        return told;
    }
    proxies.fault(url, &chain(error)).await.map_or(told, |fault| CloudError::at_own_proxy(operation, fault))
}

/// The error of a token that was not given. Only Azure's own numbers are quoted: whatever else the endpoint says could repeat what was sent
/// to it.
#[must_use]
pub fn no_token(operation: &str, error: &Error, now: Timestamp) -> CloudError {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        match cause.downcast_ref::<Error>().map(Error::kind) {
            Some(ErrorKind::HttpResponse { status, error_code, raw_response }) => {
                let header = |name: &'static str| {
                    let name = azure_core::http::headers::HeaderName::from_static(name);
                    raw_response.as_ref().and_then(|raw| raw.headers().get_optional_str(&name).map(str::to_owned))
                };
                let waits = Waits { retry_after: header("retry-after"), quota_resets_after: None, date: header("date") };
                let status: u16 = (*status).into();
                let code = error_code.as_deref().map(|codes| format!("AADSTS{codes}")).unwrap_or_default();
                let class = match class_of(status, "", &waits, now) {
                    ErrorClass::Denied | ErrorClass::DeniedOrGone | ErrorClass::Invalid | ErrorClass::NotFound => ErrorClass::Credentials,
                    class => class,
                };
                let message =
                    format!("the token endpoint answered {status} {code}: check the tenant, the client id and the secret or federation");
                return CloudError::new(class, operation, message).with_code(code);
            }
            // What answered was no token endpoint, or nothing answered.
            Some(ErrorKind::Connection | ErrorKind::Io | ErrorKind::DataConversion) => {
                return CloudError::new(ErrorClass::Unreachable, operation, "the token endpoint gave no answer that can be read");
            }
            _ => next = cause.source(),
        }
    }
    CloudError::new(
        ErrorClass::Credentials,
        operation,
        "the credentials cannot be used: check the client id and the secret or the token file",
    )
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn waits(retry_after: &str) -> Waits {
        Waits { retry_after: Some(retry_after.into()), quota_resets_after: Some("00:00:05".into()), date: None }
    }

    #[test]
    fn a_wait_is_obeyed_over_what_remains_of_another_quota() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(waits("1200").asked(now), Some(Duration::from_secs(1200)));
        assert_eq!(waits("Thu, 01 Jan 2026 00:10:00 GMT").asked(now), Some(Duration::from_secs(600)));
        assert_eq!(waits("Thu, 01 Jan 2026 00:00:00 GMT").asked(now), Some(Duration::ZERO));
        let date = Some("Thu, 01 Jan 2026 00:09:00 GMT".into());
        let skewed = Waits { date, ..waits("Thu, 01 Jan 2026 00:10:00 GMT") };
        assert_eq!(skewed.asked(now), Some(Duration::from_secs(60)), "a date is one of Azure's clock, not of ours");
        assert_eq!(waits("soon").asked(now), Some(Duration::from_secs(5)));
        assert_eq!(Waits::default().asked(now), None);
    }

    #[test]
    fn answers_that_look_alike_are_told_apart() {
        let now = Timestamp::now();
        let class = |status, code| class_of(status, code, &Waits::default(), now);
        assert_eq!(class(404, "SubscriptionNotFound"), ErrorClass::DeniedOrGone);
        assert_eq!(class(404, "ResourceNotFound"), ErrorClass::NotFound);
        assert_eq!(class(401, "ExpiredAuthenticationToken"), ErrorClass::Expired);
        assert_eq!(class(401, "AuthenticationFailed"), ErrorClass::Denied);
        assert_eq!(class(403, "AuthorizationFailed"), ErrorClass::Denied);
        assert_eq!(class(409, "MissingSubscriptionRegistration"), ErrorClass::NotEnabled);
        assert_eq!(class(500, ""), ErrorClass::Unreachable);
        assert_eq!(class(503, ""), ErrorClass::Unreachable);
        assert_eq!(class_of(503, "", &waits("7"), now), ErrorClass::Throttled(Some(Duration::from_secs(7))));
        assert_eq!(class_of(429, "", &waits("1200"), now), ErrorClass::Throttled(Some(Duration::from_secs(1200))));
        assert_eq!(class(400, "BadRequest"), ErrorClass::Invalid);
    }

    #[test]
    fn an_error_says_what_azure_said() {
        let body = json!({"error": {"code": "SubscriptionNotFound", "message": "The subscription was not found."}});
        let error = refused("Microsoft.Resources/subscriptions/read", 404, &body, &Waits::default(), Timestamp::now());
        assert_eq!(error.code, "SubscriptionNotFound");
        assert!(error.message.starts_with("no access or gone") && error.is_refusal(), "{error}");
        assert_eq!(refused("x", 502, &Value::Null, &Waits::default(), Timestamp::now()).message, "HTTP status 502");
    }
}
