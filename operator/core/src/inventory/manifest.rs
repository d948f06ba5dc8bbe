//! The manifest of one reading: which shards hold its assets, which cells were read, when.

use std::collections::BTreeMap;

use caretaker_cloud::Cell;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::json_digest;

/// Form of manifest and shards that this release writes.
pub const FORMAT: u32 = 1;
/// Assets after which a shard ends with its bucket. By content alone, so that the same assets always make the same shards.
pub const SHARD_ASSETS: usize = 1024;

/// One file of assets: some buckets, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shard {
    /// SHA-256 of its lines, before they are packed: a new packer does not make it another.
    pub digest: String,
    /// First bucket.
    pub first: u8,
    /// Last bucket.
    pub last: u8,
    /// Number of assets.
    pub assets: u64,
}

/// One reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Form; a reader refuses one that it does not know.
    pub format: u32,
    /// Digest of the content, see [`digest`].
    pub digest: String,
    /// When the reading ended: assets were seen then whose line does not say otherwise.
    pub taken_at: Timestamp,
    /// Digest of scope and regions.
    pub scope: String,
    /// Number of assets.
    pub assets: u64,
    /// By type.
    pub by_type: BTreeMap<String, u64>,
    /// By verdict of the scope.
    pub by_verdict: BTreeMap<String, u64>,
    /// The shards, in the order of their buckets.
    pub shards: Vec<Shard>,
    /// The cells with their verdicts.
    pub cells: Vec<Cell>,
}

/// Digest of an inventory's content: its shards, and nothing that says when it was read.
#[must_use]
pub fn digest(shards: &[Shard]) -> String {
    json_digest(&shards)
}

impl Manifest {
    /// The shard that holds a bucket.
    #[must_use]
    pub fn shard(&self, bucket: u8) -> Option<&Shard> {
        self.shards.iter().find(|shard| (shard.first..=shard.last).contains(&bucket))
    }
}
