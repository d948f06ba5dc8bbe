//! Which inventories have had their time, and which is the baseline.

use std::collections::BTreeSet;

use caretaker_api::cloud_account::{BaselineStatus, CloudAccountStatus, InventoryStatus};
use caretaker_api::handover::HandoverStatus;
use jiff::{SignedDuration, Timestamp};

use super::address::{run_of, shard_digest};
use crate::handover::steps;

/// How long an object stands in the store before it may go because nobody names it: a reading puts its shards before the manifest that names them.
const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// An object of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Address.
    pub address: String,
    /// When it was written last.
    pub modified: Timestamp,
}

/// Addresses that must stay in the store however old they are: those of an account's status before and after a reading, and those that an unfinished
/// handover delivers.
#[must_use]
pub fn needed(before: &CloudAccountStatus, new: &InventoryStatus, handovers: &[HandoverStatus]) -> BTreeSet<String> {
    let of = |inventory: &InventoryStatus| {
        let diffs = [&inventory.since_previous, &inventory.since_baseline].into_iter().flatten().map(|diff| diff.address.clone());
        std::iter::once(inventory.address.clone()).chain(diffs).collect::<Vec<_>>()
    };
    let unfinished = handovers.iter().filter(|status| steps::current(status).is_some());
    let delivered = unfinished.flat_map(|status| status.readings.iter().filter_map(|reading| reading.inventory.as_ref()));
    let baseline = before.baseline.as_ref().map(|baseline| baseline.address.clone());
    [Some(new), before.inventory.as_ref()].into_iter().flatten().chain(delivered).flat_map(of).chain(baseline).collect()
}

/// Days as a duration.
#[must_use]
pub fn days(count: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(count))
}

/// Objects whose reading is older than the retention and is named by nobody. Empty until one is a day over its time, so that a day's worth goes at once:
/// what is left must be read to know its shards. `keep` holds addresses of manifests, of differences, and of inventories of one file.
#[must_use]
pub fn expired<'a>(listed: &'a [Listed], keep: &BTreeSet<String>, retention_days: u32, now: Timestamp) -> Vec<&'a str> {
    let kept: BTreeSet<&str> = keep.iter().map(|address| run_of(address).map_or(address.as_str(), |(run, _)| run)).collect();
    let age = |at: Timestamp| now.duration_since(at);
    let old: Vec<(&str, SignedDuration)> = listed
        .iter()
        .filter_map(|object| {
            let address = object.address.as_str();
            let (name, at) = match run_of(address) {
                Some((run, at)) => (run, at),
                None => (single_file(address)?, object.modified),
            };
            (!kept.contains(name) && age(at) > days(retention_days)).then_some((address, age(at)))
        })
        .collect();
    let is_due = old.iter().any(|(_, age)| *age > days(retention_days.saturating_add(1)));
    if is_due { old.into_iter().map(|(address, _)| address).collect() } else { Vec::new() }
}

/// The inventory that a file of an earlier release belongs to: one file of assets, and one of coverage beside it.
fn single_file(address: &str) -> Option<&str> {
    let (folder, name) = address.rsplit_once('/')?;
    let is_ours = name.ends_with(".coverage.json") || name.ends_with(".ndjson.zst");
    (is_ours && !folder.ends_with("/shards") && !folder.ends_with("/run")).then_some(address)
}

/// Shards that no manifest names and that are no part of a reading under way.
#[must_use]
pub fn unnamed<'a>(listed: &'a [Listed], named: &BTreeSet<String>, now: Timestamp) -> Vec<&'a str> {
    let goes = |object: &&Listed| {
        shard_digest(&object.address).is_some_and(|digest| !named.contains(digest)) && now.duration_since(object.modified) > GRACE
    };
    listed.iter().filter(goes).map(|object| object.address.as_str()).collect()
}

/// How long a baseline waits for a reading without gaps: against one with gaps, all that they hid shows as new for ever.
const WHOLE_WITHIN_DAYS: u32 = 7;

/// The baseline, once the account has been read for so many days: the first whole reading from then on, or after a week more the first whose coverage is
/// known. It never changes.
#[must_use]
pub fn baseline(status: &CloudAccountStatus, after_days: u32, now: Timestamp) -> Option<BaselineStatus> {
    if status.baseline.is_some() {
        return status.baseline.clone();
    }
    let inventory = status.inventory.as_ref()?;
    let since = inventory.since.as_ref()?;
    let coverage = &inventory.coverage;
    let wait = if coverage.complete == coverage.planned { after_days } else { after_days + WHOLE_WITHIN_DAYS };
    (coverage.planned > 0 && now.duration_since(since.0) >= days(wait)).then(|| BaselineStatus {
        digest: inventory.digest.clone(),
        address: inventory.address.clone(),
        taken_at: inventory.taken_at.clone(),
        assets: inventory.assets,
        coverage: inventory.coverage.text.clone(),
    })
}

#[cfg(test)]
mod tests {
    use caretaker_api::cloud_account::{CoverageStatus, DiffStatus};
    use caretaker_api::handover::{FinalReading, HandoverStep, StepRecord, StepState};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::inventory::address;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + number * 86_400).unwrap()
    }

    fn status(planned: u32, digest: &str, taken: i64) -> CloudAccountStatus {
        let coverage =
            CoverageStatus { planned, complete: planned, text: format!("{planned}/{planned}"), gaps: Vec::new(), notes: Vec::new() };
        let inventory = InventoryStatus {
            digest: digest.into(),
            taken_at: Some(Time(day(taken))),
            since: Some(Time(day(0))),
            coverage,
            ..InventoryStatus::default()
        };
        CloudAccountStatus { inventory: Some(inventory), ..CloudAccountStatus::default() }
    }

    #[test]
    fn the_baseline_is_frozen_once_after_its_days_and_from_known_coverage_only() {
        let none = |status: &CloudAccountStatus, now: i64| assert_eq!(baseline(status, 14, day(now)), None, "day {now}");
        none(&CloudAccountStatus::default(), 20);
        none(&status(3, "a", 13), 13);
        none(&status(0, "a", 14), 14);
        let mut status = status(3, "a", 14);
        status.baseline = baseline(&status, 14, day(14));
        let frozen = status.baseline.clone().expect("it is frozen on the day");
        assert_eq!((frozen.digest.as_str(), frozen.taken_at.clone()), ("a", Some(Time(day(14)))));
        status.inventory.as_mut().unwrap().digest = "b".into();
        assert_eq!(baseline(&status, 1, day(400)), Some(frozen), "it never changes");
        let mut gaps = self::status(10, "c", 0);
        gaps.inventory.as_mut().unwrap().coverage.complete = 1;
        assert_eq!(baseline(&gaps, 0, day(6)), None, "what the gaps hide would show as new for ever");
        assert!(baseline(&gaps, 0, day(7)).is_some(), "a gap that lasts does not keep the baseline away");
    }

    fn stored(address: &str) -> InventoryStatus {
        let diff = |which: &str| Some(DiffStatus { address: format!("{address}-{which}"), ..DiffStatus::default() });
        InventoryStatus {
            address: address.into(),
            since_previous: diff("previous"),
            since_baseline: diff("baseline"),
            ..InventoryStatus::default()
        }
    }

    #[test]
    fn what_a_status_names_and_an_unfinished_handover_delivers_is_needed() {
        let baseline = BaselineStatus { address: "baseline".into(), ..BaselineStatus::default() };
        let before = CloudAccountStatus { inventory: Some(stored("old")), baseline: Some(baseline), ..CloudAccountStatus::default() };
        let reading = |address: &str| FinalReading { inventory: Some(stored(address)), ..FinalReading::default() };
        let going = HandoverStatus { readings: vec![reading("going"), FinalReading::default()], ..HandoverStatus::default() };
        let end = StepRecord { step: HandoverStep::Done, state: StepState::Completed, ..StepRecord::default() };
        let ended = HandoverStatus { steps: vec![end], readings: vec![reading("ended")], ..HandoverStatus::default() };
        let needed = needed(&before, &stored("new"), &[going, ended]);
        let expected =
            ["new", "old", "going"].iter().flat_map(|name| ["", "-previous", "-baseline"].iter().map(move |tail| format!("{name}{tail}")));
        assert_eq!(needed, expected.chain(["baseline".to_owned()]).collect::<BTreeSet<_>>(), "nothing of a handover that has ended");
    }

    fn run(taken: i64, digest: &str) -> Listed {
        Listed { address: address::manifest(&address::run("clients/a/inventory/p", day(taken), digest)), modified: day(taken) }
    }

    #[test]
    fn what_is_older_than_the_retention_goes_unless_somebody_names_it() {
        let digest = "d".repeat(64);
        let listed: Vec<Listed> = [0, 1, 2, 30, 31, 32].into_iter().map(|at| run(at, &digest)).collect();
        let keep = BTreeSet::from([listed[1].address.clone()]);
        let gone = |now: i64| expired(&listed, &keep, 30, day(now));
        assert_eq!(gone(31), [""; 0], "a day over its time is waited for");
        assert_eq!(gone(32), [listed[0].address.as_str()], "the one of day 1 is named, the one of day 2 is not over");
        let old = |name: &str| Listed { address: format!("clients/a/inventory/p/{name}"), modified: day(0) };
        let files =
            [old("aa.ndjson.zst"), old("aa.coverage.json"), old("shards/bb.ndjson.zst"), old("run/cc.ndjson.zst"), old("notes.txt")];
        assert_eq!(expired(&files, &BTreeSet::new(), 30, day(40)), [files[0].address.as_str(), files[1].address.as_str()]);
        let named = BTreeSet::from([files[0].address.clone()]);
        assert_eq!(expired(&files, &named, 30, day(40)), [files[1].address.as_str()]);
    }

    #[test]
    fn a_shard_goes_when_nobody_names_it_and_it_is_not_fresh() {
        let shard = |digest: &str, at: i64| Listed { address: address::shard("clients/a/inventory/p", digest), modified: day(at) };
        let listed = [shard("aa", 0), shard("bb", 0), shard("cc", 9), run(0, &"d".repeat(64))];
        assert_eq!(unnamed(&listed, &BTreeSet::from(["aa".to_owned()]), day(9)), [listed[1].address.as_str()]);
    }
}
