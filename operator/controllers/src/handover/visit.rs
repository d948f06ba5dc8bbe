//! How long a visit of an exit works: a client with a thousand accounts must be able to call its exit off meanwhile, and see how far it is.

use std::time::{Duration, Instant};

/// Time after which no further account is begun. An account that is under way is finished.
const LONGEST: Duration = Duration::from_secs(20);

/// One visit that goes from account to account.
pub struct Visit {
    until: Instant,
    account: Option<String>,
}

impl Visit {
    /// Begins now.
    pub fn begin() -> Self {
        Self { until: Instant::now() + LONGEST, account: None }
    }

    /// Whether it ends before this account: the time is over, and at least one account was done.
    pub fn ends_before(&mut self, account: &str) -> bool {
        self.ends_at(account, Instant::now())
    }

    fn ends_at(&mut self, account: &str, now: Instant) -> bool {
        let is_next = self.account.as_ref().is_some_and(|last| last != account);
        if self.account.is_none() || is_next {
            self.account = Some(account.to_owned());
        }
        is_next && now >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_ends_between_two_accounts_once_its_time_is_over() {
        let mut visit = Visit::begin();
        let (early, late) = (visit.until.checked_sub(Duration::from_secs(1)).unwrap(), visit.until);
        assert!(!visit.ends_at("one", late), "one account is done in each visit, or none would ever be");
        assert!(!visit.ends_at("one", late), "an account that is under way is finished");
        assert!(!visit.ends_at("two", early), "there is time");
        assert!(visit.ends_at("three", late));
    }
}
