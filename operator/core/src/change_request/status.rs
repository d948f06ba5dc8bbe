//! What is said of a change.

use std::time::Duration;

use caretaker_api::ChangeRequest;
use caretaker_api::change_request::{ChangeRequestStatus, ChangeResult};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::words::ChangeState;
use jiff::Timestamp;
use kube::ResourceExt;

use super::{CONDITIONS, Change, Standing, key, steps_of};
use crate::conditions::{ConditionSet, Is};
use crate::ledger::{Decided, Decision};
use crate::outcome::{Outcome, Wait};

/// Time between two looks at a change that has ended.
const ENDED: Duration = Duration::from_secs(24 * 60 * 60);
/// Time between two looks at a change that is under way; its policy wakes it.
const UNDER_WAY: Duration = Duration::from_secs(60);
/// Longest time between two looks at a change that waits.
const WAITS: Duration = Duration::from_secs(60 * 60);

/// The new status and what the visit came to.
#[must_use]
pub fn status(object: &ChangeRequest, change: &Change, now: Timestamp) -> (ChangeRequestStatus, Outcome) {
    let last = object.status.clone().unwrap_or_default();
    let mut set = ConditionSet::new(&last.conditions, CONDITIONS, object.metadata.generation.unwrap_or_default(), now);
    let (approved, applied) = (ConditionType::ChangeApproved, ConditionType::ChangeApplied);
    let waits = |reason: Reason, message: &str, after: Duration| Outcome::Waiting(Wait { reason, message: message.into(), after });
    let (state, because, outcome) = match &change.standing {
        Standing::Open => {
            let client = object.namespace().unwrap_or_default();
            let client = client.strip_prefix(caretaker_api::names::NAMESPACE_PREFIX).unwrap_or(&client).to_owned();
            let message = format!(
                "waits for the client's yes until {}: kubectl caretaker changes show {client} {}",
                change.spec.expires_at.0, change.name
            );
            set.set(approved, Is::Unknown, Reason::WaitingForApproval, &message);
            set.set(applied, Is::Unknown, Reason::WaitingForApproval, "nothing was done");
            let left = change.spec.expires_at.0.duration_since(now).unsigned_abs();
            (ChangeState::Proposed, String::new(), waits(Reason::WaitingForApproval, &message, left.clamp(Duration::from_secs(1), WAITS)))
        }
        Standing::Approved(approval) | Standing::Begun(approval) => {
            let is_begun = matches!(change.standing, Standing::Begun(_));
            let message = format!("{} of {} steps are done", change.progress.done(), change.spec.reach.steps);
            set.set(approved, Is::True, Reason::Settled, format!("approved by {}", approval.by));
            set.set(applied, Is::Unknown, Reason::Progressing, &message);
            let state = if is_begun { ChangeState::Applying } else { ChangeState::Approved };
            (state, String::new(), waits(Reason::Progressing, &message, UNDER_WAY))
        }
        Standing::Over(end) => {
            let (state, reason) = over(end.decided);
            let because = told(end);
            let yes = change.progress.begun.as_ref();
            match yes {
                Some(yes) => set.set(approved, Is::True, Reason::Settled, format!("approved by {}", yes.by)),
                None => set.set(approved, Is::False, reason, &because),
            }
            let is_applied = end.decided == Decided::Applied;
            set.set(applied, if is_applied { Is::True } else { Is::False }, reason, &because);
            (state, if is_applied { String::new() } else { because }, Outcome::Settled(ENDED))
        }
    };
    let results = results(change);
    (ChangeRequestStatus { conditions: set.finish(), state, because, results, ..last }, outcome)
}

/// State and reason of an end.
const fn over(decided: Decided) -> (ChangeState, Reason) {
    match decided {
        Decided::Applied => (ChangeState::Applied, Reason::Settled),
        Decided::Rejected => (ChangeState::Rejected, Reason::ChangeRejected),
        Decided::Expired => (ChangeState::Expired, Reason::ChangeExpired),
        Decided::Void => (ChangeState::Void, Reason::ChangeVoid),
        Decided::Failed | Decided::Approved | Decided::EmergencyOpened | Decided::EmergencyEnded => (ChangeState::Failed, Reason::Failed),
    }
}

fn told(end: &Decision) -> String {
    match (end.by.is_empty(), end.text.is_empty()) {
        (true, _) => end.text.clone(),
        (false, true) => format!("by {}", end.by),
        (false, false) => format!("by {}: {}", end.by, end.text),
    }
}

/// What came of each step that was begun.
fn results(change: &Change) -> Vec<ChangeResult> {
    let result = |(account, step): (String, caretaker_cloud::CloudStep)| {
        let came = change.progress.step(&account, &key(&change.uid, &step))?;
        let result = if came.result.is_empty() { "begun; nothing is known of what came of it".to_owned() } else { came.result.clone() };
        Some(ChangeResult { what: step.describe(), result, done: came.is_done, account })
    };
    steps_of(&change.spec).unwrap_or_default().into_iter().filter_map(result).collect()
}
