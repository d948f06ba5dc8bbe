//! Entries against the clock itself.

use serde_json::{Value, json};

use super::*;

fn terms(zone: &str, times: &Value, holidays: &Value) -> MonitoringTerms {
    serde_json::from_value(json!({
        "tiers": [{"name": "desk", "hours": "office", "webhookUrl": "https://desk.example"}],
        "hours": [{"name": "office", "zone": zone, "times": times, "holidays": holidays}],
    }))
    .unwrap()
}

fn weekdays(from: &str, to: &str) -> Value {
    json!([{"days": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"], "from": from, "to": to}])
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// What Alertmanager makes of entries: one whose every field fits is enough.
fn fits(intervals: &[TimeInterval], at: Timestamp) -> bool {
    let utc = at.to_zoned(TimeZone::UTC);
    let minute = |text: &str| text[..2].parse::<i32>().unwrap() * 60 + text[3..].parse::<i32>().unwrap();
    let range = |text: &str, value: i16| {
        let (from, to) = text.split_once(':').unwrap_or((text, text));
        (from.parse::<i16>().unwrap()..=to.parse().unwrap()).contains(&value)
    };
    let now = i32::from(utc.hour()) * 60 + i32::from(utc.minute());
    intervals.iter().any(|entry| {
        (entry.times.is_empty() || entry.times.iter().any(|time| (minute(&time.start_time)..minute(&time.end_time)).contains(&now)))
            && (entry.days_of_month.is_empty() || entry.days_of_month.iter().any(|days| (days.start..=days.end).contains(&utc.day())))
            && (entry.months.is_empty() || entry.months.iter().any(|months| range(months, utc.month().into())))
            && (entry.years.is_empty() || entry.years.iter().any(|years| range(years, utc.year())))
    })
}

fn made(terms: &MonitoringTerms, now: Timestamp) -> Timed {
    timed(terms, &terms.tiers[0], now)
}

const NOW: &str = "2026-11-29T01:00:00Z";

/// Whether the tier is paged at moments of the clock of its zone, by the plain reading of the hours.
fn by_the_clock(hours: &ContractHours, zone: &TimeZone, at: Timestamp) -> bool {
    let local = at.to_zoned(zone.clone());
    let (date, clock) = (local.date(), format!("{:02}:{:02}", local.hour(), local.minute()));
    let begins = |date: Date, time: &caretaker_api::escalation::HoursSpan| {
        time.days.iter().any(|day| day.civil() == date.weekday()) && !hours.holidays.contains(&date.to_string())
    };
    hours.times.iter().any(|time| {
        let over_midnight = time.to <= time.from;
        begins(date, time) && clock >= time.from && (over_midnight || clock < time.to)
            || over_midnight && begins(date.yesterday().unwrap(), time) && clock < time.to
    })
}

#[test]
fn entries_are_those_of_the_clock_at_every_half_hour_of_a_year() {
    let holidays = json!(["2026-12-25", "2027-03-28", "2027-05-03"]);
    for (zone, times, most) in [
        ("Europe/Berlin", weekdays("08:00", "18:00"), 24),
        ("Europe/Berlin", weekdays("22:00", "06:00"), 60),
        ("US/Eastern", weekdays("22:00", "06:00"), 60),
        ("America/Havana", json!([{"days": ["Saturday", "Sunday"], "from": "08:00", "to": "24:00"}]), 60),
        ("Asia/Kolkata", weekdays("09:30", "17:30"), 24),
        ("Australia/Lord_Howe", weekdays("07:00", "19:00"), 60),
        ("Pacific/Apia", weekdays("00:00", "24:00"), 60),
        (
            "UTC",
            json!([{"days": ["Monday"], "from": "08:00", "to": "12:00"}, {"days": ["Monday", "Friday"], "from": "12:00", "to": "12:00"}]),
            60,
        ),
    ] {
        let terms = terms(zone, &times, &holidays);
        let (timed, clock) = (made(&terms, at(NOW)), super::zone(zone).unwrap());
        let intervals = &timed.named[0].time_intervals;
        assert!(intervals.len() <= most, "{zone} {times}: {} entries", intervals.len());
        let (from, to) = (at("2026-11-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
        for half_hour in 0..(to.as_second() - from.as_second()) / 1800 {
            let moment = Timestamp::from_second(from.as_second() + half_hour * 1800).unwrap();
            assert_eq!(fits(intervals, moment), by_the_clock(&terms.hours[0], &clock, moment), "{zone} {times} at {moment}");
        }
        for after in ["2028-01-01T00:00:00Z", "2028-07-01T03:00:00Z", "2031-01-04T23:59:00Z"] {
            assert!(fits(intervals, at(after)), "an operator that was down for so long silences nobody: {after}");
        }
    }
}

#[test]
fn both_changes_of_the_clock_and_what_lies_in_them() {
    for (zone, time, paged, quiet) in [
        // Berlin, 28 March 2027 01:00Z and 31 October 2027 01:00Z.
        ("Europe/Berlin", ("22:00", "06:00"), "2027-03-27T21:00:00Z 2027-03-28T03:59:00Z", "2027-03-27T20:59:00Z 2027-03-28T04:00:00Z"),
        ("Europe/Berlin", ("22:00", "06:00"), "2027-10-30T20:00:00Z 2027-10-31T04:59:00Z", "2027-10-30T19:59:00Z 2027-10-31T05:00:00Z"),
        // From 02:30, which is not: an hour later. To 02:30, which comes twice: the second one.
        ("Europe/Berlin", ("02:30", "05:00"), "2027-03-28T01:30:00Z", "2027-03-28T01:29:00Z"),
        ("Europe/Berlin", ("01:00", "02:30"), "2027-10-31T00:30:00Z 2027-10-31T01:29:00Z", "2027-10-31T01:30:00Z"),
        // In Havana 7 November 2027 begins at 04:00Z, and its clock shows midnight once more at 05:00Z. 14 March 2027 has no midnight.
        ("America/Havana", ("20:00", "24:00"), "2027-11-07T03:59:00Z", "2027-11-07T04:00:00Z 2027-11-07T05:00:00Z"),
        ("America/Havana", ("00:00", "08:00"), "2027-11-07T04:00:00Z 2027-11-07T12:59:00Z", "2027-11-07T03:59:00Z 2027-11-07T13:00:00Z"),
        ("America/Havana", ("00:00", "08:00"), "2027-03-14T05:00:00Z 2027-03-14T11:59:00Z", "2027-03-14T04:59:00Z 2027-03-14T12:00:00Z"),
    ] {
        let days = json!(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]);
        let terms = terms(zone, &json!([{"days": days, "from": time.0, "to": time.1}]), &json!([]));
        let timed = made(&terms, at(NOW));
        for (moments, expected) in [(paged, true), (quiet, false)] {
            for moment in moments.split(' ') {
                assert_eq!(fits(&timed.named[0].time_intervals, at(moment)), expected, "{zone} {time:?} at {moment}");
                assert_eq!(is_quiet(&terms, &terms.tiers[0], at(moment)).is_none(), expected, "{zone} {time:?} at {moment}");
            }
        }
    }
}

#[test]
fn the_objects_change_once_a_month() {
    let terms = terms("Europe/Berlin", &weekdays("08:00", "18:00"), &json!([]));
    let first = made(&terms, at("2026-11-01T00:00:00Z"));
    assert_eq!(first, made(&terms, at("2026-11-30T23:59:59Z")));
    assert_ne!(first, made(&terms, at("2026-12-01T00:00:00Z")));
}

#[test]
fn a_window_over_a_night_with_a_change_of_the_clock_ends_by_the_clock_of_its_zone() {
    let terms: MonitoringTerms = serde_json::from_value(json!({
        "tiers": [{"name": "desk", "webhookUrl": "https://desk.example"}],
        "windows": [
            {"from": "2027-10-30T22:00", "to": "2027-10-31T06:00", "zone": "Europe/Berlin", "reason": "move"},
            {"from": "2027-03-27T22:00", "to": "2027-03-28T06:00", "zone": "Europe/Berlin", "reason": "move"},
            {"from": "2026-10-01T22:00", "to": "2026-10-02T06:00", "zone": "Europe/Berlin", "reason": "long over"},
        ],
    }))
    .unwrap();
    assert!(faults(&terms, "spec").is_empty());
    let timed = made(&terms, at(NOW));
    assert_eq!((timed.active.as_slice(), timed.quiet.as_slice()), (&[][..], &["windows"][..]), "the tier is paged at all other times");
    let intervals = &timed.named[0].time_intervals;
    assert_eq!(intervals.len(), 4, "{intervals:?}");
    for (moment, expected) in [
        ("2027-10-30T19:59:00Z", false),
        ("2027-10-30T20:00:00Z", true),
        ("2027-10-31T04:59:00Z", true),
        ("2027-10-31T05:00:00Z", false),
        ("2027-03-27T21:00:00Z", true),
        ("2027-03-28T03:59:00Z", true),
        ("2027-03-28T04:00:00Z", false),
        ("2029-10-30T21:00:00Z", false),
    ] {
        assert_eq!(fits(intervals, at(moment)), expected, "{moment}");
        assert_eq!(is_quiet(&terms, &terms.tiers[0], at(moment)).is_some(), expected, "{moment}");
    }
    assert_eq!(summary(&terms, at("2027-10-30T21:00:00Z")).unwrap(), "nobody is paged until 2027-10-31T05:00:00Z: move");
    assert_eq!(summary(&terms, at("2027-10-31T21:00:00Z")), None);
}

#[test]
fn a_name_that_is_no_zone_is_refused_with_the_one_that_was_meant() {
    for (name, words) in [
        ("America/NewYork", "there is no time zone America/NewYork: write America/New_York"),
        ("Europe/berlin", ""),
        ("Mars/Base", "there is no time zone Mars/Base: give an IANA name"),
    ] {
        let terms = terms(name, &weekdays("08:00", "18:00"), &json!(["2027-02-30"]));
        let found = faults(&terms, "spec.monitoring");
        let told: Vec<String> = found.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect();
        assert!(told.iter().any(|told| told.starts_with("spec.monitoring.hours[0].holidays[0]: 2027-02-30 is no date")), "{told:?}");
        let zone = told.iter().find(|told| told.starts_with("spec.monitoring.hours[0].zone"));
        assert_eq!(zone.is_some(), !words.is_empty(), "{told:?}");
        assert!(zone.is_none_or(|told| told.contains(words)), "{told:?}");
    }
    let eastern = terms("US/Eastern", &weekdays("08:00", "18:00"), &json!([]));
    assert!(faults(&eastern, "spec").is_empty());
    let told = summary(&eastern, at(NOW)).unwrap();
    assert!(told.contains("desk is paged in the hours office (America/New_York, written as US/Eastern) and for nothing outside"), "{told}");
    assert!(told.contains("set until 2028-01-01"), "{told}");
    assert!(is_quiet(&eastern, &eastern.tiers[0], at(NOW)).unwrap().contains("outside the hours office (America/New_York)"));
}

#[test]
fn an_old_name_and_its_new_one_are_the_same_zone() {
    for (old, new) in aliases::ALIASES {
        let (old_zone, new_zone) = (zone(old).unwrap(), zone(new).unwrap());
        for month in 0..24 {
            let moment = at(NOW) + jiff::SignedDuration::from_hours(month * 730);
            assert_eq!(old_zone.to_offset(moment), new_zone.to_offset(moment), "{old} {new} at {moment}");
        }
    }
}

#[test]
fn a_window_that_ends_before_it_begins_is_a_fault() {
    for (from, to, is_fault) in [
        ("2027-01-02T00:00", "2027-01-01T00:00", true),
        ("2027-01-01T00:00", "2027-03-01T00:00", true),
        ("2027-02-30T00:00", "2027-03-01T00:00", true),
        ("2027-01-01T00:00", "2027-01-01T00:01", false),
    ] {
        let terms: MonitoringTerms = serde_json::from_value(json!({
            "tiers": [{"name": "desk", "webhookUrl": "https://desk.example"}],
            "windows": [{"from": from, "to": to, "zone": "UTC", "reason": "x"}],
        }))
        .unwrap();
        assert_eq!(!faults(&terms, "spec").is_empty(), is_fault, "{from} {to}");
    }
}
