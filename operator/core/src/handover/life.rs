//! Where a final handover is in its life, as the other kinds ask it. A rehearsal changes nothing for anybody.

use caretaker_api::Handover;
use caretaker_api::condition::ConditionType;
use caretaker_api::handover::{HandoverMode, HandoverStep};

use super::steps::{has_reached, is_cancelled};
use crate::conditions::find;

/// The part of a final handover's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// It is asked for, and nothing is fixed yet; it may be refused.
    Asked,
    /// Accounts and recipients are fixed: nothing is written in the client's clouds any more.
    Frozen,
    /// Access is being ended: nobody but the handover tries to get in.
    Revoking,
    /// It has ended.
    Finished,
}

/// How far a final handover is; `None` for a rehearsal, and for one that was called off.
#[must_use]
pub fn life(handover: &Handover) -> Option<Life> {
    if handover.spec.mode != HandoverMode::Final {
        return None;
    }
    let Some(status) = &handover.status else { return Some(Life::Asked) };
    if is_cancelled(status) {
        return None;
    }
    if find(&status.conditions, ConditionType::HandedOver).is_some_and(|condition| condition.status == "True") {
        return Some(Life::Finished);
    }
    if has_reached(status, HandoverStep::Revoke) {
        return Some(Life::Revoking);
    }
    Some(if status.frozen.is_some() { Life::Frozen } else { Life::Asked })
}

/// Whether any of a client's handovers has come at least this far.
#[must_use]
pub fn has_come_to(handovers: &[Handover], at_least: Life) -> bool {
    handovers.iter().any(|handover| life(handover) >= Some(at_least))
}

/// Whether any of a client's handovers is a final one that has not ended.
#[must_use]
pub fn is_leaving(handovers: &[Handover]) -> bool {
    handovers.iter().any(|handover| life(handover).is_some_and(|life| life < Life::Finished))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn handover(mode: &str, status: Value) -> Handover {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "exit"}, "spec": {"mode": mode}, "status": status,
        }))
        .unwrap()
    }

    fn condition(is: &str) -> Value {
        json!([{"type": "HandedOver", "status": is, "reason": "Settled", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}])
    }

    #[test]
    fn a_final_handover_freezes_from_the_end_of_its_first_step_only() {
        let frozen = json!({"clientGeneration": 1, "recipients": [], "accounts": [], "at": "2026-01-01T00:00:00Z"});
        let refused = json!({"step": "Freeze", "steps": [], "conditions": condition("False")});
        for (why, mode, status, expected) in [
            ("it was never visited", "Final", Value::Null, Some(Life::Asked)),
            ("it was refused before its first step", "Final", refused, Some(Life::Asked)),
            ("its first step is done", "Final", json!({"step": "Discover", "frozen": frozen}), Some(Life::Frozen)),
            ("it waits for acceptance", "Final", json!({"step": "Accept", "frozen": frozen}), Some(Life::Frozen)),
            ("it revokes", "Final", json!({"step": "Revoke", "frozen": frozen}), Some(Life::Revoking)),
            ("it tries to get in", "Final", json!({"step": "VerifyRefusal", "frozen": frozen}), Some(Life::Revoking)),
            (
                "an emergency makes its bundle, and is out already",
                "Final",
                json!({"step": "Build", "frozen": {"clientGeneration": 1, "recipients": [], "accounts": [], "isEmergency": true}}),
                Some(Life::Revoking),
            ),
            ("it has ended", "Final", json!({"step": "Done", "frozen": frozen, "conditions": condition("True")}), Some(Life::Finished)),
            (
                "it was called off",
                "Final",
                json!({"step": "Accept", "frozen": frozen, "steps": [{"step": "Accept", "state": "Cancelled"}]}),
                None,
            ),
            ("a rehearsal changes nothing", "Rehearsal", json!({"step": "Discover", "frozen": frozen}), None),
            ("not even at its end", "Rehearsal", json!({"step": "Done", "frozen": frozen}), None),
        ] {
            assert_eq!(life(&handover(mode, status)), expected, "{why}");
        }
    }

    #[test]
    fn one_handover_among_several_is_enough() {
        let rehearsal = || handover("Rehearsal", json!({"step": "Done"}));
        let revoking = || handover("Final", json!({"step": "Revoke"}));
        let finished = handover("Final", json!({"step": "Done", "conditions": condition("True")}));
        assert!(!has_come_to(&[], Life::Asked) && !has_come_to(&[rehearsal()], Life::Asked) && !is_leaving(&[rehearsal()]));
        assert!(has_come_to(&[rehearsal(), revoking()], Life::Frozen) && is_leaving(&[rehearsal(), revoking()]));
        assert!(!has_come_to(&[revoking()], Life::Finished) && has_come_to(std::slice::from_ref(&finished), Life::Revoking));
        assert!(!is_leaving(&[rehearsal(), finished]));
    }
}
