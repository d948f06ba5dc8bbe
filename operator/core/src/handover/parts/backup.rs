//! 06: backup policies, and what has to stay so that backups go on.

use caretaker_api::backup_policy::{BackupPolicySpec, BackupPolicyStatus};
use caretaker_api::{BackupPolicy, CloudAccount};
use caretaker_cloud::{Cloud, Offers};
use kube::ResourceExt;
use serde::Serialize;

use super::{File, Gap, Part};
use crate::backup_policy::{cloud_of, object_name};
use crate::handover::contents::Inputs;
use crate::kit::BACKUP_ROLE;

pub(super) struct Backup;

const PATH: &str = "06-backup";

#[derive(Serialize)]
struct Policy {
    name: String,
    spec: BackupPolicySpec,
    status: Option<BackupPolicyStatus>,
}

/// What the client must not delete.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Keep {
    account: String,
    account_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// Names of the snapshot schedules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schedules: Vec<String>,
    why: &'static str,
    how: String,
}

const WHY: &str = "AWS Backup makes and restores all backups of the plans by this role. It trusts backup.amazonaws.com alone and gives nobody else access.";

const SCHEDULES: &str =
    "Google Cloud makes the daily snapshots of the disks that have these snapshot schedules. They are yours and name nobody of ours.";

impl Part for Backup {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "backup policies, what can be restored and from when, the last restore tests, and what must stay so that backups go on"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let policy = |policy: &BackupPolicy| Policy { name: policy.name_any(), spec: policy.spec.clone(), status: policy.status.clone() };
        let policies: Vec<Policy> = inputs.policies.iter().map(policy).collect();
        let mut files = Vec::new();
        if !policies.is_empty() {
            files.push(File::json("06-backup/policies.json", &policies));
        }
        let mut keep: Vec<Keep> = inputs.backup_accounts().into_iter().map(|(account, id)| keep(account, id)).collect();
        keep.extend(inputs.planned_on(Cloud::Gcp).into_iter().map(|of| keep_schedules(inputs, of)));
        if !keep.is_empty() {
            files.push(File::json("06-backup/keep.json", &keep));
        }
        files
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let is_without = |account: &&CloudAccount| {
            let target = &account.spec.target;
            inputs.client.spec.backups.is_some() && Offers::of(cloud_of(target)).plans.is_none() && !target.is_parent()
        };
        gaps.extend(inputs.accounts.iter().filter(is_without).map(|account| {
            let cloud = account.spec.target.cloud().as_str();
            let reason = format!(
                "no backup plan is made on {cloud} in this release: what others save there was watched, goes on without us, and is in 06-backup/policies.json"
            );
            Gap::new(PATH, reason).of(account.name_any())
        }));
        if inputs.policies.is_empty() {
            gaps.push(Gap::new(PATH, "no backup policy was agreed"));
        }
        gaps
    }
}

fn keep(account: String, account_id: String) -> Keep {
    let how = format!(
        "Where the provider's access came with a CloudFormation stack or with Terraform, {BACKUP_ROLE} may be part of it: take the role out first (a \
         DeletionPolicy of Retain, or terraform state rm), or make one of the same name and trust again. Else the backups end with the stack. The script for an \
         organization in 03-access deletes the stacks of its accounts: do this in each of them before you run it."
    );
    Keep { account, account_id, role: Some(BACKUP_ROLE), schedules: Vec::new(), why: WHY, how }
}

fn keep_schedules(inputs: &Inputs<'_>, (account, account_id): (String, String)) -> Keep {
    let of = inputs.policies.iter().filter(|policy| policy.spec.accounts.contains(&account));
    let schedules = of.map(|policy| object_name(&inputs.client.name_any(), &policy.name_any())).collect();
    let how = "They are in each region of the policy, and go on without us. A disk that you make from now on gets none by itself: attach one with gcloud compute \
               disks add-resource-policies. See yourself how long the snapshots of a disk are kept that is taken from its schedule."
        .into();
    Keep { account, account_id, role: None, schedules, why: SCHEDULES, how }
}
