//! Whole months by tables, and figures against a slow, obvious method that looks at every second.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::service_level::{ServiceLevelTerms, UpWhen, UptimeSource};
use caretaker_api::service_report::LevelVerdict;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::day::{self, RawDay, Sampled};
use super::*;

fn terms(zone: &str, objectives: Value, more: Value) -> ServiceLevelTerms {
    let mut value = json!({"zone": zone, "objectives": objectives});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

fn reachable(target: &str) -> Value {
    json!([{"name": "web", "target": target, "uptime": {"source": "PublicAddresses"}}])
}

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

/// Measurements of one address that was up from its first sample on, but for outages and gaps; read day by day as the product reads them.
fn measured(first: &str, end: &str, down: &[(&str, &str)], gaps: &[(&str, &str)]) -> Vec<(RawDay, String)> {
    let within = |spans: &[(&str, &str)], second: i64| spans.iter().any(|(from, to)| (at(from)..at(to)).contains(&second));
    let samples: Vec<(i64, bool)> = (at(first)..at(end))
        .step_by(60)
        .filter(|second| !within(gaps, *second))
        .map(|second| (second * 1000 + 7, !within(down, second)))
        .collect();
    kept(&samples, Span(at(first), at(end)), true)
}

fn kept(samples: &[(i64, bool)], whole: Span, stays: bool) -> Vec<(RawDay, String)> {
    let labels = BTreeMap::from([("instance".to_owned(), "203.0.113.7".to_owned())]);
    let active = BTreeSet::from([(UptimeSource::PublicAddresses, "203.0.113.7".to_owned())]);
    let mut kept: Vec<(RawDay, String)> = Vec::new();
    for date in days(whole) {
        let from = start_of_day(date, &TimeZone::UTC);
        let around = (from - day::MOST) * 1000..(from + 86_400 + day::MOST) * 1000;
        let samples: Vec<(i64, bool)> = samples.iter().filter(|(at, _)| around.contains(at)).copied().collect();
        let sampled = Sampled { source: UptimeSource::PublicAddresses, labels: labels.clone(), samples };
        let (active, sampled) = (if stays { active.clone() } else { BTreeSet::new() }, vec![sampled]);
        let before = kept.last().map(|(day, _)| day);
        let read = day::day(date, sampled, (before, &active), Timestamp::UNIX_EPOCH);
        kept.push((read, format!("digest of {date}")));
    }
    kept
}

fn made(month: &str, versions: &[Version], days: &[(RawDay, String)]) -> Report {
    let month = Month::parse(month).unwrap();
    report(&Inputs { client: "acme", month, dry_run: false, versions, days, missing: &BTreeMap::new() }).unwrap()
}

fn since(text: &str, terms: ServiceLevelTerms) -> Version {
    Version::new(&terms, text.parse().unwrap())
}

/// Why, first sample, outages, gaps, then seconds that count, were down and are not known, and the verdict.
type Case<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, Vec<(&'a str, &'a str)>, (i64, i64, i64), LevelVerdict);

/// November in UTC has 2,592,000 s; 99.9 % leave 2,592 s, which is 43 min 12 s.
fn cases() -> Vec<Case<'static>> {
    let full = "2026-10-30T00:00:00Z";
    vec![
        ("nothing was down", full, vec![], vec![], (2_592_000, 0, 0), LevelVerdict::Met),
        (
            "43 minutes are within",
            full,
            vec![("2026-11-03T10:00:00Z", "2026-11-03T10:43:00Z")],
            vec![],
            (2_592_000, 2580, 0),
            LevelVerdict::Met,
        ),
        (
            "44 minutes are not",
            full,
            vec![("2026-11-03T10:00:00Z", "2026-11-03T10:44:00Z")],
            vec![],
            (2_592_000, 2640, 0),
            LevelVerdict::Missed,
        ),
        (
            "an outage over the month's begin counts from its first second",
            full,
            vec![("2026-10-31T23:10:00Z", "2026-11-01T00:17:00Z")],
            vec![],
            (2_592_000, 17 * 60, 0),
            LevelVerdict::Met,
        ),
        (
            "one over its end counts to its last",
            full,
            vec![("2026-11-30T23:31:00Z", "2026-12-01T04:00:00Z")],
            vec![],
            (2_592_000, 29 * 60, 0),
            LevelVerdict::Met,
        ),
        (
            "two hours without samples are neither up nor down",
            full,
            vec![],
            vec![("2026-11-05T10:00:00Z", "2026-11-05T12:00:00Z")],
            (2_592_000, 0, 7200),
            LevelVerdict::Undetermined,
        ),
        (
            "missed whatever the gap was",
            full,
            vec![("2026-11-03T10:00:00Z", "2026-11-03T11:00:00Z")],
            vec![("2026-11-05T10:00:00Z", "2026-11-05T12:00:00Z")],
            (2_592_000, 3600, 7200),
            LevelVerdict::Missed,
        ),
        (
            "first probed on day 16: fifteen days are not measured",
            "2026-11-16T00:00:00Z",
            vec![],
            vec![],
            (1_296_000, 0, 0),
            LevelVerdict::Met,
        ),
    ]
}

#[test]
fn a_month_comes_to_what_its_seconds_say() {
    for (reason, first, down, gaps, (counted, down_seconds, unknown), verdict) in cases() {
        let versions = [since("2026-01-01T00:00:00Z", terms("UTC", reachable("99.9"), json!({})))];
        let told = made("2026-11", &versions, &measured(first, "2026-12-02T00:00:00Z", &down, &gaps));
        let segment = &told.objectives[0].segments[0];
        let figure = segment.figure;
        assert_eq!((figure.counted_seconds, figure.down_seconds, figure.unknown_seconds), (counted, down_seconds, unknown), "{reason}");
        assert_eq!((segment.verdict, told.verdict), (verdict, verdict), "{reason}");
        assert_eq!(figure.unmeasured_seconds + figure.counted_seconds, 2_592_000, "{reason}");
        assert_eq!(figure.up_seconds + figure.down_seconds + figure.unknown_seconds, figure.counted_seconds, "{reason}");
    }
}

#[test]
fn what_was_never_probed_is_undefined_and_not_met() {
    let versions = [since("2026-01-01T00:00:00Z", terms("UTC", reachable("99.9"), json!({})))];
    let told = made("2026-11", &versions, &[]);
    let segment = &told.objectives[0].segments[0];
    assert_eq!((told.verdict, segment.verdict), (LevelVerdict::Undefined, LevelVerdict::Undefined));
    assert_eq!((segment.worst_percent.as_deref(), segment.figure.unmeasured_seconds, told.missing_days.len()), (None, 2_592_000, 30));
}

#[test]
fn a_target_that_is_gone_while_the_prober_answers_is_down_and_one_that_left_is_not() {
    let end = Span(at("2026-11-01T00:00:00Z"), at("2026-11-03T00:00:00Z"));
    let up_for_a_day: Vec<(i64, bool)> = (end.0..end.0 + 86_400).step_by(60).map(|second| (second * 1000, true)).collect();
    let then_zero: Vec<(i64, bool)> = (end.0 + 86_400..end.1).step_by(60).map(|second| (second * 1000, false)).collect();
    let versions = [since("2026-01-01T00:00:00Z", terms("UTC", reachable("99.9"), json!({})))];
    let figure = |samples: &[(i64, bool)], stays| made("2026-11", &versions, &kept(samples, end, stays)).objectives[0].segments[0].figure;
    let gone = figure(&[up_for_a_day.clone(), then_zero].concat(), true);
    assert_eq!((gone.down_seconds, gone.up_seconds), (86_400, 86_400));
    let left = figure(&up_for_a_day, false);
    assert_eq!((left.counted_seconds, left.unknown_seconds, left.down_seconds), (86_400, 0, 0), "it was taken out of the monitoring");
    let silent = figure(&up_for_a_day, true);
    // Both days were to be measured, and nobody has files of the others, in which it was to be measured as well.
    assert_eq!((silent.up_seconds, silent.unknown_seconds), (86_400, 29 * 86_400), "it is still to be measured, and nothing comes");
}

#[test]
fn a_day_that_is_lost_is_unknown_time() {
    let mut days = measured("2026-10-30T00:00:00Z", "2026-12-02T00:00:00Z", &[], &[]);
    days.retain(|(day, _)| day.day != "2026-11-10");
    let versions = [since("2026-01-01T00:00:00Z", terms("UTC", reachable("99.9"), json!({})))];
    let month = Month::parse("2026-11").unwrap();
    let missing = BTreeMap::from([("2026-11-10".to_owned(), "no answer".to_owned())]);
    let told = report(&Inputs { client: "acme", month, dry_run: false, versions: &versions, days: &days, missing: &missing }).unwrap();
    let segment = &told.objectives[0].segments[0];
    assert_eq!((segment.figure.unknown_seconds, segment.verdict), (86_400, LevelVerdict::Undetermined));
    assert_eq!(told.missing_days, [super::report::DayMissing { day: "2026-11-10".into(), reason: "no answer".into() }]);
}

#[test]
fn terms_that_change_in_mid_month_give_two_segments_and_other_changes_give_none() {
    let days = measured("2026-10-30T00:00:00Z", "2026-12-02T00:00:00Z", &[("2026-11-20T00:00:00Z", "2026-11-20T01:00:00Z")], &[]);
    let exclusion = json!({"exclusions": [{"from": "2026-11-25T00:00:00Z", "to": "2026-11-25T01:00:00Z", "reason": "agreed"}]});
    let versions = [
        since("2026-10-01T00:00:00Z", terms("UTC", reachable("99"), json!({}))),
        since("2026-11-16T00:00:00Z", terms("UTC", reachable("99.9"), json!({}))),
        since("2026-11-26T00:00:00Z", terms("UTC", reachable("99.9"), exclusion)),
    ];
    let told = made("2026-11", &versions, &days);
    let segments = &told.objectives[0].segments;
    let found: Vec<_> = segments.iter().map(|s| (s.target.as_str(), s.figure.period_seconds, s.figure.down_seconds, s.verdict)).collect();
    assert_eq!(found, [("99", 15 * 86_400, 0, LevelVerdict::Met), ("99.9", 15 * 86_400, 3600, LevelVerdict::Missed)]);
    assert_eq!((told.verdict, told.terms.len()), (LevelVerdict::Missed, 3));
    assert_eq!(segments[0].span.1, segments[1].span.0, "they abut");
    assert!(told.excluded[0].is_late, "it was entered after it had begun: {:?}", told.excluded);
    assert_eq!(segments[1].figure.excluded_seconds, 3600);
}

#[test]
fn excluded_time_is_no_downtime_and_counts_in_no_denominator() {
    let down = [("2026-11-08T02:30:00Z", "2026-11-08T04:30:00Z"), ("2026-11-10T22:00:00Z", "2026-11-10T23:00:00Z")];
    let days = measured("2026-10-30T00:00:00Z", "2026-12-02T00:00:00Z", &down, &[]);
    let more = json!({
        "maintenance": [{"day": "Sunday", "from": "02:00", "minutes": 120, "reason": "weekly"}],
        "exclusions": [{"from": "2026-11-10T23:30:00+01:00", "to": "2026-11-11T00:30:00+01:00", "reason": "the client's own change"}],
    });
    let told = made("2026-11", &[since("2026-01-01T00:00:00Z", terms("UTC", reachable("99.9"), more))], &days);
    let figure = told.objectives[0].segments[0].figure;
    assert_eq!(figure.excluded_seconds, 5 * 7200 + 3600, "five Sundays and an hour");
    assert_eq!(figure.down_seconds, 30 * 60 + 30 * 60, "04:00 to 04:30, and 22:00 to 22:30");
    assert_eq!(figure.counted_seconds, 2_592_000 - figure.excluded_seconds);
    assert!(!told.excluded.iter().any(|excluded| excluded.is_late), "both were in the terms before");
}

#[test]
fn a_month_that_is_excluded_whole_is_undefined() {
    let days = measured("2026-10-30T00:00:00Z", "2026-12-02T00:00:00Z", &[], &[]);
    let more = json!({"exclusions": [{"from": "2026-10-01T00:00:00Z", "to": "2026-12-05T00:00:00Z", "reason": "moved"}]});
    let told = made("2026-11", &[since("2026-01-01T00:00:00Z", terms("UTC", reachable("99.9"), more))], &days);
    assert_eq!((told.verdict, told.objectives[0].segments[0].figure.counted_seconds), (LevelVerdict::Undefined, 0));
}

/// The tier's edge: 99 % of the thirty days leave 25,920 s.
#[test]
fn credits_have_exact_edges_a_cap_and_a_last_day() {
    let objectives = json!([{
        "name": "web", "target": "99.9", "uptime": {"source": "PublicAddresses"},
        "credits": [{"below": "99.9", "percent": "10"}, {"below": "99", "percent": "25.5"}, {"below": "95", "percent": "100"}],
    }]);
    let credits = json!({"credits": {"capPercent": "50", "claimWithinDays": 60}});
    let claim = |seconds: i64| {
        let from = at("2026-11-10T00:00:00Z");
        // The outage is measured to the second here, not by samples.
        let states = States { measured: Spans::of(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")), ..States::default() };
        let down = Spans::of(from, from + seconds);
        let states = States { up: states.measured.without(&down), down, ..states };
        let terms = terms("UTC", objectives.clone(), credits.clone());
        let figure = Figure::of(&states, states.measured.list()[0], &Spans::default());
        let month = percent::Share { good: 1, of: 1 };
        let tiers = &terms.objectives[0].credits;
        let segment = credit::Segment { objective: "web", number: 1, tiers, part: month, shares: (figure.best(), figure.worst()) };
        credit::claim(terms.credits.as_ref().unwrap(), &[segment], "2026-12-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC)
    };
    for (seconds, expected) in [(0, "0"), (2592, "0"), (2593, "10"), (25_920, "10"), (25_921, "25.5"), (129_600, "25.5"), (129_601, "50")] {
        assert_eq!(claim(seconds).percent, expected, "{seconds} s");
    }
    let told = claim(2593);
    assert_eq!((told.claim_until.as_str(), told.note.as_str()), ("2027-01-29", credit::REMEDY));
}

#[test]
fn half_a_month_under_terms_gives_half_of_a_tier() {
    let objectives = |below: &str| json!([{"name": "web", "target": "99.9", "uptime": {"source": "PublicAddresses"}, "credits": [{"below": below, "percent": "10"}]}]);
    let credits = json!({"credits": {"capPercent": "100", "claimWithinDays": 30}});
    let versions = [
        since("2026-10-01T00:00:00Z", terms("UTC", objectives("99.9"), credits.clone())),
        since("2026-11-16T00:00:00Z", terms("UTC", objectives("10"), credits)),
    ];
    let down = [("2026-11-03T00:00:00Z", "2026-11-04T00:00:00Z")];
    let told = made("2026-11", &versions, &measured("2026-10-30T00:00:00Z", "2026-12-02T00:00:00Z", &down, &[]));
    assert_eq!(told.claim.unwrap().percent, "5");
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let days = measured("2026-10-30T00:00:00Z", "2026-12-02T00:00:00Z", &[("2026-11-20T00:00:00Z", "2026-11-20T01:00:00Z")], &[]);
    let versions = [since("2026-01-01T00:00:00Z", terms("Europe/Zurich", reachable("99.9"), json!({})))];
    let first = serde_json::to_vec(&made("2026-11", &versions, &days)).unwrap();
    let again: Vec<(RawDay, String)> =
        days.iter().map(|(day, digest)| (serde_json::from_slice(&serde_json::to_vec(day).unwrap()).unwrap(), digest.clone())).collect();
    assert_eq!(first, serde_json::to_vec(&made("2026-11", &versions, &again)).unwrap());
    assert_eq!(serde_json::from_slice::<Report>(&first).unwrap(), made("2026-11", &versions, &days));
}

#[test]
fn faults_name_the_field_and_the_cure() {
    let objectives =
        json!([{"name": "web", "target": "99,9", "uptime": {"source": "Machines"}, "credits": [{"below": "99", "percent": "ten"}]}]);
    let bad = terms("America/NewYork", objectives, json!({"exclusions": [{"from": "x", "to": "y", "reason": "z"}]}));
    let fields: Vec<String> = faults(&bad, "spec.serviceLevels").into_iter().map(|fault| fault.field).collect();
    let expected = ["zone", "objectives[0].target", "objectives[0].credits[0].percent", "exclusions[0]", "credits"];
    assert_eq!(fields, expected.map(|field| format!("spec.serviceLevels.{field}")));
    assert_eq!(faults(&terms("US/Eastern", reachable("100"), json!({})), "x"), []);
}

#[test]
fn a_sample_holds_for_ninety_seconds_and_no_longer() {
    let day = Date::new(2026, 11, 3).unwrap();
    let from = start_of_day(day, &TimeZone::UTC);
    let cases = [
        ("regular samples", vec![(0, true), (60, true), (120, false)], (120, 60)),
        ("one that comes 90 s later holds the one before", vec![(0, true), (90, true)], (150, 0)),
        ("one that comes 91 s later does not", vec![(0, true), (91, true)], (120, 0)),
        ("two of one second: down counts", vec![(0, true), (0, false)], (0, 60)),
        ("nothing is known before the first", vec![(1000, true)], (60, 0)),
        ("the last sample of the day before reaches into it", vec![(-30, false), (30, true)], (60, 30)),
        ("the last of the day is cut at its end", vec![(86_390, true)], (10, 0)),
    ];
    for (reason, samples, (up, down)) in cases {
        let samples = samples.into_iter().map(|(second, up)| ((from + second) * 1000, up)).collect();
        let sampled = Sampled { source: UptimeSource::Machines, labels: BTreeMap::new(), samples };
        let read = day::day(day, vec![sampled], (None, &BTreeSet::new()), Timestamp::UNIX_EPOCH);
        assert_eq!((read.series[0].up.seconds(), read.series[0].down.seconds()), (up, down), "{reason}");
    }
}

/// A target second by second: `None` where it is not to be measured, then up, down or unknown.
fn slow(states: &States, second: i64) -> Option<Option<bool>> {
    let holds = |spans: &Spans| spans.list().iter().any(|span| (span.0..span.1).contains(&second));
    holds(&states.measured).then(|| match (holds(&states.up), holds(&states.down)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    })
}

/// Every second on its own.
fn slowly(targets: &[States], when: UpWhen, period: Span, excluded: &Spans) -> Figure {
    let mut figure = Figure::default();
    for second in period.0..period.1 {
        figure.period_seconds += 1;
        let now: Vec<Option<bool>> = targets.iter().filter_map(|target| slow(target, second)).collect();
        if now.is_empty() {
            figure.unmeasured_seconds += 1;
            continue;
        }
        if excluded.list().iter().any(|span| (span.0..span.1).contains(&second)) {
            figure.excluded_seconds += 1;
            continue;
        }
        figure.counted_seconds += 1;
        let decisive = when == UpWhen::AnyTarget;
        let is_decided = now.contains(&Some(decisive));
        let is_up = if is_decided {
            Some(decisive)
        } else if now.contains(&None) {
            None
        } else {
            Some(!decisive)
        };
        match is_up {
            Some(true) => figure.up_seconds += 1,
            Some(false) => figure.down_seconds += 1,
            None => figure.unknown_seconds += 1,
        }
    }
    figure
}

prop_compose! {
    fn any_spans()(list in prop::collection::vec((0_i64..300, 0_i64..60), 0..7)) -> Spans {
        list.into_iter().map(|(from, seconds)| Span(from, from + seconds)).collect()
    }
}

prop_compose! {
    fn any_states()(measured in any_spans(), up in any_spans(), down in any_spans()) -> States {
        let down = down.and(&measured);
        States { up: up.and(&measured).without(&down), down, measured }
    }
}

proptest! {
    #[test]
    fn figures_agree_with_every_second_on_its_own(
        targets in prop::collection::vec(any_states(), 0..4),
        excluded in any_spans(),
        from in 0_i64..200,
        seconds in 0_i64..200,
        is_any in any::<bool>(),
    ) {
        let (when, period) = (if is_any { UpWhen::AnyTarget } else { UpWhen::AllTargets }, Span(from, from + seconds));
        let figure = Figure::of(&combine(&targets, when), period, &excluded);
        prop_assert_eq!(figure, slowly(&targets, when, period, &excluded));
    }

    #[test]
    fn sets_are_sorted_and_disjoint_and_none_touch(one in any_spans(), other in any_spans()) {
        for set in [one.or(&other), one.and(&other), one.without(&other)] {
            prop_assert!(set.list().windows(2).all(|pair| pair[0].1 < pair[1].0) || set == one.and(&other) || set == one.without(&other));
            prop_assert!(set.list().iter().all(|span| span.0 < span.1));
        }
        prop_assert_eq!(one.and(&other).seconds() + one.without(&other).seconds(), one.seconds());
        prop_assert_eq!(one.or(&other).seconds() + one.and(&other).seconds(), one.seconds() + other.seconds());
    }
}
