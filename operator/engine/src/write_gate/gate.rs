//! The write gate: nothing is written by a process that may have lost its lease.
//!
//! `kube-lease-manager` does not report a lost lease while the API server is unreachable, and compares two machines' clocks. So the deadline is kept here,
//! on a monotonic clock: each renewal that the API server has confirmed moves it to the moment that the renewal was sent, plus the lease's duration, less a
//! margin.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The gate. Cheap to clone. Closed until the first confirmed renewal.
#[derive(Clone, Default)]
pub struct Gate {
    deadline: Arc<Mutex<Option<Instant>>>,
}

/// Why a write was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the leader (any more): the write was not sent")]
pub struct Closed;

impl Gate {
    /// A gate that is open for ever, for processes without an election: the command line and tests.
    #[must_use]
    pub fn open() -> Self {
        let gate = Self::default();
        gate.extend(Instant::now(), Duration::from_secs(100 * 365 * 24 * 3600));
        gate
    }

    /// Notes a renewal that was sent at `sent` and confirmed.
    pub fn extend(&self, sent: Instant, valid: Duration) {
        let mut deadline = self.deadline.lock().expect("no panic while held");
        let next = sent + valid;
        if deadline.is_none_or(|held| held < next) {
            *deadline = Some(next);
        }
    }

    /// Closes the gate.
    pub fn close(&self) {
        *self.deadline.lock().expect("no panic while held") = None;
    }

    /// Whether a write may be sent now.
    ///
    /// # Errors
    /// The lease is lost, or may be.
    pub fn check(&self) -> Result<(), Closed> {
        match *self.deadline.lock().expect("no panic while held") {
            Some(deadline) if Instant::now() < deadline => Ok(()),
            _ => Err(Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_closed_before_the_first_and_after_the_last_renewal() {
        let gate = Gate::default();
        assert_eq!(gate.check(), Err(Closed));
        gate.extend(Instant::now(), Duration::from_secs(60));
        assert_eq!(gate.check(), Ok(()));
        gate.extend(Instant::now().checked_sub(Duration::from_secs(120)).unwrap(), Duration::from_secs(60));
        assert_eq!(gate.check(), Ok(()), "an older renewal does not shorten the deadline");
        gate.close();
        assert_eq!(gate.check(), Err(Closed));
        gate.extend(Instant::now().checked_sub(Duration::from_secs(61)).unwrap(), Duration::from_secs(60));
        assert_eq!(gate.check(), Err(Closed), "what counts is when the renewal was sent, not when it was confirmed");
    }
}
