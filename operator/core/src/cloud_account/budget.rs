//! Request budgets of accounts: what the status says of a reading's use, and which waits outlive the process that was told them.

use std::time::Duration;

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::{BudgetStatus, CloudAccountStatus, KeyWait};
use caretaker_api::words::GapVerdict;
use caretaker_cloud::Usage;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Longest wait that a cloud may ask for; more is cut.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The status after a reading that ended at `ended`.
#[must_use]
pub fn status(usage: &Usage, ended: Timestamp) -> BudgetStatus {
    let until = |left: Duration| {
        let left = SignedDuration::try_from(left.min(LONGEST_WAIT)).unwrap_or_default();
        let until = ended.saturating_add(left).unwrap_or(ended);
        // Times lose their fractions in the API: one that is cut would be too early.
        let whole = until.as_second() + i64::from(until.subsec_nanosecond() > 0);
        Timestamp::from_second(whole).ok().map(Time)
    };
    BudgetStatus {
        calls: usage.calls,
        throttled: usage.throttled,
        concurrency: usage.concurrency,
        waits: usage.held.iter().map(|held| KeyWait { key: held.key.clone(), until: until(held.left) }).collect(),
    }
}

/// What is left at `now` of the waits that an account's status tells of, by key.
#[must_use]
pub fn waits(account: &CloudAccount, now: Timestamp) -> Vec<(String, Duration)> {
    let budget = account.status.as_ref().and_then(|status| status.budget.as_ref());
    let waits = budget.map(|budget| budget.waits.as_slice()).unwrap_or_default();
    let left = |wait: &KeyWait| {
        let left = Duration::try_from(wait.until.as_ref()?.0.duration_since(now)).ok()?;
        (!left.is_zero()).then(|| (wait.key.clone(), left.min(LONGEST_WAIT)))
    };
    waits.iter().filter_map(left).collect()
}

/// Whether all waits that kept a reading from its end are over: what they held back can be read now. A wait that held nothing back, such as one of another
/// client's under the same budget, asks for nothing.
#[must_use]
pub fn is_held_no_more(status: &CloudAccountStatus, now: Timestamp) -> bool {
    let gaps = status.inventory.as_ref().map(|inventory| inventory.coverage.gaps.as_slice()).unwrap_or_default();
    if !gaps.iter().any(|gap| gap.verdict == GapVerdict::Throttled) {
        return false;
    }
    let waits = status.budget.as_ref().map(|budget| budget.waits.as_slice()).unwrap_or_default();
    !waits.is_empty() && waits.iter().all(|wait| wait.until.as_ref().is_none_or(|until| until.0 <= now))
}

#[cfg(test)]
mod tests {
    use caretaker_api::cloud_account::{CellStatus, CoverageStatus, InventoryStatus};
    use caretaker_cloud::HeldKey;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn account(usage: &Usage) -> CloudAccount {
        let spec = serde_json::json!({"aws": {"accountId": "222222222222"}});
        let mut account = CloudAccount::new("prod", serde_json::from_value(spec).unwrap());
        account.status =
            Some(CloudAccountStatus { budget: Some(status(usage, at("2026-01-01T00:00:00.25Z"))), ..CloudAccountStatus::default() });
        account
    }

    fn held(seconds: u64) -> HeldKey {
        HeldKey { key: format!("aws/222222222222/r{seconds}"), left: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_wait_is_never_told_shorter_than_the_cloud_asked_for_and_has_an_end() {
        let account = account(&Usage { calls: 9, throttled: 2, concurrency: 4, held: vec![held(1_000_000), held(1200)] });
        let budget = account.status.as_ref().unwrap().budget.clone().unwrap();
        assert_eq!((budget.calls, budget.throttled, budget.concurrency), (9, 2, 4));
        assert_eq!(budget.waits[0].until, Some(Time(at("2026-01-02T00:00:01Z"))));
        assert_eq!(budget.waits[1].until, Some(Time(at("2026-01-01T00:20:01Z"))));
    }

    #[test]
    fn what_is_left_of_a_wait_is_known_to_a_process_that_was_not_told_it() {
        let account = account(&Usage { held: vec![held(7200), held(1200)], ..Usage::default() });
        let now = at("2026-01-01T00:10:01Z");
        assert_eq!(
            waits(&account, now),
            [
                ("aws/222222222222/r7200".to_owned(), Duration::from_secs(6600)),
                ("aws/222222222222/r1200".to_owned(), Duration::from_secs(600))
            ]
        );
        assert_eq!(waits(&account, at("2026-01-01T00:20:01Z")).len(), 1);
        assert!(waits(&account, at("2026-01-01T02:00:01Z")).is_empty());
    }

    #[test]
    fn what_was_held_back_is_read_when_the_last_wait_is_over() {
        let account = account(&Usage { held: vec![held(7200), held(1200)], ..Usage::default() });
        let mut status = account.status.unwrap();
        assert!(!is_held_no_more(&status, at("2026-01-01T02:00:01Z")), "every cell was complete all the same");
        let gap = CellStatus { verdict: GapVerdict::Throttled, ..CellStatus::default() };
        let coverage = CoverageStatus { gaps: vec![gap], ..CoverageStatus::default() };
        status.inventory = Some(InventoryStatus { coverage, ..InventoryStatus::default() });
        assert!(!is_held_no_more(&status, at("2026-01-01T00:30:00Z")));
        assert!(is_held_no_more(&status, at("2026-01-01T02:00:01Z")));
        assert!(!is_held_no_more(&CloudAccountStatus::default(), at("2026-01-01T02:00:01Z")), "nothing was held");
    }
}
