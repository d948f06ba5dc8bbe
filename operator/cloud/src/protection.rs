//! Backup objects as a cloud shows them: plain data.

mod intent;
mod offers;
mod points;
mod restores;
mod source;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use intent::{DiskState, Intent, ScheduleState};
pub use offers::{Offers, Plans};
pub use points::{BackupJob, Ground, Hindrance, JobState, PointState, RecoveryPoint, RecoverySink};
pub use restores::{Removal, RestoreRun, RestoreState, RestoreTestState, RestoreTestTerms};
pub use source::{Source, source_of};

/// Backup objects in an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionState {
    /// Vaults, by region and name.
    pub vaults: Vec<VaultState>,
    /// Plans, by region and name.
    pub plans: Vec<BackupPlanState>,
    /// Schedules that are attached to disks, by region and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<ScheduleState>,
    /// Disks that are selected, or that have such a schedule, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<DiskState>,
}

/// A vault as the cloud shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultState {
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// Number of recovery points.
    pub recovery_points: u64,
    /// Whether the vault is locked.
    pub locked: bool,
    /// Fewest days that the lock lets a recovery point be kept: a job that wants fewer fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_days: Option<u32>,
    /// Most days that the lock lets a recovery point be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_days: Option<u32>,
    /// From when on nobody can take the lock away; `None` where somebody may for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_from: Option<Timestamp>,
    /// Key that its points are encrypted with, where the cloud tells it: without the key no point can be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A plan as the cloud shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPlanState {
    /// Region.
    pub region: String,
    /// Id that the cloud gave.
    pub id: String,
    /// Name.
    pub name: String,
    /// Vault that its rule writes to.
    pub vault: String,
    /// Schedule in the cloud's words, such as `cron(30 3 * * ? *)`.
    pub schedule: String,
    /// Days that recovery points are kept.
    pub retention_days: u32,
    /// Number of rules; ours have exactly one.
    pub rules: u32,
    /// Selections.
    pub selections: Vec<SelectionState>,
}

/// A selection by tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectionState {
    /// Id that the cloud gave.
    pub id: String,
    /// Name.
    pub name: String,
    /// Tag key.
    pub tag_key: String,
    /// Tag value.
    pub tag_value: String,
    /// Role that the backup service uses.
    pub role_arn: String,
    /// What it holds beyond the one tag, such as a resource or an exclusion: each takes something away or adds something. Ours hold nothing of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<String>,
}
