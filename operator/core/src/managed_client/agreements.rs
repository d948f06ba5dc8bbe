//! Agreements: which of them regulated data needs, whether they are in force, and when they expire.
//!
//! Sources: 45 CFR 164.504(e); Regulation (EU) 2016/679 (GDPR), Article 28(3); DFARS 252.204-7012(m); PCI DSS 4.0, requirements 12.8.2 and 12.9.1. Whether a
//! rule applies is a question for lawyers.

use caretaker_api::ManagedClient;
use caretaker_api::agreements::{Agreement, AgreementKind, RegulatedData};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::exit_terms::{Deadline, DeadlineKind, DeadlineState};
use caretaker_api::managed_client::ManagedClientSpec;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{ConditionSet, Is};
use crate::outcome::Fault;

/// Days before its end from which an agreement is near it: to negotiate one takes longer than to press a button.
pub(crate) const NEAR_DAYS: i64 = 30;
/// The same as a time.
pub(super) const NEAR: SignedDuration = SignedDuration::from_hours(NEAR_DAYS * 24);

/// The data in words, the agreement that it needs, and the rule.
const fn need(data: RegulatedData) -> (&'static str, AgreementKind, &'static str) {
    match data {
        RegulatedData::Phi => ("protected health information", AgreementKind::Baa, "45 CFR 164.504(e)"),
        RegulatedData::PersonalData => ("personal data", AgreementKind::Dpa, "GDPR, Article 28(3)"),
        RegulatedData::Cui => ("controlled unclassified information", AgreementKind::FlowDown, "DFARS 252.204-7012(m)"),
        RegulatedData::CardData => ("card data", AgreementKind::CardDataDuties, "PCI DSS 4.0, 12.8.2 and 12.9.1"),
    }
}

fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}

/// The zone in which days begin and end: that of the contract.
pub(super) fn zone(spec: &ManagedClientSpec) -> TimeZone {
    let named = spec.exit.contract.as_ref().and_then(|contract| crate::zone::zone(&contract.zone).ok());
    named.unwrap_or(TimeZone::UTC)
}

fn is_in_force(agreement: &Agreement, today: Date) -> bool {
    let is_signed = date(&agreement.signed_on).is_some_and(|signed| signed <= today);
    is_signed && (agreement.expires_on.is_empty() || date(&agreement.expires_on).is_some_and(|end| today <= end))
}

/// Agreements of a kind that are in force.
#[must_use]
pub fn in_force(spec: &ManagedClientSpec, kind: AgreementKind, now: Timestamp) -> Vec<&Agreement> {
    let today = now.to_zoned(zone(spec)).date();
    spec.agreements.iter().filter(|agreement| agreement.kind == kind && is_in_force(agreement, today)).collect()
}

/// Days that do not exist, and agreements that end before they begin.
#[must_use]
pub fn faults(spec: &ManagedClientSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, agreement) in spec.agreements.iter().enumerate() {
        let mut fault = |field: &str, message: String| faults.push(Fault::spec(format!("spec.agreements[{index}].{field}"), message));
        let (signed, end) = (date(&agreement.signed_on), date(&agreement.expires_on));
        if signed.is_none() {
            fault("signedOn", format!("there is no day {}: correct it", agreement.signed_on));
        }
        if end.is_none() && !agreement.expires_on.is_empty() {
            fault("expiresOn", format!("there is no day {}: correct it", agreement.expires_on));
        }
        if let (Some(signed), Some(end)) = (signed, end)
            && end < signed
        {
            fault("expiresOn", format!("it ends on {end}, before it was signed on {signed}: correct one of them"));
        }
    }
    faults
}

/// Why no agreement of a kind is in force.
fn lacking(spec: &ManagedClientSpec, kind: AgreementKind, today: Date) -> String {
    let of_kind = || spec.agreements.iter().filter(|agreement| agreement.kind == kind);
    let signed_later = of_kind().filter_map(|agreement| date(&agreement.signed_on)).filter(|signed| *signed > today).min();
    let ended = of_kind().filter_map(|agreement| date(&agreement.expires_on)).filter(|end| *end < today).max();
    match (signed_later, ended) {
        (Some(day), _) => format!("it holds from {day} on"),
        (None, Some(day)) => format!("it expired on {day}"),
        (None, None) => "none is recorded".into(),
    }
}

/// What is missing, each on one line; empty where nothing is.
#[must_use]
pub fn missing(spec: &ManagedClientSpec, now: Timestamp) -> Vec<String> {
    let today = now.to_zoned(zone(spec)).date();
    let lacks = |data: &RegulatedData| {
        let (words, kind, rule) = need(*data);
        let holds = spec.agreements.iter().any(|agreement| agreement.kind == kind && is_in_force(agreement, today));
        (!holds).then(|| format!("{words} is in scope, and no {} is in force ({rule}): {}", kind.as_str(), lacking(spec, kind, today)))
    };
    spec.regulated_data.iter().filter_map(lacks).collect()
}

/// The condition `AgreementsInForce`.
pub fn condition(set: &mut ConditionSet, spec: &ManagedClientSpec, now: Timestamp) {
    let kind = ConditionType::AgreementsInForce;
    if spec.regulated_data.is_empty() {
        return set.set(kind, Is::Unknown, Reason::NotRequested, "spec.regulatedData names nothing: no agreement is asked for");
    }
    let missing = missing(spec, now);
    if missing.is_empty() {
        let needed = spec.regulated_data.iter().map(|data| need(*data).1.as_str()).collect::<Vec<_>>().join(", ");
        return set.set(kind, Is::True, Reason::Settled, format!("in force: {needed}"));
    }
    let message = format!("{}. Sign it, and record it in spec.agreements", missing.join("; "));
    set.set(kind, Is::False, Reason::AgreementMissing, message);
}

/// Whether another agreement takes the place of one when it ends, without a day between them.
fn is_renewed(spec: &ManagedClientSpec, agreement: &Agreement, end: Date) -> bool {
    let next_day = end.saturating_add(1.days());
    spec.agreements.iter().filter(|other| other.kind == agreement.kind && other.party == agreement.party).any(|other| {
        let is_signed = date(&other.signed_on).is_some_and(|signed| signed <= next_day);
        is_signed && (other.expires_on.is_empty() || date(&other.expires_on).is_some_and(|later| later > end))
    })
}

/// The end of each agreement that ends.
#[must_use]
pub fn deadlines(client: &ManagedClient, now: Timestamp) -> Vec<Deadline> {
    let (spec, zone) = (&client.spec, zone(&client.spec));
    let row = |agreement: &Agreement| {
        let end = date(&agreement.expires_on)?;
        let at = end.saturating_add(1.days()).to_zoned(zone.clone()).ok()?.timestamp();
        let state = match () {
            () if is_renewed(spec, agreement, end) => DeadlineState::Met,
            () if now >= at => DeadlineState::Missed,
            () if at.duration_since(now) < NEAR => DeadlineState::Near,
            () => DeadlineState::Pending,
        };
        let needs = spec.regulated_data.iter().map(|data| need(*data)).find(|(_, kind, _)| *kind == agreement.kind);
        let why = needs.map_or_else(String::new, |(words, _, rule)| format!("; {words} needs it ({rule})"));
        let message = format!(
            "{} {} of the {} expires at the end of {end}{why}: renew it, and record the new one in spec.agreements",
            agreement.kind.as_str(),
            agreement.reference,
            agreement.party.as_str().to_lowercase()
        );
        Some(Deadline { kind: DeadlineKind::Agreement, rule: agreement.kind.as_str().into(), at: Time(at), state, message })
    };
    spec.agreements.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests;
