//! The permission manifest: every call that Caretaker makes, by purpose, with the reason. The grant kit, the session policies and the check of
//! granted permissions are made from this one table.

use crate::model::Purpose;

/// One action in the cloud's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// The action, such as `ec2:DescribeInstances`.
    pub name: &'static str,
    /// What it is needed for, for the client's reader.
    pub why: &'static str,
}

const fn action(name: &'static str, why: &'static str) -> Action {
    Action { name, why }
}

/// Reading: inventory, regions, our own permissions, the state of backups.
const READ: &[Action] = &[
    action("account:ListRegions", "learn which regions are enabled"),
    action("ec2:DescribeRegions", "learn which regions are enabled, where the account service may not be asked"),
    action("ec2:DescribeInstances", "list machines"),
    action("ec2:DescribeVolumes", "list disks"),
    action("ec2:DescribeSnapshots", "list copies of disks"),
    action("ec2:DescribeVpcs", "list networks"),
    action("ec2:DescribeSubnets", "list parts of networks"),
    action("ec2:DescribeSecurityGroups", "list firewall rules"),
    action("rds:DescribeDBInstances", "list database servers"),
    action("rds:DescribeDBClusters", "list clusters of database servers"),
    action("dynamodb:ListTables", "list tables"),
    action("eks:ListClusters", "list Kubernetes clusters"),
    action("eks:DescribeCluster", "learn a cluster's version, state and tags"),
    action("lambda:ListFunctions", "list functions"),
    action("elasticloadbalancing:DescribeLoadBalancers", "list load balancers"),
    action("kms:ListKeys", "list keys"),
    action("kms:ListAliases", "name keys, and tell the client's from AWS's own"),
    action("cloudtrail:DescribeTrails", "list audit trails"),
    action("s3:ListAllMyBuckets", "list buckets"),
    action("iam:ListRoles", "list roles"),
    action("iam:ListUsers", "list users"),
    action("iam:SimulatePrincipalPolicy", "compare our permissions with this list"),
    action("backup:ListBackupVaults", "see where backups are kept"),
    action("backup:ListBackupPlans", "see which backups are planned"),
    action("backup:GetBackupPlan", "compare a backup plan with the policy"),
    action("backup:ListBackupSelections", "see what a backup plan covers"),
    action("backup:GetBackupSelection", "compare what a backup plan covers with the policy"),
];

/// Making and repairing backup objects.
const BACKUP: &[Action] = &[
    action("backup:CreateBackupVault", "make the vault"),
    action("backup:CreateBackupPlan", "make the plan"),
    action("backup:UpdateBackupPlan", "put the plan back to the policy"),
    action("backup:CreateBackupSelection", "say what the plan covers"),
    action("backup:DeleteBackupSelection", "remove a selection that differs from the policy"),
    action("iam:PassRole", "hand the backup service its role"),
    action("kms:CreateGrant", "encrypt the vault"),
    action("kms:GenerateDataKey", "encrypt the vault"),
    action("kms:Decrypt", "encrypt the vault"),
    action("kms:DescribeKey", "encrypt the vault"),
    action("backup-storage:MountCapsule", "make the vault"),
];

/// Removing our own access. A role cannot delete itself, since it must lose its last permission first: what is left is an empty role that trusts nobody.
const REVOKE: &[Action] = &[
    action("iam:UpdateAssumeRolePolicy", "close our own role to everybody"),
    action("iam:ListAttachedRolePolicies", "see what our role holds"),
    action("iam:ListRolePolicies", "see what our role holds"),
    action("iam:DetachRolePolicy", "take permissions from our own role"),
    action("iam:DeleteRolePolicy", "take permissions from our own role"),
];

/// Google Cloud, on the project.
const GCP_READ: &[Action] = &[
    action("resourcemanager.projects.get", "prove that the project is the one that was declared"),
    action("cloudasset.assets.searchAllResources", "list what is in the project"),
];

/// Google Cloud, on our own service account only.
const GCP_REVOKE: &[Action] = &[
    action("iam.serviceAccounts.getIamPolicy", "read who may use our own service account, before it is changed"),
    action("iam.serviceAccounts.setIamPolicy", "remove ourselves from our own service account"),
];

/// The permissions that a purpose needs on Google Cloud. Those of [`Purpose::Revoke`] are granted and tested on our own service account, see
/// [`is_own_role_only`]. Reading what we hold needs none: everybody may test their own permissions.
#[must_use]
pub fn gcp_permissions(purpose: Purpose) -> &'static [Action] {
    match purpose {
        Purpose::Read => GCP_READ,
        // Backups are not made on Google Cloud in this release.
        Purpose::Backup => &[],
        Purpose::Revoke => GCP_REVOKE,
    }
}

/// The actions that a purpose needs.
#[must_use]
pub fn aws_actions(purpose: Purpose) -> &'static [Action] {
    match purpose {
        Purpose::Read => READ,
        Purpose::Backup => BACKUP,
        Purpose::Revoke => REVOKE,
    }
}

/// Purposes whose actions apply to our own role only.
#[must_use]
pub fn is_own_role_only(purpose: Purpose) -> bool {
    purpose == Purpose::Revoke
}

/// Reading on Azure: proof of access, our own permissions, inventory. Resource Graph shows what the caller may read, so each kind that is listed needs
/// its read action. All of them are part of Azure's role Reader.
const AZURE_READ: &[Action] = &[
    action("Microsoft.Resources/subscriptions/read", "prove whose the subscription is and that it is delegated"),
    action("Microsoft.Resources/subscriptions/resourceGroups/read", "list resource groups, to ask one for our own permissions"),
    action("Microsoft.Authorization/permissions/read", "compare our permissions with this list"),
    action("Microsoft.ResourceGraph/resources/read", "read the inventory"),
    action("Microsoft.Compute/virtualMachines/read", "list machines"),
    action("Microsoft.Compute/disks/read", "list disks"),
    action("Microsoft.Compute/snapshots/read", "list copies of disks"),
    action("Microsoft.Network/virtualNetworks/read", "list networks"),
    action("Microsoft.Network/networkSecurityGroups/read", "list firewall rules"),
    action("Microsoft.Network/loadBalancers/read", "list load balancers"),
    action("Microsoft.Storage/storageAccounts/read", "list stores; keys and contents stay closed"),
    action("Microsoft.Sql/servers/read", "list database servers"),
    action("Microsoft.Sql/servers/databases/read", "list databases"),
    action("Microsoft.ContainerService/managedClusters/read", "list Kubernetes clusters"),
    action("Microsoft.Web/sites/read", "list applications and functions"),
    action("Microsoft.KeyVault/vaults/read", "list key vaults; keys and secrets stay closed"),
    action("Microsoft.RecoveryServices/vaults/read", "see where backups are kept"),
];

/// Removing our own access on Azure. There is one role made for it, and a delegation without it can be ended by the client only.
const AZURE_REVOKE: &[Action] = &[
    action("Microsoft.ManagedServices/registrationAssignments/read", "find our own delegation"),
    action("Microsoft.ManagedServices/registrationAssignments/delete", "end our own delegation"),
];

/// The actions that a purpose needs on Azure. Making backups there is not supported yet, so nothing is asked for it.
#[must_use]
pub fn azure_actions(purpose: Purpose) -> &'static [Action] {
    match purpose {
        Purpose::Read => AZURE_READ,
        Purpose::Backup => &[],
        Purpose::Revoke => AZURE_REVOKE,
    }
}

/// A role that is built into Azure. A delegation can grant no other kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AzureRole {
    /// Id, the same in every tenant.
    pub id: &'static str,
    /// Name as Azure shows it.
    pub name: &'static str,
    /// What it is needed for, for the client's reader.
    pub why: &'static str,
}

/// Azure's role that reads everything but keys and contents.
pub const AZURE_READER: AzureRole = AzureRole {
    id: "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    name: "Reader",
    why: "read the inventory and our own permissions; no keys, no contents",
};

/// Azure's role that ends the delegation it is part of.
pub const AZURE_DELEGATION_DELETE: AzureRole = AzureRole {
    id: "91c1777a-f3dc-4fae-b103-61d183457e46",
    name: "Managed Services Registration assignment Delete Role",
    why: "end our own delegation when the contract ends; without it only you can",
};

/// The roles that hold the actions of a purpose.
#[must_use]
pub fn azure_roles(purpose: Purpose) -> &'static [AzureRole] {
    match purpose {
        Purpose::Read => &[AZURE_READER],
        Purpose::Backup => &[],
        Purpose::Revoke => &[AZURE_DELEGATION_DELETE],
    }
}
