//! What of an account a policy selects, out of its inventory, where the cloud does not select by tag itself.

use std::collections::HashMap;
use std::sync::Mutex;

use caretaker_api::backup_policy::BackupTerms;
use caretaker_api::cloud_account::InventoryStatus;
use caretaker_api::condition::ConditionType;
use caretaker_api::{BackupPolicy, CloudAccount};
use caretaker_cloud::Offers;
use caretaker_core::backup_policy::schedules::Selected;
use caretaker_core::backup_policy::{cloud_of, regions_of};
use caretaker_core::conditions::is_true_at;
use caretaker_core::digest::json_digest;
use caretaker_store::Store;
use caretaker_store::inventory::read;
use kube::ResourceExt;

use super::is_proven;
use crate::context::Context;

/// What the last inventory of each account selects, by the UIDs of policy and account.
#[derive(Default)]
pub(super) struct Selections(Mutex<HashMap<(String, String), Known>>);

/// What an inventory selects under terms, by the digests of both.
struct Known {
    digests: (String, String),
    selected: Selected,
}

impl Selections {
    /// What is selected, or why that cannot be said; `None` where it need not be known.
    pub(super) async fn of(&self, ctx: &Context, policy: &BackupPolicy, account: &CloudAccount) -> Option<Result<Selected, String>> {
        let (terms, cloud) = (&policy.spec.terms, cloud_of(&account.spec.target));
        if Offers::of(cloud).plans.is_none_or(|plans| plans.selects_by_tag) || regions_of(terms, cloud).is_empty() || !is_proven(account) {
            return None;
        }
        let status = account.status.clone().unwrap_or_default();
        let Some(inventory) = &status.inventory else { return Some(Err("its inventory was not read yet".into())) };
        let is_whole = is_true_at(&status.conditions, ConditionType::InventoryComplete, account.metadata.generation);
        let key = (policy.uid().unwrap_or_default(), account.uid().unwrap_or_default());
        let taken = self.take(&ctx.store, key, (terms, inventory)).await;
        Some(taken.map(|selected| Selected { is_whole, ..selected }))
    }

    async fn take(
        &self,
        store: &Store,
        key: (String, String),
        (terms, inventory): (&BackupTerms, &InventoryStatus),
    ) -> Result<Selected, String> {
        let digests = (json_digest(terms), inventory.digest.clone());
        if let Some(known) = self.0.lock().expect("no panic while held").get(&key).filter(|known| known.digests == digests) {
            return Ok(known.selected.clone());
        }
        let mut selected = Selected::default();
        let read = read(store, inventory, |line| {
            selected.take(terms, &line);
            Ok(())
        });
        read.await.map_err(|error| format!("its inventory cannot be read: {error}"))?;
        self.0.lock().expect("no panic while held").insert(key, Known { digests, selected: selected.clone() });
        Ok(selected)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_inventory_is_read_again_only_where_it_or_the_policy_has_changed() {
        let (selections, store) = (Selections::default(), Store::in_memory());
        let terms = |days: u32| -> BackupTerms {
            let tag = json!({"key": "backup", "value": "daily"});
            serde_json::from_value(json!({"dailyAt": "03:00", "retentionDays": days, "tag": tag, "regions": ["europe-west1"]})).unwrap()
        };
        let inventory = |digest: &str| InventoryStatus { digest: digest.into(), address: "gone".into(), ..InventoryStatus::default() };
        let key = || ("policy".to_owned(), "account".to_owned());
        let held = Selected { sources: ["disk".to_owned()].into(), ..Selected::default() };
        let known = Known { digests: (json_digest(&terms(30)), "one".into()), selected: held.clone() };
        selections.0.lock().unwrap().insert(key(), known);
        // The store holds nothing, so that whatever is read fails.
        assert_eq!(selections.take(&store, key(), (&terms(30), &inventory("one"))).await, Ok(held));
        for (why, days, digest) in [("another inventory", 30, "two"), ("another policy", 31, "one")] {
            let read = selections.take(&store, key(), (&terms(days), &inventory(digest))).await;
            assert!(read.is_err_and(|why| why.contains("cannot be read")), "{why}");
        }
    }
}
