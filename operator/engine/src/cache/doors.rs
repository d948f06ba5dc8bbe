//! Which accounts let which principal in: where that changes, the ProviderProfile may have to say something else of the exits of its clients.

use caretaker_api::CloudAccount;
use caretaker_api::condition::ConditionType;
use caretaker_core::conditions::{find, is_true_at};
use caretaker_core::ownership::Kind;

use super::held::Held;
use super::{Cache, Wake};

/// What a ProviderProfile looks at in an account.
#[derive(PartialEq, Eq)]
struct Door {
    profile: String,
    lets_in: bool,
    /// Why, or why not: an account that has left needs nothing more.
    reason: String,
    is_live: bool,
}

impl Door {
    /// Of an account as it is held; `None` where it is not there.
    fn of(held: Option<&Held>) -> Option<Self> {
        let account: CloudAccount = held?.read()?;
        let conditions = account.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let lets_in = is_true_at(conditions, ConditionType::AccessProven, account.metadata.generation);
        let reason = find(conditions, ConditionType::AccessProven).map(|condition| condition.reason.clone()).unwrap_or_default();
        let is_live = account.spec.is_live() && account.metadata.deletion_timestamp.is_none();
        Some(Self { profile: account.spec.provider_profile, lets_in, reason, is_live })
    }
}

impl Cache {
    /// An account begins or ceases to let its principal in: its profile is to say what that means for exits.
    pub(super) fn wake_profiles(&self, kind: &str, before: Option<&Held>, after: Option<&Held>) {
        if kind != Kind::CloudAccount.as_str() {
            return;
        }
        let (before, after) = (Door::of(before), Door::of(after));
        if before != after {
            for door in before.into_iter().chain(after) {
                self.wake(Wake { kind: Kind::ProviderProfile, namespace: String::new(), name: door.profile });
            }
        }
    }
}
