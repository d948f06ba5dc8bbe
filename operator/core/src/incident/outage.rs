//! Which outages a client's Prometheus knows of, and which of them have no incident yet.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::Incident;
use caretaker_api::incident::IncidentChange;
use kube::ResourceExt;

use crate::digest::json_digest;
use crate::monitoring_stack::PAUSE_MINUTES;

/// Seconds that an outage may pause and still be the same.
pub const PAUSE: i64 = PAUSE_MINUTES as i64 * 60;

/// What makes an outage the one that it is: the alert, and the labels that all alerts of a page have in common. The tier is no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct Key {
    /// Name of the alert.
    pub alert: String,
    /// The labels; none is empty.
    pub labels: BTreeMap<String, String>,
}

impl Key {
    /// The key of an incident.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        Self { alert: incident.spec.alert.clone(), labels: incident.spec.labels.clone() }
    }

    /// Name of the incident of this key that began then: the same for the same outage, whoever asks and how often.
    #[must_use]
    pub fn name(&self, opened_at: i64) -> String {
        let digest = json_digest(&(self, opened_at));
        let word: String = self.alert.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        format!("{}-{}", if word.is_empty() { "alert" } else { &word }, &digest[..8])
    }
}

/// What fired when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Seconds at which Prometheus evaluated its rules: at others nothing is known.
    pub evaluated: BTreeSet<i64>,
    /// Seconds at which an alert fired, by key and tier.
    pub firing: BTreeMap<Key, BTreeMap<String, BTreeSet<i64>>>,
}

/// One outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Second at which an alert was seen firing first.
    pub from: i64,
    /// Second at which it was seen firing last.
    pub last: i64,
}

/// An outage that has no incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its key.
    pub key: Key,
    /// When it began.
    pub opened_at: i64,
}

/// What is known of an incident, in the cluster or in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its key.
    pub key: Key,
    /// When it began.
    pub opened_at: i64,
    /// When it was resolved last, if it is.
    pub resolved_at: Option<i64>,
}

impl Known {
    /// What an incident of the cluster tells.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        let events = incident.status.iter().flat_map(|status| &status.events);
        let resolved_at = events.fold(None, |resolved, event| match event.change {
            IncidentChange::Resolved => Some(event.at.0.as_second()),
            IncidentChange::Reopened => None,
            _ => resolved,
        });
        Self { key: Key::of(incident), opened_at: incident.spec.opened_at.0.as_second(), resolved_at }
    }

    /// Whether it stands for an outage. One that began before what was read is that of an incident that was not over then.
    fn covers(&self, key: &Key, outage: Outage) -> bool {
        let goes_on = self.opened_at < outage.from && self.resolved_at.is_none_or(|at| at + PAUSE >= outage.from);
        self.key == *key && ((outage.from..=outage.last).contains(&self.opened_at) || goes_on)
    }
}

/// The outages of a key, in order. Moments at which nothing was evaluated end none.
#[must_use]
pub fn outages(reading: &Reading, key: &Key) -> Vec<Outage> {
    let Some(tiers) = reading.firing.get(key) else { return Vec::new() };
    let mut found: Vec<Outage> = Vec::new();
    let mut quiet_since = None;
    for at in &reading.evaluated {
        if tiers.values().any(|moments| moments.contains(at)) {
            match found.last_mut().filter(|_| quiet_since.is_none_or(|since| at - since < PAUSE)) {
                Some(outage) => outage.last = *at,
                None => found.push(Outage { from: *at, last: *at }),
            }
            quiet_since = None;
        } else if !found.is_empty() {
            quiet_since = quiet_since.or(Some(*at));
        }
    }
    found
}

/// Outages that have no incident.
#[must_use]
pub fn due(reading: &Reading, known: &[Known]) -> Vec<Due> {
    let mut found = Vec::new();
    for key in reading.firing.keys() {
        for outage in outages(reading, key) {
            if !known.iter().any(|known| known.covers(key, outage)) {
                found.push(Due { key: key.clone(), opened_at: outage.from });
            }
        }
    }
    // The oldest first: where there are too many, those that last longest have theirs.
    found.sort_by(|one, other| (one.opened_at, &one.key).cmp(&(other.opened_at, &other.key)));
    found
}

/// Name of an incident's file in the store, which sorts by time.
#[must_use]
pub fn file_name(incident: &Incident) -> String {
    let at = incident.spec.opened_at.0.strftime("%Y%m%dT%H%M%SZ");
    format!("{at}-{}.json", incident.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key { alert: "InstanceDown".into(), labels: [("account".to_owned(), "1".to_owned())].into() }
    }

    /// Minutes at which it fired, and at which nothing was evaluated, of three hours.
    fn reading(fires: impl Fn(i64) -> bool, is_silent: impl Fn(i64) -> bool) -> Reading {
        let evaluated: BTreeSet<i64> = (0..180).filter(|minute| !is_silent(*minute)).map(|minute| minute * 60).collect();
        let firing = evaluated.iter().copied().filter(|second| fires(second / 60)).collect();
        Reading { evaluated, firing: [(key(), [("tier-1".to_owned(), firing)].into())].into() }
    }

    #[test]
    fn one_outage_is_one_whatever_pauses_it_shortly() {
        type Fires = fn(i64) -> bool;
        type Case<'a> = (&'a str, Fires, Fires, Vec<(i64, i64)>);
        let cases: [Case<'_>; 5] = [
            ("one", |m| (10..60).contains(&m), |_| false, vec![(10, 59)]),
            ("25 of every 26 minutes", |m| m % 26 != 25, |_| false, vec![(0, 179)]),
            ("nine minutes between", |m| (10..20).contains(&m) || (29..40).contains(&m), |_| false, vec![(10, 39)]),
            ("ten minutes between", |m| (10..20).contains(&m) || (30..40).contains(&m), |_| false, vec![(10, 19), (30, 39)]),
            ("an hour in which nothing is known", |m| m >= 10, |m| (40..100).contains(&m), vec![(10, 179)]),
        ];
        for (what, fires, is_silent, expected) in cases {
            let found: Vec<_> = outages(&reading(fires, is_silent), &key()).iter().map(|it| (it.from / 60, it.last / 60)).collect();
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn what_has_an_incident_gets_no_other() {
        let reading = reading(|m| (10..20).contains(&m) || m >= 60, |_| false);
        let known = |opened: i64, resolved: Option<i64>| Known {
            key: key(),
            opened_at: opened * 60,
            resolved_at: resolved.map(|minute| minute * 60),
        };
        let cases: [(&str, Vec<Known>, &[i64]); 6] = [
            ("none", vec![], &[10, 60]),
            ("the first", vec![known(10, Some(20))], &[60]),
            ("both", vec![known(10, Some(20)), known(60, None)], &[]),
            ("one that began before what was read", vec![known(-500, Some(5))], &[60]),
            ("one that was over before", vec![known(-500, Some(-100))], &[10, 60]),
            ("another's", vec![Known { key: Key { alert: "ProberDown".into(), ..key() }, ..known(10, None) }], &[10, 60]),
        ];
        for (what, known, expected) in cases {
            let found: Vec<i64> = due(&reading, &known).iter().map(|due| due.opened_at / 60).collect();
            assert_eq!(found, expected, "{what}");
        }
        assert_eq!(key().name(600), key().name(600));
        assert_ne!(key().name(600), key().name(660));
    }
}
