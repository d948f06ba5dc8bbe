//! What was put back lately: so that a war with another manager slows down, and an answer of the API server that we cannot better is not written again.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caretaker_api::condition::Reason;
use caretaker_core::contest::{Decision, decide, front, recent};
use caretaker_core::drift::Difference;
use caretaker_core::outcome::Wait;
use jiff::Timestamp;

/// Whether an object is put back now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Repair,
    /// Later.
    Wait {
        /// Until when, and with whom the field is contested.
        wait: Wait,
        /// Whether nobody was told of this pause yet.
        is_new: bool,
    },
}

#[derive(Default)]
struct Field {
    repairs: Vec<Timestamp>,
    is_told: bool,
}

#[derive(Default)]
struct State {
    /// By object and front of the field.
    fields: HashMap<(String, String), Field>,
    /// Digests of answers, by object.
    accepted: HashMap<String, String>,
}

/// The repairs of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Repairs {
    state: Arc<Mutex<State>>,
}

impl Repairs {
    /// Whether the object may be put back now: not while all of its fields that differ are in a pause. One war must not cover a change of another field.
    #[must_use]
    pub fn turn(&self, object: &str, differences: &[Difference], now: Timestamp) -> Turn {
        let mut state = self.state.lock().expect("no panic while held");
        let mut paused: Option<(Duration, (String, String), &Difference)> = None;
        for difference in differences {
            let key = (object.to_owned(), front(&difference.field));
            let earlier = state.fields.get(&key).map(|field| field.repairs.as_slice()).unwrap_or_default();
            let Decision::Pause(left) = decide(earlier, now) else { return Turn::Repair };
            if paused.as_ref().is_none_or(|(held, ..)| left < *held) {
                paused = Some((left, key, difference));
            }
        }
        let Some((after, key, difference)) = paused else { return Turn::Repair };
        let manager = difference.manager.as_deref().unwrap_or("somebody");
        let message = format!(
            "ContestedBy {manager} {}: {object} is changed again and again and is put back a few times an hour only; let {manager} leave the field alone",
            difference.field
        );
        let field = state.fields.entry(key).or_default();
        let is_new = !std::mem::replace(&mut field.is_told, true);
        Turn::Wait { wait: Wait { reason: Reason::Contested, message, after }, is_new }
    }

    /// Notes that the object was put back.
    pub fn note(&self, object: &str, differences: &[Difference], now: Timestamp) {
        let mut state = self.state.lock().expect("no panic while held");
        for front in differences.iter().map(|difference| front(&difference.field)).collect::<BTreeSet<_>>() {
            let field = state.fields.entry((object.to_owned(), front)).or_default();
            field.repairs = recent(&field.repairs, now);
            field.repairs.push(now);
            field.is_told = false;
        }
        state.fields.retain(|_, field| !recent(&field.repairs, now).is_empty());
    }

    /// Notes the digest of an answer to our own exact write: there is nothing to better.
    pub fn accept(&self, object: &str, digest: String) {
        self.state.lock().expect("no panic while held").accepted.insert(object.to_owned(), digest);
    }

    /// Whether the digest is that of such an answer.
    #[must_use]
    pub fn is_accepted(&self, object: &str, digest: &str) -> bool {
        self.state.lock().expect("no panic while held").accepted.get(object).is_some_and(|held| held == digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn by(manager: &str, field: &str) -> Vec<Difference> {
        vec![Difference { field: field.into(), manager: Some(manager.into()), time: None }]
    }

    #[test]
    fn a_pause_names_manager_and_field_and_is_told_once() {
        let (repairs, pods) = (Repairs::default(), by("bob", "spec.hard.pods"));
        assert_eq!(repairs.turn("ResourceQuota a/b", &pods, at(0)), Turn::Repair);
        repairs.note("ResourceQuota a/b", &pods, at(0));
        let Turn::Wait { wait, is_new } = repairs.turn("ResourceQuota a/b", &pods, at(1)) else { panic!("it must wait") };
        assert!(wait.message.starts_with("ContestedBy bob spec.hard.pods: ResourceQuota a/b"), "{}", wait.message);
        assert_eq!((wait.reason, wait.after, is_new), (Reason::Contested, Duration::from_secs(4), true));
        let Turn::Wait { wait: later, is_new } = repairs.turn("ResourceQuota a/b", &pods, at(2)) else { panic!("it must wait") };
        assert_eq!((later.message, is_new), (wait.message, false), "the message does not change by itself");
        assert_eq!(repairs.turn("ResourceQuota a/c", &pods, at(1)), Turn::Repair, "another object has no war");
        assert_eq!(repairs.turn("ResourceQuota a/b", &by("bob", "metadata.labels"), at(1)), Turn::Repair, "nor has another field");
        let both = [pods.clone(), by("eve", "spec.scopes")].concat();
        assert_eq!(repairs.turn("ResourceQuota a/b", &both, at(1)), Turn::Repair, "a war does not cover another change");
        repairs.note("ResourceQuota a/b", &pods, at(5));
        assert!(matches!(repairs.turn("ResourceQuota a/b", &pods, at(6)), Turn::Wait { is_new: true, .. }), "the next pause is told");
    }

    #[test]
    fn an_accepted_answer_is_of_one_object() {
        let repairs = Repairs::default();
        repairs.accept("a", "1".into());
        assert!(repairs.is_accepted("a", "1") && !repairs.is_accepted("a", "2") && !repairs.is_accepted("b", "1"));
    }
}
