//! Contract hours and quiet windows as Alertmanager takes them. An `AlertmanagerConfig` knows UTC alone, and a rule such as "weekdays from 08:00" in UTC is
//! wrong for half of the year. So the times of the zone's clock are worked out ahead as exact dates in UTC: for each month, days with equal times are one entry.
//! Source: <https://prometheus.io/docs/alerting/latest/configuration/#time_interval>: all fields of an entry must fit, and one entry of a list is enough.

mod aliases;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use caretaker_api::escalation::{ContractHours, QuietWindow};
use caretaker_api::monitoring_stack::{MonitoringTerms, Tier};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::prometheus_operator::{DayRange, NamedIntervals, TimeInterval, TimeRange};
use crate::outcome::Fault;
use crate::zone::zone;

/// Months that are worked out, the present one included. They begin with a month in UTC, so that the objects change once a month.
const MONTHS: i64 = 14;
/// Name of the entries in which a tier is paged.
const ACTIVE: &str = "hours";
/// Name of the entries in which nobody is paged.
const QUIET: &str = "windows";
/// Last year that an entry can name.
/// Source: the pattern of `years` in the definition of `AlertmanagerConfig`.
const LAST_YEAR: i16 = 2999;
/// Longest window.
const MOST_DAYS: i64 = 31;
/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// From and to, in minutes since 1970 in UTC. The last one does not belong to it.
type Span = (i64, i64);

/// What a tier's route takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timed {
    /// All entries.
    pub(super) named: Vec<NamedIntervals>,
    /// Names of those in which the tier is paged; empty for always.
    pub(super) active: Vec<&'static str>,
    /// Names of those in which nobody is.
    pub(super) quiet: Vec<&'static str>,
}

/// The entries of a tier's route from this month on. What has a fault gives none: nobody is left unpaged because of it.
pub(super) fn timed(terms: &MonitoringTerms, tier: &Tier, now: Timestamp) -> Timed {
    let mut timed = Timed::default();
    let Some(horizon) = Horizon::of(now) else { return timed };
    if let Some(spans) = of_tier(terms, tier).and_then(|hours| active(hours, horizon)) {
        let mut intervals = entries(&spans, horizon);
        intervals.extend(horizon.after());
        timed.named.push(NamedIntervals { name: ACTIVE, time_intervals: intervals });
        timed.active.push(ACTIVE);
    }
    let windows: Vec<Span> = terms.windows.iter().filter_map(window).collect();
    let intervals = entries(&merged(windows), horizon);
    if !intervals.is_empty() {
        timed.named.push(NamedIntervals { name: QUIET, time_intervals: intervals });
        timed.quiet.push(QUIET);
    }
    timed
}

/// The hours of a tier; `None` where it is paged at all times.
fn of_tier<'a>(terms: &'a MonitoringTerms, tier: &Tier) -> Option<&'a ContractHours> {
    let name = tier.hours.as_ref()?;
    terms.hours.iter().find(|hours| hours.name == *name)
}

/// The days that are worked out.
#[derive(Clone, Copy, Debug)]
struct Horizon {
    from: Date,
    to: Date,
}

impl Horizon {
    fn of(now: Timestamp) -> Option<Self> {
        let from = now.to_zoned(TimeZone::UTC).date().first_of_month();
        Some(Self { from, to: from.checked_add(MONTHS.months()).ok()? })
    }

    fn span(self) -> Span {
        (day_number(self.from) * DAY, day_number(self.to) * DAY)
    }

    /// All that comes after it, in which a tier is paged whatever its hours: an operator that was down for so long silences nobody.
    fn after(self) -> Vec<TimeInterval> {
        let entry = |months: Vec<String>, years: String| TimeInterval { months, years: vec![years], ..TimeInterval::default() };
        let (month, year) = (self.to.month(), self.to.year());
        let rest = (month > 1).then(|| entry(vec![format!("{month}:12")], year.to_string()));
        let first_whole = if month > 1 { year + 1 } else { year };
        rest.into_iter().chain([entry(Vec::new(), format!("{first_whole}:{LAST_YEAR}"))]).collect()
    }
}

/// When the hours are, within the days that are worked out and a few around them.
fn active(hours: &ContractHours, horizon: Horizon) -> Option<Vec<Span>> {
    let zone = zone(&hours.zone).ok()?;
    let holidays: Vec<Date> = hours.holidays.iter().filter_map(|date| date.parse().ok()).collect();
    let mut found = Vec::new();
    let (mut date, last) = (horizon.from.checked_sub(2.days()).ok()?, horizon.to.checked_add(1.day()).ok()?);
    while date <= last {
        let begins = hours.times.iter().filter(|time| time.days.iter().any(|day| day.civil() == date.weekday()));
        if !holidays.contains(&date) {
            found.extend(begins.filter_map(|time| of_day(date, (&time.from, &time.to), &zone)));
        }
        date = date.tomorrow().ok()?;
    }
    Some(merged(found))
}

/// One time of a day. A begin that the clock leaves out is that much later, and one that comes twice is the first; an end that comes twice is the last. A day
/// ends where the next one begins, also where the clock shows midnight twice.
fn of_day(date: Date, (from, to): (&str, &str), zone: &TimeZone) -> Option<Span> {
    let (from, to) = (clock(from)?, if to == "24:00" { Time::midnight() } else { clock(to)? });
    let end_date = if to > from { date } else { date.tomorrow().ok()? };
    let from = zone.to_ambiguous_zoned(date.to_datetime(from)).compatible().ok()?;
    let end = zone.to_ambiguous_zoned(end_date.to_datetime(to));
    let end = if to == Time::midnight() { end.compatible() } else { end.later() }.ok()?;
    Some((minute(&from), minute(&end))).filter(|(from, to)| from < to)
}

/// When a window is; `None` where it has a fault.
fn window(window: &QuietWindow) -> Option<Span> {
    let zone = zone(&window.zone).ok()?;
    let at = |text: &str| text.parse::<DateTime>().ok().map(|time| zone.to_ambiguous_zoned(time));
    let span = (minute(&at(&window.from)?.compatible().ok()?), minute(&at(&window.to)?.later().ok()?));
    Some(span).filter(|(from, to)| from < to && to - from <= MOST_DAYS * DAY)
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn minute(at: &Zoned) -> i64 {
    at.timestamp().as_second().div_euclid(60)
}

/// In order, with those that touch made one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut all: Vec<Span> = Vec::new();
    for (from, to) in spans {
        match all.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => all.push((from, to)),
        }
    }
    all
}

fn day_number(date: Date) -> i64 {
    i64::from(Date::constant(1970, 1, 1).until(date).map_or(0, |span| span.get_days()))
}

/// One entry for each month and each sort of day in it.
fn entries(spans: &[Span], horizon: Horizon) -> Vec<TimeInterval> {
    let (first, last) = horizon.span();
    let mut days: BTreeMap<i64, Vec<Span>> = BTreeMap::new();
    for (from, to) in spans.iter().map(|(from, to)| (*from.max(&first), *to.min(&last))).filter(|(from, to)| from < to) {
        for day in from.div_euclid(DAY)..=(to - 1).div_euclid(DAY) {
            days.entry(day).or_default().push((from.max(day * DAY) - day * DAY, to.min((day + 1) * DAY) - day * DAY));
        }
    }
    let mut sorts: BTreeMap<(i16, i8, Vec<Span>), Vec<i8>> = BTreeMap::new();
    for (day, times) in days {
        let Ok(date) = Date::constant(1970, 1, 1).checked_add(day.days()) else { continue };
        sorts.entry((date.year(), date.month(), times)).or_default().push(date.day());
    }
    let entry = |((year, month, times), days): ((i16, i8, Vec<Span>), Vec<i8>)| TimeInterval {
        times: times.into_iter().map(|(from, to)| TimeRange { start_time: written(from), end_time: written(to) }).collect(),
        days_of_month: ranges(&days),
        months: vec![month.to_string()],
        years: vec![year.to_string()],
    };
    sorts.into_iter().map(entry).collect()
}

fn written(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn ranges(days: &[i8]) -> Vec<DayRange> {
    let mut all: Vec<DayRange> = Vec::new();
    for day in days {
        match all.last_mut() {
            Some(last) if last.end + 1 == *day => last.end = *day,
            _ => all.push(DayRange { start: *day, end: *day }),
        }
    }
    all
}

/// The name as the tz database writes it today.
fn canonical(name: &str) -> &str {
    aliases::ALIASES.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new)
}

/// Errors that the schema cannot tell.
#[must_use]
pub fn faults(terms: &MonitoringTerms, field: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, hours) in terms.hours.iter().enumerate() {
        let place = format!("{field}.hours[{index}]");
        if let Err(why) = zone(&hours.zone) {
            faults.push(Fault::spec(format!("{place}.zone"), why));
        }
        for (number, date) in hours.holidays.iter().enumerate().filter(|(_, date)| date.parse::<Date>().is_err()) {
            faults.push(Fault::spec(format!("{place}.holidays[{number}]"), format!("{date} is no date")));
        }
    }
    for (index, given) in terms.windows.iter().enumerate() {
        let place = format!("{field}.windows[{index}]");
        match zone(&given.zone) {
            Err(why) => faults.push(Fault::spec(format!("{place}.zone"), why)),
            Ok(_) if window(given).is_none() => {
                let message = format!("from and to must be times such as 2026-10-24T22:00, from before to, by {MOST_DAYS} days at most");
                faults.push(Fault::spec(place, message));
            }
            Ok(_) => {}
        }
    }
    faults
}

/// Why a tier is not paged at a moment; `None` where it is.
#[must_use]
pub(super) fn is_quiet(terms: &MonitoringTerms, tier: &Tier, now: Timestamp) -> Option<String> {
    let at = now.as_second().div_euclid(60);
    if let Some((window, (_, to))) = in_window(terms, at) {
        return Some(format!("a window is on until {}: {}", told(to), window.reason));
    }
    let hours = of_tier(terms, tier)?;
    let spans = active(hours, Horizon::of(now)?)?;
    let is_paged = spans.iter().any(|(from, to)| (*from..*to).contains(&at));
    (!is_paged).then(|| format!("it is outside the hours {} ({})", hours.name, canonical(&hours.zone)))
}

fn in_window(terms: &MonitoringTerms, at: i64) -> Option<(&QuietWindow, Span)> {
    let spans = terms.windows.iter().filter_map(|given| Some((given, window(given)?)));
    spans.filter(|(_, (from, to))| (*from..*to).contains(&at)).max_by_key(|(_, (_, to))| *to)
}

fn told(minute: i64) -> String {
    Timestamp::from_second(minute * 60).map_or_else(|_| String::new(), |at| at.to_string())
}

/// Who is not paged when, for the condition; `None` where everybody is at all times.
#[must_use]
pub(super) fn summary(terms: &MonitoringTerms, now: Timestamp) -> Option<String> {
    let mut parts = Vec::new();
    for tier in &terms.tiers {
        let Some(hours) = of_tier(terms, tier) else { continue };
        let (name, new) = (&hours.zone, canonical(&hours.zone));
        let zone = if name == new { name.clone() } else { format!("{new}, written as {name}") };
        parts.push(format!("{} is paged in the hours {} ({zone}) and for nothing outside them", tier.name, hours.name));
    }
    if !parts.is_empty() {
        let until = Horizon::of(now).map(|horizon| horizon.to.to_string()).unwrap_or_default();
        parts.push(format!("the clock of an outage runs on meanwhile; the hours are set until {until}, and later pages come at all times"));
    }
    if let Some((window, (_, to))) = in_window(terms, now.as_second().div_euclid(60)) {
        parts.push(format!("nobody is paged until {}: {}", told(to), window.reason));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
