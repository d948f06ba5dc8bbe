//! What a policy waits for, and when it is looked at again.

use caretaker_api::cloud_account::Capability;
use caretaker_api::condition::Reason;
use caretaker_cloud::{CloudError, ErrorClass};

use super::{AccountView, Held, PAUSE, RESYNC, RegionDone};
use crate::outcome::Wait;

pub(super) fn account_wait(account: &AccountView) -> Option<Wait> {
    match &account.state {
        None if account.is_proven && !account.has_plans() => None,
        None => Some(Wait {
            reason: Reason::WaitingForGrant,
            message: format!("account {}: access is not proven yet", account.name),
            after: PAUSE,
        }),
        Some(Err(error)) => Some(error_wait(&account.name, error)),
        Some(Ok(_)) => {
            let Some(Err(why)) = account.selected.as_ref().filter(|_| account.allow.contains(&Capability::Backup)) else { return None };
            Some(Wait { reason: Reason::Incomplete, message: format!("account {}: {why}", account.name), after: PAUSE })
        }
    }
}

/// What stands in the way in a region. Where we may not write it is shown, and no fault.
pub(super) fn told_waits(done: &RegionDone) -> Option<Wait> {
    let plan = &done.plan;
    let wait = |reason: Reason, why: &str| Some(Wait { reason, message: format!("account {}: {why}", plan.account), after: RESYNC });
    if let Some((reason, why)) = &plan.blocked {
        return wait(*reason, why);
    }
    let is_ours = plan.may_write || plan.held == Held::Waits;
    plan.told.first().filter(|_| is_ours).and_then(|why| wait(Reason::ScheduleTaken, why))
}

pub(super) fn error_wait(account: &str, error: &CloudError) -> Wait {
    let (reason, after) = match error.class {
        ErrorClass::Denied | ErrorClass::DeniedOrGone => (Reason::Denied, PAUSE),
        ErrorClass::Throttled(after) => (Reason::Throttled, after.unwrap_or(PAUSE)),
        ErrorClass::Unreachable => (Reason::Unreachable, PAUSE),
        _ => (Reason::Failed, PAUSE),
    };
    Wait { reason, message: format!("account {account}: {error}"), after }
}
