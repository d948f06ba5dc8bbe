//! What an index lacks: gone only once the cloud says so in words.

use std::collections::BTreeSet;

use caretaker_api::cloud_account::InventoryStatus;
use caretaker_cloud::{Asset, AssetType, Cell, CloudError, CloudLink, EVERYWHERE, ErrorClass, Presence, Scope, Verdict};
use caretaker_core::inventory::address::{BUCKETS, key};
use caretaker_core::inventory::{Line, Verdicts};
use jiff::Timestamp;

/// Most assets whose service is asked in one reading; the others stay until a later one.
const MOST: usize = 500;
/// How many of them may be asked from the first bucket on; the rest is spread, so that those of no bucket wait for ever.
const AT_ONCE: usize = 100;
/// Questions without an answer, one after the other, after which no more are asked in this reading: a service that hangs must not hold it up.
const MOST_UNANSWERED: usize = 3;
/// Most assets of which the cloud's record is asked in one reading.
const MOST_RECORDED: usize = 5_000;

/// Whether the last inventory may hold assets of an index, whatever came of its cells then: it holds also what it could not read. Where services' own lists
/// are read as well, the index shows only what is of no kind of ours.
pub fn may_hold_some(link: &dyn CloudLink, last: Option<&InventoryStatus>, verdicts: &Verdicts) -> bool {
    let cells = verdicts.cells();
    let (of_an_index, of_lists): (Vec<&Cell>, Vec<&Cell>) = cells.into_iter().partition(|cell| link.reads_an_index(&cell.key.service));
    let holds_others = |last: &InventoryStatus| last.by_type.is_empty() || last.by_type.contains_key(AssetType::Other.as_str());
    !of_an_index.is_empty() && (of_lists.is_empty() || last.is_some_and(holds_others))
}

/// The questions of one reading.
pub struct Vanished<'a> {
    link: &'a dyn CloudLink,
    scope: &'a Scope,
    verdicts: &'a Verdicts,
    now: Timestamp,
    asked: usize,
    unanswered: usize,
    recorded: usize,
    is_record_closed: bool,
    unconfirmed: u64,
    cause: Option<String>,
}

impl<'a> Vanished<'a> {
    /// None asked yet; `None` where the last inventory held nothing of an index: the services' own lists need no second word.
    #[must_use]
    pub fn of(
        link: &'a dyn CloudLink,
        last: Option<&InventoryStatus>,
        (scope, verdicts): (&'a Scope, &'a Verdicts),
        now: Timestamp,
    ) -> Option<Self> {
        may_hold_some(link, last, verdicts).then_some(Self {
            link,
            scope,
            verdicts,
            now,
            asked: 0,
            unanswered: 0,
            recorded: 0,
            is_record_closed: false,
            unconfirmed: 0,
            cause: None,
        })
    }

    /// Number of assets that stay without a word of the cloud's on whether they are there.
    #[must_use]
    pub const fn unconfirmed(&self) -> u64 {
        self.unconfirmed
    }

    /// Why the first of them could not be asked for; `None` where all could.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Keys of the assets of a bucket that stay, although a complete cell did not show them. Buckets are asked for in their order.
    pub async fn stay(&mut self, bucket: u8, before: &[Line], found: &[Line]) -> BTreeSet<String> {
        let seen: BTreeSet<String> = found.iter().map(|line| key(&line.asset)).collect();
        let is_missing = |asset: &&Asset| {
            let is_complete = self.verdicts.of(&asset.cell()) == Some(Verdict::Complete);
            // What the spec leaves out now is not asked for; what is in no region is never left out by it.
            let is_read = asset.region == EVERYWHERE || self.scope.takes(&asset.region);
            is_complete && is_read && self.link.reads_an_index(&asset.service) && !seen.contains(&key(asset))
        };
        let mut missing: Vec<&Asset> = before.iter().map(|line| &line.asset).filter(is_missing).collect();
        // Where not all can be asked, others come first the next time.
        let turn = usize::try_from(self.now.as_second() / 60).unwrap_or_default();
        let first = turn.checked_rem(missing.len()).unwrap_or_default();
        missing.rotate_left(first);
        let most = AT_ONCE + (MOST - AT_ONCE) * (usize::from(bucket) + 1) / usize::from(BUCKETS);
        let (mut stay, mut unsaid) = (BTreeSet::new(), Vec::new());
        for asset in missing {
            let is_left = self.asked >= most || self.unanswered >= MOST_UNANSWERED;
            match if is_left { Presence::Unknown } else { self.ask(asset).await } {
                Presence::Present => drop(stay.insert(key(asset))),
                Presence::Gone => {}
                Presence::Unknown => unsaid.push(asset),
            }
        }
        // An absence is never concluded from silence, however long it lasts.
        for (asset, is_deleted) in unsaid.iter().zip(self.deleted(&unsaid).await) {
            if !is_deleted {
                self.unconfirmed += 1;
                stay.insert(key(asset));
            }
        }
        stay
    }

    async fn ask(&mut self, asset: &Asset) -> Presence {
        self.asked += 1;
        match self.link.exists(asset).await {
            Ok(said) => {
                self.unanswered = 0;
                said
            }
            Err(error) => {
                // A refusal comes at once, and says nothing of other services.
                let is_silence = matches!(error.class, ErrorClass::Unreachable | ErrorClass::Throttled(_) | ErrorClass::Expired);
                self.unanswered = if is_silence { self.unanswered + 1 } else { 0 };
                self.note(&error);
                Presence::Unknown
            }
        }
    }

    /// What the cloud's record says of these. One that refuses is not asked again in this reading.
    async fn deleted(&mut self, assets: &[&Asset]) -> Vec<bool> {
        let nothing = vec![false; assets.len()];
        if assets.is_empty() || self.is_record_closed || self.recorded >= MOST_RECORDED {
            return nothing;
        }
        self.recorded += assets.len();
        match self.link.deleted(assets).await {
            Ok(gone) if gone.len() == assets.len() => gone,
            Ok(_) => nothing,
            Err(error) => {
                self.is_record_closed = true;
                self.note(&error);
                nothing
            }
        }
    }

    fn note(&mut self, error: &CloudError) {
        // Clouds put numbers of their own into messages, which would change the status each time.
        let why = if error.code.is_empty() { format!("{:?}", error.class) } else { error.code.clone() };
        self.cause.get_or_insert_with(|| format!("{}: {why}", error.operation));
    }
}
