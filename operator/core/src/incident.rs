//! `Incident`: what became of an outage, whether pages of it are held back, and when it moves to the store.

mod fold;
pub mod outage;
mod place;
mod record;
mod silence;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use caretaker_api::Incident;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::incident::{IncidentState, IncidentStatus, StoredIncident};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{ConditionSet, Is};
use crate::outcome::{Outcome, Wait};
use fold::{News, due_by, fold, is_to_be_noted, taken};

pub use fold::{MEMBERS, Step, steps};
pub use place::IncidentsPlace;
pub use record::Record;
pub use silence::{LABEL, Silence, comment};

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[ConditionType::IncidentFollowed, ConditionType::PagesHeld];
/// Most incidents of a client that are objects and not closed. Outages beyond them are told in a condition, and page as all do.
pub const MOST_OPEN: usize = 200;
/// Most closed incidents of a client that stay objects.
pub const MOST_CLOSED: usize = 100;

/// Seconds for which a closed incident stays an object.
const STAYS: i64 = 7 * 86_400;
/// Time between two looks at an incident that lasts.
const LOOK: Duration = Duration::from_secs(30);
/// Time between two looks at one that is closed.
const RESYNC: Duration = Duration::from_secs(6 * 3600);
/// Seconds for which pages are held back without a word of the operator: where it is down longer, further tiers are told, though somebody took it.
const HOLDS: i64 = 3600;
/// Seconds before their end at which they are held back longer.
const RENEWS: i64 = 1800;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The tiers, in the order in which they are told; empty where the client has no monitoring.
    pub steps: Vec<Step>,
    /// What Prometheus evaluated since the status, or why it cannot be asked. `None` where nothing is to be asked.
    pub reading: Option<Result<Arc<outage::Reading>, String>>,
    /// Members now.
    pub members: Option<Vec<String>>,
    /// Closed incidents of the client that began later.
    pub newer_closed: usize,
    /// What is wrong with the record in the store.
    pub lost: Option<String>,
}

/// Whether pages are to be held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// They are not, and were not.
    No,
    /// They were, and are not to be any more.
    Release,
    /// They are, until the second.
    Until(Silence, i64),
}

/// What a visit does.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The status after the news.
    pub status: IncidentStatus,
    /// Whether pages are to be held back.
    pub hold: Hold,
    /// What is to be written to the store.
    pub records: bool,
    /// Whether the object goes.
    pub goes: bool,
}

/// What a visit did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Until when pages are held back, or why it was not possible to hold or release them.
    pub held: Option<Result<Option<i64>, String>>,
    /// The record that stands in the store.
    pub record: Option<StoredIncident>,
}

/// What is to be done.
#[must_use]
pub fn plan(incident: &Incident, observed: &Observed, now: Timestamp) -> Plan {
    // The API keeps whole seconds.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let empty = outage::Reading::default();
    let reading = match &observed.reading {
        Some(Ok(reading)) => reading,
        _ => &empty,
    };
    let news = News { reading, members: observed.members.as_deref(), steps: &observed.steps, now };
    let (mut status, last) = fold(incident, &news);
    let hold = hold(incident, &status, &observed.steps, now);
    let before = incident.status.clone().unwrap_or_default();
    // What is read says of each moment whether pages were held back then: it is not read anew under another word.
    let turns = before.pages_held_until.is_some() != matches!(hold, Hold::Until(..));
    if let Some(last) = last.filter(|last| turns || is_to_be_noted(&before, &status, *last)) {
        status.read_until = Timestamp::from_second(last).ok().map(Time);
    }
    let is_closed = status.state == IncidentState::Closed;
    let closed_at = status.events.last().map_or(now, |event| event.at.0).as_second();
    let stays = status.record.is_none() || observed.newer_closed < MOST_CLOSED && now.as_second() - closed_at < STAYS;
    Plan { hold, records: is_closed && status.record.is_none(), goes: is_closed && !stays && observed.lost.is_none(), status }
}

/// Pages of what was taken are held back until it is closed: while it pauses, too, for it may come back.
fn hold(incident: &Incident, status: &IncidentStatus, steps: &[Step], now: Timestamp) -> Hold {
    let was_held = status.pages_held_until.is_some();
    let release = if was_held { Hold::Release } else { Hold::No };
    let taken = taken(status).filter(|_| incident.spec.acknowledgement.is_some() && status.state != IncidentState::Closed);
    let (Some(taken), Some(silence)) = (taken, Silence::of(incident, status, steps)) else { return release };
    let cap = due_by(taken, steps).unwrap_or(i64::MAX);
    let now = now.as_second();
    let held = status.pages_held_until.as_ref().map(|until| until.0.as_second());
    let until = held.filter(|held| *held >= (now + RENEWS).min(cap)).unwrap_or((now + HOLDS).min(cap));
    Hold::Until(silence, until)
}

/// The new status and what the visit came to.
#[must_use]
pub fn status(incident: &Incident, observed: &Observed, (plan, done): (&Plan, &Done), now: Timestamp) -> (IncidentStatus, Outcome) {
    let mut status = plan.status.clone();
    let mut set = ConditionSet::new(&status.conditions, CONDITIONS, incident.metadata.generation.unwrap_or_default(), now);
    if let Some(record) = &done.record {
        status.record = Some(record.clone());
    }
    let held = held(&mut set, &mut status, (plan, done));
    let followed = followed(&mut set, &status, observed);
    status.conditions = set.finish();
    let outcome = match followed.or(held) {
        Some(wait) => Outcome::Waiting(wait),
        None if status.state == IncidentState::Closed => Outcome::Settled(RESYNC),
        None => Outcome::Settled(LOOK),
    };
    (status, outcome)
}

fn held(set: &mut ConditionSet, status: &mut IncidentStatus, (plan, done): (&Plan, &Done)) -> Option<Wait> {
    let kind = ConditionType::PagesHeld;
    match &done.held {
        Some(Ok(until)) => status.pages_held_until = until.and_then(|until| Timestamp::from_second(until).ok()).map(Time),
        Some(Err(why)) => {
            let (what, then) = match plan.hold {
                Hold::Until(..) => ("hold back pages", "further tiers are told although somebody took it"),
                _ => ("let pages through again", "until they end by themselves, within an hour, further tiers are not told"),
            };
            let message = format!("Alertmanager cannot be asked to {what}: {why}; {then}");
            set.set(kind, Is::False, Reason::Unreachable, &message);
            return Some(Wait { reason: Reason::Unreachable, message, after: LOOK });
        }
        None => {}
    }
    match (&plan.hold, &status.pages_held_until) {
        (Hold::Until(silence, _), Some(_)) => {
            let message = format!("Alertmanager holds back pages to {}; the time is in status.pagesHeldUntil", silence.tiers.join(", "));
            set.set(kind, Is::True, Reason::Settled, message);
        }
        _ => set.set(kind, Is::True, Reason::NotRequested, "nothing is held back"),
    }
    None
}

fn followed(set: &mut ConditionSet, status: &IncidentStatus, observed: &Observed) -> Option<Wait> {
    let kind = ConditionType::IncidentFollowed;
    let wait = |reason, message: String| Some(Wait { reason, message, after: LOOK });
    if status.state == IncidentState::Closed {
        let Some(record) = &status.record else {
            let message = "the record is not in the store yet".to_owned();
            set.set(kind, Is::Unknown, Reason::Progressing, &message);
            return wait(Reason::Progressing, message);
        };
        if let Some(lost) = &observed.lost {
            let message = format!("{lost}: put {} back from a copy of the store", record.address);
            set.set(kind, Is::False, Reason::ReportLost, &message);
            return wait(Reason::ReportLost, message);
        }
        set.set(kind, Is::True, Reason::Settled, format!("closed; in the store: {}", record.address));
        return None;
    }
    match &observed.reading {
        Some(Err(why)) => {
            let message = format!("it is not known whether the outage lasts: {why}");
            set.set(kind, Is::Unknown, Reason::Unreachable, &message);
            wait(Reason::Unreachable, message)
        }
        _ if observed.steps.is_empty() => {
            let message = "the client has no MonitoringStack any more, so that nothing tells whether the outage lasts".to_owned();
            set.set(kind, Is::Unknown, Reason::ReferenceMissing, &message);
            wait(Reason::ReferenceMissing, message)
        }
        _ => {
            set.set(kind, Is::True, Reason::Settled, "what Prometheus knows of it is read");
            None
        }
    }
}
