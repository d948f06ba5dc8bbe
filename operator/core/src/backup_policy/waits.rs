//! What a policy waits for, and when it is looked at again.

use caretaker_api::condition::Reason;
use caretaker_cloud::{CloudError, ErrorClass};

use super::{AccountView, PAUSE, RESYNC, RegionDone};
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
        Some(Ok(_)) => None,
    }
}

pub(super) fn lock_wait(done: &RegionDone) -> Option<Wait> {
    let message = format!("account {}: {}", done.plan.account, done.plan.blocked.as_ref()?);
    Some(Wait { reason: Reason::LockForbids, message, after: RESYNC })
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
