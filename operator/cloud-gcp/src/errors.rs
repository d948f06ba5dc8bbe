//! Google's error envelope as classes that a caller can act on. Pure.

use std::time::Duration;

use caretaker_cloud::{CloudError, ErrorClass};
use serde_json::Value;

/// Longest message of Google's that is passed on, in characters.
const MAX_MESSAGE: usize = 600;

/// A call that brought no result.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// An answer with an error status.
    Answer(Answer),
    /// No answer, or one that cannot be read.
    None(String),
    /// No answer, and a proxy of ours is why.
    Proxy(String),
}

/// An answer with an error status.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The header `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The server's clock, in seconds since 1970.
    pub server_time: Option<i64>,
    /// Body.
    pub body: Value,
}

/// Who takes part in a call: tells whose fault an error is.
#[derive(Clone, Debug, Default)]
pub struct Parties {
    /// Id of the client's project, and its number once it is known.
    pub client: Vec<String>,
    /// Id of the provider's own project.
    pub provider: String,
    /// The provider's project that pays, where one is named in the call.
    pub quota_project: Option<String>,
    /// Whether the call was made with the base identity.
    pub by_base: bool,
}

impl Parties {
    /// The project that a provider's fault is about.
    fn paying(&self) -> &str {
        self.quota_project.as_deref().unwrap_or(&self.provider)
    }

    /// Whether the consumer that Google names is the provider. Google names it by its number, which may be unknown to us: who is not the
    /// client is then the one who pays for the call.
    fn is_providers(&self, consumer: Option<&str>) -> bool {
        let Some(consumer) = consumer else { return self.by_base };
        if self.client.iter().any(|known| known == consumer) {
            return false;
        }
        self.by_base || self.quota_project.is_some() || consumer == self.provider
    }
}

/// Reasons of the older envelope that speak of the thing that was asked for: Compute, Storage and Cloud SQL name no status.
const MISSING: [&str; 2] = ["notFound", "instanceDoesNotExist"];

/// What the envelope says.
#[derive(Debug, Default)]
struct Envelope<'a> {
    status: &'a str,
    reason: &'a str,
    message: &'a str,
    service: &'a str,
    consumer: Option<&'a str>,
    per_day: bool,
    /// The service itself says that what was asked for is not there.
    is_missing: bool,
    retry: Option<Duration>,
}

fn envelope(body: &Value) -> Envelope<'_> {
    let error = &body["error"];
    let mut found = Envelope {
        status: error["status"].as_str().unwrap_or_default(),
        message: error["message"].as_str().unwrap_or_default(),
        ..Envelope::default()
    };
    // The token endpoints have an envelope of their own: `error` is the code.
    if let Some(code) = error.as_str() {
        found.status = code;
        found.message = body["error_description"].as_str().unwrap_or_default();
    }
    let older = |reason: &str| MISSING.contains(&reason);
    let reasons = error["errors"].as_array().into_iter().flatten().filter_map(|inner| inner["reason"].as_str());
    // A path without a method is answered with the same status.
    found.is_missing = (found.status == "NOT_FOUND" || reasons.into_iter().any(older)) && !found.message.starts_with("Method not found");
    for detail in error["details"].as_array().into_iter().flatten() {
        let kind = detail["@type"].as_str().unwrap_or_default();
        if kind.ends_with("google.rpc.ErrorInfo") {
            found.reason = detail["reason"].as_str().unwrap_or_default();
            let about = &detail["metadata"];
            found.service = about["service"].as_str().unwrap_or_default();
            found.consumer = about["consumer"].as_str().map(|consumer| consumer.rsplit(['/', ':']).next().unwrap_or(consumer));
            let says = |field: &str, word: &str| about[field].as_str().is_some_and(|text| text.contains(word));
            found.per_day = says("quota_unit", "/d/") || says("quota_limit", "PerDay");
        }
        if kind.ends_with("google.rpc.RetryInfo") {
            found.retry = detail["retryDelay"].as_str().and_then(seconds);
        }
    }
    found
}

/// A duration in Google's notation, such as `3.5s`; rounded up, since less would be too early.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, part) = text.strip_suffix('s')?.split_once('.').unwrap_or((text.strip_suffix('s')?, ""));
    let whole: u64 = whole.parse().ok()?;
    if !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(whole.saturating_add(u64::from(part.bytes().any(|digit| digit != b'0')))))
}

/// The error of a call.
#[must_use]
pub fn classify(operation: &str, refusal: &Refusal, parties: &Parties) -> CloudError {
    let answer = match refusal {
        Refusal::None(message) => return CloudError::new(ErrorClass::Unreachable, operation, message.clone()),
        Refusal::Proxy(message) => return CloudError::at_own_proxy(operation, message.clone()),
        Refusal::Answer(answer) => answer,
    };
    let said = envelope(&answer.body);
    let class = class_of(answer, &said, parties);
    let code = if said.reason.is_empty() { said.status } else { said.reason };
    let message: String = match said.message {
        "" => format!("HTTP status {}", answer.status),
        message => message.chars().take(MAX_MESSAGE).map(|c| if c.is_control() { ' ' } else { c }).collect(),
    };
    CloudError::new(class, operation, format!("{code}: {message}{}", cure(class, &said, parties))).with_code(code)
}

fn class_of(answer: &Answer, said: &Envelope<'_>, parties: &Parties) -> ErrorClass {
    let ours = parties.is_providers(said.consumer);
    match (answer.status, said.reason, said.status) {
        (_, "SERVICE_DISABLED", _) => {
            if ours {
                ErrorClass::Credentials
            } else {
                ErrorClass::NotEnabled
            }
        }
        // The project that pays is the provider's choice, and so is who may use it.
        (_, "USER_PROJECT_DENIED" | "CONSUMER_INVALID" | "CONSUMER_SUSPENDED" | "BILLING_DISABLED", _) if ours => ErrorClass::Credentials,
        (429, _, _) | (_, "RATE_LIMIT_EXCEEDED", _) | (_, _, "RESOURCE_EXHAUSTED") => {
            let after = said.retry.or(answer.retry_after.map(Duration::from_secs));
            // Only a day's quota outlasts every wait. One of a minute is over within it, whether Google names a time or not.
            if ours && said.consumer.is_some() && said.per_day { ErrorClass::Credentials } else { ErrorClass::Throttled(after) }
        }
        (401, _, _) => ErrorClass::Expired,
        (403, _, _) => ErrorClass::Denied,
        // Any other 404 is that of an address that nobody serves, or of somebody on the way: it says nothing about the thing.
        (404, _, _) if said.is_missing => ErrorClass::NotFound,
        (409 | 412, _, _) | (_, _, "ABORTED") => ErrorClass::Conflict,
        (408 | 500.., _, _) => ErrorClass::Unreachable,
        _ => ErrorClass::Invalid,
    }
}

/// What a person does about it. Empty where the message says all.
fn cure(class: ErrorClass, said: &Envelope<'_>, parties: &Parties) -> String {
    let service = if is_plain(said.service) { said.service } else { "SERVICE" };
    match class {
        ErrorClass::Credentials => {
            let project = parties.paying();
            let cure = match said.reason {
                "SERVICE_DISABLED" => format!("gcloud services enable {service} --project={project}"),
                "USER_PROJECT_DENIED" => "grant the client's service account roles/serviceusage.serviceUsageConsumer there".into(),
                _ => "raise the quota there or wait for the next day".into(),
            };
            format!(" (a fault of the provider's quota project {project}, of no client: {cure})")
        }
        ErrorClass::NotEnabled => {
            let project = parties.client.first().map_or("PROJECT", String::as_str);
            format!(" (gcloud services enable {service} --project={project})")
        }
        ErrorClass::Throttled(_) if parties.is_providers(said.consumer) => {
            format!(" (the quota of the provider's project {}; no client has to act)", parties.paying())
        }
        _ => String::new(),
    }
}

/// Whether a text can stand in a path or a command as it is.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._@:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parties() -> Parties {
        Parties {
            client: vec!["client-one".into(), "111".into()],
            provider: "provider".into(),
            quota_project: Some("provider-quota".into()),
            by_base: false,
        }
    }

    fn answer(status: u16, name: &str, details: Value) -> Refusal {
        let body = json!({"error": {"code": status, "message": "said", "status": name, "details": details}});
        Refusal::Answer(Answer { status, body, ..Answer::default() })
    }

    fn info(reason: &str, consumer: &str) -> Value {
        let metadata = json!({"service": "cloudasset.googleapis.com", "consumer": consumer});
        json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata})
    }

    fn class(refusal: &Refusal) -> ErrorClass {
        classify("call", refusal, &parties()).class
    }

    #[test]
    fn a_disabled_api_is_the_fault_of_its_consumer() {
        for (consumer, class) in [
            ("projects/111", ErrorClass::NotEnabled),
            ("projects/client-one", ErrorClass::NotEnabled),
            ("projects/provider-quota", ErrorClass::Credentials),
            ("projects/999", ErrorClass::Credentials),
        ] {
            let error = classify("call", &answer(403, "PERMISSION_DENIED", json!([info("SERVICE_DISABLED", consumer)])), &parties());
            assert_eq!(error.class, class, "{consumer}");
            let project = if class == ErrorClass::NotEnabled { "client-one" } else { "provider-quota" };
            let command = format!("gcloud services enable cloudasset.googleapis.com --project={project}");
            assert!(error.message.contains(&command), "{error}");
        }
    }

    #[test]
    fn without_a_quota_project_only_the_provider_itself_is_at_fault() {
        let parties = Parties { quota_project: None, ..parties() };
        let of = |consumer: &str| {
            classify("call", &answer(403, "PERMISSION_DENIED", json!([info("SERVICE_DISABLED", consumer)])), &parties).class
        };
        assert_eq!((of("projects/999"), of("projects/provider")), (ErrorClass::NotEnabled, ErrorClass::Credentials));
    }

    #[test]
    fn retry_info_wins_over_the_header_and_is_rounded_up() {
        let retry = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "4.2s"});
        let Refusal::Answer(mut both) = answer(429, "RESOURCE_EXHAUSTED", json!([retry])) else { unreachable!() };
        both.retry_after = Some(9);
        assert_eq!(class(&Refusal::Answer(both)), ErrorClass::Throttled(Some(Duration::from_secs(5))));
        let Refusal::Answer(mut header) = answer(429, "RESOURCE_EXHAUSTED", json!([])) else { unreachable!() };
        header.retry_after = Some(9);
        assert_eq!(class(&Refusal::Answer(header)), ErrorClass::Throttled(Some(Duration::from_secs(9))));
        assert_eq!(class(&answer(429, "RESOURCE_EXHAUSTED", json!([]))), ErrorClass::Throttled(None));
    }

    #[test]
    fn a_quota_is_the_fault_of_its_consumer() {
        let of = |consumer: &str, unit: &str| {
            let mut info = info("RATE_LIMIT_EXCEEDED", consumer);
            info["metadata"]["quota_unit"] = json!(unit);
            class(&answer(429, "RESOURCE_EXHAUSTED", json!([info])))
        };
        let (minute, day) = ("1/min/{project}", "1/d/{project}");
        assert_eq!(of("projects/111", day), ErrorClass::Throttled(None), "of the client's project no other client has to wait");
        assert_eq!(of("projects/999", day), ErrorClass::Credentials);
        assert_eq!(of("projects/999", minute), ErrorClass::Throttled(None), "no waiting time is named, and the quota is of a minute");
        assert_eq!(of("projects/999", ""), ErrorClass::Throttled(None), "which quota it is stays untold");
    }

    #[test]
    fn a_quota_of_nobody_is_waited_for() {
        let by_base = Parties { by_base: true, ..parties() };
        let error = classify("call", &answer(429, "RESOURCE_EXHAUSTED", json!([])), &by_base);
        assert_eq!(error.class, ErrorClass::Throttled(None), "{error}");
    }

    #[test]
    fn statuses_are_told_apart() {
        let cases = [
            (400, ErrorClass::Invalid),
            (401, ErrorClass::Expired),
            (403, ErrorClass::Denied),
            (404, ErrorClass::Invalid),
            (409, ErrorClass::Conflict),
            (500, ErrorClass::Unreachable),
            (503, ErrorClass::Unreachable),
        ];
        for (status, expected) in cases {
            assert_eq!(class(&answer(status, "", json!([]))), expected, "{status}");
        }
        assert_eq!(class(&Refusal::None("no route".into())), ErrorClass::Unreachable);
        assert_eq!(class(&answer(400, "ABORTED", json!([]))), ErrorClass::Conflict);
    }

    #[test]
    fn only_the_services_own_word_says_that_a_thing_is_not_there() {
        let of = |body: Value| class(&Refusal::Answer(Answer { status: 404, body, ..Answer::default() }));
        let older = |reason: &str| json!({"error": {"code": 404, "message": "said", "errors": [{"domain": "global", "reason": reason}]}});
        for (body, expected) in [
            (json!({"error": {"code": 404, "message": "said", "status": "NOT_FOUND"}}), ErrorClass::NotFound),
            (older("notFound"), ErrorClass::NotFound),
            (older("instanceDoesNotExist"), ErrorClass::NotFound),
            (older("accessNotConfigured"), ErrorClass::Invalid),
            (json!({"error": {"code": 404, "message": "Method not found.", "status": "NOT_FOUND"}}), ErrorClass::Invalid),
            (json!({"status": "NOT_FOUND"}), ErrorClass::Invalid),
            (Value::Null, ErrorClass::Invalid),
        ] {
            assert_eq!(of(body.clone()), expected, "{body}");
        }
    }

    #[test]
    fn durations_that_are_none_are_none() {
        assert_eq!(seconds("0s"), Some(Duration::ZERO));
        assert_eq!(seconds("3.000s"), Some(Duration::from_secs(3)));
        for text in ["", "s", "4", "-1s", "1.xs", "99999999999999999999999s"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
