//! One reading of an account into the store: assets are streamed to a spool, what an incomplete cell did not show is taken over from the last reading,
//! and everything is stored, sorted, in shards that are named by their content.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::{BaselineStatus, DiffStatus, InventoryStatus};
use caretaker_cloud::{Asset, AssetSink, Cell, CloudError, CloudLink, ErrorClass, Scope, Usage, patch_cell};
use caretaker_core::cloud_account::named;
use caretaker_core::digest::json_digest;
use caretaker_core::inventory::address::{self, BUCKETS};
use caretaker_core::inventory::manifest::{FORMAT, Manifest, digest};
use caretaker_core::inventory::patch;
use caretaker_core::inventory::scope::Rules;
use caretaker_core::inventory::{Counts, Line, Taken, Verdicts};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use caretaker_store::inventory::{Reader, Run, Segments, Shards, Spool, Vanished, compare, may_hold_some, merge};
use caretaker_store::{Store, StoreError};

/// What the last inventory is called where it is lost.
const LAST: &str = "the last inventory";

/// What is read, and where it goes.
pub struct Reading<'a> {
    /// The store.
    pub store: &'a Store,
    /// The client.
    pub client: &'a str,
    /// The CloudAccount.
    pub account: &'a str,
    /// What to read.
    pub scope: Scope,
    /// What the scope says of each asset.
    pub rules: Rules,
    /// Digest of both, for the manifest.
    pub scope_digest: String,
    /// The last inventory.
    pub last: Option<&'a InventoryStatus>,
    /// The baseline.
    pub baseline: Option<&'a BaselineStatus>,
    /// Which run it is.
    pub run: Run,
    /// The time of the reading.
    pub now: Timestamp,
    /// Where it is told what the reading used of its request budgets, also where it fails; `None` where nobody asks.
    pub used: Option<&'a Mutex<Option<Usage>>>,
}

/// Time between two notes of what a long reading has finished.
const NOTE_EVERY: Duration = Duration::from_secs(20);

/// Digest of everything that decides what is read of an account and what is said of it.
#[must_use]
pub fn scope_digest(account: &CloudAccount) -> String {
    json_digest(&(account.spec.target.regions(), &account.spec.scope))
}

impl<'a> Reading<'a> {
    /// A reading of an account by its spec, without a past. `identity` says which run it is.
    #[must_use]
    pub fn of(store: &'a Store, account: &CloudAccount, name: &'a str, (identity, now): (String, Timestamp)) -> Self {
        let within = SignedDuration::from_mins(i64::from(account.spec.discovery_interval_minutes));
        // As a status tells it: without fractions.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self {
            store,
            client: "",
            account: name,
            scope: Scope { regions: account.spec.target.regions(), ..Scope::default() },
            rules: Rules::new(account.spec.scope.as_ref(), named(account)),
            scope_digest: scope_digest(account),
            last: None,
            baseline: None,
            run: Run { identity, within, every: NOTE_EVERY },
            now,
            used: None,
        }
    }
}

/// Why there is no new inventory.
#[derive(Debug)]
pub enum NotRead {
    /// The cloud: not even the cells could be planned.
    Cloud(CloudError),
    /// Store or disk.
    Failed(StoreError),
}

impl From<StoreError> for NotRead {
    fn from(failure: StoreError) -> Self {
        Self::Failed(failure)
    }
}

struct Sink<'a> {
    spool: Spool,
    verdicts: Verdicts,
    segments: Segments<'a>,
    used: Option<&'a Mutex<Option<Usage>>>,
}

#[async_trait]
impl AssetSink for Sink<'_> {
    async fn asset(&mut self, asset: Asset) -> caretaker_cloud::Result<()> {
        // The time stands at the cell: an unchanged asset makes an unchanged line.
        let asset = Asset { seen_at: Timestamp::UNIX_EPOCH, ..asset };
        self.spool.take(&asset, &asset).map_err(|error| sink_error(&error))
    }

    async fn cell(&mut self, cell: Cell) -> caretaker_cloud::Result<()> {
        self.segments.cell(&cell, &self.spool).await.map_err(|error| sink_error(&error))?;
        self.verdicts.take(cell);
        Ok(())
    }

    fn used(&mut self, usage: Usage) {
        if let Some(used) = self.used {
            *used.lock().expect("no panic while held") = Some(usage);
        }
    }
}

fn sink_error(error: &std::io::Error) -> CloudError {
    CloudError::new(ErrorClass::Sink, "write the inventory", error.to_string())
}

fn local(error: std::io::Error) -> StoreError {
    StoreError::local("write the inventory to a temporary file", error)
}

/// What the store has lost.
#[derive(Default)]
struct Losses {
    told: Vec<String>,
    /// Whether something was to be taken over from what is lost.
    of_gaps: bool,
}

impl Losses {
    fn note(&mut self, what: &str, error: &StoreError, is_needed: bool) {
        self.of_gaps |= is_needed;
        let lost = format!("{what} is lost ({error})");
        if self.told.iter().any(|told| told.starts_with(&lost)) {
            return;
        }
        tracing::warn!("{lost}");
        let consequence = if is_needed { ": what it knew of cells that cannot be read now is lost with it" } else { "" };
        self.told.push(lost + consequence);
    }
}

/// Reads an account and stores its inventory.
///
/// # Errors
/// The cells could not be planned, or the store failed; the last inventory stays then.
pub async fn run(link: &dyn CloudLink, reading: &Reading<'_>) -> Result<Taken, NotRead> {
    let folder = address::folder(reading.client, reading.account);
    let _alone = reading.store.hold(&folder).await;
    let mut spool = Spool::default();
    let (segments, resumed) = Segments::resume((reading.store, &folder, &reading.run), &mut spool, reading.now).await?;
    let mut scope = reading.scope.clone();
    scope.finished = resumed.cells.iter().map(|cell| cell.key.clone()).collect();
    let mut sink = Sink { spool, verdicts: Verdicts::default(), segments, used: reading.used };
    resumed.cells.into_iter().for_each(|cell| sink.verdicts.take(cell));
    link.discover(&scope, &mut sink).await.map_err(NotRead::Cloud)?;
    let Sink { spool, mut verdicts, segments, .. } = sink;
    let mut losses = Losses::default();
    let is_needed = verdicts.has_gaps() || may_hold_some(link, reading.last, &verdicts);
    let last = last(reading, is_needed, &mut losses).await?;
    verdicts.take_missing(last.as_ref().map(Reader::cells).unwrap_or_default(), &reading.scope);
    let (manifest, counts) = write((link, reading, last), &folder, (&spool, &verdicts), &mut losses).await?;
    drop(spool);
    let run = address::run(&folder, reading.now, &manifest.digest);
    let at = address::manifest(&run);
    let bytes = serde_json::to_vec(&manifest).map_err(|error| StoreError::local("write a manifest", error))?;
    reading.store.put(&at, bytes.into()).await?;
    let mut inventory = InventoryStatus {
        patches: counts.patches,
        unconfirmed: counts.unconfirmed,
        unconfirmed_cause: counts.unconfirmed_cause,
        ..summary(reading, &manifest, &verdicts, at)
    };
    inventory.lost_at = lost_at(reading, &verdicts, &losses);
    (inventory.since_previous, inventory.since_baseline) = differences(reading, &run, &inventory, &mut losses).await?;
    segments.discard().await;
    Ok(Taken { inventory, unclassified: counts.unclassified, losses: losses.told })
}

fn summary(reading: &Reading<'_>, manifest: &Manifest, verdicts: &Verdicts, at: String) -> InventoryStatus {
    let now = Some(Time(reading.now));
    InventoryStatus {
        digest: manifest.digest.clone(),
        address: at,
        since: reading.last.and_then(|last| last.since.clone().or_else(|| last.taken_at.clone())).or_else(|| now.clone()),
        taken_at: now,
        assets: manifest.assets,
        by_type: manifest.by_type.clone(),
        by_verdict: manifest.by_verdict.clone(),
        coverage: verdicts.coverage(),
        ..InventoryStatus::default()
    }
}

/// Since when something is lost that has not been read again.
fn lost_at(reading: &Reading<'_>, verdicts: &Verdicts, losses: &Losses) -> Option<Time> {
    if !verdicts.has_gaps() {
        return None;
    }
    let before = reading.last.and_then(|last| last.lost_at.clone());
    before.or_else(|| losses.of_gaps.then_some(Time(reading.now)))
}

/// Sorts, judges and stores the assets, one bucket in memory at a time.
async fn write(
    (link, reading, mut last): (&dyn CloudLink, &Reading<'_>, Option<Reader<'_>>),
    folder: &str,
    (spool, verdicts): (&Spool, &Verdicts),
    losses: &mut Losses,
) -> Result<(Manifest, Counts), NotRead> {
    let mut vanished = Vanished::of(link, reading.last, (&reading.scope, verdicts), reading.now);
    let is_needed = verdicts.has_gaps() || vanished.is_some();
    let mut shards = Shards::new(reading.store, folder, last.as_ref().map(Reader::digests).unwrap_or_default());
    if let Some(digest) = prove_one(reading, last.as_ref(), losses).await? {
        shards.mistrust(digest);
    }
    let mut counts = Counts::default();
    for bucket in 0..BUCKETS {
        let found = spool.bucket(bucket).map_err(local)?;
        let before = match last.as_mut().filter(|_| is_needed) {
            None => Vec::new(),
            Some(reader) => match reader.bucket(bucket).await {
                Ok(before) => before,
                Err(error) if error.is_loss() => {
                    losses.note(LAST, &error, true);
                    reader.shard(bucket).into_iter().for_each(|shard| shards.mistrust(shard.digest.clone()));
                    Vec::new()
                }
                Err(failure) => return Err(failure.into()),
            },
        };
        let stay = match &mut vanished {
            Some(vanished) => vanished.stay(bucket, &before, &found).await,
            None => BTreeSet::new(),
        };
        let mut assets = merge(found, before, (verdicts, &stay));
        let patches = patch::join(&mut assets, |machine| verdicts.of(&patch_cell(machine)), reading.now);
        counts.patches = patch::add(&counts.patches, &patches);
        let lines: Vec<Line> = assets.into_iter().map(|asset| Line::judged(asset, &reading.rules)).collect();
        lines.iter().for_each(|line| counts.add(line));
        shards.bucket(bucket, &lines).await?;
        // Sorting and packing are work: others get their turn.
        tokio::task::yield_now().await;
    }
    if let Some(vanished) = &vanished {
        counts.unconfirmed = vanished.unconfirmed();
        counts.unconfirmed_cause = vanished.cause().filter(|_| counts.unconfirmed > 0).unwrap_or_default().to_owned();
    }
    let (shards, missing) = shards.finish(BUCKETS - 1).await?;
    if let Some(digest) = missing.first() {
        let error = StoreError::NotFound(address::shard(folder, digest));
        losses.note(&format!("a part of the last inventory, which is now stored again, {} in all,", missing.len()), &error, false);
    }
    let manifest = Manifest {
        format: FORMAT,
        digest: digest(&shards),
        taken_at: reading.now,
        scope: reading.scope_digest.clone(),
        assets: counts.total,
        by_type: counts.by_type.clone(),
        by_verdict: counts.by_verdict.clone(),
        shards,
        cells: verdicts.cells().into_iter().cloned().collect(),
    };
    Ok((manifest, counts))
}

/// The last inventory, where the store still has it.
async fn last<'a>(reading: &Reading<'a>, is_needed: bool, losses: &mut Losses) -> Result<Option<Reader<'a>>, StoreError> {
    let Some(last) = reading.last else { return Ok(None) };
    match Reader::open(reading.store, last).await {
        Ok(reader) => Ok(Some(reader)),
        Err(error) if error.is_loss() => {
            losses.note(LAST, &error, is_needed);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Proves one shard of the last inventory, by turns, so that damage is seen although nothing changes. Gives its digest where it is not what it was.
async fn prove_one(reading: &Reading<'_>, last: Option<&Reader<'_>>, losses: &mut Losses) -> Result<Option<String>, StoreError> {
    let Some(reader) = last else { return Ok(None) };
    let turn = reading.now.as_second().unsigned_abs() / 60;
    match reader.prove(turn).await {
        Ok(()) => Ok(None),
        // One that is not there at all is found when it is stored again.
        Err((_, StoreError::NotFound(_))) => Ok(None),
        Err((digest, error)) if error.is_loss() => {
            losses.note(LAST, &error, false);
            Ok(Some(digest))
        }
        Err((_, failure)) => Err(failure),
    }
}

/// An inventory that the new one is compared with.
struct Before<'a> {
    what: &'a str,
    digest: &'a str,
    address: &'a str,
    taken_at: Option<&'a Time>,
    file: &'a str,
}

/// What differs from the last inventory, and from the baseline.
async fn differences(
    reading: &Reading<'_>,
    run: &str,
    new: &InventoryStatus,
    losses: &mut Losses,
) -> Result<(Option<DiffStatus>, Option<DiffStatus>), StoreError> {
    let previous = match reading.last {
        None => None,
        Some(last) => {
            let before = Before {
                what: LAST,
                digest: &last.digest,
                address: &last.address,
                taken_at: last.taken_at.as_ref(),
                file: "since-previous.ndjson.zst",
            };
            difference(reading, run, (&before, new), losses).await?
        }
    };
    let Some(baseline) = reading.baseline else { return Ok((previous, None)) };
    // Nothing has changed since: what was found then is still so.
    let known = reading.last.filter(|last| last.digest == new.digest).and_then(|last| last.since_baseline.clone());
    if let Some(known) = known.filter(|known| known.digest == baseline.digest) {
        return Ok((previous, Some(known)));
    }
    let before = Before {
        what: "the baseline",
        digest: &baseline.digest,
        address: &baseline.address,
        taken_at: baseline.taken_at.as_ref(),
        file: "since-baseline.ndjson.zst",
    };
    Ok((previous, difference(reading, run, (&before, new), losses).await?))
}

async fn difference(
    reading: &Reading<'_>,
    run: &str,
    (before, new): (&Before<'_>, &InventoryStatus),
    losses: &mut Losses,
) -> Result<Option<DiffStatus>, StoreError> {
    let same = DiffStatus { digest: before.digest.into(), taken_at: before.taken_at.cloned(), ..DiffStatus::default() };
    if before.digest == new.digest {
        return Ok(Some(same));
    }
    let compared = async {
        let mut old = Reader::at(reading.store, before.address, before.digest).await?;
        compare(&mut old, &mut Reader::open(reading.store, new).await?).await
    };
    let found = match compared.await {
        Ok(found) => found,
        Err(error) if error.is_loss() => {
            losses.note(before.what, &error, false);
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    let at = if found.is_empty() { String::new() } else { format!("{run}/{}", before.file) };
    if !at.is_empty() {
        reading.store.put_file(&at, found.file.path()).await?;
    }
    Ok(Some(DiffStatus { added: found.added, removed: found.removed, changed: found.changed, address: at, ..same }))
}

#[cfg(test)]
mod tests;
