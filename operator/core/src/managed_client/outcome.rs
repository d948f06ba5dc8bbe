//! What a visit of a client comes to, and when to look again.

use std::time::Duration;

use super::status::RESYNC;
use crate::outcome::{Fault, Outcome, Wait, shortest};

/// What a visit comes to: faults of the spec, the end, what is waited for, or nothing; and when to look again.
pub(super) fn of(
    faults: &[Fault],
    (ended, erasure): (Option<String>, Option<Duration>),
    waits: Vec<Wait>,
    look: Option<Duration>,
) -> Outcome {
    let soonest = |after: Duration| look.map_or(after, |look| look.min(after));
    match ended {
        _ if !faults.is_empty() => Outcome::Refused(faults.to_vec()),
        Some(message) => Outcome::Ended(message, erasure.map_or(RESYNC, |next| next.min(RESYNC))),
        None => {
            shortest(waits).map_or(Outcome::Settled(soonest(RESYNC)), |wait| Outcome::Waiting(Wait { after: soonest(wait.after), ..wait }))
        }
    }
}
