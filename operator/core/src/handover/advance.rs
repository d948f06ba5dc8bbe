//! What a step's result does to the log. Pure: the controller brings results, this decides.

use std::time::Duration;

use caretaker_api::Handover;
use caretaker_api::condition::Reason;
use caretaker_api::handover::{BundleStatus, FinalReading, Frozen, HandoverStatus, HandoverStep, RevocationStatus, StepState};
use caretaker_api::words::RevokedBy;
use jiff::Timestamp;

use super::{acceptance, attempts, conditions, steps};
use crate::outcome::{Fault, Outcome, Wait};

/// Pause between two steps: the next one follows at once.
const NEXT: Duration = Duration::from_millis(1);
/// Time between two looks while the client must act.
const CLIENT_PAUSE: Duration = Duration::from_secs(30);
/// Time between two looks at a handover that has ended.
const ENDED: Duration = Duration::from_secs(24 * 3600);

/// What a step came to.
#[derive(Clone, Debug, Default)]
pub enum StepResult {
    /// The handover has ended, or nothing could be done yet.
    #[default]
    Nothing,
    /// What was fixed.
    Frozen(Frozen),
    /// The last readings.
    Discovered(Vec<FinalReading>),
    /// Number of files.
    Built(usize),
    /// The sealed bundle.
    Sealed(BundleStatus),
    /// The sealed file of an earlier process is lost: it is built again.
    StageLost,
    /// In the store, and where the client has a destination of its own, there too, with what was seen.
    Delivered(Option<String>),
    /// Read back and verified.
    Verified,
    /// The bundle in the store is not the one that was sealed.
    NotVerified(String),
    /// Revoked, or handed to the client to revoke.
    Revoked(Vec<RevocationStatus>),
    /// Some accounts were revoked before a failure: their receipts are kept, and the step goes on.
    PartlyRevoked(Vec<RevocationStatus>),
    /// Some accounts were read before a failure, or before the visit's time was over: their readings are kept, and the step goes on.
    PartlyDiscovered(Vec<FinalReading>),
    /// Fresh attempts were made.
    Attempted(Vec<RevocationStatus>),
    /// The last step.
    Done,
}

/// The new status and what the visit came to.
#[must_use]
pub fn advance(handover: &Handover, faults: &[Fault], result: &StepResult, now: Timestamp) -> (HandoverStatus, Outcome) {
    let mut status = handover.status.clone().unwrap_or_default();
    let outcome = match called_off(handover, &mut status, now) {
        Some(outcome) => outcome,
        None if faults.is_empty() => take(handover, &mut status, result, now),
        None => Outcome::Refused(faults.to_vec()),
    };
    conditions(handover, &mut status, now);
    (status, outcome)
}

/// Whether an exit is to end where it is: somebody calls it off, and our access is not being revoked yet.
#[must_use]
pub fn is_called_off(handover: &Handover) -> bool {
    handover.spec.cancelled.is_some() && handover.status.as_ref().is_none_or(|status| !steps::has_reached(status, HandoverStep::Revoke))
}

/// An exit that is called off ends where it is, whatever stands in its way; one that already takes our access back goes on.
fn called_off(handover: &Handover, status: &mut HandoverStatus, now: Timestamp) -> Option<Outcome> {
    let cancelled = handover.spec.cancelled.as_ref()?;
    let message = format!("called off by {}: {}; nothing was revoked", cancelled.by, cancelled.reason);
    (steps::is_cancelled(status) || steps::cancel(status, &message, now).is_ok()).then_some(Outcome::Settled(ENDED))
}

/// The status after a visit that a failure stopped: the log stands where it was, and what was done before the failure is kept.
#[must_use]
pub fn keep(handover: &Handover, result: &StepResult) -> HandoverStatus {
    let mut status = handover.status.clone().unwrap_or_default();
    match result {
        StepResult::PartlyDiscovered(readings) => status.readings.clone_from(readings),
        StepResult::PartlyRevoked(revocations) | StepResult::Attempted(revocations) => status.revocations.clone_from(revocations),
        _ => {}
    }
    status
}

fn take(handover: &Handover, status: &mut HandoverStatus, result: &StepResult, now: Timestamp) -> Outcome {
    let Some(step) = steps::current(status) else { return Outcome::Settled(ENDED) };
    let message = match result {
        StepResult::Nothing => return wait_for(handover, status, step, now),
        StepResult::PartlyDiscovered(readings) => {
            status.readings.clone_from(readings);
            return goes_on_after(status, step, format!("{} account(s) read so far", readings.len()), now);
        }
        StepResult::PartlyRevoked(revocations) => {
            status.revocations.clone_from(revocations);
            return goes_on_after(status, step, format!("{} account(s) done so far", revocations.len()), now);
        }
        StepResult::StageLost => {
            // Legal from the steps that can lose it; from any other it changes nothing.
            let _ = steps::rebuild(status);
            return goes_on("the sealed file was lost with the process that made it; it is made again");
        }
        StepResult::NotVerified(why) => {
            let fault = Fault::outside(Reason::Failed, "status.bundle", format!("the delivered bundle is not the sealed one: {why}"));
            steps::note(status, step, StepState::Waiting, &fault.message, now);
            return Outcome::Refused(vec![fault]);
        }
        StepResult::Attempted(revocations) => return attempted(handover, status, revocations, now),
        StepResult::Frozen(frozen) => {
            status.frozen = Some(frozen.clone());
            let fixed = format!("{} account(s), {} recipient(s)", frozen.accounts.len(), frozen.recipients.len());
            match &handover.spec.emergency {
                Some(emergency) => format!("an emergency, declared by {}: {}; {fixed}", emergency.by, emergency.reason),
                None => fixed,
            }
        }
        StepResult::Discovered(readings) => {
            status.readings.clone_from(readings);
            let stale = readings.iter().filter(|reading| !reading.gap.is_empty()).count();
            if stale == 0 {
                format!("{} account(s) read", readings.len())
            } else {
                format!("{stale} of {} account(s) could not be read; see the bundle's gaps", readings.len())
            }
        }
        StepResult::Built(files) => format!("{files} files"),
        StepResult::Sealed(bundle) => {
            status.bundle = Some(bundle.clone());
            format!("{} bytes, sealed to {} recipient(s)", bundle.size_bytes, bundle.recipients)
        }
        StepResult::Delivered(also) => {
            let address = status.bundle.as_ref().map(|bundle| bundle.address.clone()).unwrap_or_default();
            match also {
                Some(also) => format!("{address}; and to the client: {also}"),
                None => address,
            }
        }
        StepResult::Verified => "read back from the store; digest and signature are good".into(),
        StepResult::Revoked(revocations) => {
            status.revocations.clone_from(revocations);
            format!("{} account(s)", revocations.len())
        }
        StepResult::Done => "the end".into(),
    };
    finish(handover, status, step, &message, now)
}

fn finish(handover: &Handover, status: &mut HandoverStatus, step: HandoverStep, message: &str, now: Timestamp) -> Outcome {
    match steps::complete(status, handover.spec.mode, step, message, now) {
        Err(illegal) => Outcome::Refused(vec![Fault::outside(Reason::Failed, "status.step", illegal.to_string())]),
        Ok(()) if step == HandoverStep::Done => Outcome::Settled(ENDED),
        Ok(()) => {
            if let Some(next) = steps::current(status) {
                steps::note(status, next, StepState::Started, "", now);
            }
            goes_on(message)
        }
    }
}

fn goes_on(message: &str) -> Outcome {
    Outcome::Waiting(Wait { reason: Reason::Progressing, message: message.into(), after: NEXT })
}

/// A step that takes more than one visit, with how far it is.
fn goes_on_after(status: &mut HandoverStatus, step: HandoverStep, message: String, now: Timestamp) -> Outcome {
    steps::note(status, step, StepState::Started, &message, now);
    Outcome::Waiting(Wait { reason: Reason::Progressing, message, after: NEXT })
}

/// Acceptance is the one step that nobody but the client can do.
fn wait_for(handover: &Handover, status: &mut HandoverStatus, step: HandoverStep, now: Timestamp) -> Outcome {
    if step != HandoverStep::Accept {
        return goes_on("");
    }
    let bundle = status.bundle.clone().unwrap_or_default();
    let Some(acceptance) = &handover.spec.acceptance else {
        let message =
            format!("the client must verify the bundle, and accept its digest {} with the code of its 15-acceptance.json", bundle.sha256);
        steps::note(status, step, StepState::Waiting, &message, now);
        return Outcome::Waiting(Wait { reason: Reason::WaitingForAcceptance, message, after: CLIENT_PAUSE });
    };
    match acceptance::fault(acceptance, &bundle) {
        None => {
            let message = format!("accepted by {}", acceptance.accepted_by);
            finish(handover, status, step, &message, now)
        }
        Some(fault) => {
            steps::note(status, step, StepState::Waiting, &fault.message, now);
            Outcome::Refused(vec![fault])
        }
    }
}

/// The words of the proof: who closed the doors, and beside what the refusals were seen.
fn proved(revocations: &[RevocationStatus]) -> String {
    let count = |by: RevokedBy| revocations.iter().filter(|revocation| revocation.by == by).count();
    let closed = match (count(RevokedBy::Operator), count(RevokedBy::Client)) {
        (_, 0) => "closed by us from inside".to_owned(),
        (0, _) => "closed by the client".to_owned(),
        (ours, theirs) => format!("closed by us from inside in {ours} account(s), by the client in {theirs}"),
    };
    let mut beside: Vec<&str> =
        revocations.iter().map(|revocation| revocation.control.as_str()).filter(|place| !place.is_empty()).collect();
    beside.sort_unstable();
    beside.dedup();
    format!("{closed}; every fresh attempt from outside was refused, while the same principal was let into {}", beside.join(", "))
}

fn attempted(handover: &Handover, status: &mut HandoverStatus, revocations: &[RevocationStatus], now: Timestamp) -> Outcome {
    status.revocations = revocations.to_vec();
    let step = HandoverStep::VerifyRefusal;
    let Some(open) = revocations.iter().find(|revocation| revocation.verified_at.is_none()) else {
        return finish(handover, status, step, &proved(revocations), now);
    };
    let is_unknown = open.last_answer.starts_with(super::CAUSE_UNKNOWN);
    let waits_for_client = open.by == RevokedBy::Client && open.refusals == 0 && !is_unknown;
    let message = if waits_for_client {
        format!(
            "account {}: the client must run the revocation script of ConfigMap {}-revocation",
            open.account,
            handover.metadata.name.as_deref().unwrap_or_default()
        )
    } else {
        format!(
            "account {}: {} of {} refusals seen; last answer: {}",
            open.account,
            open.refusals,
            super::REFUSALS_NEEDED,
            open.last_answer
        )
    };
    steps::note(status, step, StepState::Waiting, &message, now);
    let reason = match (waits_for_client, is_unknown) {
        (true, _) => Reason::WaitingForClient,
        (_, true) => Reason::ControlFailed,
        _ => Reason::Progressing,
    };
    let since = attempts::since(status, now);
    let rests = revocations.iter().filter(|revocation| revocation.verified_at.is_none()).map(|open| attempts::rest(open, since, now));
    let after = rests.min().and_then(|rest| Duration::try_from(rest).ok()).unwrap_or(CLIENT_PAUSE);
    Outcome::Waiting(Wait { reason, message, after })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn handover(status: serde_json::Value) -> Handover {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "exit"}, "spec": {"mode": "Final"}, "status": status,
        }))
        .unwrap()
    }

    fn revocation(account: &str) -> RevocationStatus {
        RevocationStatus { account: account.into(), ..RevocationStatus::default() }
    }

    #[test]
    fn what_was_done_before_a_failure_is_kept_and_the_log_stands() {
        let known = || {
            let mut handover = handover(json!({"step": "Revoke", "steps": [{"step": "Revoke", "state": "Started", "message": ""}]}));
            let status = handover.status.get_or_insert_default();
            status.revocations = vec![revocation("one")];
            status.readings = vec![FinalReading { account: "one".into(), ..FinalReading::default() }];
            handover
        };
        let two = vec![revocation("one"), revocation("two")];
        let read = vec![FinalReading { account: "two".into(), ..FinalReading::default() }];
        for (why, result, revocations, readings) in [
            ("nothing was done", StepResult::Nothing, 1, "one"),
            ("receipts of a revocation", StepResult::PartlyRevoked(two.clone()), 2, "one"),
            ("answers to attempts", StepResult::Attempted(two.clone()), 2, "one"),
            ("readings", StepResult::PartlyDiscovered(read), 1, "two"),
            ("a step that ended is taken with its end, not here", StepResult::Revoked(two), 1, "one"),
        ] {
            let status = keep(&known(), &result);
            assert_eq!((status.revocations.len(), status.readings[0].account.as_str()), (revocations, readings), "{why}");
            let before = known().status.unwrap();
            assert_eq!((status.step, status.steps), (before.step, before.steps), "{why}");
        }
    }

    /// A thousand accounts take hours: the log says how far it is, and between two visits the exit can be called off.
    #[test]
    fn a_step_of_many_visits_says_how_far_it_is_and_goes_on() {
        for (step, result, said) in [
            (
                "Discover",
                StepResult::PartlyDiscovered(vec![FinalReading { account: "one".into(), ..FinalReading::default() }]),
                "1 account(s) read so far",
            ),
            ("Revoke", StepResult::PartlyRevoked(vec![revocation("one"), revocation("two")]), "2 account(s) done so far"),
        ] {
            let under_way = handover(json!({"step": step, "steps": [{"step": step, "state": "Started", "message": ""}]}));
            let (status, outcome) = advance(&under_way, &[], &result, Timestamp::UNIX_EPOCH);
            assert!(matches!(outcome, Outcome::Waiting(wait) if wait.after == NEXT && wait.message == said), "{step}");
            assert_eq!((status.steps[0].state, status.steps[0].message.as_str()), (StepState::Started, said), "{step}");
            assert_eq!(format!("{:?}", status.step), format!("Some({step})"), "the step is the same");
            assert_eq!(status.readings.len() + status.revocations.len(), if step == "Revoke" { 2 } else { 1 }, "{step}");
        }
    }
}
