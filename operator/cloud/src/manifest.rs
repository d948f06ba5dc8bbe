//! The permission manifest: every call that Caretaker makes, by purpose, with the permission and the reason. The grant kits, the session policies, the
//! check of granted permissions and the printed list of calls are made from this one table.

use crate::model::Purpose;

mod gcp;

use gcp::{GCP_ENTRY, GCP_MEMBERS, GCP_READ, GCP_REVOKE};

/// What a permission is granted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// The whole account, subscription or project.
    Account,
    /// Our own role or service account, and nothing else.
    OwnPrincipal,
    /// The role that the backup service uses.
    BackupRole,
}

/// One permission in the cloud's own words, and the call that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// The permission, such as `ec2:DescribeInstances`; empty where the call needs none.
    pub name: &'static str,
    /// The call, where the cloud names it otherwise than the permission.
    pub call: &'static str,
    /// What it is needed for, for the client's reader.
    pub why: &'static str,
    /// What it is granted on.
    pub on: On,
}

const fn action(name: &'static str, why: &'static str) -> Action {
    Action { name, call: name, why, on: On::Account }
}

impl Action {
    /// The same, asked for by this call.
    const fn by(self, call: &'static str) -> Self {
        Self { call, ..self }
    }

    /// The same, granted on this only.
    const fn on(self, on: On) -> Self {
        Self { on, ..self }
    }
}

/// What the role's trust policy grants our principal: how we get in.
const AWS_ENTRY: &[Action] = &[
    action("", "learn who our own credentials are, before any role is assumed").by("sts:GetCallerIdentity"),
    action("sts:AssumeRole", "get in: open a session of our role"),
    action("sts:SetSourceIdentity", "let your audit log say which object of ours acted").by("sts:AssumeRole"),
];

/// Reading: inventory, regions, our own permissions, the ways in, the state of backups.
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
    action("ssm:DescribeInstanceInformation", "learn which machines Systems Manager can look into"),
    action("ssm:DescribeInstancePatchStates", "learn which machines lack patches"),
    action("s3:ListAllMyBuckets", "list buckets").by("s3:ListBuckets"),
    action(
        "tag:GetResources",
        "read the tags of buckets, functions, tables, keys, load balancers, vaults and trails: their lists show none",
    ),
    action("resource-explorer-2:ListIndexes", "learn in which regions Resource Explorer is on"),
    action("resource-explorer-2:GetIndex", "learn whether Resource Explorer has seen everything there"),
    action("resource-explorer-2:GetDefaultView", "learn which view of Resource Explorer shows everything"),
    action("resource-explorer-2:GetView", "learn whether that view leaves something out"),
    action("resource-explorer-2:ListResources", "list what none of the lists above shows"),
    action("iam:ListRoles", "list roles, and find those that trust us"),
    action("iam:ListUsers", "list users, and find ours"),
    action("iam:SimulatePrincipalPolicy", "compare our permissions with this list"),
    action("iam:ListAttachedRolePolicies", "find permissions of ours beyond this list"),
    action("iam:ListRolePolicies", "find permissions of ours beyond this list"),
    action("iam:GetRolePolicy", "find permissions of ours beyond this list"),
    action("iam:GetPolicy", "find permissions of ours beyond this list"),
    action("iam:GetPolicyVersion", "find permissions of ours beyond this list"),
    action("iam:GetRole", "tell when a role that trusts us was last used"),
    action("iam:ListAccessKeys", "list access keys of users that are ours"),
    action("iam:GetAccessKeyLastUsed", "tell when such a key was last used"),
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
    action("iam:PassRole", "hand the backup service its role").by("backup:CreateBackupSelection").on(On::BackupRole),
    action("kms:CreateGrant", "encrypt the vault").by("backup:CreateBackupVault"),
    action("kms:GenerateDataKey", "encrypt the vault").by("backup:CreateBackupVault"),
    action("kms:Decrypt", "encrypt the vault").by("backup:CreateBackupVault"),
    action("kms:DescribeKey", "encrypt the vault").by("backup:CreateBackupVault"),
    action("backup-storage:MountCapsule", "make the vault").by("backup:CreateBackupVault"),
];

/// Removing our own access. A role cannot delete itself, since it must lose its last permission first: what is left is an empty role that trusts nobody.
const REVOKE: &[Action] = &[
    action("iam:UpdateAssumeRolePolicy", "close our own role to everybody").on(On::OwnPrincipal),
    action("iam:ListAttachedRolePolicies", "see what our role holds").on(On::OwnPrincipal),
    action("iam:ListRolePolicies", "see what our role holds").on(On::OwnPrincipal),
    action("iam:DetachRolePolicy", "take permissions from our own role").on(On::OwnPrincipal),
    action("iam:DeleteRolePolicy", "take permissions from our own role").on(On::OwnPrincipal),
];

/// Listing the accounts of an AWS Organization, from its management account or a delegated one.
const MEMBERS: &[Action] = &[
    action("organizations:DescribeOrganization", "learn whether the account belongs to an organization"),
    action("organizations:ListAccounts", "list the accounts of the organization"),
    action("iam:SimulatePrincipalPolicy", "compare the permissions of the role that lists with this list"),
];

/// The calls by which we get into an AWS account, made with our own credentials.
#[must_use]
pub fn aws_entry() -> &'static [Action] {
    AWS_ENTRY
}

/// The actions that a purpose needs on AWS.
#[must_use]
pub fn aws_actions(purpose: Purpose) -> &'static [Action] {
    match purpose {
        Purpose::Read => READ,
        Purpose::Backup => BACKUP,
        Purpose::Revoke => REVOKE,
        Purpose::Members => MEMBERS,
    }
}

/// The calls by which we get into a project.
#[must_use]
pub fn gcp_entry() -> &'static [Action] {
    GCP_ENTRY
}

/// The permissions that a purpose needs on Google Cloud. Reading what we hold needs none: everybody may test their own permissions.
#[must_use]
pub fn gcp_permissions(purpose: Purpose) -> &'static [Action] {
    match purpose {
        Purpose::Read => GCP_READ,
        // Backups are not made on Google Cloud in this release.
        Purpose::Backup => &[],
        Purpose::Revoke => GCP_REVOKE,
        Purpose::Members => GCP_MEMBERS,
    }
}

/// The one question that shows all resources.
const GRAPH: &str = "POST /providers/Microsoft.ResourceGraph/resources";
/// The list of delegations.
const DELEGATIONS: &str = "GET /subscriptions/{id}/providers/Microsoft.ManagedServices/registrationAssignments";

/// How we get into a subscription.
const AZURE_ENTRY: &[Action] = &[action("", "take a token of our own application").by("POST /{tenant}/oauth2/v2.0/token")];

/// Reading on Azure: proof of access, our own permissions, inventory. Resource Graph shows what the caller may read, so each kind that is listed needs
/// its read action. All of them are part of Azure's role Reader.
const AZURE_READ: &[Action] = &[
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
    action("Microsoft.Compute/virtualMachines/read", "list machines").by(GRAPH),
    action("Microsoft.Compute/virtualMachines/patchAssessmentResults/latest/read", "learn which machines lack patches").by(GRAPH),
    action("Microsoft.Compute/disks/read", "list disks").by(GRAPH),
    action("Microsoft.Compute/snapshots/read", "list copies of disks").by(GRAPH),
    action("Microsoft.Network/virtualNetworks/read", "list networks").by(GRAPH),
    action("Microsoft.Network/networkSecurityGroups/read", "list firewall rules").by(GRAPH),
    action("Microsoft.Network/loadBalancers/read", "list load balancers").by(GRAPH),
    action("Microsoft.Storage/storageAccounts/read", "list stores; keys and contents stay closed").by(GRAPH),
    action("Microsoft.Sql/servers/read", "list database servers").by(GRAPH),
    action("Microsoft.Sql/servers/databases/read", "list databases").by(GRAPH),
    action("Microsoft.ContainerService/managedClusters/read", "list Kubernetes clusters").by(GRAPH),
    action("Microsoft.Web/sites/read", "list applications and functions").by(GRAPH),
    action("Microsoft.KeyVault/vaults/read", "list key vaults; keys and secrets stay closed").by(GRAPH),
    action("Microsoft.RecoveryServices/vaults/read", "see where backups are kept").by(GRAPH),
];

/// Removing our own access on Azure. There is one role made for it, and a delegation without it can be ended by the client only.
const AZURE_REVOKE: &[Action] = &[
    action("Microsoft.ManagedServices/registrationAssignments/read", "find our own delegation").by(DELEGATIONS),
    action("Microsoft.ManagedServices/registrationAssignments/delete", "end our own delegation")
        .by("DELETE /subscriptions/{id}/providers/Microsoft.ManagedServices/registrationAssignments/{name}"),
];

/// Listing the subscriptions of a client: Azure shows those that are delegated to us. Part of Azure's role Reader.
const AZURE_MEMBERS: &[Action] =
    &[action("Microsoft.Resources/subscriptions/read", "list the subscriptions that are delegated").by("GET /subscriptions")];

/// The calls by which we get into a subscription.
#[must_use]
pub fn azure_entry() -> &'static [Action] {
    AZURE_ENTRY
}

/// The actions that a purpose needs on Azure. Making backups there is not supported yet, so nothing is asked for it.
#[must_use]
pub fn azure_actions(purpose: Purpose) -> &'static [Action] {
    match purpose {
        Purpose::Read => AZURE_READ,
        Purpose::Backup => &[],
        Purpose::Revoke => AZURE_REVOKE,
        Purpose::Members => AZURE_MEMBERS,
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
        // What lists is part of the role for reading.
        Purpose::Members => &[],
    }
}

/// Where the register of ways in looks, and where it does not: what is not named in either is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What is read.
    pub looked_at: &'static [&'static str],
    /// Further places where a provider can have a way in, which a person must look at.
    pub not_looked_at: &'static [&'static str],
}

/// The register's sight on AWS.
pub const AWS_SIGHT: Sight = Sight {
    looked_at: &[
        "every role whose trust policy names the provider's account or principal, or everybody",
        "users, with their access keys, whose name begins with caretaker or whose path names caretaker or the provider's account",
    ],
    not_looked_at: &[
        "IAM users under other names, and what a user's policies and groups allow",
        "SAML and OIDC providers, and IAM Identity Center",
        "policies of single resources (buckets, keys, queues, vaults), grants of keys, RAM shares",
        "delegated administrators and roles in other accounts of the organisation",
    ],
};

/// The register's sight on Azure.
pub const AZURE_SIGHT: Sight = Sight {
    looked_at: &["every Lighthouse delegation of the subscription to the provider's tenant, standing and eligible authorizations"],
    not_looked_at: &[
        "role assignments of guests, service principals and managed identities in the client's own tenant",
        "delegations of management groups, GDAP relationships, and a reseller's administrators",
        "diagnostic settings, keys of stores, and secrets of applications",
    ],
};

/// The register's sight on Google Cloud.
pub const GCP_SIGHT: Sight = Sight {
    looked_at: &[
        "bindings on the project of our service account, of the provider's principal, and of service accounts of the provider's project",
        "everybody who may use our service account, and its keys that people made, with the day of their last use",
    ],
    not_looked_at: &[
        "bindings inherited from folders and the organisation, and those of single resources",
        "groups that somebody of the provider's is a member of, and keys of other service accounts",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_says_what_is_called_and_why_and_no_wildcard_is_asked_for() {
        let purposes = [Purpose::Read, Purpose::Backup, Purpose::Revoke, Purpose::Members];
        for table in [aws_actions, azure_actions, gcp_permissions] {
            for action in purposes.into_iter().flat_map(table) {
                assert!(!action.name.is_empty() && !action.name.contains(['*', '?']), "{action:?}");
            }
            for purpose in purposes {
                let mut names: Vec<&str> = table(purpose).iter().map(|action| action.name).collect();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), table(purpose).len(), "a permission stands once in a purpose: {purpose:?}");
            }
        }
        let entries = [aws_entry(), azure_entry(), gcp_entry()];
        let all = purposes.into_iter().flat_map(|purpose| [aws_actions(purpose), azure_actions(purpose), gcp_permissions(purpose)]);
        for action in entries.into_iter().chain(all).flatten() {
            assert!(!action.call.is_empty() && !action.why.is_empty(), "{action:?}");
        }
    }
}
