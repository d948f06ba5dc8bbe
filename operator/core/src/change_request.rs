//! `ChangeRequest`: what a change is about, how far its ledger says that it is, and what is said of it.
//!
//! A change is applied as it was read by the client, or not at all: what was seen and what is to be done stand in it
//! under one digest. Everything that was decided about it, and each write that was made under it, is an entry of the
//! client's ledger; its state is a fold over them.

pub mod progress;
pub mod settle;
mod status;
#[cfg(test)]
mod tests;

use caretaker_api::BackupPolicy;
use caretaker_api::change_request::{ChangeAccount, ChangeReach, ChangeRequestSpec, ChangeStep, ChangeUnit, ChangeVerdict};
use caretaker_api::condition::ConditionType;
use caretaker_api::contract::Domain;
use caretaker_cloud::{CloudStep, ProtectionState};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

pub use progress::{Progress, StepCame};
pub use settle::{Seen, Settled, settle};
pub use status::status;

use crate::contract::Approval;
use crate::digest::json_digest;
use crate::ledger::{Decided, Decision, entry};

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[ConditionType::ChangeApproved, ConditionType::ChangeApplied];

/// How long a change waits for the client's word.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Most accounts of one change: an object of the API server has a mebibyte.
pub const MOST_ACCOUNTS: usize = 50;
/// Changes that have ended and are kept for each policy. The ledger has all.
const KEPT: usize = 20;
/// Hexadecimal digits of a digest in a name.
const DIGITS: usize = 10;

/// A change with what the ledger tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// What it is about.
    pub spec: ChangeRequestSpec,
    /// What was done.
    pub progress: Progress,
    /// Where it is now.
    pub standing: Standing,
}

/// Where a change is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for the client's word.
    Open,
    /// The client said yes, and nothing was done yet.
    Approved(Approval),
    /// It was begun.
    Begun(Approval),
    /// It has ended, or is to end with this decision, which the ledger may not have yet.
    Over(Decision),
}

/// Where a change is at a moment.
#[must_use]
pub fn standing((name, uid): (&str, &str), spec: &ChangeRequestSpec, progress: &Progress, now: Timestamp) -> Standing {
    if let Some(ended) = &progress.ended {
        return Standing::Over(ended.clone());
    }
    let over = |decided: Decided, by: &str, text: String| Standing::Over(Decision { about: uid.into(), decided, by: by.into(), text });
    let (done, all) = (progress.done(), spec.reach.steps as usize);
    let is_past = now >= spec.expires_at.0;
    let decision = spec.decision.as_ref().filter(|decision| decision.digest == spec.digest);
    let rejected = decision.filter(|decision| decision.verdict == ChangeVerdict::Reject);
    if let Some(approval) = &progress.begun {
        return match rejected {
            _ if steps_of(spec).is_none() => over(Decided::Failed, "", format!("it was edited after {done} of {all} steps")),
            _ if owed(uid, spec, progress).is_empty() => over(Decided::Applied, "", format!("{all} steps")),
            Some(decision) => over(Decided::Failed, &decision.by, format!("taken back after {done} of {all} steps: {}", decision.reason)),
            None if is_past => over(Decided::Failed, "", format!("its window ended after {done} of {all} steps")),
            None => Standing::Begun(approval.clone()),
        };
    }
    match decision {
        _ if steps_of(spec).is_none() => over(Decided::Void, "", "it was edited: it is not what the operator planned".into()),
        Some(decision) if decision.verdict == ChangeVerdict::Reject => over(Decided::Rejected, &decision.by, decision.reason.clone()),
        _ if is_past => over(Decided::Expired, "", format!("its window ended at {}", spec.expires_at.0)),
        Some(decision) => Standing::Approved(Approval { change: name.into(), uid: uid.into(), by: decision.by.clone() }),
        None => Standing::Open,
    }
}

/// The steps with their accounts, in order; `None` where the object is not what the operator made.
#[must_use]
pub fn steps_of(spec: &ChangeRequestSpec) -> Option<Vec<(String, CloudStep)>> {
    if json_digest(&spec.accounts) != spec.digest {
        return None;
    }
    let read = |account: &ChangeAccount, step: &ChangeStep| Some((account.name.clone(), serde_json::from_str(&step.data).ok()?));
    spec.accounts.iter().flat_map(|account| account.steps.iter().map(move |step| read(account, step))).collect()
}

/// Names change and step, so that a repeat after a crash is the same request for the cloud, and the same step of a
/// later change is another one.
#[must_use]
pub fn key(uid: &str, step: &CloudStep) -> String {
    format!("{uid}-{}", &json_digest(step)[..12])
}

/// The steps of which no receipt tells, in order.
#[must_use]
pub fn owed(uid: &str, spec: &ChangeRequestSpec, progress: &Progress) -> Vec<(String, CloudStep)> {
    let mut steps = steps_of(spec).unwrap_or_default();
    steps.retain(|(account, step)| !progress.is_done(account, &key(uid, step)));
    steps
}

/// What a change says of one account. The number of recovery points grows every day and is no part of what was seen.
#[must_use]
pub fn account(name: &str, state: &ProtectionState, steps: &[CloudStep]) -> ChangeAccount {
    let mut state = state.clone();
    state.vaults.iter_mut().for_each(|vault| vault.recovery_points = 0);
    let told = |step: &CloudStep| ChangeStep {
        what: step.describe(),
        reverse: entry::reverse(step),
        data: serde_json::to_string(step).unwrap_or_default(),
    };
    ChangeAccount { name: name.into(), seen: json_digest(&(&state, steps)), steps: steps.iter().map(told).collect() }
}

/// A change to be proposed. `ids` gives the account's id in the cloud for its name.
#[must_use]
pub fn proposal(policy: &BackupPolicy, accounts: Vec<ChangeAccount>, ids: &dyn Fn(&str) -> String, now: Timestamp) -> ChangeRequestSpec {
    let steps: Vec<CloudStep> =
        accounts.iter().flat_map(|account| &account.steps).filter_map(|step| serde_json::from_str(&step.data).ok()).collect();
    let protection = policy.status.as_ref().and_then(|status| status.protection.as_ref());
    let mut regions: Vec<String> = steps.iter().map(|step| step.region().to_owned()).filter(|region| !region.is_empty()).collect();
    regions.sort_unstable();
    regions.dedup();
    let reach = ChangeReach {
        accounts: accounts.iter().map(|account| format!("{} ({})", account.name, ids(&account.name))).collect(),
        regions,
        steps: u32::try_from(steps.len()).unwrap_or(u32::MAX),
        assets: protection.map(|protection| protection.assets),
    };
    ChangeRequestSpec {
        domain: Domain::Backup,
        policy: policy.name_any(),
        units: units(policy, &steps, reach.assets),
        reach,
        digest: json_digest(&accounts),
        accounts,
        expires_at: Time(now.checked_add(WINDOW).unwrap_or(now)),
        decision: None,
    }
}

/// What a cloud bills more of afterwards: vaults cost nothing until they hold points, and are counted since somebody
/// will look for them.
fn units(policy: &BackupPolicy, steps: &[CloudStep], assets: Option<u64>) -> Vec<ChangeUnit> {
    let count = |is_it: fn(&CloudStep) -> bool| steps.iter().filter(|step| is_it(step)).count() as u64;
    let mut units = vec![
        ("backup vault", count(|step| matches!(step, CloudStep::CreateVault { .. }))),
        ("backup plan", count(|step| matches!(step, CloudStep::CreatePlan { .. }))),
        ("snapshot schedule", count(|step| matches!(step, CloudStep::CreateSchedule { .. }))),
    ];
    if let Some(assets) = assets {
        let days = u64::from(policy.spec.terms.retention_days);
        units.push(("asset with a daily backup job", assets));
        units.push(("recovery points kept at once, at most", assets.saturating_mul(days)));
    }
    let unit = |(name, count): (&str, u64)| ChangeUnit { name: name.into(), count };
    units.into_iter().filter(|(_, count)| *count > 0).map(unit).collect()
}

/// The name of a change: the same for the same plan, and another one where an earlier change of the same plan has
/// ended.
#[must_use]
pub fn name(policy: &str, digest: &str, changes: &[Change]) -> String {
    let round = changes.iter().filter(|change| change.spec.digest == digest).count() + 1;
    let base = format!("{policy}-{}", &digest[..DIGITS.min(digest.len())]);
    if round == 1 { base } else { format!("{base}-{round}") }
}

/// Names of the changes that have ended and had their time, the oldest. `changes` come with the time at which each was
/// made.
#[must_use]
pub fn worn(changes: &[(Option<Timestamp>, &Change)]) -> Vec<String> {
    let mut ended: Vec<_> = changes.iter().filter(|(_, change)| change.progress.ended.is_some()).collect();
    ended.sort_by_key(|(made, _)| std::cmp::Reverse(*made));
    ended.iter().skip(KEPT).map(|(_, change)| change.name.clone()).collect()
}
