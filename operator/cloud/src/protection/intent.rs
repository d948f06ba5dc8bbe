//! What is to be protected in an account, in words that fit all clouds. What a cloud has for it is its adapter's own matter.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What is to be protected in an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// Name of our objects.
    pub name: String,
    /// Regions.
    pub regions: Vec<String>,
    /// What is selected, in the words of [`source_of`](super::source_of). Empty where the cloud selects by tag itself.
    pub sources: BTreeSet<String>,
}

/// A snapshot schedule as the cloud shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleState {
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// When it runs: `daily at 03:00` for each day at an hour, UTC; anything else in the cloud's words.
    pub runs: String,
    /// Days that a snapshot is kept; 0 for ever.
    pub retention_days: u32,
    /// Whether that holds for the snapshots of a disk that is gone, too.
    pub ends_with_disk: bool,
}

/// A disk that is selected, or that has a schedule of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskState {
    /// Region.
    pub region: String,
    /// Its name in the words of [`source_of`](super::source_of).
    pub id: String,
    /// Whether it is selected, or a machine that it belongs to is.
    pub is_selected: bool,
    /// Names of the snapshot schedules that are attached to it.
    pub schedules: Vec<String>,
}
