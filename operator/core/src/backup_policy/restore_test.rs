//! Restore tests: what is sampled, what differs from what the cloud does, which verdicts are owed, and what is said of the last test.
//!
//! A disk is restored and nothing else: beside the original it does nothing, while a machine would boot and speak with the world as its twin.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::backup_policy::{RestoreEvery, RestoreTest, RestoreTestRecord, RestoreTestStatus};
use caretaker_api::condition::Reason;
use caretaker_api::words::RestoreResult;
use caretaker_cloud::{Asset, AwsType, CloudStep, Removal, RestoreRun, RestoreState, RestoreTestState, RestoreTestTerms, Size};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::recovery::Where;
use crate::conditions::Is;
use crate::digest::{json_digest, sha256_hex};

/// How long a restore may take before it is told as one that does not end.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);
/// How long AWS may take to delete what it restored.
const REMOVAL: SignedDuration = SignedDuration::from_hours(24);

/// The schedule in AWS's words, UTC: in the middle of a working day, when somebody sees what fails.
#[must_use]
pub const fn schedule(every: RestoreEvery) -> &'static str {
    match every {
        RestoreEvery::Month => "cron(0 11 ? * 3#1 *)",
        RestoreEvery::Week => "cron(0 11 ? * 3 *)",
    }
}

/// Time from one test to the next.
#[must_use]
pub const fn interval(every: RestoreEvery) -> SignedDuration {
    match every {
        // From a first Tuesday to the next lie 28 or 35 days.
        RestoreEvery::Month => SignedDuration::from_hours(24 * 35),
        RestoreEvery::Week => SignedDuration::from_hours(24 * 7),
    }
}

/// Name of plan and selection: AWS takes letters, digits and underscores, 50 at most.
#[must_use]
pub fn name(object: &str) -> String {
    let name = object.replace('-', "_");
    if name.len() <= 50 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return name;
    }
    format!("caretaker_{}", &sha256_hex(object)[..32])
}

/// The sample of each place: other disks from one interval to the next, so that in time each is restored once. What is held is the sample alone.
#[derive(Clone, Debug)]
pub struct Sample {
    terms: RestoreTest,
    turn: i64,
    held: BTreeMap<Where, BTreeSet<(String, String)>>,
}

impl Sample {
    /// None yet, for the turn that a moment is in.
    #[must_use]
    pub fn new(terms: &RestoreTest, now: Timestamp) -> Self {
        let turn = now.as_second() / interval(terms.every).as_secs();
        Self { terms: terms.clone(), turn, held: BTreeMap::new() }
    }

    /// Takes a disk that is protected. One that is larger than the terms allow, or of which nobody knows how large it is, is left out.
    pub fn take(&mut self, account: &str, asset: &Asset, source: &str) {
        let fits = matches!(asset.size, Some(Size::Gib(gib)) if gib <= u64::from(self.terms.max_gib));
        if AwsType::of_service(&asset.service) != Some(AwsType::Volume) || !fits {
            return;
        }
        let rank = sha256_hex(format!("{source}|{}", self.turn));
        let held = self.held.entry((account.to_owned(), asset.region.clone())).or_default();
        held.insert((rank, source.to_owned()));
        while held.len() > self.terms.sample as usize {
            held.pop_last();
        }
    }

    /// The sample of a place, in order.
    #[must_use]
    pub fn of(&self, account: &str, region: &str) -> Vec<String> {
        let held = self.held.get(&(account.to_owned(), region.to_owned())).into_iter().flatten();
        let mut sources: Vec<String> = held.map(|(_, source)| source.clone()).collect();
        sources.sort();
        sources
    }
}

/// What is to be done in a place: the plan is made or put back, and each restore that has ended gets its verdict. Where nothing can be sampled no plan is made.
#[must_use]
pub fn steps(wanted: &RestoreTestTerms, state: &RestoreTestState) -> Vec<CloudStep> {
    let mut steps = Vec::new();
    if !wanted.sources.is_empty() && state.terms.as_ref() != Some(wanted) {
        steps.push(CloudStep::SetRestoreTest { terms: wanted.clone() });
    }
    for run in state.runs.iter().filter(|run| run.state == RestoreState::Completed && !run.is_noted) {
        let Some(is_sound) = run.is_sound else { continue };
        let message = if is_sound { "the disk was restored and can be used" } else { "what was restored is not there, or cannot be used" };
        steps.push(CloudStep::NoteRestore {
            region: wanted.region.clone(),
            run: run.id.clone(),
            source: run.source.clone(),
            point: run.point.clone(),
            seconds: seconds(run),
            is_sound,
            message: message.into(),
        });
    }
    steps
}

fn seconds(run: &RestoreRun) -> u64 {
    run.ended.map_or(0, |ended| u64::try_from(ended.duration_since(run.began).as_secs()).unwrap_or_default())
}

/// The record of a restore; `None` while it is under way.
#[must_use]
pub fn record((account, region): (&str, &str), run: &RestoreRun, now: Timestamp) -> Option<RestoreTestRecord> {
    let age = now.duration_since(run.began);
    let result = match (run.state, run.is_sound) {
        (RestoreState::Completed, Some(true)) => RestoreResult::Passed,
        (RestoreState::Completed, Some(false)) | (RestoreState::Failed, _) => RestoreResult::Failed,
        (RestoreState::Completed, None) | (RestoreState::UnderWay, _) if age > PATIENCE => RestoreResult::TimedOut,
        _ => return None,
    };
    let is_late = run.ended.is_some_and(|ended| now.duration_since(ended) > REMOVAL) && run.restored.is_some();
    let left_behind = match run.removal {
        Removal::Failed => run.restored.clone(),
        Removal::Pending if is_late => run.restored.clone(),
        Removal::Pending | Removal::Done => None,
    };
    let mut record = RestoreTestRecord {
        account: account.into(),
        region: region.into(),
        source: run.source.clone(),
        point: run.point.clone(),
        run: run.id.clone(),
        began_at: Some(Time(run.began)),
        ended_at: run.ended.map(Time),
        rto_seconds: seconds(run),
        result,
        removed: run.removal == Removal::Done,
        left_behind,
        message: run.message.clone(),
        digest: String::new(),
    };
    record.digest = json_digest(&record);
    Some(record)
}

/// Records that stand in a status.
const KEPT: usize = 10;

/// The records of this reading with those of before, the newest first; what a restore was said to be before is replaced.
#[must_use]
pub fn merge(before: Option<&RestoreTestStatus>, found: Vec<RestoreTestRecord>, unread: Vec<String>, sampled: u64) -> RestoreTestStatus {
    let mut records: BTreeMap<String, RestoreTestRecord> = BTreeMap::new();
    let held = before.map(|before| before.records.clone()).unwrap_or_default();
    for record in held.into_iter().chain(found) {
        records.insert(record.run.clone(), record);
    }
    let mut records: Vec<RestoreTestRecord> = records.into_values().collect();
    records.sort_by_key(|record| std::cmp::Reverse(record.began_at.as_ref().map(|at| at.0)));
    records.truncate(KEPT);
    RestoreTestStatus { records, sampled, unread }
}

/// The condition that speaks of restores.
#[must_use]
pub fn condition(terms: Option<&RestoreTest>, found: Option<&RestoreTestStatus>, now: Timestamp) -> (Is, Reason, String) {
    let Some(terms) = terms else {
        return (Is::Unknown, Reason::NotRequested, "restoreTest is not set: whether what is saved can be restored was never tried".into());
    };
    let Some(found) = found else { return (Is::Unknown, Reason::Pending, "not looked at yet".into()) };
    if let Some(record) = found.records.iter().find(|record| record.left_behind.is_some()) {
        let volume = record.left_behind.as_deref().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
        let cure = format!("the client runs: aws ec2 delete-volume --region {} --volume-id {volume}", record.region);
        return (Is::False, Reason::Failed, format!("what a test restored was not deleted in account {}: {cure}", record.account));
    }
    let Some(last) = found.records.first() else {
        return match (found.unread.first(), found.sampled) {
            (Some(unread), _) => (Is::Unknown, Reason::Incomplete, format!("no test has ended yet; {unread}")),
            (None, 0) => {
                let message = format!("there is no protected disk of at most {} GiB that could be restored", terms.max_gib);
                (Is::Unknown, Reason::NothingSelected, message)
            }
            (None, _) => (Is::Unknown, Reason::Progressing, "no test has ended yet: the cloud restores on its schedule".into()),
        };
    };
    let of = format!("{} in account {}, {}", last.source, last.account, last.region);
    let began = last.began_at.as_ref().map_or(Timestamp::MIN, |at| at.0);
    if last.result != RestoreResult::Passed {
        let said = if last.message.is_empty() { String::new() } else { format!(": {}", last.message) };
        return (Is::False, Reason::Failed, format!("the last restore, of {of}, came to {}{said}", last.result));
    }
    if now.duration_since(began) > interval(terms.every) * 2 {
        let message = format!("the last restore that passed, of {of}, is older than two intervals: see why none came after it");
        return (Is::False, Reason::Failed, message);
    }
    (Is::True, Reason::Proven, format!("restored {of} in {} s", last.rto_seconds))
}

#[cfg(test)]
mod tests;
