//! The part of Azure.

use std::sync::LazyLock;

use crate::catalog::azure::{GRAPH, GROUPS};
use crate::manifest::action::{Action, action};

/// The list of delegations.
const DELEGATIONS: &str = "GET /subscriptions/{id}/providers/Microsoft.ManagedServices/registrationAssignments";

/// How we get into a subscription.
pub(super) const AZURE_ENTRY: &[Action] = &[action("", "take a token of our own application").by("POST /{tenant}/oauth2/v2.0/token")];

/// Reading on Azure: proof of access, our own permissions, inventory. Resource Graph shows what the caller may read, so each kind that is listed needs
/// its read action, which stands with it in the catalog. All of them are part of Azure's role Reader.
pub(super) static AZURE_READ: LazyLock<Vec<Action>> = LazyLock::new(|| {
    let types = GROUPS.iter().flat_map(|group| group.types);
    SUBSCRIPTION.iter().copied().chain(types.filter_map(|row| row.read).map(listed_too)).chain(RECOVERY.iter().copied()).collect()
});

/// What is not only found by Resource Graph, but listed at its own service as well: what can be restored must be complete.
fn listed_too(read: Action) -> Action {
    match read.name {
        "Microsoft.RecoveryServices/vaults/read" => read
            .by("POST /providers/Microsoft.ResourceGraph/resources, GET /subscriptions/{id}/providers/Microsoft.RecoveryServices/vaults"),
        "Microsoft.Compute/snapshots/read" => {
            read.by("POST /providers/Microsoft.ResourceGraph/resources, GET /subscriptions/{id}/providers/Microsoft.Compute/snapshots")
        }
        _ => read,
    }
}

/// What is asked of the subscription itself.
const SUBSCRIPTION: &[Action] = &[
    action("Microsoft.Resources/subscriptions/read", "prove whose the subscription is and that it is delegated")
        .by("GET /subscriptions/{id}"),
    action("Microsoft.Resources/subscriptions/resourceGroups/read", "list resource groups, to ask one for our own permissions")
        .by("GET /subscriptions/{id}/resourcegroups"),
    action("Microsoft.Authorization/permissions/read", "compare our permissions with this list")
        .by("GET /subscriptions/{id}/resourcegroups/{group}/providers/Microsoft.Authorization/permissions"),
    action("Microsoft.ManagedServices/registrationAssignments/read", "find roles of ours beyond this list, and every way in")
        .by(DELEGATIONS),
    action("Microsoft.ResourceGraph/resources/read", "read the inventory").by(GRAPH),
    action(
        "Microsoft.Resources/subscriptions/providers/read",
        "learn how to ask whether a resource that the index leaves out is really gone",
    )
    .by("GET /subscriptions/{id}/providers"),
];

/// What tells which machines and disks can be restored.
const RECOVERY: &[Action] = &[
    action(
        "Microsoft.RecoveryServices/Vaults/backupProtectedItems/read",
        "learn which machines a vault saves, and which are in soft delete",
    )
    .by("GET {vault}/backupProtectedItems"),
    action(
        "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/read",
        "read the recovery points of machines: only they say what can be restored",
    )
    .by("GET {protected item}/recoveryPoints"),
    action("Microsoft.RecoveryServices/Vaults/backupJobs/read", "read why a backup failed, and keep it longer than Azure does")
        .by("GET {vault}/backupJobs"),
];

/// Removing our own access on Azure. There is one role made for it, and a delegation without it can be ended by the client only.
pub(super) const AZURE_REVOKE: &[Action] = &[
    action("Microsoft.ManagedServices/registrationAssignments/read", "find our own delegation").by(DELEGATIONS),
    action("Microsoft.ManagedServices/registrationAssignments/delete", "end our own delegation")
        .by("DELETE /subscriptions/{id}/providers/Microsoft.ManagedServices/registrationAssignments/{name}"),
];

/// Listing the subscriptions of a client: Azure shows those that are delegated to us. Part of Azure's role Reader.
pub(super) const AZURE_MEMBERS: &[Action] =
    &[action("Microsoft.Resources/subscriptions/read", "list the subscriptions that are delegated").by("GET /subscriptions")];
