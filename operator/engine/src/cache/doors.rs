//! Which accounts let which principal in: where that changes, the ProviderProfile may have to say something else of the exits of its clients.

use caretaker_api::CloudAccount;
use caretaker_api::condition::ConditionType;
use caretaker_core::conditions::{find, is_true_at};

use super::held::Held;

/// What a ProviderProfile looks at in an account.
#[derive(PartialEq, Eq)]
pub(super) struct Door {
    /// The profile.
    pub profile: String,
    lets_in: bool,
    /// Why, or why not: an account that has left needs nothing more.
    reason: String,
    is_live: bool,
}

impl Door {
    /// Of an account as it is held; `None` where it is not there.
    pub fn of(held: Option<&Held>) -> Option<Self> {
        let account: CloudAccount = held?.read()?;
        let conditions = account.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let lets_in = is_true_at(conditions, ConditionType::AccessProven, account.metadata.generation);
        let reason = find(conditions, ConditionType::AccessProven).map(|condition| condition.reason.clone()).unwrap_or_default();
        let is_live = account.spec.is_live() && account.metadata.deletion_timestamp.is_none();
        Some(Self { profile: account.spec.provider_profile, lets_in, reason, is_live })
    }
}
