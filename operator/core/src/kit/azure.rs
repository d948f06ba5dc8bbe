//! What a delegation on Azure covers.

use caretaker_cloud::manifest::azure_actions;
use caretaker_cloud::{Purpose, WantedPermission};

/// All that the delegation covers: what the roles of the kit hold.
#[must_use]
pub fn wanted(subscription_id: &str) -> Vec<WantedPermission> {
    let resource = format!("/subscriptions/{}", subscription_id.to_ascii_lowercase());
    let actions = [Purpose::Read, Purpose::Revoke].into_iter().flat_map(azure_actions);
    actions.map(|action| WantedPermission { resource: resource.clone(), action: action.name.to_owned() }).collect()
}
