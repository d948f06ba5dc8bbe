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
