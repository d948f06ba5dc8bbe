//! Restore tests that a cloud makes by itself, on a schedule, from a sample, and whose results it deletes again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a restore test is to do in a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreTestTerms {
    /// Region.
    pub region: String,
    /// Name of plan and selection: letters, digits and underscores.
    pub name: String,
    /// Schedule in the cloud's words.
    pub schedule: String,
    /// Role that the backup service uses.
    pub role_arn: String,
    /// What is restored, in the words of [`source_of`](super::source_of), in order.
    pub sources: Vec<String>,
}

/// How far a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestoreState {
    /// It waits, or runs.
    UnderWay,
    /// Something was restored.
    Completed,
    /// Nothing was.
    Failed,
}

/// What became of the thing that was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removal {
    /// It is there.
    Pending,
    /// It is gone.
    Done,
    /// The cloud could not delete it: somebody must.
    Failed,
}

/// One restore of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRun {
    /// The cloud's own id.
    pub id: String,
    /// What it brings back, in the words of [`source_of`](super::source_of); empty where the cloud does not say.
    pub source: String,
    /// The recovery point.
    pub point: String,
    /// How far it is.
    pub state: RestoreState,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What was restored, where something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<String>,
    /// Whether the thing that was restored was seen sound; `None` while it was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_sound: Option<bool>,
    /// Whether the verdict stands in the cloud's record.
    pub is_noted: bool,
    /// What became of it.
    pub removal: Removal,
    /// What the cloud says; empty where it says nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// The restore test of a region as the cloud shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreTestState {
    /// What it does; `None` where there is none of the name.
    pub terms: Option<RestoreTestTerms>,
    /// Its restores, in no order.
    pub runs: Vec<RestoreRun>,
}
