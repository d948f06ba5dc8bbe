//! What the object in the cluster shows of an exit's state: counts, and a few of each list. The whole state stands in the ledger, so that an exit of a
//! thousand accounts does not outgrow what etcd takes of one object.

use caretaker_api::handover::{AccountCounts, HandoverStatus};

/// Most entries of each list.
pub const MOST: usize = 20;

/// The state as it is shown.
#[must_use]
pub fn shown(state: &HandoverStatus) -> HandoverStatus {
    let mut shown = state.clone();
    shown.accounts = state.frozen.is_some().then(|| counts(state));
    if let Some(frozen) = &mut shown.frozen {
        frozen.accounts.truncate(MOST);
    }
    // Stable, so that an entry keeps its place as long as it is in the same state.
    shown.readings.sort_by_key(|reading| reading.gap.is_empty());
    shown.readings.truncate(MOST);
    shown.revocations.sort_by_key(|revocation| revocation.verified_at.is_some());
    shown.revocations.truncate(MOST);
    shown
}

fn counts(state: &HandoverStatus) -> AccountCounts {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let read = state.readings.iter().filter(|reading| reading.gap.is_empty()).count();
    AccountCounts {
        total: count(state.frozen.as_ref().map_or(0, |frozen| frozen.accounts.len())),
        read: count(read),
        unread: count(state.readings.len() - read),
        to_close: count(state.revocations.len()),
        closed: count(state.revocations.iter().filter(|revocation| revocation.verified_at.is_some()).count()),
    }
}

/// Whether the object shows less than there is, so that the ledger must be asked.
#[must_use]
pub fn is_shortened(status: &HandoverStatus) -> bool {
    let more = |all: u32, shown: usize| usize::try_from(all).unwrap_or(usize::MAX) > shown;
    status.accounts.as_ref().is_some_and(|accounts| {
        more(accounts.read + accounts.unread, status.readings.len()) || more(accounts.to_close, status.revocations.len())
    })
}

/// Whether accounts that the object counts are in the state no more: the ledger lost them, and an exit that went on without them could end while our access
/// to them stands open.
#[must_use]
pub fn lacks_accounts(status: &HandoverStatus, state: &HandoverStatus) -> bool {
    let fewer = |there: usize, counted: u32| there < usize::try_from(counted).unwrap_or(usize::MAX);
    status.accounts.as_ref().is_some_and(|counted| {
        fewer(state.frozen.as_ref().map_or(0, |frozen| frozen.accounts.len()), counted.total)
            || fewer(state.readings.len(), counted.read + counted.unread)
            || fewer(state.revocations.len(), counted.to_close)
    })
}

/// The state of an exit: what its ledger says, with what only the object tells. An exit that was begun before there were ledgers has none.
#[must_use]
pub fn state(status: &HandoverStatus, recorded: Option<HandoverStatus>) -> HandoverStatus {
    let Some(recorded) = recorded else { return status.clone() };
    let mut state = HandoverStatus {
        observed_generation: status.observed_generation,
        conditions: status.conditions.clone(),
        last_handled_request: status.last_handled_request.clone(),
        ledger: status.ledger.clone(),
        accounts: status.accounts.clone(),
        ..recorded
    };
    // What a damaged ledger lacks and the object still shows is not lost.
    if state.frozen.is_none() {
        state.frozen.clone_from(&status.frozen);
    }
    let lacks_reading = |account: &str| !state.readings.iter().any(|known| known.account == account);
    let readings: Vec<_> = status.readings.iter().filter(|seen| lacks_reading(&seen.account)).cloned().collect();
    state.readings.extend(readings);
    let lacks = |account: &str| !state.revocations.iter().any(|known| known.account == account);
    let revocations: Vec<_> = status.revocations.iter().filter(|seen| lacks(&seen.account)).cloned().collect();
    state.revocations.extend(revocations);
    // The ledger tells an attempt only where it brought news.
    for revocation in &mut state.revocations {
        let seen = status.revocations.iter().find(|seen| seen.account == revocation.account);
        revocation.last_attempt_at = revocation.last_attempt_at.take().max(seen.and_then(|seen| seen.last_attempt_at.clone()));
    }
    state
}

#[cfg(test)]
mod tests {
    use caretaker_api::handover::{FinalReading, Frozen, HandoverStep, RevocationStatus};
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn large(count: usize) -> HandoverStatus {
        let name = |number: usize| format!("{}-{number:04}", "x".repeat(58));
        let time = Some(Time(Timestamp::UNIX_EPOCH));
        let revocation = |number: usize| RevocationStatus {
            account: name(number),
            principal: "p".repeat(100),
            steps: vec!["s".repeat(200); 3],
            left: "l".repeat(200),
            last_answer: "a".repeat(400),
            verified_at: time.clone().filter(|_| number.is_multiple_of(2)),
            ..RevocationStatus::default()
        };
        HandoverStatus {
            step: Some(HandoverStep::VerifyRefusal),
            frozen: Some(Frozen { accounts: (0..count).map(name).collect(), ..Frozen::default() }),
            readings: (0..count)
                .map(|number| {
                    let gap = if number == count - 1 { "no way in" } else { "" };
                    FinalReading { account: name(number), inventory: Some(Default::default()), gap: gap.into() }
                })
                .collect(),
            revocations: (0..count).map(revocation).collect(),
            ..HandoverStatus::default()
        }
    }

    #[test]
    fn an_exit_of_a_thousand_accounts_fits_into_one_object() {
        let whole = large(1000);
        let shown = shown(&whole);
        let size = serde_json::to_vec(&shown).unwrap().len();
        assert!(size < 100_000, "{size} bytes");
        assert_eq!(shown.accounts, Some(AccountCounts { total: 1000, read: 999, unread: 1, to_close: 1000, closed: 500 }));
        assert!(shown.revocations.len() == MOST && shown.revocations.iter().all(|open| open.verified_at.is_none()));
        assert_eq!(shown.readings[0].gap, "no way in");
        assert!(is_shortened(&shown));
        assert_eq!(state(&shown, Some(whole.clone())).revocations, whole.revocations);
    }

    #[test]
    fn a_small_exit_is_shown_whole() {
        let whole = large(20);
        let shown = shown(&whole);
        assert!(!is_shortened(&shown));
        assert_eq!((shown.readings.len(), shown.revocations.len(), shown.frozen.unwrap().accounts.len()), (20, 20, 20));
    }

    #[test]
    fn an_exit_whose_ledger_lost_accounts_does_not_go_on_without_them() {
        let lost = |whole: &HandoverStatus, recorded: Option<HandoverStatus>| {
            let shown = shown(whole);
            lacks_accounts(&shown, &state(&shown, recorded))
        };
        let (large, small) = (large(1000), large(20));
        let half = |whole: &HandoverStatus| {
            let revocations = whole.revocations.iter().take(10).cloned().collect();
            Some(HandoverStatus { revocations, ..whole.clone() })
        };
        assert!(!lost(&large, Some(large.clone())) && !lost(&small, Some(small.clone())), "nothing is lost");
        assert!(lost(&large, None) && lost(&large, half(&large)) && lost(&large, Some(HandoverStatus::default())));
        assert!(!lost(&small, None) && !lost(&small, half(&small)), "the object shows all of a small one");
    }

    #[test]
    fn where_the_cluster_was_put_back_to_an_earlier_day_the_ledger_is_right() {
        let attempted = Some(Time(Timestamp::from_second(100).unwrap()));
        let one = |last_attempt_at| RevocationStatus { account: "one".into(), last_attempt_at, ..RevocationStatus::default() };
        let old =
            HandoverStatus { step: Some(HandoverStep::Accept), revocations: vec![one(attempted.clone())], ..HandoverStatus::default() };
        let recorded =
            HandoverStatus { step: Some(HandoverStep::VerifyRefusal), revocations: vec![one(None)], ..HandoverStatus::default() };
        let state = state(&old, Some(recorded));
        assert_eq!((state.step, state.revocations[0].last_attempt_at.clone()), (Some(HandoverStep::VerifyRefusal), attempted));
        assert_eq!(super::state(&old, None), old);
    }
}
