//! What became of an incident: a fold over what Prometheus evaluated, with what people did.

use caretaker_api::Incident;
use caretaker_api::incident::{Acknowledgement, IncidentChange, IncidentEvent, IncidentState, IncidentStatus};
use caretaker_api::monitoring_stack::{MonitoringTerms, TierKind};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::outage::{Key, PAUSE, Reading};
use crate::monitoring_stack::tiers_in_order;

/// Events at either end that are listed.
const LISTED: usize = 20;
/// Most members that are listed. Of an incident of more than these nobody can say whether it has grown: it stays taken.
pub const MEMBERS: usize = 50;
/// Seconds after which it is noted how far the reading is, though nothing happened: what is read anew at each visit stays short.
const NOTES: i64 = 6 * 3600;

/// A tier, as far as a fold needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Whether a vendor stands behind it.
    pub is_vendor: bool,
    /// Seconds within which what was taken is to end.
    pub resolve_within: Option<i64>,
}

/// The tiers in the order in which they are told.
#[must_use]
pub fn steps(terms: &MonitoringTerms) -> Vec<Step> {
    let step = |tier: &caretaker_api::monitoring_stack::Tier| Step {
        name: tier.name.clone(),
        is_vendor: tier.kind == TierKind::Vendor,
        resolve_within: tier.resolve_within_minutes.map(|minutes| i64::from(minutes) * 60),
    };
    tiers_in_order(terms).into_iter().map(|(_, tier)| step(tier)).collect()
}

/// What a visit knows beyond the status.
#[derive(Clone, Debug)]
pub struct News<'a> {
    /// What Prometheus evaluated since the status.
    pub reading: &'a Reading,
    /// Members now; `None` where they were not told.
    pub members: Option<&'a [String]>,
    /// The tiers.
    pub steps: &'a [Step],
    /// Now.
    pub now: Timestamp,
}

/// The status after the news, and the last second of what was read. Conditions, the record and how far is read are not touched.
#[must_use]
pub fn fold(incident: &Incident, news: &News<'_>) -> (IncidentStatus, Option<i64>) {
    let status = incident.status.clone().unwrap_or_default();
    let mut fold = Fold { opened_at: incident.spec.opened_at.0.as_second(), steps: news.steps, status };
    if fold.status.state == IncidentState::Closed {
        return (fold.status, None);
    }
    // It was made because its alert fired then.
    if let Some(first) = fold.steps.first().filter(|_| fold.status.events.is_empty()).map(|step| step.name.clone()) {
        fold.status.tier = Some(first.clone());
        fold.push(IncidentChange::Opened, fold.opened_at, Some(first));
    }
    let last = fold.evaluations(&Key::of(incident), news);
    fold.acknowledge(incident.spec.acknowledgement.as_ref(), news);
    fold.run_out(incident.spec.acknowledgement.is_some(), news);
    fold.status.state = fold.state(incident.spec.acknowledgement.is_some());
    (fold.status, last)
}

/// Whether it is to be noted how far is read: something happened, or it is long ago. Else the status stays as it is, and the next visit reads the same anew.
#[must_use]
pub fn is_to_be_noted(before: &IncidentStatus, after: &IncidentStatus, last: i64) -> bool {
    let long_ago = before.read_until.as_ref().is_none_or(|until| last - until.0.as_second() > NOTES);
    long_ago || before.events.last() != after.events.last() || before.events.len() != after.events.len()
}

/// When an incident that is taken was, and at which tier; `None` where it is not, or has grown or become overdue since.
#[must_use]
pub fn taken(status: &IncidentStatus) -> Option<&IncidentEvent> {
    let of =
        |event: &&IncidentEvent| matches!(event.change, IncidentChange::Acknowledged | IncidentChange::Grown | IncidentChange::Overdue);
    status.events.iter().rev().find(of).filter(|event| event.change == IncidentChange::Acknowledged)
}

/// Until when the tier at which it was taken may keep it.
#[must_use]
pub fn due_by(taken: &IncidentEvent, steps: &[Step]) -> Option<i64> {
    let step = steps.iter().find(|step| Some(&step.name) == taken.tier.as_ref())?;
    Some(taken.at.0.as_second() + step.resolve_within?)
}

struct Fold<'a> {
    opened_at: i64,
    steps: &'a [Step],
    status: IncidentStatus,
}

impl Fold<'_> {
    fn last(&self, of: &[IncidentChange]) -> Option<&IncidentEvent> {
        self.status.events.iter().rev().find(|event| of.contains(&event.change))
    }

    fn resolved_at(&self) -> Option<i64> {
        let last = self.last(&[IncidentChange::Resolved, IncidentChange::Reopened])?;
        (last.change == IncidentChange::Resolved).then(|| last.at.0.as_second())
    }

    fn order(&self, tier: Option<&str>) -> Option<usize> {
        self.steps.iter().position(|step| Some(step.name.as_str()) == tier)
    }

    fn evaluations(&mut self, key: &Key, news: &News<'_>) -> Option<i64> {
        let read_until = self.status.read_until.as_ref().map_or(self.opened_at - 1, |until| until.0.as_second());
        let mut last = None;
        for at in news.reading.evaluated.range(read_until + 1..) {
            let fires = news.reading.firing.get(key).into_iter().flatten().filter(|(_, moments)| moments.contains(at));
            let tiers: Vec<&str> = fires.map(|(tier, _)| tier.as_str()).collect();
            self.evaluated(*at, &tiers);
            last = Some(*at);
            if self.last(&[IncidentChange::Closed]).is_some() {
                break;
            }
        }
        last
    }

    fn evaluated(&mut self, at: i64, tiers: &[&str]) {
        let resolved_at = self.resolved_at();
        if tiers.is_empty() {
            match resolved_at {
                None => self.push(IncidentChange::Resolved, at, None),
                Some(since) if at - since >= PAUSE => self.push(IncidentChange::Closed, at, None),
                Some(_) => {}
            }
            return;
        }
        if resolved_at.is_some() {
            self.push(IncidentChange::Reopened, at, None);
        }
        let highest = self.steps.iter().rposition(|step| tiers.contains(&step.name.as_str()));
        let is_held = self.status.pages_held_until.as_ref().is_some_and(|until| at <= until.0.as_second());
        if highest > self.order(self.status.tier.as_deref()) && !is_held {
            let tier = highest.map(|index| self.steps[index].name.clone());
            self.push(IncidentChange::Escalated, at, tier.clone());
            self.status.tier = tier;
        }
    }

    /// Adds an event, and what has passed with a vendor until then.
    fn push(&mut self, change: IncidentChange, at: i64, tier: Option<String>) {
        use IncidentChange::{Escalated, Opened, Reopened, Resolved};
        let with = self.order(self.last(&[Opened, Escalated]).and_then(|event| event.tier.as_deref()));
        if matches!(change, Escalated | Resolved)
            && with.is_some_and(|index| self.steps[index].is_vendor)
            && let Some(since) = self.last(&[Opened, Escalated, Reopened]).map(|event| event.at.0.as_second())
        {
            self.status.seconds_with_vendor += at - since;
        }
        if change == Resolved {
            self.status.seconds_to_resolve = Some(at - self.opened_at);
        }
        self.add(IncidentEvent { at: Time(Timestamp::from_second(at).unwrap_or_default()), change, tier, by: None });
    }

    /// Puts an event to its place in time; of many the middle ones are counted only.
    fn add(&mut self, event: IncidentEvent) {
        let events = &mut self.status.events;
        let place = events.iter().rposition(|other| other.at.0 <= event.at.0).map_or(0, |before| before + 1);
        events.insert(place, event);
        if events.len() > 2 * LISTED {
            events.remove(LISTED);
            self.status.events_left_out += 1;
        }
    }

    fn acknowledge(&mut self, given: Option<&Acknowledgement>, news: &News<'_>) {
        if let Some(members) = news.members {
            self.status.member_count = u32::try_from(members.len()).unwrap_or(u32::MAX);
            self.status.members = members.iter().take(MEMBERS).cloned().collect();
        }
        let Some(given) = given.filter(|_| !self.status.events.is_empty()) else { return };
        let opened_at = Timestamp::from_second(self.opened_at).unwrap_or_default();
        let at = given.at.as_ref().map(|at| at.0.clamp(opened_at, news.now.max(opened_at)));
        let last = self.last(&[IncidentChange::Acknowledged]);
        let is_told = last.is_some_and(|last| last.by.as_ref() == Some(&given.by) && at.is_none_or(|at| last.at.0 == at));
        if is_told {
            return;
        }
        let at = at.unwrap_or(news.now);
        // What was given before it grew is no word on what it has become.
        let ended = self.last(&[IncidentChange::Grown, IncidentChange::Overdue]).map(|event| event.at.0);
        if ended.is_some_and(|ended| at <= ended) {
            return;
        }
        let told = |event: &&IncidentEvent| matches!(event.change, IncidentChange::Opened | IncidentChange::Escalated) && event.at.0 <= at;
        let tier = self.status.events.iter().rev().find(told).and_then(|event| event.tier.clone()).or_else(|| self.status.tier.clone());
        self.status.seconds_to_acknowledge.get_or_insert(at.as_second() - self.opened_at);
        self.status.taken_members.clone_from(&self.status.members);
        self.add(IncidentEvent { at: Time(at), change: IncidentChange::Acknowledged, tier, by: Some(given.by.clone()) });
    }

    /// Ends what was taken where it has grown, or lasts too long.
    fn run_out(&mut self, is_given: bool, news: &News<'_>) {
        let Some(taken) = taken(&self.status).filter(|_| is_given && self.resolved_at().is_none()).cloned() else { return };
        if let Some(due) = due_by(&taken, self.steps)
            && news.now.as_second() >= due
        {
            self.add(IncidentEvent {
                at: Time(Timestamp::from_second(due).unwrap_or(news.now)),
                change: IncidentChange::Overdue,
                tier: taken.tier,
                by: taken.by,
            });
            return;
        }
        let known = &self.status.taken_members;
        let is_known = known.is_empty() || known.len() >= MEMBERS || self.status.members.iter().all(|member| known.contains(member));
        if news.members.is_some() && !is_known {
            self.add(IncidentEvent { at: Time(news.now), change: IncidentChange::Grown, tier: None, by: None });
        }
    }

    fn state(&self, is_given: bool) -> IncidentState {
        if self.last(&[IncidentChange::Closed]).is_some() {
            IncidentState::Closed
        } else if self.resolved_at().is_some() {
            IncidentState::Resolved
        } else if is_given && taken(&self.status).is_some() {
            IncidentState::Acknowledged
        } else if self.order(self.status.tier.as_deref()).unwrap_or_default() > 0 {
            IncidentState::Escalated
        } else {
            IncidentState::Opened
        }
    }
}
