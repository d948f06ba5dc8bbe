//! The status of a `ManagedClient`: its own conditions, and its children's, mirrored.

use std::time::Duration;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::managed_client::ManagedClientStatus;
use caretaker_api::names::client_namespace;
use caretaker_api::{CloudAccount, ManagedClient};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::accounts::Wanted;
use super::{CONDITIONS, Observed, accounts, external_ids};
use crate::conditions::{ConditionSet, Is, find};
use crate::outcome::{Fault, Outcome, Wait, shortest};

/// Time between two looks at a client that is as it should be.
const RESYNC: Duration = Duration::from_secs(60 * 60);
/// Time between two looks while children are on their way; their changes wake the client anyway.
const CHILD_PAUSE: Duration = Duration::from_secs(60);

/// What the visit found, beside what it did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whether namespace and guards are in place.
    pub namespace_ready: bool,
    /// Why not, where an object of the name is somebody else's.
    pub failure: Option<String>,
    /// What somebody else had changed and was put back.
    pub repaired: Vec<String>,
}

/// The new status and what the visit came to.
#[must_use]
pub fn status(
    client: &ManagedClient,
    observed: &Observed,
    faults: &[Fault],
    report: &Report,
    now: Timestamp,
) -> (ManagedClientStatus, Outcome) {
    let last = client.status.clone().unwrap_or_default();
    let generation = client.metadata.generation.unwrap_or_default();
    let mut set = ConditionSet::new(&last.conditions, CONDITIONS, generation, now);
    let mut waits = Vec::new();
    namespace_condition(&mut set, report, faults);
    let wanted = accounts::accounts(client, observed);
    mirror_accounts(&mut set, &wanted, observed, &mut waits);
    mirror_scope(&mut set, observed);
    mirror_child(
        &mut set,
        ConditionType::MonitoringReady,
        client.spec.monitoring.is_some(),
        observed.monitoring.as_ref().map(child_view),
        &mut waits,
    );
    mirror_child(
        &mut set,
        ConditionType::BackupsReady,
        client.spec.backups.is_some(),
        observed.backups.as_ref().map(child_view),
        &mut waits,
    );
    let handed_over_by = last.handed_over_by.clone().or_else(|| observed.handed_over_by.clone());
    match &handed_over_by {
        Some(by) => set.set(ConditionType::HandedOver, Is::True, Reason::HandedOver, format!("handed over by {by}; our access is revoked")),
        None => set.set(ConditionType::HandedOver, Is::False, Reason::NotRequested, ""),
    }
    let outcome = if !faults.is_empty() {
        Outcome::Refused(faults.to_vec())
    } else if handed_over_by.is_some() {
        Outcome::Settled(RESYNC)
    } else {
        shortest(waits).map_or(Outcome::Settled(RESYNC), Outcome::Waiting)
    };
    let status = ManagedClientStatus {
        conditions: set.finish(),
        namespace: Some(client_namespace(&client.name_any())),
        accounts: u32::try_from(wanted.iter().filter(|wanted| wanted.is_live_account()).count()).unwrap_or(u32::MAX),
        assets: observed
            .accounts
            .iter()
            .filter(|account| account.spec.is_live())
            .filter_map(|account| account.status.as_ref()?.inventory.as_ref())
            .map(|inventory| inventory.assets)
            .sum(),
        external_ids: external_ids(client, observed),
        handed_over_by,
        ..last
    };
    (status, outcome)
}

fn namespace_condition(set: &mut ConditionSet, report: &Report, faults: &[Fault]) {
    if let Some(fault) = faults.first() {
        set.set(ConditionType::NamespaceReady, Is::False, fault.reason, &fault.message);
    } else if let Some(failure) = &report.failure {
        set.set(ConditionType::NamespaceReady, Is::False, Reason::Failed, failure);
    } else if !report.repaired.is_empty() {
        let message = format!("put back what somebody had changed: {}", report.repaired.join(", "));
        set.set(ConditionType::NamespaceReady, Is::True, Reason::DriftRepaired, message);
    } else if report.namespace_ready && !set.is_true(ConditionType::NamespaceReady) {
        set.set(ConditionType::NamespaceReady, Is::True, Reason::Settled, "namespace and guards are in place");
    }
}

/// How many of how many, and the first that is not as it should be: one account that refuses never hides the others.
fn mirror_accounts(set: &mut ConditionSet, wanted: &[Wanted<'_>], observed: &Observed, waits: &mut Vec<Wait>) {
    mirror_parents(set, wanted, observed, waits);
    let ended = accounts::ended(wanted);
    let tail = if ended == 0 { String::new() } else { format!("; {ended} suspended, closed or gone") };
    let all = wanted.iter().filter(|wanted| wanted.is_live_account()).count();
    for kind in [ConditionType::AccessProven, ConditionType::InventoryComplete] {
        let (mut worst, mut good): (Option<(Is, Reason, String)>, usize) = (None, 0);
        for wanted in wanted.iter().filter(|wanted| wanted.is_live_account() || wanted.target.is_parent()) {
            match judge(wanted, observed, kind) {
                None => good += usize::from(!wanted.target.is_parent()),
                Some(found) if worst.as_ref().is_none_or(|(held, ..)| *held == Is::Unknown && found.0 == Is::False) => worst = Some(found),
                Some(_) => {}
            }
        }
        match worst {
            None if all == 0 => {
                set.set(kind, Is::Unknown, Reason::CoverageUnknown, format!("the parents list no account yet{tail}"));
                let message = "the parents list no account yet".to_owned();
                waits.push(Wait { reason: Reason::CoverageUnknown, message, after: CHILD_PAUSE });
            }
            None => set.set(kind, Is::True, Reason::Settled, format!("{good} of {all} accounts{tail}")),
            Some((is, reason, first)) => {
                let message = if all > 1 { format!("{good} of {all} accounts; {first}{tail}") } else { first };
                set.set(kind, is, reason, &message);
                waits.push(Wait { reason, message, after: CHILD_PAUSE });
            }
        }
    }
}

/// A warning, and no reason to wait: it is True where any account has it.
fn mirror_scope(set: &mut ConditionSet, observed: &Observed) {
    let kind = ConditionType::ScopeAmbiguous;
    let asked: Vec<&CloudAccount> =
        observed.accounts.iter().filter(|account| account.spec.is_live() && !account.spec.target.is_parent()).collect();
    let known = asked.iter().filter_map(|account| Some((account.name_any(), current(account, kind)?)));
    let known: Vec<(String, &Condition)> = known.collect();
    if let Some((name, condition)) = known.iter().find(|(_, condition)| Is::of(condition) == Is::True) {
        set.set(kind, Is::True, reason_of(&condition.reason), format!("account {name}: {}", condition.message));
    } else if !known.is_empty() && known.len() == asked.len() && known.iter().all(|(_, condition)| Is::of(condition) == Is::False) {
        set.set(kind, Is::False, Reason::Settled, "every asset is covered or excluded");
    } else {
        set.set(kind, Is::Unknown, Reason::Pending, "not every account was looked at yet");
    }
}

/// What is not as it should be with one condition of one account.
fn judge(wanted: &Wanted<'_>, observed: &Observed, kind: ConditionType) -> Option<(Is, Reason, String)> {
    let account = observed.accounts.iter().find(|account| account.name_any() == wanted.name);
    let noun = if wanted.target.is_parent() { "parent" } else { "account" };
    match account.and_then(|account| current(account, kind)) {
        Some(condition) if Is::of(condition) == Is::True => None,
        Some(condition) => {
            Some((Is::of(condition), reason_of(&condition.reason), format!("{noun} {}: {}", wanted.name, condition.message)))
        }
        None => Some((Is::Unknown, Reason::Pending, format!("{noun} {}: not looked at yet", wanted.name))),
    }
}

fn mirror_parents(set: &mut ConditionSet, wanted: &[Wanted<'_>], observed: &Observed, waits: &mut Vec<Wait>) {
    let kind = ConditionType::MembersListed;
    let parents: Vec<&Wanted<'_>> = wanted.iter().filter(|wanted| wanted.target.is_parent()).collect();
    if parents.is_empty() {
        return set.set(kind, Is::True, Reason::NotRequested, "there is no parent");
    }
    match parents.iter().find_map(|parent| judge(parent, observed, kind)) {
        None => {
            let members = wanted.iter().filter(|wanted| wanted.member.is_some()).count();
            set.set(kind, Is::True, Reason::Settled, format!("{members} accounts of {} parent(s)", parents.len()));
        }
        Some((is, reason, message)) => {
            set.set(kind, is, reason, &message);
            waits.push(Wait { reason, message, after: CHILD_PAUSE });
        }
    }
}

/// A child's conditions with the generation they must speak of.
struct ChildView<'a> {
    conditions: &'a [Condition],
    generation: Option<i64>,
}

fn child_view<K>(child: &K) -> ChildView<'_>
where
    K: ResourceExt + kube::core::object::HasStatus,
    K::Status: HasConditions,
{
    ChildView { conditions: child.status().map(HasConditions::list).unwrap_or_default(), generation: child.meta().generation }
}

/// Statuses with standard conditions.
pub trait HasConditions {
    /// The conditions.
    fn list(&self) -> &[Condition];
}

impl HasConditions for caretaker_api::monitoring_stack::MonitoringStackStatus {
    fn list(&self) -> &[Condition] {
        &self.conditions
    }
}

impl HasConditions for caretaker_api::backup_policy::BackupPolicyStatus {
    fn list(&self) -> &[Condition] {
        &self.conditions
    }
}

fn mirror_child(set: &mut ConditionSet, kind: ConditionType, wanted: bool, child: Option<ChildView<'_>>, waits: &mut Vec<Wait>) {
    if !wanted {
        set.set(kind, Is::True, Reason::NotRequested, "not asked for");
        return;
    }
    let condition =
        child.and_then(|child| find(child.conditions, kind).filter(|condition| condition.observed_generation == child.generation).cloned());
    match condition {
        Some(condition) if Is::of(&condition) == Is::True => set.set(kind, Is::True, reason_of(&condition.reason), &condition.message),
        Some(condition) => {
            let reason = reason_of(&condition.reason);
            set.set(kind, Is::of(&condition), reason, &condition.message);
            waits.push(Wait { reason, message: condition.message, after: CHILD_PAUSE });
        }
        None => {
            set.set(kind, Is::Unknown, Reason::Pending, "not looked at yet");
            waits.push(Wait { reason: Reason::Pending, message: format!("{kind}: not looked at yet"), after: CHILD_PAUSE });
        }
    }
}

fn current(account: &CloudAccount, kind: ConditionType) -> Option<&Condition> {
    let status = account.status.as_ref()?;
    find(&status.conditions, kind).filter(|condition| condition.observed_generation == account.metadata.generation)
}

fn reason_of(word: &str) -> Reason {
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == word).unwrap_or(Reason::ChildNotReady)
}
