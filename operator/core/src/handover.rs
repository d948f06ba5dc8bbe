//! `Handover`: the log of steps, what the bundle holds, and when access counts as revoked.

pub mod advance;
pub mod attempts;
pub mod check;
pub mod contents;
pub mod ending;
pub mod excluded;
pub mod last_reading;
pub mod life;
pub mod revocation;
pub mod steps;
pub mod terraform;

use caretaker_api::Handover;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::handover::{HandoverMode, HandoverStatus, HandoverStep, RevocationStatus};
use caretaker_cloud::{CloudError, Identity};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{ConditionSet, Is};

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] =
    &[ConditionType::BundleDelivered, ConditionType::Accepted, ConditionType::AccessRevoked, ConditionType::HandedOver];

/// Refusals in a row that count as proof: one may be a slip of a cloud that has not told all its servers yet.
pub const REFUSALS_NEEDED: u32 = 3;

/// Time between two attempts: visits come more often, and refusals of one moment prove no more than one.
pub const ATTEMPT_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// Whether another attempt is due.
#[must_use]
pub fn is_due(revocation: &RevocationStatus, now: Timestamp) -> bool {
    let rested = revocation.last_attempt_at.as_ref().is_none_or(|last| now.duration_since(last.0) >= ATTEMPT_EVERY);
    revocation.verified_at.is_none() && rested
}

/// Takes the answer of a fresh attempt to get in. Only a refusal by the cloud itself counts; no answer is no proof, and does not undo one.
pub fn take_attempt(revocation: &mut RevocationStatus, answer: &Result<Identity, CloudError>, now: Timestamp) {
    revocation.last_attempt_at = Some(Time(now));
    match answer {
        Ok(_) => {
            revocation.refusals = 0;
            revocation.refused_since = None;
            revocation.last_answer = "let in".into();
        }
        Err(error) if error.is_refusal() => {
            revocation.refusals += 1;
            revocation.refused_since.get_or_insert(Time(now));
            revocation.last_answer = error.to_string();
            if revocation.refusals >= REFUSALS_NEEDED {
                revocation.verified_at.get_or_insert(Time(now));
            }
        }
        Err(error) => revocation.last_answer = error.to_string(),
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
        if rehearsal {
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
        let now = Timestamp::UNIX_EPOCH;
        for answer in [refusal(), refusal(), let_in(), refusal(), silence(), refusal()] {
            take_attempt(&mut revocation, &answer, now);
            assert!(revocation.verified_at.is_none(), "{revocation:?}");
        }
        for _ in 0..10 {
            take_attempt(&mut RevocationStatus::default(), &silence(), now);
        }
        take_attempt(&mut revocation, &refusal(), now);
        assert!(revocation.verified_at.is_some(), "the third refusal since the last success");
    }
}
