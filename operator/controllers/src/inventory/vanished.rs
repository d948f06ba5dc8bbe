//! What an index lacks: gone only once the asset's own service says so.

use std::collections::BTreeSet;

use caretaker_cloud::{Asset, CloudLink, Presence, Scope, Verdict};
use caretaker_core::inventory::address::{BUCKETS, key};
use caretaker_core::inventory::{Line, Verdicts};
use jiff::{SignedDuration, Timestamp};

/// Most assets whose service is asked in one reading; the others stay until a later one.
const MOST: usize = 500;
/// How many of them may be asked from the first bucket on; the rest is spread, so that those of no bucket wait for ever.
const AT_ONCE: usize = 100;
/// Questions without an answer, one after the other, after which no more are asked in this reading: a service that hangs must not hold it up.
const MOST_UNANSWERED: usize = 3;
/// How long an asset stays whose service cannot be asked: an index lags by minutes or hours, never by that much.
const UNASKABLE_FOR: SignedDuration = SignedDuration::from_hours(24 * 7);

/// The questions of one reading.
pub struct Vanished<'a> {
    link: &'a dyn CloudLink,
    scope: &'a Scope,
    verdicts: &'a Verdicts,
    /// When the last inventory was taken.
    last: Option<Timestamp>,
    now: Timestamp,
    asked: usize,
    unanswered: usize,
}

impl<'a> Vanished<'a> {
    /// None asked yet; `None` where the cloud's own lists are read, which need no second word.
    #[must_use]
    pub fn of(
        link: &'a dyn CloudLink,
        (scope, verdicts): (&'a Scope, &'a Verdicts),
        (last, now): (Option<Timestamp>, Timestamp),
    ) -> Option<Self> {
        link.reads_an_index().then_some(Self { link, scope, verdicts, last, now, asked: 0, unanswered: 0 })
    }

    /// Keys of the assets of a bucket that stay, although a complete cell did not show them. Buckets are asked for in their order.
    pub async fn stay(&mut self, bucket: u8, before: &[Line], found: &[Line]) -> BTreeSet<String> {
        let seen: BTreeSet<String> = found.iter().map(|line| key(&line.asset)).collect();
        let is_missing = |asset: &&Asset| {
            // What the spec leaves out now is not asked for.
            let is_complete = self.verdicts.of(&asset.cell()) == Some(Verdict::Complete) && self.scope.takes(&asset.region);
            is_complete && !seen.contains(&key(asset))
        };
        let mut missing: Vec<&Asset> = before.iter().map(|line| &line.asset).filter(is_missing).collect();
        // Where not all can be asked, others come first the next time.
        let turn = usize::try_from(self.now.as_second() / 60).unwrap_or_default();
        let first = turn.checked_rem(missing.len()).unwrap_or_default();
        missing.rotate_left(first);
        let most = AT_ONCE + (MOST - AT_ONCE) * (usize::from(bucket) + 1) / usize::from(BUCKETS);
        let mut stay = BTreeSet::new();
        for asset in missing {
            if self.asked >= most || self.unanswered >= MOST_UNANSWERED || self.stays(asset).await {
                stay.insert(key(asset));
            }
        }
        stay
    }

    async fn stays(&mut self, asset: &Asset) -> bool {
        self.asked += 1;
        let answer = self.link.exists(asset).await;
        self.unanswered = if answer.is_err() { self.unanswered + 1 } else { 0 };
        match answer {
            Ok(Presence::Present) => true,
            Ok(Presence::Gone) => false,
            Ok(Presence::Unknown) => {
                // One reading that lacks it may follow on a long pause.
                let is_first = self.last.is_none_or(|last| asset.seen_at >= last);
                is_first || self.now.duration_since(asset.seen_at) < UNASKABLE_FOR
            }
            // No answer, or a refusal, says nothing of the asset.
            Err(_) => true,
        }
    }
}
