//! The log of steps: which transitions are legal. What was done is a function of the log alone.

use caretaker_api::handover::{HandoverMode, HandoverStatus, HandoverStep, StepRecord, StepState};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// All steps, in order.
pub const ORDER: [HandoverStep; 10] = [
    HandoverStep::Freeze,
    HandoverStep::Discover,
    HandoverStep::Build,
    HandoverStep::Seal,
    HandoverStep::Deliver,
    HandoverStep::Verify,
    HandoverStep::Accept,
    HandoverStep::Revoke,
    HandoverStep::VerifyRefusal,
    HandoverStep::Done,
];

/// The order of an emergency: our access goes first, then the bundle is made from the last inventories, and the proof follows.
pub const EMERGENCY: [HandoverStep; 10] = [
    HandoverStep::Freeze,
    HandoverStep::Revoke,
    HandoverStep::Discover,
    HandoverStep::Build,
    HandoverStep::Seal,
    HandoverStep::Deliver,
    HandoverStep::Verify,
    HandoverStep::VerifyRefusal,
    HandoverStep::Accept,
    HandoverStep::Done,
];

fn order(status: &HandoverStatus) -> &'static [HandoverStep; 10] {
    if status.frozen.as_ref().is_some_and(|frozen| frozen.is_emergency) { &EMERGENCY } else { &ORDER }
}

/// Place of a step in the order of this exit.
#[must_use]
pub fn place(status: &HandoverStatus, step: HandoverStep) -> usize {
    order(status).iter().position(|known| *known == step).unwrap_or_default()
}

/// Whether an exit has come to this step, or past it.
#[must_use]
pub fn has_reached(status: &HandoverStatus, step: HandoverStep) -> bool {
    status.step.is_some_and(|at| place(status, at) >= place(status, step))
}

/// A transition that must not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {to:?} cannot follow {from:?}")]
pub struct Illegal {
    /// The step that is under way.
    pub from: HandoverStep,
    /// The step that was asked for.
    pub to: HandoverStep,
}

/// Whether a step has completed.
#[must_use]
pub fn is_completed(log: &[StepRecord], step: HandoverStep) -> bool {
    log.iter().any(|record| record.step == step && record.state == StepState::Completed)
}

/// Whether the exit was called off.
#[must_use]
pub fn is_cancelled(status: &HandoverStatus) -> bool {
    status.steps.iter().any(|record| record.state == StepState::Cancelled)
}

/// Calls the exit off at the step under way.
///
/// # Errors
/// Our access is being revoked already, or the exit has ended: from there it only goes forward.
pub fn cancel(status: &mut HandoverStatus, message: &str, now: Timestamp) -> Result<(), Illegal> {
    let from = status.step.unwrap_or(HandoverStep::Freeze);
    if has_reached(status, HandoverStep::Revoke) || current(status).is_none() {
        return Err(Illegal { from, to: HandoverStep::Freeze });
    }
    note(status, from, StepState::Cancelled, message, now);
    if let Some(record) = status.steps.iter_mut().find(|record| record.step == from) {
        record.completed_at = Some(Time(now));
    }
    Ok(())
}

/// The step that is to be worked on; `None` after the end.
#[must_use]
pub fn current(status: &HandoverStatus) -> Option<HandoverStep> {
    if is_completed(&status.steps, HandoverStep::Done) || is_cancelled(status) {
        None
    } else {
        Some(status.step.unwrap_or(HandoverStep::Freeze))
    }
}

/// The step that follows; the last one is followed by itself.
#[must_use]
pub fn next_of(status: &HandoverStatus, step: HandoverStep) -> HandoverStep {
    let order = order(status);
    order[(place(status, step) + 1).min(order.len() - 1)]
}

/// Notes that the step under way has begun or waits.
pub fn note(status: &mut HandoverStatus, step: HandoverStep, state: StepState, message: &str, now: Timestamp) {
    status.step = Some(step);
    match status.steps.iter_mut().find(|record| record.step == step) {
        Some(record) if record.state == StepState::Completed || record.state == StepState::Skipped => {}
        Some(record) => {
            record.state = state;
            record.message = message.into();
        }
        None => status.steps.push(StepRecord { step, state, started_at: Some(Time(now)), completed_at: None, message: message.into() }),
    }
}

/// Completes the step under way and moves on. A rehearsal passes over acceptance and revocation.
///
/// # Errors
/// Another step is under way.
pub fn complete(status: &mut HandoverStatus, mode: HandoverMode, step: HandoverStep, message: &str, now: Timestamp) -> Result<(), Illegal> {
    let from = status.step.unwrap_or(HandoverStep::Freeze);
    if from != step || current(status).is_none() || is_completed(&status.steps, step) {
        return Err(Illegal { from, to: next_of(status, step) });
    }
    note(status, step, StepState::Started, message, now);
    if let Some(record) = status.steps.iter_mut().find(|record| record.step == step) {
        record.state = StepState::Completed;
        record.completed_at = Some(Time(now));
    }
    let mut next = next_of(status, step);
    if mode == HandoverMode::Rehearsal && step == HandoverStep::Verify {
        for skipped in [HandoverStep::Accept, HandoverStep::Revoke, HandoverStep::VerifyRefusal] {
            note(status, skipped, StepState::Skipped, "not part of a rehearsal", now);
        }
        next = HandoverStep::Done;
    }
    if step != HandoverStep::Done {
        status.step = Some(next);
    }
    Ok(())
}

/// Goes back to building: the one legal way back, while nothing was verified yet. A process that died took its sealed file with it.
///
/// # Errors
/// The bundle was verified already.
pub fn rebuild(status: &mut HandoverStatus) -> Result<(), Illegal> {
    let from = status.step.unwrap_or(HandoverStep::Freeze);
    if is_cancelled(status) || !matches!(from, HandoverStep::Seal | HandoverStep::Deliver | HandoverStep::Verify) {
        return Err(Illegal { from, to: HandoverStep::Build });
    }
    let order = order(status);
    let build = place(status, HandoverStep::Build);
    status.steps.retain(|record| order.iter().position(|known| *known == record.step) < Some(build));
    status.bundle = None;
    status.step = Some(HandoverStep::Build);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn run_to_end(mode: HandoverMode) -> HandoverStatus {
        let mut status = HandoverStatus::default();
        while let Some(step) = current(&status) {
            complete(&mut status, mode, step, "", NOW).unwrap();
        }
        status
    }

    #[test]
    fn a_final_handover_passes_every_step_in_order() {
        let steps: Vec<HandoverStep> = run_to_end(HandoverMode::Final).steps.iter().map(|record| record.step).collect();
        assert_eq!(steps, ORDER);
    }

    fn emergency() -> HandoverStatus {
        let frozen = caretaker_api::handover::Frozen { is_emergency: true, ..Default::default() };
        HandoverStatus { frozen: Some(frozen), ..HandoverStatus::default() }
    }

    #[test]
    fn an_emergency_revokes_first_and_forgets_no_step() {
        let mut status = emergency();
        while let Some(step) = current(&status) {
            if step == HandoverStep::Verify && is_completed(&status.steps, HandoverStep::Seal) && status.bundle.is_none() {
                status.bundle = Some(Default::default());
                rebuild(&mut status).unwrap();
                assert!(is_completed(&status.steps, HandoverStep::Revoke), "what is revoked stays revoked while the bundle is made again");
                assert_eq!(status.step, Some(HandoverStep::Build));
                status.bundle = Some(Default::default());
                continue;
            }
            complete(&mut status, HandoverMode::Final, step, "", NOW).unwrap();
            let is_cancelled = cancel(&mut status.clone(), "", NOW).is_ok();
            assert!(!is_cancelled, "after the first step it only goes forward: {step:?}");
        }
        let steps: Vec<HandoverStep> = status.steps.iter().map(|record| record.step).collect();
        assert_eq!(steps, EMERGENCY);
        assert!(has_reached(&status, HandoverStep::Revoke) && !has_reached(&emergency(), HandoverStep::Revoke));
    }

    #[test]
    fn a_rehearsal_never_completes_a_step_that_revokes() {
        let status = run_to_end(HandoverMode::Rehearsal);
        for step in [HandoverStep::Accept, HandoverStep::Revoke, HandoverStep::VerifyRefusal] {
            assert!(!is_completed(&status.steps, step), "{step:?}");
        }
        assert!(is_completed(&status.steps, HandoverStep::Done));
    }

    proptest! {
        #[test]
        fn no_sequence_revokes_before_the_bundle_is_verified_and_accepted(moves in prop::collection::vec(0_usize..12, 0..30)) {
            let mut status = HandoverStatus::default();
            for number in moves {
                // Any attempt, legal or not; the illegal ones change nothing.
                let was_cancelled = is_cancelled(&status);
                let before = status.clone();
                match number {
                    10 => drop(rebuild(&mut status)),
                    11 => drop(cancel(&mut status, "", NOW)),
                    // Every other move is legal, so that the later steps are reached.
                    0..5 => drop(complete(&mut status, HandoverMode::Final, before.step.unwrap_or_default(), "", NOW)),
                    _ => drop(complete(&mut status, HandoverMode::Final, ORDER[number], "", NOW)),
                }
                prop_assert!(!was_cancelled || status == before, "an exit that was called off stays where it is");
                prop_assert!(!is_cancelled(&status) || !is_completed(&status.steps, HandoverStep::Accept), "too late to cancel");
                if is_completed(&status.steps, HandoverStep::Revoke) {
                    prop_assert!(is_completed(&status.steps, HandoverStep::Verify) && is_completed(&status.steps, HandoverStep::Accept));
                }
            }
        }
    }
}
