use std::collections::BTreeSet;

use caretaker_api::incident::{Acknowledgement, IncidentChange, IncidentEvent};
use serde_json::json;

use super::outage::{Key, Reading};
use super::*;

const OPENED: i64 = 1_795_860_000;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(OPENED + minute * 60).unwrap()
}

fn incident() -> Incident {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "Incident", "metadata": {"name": "instancedown-1", "namespace": "client-acme"},
        "spec": {"alert": "InstanceDown", "labels": {"account": "1", "region": "eu-west-1"}, "openedAt": at(0)},
    }))
    .unwrap()
}

fn three() -> Vec<Step> {
    let step = |name: &str, is_vendor, resolve_within| Step { name: name.into(), is_vendor, resolve_within };
    vec![step("desk", false, Some(4 * 3600)), step("lead", false, None), step("vendor", true, None)]
}

/// Evaluated each half minute; the tiers that fire in each minute.
fn reading(minutes: std::ops::Range<i64>, fires: impl Fn(i64) -> &'static [&'static str]) -> Reading {
    let mut reading = Reading::default();
    let tiers = reading.firing.entry(Key::of(&incident())).or_default();
    for second in (minutes.start * 60..minutes.end * 60).step_by(30) {
        reading.evaluated.insert(OPENED + second);
        for tier in fires(second.div_euclid(60)) {
            tiers.entry((*tier).to_owned()).or_insert_with(BTreeSet::new).insert(OPENED + second);
        }
    }
    reading
}

fn observed(reading: Reading, members: &[&str]) -> Observed {
    let members = Some(members.iter().map(|member| (*member).to_owned()).collect());
    Observed { steps: three(), reading: Some(Ok(Arc::new(reading))), members, ..Observed::default() }
}

/// One visit; what it held or released has worked.
fn visit(incident: &mut Incident, observed: &Observed, minute: i64) -> Plan {
    let plan = plan(incident, observed, at(minute));
    let held = match &plan.hold {
        Hold::No => None,
        Hold::Release => Some(Ok(None)),
        Hold::Until(_, until) => Some(Ok(Some(*until))),
    };
    let (status, _) = status(incident, observed, (&plan, &Done { held, record: None }), at(minute));
    incident.status = Some(status);
    plan
}

fn take(incident: &mut Incident, by: &str, minute: i64) {
    incident.spec.acknowledgement = Some(Acknowledgement { by: by.into(), at: Some(Time(at(minute))), note: None });
}

/// Minute and name of each event.
fn told(incident: &Incident) -> Vec<(i64, &'static str)> {
    let name = |event: &IncidentEvent| match event.change {
        IncidentChange::Opened => "opened",
        IncidentChange::Escalated => "escalated",
        IncidentChange::Acknowledged => "taken",
        IncidentChange::Grown => "grown",
        IncidentChange::Overdue => "overdue",
        IncidentChange::Resolved => "resolved",
        IncidentChange::Reopened => "reopened",
        IncidentChange::Closed => "closed",
    };
    let events = incident.status.iter().flat_map(|status| &status.events);
    events.map(|event| ((event.at.0.as_second() - OPENED) / 60, name(event))).collect()
}

fn state(incident: &Incident) -> IncidentState {
    incident.status.as_ref().unwrap().state
}

const NONE: &[&str] = &[];
const DESK: &[&str] = &["desk"];
const LEAD: &[&str] = &["desk", "lead"];
const ALL: &[&str] = &["desk", "lead", "vendor"];

#[test]
fn an_outage_of_fifty_minutes_that_is_taken_at_minute_eight_is_one_incident_that_goes_no_further() {
    let mut incident = incident();
    visit(&mut incident, &observed(reading(0..8, |_| DESK), &["i-1"]), 8);
    assert_eq!(state(&incident), IncidentState::Opened);
    take(&mut incident, "mia", 8);
    let plan = visit(&mut incident, &observed(reading(0..9, |_| DESK), &["i-1"]), 9);
    let Hold::Until(silence, until) = plan.hold else { panic!("nothing is held back") };
    assert_eq!((silence.tiers, until), (vec!["lead".to_owned(), "vendor".to_owned()], OPENED + 69 * 60));
    let labels: Vec<_> = silence.labels.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("alertname", "InstanceDown"), ("account", "1"), ("region", "eu-west-1")]);
    // The rules of the further tiers fire all the same.
    let lasts = |minute| {
        if minute < 30 {
            DESK
        } else if minute < 50 {
            LEAD
        } else {
            NONE
        }
    };
    visit(&mut incident, &observed(reading(0..45, lasts), &["i-1"]), 45);
    assert_eq!(state(&incident), IncidentState::Acknowledged);
    let plan = visit(&mut incident, &observed(reading(0..55, lasts), &[]), 55);
    assert!(matches!(plan.hold, Hold::Until(..)), "it may come back");
    let plan = visit(&mut incident, &observed(reading(0..61, lasts), &[]), 61);
    assert_eq!((plan.hold, plan.records), (Hold::Release, true));
    assert_eq!(told(&incident), [(0, "opened"), (8, "taken"), (50, "resolved"), (60, "closed")]);
    let status = incident.status.as_ref().unwrap();
    assert_eq!((status.seconds_to_acknowledge, status.seconds_to_resolve), (Some(480), Some(3000)));
    assert_eq!((status.pages_held_until.clone(), state(&incident)), (None, IncidentState::Closed));
}

#[test]
fn whoever_reads_how_often_and_however_late_comes_to_the_same() {
    let fires = |minute: i64| match minute {
        _ if minute % 26 == 25 => NONE,
        0..30 => DESK,
        30..60 => LEAD,
        60..100 => ALL,
        _ => NONE,
    };
    let ends = |visits: &[i64]| {
        let mut incident = incident();
        for minute in visits {
            visit(&mut incident, &observed(reading(0..*minute, fires), &["i-1"]), *minute);
        }
        let status = incident.status.clone().unwrap();
        (told(&incident), status.seconds_with_vendor, status.seconds_to_resolve)
    };
    let (all, with_vendor, to_resolve) = ends(&[130]);
    let often: Vec<i64> = (1..=130).collect();
    for visits in [&often[..], &[31, 130], &[31, 31, 61, 61, 99, 101, 101, 130]] {
        assert_eq!(ends(visits), (all.clone(), with_vendor, to_resolve), "{visits:?}");
    }
    let expected = [
        (0, "opened"),
        (25, "resolved"),
        (26, "reopened"),
        (30, "escalated"),
        (51, "resolved"),
        (52, "reopened"),
        (60, "escalated"),
        (77, "resolved"),
        (78, "reopened"),
        (100, "resolved"),
        (110, "closed"),
    ];
    assert_eq!(all, expected);
    assert_eq!((with_vendor, to_resolve), ((17 + 22) * 60, Some(6000)), "the minutes in which it was down and lay with the vendor");
}

#[test]
fn what_is_not_evaluated_resolves_nothing() {
    let mut incident = incident();
    let mut gap = reading(0..10, |_| DESK);
    let later = reading(50..60, |_| DESK);
    gap.evaluated.extend(later.evaluated);
    for (key, tiers) in later.firing {
        let of_key = gap.firing.entry(key).or_default();
        tiers.into_iter().for_each(|(tier, moments)| of_key.entry(tier).or_default().extend(moments));
    }
    visit(&mut incident, &observed(gap, &["i-1"]), 60);
    assert_eq!(told(&incident), [(0, "opened")]);
}

#[test]
fn what_grows_or_lasts_too_long_pages_again_until_it_is_taken_once_more() {
    let mut incident = incident();
    take(&mut incident, "mia", 2);
    visit(&mut incident, &observed(reading(0..3, |_| DESK), &["i-1"]), 3);
    assert_eq!(state(&incident), IncidentState::Acknowledged);
    let plan = visit(&mut incident, &observed(reading(0..12, |_| DESK), &["i-1", "i-2"]), 12);
    assert_eq!((plan.hold, state(&incident)), (Hold::Release, IncidentState::Opened));
    visit(&mut incident, &observed(reading(0..13, |_| DESK), &["i-1", "i-2"]), 13);
    assert_eq!(state(&incident), IncidentState::Opened, "what was said before is no word on what it has become");
    take(&mut incident, "mia", 14);
    visit(&mut incident, &observed(reading(0..14, |_| DESK), &["i-1", "i-2"]), 14);
    assert_eq!(state(&incident), IncidentState::Acknowledged);
    // The desk has four hours.
    let plan = visit(&mut incident, &observed(reading(0..240, |_| DESK), &["i-2"]), 240);
    let Hold::Until(_, until) = plan.hold else { panic!("nothing is held back") };
    assert_eq!(until, OPENED + 254 * 60, "no longer than it may last");
    let plan = visit(&mut incident, &observed(reading(0..255, |_| LEAD), &["i-2"]), 255);
    assert_eq!((plan.hold, state(&incident)), (Hold::Release, IncidentState::Escalated), "nobody holds it back any more");
    let expected = [(0, "opened"), (2, "taken"), (12, "grown"), (14, "taken"), (254, "overdue"), (254, "escalated")];
    assert_eq!(told(&incident), expected);
}

#[test]
fn pages_are_held_back_anew_in_time_and_not_at_each_visit() {
    let mut incident = incident();
    take(&mut incident, "mia", 1);
    let held = |incident: &mut Incident, minute: i64| match visit(incident, &observed(reading(0..minute, |_| DESK), &["i-1"]), minute).hold
    {
        Hold::Until(_, until) => (until - OPENED) / 60,
        other => panic!("{other:?}"),
    };
    assert_eq!((held(&mut incident, 1), held(&mut incident, 20), held(&mut incident, 31), held(&mut incident, 40)), (61, 61, 61, 100));
    incident.spec.acknowledgement = None;
    let lead = |minute| if minute < 35 { DESK } else { LEAD };
    let plan = visit(&mut incident, &observed(reading(0..41, lead), &["i-1"]), 41);
    assert_eq!((plan.hold, state(&incident)), (Hold::Release, IncidentState::Opened), "whoever gives it back is paged on");
    visit(&mut incident, &observed(reading(0..43, lead), &["i-1"]), 43);
    assert_eq!(told(&incident).last(), Some(&(41, "escalated")), "at the moment at which nothing held it back any more, and not before");
}

#[test]
fn a_closed_one_goes_once_it_is_in_the_store_and_old_or_one_of_many() {
    let mut closed = incident();
    visit(&mut closed, &observed(reading(0..40, |minute| if minute < 20 { DESK } else { NONE }), &[]), 40);
    assert_eq!(state(&closed), IncidentState::Closed);
    let nothing = Observed { steps: three(), ..Observed::default() };
    assert!(!plan(&closed, &nothing, at(60 * 24 * 30)).goes, "nothing that is not in the store goes");
    closed.status.as_mut().unwrap().record = Some(StoredIncident { address: "a".into(), sha256: "b".into() });
    let many = Observed { newer_closed: MOST_CLOSED, ..nothing.clone() };
    let lost = Observed { lost: Some("not in the store".into()), ..nothing.clone() };
    for (observed, day, goes) in [(&nothing, 6, false), (&nothing, 8, true), (&many, 1, true), (&lost, 8, false)] {
        assert_eq!(plan(&closed, observed, at(day * 24 * 60)).goes, goes, "day {day}");
    }
}

#[test]
fn who_cannot_be_asked_is_told_and_nothing_is_said_of_the_outage() {
    let mut incident = incident();
    visit(&mut incident, &observed(reading(0..3, |_| DESK), &["i-1"]), 3);
    take(&mut incident, "mia", 3);
    let blind = Observed { steps: three(), reading: Some(Err("no connection".into())), ..Observed::default() };
    let plan = plan(&incident, &blind, at(4));
    let done = Done { held: Some(Err("no connection".into())), record: None };
    let (status, outcome) = status(&incident, &blind, (&plan, &done), at(4));
    let is = |kind| crate::conditions::find(&status.conditions, kind).map(|found| (found.status.as_str(), found.reason.as_str()));
    assert_eq!(is(ConditionType::IncidentFollowed), Some(("Unknown", "Unreachable")));
    assert_eq!(is(ConditionType::PagesHeld), Some(("False", "Unreachable")));
    assert!(matches!(outcome, Outcome::Waiting(_)) && status.pages_held_until.is_none());
    assert_eq!(status.state, IncidentState::Acknowledged, "that somebody took it is so all the same");
}

#[test]
fn a_word_that_comes_late_brings_nothing_back() {
    let fires = |minute| if minute < 20 { DESK } else { NONE };
    let mut incident = incident();
    visit(&mut incident, &observed(reading(0..21, fires), &["i-1"]), 21);
    take(&mut incident, "mia", 21);
    let plan = visit(&mut incident, &observed(reading(0..22, fires), &[]), 22);
    assert_eq!(state(&incident), IncidentState::Resolved, "taking what is over does not open it");
    assert!(matches!(plan.hold, Hold::Until(..)), "it may come back");
    visit(&mut incident, &observed(reading(0..31, fires), &[]), 31);
    assert_eq!(told(&incident), [(0, "opened"), (20, "resolved"), (21, "taken"), (30, "closed")]);
    take(&mut incident, "jo", 40);
    let plan = visit(&mut incident, &observed(reading(0..41, |_| DESK), &["i-1"]), 41);
    assert_eq!((plan.hold, state(&incident)), (Hold::No, IncidentState::Closed), "what is closed stays so, and holds back nothing");
    assert_eq!(told(&incident).len(), 4);
}

#[test]
fn of_many_events_the_middle_ones_are_counted() {
    let mut incident = incident();
    // Down and up in turns of three minutes, for a day.
    let fires = |minute: i64| if minute % 6 < 3 { DESK } else { NONE };
    visit(&mut incident, &observed(reading(0..1440, fires), &["i-1"]), 1440);
    let status = incident.status.as_ref().unwrap();
    assert_eq!((status.events.len(), status.events_left_out), (40, 480 - 40));
    assert_eq!(status.events[0].change, IncidentChange::Opened);
    assert_eq!(told(&incident).last(), Some(&(1437, "resolved")));
}
