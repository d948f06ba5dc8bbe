//! The join of inventory, recovery points, jobs and policy, and what is said of it: figures, the worst gaps, and one condition that speaks of points.

use std::collections::BTreeMap;

use caretaker_api::backup_policy::{BackupGap, BackupPolicyStatus, BackupTerms, ProtectionStatus};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::words::BackupState;
use caretaker_api::{BackupPolicy, CloudAccount};
use caretaker_cloud::{Ground, Power, source_of};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde::Serialize;

use super::judge::{Judged, Measure, is_selected, judge, lost_tag, rpo};
use super::recovery::Recovery;
use super::restore_test::Sample;
use crate::conditions::{Is, find};
use crate::handover::redact;
use crate::inventory::Line;
use crate::inventory::scope::ScopeVerdict;

/// Gaps that stand in a status; the store holds all.
pub const NAMED: usize = 20;
/// Places that could not be asked, in a status.
const UNREAD: usize = 20;
/// Age at which recovery points are read again while all is well.
const CALM: SignedDuration = SignedDuration::from_mins(55);
/// Age at which they are read again otherwise.
const UNEASY: SignedDuration = SignedDuration::from_mins(8);
/// How far back jobs are asked for at the first reading: AWS keeps them for 30 days.
const FIRST: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How long before the last reading jobs are asked for again: what was under way then has ended since. A job ends within a week, or its window was over.
const AGAIN: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Since when assets are selected without a recovery point, by source.
pub type Since = BTreeMap<String, Timestamp>;

/// Whether recovery points are to be read in this visit: they were never read, somebody asks, the policy or an inventory has changed, or it is time.
#[must_use]
pub fn is_due(policy: &BackupPolicy, inventories: &str, (request, now): (Option<&str>, Timestamp)) -> bool {
    let Some(status) = &policy.status else { return true };
    let Some(last) = &status.protection else { return true };
    let is_calm = find(&status.conditions, ConditionType::BackupsProtected).is_some_and(|held| Is::of(held) == Is::True);
    let age = last.read_at.as_ref().map(|at| now.duration_since(at.0));
    status.observed_generation != policy.metadata.generation
        || last.inventories != inventories
        || request.is_some_and(|request| status.last_handled_request.as_deref() != Some(request))
        || age.is_none_or(|age| age >= if is_calm { CALM } else { UNEASY })
}

/// From when on jobs are asked for.
#[must_use]
pub fn jobs_since(policy: &BackupPolicy, now: Timestamp) -> Timestamp {
    let last = policy.status.as_ref().and_then(|status| status.protection.as_ref()?.read_at.as_ref());
    let week = SignedDuration::from_hours(24 * 7);
    last.map_or(now - FIRST, |last| (last.0 - AGAIN).min(now - week).max(now - FIRST))
}

/// What the inventories that are joined are, in one word.
#[must_use]
pub fn inventories(accounts: &[CloudAccount]) -> String {
    let of = |account: &CloudAccount| {
        let inventory = account.status.as_ref().and_then(|status| status.inventory.as_ref());
        (account.name_any(), account.spec.allow.clone(), inventory.map(|inventory| inventory.digest.clone()))
    };
    crate::digest::json_digest(&accounts.iter().map(of).collect::<Vec<_>>())[..16].to_owned()
}

/// One line of the file that holds every verdict.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    state: BackupState,
    account: &'a str,
    region: &'a str,
    kind: &'a str,
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_point: Option<Timestamp>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cure: &'a str,
}

/// The join under way: assets come one by one and are not kept.
pub struct Join<'a> {
    terms: &'a BackupTerms,
    recovery: &'a mut Recovery,
    /// Since when the policy is there.
    made: Timestamp,
    /// What an earlier reading noted; `None` where none did.
    before: Option<Since>,
    since: Since,
    found: ProtectionStatus,
    gaps: Vec<(Rank, BackupGap)>,
    sample: Option<Sample>,
    now: Timestamp,
}

/// Which gap is told first: state, age of the last point.
type Rank = (u8, Option<Timestamp>, String);

/// What a join came to.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// For the status.
    pub status: ProtectionStatus,
    /// For the next reading.
    pub since: Since,
    /// What is restored to prove it; `None` where no test is asked for.
    pub sample: Option<Sample>,
}

impl<'a> Join<'a> {
    /// A join of a policy with what was read.
    #[must_use]
    pub fn new(policy: &'a BackupPolicy, recovery: &'a mut Recovery, (before, now): (Option<Since>, Timestamp)) -> Self {
        let made = policy.creation_timestamp().map_or(now, |at| at.0);
        let found = ProtectionStatus { read_at: Some(Time(now)), ..ProtectionStatus::default() };
        let sample = policy.spec.terms.restore_test.as_ref().map(|test| Sample::new(test, now));
        Self { terms: &policy.spec.terms, recovery, made, before, since: Since::new(), found, gaps: Vec::new(), sample, now }
    }

    /// Takes one line of an account's inventory. Gives the line of the file of verdicts; `None` of what cannot be backed up, is not looked after, or is of
    /// no concern to the policy.
    pub fn take(&mut self, (account, may_write): (&str, bool), line: &Line) -> Option<String> {
        let asset = &line.asset;
        let source = source_of(asset)?;
        self.recovery.meet(&source.name);
        if line.verdict != ScopeVerdict::Covered || asset.power == Some(Power::Gone) {
            return None;
        }
        if !is_selected(self.terms, asset) {
            self.found.unselected += 1;
            let lost = self.recovery.of(&source.name).and_then(|known| lost_tag(self.terms, known))?;
            return self.tell(account, line, lost);
        }
        self.found.assets += 1;
        let nothing = Ground::default();
        let region = asset.cloud.region_of(&asset.region);
        let ground = match self.recovery.ground(account, region) {
            Some(Ok(ground)) => ground,
            Some(Err(_)) => {
                self.found.unknown += 1;
                return None;
            }
            // Where the policy makes no plan nothing was read; that it makes none is what is told.
            None if !self.terms.regions.iter().any(|named| named == region) => &nothing,
            None => {
                self.found.unknown += 1;
                return None;
            }
        };
        let first = self.made.max(asset.created.unwrap_or(Timestamp::MIN)).min(self.now);
        let since = match &self.before {
            Some(before) => before.get(&source.name).copied().unwrap_or(self.now),
            None => first,
        };
        let measure = Measure { terms: self.terms, may_write, ground, since, now: self.now };
        let judged = judge((asset, &source), self.recovery.about(&source).as_deref(), measure);
        if let (BackupState::Protected, Some(sample)) = (judged.state, &mut self.sample) {
            sample.take(account, asset, &source.name);
        }
        if judged.last.is_none() {
            self.since.insert(source.name, since);
        }
        self.tell(account, line, judged)
    }

    fn tell(&mut self, account: &str, line: &Line, judged: Judged) -> Option<String> {
        let (asset, found) = (&line.asset, &mut self.found);
        let count = match judged.state {
            BackupState::Protected => Some(&mut found.protected),
            BackupState::Waiting => Some(&mut found.waiting),
            BackupState::Unprotected => Some(&mut found.unprotected),
            BackupState::Stale => Some(&mut found.stale),
            BackupState::Failing => Some(&mut found.failing),
            BackupState::Unselected | BackupState::Unknown => None,
        };
        if let Some(count) = count {
            *count += 1;
        }
        if judged.state != BackupState::Unselected
            && let Some(last) = judged.last
            && found.oldest.as_ref().is_none_or(|oldest| last < oldest.0)
        {
            found.oldest = Some(Time(last));
        }
        let kind = asset.asset_type.as_str();
        // Names are what a client's people typed; status and bundle tell them.
        let (name, reason) = (redact::text(&asset.name), redact::text(&judged.reason));
        let row = Row {
            state: judged.state,
            account,
            region: &asset.region,
            kind,
            id: &asset.id,
            name: &name,
            last_point: judged.last,
            reason: &reason,
            cure: &judged.cure,
        };
        let text = serde_json::to_string(&row).ok();
        if judged.is_told() {
            self.keep(BackupGap {
                state: judged.state,
                account: account.into(),
                region: asset.region.clone(),
                kind: kind.into(),
                id: asset.id.clone(),
                name,
                last_point: judged.last.map(Time),
                reason,
                cure: judged.cure,
            });
        }
        text
    }

    /// Keeps the worst ones only.
    fn keep(&mut self, gap: BackupGap) {
        let order = match gap.state {
            BackupState::Unprotected => 0,
            BackupState::Failing => 1,
            BackupState::Stale => 2,
            BackupState::Unselected => 3,
            _ => 4,
        };
        let rank = (order, gap.last_point.as_ref().map(|at| at.0), format!("{}/{}/{}", gap.account, gap.region, gap.id));
        self.found.more_gaps += 1;
        let at = self.gaps.partition_point(|(held, _)| *held < rank);
        if at < NAMED {
            self.gaps.insert(at, (rank, gap));
            self.gaps.truncate(NAMED);
        }
    }

    /// The end: `unread` names accounts of which not even the inventory could be read.
    #[must_use]
    pub fn finish(self, unread: Vec<String>) -> Joined {
        let mut found = self.found;
        let refused = |(of, came): (&(String, String), &Result<Ground, caretaker_cloud::CloudError>)| {
            Some(format!("account {}, {}: {}", of.0, of.1, came.as_ref().err()?))
        };
        let mut all = unread;
        all.extend(self.recovery.grounds().filter_map(refused));
        all.truncate(UNREAD);
        found.more_gaps -= u64::try_from(self.gaps.len()).unwrap_or(0);
        found.gaps = self.gaps.into_iter().map(|(_, gap)| gap).collect();
        found.text = format!("{}/{}", found.protected, found.assets);
        // Whether a thing is gone is known only where everything was read.
        found.orphaned = if all.is_empty() { self.recovery.orphaned() } else { 0 };
        found.earliest_erasure = self.recovery.held_until().map(Time);
        found.unread = all;
        Joined { status: found, since: self.since, sample: self.sample }
    }
}

/// The condition that speaks of points. True only where each selected asset has a usable point within the RPO, and everything was asked.
#[must_use]
pub fn condition(terms: &BackupTerms, found: &ProtectionStatus) -> (Is, Reason, String) {
    let tag = format!("{}={}", terms.tag.key, terms.tag.value);
    let hours = rpo(terms).as_hours();
    let bad = found.unprotected + found.stale + found.failing;
    let unread = || {
        let more = if found.unread.len() > 1 { format!("; and {} more places", found.unread.len() - 1) } else { String::new() };
        format!("not everything could be asked: {}{more}", found.unread[0])
    };
    if bad > 0 {
        let first = found.gaps.first().map(|gap| format!("; {}: {}", named(gap), gap.reason)).unwrap_or_default();
        let message = format!(
            "{} of {} assets can be restored to a moment within {hours} hours; {} without a point, {} too old, {} failing{first}",
            found.protected, found.assets, found.unprotected, found.stale, found.failing
        );
        return (Is::False, Reason::NotAllProtected, message);
    }
    if !found.unread.is_empty() {
        return (Is::Unknown, Reason::Incomplete, unread());
    }
    if found.assets == 0 && found.unselected > 0 {
        let message = format!("nothing has the tag {tag}: {} assets that could be backed up are covered by the scope", found.unselected);
        return (Is::False, Reason::NothingSelected, message);
    }
    if found.assets == 0 {
        return (Is::Unknown, Reason::NothingSelected, format!("nothing has the tag {tag}, and there is nothing that could be backed up"));
    }
    if found.unknown > 0 {
        return (Is::Unknown, Reason::Incomplete, format!("of {} assets it is not known", found.unknown));
    }
    if found.waiting > 0 {
        let message = format!(
            "{} of {} assets can be restored to a moment within {hours} hours; of {} the first recovery point is not due yet",
            found.protected, found.assets, found.waiting
        );
        return (Is::Unknown, Reason::Progressing, message);
    }
    (Is::True, Reason::Settled, format!("all {} assets can be restored to a moment within {hours} hours", found.assets))
}

/// What a person calls the asset of a gap.
#[must_use]
pub fn named(gap: &BackupGap) -> String {
    let id = short(&gap.id);
    let is_said = gap.name.is_empty() || id.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&gap.name));
    let name = if is_said { String::new() } else { format!(" ({})", gap.name) };
    format!("{} {id}{name} in {}, {}", gap.kind, gap.account, gap.region)
}

/// An id as people tell it: of Azure's paths the resource group and the name, of Google Cloud's the name. The status has it whole.
fn short(id: &str) -> String {
    let parts: Vec<&str> = id.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["subscriptions", _, "resourcegroups", group, .., name] => format!("{group}/{name}"),
        [service, .., name] if service.ends_with(".googleapis.com") => (*name).to_owned(),
        _ => id.to_owned(),
    }
}

/// What an event says when protection is lost or comes back; `None` where nothing changed.
#[must_use]
pub fn news(terms: &BackupTerms, status: Option<&BackupPolicyStatus>, found: &ProtectionStatus) -> Option<(bool, String)> {
    let before = status.and_then(|status| find(&status.conditions, ConditionType::BackupsProtected)).map(Is::of);
    let (is, _, message) = condition(terms, found);
    match (before, is) {
        (Some(Is::False), Is::True) => Some((true, message)),
        (Some(Is::False), _) => None,
        (_, Is::False) => Some((false, message)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
