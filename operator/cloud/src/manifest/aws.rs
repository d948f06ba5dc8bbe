//! The part of AWS. What reading the inventory needs stands with each type in the catalog.

use std::sync::LazyLock;

use crate::catalog::aws::{AwsType, Tags};
use crate::manifest::action::{Action, On, action};

/// What the role's trust policy grants our principal: how we get in.
pub(super) const AWS_ENTRY: &[Action] = &[
    action("", "learn who our own credentials are, before any role is assumed").by("sts:GetCallerIdentity"),
    action("sts:AssumeRole", "get in: open a session of our role"),
    action("sts:SetSourceIdentity", "let your audit log say which object of ours acted").by("sts:AssumeRole"),
];

/// Learning which regions are read.
const REGIONS: &[Action] = &[
    action("account:ListRegions", "learn which regions are enabled"),
    action("ec2:DescribeRegions", "learn which regions are enabled, where the account service may not be asked"),
];

/// Why tags are asked for.
static TAGS_WHY: LazyLock<String> = LazyLock::new(|| {
    let untold = AwsType::ALL.into_iter().filter(|kind| matches!(kind.row().tags, Tags::Asked(_)));
    let plurals: Vec<&str> = untold.map(|kind| kind.row().plural).collect();
    let (last, others) = plurals.split_last().unwrap_or((&"", &[]));
    format!("read the tags of {} and {last}: their lists show none", others.join(", "))
});

/// Reading: inventory, regions, our own permissions, the ways in, the state of backups.
pub(super) static READ: LazyLock<Vec<Action>> = LazyLock::new(|| {
    let mut all = REGIONS.to_vec();
    all.extend(AwsType::ALL.into_iter().flat_map(|kind| kind.row().permissions));
    all.push(action("tag:GetResources", &TAGS_WHY));
    all.extend(WAYS_IN.iter().chain(BACKUPS));
    all
});

/// Our own permissions, and every way in.
const WAYS_IN: &[Action] = &[
    action("iam:SimulatePrincipalPolicy", "compare our permissions with this list"),
    action("iam:ListAttachedRolePolicies", "find permissions of ours beyond this list"),
    action("iam:ListRolePolicies", "find permissions of ours beyond this list"),
    action("iam:GetRolePolicy", "find permissions of ours beyond this list"),
    action("iam:GetPolicy", "find permissions of ours beyond this list"),
    action("iam:GetPolicyVersion", "find permissions of ours beyond this list"),
    action("iam:GetRole", "tell when a role that trusts us was last used"),
    action("iam:ListAccessKeys", "list access keys of users that are ours"),
    action("iam:GetAccessKeyLastUsed", "tell when such a key was last used"),
];

/// The state of backups.
const BACKUPS: &[Action] = &[
    action("backup:ListBackupPlans", "see which backups are planned"),
    action("backup:GetBackupPlan", "compare a backup plan with the policy"),
    action("backup:ListBackupSelections", "see what a backup plan covers"),
    action("backup:GetBackupSelection", "compare what a backup plan covers with the policy"),
    action("backup:ListRecoveryPointsByBackupVault", "tell what can be restored, and from when"),
    action("backup:ListBackupJobs", "tell why a backup failed"),
    action("backup:DescribeRegionSettings", "tell which kinds of things are left out of backups in a region"),
];

/// Making and repairing backup objects.
pub(super) const BACKUP: &[Action] = &[
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

/// Having the cloud restore a sample. What it restores it deletes itself: we can delete nothing.
pub(super) const RESTORE_TEST: &[Action] = &[
    action("backup:GetRestoreTestingPlan", "compare the schedule of the restore test with the policy"),
    action("backup:GetRestoreTestingSelection", "compare what is restored with the policy"),
    action("backup:CreateRestoreTestingPlan", "say when a sample is restored"),
    action("backup:UpdateRestoreTestingPlan", "put the schedule back to the policy"),
    action("backup:CreateRestoreTestingSelection", "say what is restored"),
    action("backup:UpdateRestoreTestingSelection", "restore other disks the next time"),
    action("backup:ListRestoreJobs", "see what came of each restore, and how long it took"),
    action("backup:PutRestoreValidationResult", "give the verdict, after which AWS deletes what it restored"),
    action("iam:PassRole", "hand the backup service its role").by("backup:CreateRestoreTestingSelection").on(On::BackupRole),
];

/// Removing our own access. A role cannot delete itself, since it must lose its last permission first: what is left is an empty role that trusts nobody.
pub(super) const REVOKE: &[Action] = &[
    action("iam:UpdateAssumeRolePolicy", "close our own role to everybody").on(On::OwnPrincipal),
    action("iam:ListAttachedRolePolicies", "see what our role holds").on(On::OwnPrincipal),
    action("iam:ListRolePolicies", "see what our role holds").on(On::OwnPrincipal),
    action("iam:DetachRolePolicy", "take permissions from our own role").on(On::OwnPrincipal),
    action("iam:DeleteRolePolicy", "take permissions from our own role").on(On::OwnPrincipal),
];

/// Listing the accounts of an AWS Organization, from its management account or a delegated one.
pub(super) const MEMBERS: &[Action] = &[
    action("organizations:DescribeOrganization", "learn whether the account belongs to an organization"),
    action("organizations:ListAccounts", "list the accounts of the organization"),
    action("iam:SimulatePrincipalPolicy", "compare the permissions of the role that lists with this list"),
];
