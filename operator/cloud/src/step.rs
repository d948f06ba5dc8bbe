//! Steps: planned writes as plain data, so that a plan can be printed, filtered, approved and recorded.

use serde::{Deserialize, Serialize};

use crate::protection::RestoreTestTerms;

/// One write in a client's cloud. Names are deterministic; each step names all that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum CloudStep {
    /// Makes a backup vault.
    CreateVault {
        /// Region.
        region: String,
        /// Name.
        name: String,
    },
    /// Makes a backup plan with one daily rule.
    CreatePlan {
        /// Region.
        region: String,
        /// Name.
        name: String,
        /// Vault.
        vault: String,
        /// Schedule in the cloud's words.
        schedule: String,
        /// Days that recovery points are kept.
        retention_days: u32,
    },
    /// Puts a plan back to what it should be.
    UpdatePlan {
        /// Region.
        region: String,
        /// Id that the cloud gave.
        id: String,
        /// Name.
        name: String,
        /// Vault.
        vault: String,
        /// Schedule in the cloud's words.
        schedule: String,
        /// Days that recovery points are kept.
        retention_days: u32,
    },
    /// Adds a selection by tag to a plan.
    CreateSelection {
        /// Region.
        region: String,
        /// Name of the plan; its id is looked up.
        plan: String,
        /// Name.
        name: String,
        /// Tag key.
        tag_key: String,
        /// Tag value.
        tag_value: String,
        /// Role that the backup service uses.
        role_arn: String,
    },
    /// Removes a selection that differs from what it should be.
    DeleteSelection {
        /// Region.
        region: String,
        /// Id of the plan.
        plan_id: String,
        /// Id of the selection.
        id: String,
    },
    /// Makes a schedule of daily snapshots.
    CreateSchedule {
        /// Region.
        region: String,
        /// Name.
        name: String,
        /// Full hour at which it begins, `HH:00` in UTC.
        at: String,
        /// Days that a snapshot is kept.
        retention_days: u32,
    },
    /// Puts a schedule back to what it should be, while it stays attached.
    UpdateSchedule {
        /// Region.
        region: String,
        /// Name.
        name: String,
        /// Full hour at which it begins, `HH:00` in UTC.
        at: String,
        /// Days that a snapshot is kept.
        retention_days: u32,
    },
    /// Attaches a schedule to disks that have none.
    AttachSchedule {
        /// Region.
        region: String,
        /// Name of the schedule.
        name: String,
        /// The disks, in the words of [`source_of`](crate::source_of).
        disks: Vec<String>,
    },
    /// Takes our schedule from disks that are selected no more. Their snapshots stay.
    DetachSchedule {
        /// Region.
        region: String,
        /// Name of the schedule.
        name: String,
        /// The disks, in the words of [`source_of`](crate::source_of).
        disks: Vec<String>,
    },
    /// Makes the restore test of a region, or puts it back.
    SetRestoreTest {
        /// What it is to do.
        terms: RestoreTestTerms,
    },
    /// Gives the verdict on a restore; the cloud deletes what it restored then.
    NoteRestore {
        /// Region.
        region: String,
        /// The cloud's id of the restore.
        run: String,
        /// What was brought back.
        source: String,
        /// The recovery point.
        point: String,
        /// How long it took, in seconds.
        seconds: u64,
        /// Whether what was restored can be used.
        is_sound: bool,
        /// The verdict for people.
        message: String,
    },
    /// Takes the permissions from our own role: detaches its managed policies and deletes its inline ones, all but `last`.
    StripOwnRole {
        /// Name of the role.
        role: String,
        /// Name of the inline policy that allows the steps on our own role.
        last: String,
    },
    /// Closes our own role to everybody: nobody can assume it any more. A session that is open lives on.
    CloseOwnRole {
        /// Name of the role.
        role: String,
    },
    /// Deletes the last policy of our own role. After it the session can do nothing any more.
    DropLastPolicy {
        /// Name of the role.
        role: String,
        /// Name of the inline policy that allows the steps on our own role.
        last: String,
    },
    /// Ends the delegation of an Azure subscription to our own tenant: deletes the registration assignments that name it. After it the session can do
    /// nothing any more, and cannot even be told so.
    DeleteDelegation {
        /// Id of the subscription, in lower case.
        subscription_id: String,
    },
    /// Takes our principal out of the policy of the client's service account: no new token of it can be made. A token that is out lives on.
    RemoveBinding {
        /// The project's id.
        project_id: String,
        /// Our principal as IAM writes members, such as `serviceAccount:us@provider.iam.gserviceaccount.com`.
        member: String,
    },
}

impl CloudStep {
    /// The region that it is done in; empty where it is done in none.
    #[must_use]
    pub fn region(&self) -> &str {
        match self {
            Self::CreateVault { region, .. }
            | Self::CreatePlan { region, .. }
            | Self::UpdatePlan { region, .. }
            | Self::CreateSelection { region, .. }
            | Self::DeleteSelection { region, .. }
            | Self::CreateSchedule { region, .. }
            | Self::UpdateSchedule { region, .. }
            | Self::AttachSchedule { region, .. }
            | Self::DetachSchedule { region, .. }
            | Self::NoteRestore { region, .. } => region,
            Self::SetRestoreTest { terms } => &terms.region,
            Self::StripOwnRole { .. }
            | Self::CloseOwnRole { .. }
            | Self::DropLastPolicy { .. }
            | Self::DeleteDelegation { .. }
            | Self::RemoveBinding { .. } => "",
        }
    }

    /// One line for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::CreateVault { region, name } => {
                format!("make the backup vault {name} in {region}")
            }
            Self::CreatePlan { region, name, .. } => {
                format!("make the backup plan {name} in {region}")
            }
            Self::UpdatePlan { region, name, schedule, retention_days, .. } => {
                format!("put the backup plan {name} in {region} back to {schedule}, {retention_days} days")
            }
            Self::CreateSelection { region, plan, name, .. } => format!("add the selection {name} to the plan {plan} in {region}"),
            Self::DeleteSelection { region, plan_id, id } => format!("remove the selection {id} of the plan {plan_id} in {region}"),
            Self::CreateSchedule { region, name, at, retention_days } => {
                format!("make the snapshot schedule {name} in {region}: daily at {at} UTC, {retention_days} days")
            }
            Self::UpdateSchedule { region, name, at, retention_days } => {
                format!("put the snapshot schedule {name} in {region} back to daily at {at} UTC, {retention_days} days")
            }
            Self::AttachSchedule { region, name, disks } => {
                format!("attach the snapshot schedule {name} in {region} to {}", listed(disks))
            }
            Self::DetachSchedule { region, name, disks } => {
                format!("take the snapshot schedule {name} in {region} from {}", listed(disks))
            }
            Self::SetRestoreTest { terms } => {
                format!("have {} disk(s) in {} restored by the test {}, {}", terms.sources.len(), terms.region, terms.name, terms.schedule)
            }
            Self::NoteRestore { region, source, seconds, is_sound, .. } => {
                let verdict = if *is_sound { "passed" } else { "failed" };
                format!("give the verdict on the restore of {source} in {region}: {verdict}, {seconds} s")
            }
            Self::CloseOwnRole { role } => format!("close our role {role} to everybody"),
            Self::StripOwnRole { role, last } => format!("take all permissions but {last} from our role {role}"),
            Self::DropLastPolicy { role, last } => format!("take {last}, the last permission, from our role {role}"),
            Self::DeleteDelegation { subscription_id } => format!("end the delegation of the subscription {subscription_id} to our tenant"),
            Self::RemoveBinding { project_id, member } => {
                format!("remove {member} from our service account's policy in project {project_id}")
            }
        }
    }
}

/// Disks that a line names.
const NAMED: usize = 5;

/// Disks for a person: the last part of each name, and how many more there are.
#[must_use]
pub fn listed(disks: &[String]) -> String {
    let names: Vec<&str> = disks.iter().take(NAMED).map(|disk| disk.rsplit('/').next().unwrap_or(disk)).collect();
    let more = disks.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} disk(s): {}{rest}", disks.len(), names.join(", "))
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepOutcome {
    /// Something was changed.
    Done,
    /// All was so already.
    AlreadyDone,
}

/// Proof of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What it came to.
    pub outcome: StepOutcome,
    /// Id that the cloud gave, where it gave one.
    pub id: Option<String>,
    /// The calls that were made, such as `backup:CreateBackupVault`.
    pub calls: Vec<String>,
}
