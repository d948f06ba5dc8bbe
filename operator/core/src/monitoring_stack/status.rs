//! What is said of a stack.

use caretaker_api::MonitoringStack;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::monitoring_stack::{MonitoringStackStatus, UnwatchedReason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    Attended, CONDITIONS, Done, LOOK, LostInventory, Observed, PAUSE, Part, PullSecret, RESYNC, SOON, State, Watched, hours, loaded,
    outages, page_test, plan, storage,
};
use crate::conditions::{ConditionSet, Is};
use crate::outcome::{Fault, Outcome, Wait, shortest};

/// The condition on the stack itself.
const KIND: ConditionType = ConditionType::MonitoringReady;
/// Most machines and accounts that a message names.
const MAX_NAMED: usize = 3;

/// The new status and what the visit came to.
#[must_use]
pub fn status(
    stack: &MonitoringStack,
    observed: &Observed,
    faults: &[Fault],
    done: &Done,
    now: Timestamp,
) -> (MonitoringStackStatus, Outcome) {
    let mut status = stack.status.clone().unwrap_or_default();
    let mut set = ConditionSet::new(&status.conditions, CONDITIONS, stack.metadata.generation.unwrap_or_default(), now);
    outages::tell(&mut set, observed);
    storage::tell(&mut set, stack, observed);
    let (test, _) = page_test::next(stack, observed, now);
    // What Alertmanager did not take is tried again at the next visit.
    let test = if done.page_failed.is_some() { status.page_test.clone() } else { test };
    page_test::tell(&mut set, &mut status, test.as_ref());
    let outcome = if let Some(fault) = faults.first() {
        set.set(KIND, Is::False, fault.reason, &fault.message);
        Outcome::Refused(faults.to_vec())
    } else if !observed.missing_kinds.is_empty() {
        without_operator(&mut set, &observed.missing_kinds)
    } else {
        if !observed.is_blind() {
            status.targets = u32::try_from(observed.watched.targets.len()).unwrap_or(u32::MAX);
            status.unwatched = observed.watched.status();
            status.inventories.clone_from(&observed.inventories);
        }
        if observed.has_left {
            set.set(KIND, Is::Unknown, Reason::HandedOver, super::ENDED);
            Outcome::Ended(super::ENDED.into(), RESYNC)
        } else if observed.lost.is_empty() {
            watching(&mut set, stack, (observed, done), now)
        } else {
            lost(&mut set, &observed.lost, status.targets)
        }
    };
    if done.changed > 0 {
        status.changed_at = Some(Time(now));
    }
    status.conditions = set.finish();
    let is_tested = status.page_test.as_ref().is_some_and(|test| test.ended_at.is_none()) || page_test::is_due(stack);
    let outcome = match outcome {
        Outcome::Settled(after) if is_tested => Outcome::Settled(after.min(page_test::LOOK)),
        Outcome::Waiting(wait) if is_tested => Outcome::Waiting(Wait { after: wait.after.min(page_test::LOOK), ..wait }),
        other => other,
    };
    (status, outcome)
}

fn without_operator(set: &mut ConditionSet, missing: &[&'static str]) -> Outcome {
    let message = format!(
        "the prometheus-operator's definitions are missing ({}); install it, such as with: helm install prometheus-operator prometheus-community/kube-prometheus-stack",
        missing.join(", ")
    );
    set.set(KIND, Is::False, Reason::PrometheusOperatorMissing, &message);
    Outcome::Waiting(Wait { reason: Reason::PrometheusOperatorMissing, message, after: PAUSE })
}

/// An inventory that is lost says nothing about the machines: those that were watched still are.
fn lost(set: &mut ConditionSet, lost: &[LostInventory], targets: u32) -> Outcome {
    let accounts = named(lost.iter().map(|lost| format!("CloudAccount {} ({})", lost.account, lost.cause)));
    let message = format!(
        "the store has lost the inventory of {accounts}: the {targets} targets stay as they were, and the next reading of the account brings a new inventory"
    );
    set.set(KIND, Is::Unknown, Reason::InventoryLost, &message);
    Outcome::Waiting(Wait { reason: Reason::InventoryLost, message, after: PAUSE })
}

/// What keeps the programs of the stack from their work, and why; `None` where they run, have loaded what was asked for, and alerts arrive.
#[must_use]
pub fn what_runs(stack: &MonitoringStack, observed: &Observed) -> Option<(Reason, String)> {
    if let PullSecret::Unusable(why) = &observed.pull_secret {
        return Some((
            Reason::ReferenceMissing,
            format!("{why}; until then a pod of Prometheus or Alertmanager that is made anew may lack its image"),
        ));
    }
    let parts = [(Part::Prometheus, &observed.prometheus), (Part::Alertmanager, &observed.alertmanager)];
    if let Attended::No(why) = &observed.attended {
        let waits = parts.iter().find_map(|(part, state)| match state {
            State::Waits(cause) => Some(format!("{}: {cause}", part.kind())),
            State::Runs(_) => None,
        });
        let then = waits.unwrap_or_else(|| "Prometheus and Alertmanager run on with what they have, and no change reaches them".into());
        return Some((Reason::PrometheusOperatorMissing, format!("{why}; {then}")));
    }
    for (part, state) in parts {
        if let State::Waits(why) = state {
            return Some((Reason::PodsNotReady, format!("{}: {why}", part.kind())));
        }
    }
    if let Some(why) = observed.receivers.told() {
        return Some((Reason::ReceiverUnusable, why));
    }
    let refused = |name: &str| observed.refused.get(name).cloned();
    observed.loaded.as_ref().and_then(|loaded| loaded::fault(stack, &plan(stack, observed), loaded, &refused))
}

/// Whether the condition came to its status a short time ago.
fn is_recent(set: &ConditionSet, now: Timestamp) -> bool {
    set.get(KIND).is_none_or(|condition| now.duration_since(condition.last_transition_time.0) < SOON)
}

fn watching(set: &mut ConditionSet, stack: &MonitoringStack, (observed, done): (&Observed, &Done), now: Timestamp) -> Outcome {
    let watched = &observed.watched;
    // What others change again and again is put back later: until then it is not as it should be.
    if let Some(wait) = shortest(done.contested.iter().cloned()) {
        set.set(KIND, Is::False, wait.reason, &wait.message);
        return Outcome::Waiting(wait);
    }
    let targets = watched.targets.len();
    if let Some((reason, why)) = what_runs(stack, observed) {
        let message = format!("{targets} targets; {why}");
        set.set(KIND, Is::False, reason, &message);
        return Outcome::Waiting(Wait { reason, message, after: if is_recent(set, now) { LOOK } else { RESYNC } });
    }
    let (without_address, unsaid) =
        (watched.unwatched(UnwatchedReason::NoPrivateAddress), watched.unwatched(UnwatchedReason::PowerStateUnknown));
    if without_address + unsaid > 0 {
        let message = format!("{targets} targets, and {}", not_watched(watched));
        if without_address == 0 {
            set.set(KIND, Is::Unknown, Reason::NotAllWatched, &message);
            return Outcome::Waiting(Wait { reason: Reason::NotAllWatched, message, after: RESYNC });
        }
        set.set(KIND, Is::False, Reason::NotAllWatched, &message);
        return Outcome::Refused(vec![Fault::outside(Reason::NotAllWatched, "status.unwatched", message)]);
    }
    let seen = match observed.loaded {
        Some(_) => "Prometheus and Alertmanager run with what was asked for, and alerts arrive",
        None => "the pods of Prometheus and Alertmanager are ready; the operator is set not to ask them what they have loaded",
    };
    let hours = hours::summary(&stack.spec.terms, now).map(|told| format!("; {told}")).unwrap_or_default();
    set.set(KIND, Is::True, Reason::Settled, format!("{targets} targets; {seen}{hours}"));
    Outcome::Settled(if observed.attended == Attended::Missed { LOOK } else { RESYNC })
}

/// Which machines are not watched, why, and what to do about it.
fn not_watched(watched: &Watched) -> String {
    let groups = watched.status().reasons.into_iter().map(|group| {
        let (count, some) = (group.count, named(group.examples.into_iter()));
        match group.reason {
            UnwatchedReason::NoPrivateAddress => format!(
                "{count} running machines that are not watched, for their cloud tells no private address of them, such as {some}: give them one, or \
                 exclude them from the client's scope"
            ),
            UnwatchedReason::PowerStateUnknown => format!(
                "{count} machines that are not watched, for their cloud does not tell whether they run, such as {some}: the next reading of the account may tell"
            ),
        }
    });
    groups.collect::<Vec<_>>().join("; ")
}

/// The first of some names.
fn named(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(MAX_NAMED);
    let first = names.into_iter().take(MAX_NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}
