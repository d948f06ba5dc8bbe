//! The part of Google Cloud.

use std::sync::LazyLock;

use crate::catalog::gcp::SERVICES;
use crate::manifest::action::{Action, On, action};

/// How we get into a project: what our principal is granted on the client's service account.
pub(super) const GCP_ENTRY: &[Action] = &[
    action("", "change our key for a token of ours").by("oauth2.token"),
    action("", "change the pod's own token for a token of ours").by("sts.token"),
    action("iam.serviceAccounts.getAccessToken", "get in: make a token of your service account")
        .by("iamcredentials.projects.serviceAccounts.generateAccessToken")
        .on(On::OwnPrincipal),
    action("", "compare our permissions on the project with this list").by("cloudresourcemanager.projects.testIamPermissions"),
    action("", "compare our permissions on the service account with this list").by("iam.projects.serviceAccounts.testIamPermissions"),
];

/// Listing the projects of a folder, on the folder.
pub(super) const GCP_MEMBERS: &[Action] = &[
    action("resourcemanager.folders.get", "prove that the folder can be read").by("cloudresourcemanager.folders.get"),
    action("resourcemanager.folders.list", "list the folders in the folder").by("cloudresourcemanager.folders.list"),
    action("resourcemanager.projects.list", "list the projects in the folder").by("cloudresourcemanager.projects.list"),
];

/// Google Cloud, on the project and on our own service account: what is asked of the project itself, then what tells whether something is really gone.
pub(super) static GCP_READ: LazyLock<Vec<Action>> = LazyLock::new(|| {
    let things = SERVICES.iter().flat_map(|service| service.things);
    PROJECT.iter().copied().chain(things.map(|thing| thing.get)).chain(RECOVERY.iter().chain(SCHEDULES).copied()).collect()
});

/// What is asked of the project itself.
const PROJECT: &[Action] = &[
    action("resourcemanager.projects.get", "prove that the project is the one that was declared").by("cloudresourcemanager.projects.get"),
    action("cloudasset.assets.searchAllResources", "list what is in the project").by("cloudasset.searchAllResources"),
    action("cloudasset.assets.listOSInventories", "learn which machines lack patches, where VM Manager looks into them")
        .by("cloudasset.assets.list"),
    action("resourcemanager.projects.getIamPolicy", "find what we hold beyond this list, and every way in")
        .by("cloudresourcemanager.projects.getIamPolicy"),
    action("iam.roles.get", "find permissions of our roles beyond this list").by("iam.projects.roles.get"),
    action("iam.serviceAccounts.getIamPolicy", "read who may use our own service account")
        .by("iam.projects.serviceAccounts.getIamPolicy")
        .on(On::OwnPrincipal),
    action("iam.serviceAccountKeys.list", "list the keys of our own service account, and when they end")
        .by("iam.projects.serviceAccounts.keys.list")
        .on(On::OwnPrincipal),
    action(
        "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query",
        "learn when the keys of our own service account were last used",
    )
    .by("policyanalyzer.projects.locations.activityTypes.activities.query"),
    action(
        "cloudasset.assets.exportResource",
        "tell whether a thing that the list leaves out was deleted; nothing of what it holds is asked for",
    )
    .by("cloudasset.batchGetAssetsHistory"),
];

/// What tells which disks and machines can be restored.
const RECOVERY: &[Action] = &[
    action("compute.snapshots.list", "read the snapshots of disks: only they say what can be restored").by("compute.snapshots.list"),
    action("compute.instances.list", "learn which disks a machine has: it can be restored to a moment only with all of them")
        .by("compute.instances.aggregatedList"),
    action("compute.machineImages.list", "read the images of machines, which can be restored too").by("compute.machineImages.list"),
    action("cloudsql.backupRuns.list", "read the backups of databases").by("sql.backupRuns.list"),
    action("backupdr.backupVaults.list", "find the vaults of Backup and DR").by("backupdr.projects.locations.backupVaults.list"),
    action("backupdr.bvdataSources.list", "learn which machines and disks a vault saves")
        .by("backupdr.projects.locations.backupVaults.dataSources.list"),
    action("backupdr.bvbackups.list", "read the backups in a vault")
        .by("backupdr.projects.locations.backupVaults.dataSources.backups.list"),
    action("compute.globalOperations.list", "read why a snapshot failed, and keep it longer than Google Cloud does")
        .by("compute.globalOperations.aggregatedList"),
];

/// The state of snapshot schedules.
const SCHEDULES: &[Action] = &[
    action("compute.resourcePolicies.list", "compare our snapshot schedule with the policy, and tell which ones are not ours")
        .by("compute.resourcePolicies.list"),
    action("compute.disks.list", "see which disks have a snapshot schedule").by("compute.disks.aggregatedList"),
];

/// Making, repairing and attaching snapshot schedules. Nothing is deleted, and no schedule but ours is taken off.
pub(super) const GCP_BACKUP: &[Action] = &[
    action("compute.resourcePolicies.create", "make the snapshot schedule").by("compute.resourcePolicies.insert"),
    action("compute.resourcePolicies.get", "see right before a write what the schedule is").by("compute.resourcePolicies.get"),
    action("compute.resourcePolicies.update", "put the snapshot schedule back to the policy").by("compute.resourcePolicies.patch"),
    action("compute.resourcePolicies.use", "attach the snapshot schedule to a disk").by(ATTACH),
    action("compute.disks.addResourcePolicies", "attach the snapshot schedule to a disk").by(ATTACH),
    action("compute.disks.removeResourcePolicies", "take our own snapshot schedule from a disk that is selected no more")
        .by("compute.disks.removeResourcePolicies, compute.regionDisks.removeResourcePolicies"),
    action("compute.regionOperations.get", "see what came of a write").by("compute.regionOperations.get"),
    action("compute.zoneOperations.get", "see what came of a write").by("compute.zoneOperations.get"),
];

/// Attaching a schedule to a disk of a zone, or of a region.
const ATTACH: &str = "compute.disks.addResourcePolicies, compute.regionDisks.addResourcePolicies";

/// Google Cloud, on our own service account only.
pub(super) const GCP_REVOKE: &[Action] = &[action("iam.serviceAccounts.setIamPolicy", "remove ourselves from our own service account")
    .by("iam.projects.serviceAccounts.setIamPolicy")
    .on(On::OwnPrincipal)];
