//! Risks: each condition of a client and of its children that is not as it should be, exactly once, with who must act, until when, and what helps. It is
//! derived from the conditions alone; nobody keeps a second list by hand.

mod rules;

use std::collections::BTreeSet;

use caretaker_api::agreements::Party;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::incident::IncidentState;
use caretaker_api::lifecycle::{Gate, GateName, GateState};
use caretaker_api::words::ChangeState;
use caretaker_api::{BackupPolicy, ChangeRequest, CloudAccount, Handover, Incident, ManagedClient, MonitoringStack, ServiceReport};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde::Serialize;

use crate::conditions::{Is, find};
use crate::handover::redact;
pub use rules::owner;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Risk {
    /// The object, such as `CloudAccount prod`.
    pub object: String,
    /// The condition; of a gate that no condition tells, `gate` and its name.
    pub condition: String,
    /// `False` or `Unknown`; `True` of the one condition that is a fault where it is True.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    /// Who must act.
    pub owner: Party,
    /// Since when.
    pub since: Timestamp,
    /// Until when it is to be cured: a number of days after its beginning, by its condition.
    pub due: Timestamp,
    /// Whether that time is over.
    pub overdue: bool,
    /// What helps, with commands that name the client.
    pub cure: String,
}

/// An object with its conditions.
#[derive(Clone, Debug)]
struct Looked<'a> {
    kind: &'static str,
    name: String,
    conditions: &'a [Condition],
    /// Whether what it has not come to yet is no fault: an exit and a change are on their way.
    is_under_way: bool,
}

/// A client and what it has in the cluster.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The client.
    pub client: &'a ManagedClient,
    /// Its accounts.
    pub accounts: &'a [CloudAccount],
    /// Its monitoring.
    pub monitoring: &'a [MonitoringStack],
    /// Its backup policies.
    pub backups: &'a [BackupPolicy],
    /// Its reports on service levels.
    pub reports: &'a [ServiceReport],
    /// Its changes.
    pub changes: &'a [ChangeRequest],
    /// Its incidents.
    pub incidents: &'a [Incident],
    /// Its exits.
    pub handovers: &'a [Handover],
}

/// Reads the conditions of a status, whatever the kind.
macro_rules! looked {
    ($kind:literal, $objects:expr, $is_under_way:expr) => {
        $objects.map(|object| Looked {
            kind: $kind,
            name: object.name_any(),
            conditions: object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default(),
            is_under_way: $is_under_way,
        })
    };
}

impl<'a> World<'a> {
    fn children(&self) -> Vec<Looked<'a>> {
        let live = self.accounts.iter().filter(|account| account.spec.is_live());
        let latest = self.reports.iter().filter(|report| !report.spec.dry_run).max_by(|one, other| one.spec.month.cmp(&other.spec.month));
        let state = |change: &&ChangeRequest| change.status.as_ref().map(|status| status.state).unwrap_or_default();
        // One that nobody decided about in time is proposed anew.
        let has_ended =
            |state: ChangeState| matches!(state, ChangeState::Applied | ChangeState::Rejected | ChangeState::Expired | ChangeState::Void);
        let waits = |change: &&ChangeRequest| !has_ended(state(change));
        let open =
            self.incidents.iter().filter(|incident| incident.status.as_ref().is_none_or(|status| status.state != IncidentState::Closed));
        let exits = self.handovers.iter().filter(|handover| handover.spec.cancelled.is_none());
        looked!("CloudAccount", live, false)
            .chain(looked!("MonitoringStack", self.monitoring.iter(), false))
            .chain(looked!("BackupPolicy", self.backups.iter(), false))
            .chain(looked!("ServiceReport", latest.into_iter(), true))
            .chain(looked!("ChangeRequest", self.changes.iter().filter(waits), true))
            .chain(looked!("Incident", open, false))
            .chain(looked!("Handover", exits, true))
            .collect()
    }
}

/// Conditions that only sum up others.
const SUMS: [ConditionType; 3] = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];
/// Reasons that say that all is as somebody asked for.
const ASKED_FOR: [Reason; 8] = [
    Reason::NotRequested,
    Reason::HandedOver,
    Reason::Rehearsal,
    Reason::Cancelled,
    Reason::RetrievalPeriod,
    Reason::LegalHold,
    Reason::RevokedByClient,
    Reason::MemberClosed,
];

fn is(condition: &Condition, reason: Reason) -> bool {
    condition.reason == reason.as_str()
}

/// Whether a condition is not as it should be. The scope is ambiguous where its condition is True; everything else is wrong where it is not.
fn is_wrong(looked: &Looked<'_>, condition: &Condition) -> bool {
    let good = if condition.type_ == ConditionType::ScopeAmbiguous.as_str() { Is::False } else { Is::True };
    let is_sum = SUMS.iter().any(|sum| sum.as_str() == condition.type_);
    let is_to_come = looked.is_under_way && (is(condition, Reason::Pending) || is(condition, Reason::Progressing));
    // That an exit is under way is no fault of the client's readiness for one.
    let is_leaving = condition.type_ == ConditionType::ExitReady.as_str() && is(condition, Reason::Progressing);
    !is_sum && !is_to_come && !is_leaving && Is::of(condition) != good && !ASKED_FOR.iter().any(|asked| is(condition, *asked))
}

fn risk(looked: &Looked<'_>, condition: &Condition, now: Timestamp) -> Risk {
    let kind = ConditionType::ALL.iter().copied().find(|kind| kind.as_str() == condition.type_).unwrap_or(ConditionType::Ready);
    let since = condition.last_transition_time.0;
    let due = rules::due(kind, since);
    let message = if condition.message.is_empty() { condition.reason.clone() } else { redact::text(&condition.message) };
    Risk {
        object: format!("{} {}", looked.kind, looked.name),
        condition: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message,
        owner: owner(kind, &condition.reason),
        since,
        due,
        overdue: now >= due,
        cure: rules::cure(kind).into(),
    }
}

/// What `Ready` says where nothing else says it, such as a fault of the spec.
fn unsaid<'a>(looked: &Looked<'a>, told: &BTreeSet<&str>) -> Option<&'a Condition> {
    let ready = find(looked.conditions, ConditionType::Ready)?;
    let is_to_come = looked.is_under_way && (is(ready, Reason::Pending) || is(ready, Reason::Progressing) || Is::of(ready) == Is::Unknown);
    let is_asked_for = ASKED_FOR.iter().any(|asked| is(ready, *asked));
    let is_told = told.contains(ready.reason.as_str()) || is(ready, Reason::ChildNotReady);
    (Is::of(ready) != Is::True && !is_to_come && !is_asked_for && !is_told).then_some(ready)
}

fn of(looked: &Looked<'_>, skip: &BTreeSet<String>, told: &BTreeSet<&str>, now: Timestamp) -> Vec<Risk> {
    let wrong: Vec<&Condition> =
        looked.conditions.iter().filter(|condition| is_wrong(looked, condition) && !skip.contains(&condition.type_)).collect();
    let reasons: BTreeSet<&str> = wrong.iter().map(|condition| condition.reason.as_str()).chain(told.iter().copied()).collect();
    let further = unsaid(looked, &reasons);
    wrong.into_iter().chain(further).map(|condition| risk(looked, condition, now)).collect()
}

/// Closed gates that no condition tells: a service that is neither asked for nor left out, and a renewal that nobody has decided.
fn of_gates(client: &ManagedClient, now: Timestamp) -> Vec<Risk> {
    let gates = client.status.as_ref().map(|status| status.gates.as_slice()).unwrap_or_default();
    let is_untold = |gate: &&Gate| match gate.name {
        GateName::Monitoring => client.spec.monitoring.is_none(),
        GateName::Backups => client.spec.backups.is_none(),
        GateName::Renewal => true,
        _ => false,
    };
    let of = |gate: &Gate| {
        let due = gate.since.0.saturating_add(rules::GATE).unwrap_or(Timestamp::MAX);
        Risk {
            object: format!("ManagedClient {}", client.name_any()),
            condition: format!("gate {}", gate.name.as_str()),
            status: Is::False.as_str().into(),
            reason: "Closed".into(),
            message: gate.message.clone(),
            owner: gate.actor.unwrap_or(Party::Provider),
            since: gate.since.0,
            due,
            overdue: now >= due,
            cure: "do what the gate says: it is open as soon as the spec says so".into(),
        }
    };
    gates.iter().filter(|gate| gate.state == GateState::Closed).filter(is_untold).map(of).collect()
}

/// All risks of a client, those that are overdue first, then by their time.
#[must_use]
pub fn risks(world: &World<'_>, now: Timestamp) -> Vec<Risk> {
    let conditions = world.client.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let own = Looked { kind: "ManagedClient", name: world.client.name_any(), conditions, is_under_way: false };
    let mut all: Vec<Risk> = world.children().iter().flat_map(|child| of(child, &BTreeSet::new(), &BTreeSet::new(), now)).collect();
    // The client mirrors what its children say: it is told where it is cured.
    let mirrored: BTreeSet<String> = all.iter().map(|risk| risk.condition.clone()).collect();
    let reasons: Vec<String> = all.iter().map(|risk| risk.reason.clone()).collect();
    all.extend(of(&own, &mirrored, &reasons.iter().map(String::as_str).collect(), now));
    all.extend(of_gates(world.client, now));
    let name = world.client.name_any();
    for risk in &mut all {
        risk.cure = risk.cure.replace("CLIENT", &name);
    }
    all.sort_by(|one, other| {
        (!one.overdue, one.due, &one.object, &one.condition).cmp(&(!other.overdue, other.due, &other.object, &other.condition))
    });
    all
}

/// Days as a span.
const fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

#[cfg(test)]
mod tests;
