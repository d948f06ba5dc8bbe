//! What goes wrong on demand, and how AWS says so in each protocol.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::call::{Call, Protocol};
use crate::xml::escape;

/// A fault. Where several fit, the first that is not over wins.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Part of `service/region/Action key` that must occur; empty for every call.
    pub matches: String,
    /// What comes instead of the emulator's answer.
    pub answer: Answer,
    /// How many calls pass before the first fails.
    pub skip: u32,
    /// How many calls fail before the fault is over; `None` for ever.
    pub times: Option<u32>,
    /// Of the calls that would fail, only each one with a number that this divides does.
    pub each: u32,
    /// Calls that would have failed so far.
    pub fitted: u32,
}

/// What a fault answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The connection breaks off, and the emulator was not asked.
    Nothing,
    /// An error, and the emulator was not asked.
    Error {
        /// HTTP status.
        status: u16,
        /// AWS's error code.
        code: String,
        /// `Retry-After` in seconds.
        retry_after: Option<u64>,
    },
    /// Throttled, in the words of the service.
    Throttled {
        /// `Retry-After` in seconds.
        retry_after: Option<u64>,
    },
    /// The emulator's own answer with one text in place of another.
    Rewritten(String, String),
    /// The emulator does it, and the connection breaks off before the answer.
    Lost,
    /// The emulator's own answer, cut off in the middle.
    CutOff,
    /// The page names itself as the next one.
    RepeatedToken,
    /// The emulator's own answer, which comes so much later.
    Late(Duration),
}

impl Fault {
    /// A fault of calls that match, for ever.
    #[must_use]
    pub fn of(matches: &str, answer: Answer) -> Self {
        Self { matches: matches.into(), answer, skip: 0, times: None, each: 1, fitted: 0 }
    }

    /// No answer to calls that match.
    #[must_use]
    pub fn silence(matches: &str) -> Self {
        Self::of(matches, Answer::Nothing)
    }

    /// An error for calls that match.
    #[must_use]
    pub fn error(matches: &str, status: u16, code: &str) -> Self {
        Self::of(matches, Answer::Error { status, code: code.into(), retry_after: None })
    }

    /// Another text in the answers to calls that match.
    #[must_use]
    pub fn rewritten(matches: &str, from: &str, to: &str) -> Self {
        Self::of(matches, Answer::Rewritten(from.into(), to.into()))
    }

    /// Counts a call that fits; whether it fails.
    pub(crate) fn strikes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.fitted += 1;
        if !self.fitted.is_multiple_of(self.each.max(1)) {
            return false;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        true
    }
}

/// A bucket of calls for each caller and region, as AWS has them for each account and region. Calls over it are throttled.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Part of `service/region/Action key` that must occur.
    pub matches: String,
    /// Calls that come back in a second.
    pub per_second: f64,
    /// Most calls at once.
    pub burst: f64,
    held: HashMap<(String, String), (f64, Instant)>,
}

impl Bucket {
    /// A full bucket for calls that match.
    #[must_use]
    pub fn new(matches: &str, per_second: f64, burst: f64) -> Self {
        Self { matches: matches.into(), per_second, burst, held: HashMap::new() }
    }

    /// Takes a call out of the caller's bucket; whether there was one.
    pub(crate) fn take(&mut self, caller: &str, region: &str) -> bool {
        let now = Instant::now();
        let (left, since) = self.held.entry((caller.to_owned(), region.to_owned())).or_insert((self.burst, now));
        *left = (*left + now.duration_since(*since).as_secs_f64() * self.per_second).min(self.burst);
        *since = now;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

/// The throttling of a service, in its own words.
pub fn throttled(call: &Call, retry_after: Option<u64>) -> Response<Body> {
    let (status, code) = match call.protocol() {
        Protocol::Ec2 => (503, "RequestLimitExceeded"),
        Protocol::Query => (400, "Throttling"),
        Protocol::RestXml => (503, "SlowDown"),
        Protocol::Json => (400, "ThrottlingException"),
        Protocol::RestJson => (429, "TooManyRequestsException"),
    };
    error(call, status, code, "Rate exceeded", retry_after)
}

/// An error in the form of the call's protocol.
pub fn error(call: &Call, status: u16, code: &str, message: &str, retry_after: Option<u64>) -> Response<Body> {
    let (code, message) = (escape(code), escape(message));
    let text = match call.protocol() {
        Protocol::Ec2 => format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>1</RequestID></Response>"
        ),
        Protocol::Query => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        ),
        Protocol::RestXml => format!("<Error><Code>{code}</Code><Message>{message}</Message><RequestId>1</RequestId></Error>"),
        Protocol::Json | Protocol::RestJson => json!({"__type": code, "message": message}).to_string(),
    };
    let kind = match call.protocol() {
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::RestJson => "application/json",
        _ => "text/xml",
    };
    let mut response = plain(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), text);
    put(response.headers_mut(), "content-type", kind);
    if matches!(call.protocol(), Protocol::Json | Protocol::RestJson) {
        put(response.headers_mut(), "x-amzn-errortype", &code);
    }
    if let Some(seconds) = retry_after {
        put(response.headers_mut(), "retry-after", &seconds.to_string());
    }
    response
}

/// Sets a header that a text can stand in.
pub fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// A text with a status.
pub fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

/// A head without the body that it promises: to the caller the connection broke off.
pub fn silence() -> Response<Body> {
    let torn = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::BrokenPipe)) });
    Response::new(Body::from_stream(torn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_belongs_to_one_caller_in_one_region() {
        let mut bucket = Bucket::new("ec2/", 0.0, 2.0);
        assert!(bucket.take("one", "a") && bucket.take("one", "a") && !bucket.take("one", "a"));
        assert!(bucket.take("two", "a") && bucket.take("one", "b"));
    }

    #[test]
    fn a_fault_counts_what_it_lets_pass() {
        let mut fault = Fault { skip: 1, times: Some(2), each: 2, ..Fault::silence("") };
        let struck: Vec<bool> = (0..5).map(|_| fault.strikes()).collect();
        assert_eq!(struck, [false, false, true, false, true]);
        assert_eq!(fault.times, Some(0));
    }
}
