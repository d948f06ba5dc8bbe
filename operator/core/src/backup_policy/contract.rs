//! What is said of writes that the contract keeps out.

use caretaker_api::condition::Reason;

use super::{Done, Held, RESYNC, RegionDone};
use crate::contract::Verdict;
use crate::outcome::Wait;

/// The wait for the client's word; `None` where nothing waits for it.
pub(super) fn wait(done: &Done) -> Option<Wait> {
    let open = done.regions.iter().any(|done| done.plan.held == Held::Waits && !done.plan.steps.is_empty());
    if !open {
        return None;
    }
    let wait = |reason: Reason, message: String| Some(Wait { reason, message, after: RESYNC });
    if !done.settled.waiting.is_empty() || !done.settled.proposes.is_empty() {
        let named = match done.settled.waiting.as_slice() {
            [] => "a ChangeRequest is being made".to_owned(),
            names => names.join(", "),
        };
        return wait(Reason::WaitingForApproval, format!("what is to be written waits for the client's yes: {named}"));
    }
    if !done.settled.rejected.is_empty() {
        let told = done.settled.rejected.join("; ");
        return wait(
            Reason::ChangeRejected,
            format!("{told}; what differs stands in status.plans, and is proposed again once it is another plan"),
        );
    }
    wait(Reason::WaitingForApproval, "an approved change is under way".into())
}

/// What is said where nothing is ever written; `None` where something may be, or nothing is to be.
pub(super) fn never(verdict: &Verdict, done: &[RegionDone]) -> Option<String> {
    let Verdict::Never(why) = verdict else { return None };
    let differs = done.iter().any(|done| done.plan.held == Held::Never && done.plan.differs());
    differs.then(|| format!("{why}; what would be written stands in status.plans"))
}
