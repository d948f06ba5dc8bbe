//! `ServiceReport`: which days are to be read, when a report is due, and what is said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use caretaker_api::ServiceReport;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::service_level::ServiceLevelTerms;
use caretaker_api::service_report::{LevelStatus, ServiceReportStatus, StoredReport};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{ConditionSet, Is};
use crate::outcome::{Fault, Outcome, Wait};
use crate::service_level::day::SETTLES;
use crate::service_level::percent::Share;
use crate::service_level::report::ObjectiveReport;
use crate::service_level::{Month, Report, Span, days, faults, start_of_day};
use crate::zone::zone;

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[ConditionType::LevelsCollected, ConditionType::ReportStored];

/// Time between two looks at a report that is in the store.
const RESYNC: Duration = Duration::from_secs(6 * 3600);
/// Wait before Prometheus is asked again.
const PAUSE: Duration = Duration::from_secs(120);
/// Longest wait for the next day.
const LOOK: Duration = Duration::from_secs(3600);
/// Wait where more days can be read at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Seconds after the end of a month after which the report is made without the days that could not be read.
const GRACE: i64 = 3 * 86_400;
/// Most days that one visit reads.
const MOST_DAYS: usize = 4;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// Why there is no file of a day that Prometheus has dropped.
const DROPPED: &str = "older than what Prometheus keeps (spec.monitoring.retentionDays)";
/// Why there is no file of a day that was not to be had.
const UNREAD: &str = "Prometheus did not answer by three days after the month's end";

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Whether the client exists.
    pub has_client: bool,
    /// The terms.
    pub terms: Option<ServiceLevelTerms>,
    /// Days that the client's Prometheus keeps its data; `None` where the client has no monitoring.
    pub retention_days: Option<u32>,
    /// Days whose measurements are kept.
    pub kept: BTreeSet<String>,
    /// What is wrong with a report that is in the store.
    pub lost: Option<String>,
}

/// What a visit does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Whether the terms are noted as those of now.
    pub notes_terms: bool,
    /// UTC days to be read now, in order.
    pub fetch: Vec<Date>,
    /// Whether further days are due.
    pub has_more: bool,
    /// Days of which there will be no file, and why.
    pub gone: BTreeMap<String, String>,
    /// Whether the report is made once the days are read: all others are there or gone.
    pub makes_report: bool,
}

/// What a visit did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Days whose measurements are kept now.
    pub kept: Option<BTreeSet<String>>,
    /// Why a day could not be read.
    pub problem: Option<String>,
    /// The report and where it is.
    pub made: Option<(Box<Report>, StoredReport)>,
    /// Whether no terms were in force in the month.
    pub had_no_terms: bool,
    /// Why a report that stands in the store cannot be that of this month.
    pub conflict: Option<String>,
}

/// Faults of the spec and of what it refers to.
#[must_use]
pub fn check(report: &ServiceReport, observed: &Observed) -> Vec<Fault> {
    if is_stored(report) {
        return Vec::new();
    }
    let mut found = Vec::new();
    if Month::parse(&report.spec.month).is_none() {
        found.push(Fault::spec("spec.month", "give a year and a month such as 2026-11"));
    }
    if !observed.has_client {
        let message = "the namespace is no client's: apply a ManagedClient and use its namespace";
        found.push(Fault::outside(Reason::ReferenceMissing, "metadata.namespace", message));
    }
    match &observed.terms {
        Some(terms) => found.extend(faults(terms, "spec.terms")),
        None => {
            let message = "neither this report nor its client has service levels: set spec.serviceLevels of the ManagedClient";
            found.push(Fault::outside(Reason::ReferenceMissing, "spec.terms", message));
        }
    }
    found
}

fn is_stored(report: &ServiceReport) -> bool {
    report.status.as_ref().is_some_and(|status| status.report.is_some() && !is_other_trial(report))
}

/// A trial whose terms were changed is made anew.
fn is_other_trial(report: &ServiceReport) -> bool {
    let status = report.status.as_ref();
    report.spec.dry_run && status.is_some_and(|status| status.observed_generation != report.metadata.generation)
}

/// The month as seconds, under the terms that are known.
#[must_use]
pub fn span(report: &ServiceReport, observed: &Observed) -> Option<Span> {
    let zone = zone(&observed.terms.as_ref()?.zone).ok()?;
    Some(Month::parse(&report.spec.month)?.span(&zone))
}

/// What to do. Of a report that is in the store nothing is made any more.
#[must_use]
pub fn plan(report: &ServiceReport, observed: &Observed, now: Timestamp) -> Plan {
    let Some(month) = span(report, observed).filter(|_| !is_stored(report)) else { return Plan::default() };
    let (now, mut plan) = (now.as_second(), Plan::default());
    plan.notes_terms = !report.spec.dry_run && (month.0..month.1).contains(&now);
    let kept_for = i64::from(observed.retention_days.unwrap_or_default()) * DAY;
    let mut is_waiting = false;
    for date in days(month) {
        let (name, end) = (date.to_string(), start_of_day(date, &TimeZone::UTC) + DAY);
        if observed.kept.contains(&name) {
            continue;
        }
        if end + SETTLES > now {
            is_waiting = true;
        } else if end - DAY < now - kept_for {
            plan.gone.insert(name, DROPPED.into());
        } else if now >= month.1 + GRACE && !report.spec.dry_run {
            plan.gone.insert(name, UNREAD.into());
        } else if plan.fetch.len() < MOST_DAYS {
            plan.fetch.push(date);
        } else {
            plan.has_more = true;
        }
    }
    plan.makes_report = now >= month.1 && !is_waiting && !plan.has_more;
    plan
}

/// The new status and what the visit came to.
#[must_use]
pub fn status(
    report: &ServiceReport,
    observed: &Observed,
    faults: &[Fault],
    (plan, done): (&Plan, &Done),
    now: Timestamp,
) -> (ServiceReportStatus, Outcome) {
    let mut status = report.status.clone().unwrap_or_default();
    let mut set = ConditionSet::new(&status.conditions, CONDITIONS, report.metadata.generation.unwrap_or_default(), now);
    let outcome = match faults.first() {
        Some(fault) => {
            set.set(ConditionType::ReportStored, Is::False, fault.reason, &fault.message);
            Outcome::Refused(faults.to_vec())
        }
        None if is_stored(report) => stored(&mut set, &status, observed),
        None => settle(&mut set, (report, observed), (plan, done), &mut status, now),
    };
    status.conditions = set.finish();
    (status, outcome)
}

/// A report that was made before: it stays, and it is looked whether it is still there.
fn stored(set: &mut ConditionSet, status: &ServiceReportStatus, observed: &Observed) -> Outcome {
    set.keep(ConditionType::LevelsCollected);
    let address = status.report.as_ref().map(|report| report.address.clone()).unwrap_or_default();
    match &observed.lost {
        None => {
            set.set(ConditionType::ReportStored, Is::True, Reason::Settled, format!("in the store: {address}"));
            Outcome::Settled(RESYNC)
        }
        Some(lost) => {
            let message = format!("{lost}: put {address} back from a copy of the store");
            set.set(ConditionType::ReportStored, Is::False, Reason::ReportLost, &message);
            Outcome::Waiting(Wait { reason: Reason::ReportLost, message, after: LOOK })
        }
    }
}

fn settle(
    set: &mut ConditionSet,
    (report, observed): (&ServiceReport, &Observed),
    (plan, done): (&Plan, &Done),
    status: &mut ServiceReportStatus,
    now: Timestamp,
) -> Outcome {
    let month = span(report, observed).unwrap_or(Span(0, 0));
    let touched = days(month);
    let kept = done.kept.as_ref().unwrap_or(&observed.kept);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let time = |second| Timestamp::from_second(second).ok().map(Time);
    (status.from, status.to) = (time(month.0), time(month.1));
    status.days = count(touched.len());
    status.days_stored = count(touched.iter().filter(|day| kept.contains(&day.to_string())).count());
    let progress = format!("{} of {} days stored", status.days_stored, status.days);
    let gone = match plan.gone.len() {
        0 => String::new(),
        gone => format!("; {gone} day(s) cannot be had any more: {}", plan.gone.values().next().map_or("", String::as_str)),
    };
    match &done.problem {
        Some(problem) => set.set(ConditionType::LevelsCollected, Is::False, Reason::Unreachable, format!("{problem}; {progress}")),
        None if plan.gone.keys().all(|day| is_before(report, day)) => {
            set.set(ConditionType::LevelsCollected, Is::True, Reason::Settled, format!("{progress}{gone}"));
        }
        None => set.set(ConditionType::LevelsCollected, Is::False, Reason::Incomplete, format!("{progress}{gone}")),
    }
    if let Some(conflict) = &done.conflict {
        set.set(ConditionType::ReportStored, Is::False, Reason::ReportConflict, conflict);
        return Outcome::Waiting(Wait { reason: Reason::ReportConflict, message: conflict.clone(), after: LOOK });
    }
    if done.had_no_terms {
        set.set(ConditionType::ReportStored, Is::False, Reason::NotRequested, "no service levels were in force in this month");
        return Outcome::Settled(RESYNC);
    }
    if let Some((made, stored)) = &done.made {
        tell(status, made, stored);
        set.set(ConditionType::ReportStored, Is::True, Reason::Settled, format!("in the store: {}", stored.address));
        return Outcome::Settled(RESYNC);
    }
    let end = Timestamp::from_second(month.1).unwrap_or_default();
    let (reason, message, after) = match &done.problem {
        Some(problem) => (Reason::Unreachable, problem.clone(), PAUSE),
        None if plan.has_more || plan.makes_report => (Reason::Progressing, format!("reads further days; {progress}"), AT_ONCE),
        // Nothing is under way: all that could be read is kept.
        None => {
            let message = format!("the month lasts until {end}; {progress}");
            set.set(ConditionType::ReportStored, Is::Unknown, Reason::Progressing, message);
            return Outcome::Settled(next(now));
        }
    };
    set.set(ConditionType::ReportStored, Is::Unknown, reason, &message);
    Outcome::Waiting(Wait { reason, message, after })
}

/// Whether a day was over before the report was asked for: what nobody measured then is no loss. A trial asks for its whole month.
fn is_before(report: &ServiceReport, day: &str) -> bool {
    let asked = report.metadata.creation_timestamp.as_ref().map(|at| at.0.as_second()).filter(|_| !report.spec.dry_run);
    let end = day.parse().ok().map(|date: Date| start_of_day(date, &TimeZone::UTC) + DAY);
    asked.zip(end).is_some_and(|(asked, end)| end <= asked)
}

/// The wait until the next day can be read.
fn next(now: Timestamp) -> Duration {
    let second = now.as_second();
    let due = (second - SETTLES).div_euclid(DAY) * DAY + DAY + SETTLES;
    Duration::from_secs(u64::try_from(due - second).unwrap_or_default()).clamp(AT_ONCE, LOOK)
}

/// What the status tells of a report.
pub fn tell(status: &mut ServiceReportStatus, report: &Report, stored: &StoredReport) {
    status.verdict = Some(report.verdict);
    status.objectives = report.objectives.iter().map(level).collect();
    status.credit_percent = report.claim.as_ref().map(|claim| claim.percent.clone());
    status.report = Some(stored.clone());
}

fn level(objective: &ObjectiveReport) -> LevelStatus {
    let sum = |of: fn(&crate::service_level::Figure) -> i64| objective.segments.iter().map(|segment| of(&segment.figure)).sum();
    let least = |of: fn(&crate::service_level::Figure) -> Share| {
        let shares = objective.segments.iter().map(|segment| of(&segment.figure)).filter(|share| share.of > 0);
        // Cross products of seconds of a month are far below what i128 holds.
        let key =
            |one: &Share, other: &Share| (i128::from(one.good) * i128::from(other.of)).cmp(&(i128::from(other.good) * i128::from(one.of)));
        shares.min_by(key).and_then(Share::text)
    };
    LevelStatus {
        objective: objective.name.clone(),
        verdict: objective.verdict,
        worst_percent: least(crate::service_level::Figure::worst),
        best_percent: least(crate::service_level::Figure::best),
        counted_seconds: sum(|figure| figure.counted_seconds),
        down_seconds: sum(|figure| figure.down_seconds),
        unknown_seconds: sum(|figure| figure.unknown_seconds),
        excluded_seconds: sum(|figure| figure.excluded_seconds),
        unmeasured_seconds: sum(|figure| figure.unmeasured_seconds),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(dry_run: bool) -> ServiceReport {
        let terms = json!({"zone": "UTC", "objectives": [{"name": "web", "target": "99.9", "uptime": {"source": "Machines"}}]});
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ServiceReport",
            "metadata": {"name": "2026-11", "namespace": "client-acme", "generation": 1},
            "spec": {"month": "2026-11", "dryRun": dry_run, "terms": terms},
        }))
        .unwrap()
    }

    fn observed(kept: &[u32]) -> Observed {
        let kept = kept.iter().map(|day| format!("2026-11-{day:02}")).collect();
        Observed { has_client: true, terms: report(false).spec.terms, retention_days: Some(40), kept, lost: None }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_read_once_it_is_over_and_given_up_once_it_cannot_be_had() {
        let all: Vec<u32> = (1..=30).collect();
        // Time, days that are kept, then: days to be read, more of them, days given up, whether a report is made.
        let cases = [
            ("the first day lasts", "2026-11-01T23:59:59Z", vec![], (0, false, 0, false)),
            ("the sample after it may not be there", "2026-11-02T00:04:59Z", vec![], (0, false, 0, false)),
            ("it can be read", "2026-11-02T00:05:00Z", vec![], (1, false, 0, false)),
            ("one visit reads four", "2026-11-11T12:00:00Z", vec![], (4, true, 0, false)),
            ("the month is over, its last day is not to be had yet", "2026-12-01T00:01:00Z", all[..29].to_vec(), (0, false, 0, false)),
            ("the last day comes, and with it the report", "2026-12-01T00:05:00Z", all[..29].to_vec(), (1, false, 0, true)),
            ("all is there", "2026-12-01T00:06:00Z", all.clone(), (0, false, 0, true)),
            ("three days later a day is given up", "2026-12-04T00:00:00Z", all[..29].to_vec(), (0, false, 1, true)),
            ("nothing is read that Prometheus has dropped", "2026-12-25T00:00:00Z", all[10..].to_vec(), (0, false, 10, true)),
        ];
        for (reason, now, kept, expected) in cases {
            let plan = plan(&report(false), &observed(&kept), at(now));
            assert_eq!((plan.fetch.len(), plan.has_more, plan.gone.len(), plan.makes_report), expected, "{reason}");
        }
        let late = plan(&report(true), &observed(&all[..29]), at("2026-12-04T00:00:00Z"));
        assert_eq!((late.fetch.len(), late.gone.len()), (1, 0), "a trial asks for whatever Prometheus still has");
        let dropped = Observed { retention_days: Some(10), ..observed(&[]) };
        let told: Vec<String> = plan(&report(false), &dropped, at("2026-11-20T12:00:00Z")).gone.into_keys().collect();
        assert_eq!(
            (told.len(), told.last().map(String::as_str)),
            (10, Some("2026-11-10")),
            "the day of which a part was dropped is no whole day"
        );
    }

    #[test]
    fn terms_are_noted_in_their_own_month_alone_and_never_by_a_trial() {
        let notes = |dry_run, now| plan(&report(dry_run), &observed(&[]), at(now)).notes_terms;
        assert!(notes(false, "2026-11-01T00:00:00Z") && notes(false, "2026-11-30T23:59:59Z"));
        assert!(!notes(false, "2026-12-01T00:00:00Z") && !notes(false, "2026-10-31T23:59:59Z"));
        assert!(!notes(true, "2026-11-15T00:00:00Z"));
    }

    #[test]
    fn what_is_not_read_is_told_and_nothing_is_called_stored_before_it_is() {
        let told = |done: &Done, plan: &Plan| {
            let (status, outcome) = status(&report(false), &observed(&[1]), &[], (plan, done), at("2026-11-11T12:00:00Z"));
            let is =
                |kind| crate::conditions::find(&status.conditions, kind).map(|found| (found.status.clone(), found.reason.clone())).unwrap();
            (is(ConditionType::LevelsCollected), is(ConditionType::ReportStored), outcome)
        };
        let pair = |is: &str, reason: &str| (is.to_owned(), reason.to_owned());
        let failed = Done { problem: Some("2026-11-02: no connection".into()), ..Done::default() };
        let (collected, stored, outcome) = told(&failed, &Plan::default());
        assert_eq!((collected, stored), (pair("False", "Unreachable"), pair("Unknown", "Unreachable")));
        assert!(matches!(outcome, Outcome::Waiting(wait) if wait.after == PAUSE));
        let (collected, stored, _) = told(&Done::default(), &Plan::default());
        assert_eq!((collected, stored), (pair("True", "Settled"), pair("Unknown", "Progressing")));
        let gone = Plan { gone: [("2026-11-01".to_owned(), DROPPED.to_owned())].into(), ..Plan::default() };
        assert_eq!(told(&Done::default(), &gone).0, pair("False", "Incomplete"));
        let (_, _, outcome) = told(&Done::default(), &Plan::default());
        assert!(matches!(outcome, Outcome::Settled(_)), "while the month lasts nothing is missing: {outcome:?}");
        let conflict = Done { conflict: Some("another one".into()), ..Done::default() };
        assert_eq!(told(&conflict, &Plan::default()).1, pair("False", "ReportConflict"));
    }

    #[test]
    fn days_before_the_levels_were_agreed_are_no_loss() {
        let gone = |day: &str| Plan { gone: [(day.to_owned(), DROPPED.to_owned())].into(), ..Plan::default() };
        for (why, day, dry_run, expected) in [
            ("it was over", "2026-11-09", false, "True"),
            ("it lasted", "2026-11-10", false, "False"),
            ("a trial asks for its whole month", "2026-11-09", true, "False"),
        ] {
            let mut asked = report(dry_run);
            asked.metadata.creation_timestamp = Some(Time(at("2026-11-10T08:00:00Z")));
            let (status, _) = status(&asked, &observed(&[]), &[], (&gone(day), &Done::default()), at("2026-11-25T12:00:00Z"));
            let found = crate::conditions::find(&status.conditions, ConditionType::LevelsCollected).unwrap();
            assert_eq!(found.status, expected, "{why}");
            assert!(found.message.contains("1 day(s) cannot be had"), "it is told all the same: {}", found.message);
        }
    }

    #[test]
    fn a_report_that_was_made_is_never_made_again_and_its_loss_is_told() {
        let mut made = report(false);
        let stored = StoredReport { address: "a".into(), sha256: "d".into() };
        made.status = Some(ServiceReportStatus { report: Some(stored), observed_generation: Some(1), ..ServiceReportStatus::default() });
        assert_eq!(plan(&made, &observed(&[]), at("2026-12-02T00:00:00Z")), Plan::default());
        assert_eq!(check(&made, &Observed::default()), [], "whatever became of the client");
        let lost = Observed { lost: Some("not in the store: a".into()), ..observed(&[]) };
        for (seen, expected) in [(observed(&[]), ("True", "Settled")), (lost, ("False", "ReportLost"))] {
            let (status, _) = status(&made, &seen, &[], (&Plan::default(), &Done::default()), at("2026-12-02T00:00:00Z"));
            let found = crate::conditions::find(&status.conditions, ConditionType::ReportStored).unwrap();
            assert_eq!((found.status.as_str(), found.reason.as_str()), expected);
        }
    }

    #[test]
    fn the_next_look_is_when_the_next_day_can_be_read() {
        assert_eq!(next(at("2026-11-03T23:50:00Z")), Duration::from_secs(900));
        assert_eq!(next(at("2026-11-03T00:04:00Z")), Duration::from_secs(60));
        assert_eq!(next(at("2026-11-03T12:00:00Z")), LOOK);
    }
}
