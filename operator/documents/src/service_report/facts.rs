//! What the templates tell: texts and places of plots.

use caretaker_api::service_report::LevelVerdict;
use caretaker_core::service_level::credit::{Claim, REMEDY};
use caretaker_core::service_level::report::{ObjectiveReport, Segment};
use caretaker_core::service_level::{Figure, Report, Span, Spans};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// Width of a plot in pixels.
const WIDTH: i64 = 900;
/// Most outages that are listed of a segment.
const MOST: usize = 100;
/// Most targets that are listed of a segment, the worst ones.
const TARGETS: usize = 100;

#[derive(Serialize)]
pub(super) struct Facts {
    client: String,
    month: String,
    zone: String,
    from: String,
    to: String,
    dry_run: bool,
    verdict: &'static str,
    says: &'static str,
    objectives: Vec<Objective>,
    excluded: Vec<Excluded>,
    missing: Vec<(String, String)>,
    claim: Option<Claim>,
    remedy: &'static str,
    days: usize,
    width: i64,
}

#[derive(Serialize)]
struct Objective {
    name: String,
    verdict: &'static str,
    segments: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    number: usize,
    from: String,
    to: String,
    target: String,
    verdict: &'static str,
    says: &'static str,
    worst: String,
    best: String,
    counted: i64,
    up: i64,
    down: i64,
    unknown: i64,
    excluded: i64,
    unmeasured: i64,
    down_text: String,
    unknown_text: String,
    measured_text: String,
    outages: Vec<Outage>,
    more_outages: usize,
    bars: Vec<Bar>,
    targets: Vec<Target>,
    more_targets: usize,
}

#[derive(Serialize)]
struct Outage {
    from: String,
    to: String,
    lasts: String,
}

#[derive(Serialize)]
struct Bar {
    x: i64,
    width: i64,
    what: &'static str,
    colour: &'static str,
    title: String,
}

#[derive(Serialize)]
struct Target {
    id: String,
    name: String,
    worst: String,
    down: String,
    unknown: String,
    measured: String,
}

#[derive(Serialize)]
struct Excluded {
    from: String,
    to: String,
    reason: String,
    entered: String,
    is_late: bool,
}

/// A second in UTC.
pub(super) fn time(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |at| at.to_string())
}

/// So many seconds as people say it, exactly.
fn lasts(seconds: i64) -> String {
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let parts: Vec<String> = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    if parts.is_empty() { "0 s".into() } else { parts.join(" ") }
}

fn says(verdict: LevelVerdict) -> &'static str {
    match verdict {
        LevelVerdict::Met => "met, even if all time that is not known was down",
        LevelVerdict::Missed => "missed, even if all time that is not known was up",
        LevelVerdict::Undetermined => "not determined: it depends on time of which nothing is known",
        LevelVerdict::Undefined => "undefined: nothing was measured",
    }
}

impl Facts {
    pub(super) fn of(report: &Report) -> Self {
        let zone = TimeZone::get(&report.zone).unwrap_or(TimeZone::UTC);
        let local = |second: i64| {
            let at = Timestamp::from_second(second).unwrap_or_default().to_zoned(zone.clone());
            at.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
        };
        Self {
            client: report.client.clone(),
            month: report.month.clone(),
            zone: report.zone.clone(),
            from: local(report.from.as_second()),
            to: local(report.to.as_second()),
            dry_run: report.dry_run,
            verdict: report.verdict.as_str(),
            says: says(report.verdict),
            objectives: report.objectives.iter().map(|objective| self::objective(objective, report, &local)).collect(),
            excluded: report
                .excluded
                .iter()
                .map(|excluded| Excluded {
                    from: local(excluded.span.0),
                    to: local(excluded.span.1),
                    reason: excluded.reason.clone(),
                    entered: local(excluded.entered.as_second()),
                    is_late: excluded.is_late,
                })
                .collect(),
            missing: report.missing_days.iter().map(|day| (day.day.clone(), day.reason.clone())).collect(),
            claim: report.claim.clone(),
            remedy: REMEDY,
            days: report.days.len(),
            width: WIDTH,
        }
    }
}

fn objective(objective: &ObjectiveReport, report: &Report, local: &dyn Fn(i64) -> String) -> Objective {
    let excluded: Spans = report.excluded.iter().map(|excluded| excluded.span).collect();
    let part = |(index, segment): (usize, &Segment)| part(index + 1, segment, &excluded, local);
    let segments = objective.segments.iter().enumerate().map(part).collect();
    Objective { name: objective.name.clone(), verdict: objective.verdict.as_str(), segments }
}

fn part(number: usize, segment: &Segment, excluded: &Spans, local: &dyn Fn(i64) -> String) -> Part {
    let Figure { unmeasured_seconds, excluded_seconds, counted_seconds, up_seconds, down_seconds, unknown_seconds, .. } = segment.figure;
    let none = || "-".to_owned();
    let down = segment.down.without(excluded);
    let outage = |span: &Span| Outage { from: local(span.0), to: local(span.1), lasts: lasts(span.seconds()) };
    let mut worst: Vec<_> = segment.targets.iter().collect();
    worst.sort_by(|one, other| other.figure.down_seconds.cmp(&one.figure.down_seconds).then_with(|| one.id.cmp(&other.id)));
    Part {
        number,
        from: local(segment.span.0),
        to: local(segment.span.1),
        target: segment.target.clone(),
        verdict: segment.verdict.as_str(),
        says: says(segment.verdict),
        worst: segment.worst_percent.clone().unwrap_or_else(none),
        best: segment.best_percent.clone().unwrap_or_else(none),
        counted: counted_seconds,
        up: up_seconds,
        down: down_seconds,
        unknown: unknown_seconds,
        excluded: excluded_seconds,
        unmeasured: unmeasured_seconds,
        down_text: lasts(down_seconds),
        unknown_text: lasts(unknown_seconds),
        measured_text: lasts(counted_seconds + excluded_seconds),
        outages: down.list().iter().take(MOST).map(outage).collect(),
        more_outages: down.list().len().saturating_sub(MOST),
        bars: bars(segment, excluded, local),
        more_targets: worst.len().saturating_sub(TARGETS),
        targets: worst
            .into_iter()
            .take(TARGETS)
            .map(|target| Target {
                id: target.id.clone(),
                name: target.labels.get("name").cloned().unwrap_or_default(),
                worst: target.worst_percent.clone().unwrap_or_else(none),
                down: lasts(target.figure.down_seconds),
                unknown: lasts(target.figure.unknown_seconds),
                measured: lasts(target.figure.counted_seconds + target.figure.excluded_seconds),
            })
            .collect(),
    }
}

/// The line of a segment: what is drawn later lies above. An outage is never narrower than a pixel.
fn bars(segment: &Segment, excluded: &Spans, local: &dyn Fn(i64) -> String) -> Vec<Bar> {
    let Span(from, to) = segment.span;
    let place = |second: i64| (second - from) * WIDTH / (to - from).max(1);
    let layers = [
        (&segment.measured, "up", "#2f855a"),
        (&segment.unknown, "not known", "#d69e2e"),
        (&segment.down, "down", "#c53030"),
        (&excluded.and(&Spans::of(from, to)), "excluded", "#718096"),
    ];
    let mut bars = Vec::new();
    for (spans, what, colour) in layers {
        let bar = |span: &Span| {
            let title = format!("{what}: {} to {}, {}", local(span.0), local(span.1), lasts(span.seconds()));
            Bar { x: place(span.0), width: (place(span.1) - place(span.0)).max(1), what, colour, title }
        };
        bars.extend(spans.list().iter().map(bar));
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_the_second() {
        for (seconds, expected) in [(0, "0 s"), (59, "59 s"), (2592, "43 min 12 s"), (90_061, "1 d 1 h 1 min 1 s"), (7200, "2 h")] {
            assert_eq!(lasts(seconds), expected);
        }
    }
}
