//! What a visit came to, and when the next one is due.

use std::time::Duration;

use caretaker_api::condition::Reason;

/// A mistake in what a user wrote, or a state of the world that only a person can cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The word in the condition.
    pub reason: Reason,
    /// The field, such as `spec.exit.recipients[2]`.
    pub field: String,
    /// What is wrong and what to do about it; no secret.
    pub message: String,
    /// Whether the cure may lie outside the cluster, so that looking again without an edit makes sense.
    pub outside: bool,
}

impl Fault {
    /// A fault that an edit of the object cures.
    pub fn spec(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: Reason::InvalidSpec, field: field.into(), message: message.into(), outside: false }
    }

    /// A fault whose cure may lie outside the object.
    pub fn outside(reason: Reason, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, field: field.into(), message: message.into(), outside: true }
    }
}

/// All faults in one message, in their order.
#[must_use]
pub fn join_faults(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect::<Vec<_>>().join("; ")
}

/// A wait for something that is not in our hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The word in the condition.
    pub reason: Reason,
    /// What is waited for.
    pub message: String,
    /// When to look again.
    pub after: Duration,
}

/// What a visit came to. The engine turns it into `Ready`, `Reconciling`, `Stalled` and the time of the next visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is as asked; look again after this time, with jitter.
    Settled(Duration),
    /// What the object was for has ended, which the text tells with its time and its proof: nothing more is done. Look again after this time, with jitter.
    Ended(String, Duration),
    /// Something is missing that comes by itself or by somebody else's act.
    Waiting(Wait),
    /// The spec cannot be worked on.
    Refused(Vec<Fault>),
    /// A call failed.
    Failed(FailureClass, String),
}

/// How a failed visit is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// Backoff per object.
    Transient,
    /// After the time that was asked for.
    Throttled(Duration),
    /// At once, silently.
    Conflict,
}

/// Time between two looks at a name that somebody else has.
const TAKEN_RETRY: Duration = Duration::from_secs(30);
/// How often an object without faults outside is looked at again: every 30 minutes where the cure lies outside the cluster.
pub const REFUSED_RETRY: Duration = Duration::from_secs(30 * 60);
/// First wait after a failure.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(5);
/// Longest wait after failures in a row.
pub const BACKOFF_LAST: Duration = Duration::from_secs(5 * 60);

/// Wait before the next visit; `None` means on the next edit. `failures` counts the failed visits in a row, this one included;
/// `jitter` is in 0..1 and spreads the visits of many objects over a fifth of the time.
#[must_use]
pub fn next_visit(outcome: &Outcome, failures: u32, jitter: f64) -> Option<Duration> {
    let spread = |wait: Duration| wait.mul_f64(0.9 + 0.2 * jitter.clamp(0.0, 1.0));
    match outcome {
        Outcome::Settled(after) | Outcome::Ended(_, after) => Some(spread(*after)),
        Outcome::Waiting(wait) => Some(wait.after),
        // Nobody tells when a name becomes free: what stands in its way need not be watched.
        Outcome::Refused(faults) if faults.iter().any(|fault| fault.reason == Reason::NameTaken) => Some(spread(TAKEN_RETRY)),
        Outcome::Refused(faults) => faults.iter().any(|fault| fault.outside).then(|| spread(REFUSED_RETRY)),
        Outcome::Failed(FailureClass::Conflict, _) => Some(Duration::ZERO),
        Outcome::Failed(FailureClass::Throttled(after), _) => Some((*after).max(Duration::from_secs(1))),
        Outcome::Failed(FailureClass::Transient, _) => {
            let doubled = BACKOFF_FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(10)));
            Some(spread(doubled.min(BACKOFF_LAST)))
        }
    }
}

/// The wait that ends first: it decides the next visit of an object that waits for several things.
#[must_use]
pub fn shortest(waits: impl IntoIterator<Item = Wait>) -> Option<Wait> {
    waits.into_iter().min_by_key(|wait| wait.after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_visit_follows_the_table() {
        let wait = Wait { reason: Reason::Pending, message: String::new(), after: Duration::from_secs(7) };
        let inside = Fault::spec("spec.x", "bad");
        let outside = Fault::outside(Reason::WrongAccount, "spec.y", "bad");
        let taken = Fault::outside(Reason::NameTaken, "metadata.name", "bad");
        let cases = [
            ("a name that is taken may be free soon", Outcome::Refused(vec![taken]), 0, Some(30)),
            ("a settled object comes back after its time", Outcome::Settled(Duration::from_secs(600)), 0, Some(600)),
            ("so does one that has ended", Outcome::Ended(String::new(), Duration::from_secs(3600)), 0, Some(3600)),
            ("a wait is kept to the second", Outcome::Waiting(wait), 0, Some(7)),
            ("a fault of the spec waits for an edit", Outcome::Refused(vec![inside.clone()]), 0, None),
            ("one fault outside is enough to look again", Outcome::Refused(vec![inside, outside]), 0, Some(1800)),
            ("the first failure waits 5 s", Outcome::Failed(FailureClass::Transient, String::new()), 1, Some(5)),
            ("the third failure waits 20 s", Outcome::Failed(FailureClass::Transient, String::new()), 3, Some(20)),
            ("no failure waits longer than 5 min", Outcome::Failed(FailureClass::Transient, String::new()), 40, Some(300)),
            ("a conflict goes again at once", Outcome::Failed(FailureClass::Conflict, String::new()), 1, Some(0)),
            (
                "a throttled call waits as long as it was asked to",
                Outcome::Failed(FailureClass::Throttled(Duration::from_secs(1200)), String::new()),
                1,
                Some(1200),
            ),
        ];
        for (reason, outcome, failures, seconds) in cases {
            assert_eq!(next_visit(&outcome, failures, 0.5), seconds.map(Duration::from_secs), "{reason}");
        }
    }

    #[test]
    fn jitter_spreads_by_a_tenth_each_way() {
        let settled = Outcome::Settled(Duration::from_secs(1000));
        assert_eq!(next_visit(&settled, 0, 0.0), Some(Duration::from_secs(900)));
        assert_eq!(next_visit(&settled, 0, 1.0), Some(Duration::from_secs(1100)));
    }
}
