//! The terms: their faults, their versions, and the times that do not count under them.

use caretaker_api::service_level::{Exclusion, Objective, ServiceLevelTerms, WeeklyWindow};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::month::Month;
use super::percent::Percent;
use super::spans::{Span, Spans};
use crate::digest::json_digest;
use crate::outcome::Fault;
use crate::zone;

/// Word at the head of a version's file.
pub const FORMAT: &str = "caretaker-levels-terms-1";

/// A version of the terms, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Always [`FORMAT`].
    pub format: String,
    /// Since when they are in force: when they were first seen, to the second.
    pub since: Timestamp,
    /// SHA-256 of the terms.
    pub digest: String,
    /// The terms.
    pub terms: ServiceLevelTerms,
}

impl Version {
    /// The terms from a moment on.
    #[must_use]
    pub fn new(terms: &ServiceLevelTerms, since: Timestamp) -> Self {
        let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
        Self { format: FORMAT.into(), since, digest: json_digest(terms), terms: terms.clone() }
    }
}

/// The time zone of the terms; `None` where there is none of the name.
#[must_use]
pub fn zone(terms: &ServiceLevelTerms) -> Option<TimeZone> {
    zone::zone(&terms.zone).ok()
}

/// What the schema cannot tell.
#[must_use]
pub fn faults(terms: &ServiceLevelTerms, field: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Err(message) = zone::zone(&terms.zone) {
        faults.push(Fault::spec(format!("{field}.zone"), message));
    }
    let mut percent = |place: String, text: &str| {
        if Percent::parse(text).is_none() {
            faults.push(Fault::spec(place, format!("{text} is not a percentage from 0 to 100 with at most six decimals")));
        }
    };
    for (index, objective) in terms.objectives.iter().enumerate() {
        percent(format!("{field}.objectives[{index}].target"), &objective.target);
        for (tier, credit) in objective.credits.iter().enumerate() {
            percent(format!("{field}.objectives[{index}].credits[{tier}].below"), &credit.below);
            percent(format!("{field}.objectives[{index}].credits[{tier}].percent"), &credit.percent);
        }
    }
    if let Some(credits) = &terms.credits {
        percent(format!("{field}.credits.capPercent"), &credits.cap_percent);
    }
    for (index, exclusion) in terms.exclusions.iter().enumerate() {
        if span(exclusion).is_none() {
            faults.push(Fault::spec(
                format!("{field}.exclusions[{index}]"),
                "from and to must be times such as 2026-11-03T22:00:00Z, from before to",
            ));
        }
    }
    if terms.credits.is_none() && terms.objectives.iter().any(|objective| !objective.credits.is_empty()) {
        faults.push(Fault::spec(
            format!("{field}.credits"),
            "objectives have credits: say how much is credited at most, and how long a claim may take",
        ));
    }
    faults
}

fn span(exclusion: &Exclusion) -> Option<Span> {
    let second = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_second);
    let span = Span(second(&exclusion.from)?, second(&exclusion.to)?);
    (span.0 < span.1).then_some(span)
}

/// A time that does not count, as a report tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Excluded {
    /// When, within the month.
    pub span: Span,
    /// Why.
    pub reason: String,
    /// Since when the terms have it.
    pub entered: Timestamp,
    /// Whether it was entered after it had begun.
    pub is_late: bool,
}

/// The times of a month that do not count: the windows of maintenance under the terms of their moment, and the single times of the last terms.
#[must_use]
pub fn excluded(versions: &[(Span, &Version)], month: Month, zone: &TimeZone) -> Vec<Excluded> {
    let mut all = Vec::new();
    for (force, version) in versions {
        for window in &version.terms.maintenance {
            for found in occurrences(window, month, zone) {
                let cut = Span(found.0.max(force.0), found.1.min(force.1));
                if cut.0 < cut.1 {
                    all.push(Excluded { span: cut, reason: window.reason.clone(), entered: version.since, is_late: false });
                }
            }
        }
    }
    if let (Some((first, _)), Some((last, version))) = (versions.first(), versions.last()) {
        for exclusion in &version.terms.exclusions {
            let Some(found) = span(exclusion) else { continue };
            let cut = Span(found.0.max(first.0), found.1.min(last.1));
            let entered =
                versions.iter().find(|(_, version)| version.terms.exclusions.contains(exclusion)).map_or(version.since, |(_, v)| v.since);
            if cut.0 < cut.1 {
                all.push(Excluded { span: cut, reason: exclusion.reason.clone(), entered, is_late: entered.as_second() > found.0 });
            }
        }
    }
    all.sort_by(|one, other| (one.span, &one.reason).cmp(&(other.span, &other.reason)));
    all
}

/// The set of them.
pub(super) fn set(excluded: &[Excluded]) -> Spans {
    excluded.iter().map(|excluded| excluded.span).collect()
}

/// When a weekly window is in a month, and in the day before it. A begin that the clock leaves out is that much later; one that comes twice is the first.
/// It lasts as many minutes as it says, whatever the clock does meanwhile.
fn occurrences(window: &WeeklyWindow, month: Month, zone: &TimeZone) -> Vec<Span> {
    let Some((hour, minute)) = window.from.split_once(':') else { return Vec::new() };
    let (Ok(hour), Ok(minute)) = (hour.parse(), minute.parse()) else { return Vec::new() };
    let Ok(time) = Time::new(hour, minute, 0, 0) else { return Vec::new() };
    let day_before = month.dates().next().into_iter().map(|first| first.saturating_sub(1.day()));
    let days = day_before.chain(month.dates()).filter(|date| date.weekday() == window.day.civil());
    let span = |date: jiff::civil::Date| {
        let from = date.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp().as_second();
        Some(Span(from, from + 60 * i64::from(window.minutes)))
    };
    days.filter_map(span).collect()
}

/// The versions that were in force in a month, each with its time in it.
#[must_use]
pub fn in_force(versions: &[Version], month: Span) -> Vec<(Span, &Version)> {
    let mut found = Vec::new();
    for (index, version) in versions.iter().enumerate() {
        let next = versions.get(index + 1).map_or(i64::MAX, |next| next.since.as_second());
        let force = Span(version.since.as_second().max(month.0), next.min(month.1));
        if force.0 < force.1 {
            found.push((force, version));
        }
    }
    found
}

/// An objective with the time in which it said the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreed<'a> {
    /// When it was agreed so.
    pub span: Span,
    /// The objective.
    pub objective: &'a Objective,
}

/// The objectives by their names, each with its segments in order. Terms that changed elsewhere divide no segment.
#[must_use]
pub fn agreed<'a>(versions: &[(Span, &'a Version)]) -> Vec<(String, Vec<Agreed<'a>>)> {
    let mut all: Vec<(String, Vec<Agreed<'a>>)> = Vec::new();
    for (force, version) in versions {
        for objective in &version.terms.objectives {
            let index = all.iter().position(|(name, _)| *name == objective.name).unwrap_or_else(|| {
                all.push((objective.name.clone(), Vec::new()));
                all.len() - 1
            });
            let segments = &mut all[index].1;
            match segments.last_mut() {
                Some(last) if last.span.1 == force.0 && last.objective == objective => last.span.1 = force.1,
                _ => segments.push(Agreed { span: *force, objective }),
            }
        }
    }
    all
}
