//! What of an account a policy selects, out of its inventory, where the cloud does not select by tag itself.

use caretaker_api::condition::ConditionType;
use caretaker_api::{BackupPolicy, CloudAccount};
use caretaker_cloud::Offers;
use caretaker_core::backup_policy::schedules::Selected;
use caretaker_core::backup_policy::{cloud_of, regions_of};
use caretaker_core::conditions::is_true_at;
use caretaker_store::inventory::read;

use super::is_proven;
use crate::context::Context;

/// What is selected, or why that cannot be said; `None` where it need not be known.
pub(super) async fn of(ctx: &Context, policy: &BackupPolicy, account: &CloudAccount) -> Option<Result<Selected, String>> {
    let (terms, cloud) = (&policy.spec.terms, cloud_of(&account.spec.target));
    if Offers::of(cloud).plans.is_none_or(|plans| plans.selects_by_tag) || regions_of(terms, cloud).is_empty() || !is_proven(account) {
        return None;
    }
    let status = account.status.clone().unwrap_or_default();
    let Some(inventory) = &status.inventory else { return Some(Err("its inventory was not read yet".into())) };
    let is_whole = is_true_at(&status.conditions, ConditionType::InventoryComplete, account.metadata.generation);
    let mut selected = Selected { is_whole, ..Selected::default() };
    let taken = read(&ctx.store, inventory, |line| {
        selected.take(terms, &line);
        Ok(())
    });
    match taken.await {
        Ok(_) => Some(Ok(selected)),
        Err(error) => Some(Err(format!("its inventory cannot be read: {error}"))),
    }
}
