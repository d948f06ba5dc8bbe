//! Delegations with eligible authorizations: those that a person of the provider's can switch on for a time. Only a later version of the
//! API tells them.

use serde_json::{Value, json};

use crate::manager::show_delegation;
use crate::reply::Reply;
use crate::world::{Action, Issued, World};

/// The version that tells them.
pub const VERSION: &str = "2020-02-01-preview";

/// An authorization that can be switched on for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eligible {
    /// Name of the assignment that it is part of.
    pub delegation: String,
    /// Object id of the person or group.
    pub object_id: String,
    /// Role.
    pub role: String,
    /// Longest time, as an ISO 8601 duration.
    pub at_most: String,
}

/// The list of delegations.
pub fn delegations(world: &World, caller: &Issued, id: &str, expand: bool) -> Reply {
    if !world.may(caller, id, Action::ReadDelegations) {
        return Reply::denied("Microsoft.ManagedServices/registrationAssignments/read");
    }
    let Some(found) = world.subscriptions.get(id) else { return Reply::no_subscription(id) };
    let show = |delegation| {
        let mut shown = show_delegation(id, found, delegation, "Succeeded", expand);
        let eligible: Vec<Value> = world
            .eligible
            .iter()
            .filter(|eligible| eligible.delegation == delegation.name)
            .map(|eligible| {
                json!({
                    "principalId": eligible.object_id, "roleDefinitionId": eligible.role,
                    "justInTimeAccessPolicy": {"multiFactorAuthProvider": "Azure", "maximumActivationDuration": eligible.at_most},
                })
            })
            .collect();
        if expand && !eligible.is_empty() {
            shown["properties"]["registrationDefinition"]["properties"]["eligibleAuthorizations"] = eligible.into();
        }
        shown
    };
    let value: Vec<Value> = found.delegations.iter().map(show).collect();
    Reply::ok(json!({"value": value}))
}
