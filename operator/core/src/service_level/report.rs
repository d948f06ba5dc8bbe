//! The report of a month, from the days that are kept and the versions of the terms. The same inputs give the same bytes.

use std::collections::BTreeMap;

use caretaker_api::service_level::{Objective, UptimeSource};
use caretaker_api::service_report::LevelVerdict;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::credit::{self, Claim};
use super::day::{RawDay, Target};
use super::figure::{Figure, States, combine};
use super::month::{Month, days, start_of_day};
use super::percent::{Percent, Share};
use super::spans::{Span, Spans};
use super::terms::{self, Excluded, Version};

/// Word at the head of the file.
pub const FORMAT: &str = "caretaker-service-report-1";

/// Why there is no file of a day, where nobody knows.
const UNKNOWN: &str = "no measurements of this day are kept";

/// What a report is made of.
pub struct Inputs<'a> {
    /// The client.
    pub client: &'a str,
    /// The month.
    pub month: Month,
    /// Whether it is a trial.
    pub dry_run: bool,
    /// The versions of the terms, in order.
    pub versions: &'a [Version],
    /// The days that are kept, each with the SHA-256 of its file, in order.
    pub days: &'a [(RawDay, String)],
    /// Days that are not kept, and why.
    pub missing: &'a BTreeMap<String, String>,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Always [`FORMAT`].
    pub format: String,
    /// The client.
    pub client: String,
    /// The month.
    pub month: String,
    /// Time zone.
    pub zone: String,
    /// Begin.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
    /// Whether it is a trial.
    pub dry_run: bool,
    /// The worst of the verdicts.
    pub verdict: LevelVerdict,
    /// The objectives.
    pub objectives: Vec<ObjectiveReport>,
    /// Times that do not count.
    pub excluded: Vec<Excluded>,
    /// Credits, where they are agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// Versions of the terms that were in force.
    pub terms: Vec<TermsUsed>,
    /// Files of measurements that it is made of.
    pub days: Vec<DayUsed>,
    /// Days of the month of which there is no file.
    pub missing_days: Vec<DayMissing>,
}

/// A version of the terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TermsUsed {
    /// When it was in force in the month.
    pub span: Span,
    /// SHA-256 of the terms.
    pub sha256: String,
}

/// A file of measurements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayUsed {
    /// The UTC day.
    pub day: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// A day without measurements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayMissing {
    /// The UTC day.
    pub day: String,
    /// Why.
    pub reason: String,
}

/// One objective.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectiveReport {
    /// Its name.
    pub name: String,
    /// The worst verdict of its segments.
    pub verdict: LevelVerdict,
    /// Its segments: one, or more where it was changed in the month.
    pub segments: Vec<Segment>,
}

/// The time in which an objective said the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// When.
    pub span: Span,
    /// The target in percent.
    pub target: String,
    /// The verdict.
    pub verdict: LevelVerdict,
    /// The figure.
    pub figure: Figure,
    /// Share that was up in percent, rounded down, if all time that is not known was down; none where nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_percent: Option<String>,
    /// The same if it was up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_percent: Option<String>,
    /// When it was down, with excluded time.
    pub down: Spans,
    /// When nothing is known, with excluded time.
    pub unknown: Spans,
    /// When it was to be measured.
    pub measured: Spans,
    /// The targets.
    pub targets: Vec<TargetReport>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// What it is called.
    pub id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its own figure.
    pub figure: Figure,
    /// Share that was up in percent at worst.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_percent: Option<String>,
    /// When it was down.
    pub down: Spans,
}

/// The report; `None` where no terms were in force in the month, or their zone is not known.
#[must_use]
pub fn report(inputs: &Inputs<'_>) -> Option<Report> {
    let (zone, period) = period(inputs.versions, inputs.month)?;
    let force = terms::in_force(inputs.versions, period);
    let last = force.last()?.1;
    let excluded = terms::excluded(&force, inputs.month, &zone);
    let targets = targets(inputs.days, period);
    let set = terms::set(&excluded);
    let objectives: Vec<(ObjectiveReport, Vec<&Objective>)> =
        terms::agreed(&force).into_iter().map(|(name, segments)| objective(name, &segments, &targets, &set)).collect();
    let end = Timestamp::from_second(period.1).unwrap_or_default();
    let claim = last.terms.credits.as_ref().map(|credits| {
        let segments: Vec<credit::Segment<'_>> = objectives.iter().flat_map(|(told, agreed)| lines(told, agreed, period)).collect();
        credit::claim(credits, &segments, end, &zone)
    });
    let objectives: Vec<ObjectiveReport> = objectives.into_iter().map(|(told, _)| told).collect();
    let touched = days(period);
    Some(Report {
        format: FORMAT.into(),
        client: inputs.client.into(),
        month: inputs.month.text(),
        zone: last.terms.zone.clone(),
        from: Timestamp::from_second(period.0).unwrap_or_default(),
        to: end,
        dry_run: inputs.dry_run,
        verdict: objectives.iter().map(|objective| objective.verdict).max().unwrap_or(LevelVerdict::Undefined),
        objectives,
        excluded,
        claim,
        terms: force.iter().map(|(span, version)| TermsUsed { span: *span, sha256: version.digest.clone() }).collect(),
        days: inputs.days.iter().map(|(day, sha256)| DayUsed { day: day.day.clone(), sha256: sha256.clone() }).collect(),
        missing_days: touched
            .iter()
            .map(ToString::to_string)
            .filter(|day| !inputs.days.iter().any(|(kept, _)| kept.day == *day))
            .map(|day| DayMissing { reason: inputs.missing.get(&day).cloned().unwrap_or_else(|| UNKNOWN.into()), day })
            .collect(),
    })
}

/// Zone and time of a month: in the zone of the last terms that were in force by its end.
#[must_use]
pub fn period(versions: &[Version], month: Month) -> Option<(TimeZone, Span)> {
    // Zones differ by little more than a day: the last version before the end in its own zone is the one.
    versions.iter().rev().find_map(|version| {
        let zone = terms::zone(&version.terms)?;
        let span = month.span(&zone);
        (version.since.as_second() < span.1).then_some((zone, span))
    })
}

fn objective<'a>(
    name: String,
    segments: &[terms::Agreed<'a>],
    targets: &BTreeMap<Target, Known>,
    excluded: &Spans,
) -> (ObjectiveReport, Vec<&'a Objective>) {
    let told: Vec<Segment> = segments.iter().map(|segment| one(segment, targets, excluded)).collect();
    let verdict = told.iter().map(|segment| segment.verdict).max().unwrap_or(LevelVerdict::Undefined);
    (ObjectiveReport { name, verdict, segments: told }, segments.iter().map(|segment| segment.objective).collect())
}

fn one(agreed: &terms::Agreed<'_>, targets: &BTreeMap<Target, Known>, excluded: &Spans) -> Segment {
    let terms::Agreed { span, objective } = agreed;
    let uptime = &objective.uptime;
    let is_meant = |source: UptimeSource, known: &Known| {
        source == uptime.source && uptime.labels.iter().all(|(name, value)| known.labels.get(name) == Some(value))
    };
    let meant: Vec<(&Target, &Known, States)> = targets
        .iter()
        .filter(|((source, _), known)| is_meant(*source, known))
        .map(|(target, known)| (target, known, known.states.within(*span)))
        .filter(|(_, _, states)| !states.measured.is_empty())
        .collect();
    let states = combine(&meant.iter().map(|(_, _, states)| states.clone()).collect::<Vec<_>>(), uptime.up_when);
    let figure = Figure::of(&states, *span, excluded);
    let target = Percent::parse(&objective.target).unwrap_or(Percent::WHOLE);
    Segment {
        span: *span,
        target: target.text(),
        verdict: figure.verdict(target),
        figure,
        worst_percent: figure.worst().text(),
        best_percent: figure.best().text(),
        unknown: states.unknown(),
        measured: states.measured,
        down: states.down,
        targets: meant
            .into_iter()
            .map(|((_, id), known, states)| {
                let figure = Figure::of(&states, *span, excluded);
                let worst_percent = figure.worst().text();
                TargetReport { id: id.clone(), labels: known.labels.clone(), figure, worst_percent, down: states.down }
            })
            .collect(),
    }
}

fn lines<'a>(told: &'a ObjectiveReport, agreed: &[&'a Objective], month: Span) -> Vec<credit::Segment<'a>> {
    let pair = |(index, (segment, objective)): (usize, (&'a Segment, &&'a Objective))| credit::Segment {
        objective: &told.name,
        number: index + 1,
        tiers: &objective.credits,
        part: Share { good: segment.span.seconds(), of: month.seconds() },
        shares: (segment.figure.best(), segment.figure.worst()),
    };
    told.segments.iter().zip(agreed).enumerate().map(pair).collect()
}

/// A target in all days.
#[derive(Clone, Debug, Default)]
struct Known {
    labels: BTreeMap<String, String>,
    states: States,
}

/// A target on its way: its labels, and when it was measured, up and down.
type Gathered = (BTreeMap<String, String>, [Vec<Span>; 3]);

/// All targets with all that is kept of them. A day that is not kept is unknown time of every target that was to be measured before it.
fn targets(kept: &[(RawDay, String)], period: Span) -> BTreeMap<Target, Known> {
    let mut all: BTreeMap<Target, Gathered> = BTreeMap::new();
    let mut staying: Vec<Target> = Vec::new();
    let first = kept.first().and_then(|(day, _)| day.day.parse::<jiff::civil::Date>().ok());
    let begin = first.map_or(period.0, |day| start_of_day(day, &TimeZone::UTC).min(period.0));
    for date in days(Span(begin, period.1)) {
        let name = date.to_string();
        match kept.iter().find(|(day, _)| day.day == name) {
            None => {
                let from = start_of_day(date, &TimeZone::UTC);
                for target in &staying {
                    all.entry(target.clone()).or_default().1[0].push(Span(from, from + 86_400));
                }
            }
            Some((day, _)) => {
                for series in &day.series {
                    let (labels, spans) = all.entry((series.source, series.id.clone())).or_default();
                    *labels = series.labels.clone();
                    for (spans, more) in spans.iter_mut().zip([&series.measured, &series.up, &series.down]) {
                        spans.extend(more.list());
                    }
                }
                staying = day.series.iter().filter(|series| series.stays).map(|series| (series.source, series.id.clone())).collect();
            }
        }
    }
    let known = |(target, (labels, [measured, up, down])): (Target, Gathered)| {
        let (measured, down) = (Spans::from(measured), Spans::from(down));
        let down = down.and(&measured);
        let up = Spans::from(up).and(&measured).without(&down);
        (target, Known { labels, states: States { measured, up, down } })
    };
    all.into_iter().map(known).collect()
}
