//! What all sessions of one provider have in common.

use aws_config::{Region, SdkConfig};
use caretaker_cloud::budget::{Budget, Budgets, Key};

use crate::call::{GLOBAL, LIMITS};
use crate::session::narrowings::Narrowings;
use crate::session::unnamed::Unnamed;

/// What all sessions of one provider share.
pub struct Shared {
    pub base: SdkConfig,
    pub expected_principal: String,
    pub budgets: Budgets,
    pub unnamed: Unnamed,
    pub allows_tags: bool,
    pub narrowings: Narrowings,
}

impl Shared {
    /// The budget of an account and region.
    pub fn budget(&self, account: &str, region: &str) -> Budget {
        self.budgets.of(Key::aws(account, region), LIMITS)
    }

    /// The budget of calls with the base credentials: those of the provider's own account.
    pub fn base_budget(&self) -> Budget {
        let account = self.expected_principal.split(':').nth(4).unwrap_or_default();
        self.budget(account, self.base.region().map_or(GLOBAL, Region::as_ref))
    }
}
