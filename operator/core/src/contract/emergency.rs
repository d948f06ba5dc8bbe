//! An emergency: when it lasts, what of it is to be recorded, and what is told of it.

use std::collections::BTreeSet;

use caretaker_api::contract::{BreakGlass, BreakGlassStatus};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::ledger::{Decided, Decision};

/// Longest time of an emergency. Admission says so too; a definition can be older than this release.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// When it ends at the latest.
fn end(declared: &BreakGlass) -> Timestamp {
    declared.until.0.min(declared.from.0.checked_add(LONGEST).unwrap_or(declared.from.0))
}

/// Whether it lasts at a moment: from its first second to the one before its end.
#[must_use]
pub fn lasts(declared: &BreakGlass, now: Timestamp) -> bool {
    declared.from.0 <= now && now < end(declared)
}

/// Names it in the ledger: what is declared anew is another one.
#[must_use]
pub fn about(declared: &BreakGlass) -> String {
    let digest = crate::digest::json_digest(declared);
    format!("emergency-{}", &digest[..12])
}

/// That it was declared.
#[must_use]
pub fn opened(declared: &BreakGlass) -> Decision {
    let BreakGlass { by, reason, until, .. } = declared;
    Decision { about: about(declared), decided: Decided::EmergencyOpened, by: by.clone(), text: format!("until {}: {reason}", until.0) }
}

fn ended(declared: &BreakGlass, text: &str) -> Decision {
    Decision { about: about(declared), decided: Decided::EmergencyEnded, by: String::new(), text: text.into() }
}

/// The decisions that the ledger holds about emergencies and changes.
pub type Told = BTreeSet<(String, Decided)>;

/// What the ledger is to be told now: that an emergency has begun, or that the last one has ended. The last one is that
/// of the status.
#[must_use]
pub fn owed(declared: Option<&BreakGlass>, last: Option<&BreakGlassStatus>, told: &Told, now: Timestamp) -> Vec<Decision> {
    let is_told = |decision: &Decision| told.contains(&(decision.about.clone(), decision.decided));
    let mut owed = Vec::new();
    if let Some(last) = last.map(|last| &last.declared).filter(|last| Some(*last) != declared) {
        owed.push(ended(last, "it was taken back, or another one was declared"));
    }
    if let Some(declared) = declared {
        let was_opened = is_told(&opened(declared));
        if lasts(declared, now) {
            owed.push(opened(declared));
        } else if was_opened {
            owed.push(ended(declared, "its time is over"));
        }
    }
    owed.retain(|decision| !is_told(decision));
    owed
}

/// What the status tells of the last emergency, once the ledger has what was owed.
#[must_use]
pub fn shown(declared: Option<&BreakGlass>, last: Option<&BreakGlassStatus>, now: Timestamp) -> Option<BreakGlassStatus> {
    if let Some(declared) = declared.filter(|declared| lasts(declared, now)) {
        return Some(BreakGlassStatus { declared: declared.clone(), ended_at: None });
    }
    let last = last?;
    let is_taken_back = declared != Some(&last.declared);
    let ended_at = last.ended_at.clone().or_else(|| {
        // One that was taken back has ended when that was seen, or at its own end before.
        let at = if is_taken_back { now.min(end(&last.declared)) } else { end(&last.declared) };
        Some(Time(at))
    });
    Some(BreakGlassStatus { ended_at, ..last.clone() })
}

/// Time until an emergency begins or ends; `None` where neither comes.
#[must_use]
pub fn next(declared: Option<&BreakGlass>, now: Timestamp) -> Option<std::time::Duration> {
    let declared = declared?;
    let at = if now < declared.from.0 { declared.from.0 } else { end(declared) };
    let left = at.duration_since(now);
    (left > SignedDuration::ZERO).then(|| left.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn glass(from: &str, until: &str) -> BreakGlass {
        BreakGlass { by: "Jo".into(), reason: "ransom".into(), from: Time(at(from)), until: Time(at(until)) }
    }

    #[test]
    fn it_lasts_from_its_first_second_to_its_end_and_never_longer_than_a_day() {
        let short = glass("2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z");
        let endless = glass("2026-01-01T10:00:00Z", "2030-01-01T00:00:00Z");
        let backwards = glass("2026-01-01T10:00:00Z", "2026-01-01T09:00:00Z");
        for (why, declared, now, expected) in [
            ("before", &short, "2026-01-01T09:59:59Z", false),
            ("its first second", &short, "2026-01-01T10:00:00Z", true),
            ("its last second", &short, "2026-01-01T11:59:59Z", true),
            ("its end", &short, "2026-01-01T12:00:00Z", false),
            ("within a day of one that is too long", &endless, "2026-01-02T09:59:59Z", true),
            ("after a day of it", &endless, "2026-01-02T10:00:00Z", false),
            ("one that ends before it begins", &backwards, "2026-01-01T10:00:00Z", false),
        ] {
            assert_eq!(lasts(declared, at(now)), expected, "{why}");
        }
    }

    /// One life: what is told at each visit, also after a death between the entry and the status.
    #[test]
    fn its_beginning_and_its_end_are_told_once_each() {
        let declared = glass("2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z");
        let (mut told, mut last) = (Told::new(), None);
        let mut visit = |declared: Option<&BreakGlass>, now: &str, dies: bool| -> Vec<Decided> {
            let owed = owed(declared, last.as_ref(), &told, at(now));
            told.extend(owed.iter().map(|decision| (decision.about.clone(), decision.decided)));
            if !dies {
                last = shown(declared, last.as_ref(), at(now));
            }
            owed.iter().map(|decision| decision.decided).collect()
        };
        assert_eq!(visit(Some(&declared), "2026-01-01T09:00:00Z", false), [], "not yet");
        assert_eq!(visit(Some(&declared), "2026-01-01T10:00:00Z", true), [Decided::EmergencyOpened]);
        assert_eq!(visit(Some(&declared), "2026-01-01T10:00:01Z", false), [], "told before the death");
        assert_eq!(visit(Some(&declared), "2026-01-01T12:00:00Z", true), [Decided::EmergencyEnded]);
        assert_eq!(visit(Some(&declared), "2026-01-01T12:00:01Z", false), []);
        assert_eq!(visit(None, "2026-01-01T12:30:00Z", false), [], "what has ended does not end again");
        let again = glass("2026-01-01T13:00:00Z", "2026-01-01T15:00:00Z");
        assert_eq!(visit(Some(&again), "2026-01-01T13:00:00Z", false), [Decided::EmergencyOpened], "another one");
        assert_eq!(visit(None, "2026-01-01T13:30:00Z", false), [Decided::EmergencyEnded], "taken back");
        assert_eq!(visit(None, "2026-01-01T14:00:00Z", false), []);
        assert_eq!(last.and_then(|last| last.ended_at).map(|end| end.0), Some(at("2026-01-01T13:30:00Z")));
    }

    #[test]
    fn the_next_visit_comes_at_its_beginning_and_at_its_end() {
        let declared = glass("2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z");
        let seconds = |now: &str| next(Some(&declared), at(now)).map(|left| left.as_secs());
        assert_eq!(
            (seconds("2026-01-01T09:59:00Z"), seconds("2026-01-01T11:00:00Z"), seconds("2026-01-01T12:00:00Z")),
            (Some(60), Some(3600), None)
        );
        assert_eq!(next(None, at("2026-01-01T09:59:00Z")), None);
    }
}
