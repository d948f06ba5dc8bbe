//! The measurements of one UTC day, as they are kept: which target was up and down from when to when.
//!
//! A sample tells of the time until the next one, if that comes within 90 s; else of 60 s, the time between two samples, and nothing is known of the rest. So
//! Prometheus' own habit of taking the last sample for five minutes plays no part.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::service_level::UptimeSource;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::month::start_of_day;
use super::spans::{Span, Spans};

/// Word at the head of the file.
pub const FORMAT: &str = "caretaker-levels-day-1";
/// Seconds between two samples.
pub const INTERVAL: i64 = 60;
/// Longest distance of two samples, in seconds, between which the first one holds.
pub const MOST: i64 = 90;
/// Seconds after the end of a day until it can be read: the sample after it must be there.
pub const SETTLES: i64 = 300;

/// The samples of one series, as Prometheus told them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// Which measurement.
    pub source: UptimeSource,
    /// Labels without the name of the metric.
    pub labels: BTreeMap<String, String>,
    /// Milliseconds since 1970, and whether it was up; in any order.
    pub samples: Vec<(i64, bool)>,
}

/// One target in one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawSeries {
    /// Which measurement.
    pub source: UptimeSource,
    /// What the target is called in every file: cloud, account and id of a machine, or the address.
    pub id: String,
    /// Its labels, the last ones of the day.
    pub labels: BTreeMap<String, String>,
    /// When it was to be measured: from the begin of the day, or its first sample where it is new, to the end of the day, or its last sample where it was
    /// taken out of the monitoring.
    pub measured: Spans,
    /// When it was up.
    pub up: Spans,
    /// When it was down.
    pub down: Spans,
    /// Whether it was still to be measured when the day was read.
    pub stays: bool,
}

/// All targets in one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawDay {
    /// Always [`FORMAT`].
    pub format: String,
    /// The day in UTC, such as `2026-11-03`.
    pub day: String,
    /// When it was read out of Prometheus.
    pub read_at: Timestamp,
    /// The targets, sorted.
    pub series: Vec<RawSeries>,
}

/// Source and id of a target.
pub type Target = (UptimeSource, String);

/// What a target is called in every file, whatever else of its labels changes.
#[must_use]
pub fn id(source: UptimeSource, labels: &BTreeMap<String, String>) -> String {
    let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default();
    match source {
        UptimeSource::Machines if !label("instance_id").is_empty() => {
            format!("{}/{}/{}", label("cloud"), label("account"), label("instance_id"))
        }
        UptimeSource::Machines | UptimeSource::PublicAddresses => label("instance").to_owned(),
    }
}

/// The states that samples tell, cut to a day. Where series of one target contradict each other, it was down.
fn states(mut samples: Vec<(i64, bool)>, day: Span) -> (Spans, Spans) {
    samples.sort_unstable();
    // Of two samples of one second the one that is down counts: it comes first.
    let mut by_second: Vec<(i64, bool)> = samples.into_iter().map(|(milliseconds, up)| (milliseconds.div_euclid(1000), up)).collect();
    by_second.sort_unstable();
    by_second.dedup_by_key(|(second, _)| *second);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for (index, (second, is_up)) in by_second.iter().enumerate() {
        let next = by_second.get(index + 1).map(|(next, _)| *next).filter(|next| next - second <= MOST);
        let span = Span(*second, next.unwrap_or(second + INTERVAL));
        if *is_up { up.push(span) } else { down.push(span) }
    }
    let within = Spans::of(day.0, day.1);
    (Spans::from(up).and(&within), Spans::from(down).and(&within))
}

/// What is known around a day: the last day before it that is kept, and what is to be measured now.
pub type Around<'a> = (Option<&'a RawDay>, &'a BTreeSet<Target>);

/// A target on its way into a day: its labels, and the samples of each of its series.
type Gathered = (BTreeMap<String, String>, Vec<Vec<(i64, bool)>>);

/// One day, from the samples of it and of 90 s around it.
#[must_use]
pub fn day(date: Date, sampled: Vec<Sampled>, (before, active): Around<'_>, now: Timestamp) -> RawDay {
    let from = start_of_day(date, &TimeZone::UTC);
    let span = Span(from, from + 86_400);
    let mut targets: BTreeMap<Target, Gathered> = BTreeMap::new();
    let carried = before.into_iter().flat_map(|before| &before.series).filter(|series| series.stays);
    let mut known = BTreeSet::new();
    for series in carried {
        let target = (series.source, series.id.clone());
        known.insert(target.clone());
        targets.entry(target).or_default().0 = series.labels.clone();
    }
    let mut sampled = sampled;
    sampled.sort_by_key(|series| series.samples.iter().map(|(at, _)| *at).max());
    for series in sampled {
        let target = (series.source, id(series.source, &series.labels));
        let (labels, samples) = targets.entry(target).or_default();
        *labels = series.labels;
        samples.push(series.samples);
    }
    let mut all = Vec::new();
    for (target, (labels, samples)) in targets {
        let (mut up, mut down) = (Spans::default(), Spans::default());
        for (one_up, one_down) in samples.into_iter().map(|samples| states(samples, span)) {
            (up, down) = (up.or(&one_up), down.or(&one_down));
        }
        let up = up.without(&down);
        let seen = up.or(&down);
        let stays = active.contains(&target);
        let is_known = known.contains(&target);
        let first = if is_known { Some(span.0) } else { seen.list().first().map(|span| span.0) };
        let last = if stays { Some(span.1) } else { seen.list().last().map(|span| span.1) };
        let measured = first.zip(last).map_or_else(Spans::default, |(first, last)| Spans::of(first, last));
        if measured.is_empty() {
            continue;
        }
        let (source, id) = target;
        all.push(RawSeries { source, id, labels, measured, up, down, stays });
    }
    RawDay { format: FORMAT.into(), day: date.to_string(), read_at: now, series: all }
}
