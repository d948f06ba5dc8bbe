//! `ServiceProfile`: what a profile comes to for a client, where the client deviates from it, and how a changed profile goes out in waves.
//!
//! A revision is the digest of `defaults` and `limits`. Each client keeps both, as they are in force for it, in its own status: an earlier revision is there as
//! long as somebody has it, and one write takes the next one. What a client is read with is decided in `caretaker_api::reading`, for every reader alike.

mod change;
mod deviations;
mod limits;
mod rollout;
mod standing;
#[cfg(test)]
mod tests;

use caretaker_api::condition::ConditionType;
use caretaker_api::service_profile::ServiceProfileSpec;
use serde_json::{Value, json};

pub use deviations::deviations;
pub use limits::{limit_faults, whole_faults};
pub use rollout::{figures, status};
pub use standing::{Standing, condition, shown, standing, taking};

use crate::digest::json_digest;
use crate::outcome::Fault;

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[ConditionType::RolledOut];

/// Digits of a revision.
const DIGITS: usize = 12;
/// Most bytes of `defaults` and `limits` as JSON: each client has them in its status, and the API server takes 1.5 MiB of an object.
const MOST_BYTES: usize = 100_000;
/// Characters of a value that is shown.
const SHOWN: usize = 160;

/// Name of a profile's present `defaults` and `limits`: keys in the order of the alphabet, as serde_json keeps them.
#[must_use]
pub fn revision(spec: &ServiceProfileSpec) -> String {
    let mut digest = json_digest(&json!({"defaults": spec.defaults, "limits": spec.limits}));
    digest.truncate(DIGITS);
    digest
}

/// Faults of a profile that its schema cannot tell.
#[must_use]
pub fn faults(spec: &ServiceProfileSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    let bytes = json!({"defaults": spec.defaults, "limits": spec.limits}).to_string().len();
    if bytes > MOST_BYTES {
        let message = format!("{bytes} bytes with spec.limits, and each client keeps them in its status: {MOST_BYTES} at most");
        faults.push(Fault::spec("spec.defaults", message));
    }
    if rollout::pause(&spec.rollout).is_none() {
        faults.push(Fault::spec("spec.rollout.pause", format!("{} is no time: say 10m or 1h30m", spec.rollout.pause)));
    }
    faults
}

/// A value as a status and a table show it: without secrets, and cut where it is long.
fn shown_value(value: &Value) -> String {
    let text = crate::handover::redact::value(value.clone()).to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
