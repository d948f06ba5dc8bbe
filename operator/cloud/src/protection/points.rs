//! Recovery points and jobs, in words that fit all clouds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far a recovery point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PointState {
    /// It can be restored.
    Usable,
    /// It is being made.
    Creating,
    /// A part of it was not saved.
    Partial,
    /// It was kept up to date and is no more: it can be restored to a time before that.
    Stopped,
    /// Its time is over, and the cloud could not delete it.
    Expired,
    /// It is being deleted.
    Deleting,
    /// A word that this release does not know: nothing is concluded from it.
    Unknown,
}

/// A recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPoint {
    /// The cloud's own id.
    pub id: String,
    /// Region that it is in.
    pub region: String,
    /// Vault that holds it.
    pub vault: String,
    /// Whose it is, in the words of [`source_of`](super::source_of).
    pub source: String,
    /// How far it is.
    pub state: PointState,
    /// The moment that it brings back.
    pub created: Timestamp,
    /// When it will be deleted; `None` for never, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Until when nobody can delete it, where the cloud says so: a lock that nobody can take away, an enforced retention, or soft delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// Whether it is kept up to date all the time: then `created` is its first moment, and not its last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continuous: bool,
    /// Whether somebody has left disks of the machine out: it brings the machine back, and says nothing of a single disk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaves_out: bool,
    /// What the cloud says of its state; empty where it says nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JobState {
    /// It waits, or runs.
    UnderWay,
    /// It ended well. That a point can be restored is said by the point alone.
    Completed,
    /// A part was saved.
    Partial,
    /// It failed.
    Failed,
    /// Somebody stopped it.
    Aborted,
    /// It did not begin within its window.
    Expired,
    /// A word that this release does not know.
    Unknown,
}

impl JobState {
    /// Whether it came to an end at which nothing, or not all, was saved.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Partial | Self::Failed | Self::Aborted | Self::Expired)
    }
}

/// A job that makes a recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupJob {
    /// The cloud's own id.
    pub id: String,
    /// Region.
    pub region: String,
    /// Vault that it writes to.
    pub vault: String,
    /// Whose point it makes, in the words of [`source_of`](super::source_of).
    pub source: String,
    /// How far it is.
    pub state: JobState,
    /// When it was made.
    pub created: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// The point that it makes, where the cloud says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<String>,
    /// What the cloud says of its state; empty where it says nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What decides in a region whether anything is saved at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ground {
    /// Whether the backup service takes each kind, by the word of [`Source::service`](super::Source::service). What is not named is not known.
    pub takes: BTreeMap<String, bool>,
}

/// Why no further point of a source will be made, whoever wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// Why.
    pub why: String,
    /// What to do.
    pub cure: String,
}

/// Receives points and jobs while they are read, so that the reader need not hold all of them.
pub trait RecoverySink: Send {
    /// Takes one point. They come in no order.
    fn point(&mut self, point: RecoveryPoint);
    /// Takes one job. They come in no order.
    fn job(&mut self, job: BackupJob);
    /// Takes what keeps a source, in the words of [`source_of`](super::source_of), from being saved.
    fn hindered(&mut self, _source: &str, _by: Hindrance) {}
}
