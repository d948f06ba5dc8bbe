//! What the status of objects tells of a client's ledger.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The end of a client's ledger: its log of all writes in the client's clouds and of all steps of exits, which stands in the store. Whoever cuts the log off
/// or replaces it is found out by this.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerHead {
    /// Number of segments.
    pub segments: u64,
    /// SHA-256 of the last segment, hexadecimal; it names the one before, and so on to the first.
    pub digest: String,
}
