//! What a reading used of an account's request budgets, as a `CloudAccount`'s status tells it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What the last reading used of the account's request budgets. It changes only when a reading ends.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStatus {
    /// Calls that the last reading made.
    pub calls: u64,
    /// Calls of it that the cloud answered with a request to wait.
    pub throttled: u64,
    /// Calls that were allowed at the same time when it ended: the least of all budgets that it used. Throttling halves it, down to 1; good answers give it
    /// back one by one.
    pub concurrency: u32,
    /// Waits that the cloud asked for and that were not over when it ended, at most 20, the longest first. Until then nothing is called under such a key,
    /// not even after a restart of the operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<KeyWait>,
}

/// A wait that the cloud asked for.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyWait {
    /// What the cloud counts calls by: `aws/ACCOUNT/REGION`, `azure/SUBSCRIPTION/PRINCIPAL` or `gcp/PROJECT/SERVICE`.
    pub key: String,
    /// When the wait is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}
