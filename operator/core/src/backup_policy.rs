//! `BackupPolicy`: what a policy is on each cloud, how it differs from what is there, and which steps close the gap. Where a schedule
//! is attached to each disk, see [`schedules`].

mod contract;
pub mod conversation;
pub mod evidence;
pub mod judge;
pub mod preview;
pub mod protection;
pub mod recovery;
pub mod restore_test;
pub mod schedules;
mod vaults;
mod waits;

use std::time::Duration;

use caretaker_api::BackupPolicy;
use caretaker_api::backup_policy::{BackupPolicyStatus, BackupTerms, PlanStatus, ProtectionStatus, RestoreTestStatus};
use caretaker_api::cloud_account::{self, Capability, CloudTarget};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::words::PlanState;
use caretaker_cloud::{Cloud, CloudError, CloudStep, Offers, ProtectionState};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::change_request::{Change, Settled};
use crate::conditions::{ConditionSet, Is};
use crate::contract::Verdict;
use crate::outcome::{Fault, Outcome, Wait, shortest};
use schedules::Selected;
use waits::{account_wait, error_wait, told_waits};

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[ConditionType::BackupsReady, ConditionType::BackupsProtected, ConditionType::RestoreTested];

/// Time between two comparisons with the cloud.
const RESYNC: Duration = Duration::from_secs(600);
/// Wait for an account whose access is not proven.
const PAUSE: Duration = Duration::from_secs(60);

/// Reasons for which a policy is known not to be kept.
const FALSE: [Reason; 5] = [Reason::Denied, Reason::Failed, Reason::LockForbids, Reason::NotOffered, Reason::ScheduleTaken];

/// Time between two looks while a final handover keeps every write out.
const FROZEN: Duration = Duration::from_secs(3600);

/// What was seen before anything is called in the cloud.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The accounts that exist.
    pub accounts: Vec<AccountView>,
    /// Whether a final handover has fixed its accounts: nothing is read or written for the policy any more.
    pub frozen: bool,
    /// What is known of our end in the client's accounts, once a final handover has begun to revoke.
    pub ending: Option<String>,
    /// The accounts' inventories in one word; see [`protection::inventories`].
    pub inventories: String,
    /// What becomes of a planned write.
    pub verdict: Verdict,
    /// The policy's ChangeRequests.
    pub changes: Vec<Change>,
}

/// What a visit did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The accounts with what was read of them.
    pub accounts: Vec<AccountView>,
    /// What was done in each account and region.
    pub regions: Vec<RegionDone>,
    /// What can be restored; `None` where it was not read in this visit.
    pub protection: Option<ProtectionStatus>,
    /// What came of restore tests; `None` where none are asked for, or they were not read in this visit.
    pub restore_tests: Option<RestoreTestStatus>,
    /// Where the policy's changes are.
    pub settled: Settled,
}

/// One account as the policy sees it.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// CloudAccount.
    pub name: String,
    /// Where it is.
    pub cloud: Cloud,
    /// What may be changed.
    pub allow: Vec<Capability>,
    /// Role that the backup service uses.
    pub backup_role: String,
    /// Whether access is proven.
    pub is_proven: bool,
    /// What of it is selected, or why that cannot be said; `None` where the cloud selects by tag itself.
    pub selected: Option<Result<Selected, String>>,
    /// What is there; the error of looking; `None` while nothing was read.
    pub state: Option<Result<ProtectionState, CloudError>>,
}

impl AccountView {
    /// Whether plans can be made on its cloud.
    #[must_use]
    pub const fn has_plans(&self) -> bool {
        Offers::of(self.cloud).plans.is_some()
    }
}

/// The cloud of an account, as the port names it.
#[must_use]
pub fn cloud_of(target: &CloudTarget) -> Cloud {
    match target.cloud() {
        cloud_account::Cloud::Aws => Cloud::Aws,
        cloud_account::Cloud::Azure => Cloud::Azure,
        cloud_account::Cloud::Gcp => Cloud::Gcp,
    }
}

/// The policy's regions that are of a cloud, as their form tells.
#[must_use]
pub fn regions_of(terms: &BackupTerms, cloud: Cloud) -> Vec<String> {
    terms.regions.iter().filter(|region| Cloud::of_region(region) == Some(cloud)).cloned().collect()
}

/// The names of a policy's objects in a client's account: the same at every visit.
#[must_use]
pub fn object_name(client: &str, policy: &str) -> String {
    let name = format!("caretaker-{client}-{policy}");
    if name.len() <= 50 { name } else { format!("caretaker-{}", &crate::digest::sha256_hex(name)[..32]) }
}

/// Faults of what the policy refers to.
#[must_use]
pub fn check(policy: &BackupPolicy, observed: &Observed) -> Vec<Fault> {
    let missing =
        policy.spec.accounts.iter().enumerate().filter(|(_, name)| !observed.accounts.iter().any(|account| account.name == **name));
    missing
        .map(|(index, name)| {
            let message = format!("CloudAccount {name} does not exist in this namespace: make it or remove the entry");
            Fault::outside(Reason::ReferenceMissing, format!("spec.accounts[{index}]"), message)
        })
        .collect()
}

/// The steps of one account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionPlan {
    /// CloudAccount.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name of our objects there.
    pub name: String,
    /// Id of the plan that is there.
    pub plan_id: Option<String>,
    /// What is to be done, in order.
    pub steps: Vec<CloudStep>,
    /// Whether writing is granted.
    pub may_write: bool,
    /// Why the plan would save nothing, whatever is written: then nothing is.
    pub blocked: Option<(Reason, String)>,
    /// What no step of ours can mend.
    pub told: Vec<String>,
    /// Whether the contract keeps a write that is granted out.
    pub held: Held,
}

impl RegionPlan {
    /// Whether anything there is not as the policy says.
    #[must_use]
    pub fn differs(&self) -> bool {
        !self.steps.is_empty() || !self.told.is_empty()
    }
}

/// What the contract does to a write that the account allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    #[default]
    No,
    /// It waits for the client's yes.
    Waits,
    /// It is never made.
    Never,
}

/// What closes the gap between policy and cloud, account by account.
#[must_use]
pub fn plan(client: &str, policy: &BackupPolicy, accounts: &[AccountView]) -> Vec<RegionPlan> {
    let name = object_name(client, policy.metadata.name.as_deref().unwrap_or_default());
    let mut plans = Vec::new();
    for account in accounts {
        let Some(Ok(state)) = &account.state else { continue };
        let Some(offer) = Offers::of(account.cloud).plans else { continue };
        for region in &regions_of(&policy.spec.terms, account.cloud) {
            let found = RegionPlan {
                account: account.name.clone(),
                region: region.clone(),
                name: name.clone(),
                plan_id: None,
                steps: Vec::new(),
                may_write: account.allow.contains(&Capability::Backup),
                blocked: None,
                told: Vec::new(),
                held: Held::No,
            };
            let of = if offer.selects_by_tag { vaults::by_tag } else { by_disk };
            plans.push(of(&policy.spec.terms, (account, state), found));
        }
    }
    plans
}

/// Where a schedule is attached to each disk.
fn by_disk(terms: &BackupTerms, (account, state): (&AccountView, &ProtectionState), found: RegionPlan) -> RegionPlan {
    let at = (found.region.as_str(), found.name.as_str());
    let plan_id = schedules::held(state, at.0, at.1).map(|held| held.name.clone());
    match schedules::refusal(terms, account.cloud) {
        Some(why) if found.may_write => RegionPlan { plan_id, blocked: Some((Reason::NotOffered, why)), ..found },
        Some(why) => RegionPlan { plan_id, told: vec![why], ..found },
        None => {
            let (told, steps) = (schedules::conflicts(terms, at, state), schedules::steps(terms, at, (account, state)));
            RegionPlan { plan_id, told, steps, ..found }
        }
    }
}

/// What was done in one account and region.
#[derive(Clone, Debug)]
pub struct RegionDone {
    /// The plan.
    pub plan: RegionPlan,
    /// The error that stopped it.
    pub error: Option<CloudError>,
    /// The plan's id after it.
    pub plan_id: Option<String>,
}

/// The new status and what the visit came to.
#[must_use]
pub fn status(policy: &BackupPolicy, observed: &Observed, faults: &[Fault], done: &Done, now: Timestamp) -> (BackupPolicyStatus, Outcome) {
    let mut status = policy.status.clone().unwrap_or_default();
    if let Some(ending) = &observed.ending {
        return ended(policy, status, ending, now);
    }
    if observed.frozen {
        return (status, Outcome::Settled(FROZEN));
    }
    let changes = contract::wait(done);
    let Done { accounts, regions: done, protection: protected, restore_tests, .. } = done;
    let kind = ConditionType::BackupsReady;
    let mut set = ConditionSet::new(&status.conditions, CONDITIONS, policy.metadata.generation.unwrap_or_default(), now);
    if let Some(fault) = faults.first() {
        set.set(kind, Is::False, fault.reason, &fault.message);
        status.conditions = set.finish();
        return (status, Outcome::Refused(faults.to_vec()));
    }
    let mut waits: Vec<Wait> = accounts.iter().filter_map(account_wait).collect();
    waits.extend(done.iter().filter_map(|done| done.error.as_ref().map(|error| error_wait(&done.plan.account, error))));
    waits.extend(done.iter().flat_map(told_waits));
    waits.extend(changes);
    let never = contract::never(&observed.verdict, done);
    let observing: Vec<&str> = done
        .iter()
        .filter(|done| !done.plan.may_write && done.plan.held == Held::No && done.plan.differs())
        .map(|done| done.plan.account.as_str())
        .collect();
    if done.iter().any(|done| repaired(done).is_some()) {
        status.drift_repaired_at = Some(Time(now));
    }
    if let Some(wait) = waits.iter().min_by_key(|wait| wait.after) {
        let is_told = matches!(wait.reason, Reason::WaitingForApproval | Reason::ChangeRejected);
        let is = if is_told || FALSE.contains(&wait.reason) { Is::False } else { Is::Unknown };
        set.set(kind, is, wait.reason, &wait.message);
    } else if let Some(message) = never {
        set.set(kind, Is::True, Reason::ObserveOnly, message);
    } else if !observing.is_empty() {
        let why = match &observed.verdict {
            // A capability would not help: nothing is written in any case.
            Verdict::Never(why) => why.clone(),
            _ => format!("observe only: {} lack(s) the capability Backup", observing.join(", ")),
        };
        let message = format!("{why}; what would be written stands in status.plans");
        set.set(kind, Is::True, Reason::ObserveOnly, message);
    } else if !accounts.is_empty() && accounts.iter().all(|account| !account.has_plans()) {
        let message = "observe only: no plan is written on this cloud in this release; the recovery points that others make are watched";
        set.set(kind, Is::True, Reason::ObserveOnly, message);
    } else {
        // That something was put back is an event of that moment, and its time stands in the status.
        set.set(kind, Is::True, Reason::Settled, "what makes the backups is as the policy says");
    }
    protect(policy, &mut set, &mut status, protected.as_ref());
    let asked = policy.spec.terms.restore_test.as_ref();
    if restore_tests.is_some() || asked.is_none() {
        status.restore_tests.clone_from(restore_tests);
    }
    let (is, reason, message) = restore_test::condition(asked, status.restore_tests.as_ref(), now);
    set.set(ConditionType::RestoreTested, is, reason, message);
    if accounts.iter().all(|account| !account.has_plans() || matches!(account.state, Some(Ok(_)))) {
        status.plans = done.iter().map(plan_status).collect();
    }
    status.conditions = set.finish();
    (status, shortest(waits).map_or(Outcome::Settled(RESYNC), Outcome::Waiting))
}

/// What was read of recovery points; what was read before stands where they were not read in this visit.
fn protect(policy: &BackupPolicy, set: &mut ConditionSet, status: &mut BackupPolicyStatus, found: Option<&ProtectionStatus>) {
    let Some(found) = found else { return set.keep(ConditionType::BackupsProtected) };
    let (is, reason, message) = protection::condition(&policy.spec.terms, found);
    set.set(ConditionType::BackupsProtected, is, reason, message);
    status.protection = Some(found.clone());
}

/// What makes the backups is the client's and stays. Nobody of ours may look at them any more, so that nothing can be said of how they are.
fn ended(policy: &BackupPolicy, mut status: BackupPolicyStatus, ending: &str, now: Timestamp) -> (BackupPolicyStatus, Outcome) {
    let mut set = ConditionSet::new(&status.conditions, CONDITIONS, policy.metadata.generation.unwrap_or_default(), now);
    let message = format!("{ending}; what makes the backups stays in the client's accounts, where we cannot look any more");
    for kind in CONDITIONS {
        set.set(*kind, Is::Unknown, Reason::HandedOver, &message);
    }
    status.conditions = set.finish();
    status.plans.clear();
    status.protection = None;
    (status, Outcome::Ended(message, FROZEN))
}

/// What was put back in one account and region, for an event; `None` where nothing was.
#[must_use]
pub fn repaired(done: &RegionDone) -> Option<String> {
    let plan = &done.plan;
    let steps: Vec<String> = plan.steps.iter().map(CloudStep::describe).collect();
    (done.error.is_none() && plan.may_write && is_repair(plan))
        .then(|| format!("put back in account {}, {}: {}", plan.account, plan.region, steps.join("; ")))
}

fn is_repair(plan: &RegionPlan) -> bool {
    // A disk that comes is no drift, nor one that goes.
    let is_of_disks = |step: &CloudStep| matches!(step, CloudStep::AttachSchedule { .. } | CloudStep::DetachSchedule { .. });
    plan.plan_id.is_some() && plan.steps.iter().any(|step| !is_of_disks(step))
}

fn plan_status(done: &RegionDone) -> PlanStatus {
    let plan = &done.plan;
    let state = match (&done.error, plan.may_write) {
        (Some(_), _) => PlanState::Failed,
        _ if matches!(plan.blocked, Some((Reason::LockForbids, _))) => PlanState::Failed,
        (None, false) if plan.differs() => PlanState::Planned,
        _ if plan.blocked.is_some() || !plan.told.is_empty() => PlanState::Blocked,
        _ => PlanState::InSync,
    };
    let blocked = plan.blocked.iter().map(|(_, why)| why.clone());
    // What was written stands there no more.
    let left = if state == PlanState::Blocked { &[][..] } else { plan.steps.as_slice() };
    let told = blocked.chain(plan.told.iter().cloned()).chain(left.iter().map(CloudStep::describe));
    let changes = if state == PlanState::InSync { Vec::new() } else { told.collect() };
    PlanStatus {
        account: done.plan.account.clone(),
        region: done.plan.region.clone(),
        state,
        vault: done.plan.name.clone(),
        plan_id: done.plan_id.clone().or_else(|| done.plan.plan_id.clone()),
        changes,
    }
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::{BackupPlanState, ErrorClass, SelectionState, VaultState};
    use serde_json::json;

    use super::*;

    fn policy() -> BackupPolicy {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "BackupPolicy", "metadata": {"name": "main", "namespace": "client-acme"},
            "spec": {"accounts": ["prod"], "dailyAt": "03:05", "retentionDays": 30, "tag": {"key": "backup", "value": "daily"}, "regions": ["eu-west-1"]},
        }))
        .unwrap()
    }

    fn view(state: ProtectionState) -> AccountView {
        AccountView {
            name: "prod".into(),
            cloud: Cloud::Aws,
            allow: vec![Capability::Backup],
            backup_role: "role".into(),
            is_proven: true,
            selected: None,
            state: Some(Ok(state)),
        }
    }

    fn settled() -> ProtectionState {
        let name = "caretaker-acme-main".to_owned();
        let selection = SelectionState {
            id: "s".into(),
            name: name.clone(),
            tag_key: "backup".into(),
            tag_value: "daily".into(),
            role_arn: "role".into(),
            ..SelectionState::default()
        };
        ProtectionState {
            vaults: vec![VaultState { region: "eu-west-1".into(), name: name.clone(), ..VaultState::default() }],
            plans: vec![BackupPlanState {
                region: "eu-west-1".into(),
                id: "p".into(),
                name: name.clone(),
                vault: name,
                schedule: "cron(5 3 * * ? *)".into(),
                retention_days: 30,
                rules: 1,
                selections: vec![selection],
            }],
            ..ProtectionState::default()
        }
    }

    #[test]
    fn from_nothing_comes_a_vault_a_plan_and_a_selection() {
        let plans = plan("acme", &policy(), &[view(ProtectionState::default())]);
        let kinds: Vec<String> = plans[0].steps.iter().map(CloudStep::describe).collect();
        assert_eq!(kinds.len(), 3, "{kinds:?}");
        assert!(kinds[0].contains("vault") && kinds[1].contains("plan") && kinds[2].contains("selection"));
    }

    #[test]
    fn what_is_as_it_should_be_needs_no_step() {
        assert!(plan("acme", &policy(), &[view(settled())])[0].steps.is_empty());
    }

    #[test]
    fn each_kind_of_drift_has_its_own_step() {
        let mut schedule = settled();
        schedule.plans[0].schedule = "cron(0 0 * * ? *)".into();
        let mut retention = settled();
        retention.plans[0].retention_days = 1;
        let mut tag = settled();
        tag.plans[0].selections[0].tag_value = "never".into();
        // One of the same name and tag that saves something else as well, or leaves something out.
        let mut wider = settled();
        wider.plans[0].selections[0].beyond = vec!["without arn:aws:ec2:*:*:volume/vol-1".into()];
        let steps = &plan("acme", &policy(), &[view(wider)])[0].steps;
        assert!(matches!(steps[..], [CloudStep::DeleteSelection { .. }, CloudStep::CreateSelection { .. }]), "{steps:?}");
        assert!(matches!(plan("acme", &policy(), &[view(schedule)])[0].steps[..], [CloudStep::UpdatePlan { .. }]));
        assert!(matches!(plan("acme", &policy(), &[view(retention)])[0].steps[..], [CloudStep::UpdatePlan { .. }]));
        let steps = &plan("acme", &policy(), &[view(tag)])[0].steps;
        assert!(matches!(steps[..], [CloudStep::DeleteSelection { .. }, CloudStep::CreateSelection { .. }]), "{steps:?}");
    }

    #[test]
    fn an_account_that_cannot_be_read_gets_no_step() {
        let denied =
            AccountView { state: Some(Err(CloudError::new(ErrorClass::Denied, "backup:ListBackupVaults", "no"))), ..view(settled()) };
        assert!(plan("acme", &policy(), &[denied]).is_empty());
    }

    /// Told before the plan is written, not by jobs that fail: and nothing is written meanwhile.
    #[test]
    fn a_lock_that_the_policy_breaks_is_told_before_the_plan_is_written() {
        for (why, least, most, told) in [
            ("no lock", None, None, None),
            ("30 days fit", Some(30), Some(30), None),
            ("the lock wants more", Some(31), None, Some("at least 31 days, while the policy says 30")),
            ("the lock wants fewer", None, Some(29), Some("at most 29 days")),
        ] {
            let mut state = ProtectionState { plans: Vec::new(), ..settled() };
            (state.vaults[0].least_days, state.vaults[0].most_days) = (least, most);
            let account = view(state);
            let plan = plan("acme", &policy(), std::slice::from_ref(&account)).remove(0);
            assert_eq!((plan.steps.is_empty(), plan.blocked.is_some()), (told.is_some(), told.is_some()), "{why}");
            let regions = vec![RegionDone { plan, error: None, plan_id: None }];
            let done = Done { accounts: vec![account], regions, ..Done::default() };
            let (status, outcome) = status(&policy(), &Observed::default(), &[], &done, Timestamp::UNIX_EPOCH);
            let (is, reason, message) = condition(&status);
            let Some(told) = told else {
                assert_eq!((is.as_str(), reason.as_str()), ("True", "Settled"), "{why}");
                continue;
            };
            assert_eq!((is.as_str(), reason.as_str(), status.plans[0].state), ("False", "LockForbids", PlanState::Failed), "{why}");
            assert!(message.contains(told) && message.contains("retentionDays") && matches!(outcome, Outcome::Waiting(_)), "{message}");
        }
    }

    fn condition(status: &BackupPolicyStatus) -> (String, String, String) {
        let found = crate::conditions::find(&status.conditions, ConditionType::BackupsReady).unwrap().clone();
        (found.status, found.reason, found.message)
    }

    #[test]
    fn a_frozen_policy_stands_as_it_was_and_waits() {
        let mut policy = policy();
        let known = BackupPolicyStatus { drift_repaired_at: Some(Time(Timestamp::UNIX_EPOCH)), ..BackupPolicyStatus::default() };
        policy.status = Some(known.clone());
        let observed = Observed { accounts: vec![view(settled())], frozen: true, ..Observed::default() };
        let (status, outcome) = status(&policy, &observed, &[], &Done::default(), Timestamp::now());
        assert_eq!((status, outcome), (known, Outcome::Settled(FROZEN)), "what was read last is not overwritten by nothing");
    }

    /// N07: backups read "as the policy says" although nobody could look any more.
    #[test]
    fn after_the_exit_nothing_is_said_of_plans_that_nobody_may_look_at() {
        let mut policy = policy();
        let known = BackupPolicyStatus { plans: vec![PlanStatus::default()], ..BackupPolicyStatus::default() };
        policy.status = Some(known);
        let observed =
            Observed { accounts: vec![view(settled())], frozen: true, ending: Some("refused 3 times".into()), ..Observed::default() };
        let (status, outcome) = status(&policy, &observed, &[], &Done::default(), Timestamp::UNIX_EPOCH);
        let (is, reason, message) = condition(&status);
        assert_eq!((is.as_str(), reason.as_str()), ("Unknown", "HandedOver"));
        assert!(message.starts_with("refused 3 times; ") && status.plans.is_empty(), "{message} {:?}", status.plans);
        assert_eq!(outcome, Outcome::Ended(message, FROZEN));
    }

    #[test]
    fn each_answer_has_its_word_in_the_condition() {
        let region = |account: &AccountView, error: Option<CloudError>| {
            let plan = plan("acme", &policy(), std::slice::from_ref(account)).remove(0);
            RegionDone { plan, error, plan_id: None }
        };
        let error = |class: ErrorClass| CloudError::new(class, "backup:CreateBackupPlan", "said so");
        let changed = || {
            let mut state = settled();
            state.plans[0].retention_days = 1;
            view(state)
        };
        let observing = AccountView { allow: Vec::new(), ..changed() };
        let unread = |state: Option<Result<ProtectionState, CloudError>>| AccountView { state, ..view(settled()) };
        let done = |account: AccountView, error: Option<CloudError>| {
            let regions = vec![region(&account, error)];
            Done { accounts: vec![account], regions, ..Done::default() }
        };
        let none = |account: AccountView| Done { accounts: vec![account], ..Done::default() };
        let wait = Duration::from_secs(7);
        for (why, done, is, reason, after) in [
            ("in sync", done(view(settled()), None), "True", "Settled", None),
            ("drift was repaired", done(changed(), None), "True", "Settled", None),
            ("made for the first time", done(view(ProtectionState::default()), None), "True", "Settled", None),
            ("we may not write", done(observing, None), "True", "ObserveOnly", None),
            ("access is not proven", none(unread(None)), "Unknown", "WaitingForGrant", Some(PAUSE)),
            ("not let in", none(unread(Some(Err(error(ErrorClass::Denied))))), "False", "Denied", Some(PAUSE)),
            ("not let in, or gone", none(unread(Some(Err(error(ErrorClass::DeniedOrGone))))), "False", "Denied", Some(PAUSE)),
            ("no answer", none(unread(Some(Err(error(ErrorClass::Unreachable))))), "Unknown", "Unreachable", Some(PAUSE)),
            ("a write is refused", done(changed(), Some(error(ErrorClass::Denied))), "False", "Denied", Some(PAUSE)),
            ("a write failed", done(changed(), Some(error(ErrorClass::Invalid))), "False", "Failed", Some(PAUSE)),
            ("a wait", done(changed(), Some(error(ErrorClass::Throttled(Some(wait))))), "Unknown", "Throttled", Some(wait)),
            ("a wait without a time", done(changed(), Some(error(ErrorClass::Throttled(None)))), "Unknown", "Throttled", Some(PAUSE)),
        ] {
            let (status, outcome) = status(&policy(), &Observed::default(), &[], &done, Timestamp::UNIX_EPOCH);
            let (found, word, _) = condition(&status);
            assert_eq!((found.as_str(), word.as_str()), (is, reason), "{why}");
            let waits = if let Outcome::Waiting(wait) = &outcome { Some(wait.after) } else { None };
            assert_eq!(waits, after, "{why}");
            assert_eq!(status.drift_repaired_at.is_some(), why == "drift was repaired", "{why}");
            let is_read = matches!(done.accounts[0].state, Some(Ok(_)));
            assert_eq!(status.plans.len(), usize::from(is_read), "{why}: what is planned is told of accounts that were read");
        }
    }

    #[test]
    fn a_plan_is_told_with_what_became_of_it() {
        let mut changed = settled();
        changed.plans[0].retention_days = 1;
        let account = view(changed);
        let of = |account: &AccountView, error: Option<CloudError>| {
            let plan = plan("acme", &policy(), std::slice::from_ref(account)).remove(0);
            let told = plan_status(&RegionDone { plan, error, plan_id: None });
            (told.state, told.changes.len(), told.plan_id)
        };
        let refused = CloudError::new(ErrorClass::Denied, "backup:UpdateBackupPlan", "no");
        let id = || Some("p".to_owned());
        assert_eq!(of(&account, None), (PlanState::InSync, 0, id()));
        assert_eq!(of(&account, Some(refused)), (PlanState::Failed, 1, id()));
        assert_eq!(of(&AccountView { allow: Vec::new(), ..account }, None), (PlanState::Planned, 1, id()));
        assert_eq!(of(&AccountView { allow: Vec::new(), ..view(settled()) }, None), (PlanState::InSync, 0, id()));
    }

    #[test]
    fn an_account_that_is_missing_is_a_fault_of_its_place() {
        let faults = check(&policy(), &Observed::default());
        assert_eq!((faults.len(), faults[0].field.as_str(), faults[0].outside), (1, "spec.accounts[0]", true));
        assert!(check(&policy(), &Observed { accounts: vec![view(settled())], ..Observed::default() }).is_empty());
        let (status, outcome) = status(&policy(), &Observed::default(), &faults, &Done::default(), Timestamp::UNIX_EPOCH);
        assert!(condition(&status).1 == "ReferenceMissing" && matches!(outcome, Outcome::Refused(_)));
    }

    #[test]
    fn names_are_the_same_at_every_visit_and_no_longer_than_aws_takes() {
        assert_eq!(object_name("acme", "main"), "caretaker-acme-main");
        let longest = "a".repeat(50 - "caretaker--main".len());
        assert_eq!(object_name(&longest, "main").len(), 50);
        let hashed = object_name(&format!("{longest}a"), "main");
        assert!(hashed.len() == 42 && hashed != object_name(&format!("{longest}b"), "main"), "{hashed}");
    }

    #[test]
    fn each_cloud_takes_the_regions_of_its_own_form() {
        let mut policy = policy();
        policy.spec.terms.regions = ["eu-west-1", "westeurope", "europe-west1"].map(str::to_owned).into();
        let of = |cloud: Cloud| regions_of(&policy.spec.terms, cloud);
        assert_eq!((of(Cloud::Aws), of(Cloud::Azure)), (vec!["eu-west-1".to_owned()], vec!["westeurope".to_owned()]));
        assert_eq!(of(Cloud::Gcp), ["europe-west1"]);
        assert_eq!(plan("acme", &policy, &[view(settled())]).len(), 1, "plans are made in the regions of the account's cloud");
    }

    #[test]
    fn accounts_of_clouds_without_plans_hold_nothing_up() {
        let watched = AccountView { cloud: Cloud::Azure, state: None, ..view(settled()) };
        let told = |accounts: Vec<AccountView>| {
            let done = Done { accounts, ..Done::default() };
            let (status, outcome) = status(&policy(), &Observed::default(), &[], &done, Timestamp::UNIX_EPOCH);
            let ready = status.conditions.iter().find(|held| held.type_ == "BackupsReady").unwrap().clone();
            (ready.status, ready.reason, matches!(outcome, Outcome::Settled(_)))
        };
        assert_eq!(told(vec![watched.clone()]), ("True".into(), "ObserveOnly".into(), true));
        assert_eq!(told(vec![watched.clone(), view(settled())]), ("True".into(), "Settled".into(), true));
        let unproven = AccountView { is_proven: false, ..watched };
        assert_eq!(told(vec![unproven]).1, "WaitingForGrant");
    }
}
