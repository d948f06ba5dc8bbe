//! What an index lacks: gone only once the asset's own service says so.

use std::collections::BTreeSet;

use caretaker_cloud::{Asset, CloudLink, Presence, Verdict};
use caretaker_core::inventory::address::key;
use caretaker_core::inventory::{Line, Verdicts};
use jiff::{SignedDuration, Timestamp};

/// Most assets whose service is asked in one reading; the others stay until a later one.
const MOST: usize = 500;
/// How long an asset stays whose service cannot be asked: an index lags by minutes or hours, never by that much.
const UNASKABLE_FOR: SignedDuration = SignedDuration::from_hours(24 * 7);

/// The questions of one reading.
pub struct Vanished<'a> {
    link: &'a dyn CloudLink,
    now: Timestamp,
    asked: usize,
}

impl<'a> Vanished<'a> {
    /// None asked yet; `None` where the cloud's own lists are read, which need no second word.
    #[must_use]
    pub fn of(link: &'a dyn CloudLink, now: Timestamp) -> Option<Self> {
        link.reads_an_index().then_some(Self { link, now, asked: 0 })
    }

    /// Keys of the assets of a bucket that stay, although a complete cell did not show them.
    pub async fn stay(&mut self, before: &[Line], found: &[Line], verdicts: &Verdicts) -> BTreeSet<String> {
        let seen: BTreeSet<String> = found.iter().map(|line| key(&line.asset)).collect();
        let mut stay = BTreeSet::new();
        for Line { asset, .. } in before {
            let key = key(asset);
            let is_complete = verdicts.of(&asset.cell()) == Some(Verdict::Complete);
            if is_complete && !seen.contains(&key) && self.stays(asset).await {
                stay.insert(key);
            }
        }
        stay
    }

    async fn stays(&mut self, asset: &Asset) -> bool {
        if self.asked == MOST {
            return true;
        }
        self.asked += 1;
        match self.link.exists(asset).await {
            Ok(Presence::Present) => true,
            Ok(Presence::Gone) => false,
            Ok(Presence::Unknown) => self.now.duration_since(asset.seen_at) < UNASKABLE_FOR,
            // No answer says nothing of the asset.
            Err(_) => true,
        }
    }
}
