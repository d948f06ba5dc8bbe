//! Which session policies fit beside the session tags of the base credentials.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use caretaker_cloud::{Narrowing, Purpose};

/// Time after which the narrower policy is tried again: the provider may have other credentials by then.
const TRY_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// What was too large, by purpose. The size is that of the policy and of the session tags of the base credentials, so that it is the same for all clients.
#[derive(Default)]
pub struct Narrowings(Mutex<HashMap<Purpose, (Narrowing, Instant)>>);

impl Narrowings {
    /// The narrowest that is known to fit.
    pub fn of(&self, purpose: Purpose) -> Narrowing {
        let mut held = self.0.lock().expect("no panic while held");
        held.retain(|_, (_, since)| since.elapsed() < TRY_AGAIN);
        held.get(&purpose).map(|(narrowing, _)| *narrowing).unwrap_or_default()
    }

    /// Remembers what fits.
    pub fn put(&self, purpose: Purpose, narrowing: Narrowing) {
        self.0.lock().expect("no panic while held").insert(purpose, (narrowing, Instant::now()));
    }

    /// The widest that a purpose needed.
    pub fn widest(&self) -> Narrowing {
        self.0.lock().expect("no panic while held").values().map(|(narrowing, _)| *narrowing).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_to_fit_is_known_to_all_clients_and_the_widest_is_told() {
        let known = Narrowings::default();
        assert_eq!((known.of(Purpose::Read), known.widest()), (Narrowing::Purpose, Narrowing::Purpose));
        known.put(Purpose::Read, Narrowing::Families);
        known.put(Purpose::Backup, Narrowing::Nothing);
        assert_eq!(
            (known.of(Purpose::Read), known.of(Purpose::Revoke), known.widest()),
            (Narrowing::Families, Narrowing::Purpose, Narrowing::Nothing)
        );
    }
}
