//! Conditions: merge with what stood before, keep transition times, sum up for kstatus.

use caretaker_api::condition::{ConditionType, Conditions, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::messages::steady;
use crate::outcome::{Outcome, join_faults};

/// Longest message of a condition, in characters; the API allows 32,768, a terminal far fewer.
const MAX_MESSAGE: usize = 1024;

/// What every kind has, summed up for kstatus.
const SUM: [ConditionType; 3] = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];

/// The conditions of one visit, built on those of the last.
#[derive(Clone, Debug)]
pub struct ConditionSet {
    /// As the last visit left them: what is set twice in one visit has moved only if it ends elsewhere than it began.
    last: Conditions,
    conditions: Conditions,
    generation: i64,
    now: Timestamp,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Is {
    /// So it is.
    True,
    /// So it is not.
    False,
    /// It cannot be told.
    Unknown,
}

impl Is {
    /// As a condition has it. A word that Kubernetes does not know says nothing.
    #[must_use]
    pub fn of(condition: &Condition) -> Self {
        match condition.status.as_str() {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }

    /// The word as it stands in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl ConditionSet {
    /// Starts from the conditions of the last visit. Types of `known` that never stood there come in as Unknown; what is neither known nor part of the
    /// sum goes.
    #[must_use]
    pub fn new(last: &[Condition], known: &[ConditionType], generation: i64, now: Timestamp) -> Self {
        let stays = |old: &&Condition| known.iter().chain(&SUM).any(|kind| kind.as_str() == old.type_);
        let last: Conditions = last.iter().filter(stays).cloned().collect();
        let mut set = Self { conditions: last.clone(), last, generation, now };
        for kind in known {
            if set.get(*kind).is_none() {
                set.set(*kind, Is::Unknown, Reason::Pending, "not looked at yet");
            }
        }
        set
    }

    /// The condition of a type as it stands now.
    #[must_use]
    pub fn get(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind.as_str())
    }

    /// Whether a condition is True for the current generation.
    #[must_use]
    pub fn is_true(&self, kind: ConditionType) -> bool {
        self.get(kind).is_some_and(|condition| Is::of(condition) == Is::True && condition.observed_generation == Some(self.generation))
    }

    /// Sets a condition. The transition time moves only when the status does. The message is kept without what changes by itself, such as ids of calls.
    pub fn set(&mut self, kind: ConditionType, is: Is, reason: Reason, message: impl AsRef<str>) {
        let since = match find(&self.last, kind) {
            Some(old) if old.status == is.as_str() => old.last_transition_time.clone(),
            _ => Time(self.now),
        };
        let condition = Condition {
            type_: kind.as_str().into(),
            status: is.as_str().into(),
            reason: reason.as_str().into(),
            message: shorten(&steady(message.as_ref())),
            observed_generation: Some(self.generation),
            last_transition_time: since,
        };
        match self.conditions.iter_mut().find(|old| old.type_ == condition.type_) {
            Some(old) => *old = condition,
            None => self.conditions.push(condition),
        }
    }

    /// Lets a condition stand as it is, now said of this generation.
    pub fn keep(&mut self, kind: ConditionType) {
        if let Some(condition) = self.conditions.iter_mut().find(|condition| condition.type_ == kind.as_str()) {
            condition.observed_generation = Some(self.generation);
        }
    }

    /// Sums up for kstatus: `Ready`, `Reconciling`, `Stalled`. The last two are never True together. `lasts` says that the visits fail for so long that
    /// the last good one says nothing of now.
    pub fn sum_up(&mut self, outcome: &Outcome, lasts: bool) {
        use ConditionType::{Ready, Reconciling, Stalled};
        match outcome {
            Outcome::Settled(_) => {
                self.set(Ready, Is::True, Reason::Settled, "all is as asked");
                self.set(Reconciling, Is::False, Reason::Settled, "");
                self.set(Stalled, Is::False, Reason::Settled, "");
            }
            // Nothing comes any more, so that it is not under way, and nobody need act.
            Outcome::Ended(message, _) => {
                self.set(Ready, Is::False, Reason::HandedOver, message);
                self.set(Reconciling, Is::False, Reason::HandedOver, "");
                self.set(Stalled, Is::False, Reason::HandedOver, "");
            }
            Outcome::Waiting(wait) => {
                self.set(Ready, Is::False, wait.reason, &wait.message);
                self.set(Reconciling, Is::True, wait.reason, &wait.message);
                self.set(Stalled, Is::False, wait.reason, "");
            }
            Outcome::Refused(faults) => {
                let reason = faults.first().map_or(Reason::InvalidSpec, |fault| fault.reason);
                let message = join_faults(faults);
                self.set(Ready, Is::False, reason, &message);
                self.set(Reconciling, Is::False, reason, "");
                self.set(Stalled, Is::True, reason, &message);
            }
            Outcome::Failed(_, message) => {
                if lasts || !self.is_true(Ready) {
                    self.set(Ready, Is::False, Reason::Failed, message);
                }
                self.set(Reconciling, Is::True, Reason::Failed, message);
                self.set(Stalled, Is::False, Reason::Failed, "");
            }
        }
    }

    /// The finished list, in the order of the type's first appearance.
    #[must_use]
    pub fn finish(self) -> Conditions {
        self.conditions
    }
}

/// Cuts a message at a character, so that one long answer of a cloud does not flood a terminal.
fn shorten(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((at, _)) => format!("{} …", &message[..at]),
        None => message.into(),
    }
}

/// The condition of a type in a list.
#[must_use]
pub fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == kind.as_str())
}

/// Whether conditions say something else than the last ones did. A text that changes under the same reason is no news.
#[must_use]
pub fn is_news(last: &[Condition], now: &[Condition]) -> bool {
    let is_same = |new: &Condition| last.iter().any(|old| old.type_ == new.type_ && old.status == new.status && old.reason == new.reason);
    !now.iter().all(is_same)
}

/// Whether a condition of a list is True for this generation.
#[must_use]
pub fn is_true_at(conditions: &[Condition], kind: ConditionType, generation: Option<i64>) -> bool {
    find(conditions, kind).is_some_and(|condition| Is::of(condition) == Is::True && condition.observed_generation == generation)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outcome::{FailureClass, Fault};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let mut first = ConditionSet::new(&[], &[ConditionType::Ready], 1, at(10));
        first.set(ConditionType::Ready, Is::True, Reason::Settled, "a");
        let mut second = ConditionSet::new(&first.finish(), &[ConditionType::Ready], 2, at(20));
        second.set(ConditionType::Ready, Is::True, Reason::Settled, "b");
        let list = second.finish();
        assert_eq!(list[0].last_transition_time, Time(at(10)));
        assert_eq!((list[0].message.as_str(), list[0].observed_generation), ("b", Some(2)));
        let mut third = ConditionSet::new(&list, &[ConditionType::Ready], 2, at(30));
        third.set(ConditionType::Ready, Is::False, Reason::Failed, "c");
        assert_eq!(third.finish()[0].last_transition_time, Time(at(30)));
    }

    #[test]
    fn a_visit_that_changes_nothing_changes_no_condition() {
        let visit = |last: &[Condition], now| {
            let mut own = ConditionSet::new(last, &[ConditionType::AccessProven], 1, at(now));
            own.set(ConditionType::AccessProven, Is::True, Reason::Proven, "a");
            let mut whole = ConditionSet::new(&own.finish(), &[ConditionType::Ready, ConditionType::AccessProven], 1, at(now));
            whole.sum_up(&Outcome::Settled(Duration::from_secs(1)), false);
            whole.finish()
        };
        let first = visit(&[], 10);
        assert_eq!(visit(&first, 20), first);
        let gone = ConditionSet::new(&first, &[], 1, at(30)).finish();
        assert!(find(&gone, ConditionType::AccessProven).is_none(), "a type that a kind has no more goes");
    }

    #[test]
    fn a_condition_that_is_set_twice_in_a_visit_moves_only_if_it_ends_elsewhere() {
        let kind = ConditionType::MembersListed;
        let visit = |last: &[Condition], now, is: Is| {
            let mut set = ConditionSet::new(last, &[kind], 1, at(now));
            set.set(kind, Is::True, Reason::NotRequested, "");
            set.set(kind, is, Reason::HandedOver, "");
            set.finish()
        };
        let first = visit(&[], 10, Is::False);
        assert_eq!(visit(&first, 20, Is::False), first);
        assert_eq!(visit(&first, 20, Is::Unknown)[0].last_transition_time, Time(at(20)));
    }

    #[test]
    fn reconciling_and_stalled_are_never_true_together() {
        let wait = crate::Wait { reason: Reason::Pending, message: "m".into(), after: Duration::from_secs(1) };
        let outcomes = [
            Outcome::Settled(Duration::from_secs(1)),
            Outcome::Ended("m".into(), Duration::from_secs(1)),
            Outcome::Waiting(wait),
            Outcome::Refused(vec![Fault::spec("spec", "m")]),
            Outcome::Failed(FailureClass::Transient, "m".into()),
        ];
        for (before, lasts) in outcomes.iter().flat_map(|before| [(before, false), (before, true)]) {
            for after in &outcomes {
                let mut set = ConditionSet::new(&[], &[], 1, at(1));
                set.sum_up(before, false);
                set.sum_up(after, lasts);
                let both = set.is_true(ConditionType::Reconciling) && set.is_true(ConditionType::Stalled);
                assert!(!both, "{before:?} then {after:?}");
            }
        }
    }

    /// N07: what has ended is not "as asked".
    #[test]
    fn what_has_ended_is_not_ready_and_says_so() {
        let mut set = ConditionSet::new(&[], &[], 1, at(1));
        set.sum_up(&Outcome::Settled(Duration::from_secs(1)), false);
        set.sum_up(&Outcome::Ended("refused 3 times".into(), Duration::from_secs(1)), false);
        let said = |kind| set.get(kind).map(|found| (found.status.as_str(), found.reason.as_str(), found.message.as_str())).unwrap();
        assert_eq!(said(ConditionType::Ready), ("False", "HandedOver", "refused 3 times"));
        assert_eq!((said(ConditionType::Reconciling).0, said(ConditionType::Stalled).0), ("False", "False"));
    }

    /// M1, K10: `Ready` must not outlive failures that last.
    #[test]
    fn ready_outlives_a_hiccup_and_no_more() {
        let cases = [
            ("one failed visit is a hiccup", 3, false, "True", "Settled", "all is as asked"),
            ("failures that last are told with the cause", 3, true, "False", "Failed", "no answer"),
            ("of a newer generation nothing good is known", 4, false, "False", "Failed", "no answer"),
        ];
        for (why, generation, lasts, status, reason, message) in cases {
            let mut old = ConditionSet::new(&[], &[], 3, at(1));
            old.sum_up(&Outcome::Settled(Duration::from_secs(1)), false);
            let mut set = ConditionSet::new(&old.finish(), &[ConditionType::Ready], generation, at(2));
            set.sum_up(&Outcome::Failed(FailureClass::Transient, "no answer".into()), lasts);
            let ready = set.get(ConditionType::Ready).unwrap();
            assert_eq!((ready.status.as_str(), ready.reason.as_str(), ready.message.as_str()), (status, reason, message), "{why}");
            assert!(set.is_true(ConditionType::Reconciling), "{why}");
        }
    }

    #[test]
    fn a_word_is_news_and_a_text_is_none() {
        let visit = |is: Is, reason: Reason, message: &str| {
            let mut set = ConditionSet::new(&[], &[ConditionType::AccessProven], 1, at(1));
            set.set(ConditionType::AccessProven, is, reason, message);
            set.finish()
        };
        let last = visit(Is::Unknown, Reason::Pending, "a");
        for (why, now, expected) in [
            ("another text", visit(Is::Unknown, Reason::Pending, "b"), false),
            ("another reason", visit(Is::Unknown, Reason::Unreachable, "a"), true),
            ("another status", visit(Is::False, Reason::Pending, "a"), true),
        ] {
            assert_eq!(is_news(&last, &now), expected, "{why}");
        }
        assert!(is_news(&[], &last), "the first visit");
    }

    /// K16: the text of a denial changes at each call.
    #[test]
    fn a_message_is_kept_without_what_changes_by_itself() {
        let visit = |last: &[Condition], id: &str| {
            let mut set = ConditionSet::new(last, &[ConditionType::AccessProven], 1, at(1));
            set.set(ConditionType::AccessProven, Is::False, Reason::WaitingForGrant, format!("AccessDenied, request id: {id}"));
            set.finish()
        };
        let first = visit(&[], "1111-2222-3333");
        assert_eq!(visit(&first, "4444-5555-6666"), first);
    }
}
