//! The shim's clock, which requests are held against as AWS does.

use axum::body::Body;
use axum::http::Response;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::call::{Call, Protocol};
use crate::fault::error;

/// Seconds by which a signature may be off.
const TOLERANCE: i64 = 300;

/// The clock's time.
pub fn now(ahead: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + ahead).unwrap_or(Timestamp::MAX)
}

/// The time as it stands in the header `Date`.
pub fn header(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The refusal of a request that was signed too far off this clock, in the words of its service.
pub fn refusal(call: &Call, now: Timestamp) -> Option<Response<Body>> {
    let signed = DateTime::strptime("%Y%m%dT%H%M%SZ", &call.signed_at).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let off = signed.as_second() - now.as_second();
    if off.abs() <= TOLERANCE {
        return None;
    }
    let shown = now.strftime("%Y%m%dT%H%M%SZ");
    let message = if off < 0 {
        format!("Signature expired: {} is now earlier than {shown} - 5 min.", call.signed_at)
    } else {
        format!("Signature not yet current: {} is still later than {shown} + 5 min.", call.signed_at)
    };
    let (status, code) = match call.protocol() {
        Protocol::Ec2 => (400, "RequestExpired"),
        Protocol::Query => (403, "SignatureDoesNotMatch"),
        Protocol::RestXml => (403, "RequestTimeTooSkewed"),
        Protocol::Json | Protocol::RestJson => (403, "InvalidSignatureException"),
    };
    Some(error(call, status, code, &message, None))
}
