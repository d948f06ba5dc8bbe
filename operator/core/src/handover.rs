//! `Handover`: the log of steps, what the bundle holds, and when access counts as revoked.

pub mod acceptance;
pub mod advance;
pub mod attempts;
pub mod check;
pub mod contents;
pub mod control;
pub mod ending;
pub mod excluded;
pub mod iac;
pub mod last_reading;
pub mod life;
pub mod parts;
pub mod redact;
pub mod revocation;
pub mod shown;
pub mod steps;

use caretaker_api::Handover;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::handover::{HandoverMode, HandoverStatus, HandoverStep, RevocationStatus};
use caretaker_cloud::{CloudError, Identity};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use self::control::Control;
use crate::conditions::{ConditionSet, Is};

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] =
    &[ConditionType::BundleDelivered, ConditionType::Accepted, ConditionType::AccessRevoked, ConditionType::HandedOver];

/// Refusals in a row that count as proof: one may be a slip of a cloud that has not told all its servers yet.
pub const REFUSALS_NEEDED: u32 = 3;

/// Begins the last answer of a refusal that may be the provider's own fault.
pub const CAUSE_UNKNOWN: &str = "refused, cause unknown: ";

/// Takes the answer of a fresh attempt to get in, and where it is a refusal, that of the control beside it. Only a refusal by the cloud itself counts, and
/// only where the same principal was let in elsewhere; anything else is no proof, and does not undo one.
pub fn take_attempt(revocation: &mut RevocationStatus, answer: &Result<Identity, CloudError>, control: Option<&Control>, now: Timestamp) {
    revocation.last_attempt_at = Some(Time(now));
    match (answer, control) {
        (Ok(_), _) => {
            revocation.refusals = 0;
            revocation.refused_since = None;
            revocation.control = String::new();
            revocation.last_answer = "let in".into();
        }
        (Err(error), Some(Control::LetIn(place))) if error.is_refusal() => {
            revocation.refusals += 1;
            revocation.refused_since.get_or_insert(Time(now));
            revocation.last_answer = error.to_string();
            revocation.control.clone_from(place);
            if revocation.refusals >= REFUSALS_NEEDED {
                revocation.verified_at.get_or_insert(Time(now));
            }
        }
        (Err(error), control) if error.is_refusal() => {
            let why = match control {
                Some(Control::Missing(why)) => why.clone(),
                Some(Control::NotLetIn(said)) => format!(
                    "the same principal was not let in where it must be either ({said}): its own right to get in anywhere is gone, so give it back"
                ),
                _ => "no control was made".into(),
            };
            revocation.last_answer = format!("{CAUSE_UNKNOWN}{why}; the answer was: {error}");
        }
        (Err(error), _) => revocation.last_answer = error.to_string(),
    }
}

/// The kind's own conditions from the log.
pub fn conditions(handover: &Handover, status: &mut HandoverStatus, now: Timestamp) {
    let mut set = ConditionSet::new(&status.conditions, CONDITIONS, handover.metadata.generation.unwrap_or_default(), now);
    let rehearsal = handover.spec.mode == HandoverMode::Rehearsal;
    let after = |step: HandoverStep| steps::is_completed(&status.steps, step);
    if after(HandoverStep::Verify) {
        set.set(ConditionType::BundleDelivered, Is::True, Reason::Settled, "delivered, read back and verified");
    } else {
        set.set(ConditionType::BundleDelivered, Is::False, Reason::Progressing, "");
    }
    for (kind, step) in [
        (ConditionType::Accepted, HandoverStep::Accept),
        (ConditionType::AccessRevoked, HandoverStep::VerifyRefusal),
        (ConditionType::HandedOver, HandoverStep::Done),
    ] {
        if steps::is_cancelled(status) {
            set.set(kind, Is::False, Reason::Cancelled, "the exit was called off; nothing was revoked");
        } else if rehearsal {
            set.set(kind, Is::False, Reason::Rehearsal, "a rehearsal: nothing is accepted and nothing is revoked");
        } else if after(step) {
            set.set(kind, Is::True, Reason::Settled, "");
        } else {
            set.set(kind, Is::False, Reason::Progressing, "");
        }
    }
    status.conditions = set.finish();
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::ErrorClass;

    use super::*;

    #[test]
    fn only_refusals_in_a_row_prove_that_we_are_out() {
        let refusal = || Err(CloudError::new(ErrorClass::Denied, "sts:AssumeRole", "no"));
        let silence = || Err(CloudError::new(ErrorClass::Unreachable, "sts:AssumeRole", "no answer"));
        let let_in = || Ok(Identity { account: "1".into(), principal: "r".into() });
        let mut revocation = RevocationStatus::default();
        let (beside, now) = (Some(Control::LetIn("elsewhere".into())), Timestamp::UNIX_EPOCH);
        for answer in [refusal(), refusal(), let_in(), refusal(), silence(), refusal()] {
            take_attempt(&mut revocation, &answer, beside.as_ref(), now);
            assert!(revocation.verified_at.is_none(), "{revocation:?}");
        }
        for _ in 0..10 {
            take_attempt(&mut RevocationStatus::default(), &silence(), beside.as_ref(), now);
        }
        take_attempt(&mut revocation, &refusal(), beside.as_ref(), now);
        assert!(revocation.verified_at.is_some(), "the third refusal since the last success");
    }

    /// H3: a provider who had lost its own right to assume roles was told to be out.
    #[test]
    fn a_refusal_proves_nothing_where_the_principal_is_let_in_nowhere() {
        let refusal = Err(CloudError::new(ErrorClass::Denied, "sts:AssumeRole", "no"));
        let now = Timestamp::UNIX_EPOCH;
        for (control, said) in [
            (None, "refused, cause unknown: no control was made"),
            (Some(Control::Missing("nothing to knock at".into())), "refused, cause unknown: nothing to knock at"),
            (Some(Control::NotLetIn("AccessDenied".into())), "its own right to get in anywhere is gone"),
        ] {
            let mut revocation = RevocationStatus::default();
            for _ in 0..10 {
                take_attempt(&mut revocation, &refusal, control.as_ref(), now);
            }
            assert!(revocation.verified_at.is_none() && revocation.refusals == 0, "{said}");
            assert!(revocation.last_answer.contains(said), "{}", revocation.last_answer);
        }
    }

    #[test]
    fn a_control_that_fails_for_a_time_undoes_no_refusal() {
        let refusal = Err(CloudError::new(ErrorClass::Denied, "sts:AssumeRole", "no"));
        let (beside, now) = (Control::LetIn("elsewhere".into()), Timestamp::UNIX_EPOCH);
        let mut revocation = RevocationStatus::default();
        for control in [&beside, &Control::NotLetIn("throttled".into()), &beside, &beside] {
            take_attempt(&mut revocation, &refusal, Some(control), now);
        }
        assert!(revocation.verified_at.is_some() && revocation.control == "elsewhere");
    }
}
