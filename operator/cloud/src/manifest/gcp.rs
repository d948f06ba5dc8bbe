//! The part of Google Cloud.

use super::{Action, On, action};

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

/// Google Cloud, on the project and on our own service account.
pub(super) const GCP_READ: &[Action] = &[
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
    action("compute.instances.get", "tell whether a machine that the list leaves out is really gone"),
    action("compute.disks.get", "tell whether a disk that the list leaves out is really gone")
        .by("compute.disks.get, compute.regionDisks.get"),
    action("compute.snapshots.get", "tell whether a copy of a disk that the list leaves out is really gone"),
    action("compute.networks.get", "tell whether a network that the list leaves out is really gone"),
    action("compute.subnetworks.get", "tell whether a part of a network that the list leaves out is really gone"),
    action("compute.firewalls.get", "tell whether a firewall rule that the list leaves out is really gone"),
    action("compute.firewallPolicies.get", "tell whether a firewall policy that the list leaves out is really gone")
        .by("compute.networkFirewallPolicies.get, compute.regionNetworkFirewallPolicies.get"),
    action("compute.forwardingRules.get", "tell whether a load balancer that the list leaves out is really gone"),
    action("compute.globalForwardingRules.get", "tell whether a load balancer of all regions that the list leaves out is really gone"),
    action("storage.buckets.get", "tell whether a bucket that the list leaves out is really gone"),
    action("container.clusters.get", "tell whether a Kubernetes cluster that the list leaves out is really gone")
        .by("container.projects.locations.clusters.get, container.projects.zones.clusters.get"),
    action("cloudsql.instances.get", "tell whether a database server that the list leaves out is really gone").by("sql.instances.get"),
    action("spanner.instances.get", "tell whether a Spanner instance that the list leaves out is really gone")
        .by("spanner.projects.instances.get"),
    action("spanner.databases.get", "tell whether a Spanner database that the list leaves out is really gone")
        .by("spanner.projects.instances.databases.get"),
    action("alloydb.clusters.get", "tell whether an AlloyDB cluster that the list leaves out is really gone")
        .by("alloydb.projects.locations.clusters.get"),
    action("alloydb.instances.get", "tell whether an AlloyDB server that the list leaves out is really gone")
        .by("alloydb.projects.locations.clusters.instances.get"),
    action("bigtable.instances.get", "tell whether a Bigtable instance that the list leaves out is really gone")
        .by("bigtableadmin.projects.instances.get"),
    action("redis.instances.get", "tell whether a Redis server that the list leaves out is really gone")
        .by("redis.projects.locations.instances.get"),
    action("datastore.databases.getMetadata", "tell whether a Firestore database that the list leaves out is really gone")
        .by("firestore.projects.databases.get"),
    action("secretmanager.secrets.get", "tell whether a secret that the list leaves out is really gone; its value is not read")
        .by("secretmanager.projects.secrets.get"),
    action("logging.sinks.get", "tell whether a sink of logs that the list leaves out is really gone").by("logging.projects.sinks.get"),
    action("backupdr.backupVaults.get", "tell whether a backup vault that the list leaves out is really gone")
        .by("backupdr.projects.locations.backupVaults.get"),
    action("cloudkms.keyRings.get", "tell whether a ring of keys that the list leaves out is really gone")
        .by("cloudkms.projects.locations.keyRings.get"),
    action("cloudkms.cryptoKeys.get", "tell whether a key that the list leaves out is really gone")
        .by("cloudkms.projects.locations.keyRings.cryptoKeys.get"),
    action("iam.serviceAccounts.get", "tell whether a service account that the list leaves out is really gone")
        .by("iam.projects.serviceAccounts.get"),
    action("run.services.get", "tell whether a service that the list leaves out is really gone").by("run.projects.locations.services.get"),
    action("run.jobs.get", "tell whether a job that the list leaves out is really gone").by("run.projects.locations.jobs.get"),
    action("cloudfunctions.functions.get", "tell whether a function that the list leaves out is really gone")
        .by("cloudfunctions.projects.locations.functions.get"),
];

/// Google Cloud, on our own service account only.
pub(super) const GCP_REVOKE: &[Action] = &[action("iam.serviceAccounts.setIamPolicy", "remove ourselves from our own service account")
    .by("iam.projects.serviceAccounts.setIamPolicy")
    .on(On::OwnPrincipal)];
