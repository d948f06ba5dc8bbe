//! The gates: what stands before a phase, what is missing, and who must act.

use caretaker_api::agreements::Party;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::handover::{HandoverStep, StepState};
use caretaker_api::lifecycle::{Gate, GateName, GateState, Phase, Service};
use caretaker_api::{CloudAccount, Handover, ManagedClient};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::super::{Observed, accounts};
use super::{has_begun_to_leave, has_left};
use crate::conditions::{ConditionSet, Is};
use crate::handover::life::life;
use crate::risks::owner;

/// Longest message of a gate, in characters.
const LONGEST: usize = 400;

/// Why a gate is open, or what is missing and who must act.
type Judged = Result<String, (String, Party)>;

pub(super) fn is_open(gate: &Gate) -> bool {
    gate.state == GateState::Open
}

fn gate(client: &ManagedClient, (name, before): (GateName, Phase), judged: Judged, now: Timestamp) -> Gate {
    let (state, message, actor) = match judged {
        Ok(message) => (GateState::Open, message, None),
        Err((message, actor)) => (GateState::Closed, message, Some(actor)),
    };
    let known = client.status.as_ref().and_then(|status| status.gates.iter().find(|known| known.name == name && known.before == before));
    let since = known.filter(|known| known.state == state).map_or(Time(now), |known| known.since.clone());
    Gate { name, before, state, since, message: message.chars().take(LONGEST).collect(), actor }
}

/// A condition of the client's as a gate.
fn by_condition(set: &ConditionSet, kind: ConditionType) -> Judged {
    match set.get(kind) {
        Some(condition) if Is::of(condition) == Is::True => Ok(condition.message.clone()),
        Some(condition) => {
            let message = if condition.message.is_empty() { condition.reason.clone() } else { condition.message.clone() };
            Err((message, owner(kind, &condition.reason)))
        }
        None => Err(("not looked at yet".into(), Party::Provider)),
    }
}

/// Known is what was planned: an account of which no reading has planned anything says nothing.
fn coverage((client, observed): (&ManagedClient, &Observed), set: &ConditionSet) -> Judged {
    by_condition(set, ConditionType::MembersListed)?;
    let live: Vec<String> =
        accounts(client, observed).into_iter().filter(|wanted| wanted.is_live_account()).map(|wanted| wanted.name).collect();
    let cells = |name: &String| {
        let account = observed.accounts.iter().find(|account| account.name_any() == *name);
        let coverage = account.and_then(|account: &CloudAccount| account.status.as_ref()?.inventory.as_ref()).map(|read| &read.coverage);
        coverage.map_or((0, 0), |coverage| (coverage.complete, coverage.planned))
    };
    let unknown: Vec<&String> = live.iter().filter(|name| cells(name).1 == 0).collect();
    match unknown.first() {
        Some(first) => {
            Err((format!("{} of {} account(s) were not read yet, the first is {first}", unknown.len(), live.len()), Party::Provider))
        }
        None if live.is_empty() => Err(("no account is known yet".into(), Party::Provider)),
        None => {
            let (complete, planned) = live.iter().map(cells).fold((0, 0), |sum, cells| (sum.0 + cells.0, sum.1 + cells.1));
            Ok(format!("{complete} of {planned} cells of {} account(s) were read completely", live.len()))
        }
    }
}

/// A service that runs, or that the contract leaves out.
fn service(client: &ManagedClient, set: &ConditionSet, (of, is_asked): (Service, bool), kind: ConditionType) -> Judged {
    let left_out = client.spec.lifecycle.iter().flat_map(|terms| &terms.out_of_scope).find(|left_out| left_out.service == of);
    match left_out {
        Some(left_out) if !is_asked => Ok(format!("the contract leaves it out, says {}: {}", left_out.by, left_out.reason)),
        _ if is_asked => by_condition(set, kind),
        _ => {
            let field = format!("{of:?}").to_lowercase();
            let message = format!(
                "spec.{field} is not set: set it, or record in spec.lifecycle.outOfScope who of the client's leaves it out, and why"
            );
            Err((message, Party::Provider))
        }
    }
}

fn agreements(set: &ConditionSet) -> Judged {
    let none = set.get(ConditionType::AgreementsInForce).filter(|condition| condition.reason == Reason::NotRequested.as_str());
    none.map_or_else(|| by_condition(set, ConditionType::AgreementsInForce), |condition| Ok(condition.message.clone()))
}

/// The gates of Active.
pub(super) fn of_active((client, observed): (&ManagedClient, &Observed), set: &ConditionSet, now: Timestamp) -> Vec<Gate> {
    let (monitoring, backups) = (client.spec.monitoring.is_some(), client.spec.backups.is_some());
    let judged = [
        (GateName::Access, by_condition(set, ConditionType::AccessProven)),
        (GateName::Coverage, coverage((client, observed), set)),
        (GateName::Monitoring, service(client, set, (Service::Monitoring, monitoring), ConditionType::MonitoringReady)),
        (GateName::Backups, service(client, set, (Service::Backups, backups), ConditionType::BackupsProtected)),
        (GateName::Agreements, agreements(set)),
    ];
    judged.into_iter().map(|(name, judged)| gate(client, (name, Phase::Active), judged, now)).collect()
}

fn is_verified(handover: &Handover) -> bool {
    let steps = handover.status.as_ref().map(|status| status.steps.as_slice()).unwrap_or_default();
    life(handover).is_some() && steps.iter().any(|record| record.step == HandoverStep::Verify && record.state == StepState::Completed)
}

/// The gates of Closed.
fn of_closed((client, observed): (&ManagedClient, &Observed), set: &ConditionSet, now: Timestamp) -> Vec<Gate> {
    let name = client.name_any();
    let (begun, left) = (has_begun_to_leave(client, observed), has_left(client, observed));
    let is_delivered = left || observed.ending.is_some() || observed.handovers.iter().any(is_verified);
    let or = |is_so: bool, yes: &str, no: (String, Party)| if is_so { Ok(yes.to_owned()) } else { Err(no) };
    let exit = (format!("notice was given, and no final exit has begun: kubectl caretaker exit {name} --final"), Party::Provider);
    let bundle = ("no bundle of a final exit is delivered and verified yet; its Handover tells how far it is".to_owned(), Party::Provider);
    // An accepted bundle has come to the revocation: before it, the client's word is missing.
    let access = match (is_delivered, &observed.ending) {
        (true, None) => (format!("the client accepts its bundle by its digest: kubectl caretaker accept {name}"), Party::Client),
        _ => by_condition(set, ConditionType::HandedOver).err().unwrap_or_else(|| ("not proved yet".into(), Party::Provider)),
    };
    let judged = [
        (GateName::Exit, or(begun, "a final exit has begun", exit)),
        (GateName::Bundle, or(is_delivered, "the bundle is delivered and verified", bundle)),
        (GateName::AccessEnded, or(left, "every account refuses us, proved", access)),
        (GateName::DataErased, by_condition(set, ConditionType::DataErased)),
    ];
    judged.into_iter().map(|(name, judged)| gate(client, (name, Phase::Closed), judged, now)).collect()
}

/// The gates that a phase shows.
pub(super) fn shown(
    phase: Phase,
    of_active: Vec<Gate>,
    seen: (&ManagedClient, &Observed),
    set: &ConditionSet,
    now: Timestamp,
) -> Vec<Gate> {
    let client = seen.0;
    let further = match phase {
        Phase::Offboarding | Phase::Closed => return of_closed(seen, set, now),
        Phase::Assessment => {
            let message = "there is no contract yet: once it is signed, say spec.lifecycle.stage: Contract".to_owned();
            Some(gate(client, (GateName::Contract, Phase::Onboarding), Err((message, Party::Client)), now))
        }
        Phase::Renewal => {
            let ends_on = client.spec.exit.contract.as_ref().map(|contract| contract.ends_on.clone()).unwrap_or_default();
            let message = format!(
                "the contract ends on {ends_on}, and nobody has decided how it goes on: move spec.exit.contract.endsOn, or record the notice"
            );
            Some(gate(client, (GateName::Renewal, Phase::Active), Err((message, Party::Client)), now))
        }
        _ => None,
    };
    further.into_iter().chain(of_active).collect()
}
