//! What an index lacks: gone only once the cloud says so in words.

use std::collections::BTreeSet;

use caretaker_cloud::{Asset, CloudLink, ErrorClass, Presence, Scope, Verdict};
use caretaker_core::inventory::address::{BUCKETS, key};
use caretaker_core::inventory::{Line, Verdicts};
use jiff::Timestamp;

/// Most assets whose service is asked in one reading; the others stay until a later one.
const MOST: usize = 500;
/// How many of them may be asked from the first bucket on; the rest is spread, so that those of no bucket wait for ever.
const AT_ONCE: usize = 100;
/// Questions without an answer, one after the other, after which no more are asked in this reading: a service that hangs must not hold it up.
const MOST_UNANSWERED: usize = 3;

/// The questions of one reading.
pub struct Vanished<'a> {
    link: &'a dyn CloudLink,
    scope: &'a Scope,
    verdicts: &'a Verdicts,
    now: Timestamp,
    asked: usize,
    unanswered: usize,
    unconfirmed: u64,
}

impl<'a> Vanished<'a> {
    /// None asked yet; `None` where the cloud's own lists are read, which need no second word.
    #[must_use]
    pub fn of(link: &'a dyn CloudLink, (scope, verdicts): (&'a Scope, &'a Verdicts), now: Timestamp) -> Option<Self> {
        link.reads_an_index().then_some(Self { link, scope, verdicts, now, asked: 0, unanswered: 0, unconfirmed: 0 })
    }

    /// Number of assets that stay without a word of the cloud's on whether they are there.
    #[must_use]
    pub const fn unconfirmed(&self) -> u64 {
        self.unconfirmed
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
            let is_left = self.asked >= most || self.unanswered >= MOST_UNANSWERED;
            let said = if is_left { Presence::Unknown } else { self.ask(asset).await };
            self.unconfirmed += u64::from(said == Presence::Unknown);
            // An absence is never concluded from silence, however long it lasts.
            if said != Presence::Gone {
                stay.insert(key(asset));
            }
        }
        stay
    }

    async fn ask(&mut self, asset: &Asset) -> Presence {
        self.asked += 1;
        let answer = self.link.exists(asset).await;
        // A refusal comes at once, and says nothing of other services.
        let is_silence = answer.as_ref().is_err_and(|error| error.class != ErrorClass::Denied);
        self.unanswered = if is_silence { self.unanswered + 1 } else { 0 };
        answer.unwrap_or(Presence::Unknown)
    }
}
