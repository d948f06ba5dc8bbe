//! Dates of an exit that somebody must keep: those of the contract, and those of the rules that it names.
//!
//! Sources of the numbers: Regulation (EU) 2023/2854 (Data Act), Article 25(2)(a), (d), (g) and (4); Regulation (EU) 2022/2554 (DORA), Article 30(3)(f);
//! FAR 52.237-3(b); 45 CFR 164.504(e)(2)(ii)(J). Whether a rule applies is a question for lawyers.

mod working_days;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::exit_terms::{AtEnd, ContractTerms, Deadline, DeadlineKind, DeadlineState, Regime};
use caretaker_api::handover::{HandoverMode, HandoverSpec, HandoverStep, StepState};
use caretaker_api::managed_client::ExitTerms;
use caretaker_api::{Handover, ManagedClient};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use self::working_days::working_days_after;
use super::{agreements, external_services};
use crate::conditions::{ConditionSet, Is, find};
use crate::handover::life::{Life, life};
use crate::outcome::Fault;
use crate::zone::zone;

/// How long before its moment a deadline is near.
const NEAR: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Longest notice under the Data Act, in days: two months, counted as their longest.
const DATA_ACT_NOTICE: u32 = 62;
/// Transition under the Data Act, in days.
const DATA_ACT_TRANSITION: u32 = 30;
/// Longest transition under the Data Act where 30 days cannot be kept, in days: seven months, counted as their longest.
const DATA_ACT_LONGEST: u32 = 215;
/// Shortest time to fetch the data under the Data Act, in days.
const DATA_ACT_RETRIEVAL: u32 = 30;
/// Working days within which the client is told that 30 days cannot be kept.
const DATA_ACT_TELL: u32 = 14;
/// Days after the contract in which services can be called on.
const FAR_PHASE_OUT: u32 = 90;
/// Days for which erasure is announced at the least, where the time to fetch the bundle is not shorter.
const ANNOUNCED: u32 = 7;
/// Time that erasure may take once it may begin.
const TO_ERASE: SignedDuration = SignedDuration::from_hours(24);

/// The contract's days, in its zone.
struct Calendar<'a> {
    terms: &'a ContractTerms,
    zone: TimeZone,
    ends_on: Option<Date>,
    noticed_on: Option<Date>,
}

fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}

fn plus(date: Date, days: u32) -> Date {
    date.saturating_add(i64::from(days).days())
}

impl<'a> Calendar<'a> {
    fn of(terms: &'a ContractTerms) -> Option<Self> {
        let zone = zone(&terms.zone).ok()?;
        let noticed_on = terms.notice.as_ref().and_then(|notice| date(&notice.given_on));
        // Without a last day the notice makes one.
        let ends_on = date(&terms.ends_on).or_else(|| noticed_on.map(|day| plus(day, terms.notice_days)));
        Some(Self { terms, zone, ends_on, noticed_on })
    }

    /// The moment at which a day is over.
    fn end_of(&self, day: Date) -> Option<Timestamp> {
        plus(day, 1).to_zoned(self.zone.clone()).ok().map(|zoned| zoned.timestamp())
    }

    /// Last day of the transition.
    fn moved_by(&self, regimes: &[Regime]) -> Option<Date> {
        let agreed = self.terms.transition.as_ref().map(|transition| transition.days);
        let days = agreed.unwrap_or(if regimes.contains(&Regime::DataAct) { DATA_ACT_TRANSITION } else { 0 });
        Some(plus(self.ends_on?, days))
    }
}

/// Terms that cannot be kept, or that a named rule forbids.
#[must_use]
pub fn faults(exit: &ExitTerms) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, message: String| faults.push(Fault::spec(format!("spec.exit.{field}"), message));
    let contract = exit.contract.as_ref();
    if let Some(terms) = contract {
        if let Err(message) = zone(&terms.zone) {
            fault("contract.zone", message);
        }
        let notice = terms.notice.as_ref().map(|notice| notice.given_on.as_str());
        let told = terms.transition.as_ref().map(|transition| transition.told_on.as_str());
        for (field, text) in
            [("contract.endsOn", Some(terms.ends_on.as_str())), ("contract.notice.givenOn", notice), ("contract.transition.toldOn", told)]
        {
            if let Some(text) = text.filter(|text| !text.is_empty() && date(text).is_none()) {
                fault(field, format!("there is no day {text}: correct it"));
            }
        }
        for (number, text) in terms.holidays.iter().enumerate().filter(|(_, text)| date(text).is_none()) {
            fault(&format!("contract.holidays[{number}]"), format!("there is no day {text}: correct it"));
        }
        if let (Some(given), Some(end)) = (notice.and_then(date), date(&terms.ends_on))
            && given > end
        {
            fault("contract.notice.givenOn", format!("notice on {given} comes after the contract's end on {end}: correct one of them"));
        }
    }
    if exit.regimes.contains(&Regime::DataAct) {
        faults.extend(data_act(exit));
    }
    if exit.regimes.contains(&Regime::Dora) && contract.is_none_or(|terms| terms.transition.is_none()) {
        let message = "DORA, Article 30(3)(f), asks for a transition period that is agreed: give its days";
        faults.push(Fault::spec("spec.exit.contract.transition", message));
    }
    faults
}

fn data_act(exit: &ExitTerms) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, message: &str| faults.push(Fault::spec(format!("spec.exit.{field}"), message));
    if exit.retrieval_days < DATA_ACT_RETRIEVAL {
        fault("retrievalDays", "the Data Act, Article 25(2)(g), gives the client at least 30 days to fetch its data: give 30 or more");
    }
    let Some(terms) = &exit.contract else { return faults };
    if terms.notice_days > DATA_ACT_NOTICE {
        fault("contract.noticeDays", "the Data Act, Article 25(2)(d), allows two months of notice at most: give 60 or fewer");
    }
    match &terms.transition {
        Some(transition) if transition.days > DATA_ACT_LONGEST => {
            fault("contract.transition.days", "the Data Act, Article 25(4), allows seven months of transition at most: give 210 or fewer");
        }
        Some(transition) if transition.days > DATA_ACT_TRANSITION && transition.reason.is_empty() => fault(
            "contract.transition.reason",
            "the Data Act, Article 25(4), lets a transition take more than 30 days only where they cannot be kept technically: give the reason",
        ),
        _ => {}
    }
    faults
}

/// When the client was handed over, as its condition tells it.
#[must_use]
pub fn handed_over_at(client: &ManagedClient) -> Option<Timestamp> {
    let status = client.status.as_ref()?;
    status.handed_over_by.as_ref()?;
    let condition = find(&status.conditions, ConditionType::HandedOver)?;
    (Is::of(condition) == Is::True).then_some(condition.last_transition_time.0)
}

/// The moment from which the client's data may be erased; `None` before the exit has ended. A release that brings erasure to a client that left long ago
/// announces it first.
#[must_use]
pub fn erasable_from(client: &ManagedClient, now: Timestamp) -> Option<Timestamp> {
    let left = handed_over_at(client)?;
    let announced = client.status.as_ref().and_then(|status| status.erasure.as_ref()?.announced_at.as_ref()).map_or(now, |at| at.0);
    let days = client.spec.exit.retrieval_days.min(ANNOUNCED);
    let heard = announced.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX);
    Some(after_retrieval(client, left).max(heard))
}

/// Whether the client is still looked after: until its exit has ended, and until the end of a transition that goes on after it.
#[must_use]
pub fn is_served(client: &ManagedClient, now: Timestamp) -> bool {
    handed_over_at(client).is_none_or(|left| now < served_until(client, left))
}

fn served_until(client: &ManagedClient, left: Timestamp) -> Timestamp {
    let exit = &client.spec.exit;
    let calendar = exit.contract.as_ref().and_then(Calendar::of);
    let moved = calendar.as_ref().and_then(|calendar| calendar.end_of(calendar.moved_by(&exit.regimes)?));
    moved.map_or(left, |moved| moved.max(left))
}

fn after_retrieval(client: &ManagedClient, left: Timestamp) -> Timestamp {
    let days = SignedDuration::from_hours(24 * i64::from(client.spec.exit.retrieval_days));
    served_until(client, left).saturating_add(days).unwrap_or(Timestamp::MAX)
}

/// What is known of how far the exit is.
struct Facts {
    now: Timestamp,
    delivered: Option<Timestamp>,
    left: Option<Timestamp>,
    erased: Option<Timestamp>,
    is_held: bool,
}

impl Facts {
    fn of(client: &ManagedClient, handovers: &[Handover], now: Timestamp) -> Self {
        let delivered = handovers.iter().filter(|handover| life(handover).is_some()).filter_map(|handover| {
            let steps = &handover.status.as_ref()?.steps;
            let verify = steps.iter().find(|record| record.step == HandoverStep::Verify && record.state == StepState::Completed)?;
            Some(verify.completed_at.as_ref()?.0)
        });
        let erasure = client.status.as_ref().and_then(|status| status.erasure.as_ref());
        Self {
            now,
            delivered: delivered.min(),
            left: handed_over_at(client),
            erased: erasure.and_then(|erasure| Some(erasure.completed_at.as_ref()?.0)),
            is_held: client.spec.exit.legal_hold.is_some(),
        }
    }

    /// How a deadline stands that something must be done by.
    fn by(&self, at: Timestamp, done: Option<Timestamp>) -> DeadlineState {
        match done {
            Some(done) if done < at => DeadlineState::Met,
            _ if self.now >= at => DeadlineState::Missed,
            _ => self.ahead(at),
        }
    }

    /// How a moment stands that only passes.
    fn passing(&self, at: Timestamp, then: DeadlineState) -> DeadlineState {
        if self.now >= at { then } else { self.ahead(at) }
    }

    fn ahead(&self, at: Timestamp) -> DeadlineState {
        if at.duration_since(self.now) < NEAR { DeadlineState::Near } else { DeadlineState::Pending }
    }
}

fn row(kind: DeadlineKind, rule: &str, (at, state): (Timestamp, DeadlineState), message: String) -> Deadline {
    Deadline { kind, rule: rule.into(), at: Time(at), state, message }
}

/// All deadlines that are known, the earliest first. None where neither a contract's end nor an exit gives one.
#[must_use]
pub fn deadlines(client: &ManagedClient, handovers: &[Handover], now: Timestamp) -> Vec<Deadline> {
    let (exit, facts) = (&client.spec.exit, Facts::of(client, handovers, now));
    let calendar = exit.contract.as_ref().and_then(Calendar::of);
    let mut found = Vec::new();
    if let Some(calendar) = &calendar {
        found.extend(notice(calendar, &facts));
        found.extend(feasibility(calendar, exit, &facts));
        found.extend(delivery(calendar, exit, &facts));
        found.extend(phase_out(calendar, exit, &facts));
    }
    let moved = calendar.as_ref().and_then(|calendar| calendar.end_of(calendar.moved_by(&exit.regimes)?));
    if let Some(left) = facts.left.or(moved) {
        found.extend(after(client, left, &facts));
    }
    if facts.left.is_none() {
        found.extend(agreements::deadlines(client, now));
        found.extend(external_services::deadlines(client, now));
    }
    found.sort_by_key(|deadline| (deadline.at.0, deadline.kind));
    found
}

fn notice(calendar: &Calendar<'_>, facts: &Facts) -> Option<Deadline> {
    if calendar.noticed_on.is_some() || facts.left.is_some() {
        return None;
    }
    let (end, days) = (calendar.ends_on?, calendar.terms.notice_days);
    let day = end.saturating_sub(i64::from(days).days());
    let at = calendar.end_of(day)?;
    let message =
        format!("the contract ends on {end} and wants {days} day(s) of notice: record it in spec.exit.contract.notice, or move endsOn");
    Some(row(DeadlineKind::Notice, "Contract", (at, facts.passing(at, DeadlineState::Passed)), message))
}

/// When the last day on which notice can be given begins; `None` without a last day of the contract, and once notice was given.
#[must_use]
pub(super) fn notice_begins(exit: &ExitTerms) -> Option<Timestamp> {
    let calendar = Calendar::of(exit.contract.as_ref()?)?;
    if calendar.noticed_on.is_some() {
        return None;
    }
    let day = calendar.ends_on?.saturating_sub(i64::from(calendar.terms.notice_days).days());
    day.to_zoned(calendar.zone.clone()).ok().map(|zoned| zoned.timestamp())
}

fn feasibility(calendar: &Calendar<'_>, exit: &ExitTerms, facts: &Facts) -> Option<Deadline> {
    let transition = calendar.terms.transition.as_ref().filter(|transition| transition.days > DATA_ACT_TRANSITION)?;
    let noticed = calendar.noticed_on.filter(|_| exit.regimes.contains(&Regime::DataAct))?;
    let holidays: Vec<Date> = calendar.terms.holidays.iter().filter_map(|text| date(text)).collect();
    let at = calendar.end_of(working_days_after(noticed, DATA_ACT_TELL, &holidays))?;
    let told = date(&transition.told_on).and_then(|day| day.to_zoned(calendar.zone.clone()).ok()).map(|zoned| zoned.timestamp());
    // Without holidays the day comes too early at the worst, and that is said.
    let unknown = if holidays.is_empty() { "; public holidays are not known: give them in spec.exit.contract.holidays" } else { "" };
    let message = format!(
        "Data Act, Article 25(4): within 14 working days of the notice the client is told why the transition takes more than 30 days; record the day in \
         spec.exit.contract.transition.toldOn{unknown}"
    );
    Some(row(DeadlineKind::Feasibility, "DataAct", (at, facts.by(at, told)), message))
}

fn delivery(calendar: &Calendar<'_>, exit: &ExitTerms, facts: &Facts) -> Option<Deadline> {
    let day = calendar.moved_by(&exit.regimes)?;
    let at = calendar.end_of(day)?;
    let rule = if exit.regimes.contains(&Regime::DataAct) { "DataAct" } else { "Contract" };
    let message =
        format!("a final exit has delivered and verified its bundle by the end of {day}, the last day of contract and transition");
    Some(row(DeadlineKind::Delivery, rule, (at, facts.by(at, facts.delivered)), message))
}

fn phase_out(calendar: &Calendar<'_>, exit: &ExitTerms, facts: &Facts) -> Option<Deadline> {
    let day = plus(calendar.ends_on.filter(|_| exit.regimes.contains(&Regime::Far))?, FAR_PHASE_OUT);
    let at = calendar.end_of(day)?;
    let message = format!(
        "FAR 52.237-3(b): our services can be called on for up to 90 days after the contract, until the end of {day}; accept no final exit before the \
         contracting officer has released us"
    );
    Some(row(DeadlineKind::PhaseOut, "Far", (at, facts.passing(at, DeadlineState::Passed)), message))
}

/// Retrieval and erasure, counted from a moment at which the exit has ended or should have.
fn after(client: &ManagedClient, left: Timestamp, facts: &Facts) -> [Deadline; 2] {
    let exit = &client.spec.exit;
    let rule = match () {
        () if exit.regimes.contains(&Regime::DataAct) => "DataAct",
        () if exit.regimes.contains(&Regime::Hipaa) => "Hipaa",
        () => "Contract",
    };
    let from = erasable_from(client, facts.now).unwrap_or_else(|| after_retrieval(client, left));
    let days = exit.retrieval_days;
    let fetch = format!("the client can fetch its bundle for {days} day(s) after exit and transition; nothing is erased before");
    let retrieval = row(DeadlineKind::Retrieval, rule, (from, facts.passing(from, DeadlineState::Passed)), fetch);
    let at = from.saturating_add(TO_ERASE).unwrap_or(Timestamp::MAX);
    let state = match facts.by(at, facts.erased) {
        DeadlineState::Met => DeadlineState::Met,
        _ if facts.is_held => DeadlineState::Held,
        // An exit that never began has nothing to erase; that it did not begin is told by the delivery.
        DeadlineState::Missed if facts.left.is_none() => DeadlineState::Pending,
        state => state,
    };
    let message = match rule {
        "Hipaa" => {
            "45 CFR 164.504(e)(2)(ii)(J): protected health information is returned or destroyed at the end, where that is feasible; the provider's \
                    copies are erased within a day after retrieval, and what is kept has a reason"
        }
        _ => "the provider's copies are erased within a day after retrieval, but for what spec.exit.dispositions keeps",
    };
    [retrieval, row(DeadlineKind::Erasure, rule, (at, state), message.into())]
}

fn named(deadlines: &[Deadline], state: DeadlineState) -> Vec<String> {
    let of = |deadline: &Deadline| {
        format!("{:?} ({}) by {}: {}", deadline.kind, deadline.rule, deadline.at.0.strftime("%Y-%m-%d %H:%M UTC"), deadline.message)
    };
    deadlines.iter().filter(|deadline| deadline.state == state).map(of).collect()
}

/// The condition `DeadlinesMet`.
pub fn condition(set: &mut ConditionSet, deadlines: &[Deadline]) {
    let kind = ConditionType::DeadlinesMet;
    let missed = named(deadlines, DeadlineState::Missed);
    if !missed.is_empty() {
        set.set(kind, Is::False, Reason::DeadlineMissed, format!("missed: {}", missed.join("; ")));
    } else if deadlines.is_empty() {
        set.set(kind, Is::Unknown, Reason::NotRequested, "spec.exit.contract names no end, no agreement expires, and no exit has ended");
    } else {
        set.set(
            kind,
            Is::True,
            Reason::Settled,
            named(deadlines, DeadlineState::Near).first().map_or(String::new(), |next| format!("next: {next}")),
        );
    }
}

/// Why the deadlines may not be kept: one was missed, or the delivery is near and no exit has begun.
#[must_use]
pub fn blocker(deadlines: &[Deadline], client: &ManagedClient) -> Option<String> {
    // An agreement or a service whose term is over keeps nobody from leaving.
    let is_of_exit = |deadline: &&Deadline| !matches!(deadline.kind, DeadlineKind::Agreement | DeadlineKind::Renewal);
    let deadlines: Vec<Deadline> = deadlines.iter().filter(is_of_exit).cloned().collect();
    if let Some(missed) = named(&deadlines, DeadlineState::Missed).into_iter().next() {
        return Some(format!("missed: {missed}"));
    }
    let near = deadlines.iter().find(|deadline| deadline.kind == DeadlineKind::Delivery && deadline.state == DeadlineState::Near)?;
    let by = near.at.0.strftime("%Y-%m-%d %H:%M UTC");
    Some(format!("a bundle must be delivered by {by}, and no final exit has begun: kubectl caretaker exit {} --final", client.name_any()))
}

/// The Handover that begins by itself, once the contract's last day is over: its name and what it asks for.
#[must_use]
pub fn contract_handover(client: &ManagedClient, handovers: &[Handover], now: Timestamp) -> Option<(String, HandoverSpec)> {
    let terms = client.spec.exit.contract.as_ref().filter(|terms| terms.at_end == AtEnd::HandOver)?;
    let calendar = Calendar::of(terms)?;
    let day = date(&terms.ends_on)?;
    let has_left = client.status.as_ref().is_some_and(|status| status.handed_over_by.is_some());
    let is_over = now >= calendar.end_of(day)?;
    if !is_over || has_left || client.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let name = format!("contract-end-{}", day.strftime("%Y%m%d"));
    // One that a person called off does not come back: who extends the contract moves its last day.
    let is_there = handovers.iter().any(|handover| life(handover) >= Some(Life::Asked) || handover.name_any() == name);
    let spec = HandoverSpec { mode: HandoverMode::Final, client: client.name_any(), ..HandoverSpec::default() };
    (!is_there).then_some((name, spec))
}

#[cfg(test)]
mod tests;
