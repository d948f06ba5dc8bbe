//! The phases of a contract. A phase is computed at each visit from the spec, from what is seen, and from the phase before; the table of transitions says which
//! may follow which. Nothing is written because of a phase: what may be written is the one question of [`contract`](crate::contract), which knows the
//! assessment from the spec alone.

pub mod baseline;
mod gates;

use caretaker_api::ManagedClient;
use caretaker_api::condition::ConditionType;
use caretaker_api::lifecycle::{Gate, LifecycleStatus, Phase, Service};
use caretaker_api::managed_client::ManagedClientStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Observed, deadlines};
use crate::conditions::ConditionSet;
use crate::contract::is_assessment;
use crate::outcome::Fault;

/// Whether a phase may follow another. What is not here never happens.
#[must_use]
pub const fn may_follow(from: Phase, to: Phase) -> bool {
    use Phase::{Active, Assessment, Closed, Offboarding, Onboarding, Renewal, Unknown};
    match from {
        Assessment => matches!(to, Onboarding | Offboarding),
        Onboarding => matches!(to, Assessment | Active | Offboarding),
        Active => matches!(to, Renewal | Offboarding),
        Renewal => matches!(to, Active | Offboarding),
        // An exit that was called off and a notice that was taken back lead back to where the client was.
        Offboarding => matches!(to, Assessment | Onboarding | Active | Renewal | Closed),
        Closed => false,
        // A newer release knew it: what is seen decides.
        Unknown => true,
    }
}

/// What the phase is computed from.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    is_assessment: bool,
    /// It was Active once, or every gate of it is open and the inventory is frozen.
    is_active: bool,
    /// The last day on which notice can be given has begun.
    is_to_renew: bool,
    /// Notice was given under a contract, a final exit has begun, or the client was handed over.
    leaves: bool,
    /// Access has ended, and the data is erased.
    is_closed: bool,
}

const fn wanted(facts: Facts) -> Phase {
    match facts {
        Facts { is_closed: true, .. } => Phase::Closed,
        Facts { leaves: true, .. } => Phase::Offboarding,
        Facts { is_active: true, is_to_renew: true, .. } => Phase::Renewal,
        Facts { is_active: true, .. } => Phase::Active,
        Facts { is_assessment: true, .. } => Phase::Assessment,
        _ => Phase::Onboarding,
    }
}

/// The phase after another one. A client that no release has looked at yet is where it is seen to be.
fn next(from: Option<Phase>, facts: Facts) -> Phase {
    let (Some(from), to) = (from, wanted(facts)) else { return wanted(facts) };
    match to {
        to if to == from || may_follow(from, to) => to,
        // Who is taken in within the time of notice is Active first.
        Phase::Renewal if may_follow(from, Phase::Active) => Phase::Active,
        // Who never was Active, and of whose exit nothing was seen, leaves first.
        Phase::Closed if may_follow(from, Phase::Offboarding) => Phase::Offboarding,
        _ => from,
    }
}

fn has_left(client: &ManagedClient, observed: &Observed) -> bool {
    let told = client.status.as_ref().is_some_and(|status| status.handed_over_by.is_some());
    told || observed.ending.as_ref().is_some_and(|ending| ending.finished_by().is_some())
}

/// Whether the client is on its way out by a final exit.
fn has_begun_to_leave(client: &ManagedClient, observed: &Observed) -> bool {
    observed.leaving || observed.ending.is_some() || has_left(client, observed)
}

fn is_noticed(client: &ManagedClient) -> bool {
    client.spec.exit.contract.as_ref().is_some_and(|contract| contract.notice.is_some()) && !is_assessment(&client.spec)
}

/// What was told last.
fn last(client: &ManagedClient) -> Option<&LifecycleStatus> {
    client.status.as_ref()?.lifecycle.as_ref()
}

/// Terms that contradict each other or what was.
#[must_use]
pub fn faults(client: &ManagedClient) -> Vec<Fault> {
    let Some(terms) = &client.spec.lifecycle else { return Vec::new() };
    let mut faults = Vec::new();
    if let Some(since) = last(client).and_then(|last| last.active_since.as_ref()).filter(|_| is_assessment(&client.spec)) {
        let message = format!("the client was taken in at {}, and an assessment comes before the contract: say stage Contract", since.0);
        faults.push(Fault::spec("spec.lifecycle.stage", message));
    }
    for left_out in &terms.out_of_scope {
        let (is_set, field) = match left_out.service {
            Service::Monitoring => (client.spec.monitoring.is_some(), "spec.monitoring"),
            Service::Backups => (client.spec.backups.is_some(), "spec.backups"),
        };
        if is_set {
            let message = format!("{:?} is out of scope, and {field} is set: remove one of them", left_out.service);
            faults.push(Fault::spec("spec.lifecycle.outOfScope", message));
        }
    }
    faults
}

/// Phase and gates after a visit.
pub(super) fn settle(client: &ManagedClient, observed: &Observed, set: &ConditionSet, now: Timestamp) -> (LifecycleStatus, Vec<Gate>) {
    let before = last(client).cloned().unwrap_or_default();
    // What the ledger has goes before what the status kept of it.
    let baseline = observed.baseline.clone().or_else(|| before.baseline.clone());
    let all = gates::of_active((client, observed), set, now);
    let opens = all.iter().all(gates::is_open) && baseline.is_some();
    let has_left = has_left(client, observed);
    let facts = Facts {
        is_assessment: is_assessment(&client.spec),
        is_active: before.active_since.is_some() || opens,
        is_to_renew: deadlines::notice_begins(&client.spec.exit).is_some_and(|begins| now >= begins),
        leaves: has_begun_to_leave(client, observed) || is_noticed(client),
        is_closed: has_left && set.is_true(ConditionType::DataErased),
    };
    let phase = next(last(client).map(|last| last.phase), facts);
    let since = before.since.filter(|_| last(client).is_some_and(|last| last.phase == phase)).or(Some(Time(now)));
    let active_since = before.active_since.or_else(|| matches!(phase, Phase::Active | Phase::Renewal).then_some(Time(now)));
    let gates = gates::shown(phase, all, (client, observed), set, now);
    (LifecycleStatus { phase, since, active_since, baseline }, gates)
}

/// Whether a client stands before Active as the last visit saw it: only then is it worth a look whether its inventory is to be frozen.
fn stands_before_active(status: &ManagedClientStatus) -> bool {
    let is_onboarding = status.lifecycle.as_ref().is_some_and(|last| last.phase == Phase::Onboarding && last.baseline.is_none());
    let of_active: Vec<&Gate> = status.gates.iter().filter(|gate| gate.before == Phase::Active).collect();
    is_onboarding && !of_active.is_empty() && of_active.into_iter().all(gates::is_open)
}

/// Time until the next visit has something to do for the phase: to freeze the inventory, or to tell that the time of renewal has come.
pub(super) fn look(
    (client, observed): (&ManagedClient, &Observed),
    told: (&LifecycleStatus, &[Gate]),
    now: Timestamp,
) -> Option<std::time::Duration> {
    let status = ManagedClientStatus { lifecycle: Some(told.0.clone()), gates: told.1.to_vec(), ..ManagedClientStatus::default() };
    // Without the ledger nothing is frozen, and nobody hurries.
    if stands_before_active(&status) && observed.decided.is_some() {
        return Some(std::time::Duration::from_secs(1));
    }
    let begins = deadlines::notice_begins(&client.spec.exit)?.duration_since(now);
    begins.is_positive().then(|| begins.unsigned_abs())
}

#[cfg(test)]
mod tests;
