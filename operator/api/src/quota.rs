//! Limits of a client's namespace.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Limits of the client's namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaTerms {
    /// CPU that all pods together may request, in cores.
    #[serde(default = "default_cpu")]
    #[schemars(range(min = 1, max = 1000))]
    pub cpu_cores: u32,
    /// Memory that all pods together may request, in GiB.
    #[serde(default = "default_memory")]
    #[schemars(range(min = 1, max = 10000))]
    pub memory_gib: u32,
    /// Number of pods.
    #[serde(default = "default_pods")]
    #[schemars(range(min = 5, max = 10000))]
    pub pods: u32,
    /// Storage that all volume claims together may request, in GiB.
    #[serde(default = "default_storage")]
    #[schemars(range(min = 1, max = 100_000))]
    pub storage_gib: u32,
}

impl Default for QuotaTerms {
    fn default() -> Self {
        Self { cpu_cores: default_cpu(), memory_gib: default_memory(), pods: default_pods(), storage_gib: default_storage() }
    }
}

/// Cores when nothing is said.
fn default_cpu() -> u32 {
    4
}

/// GiB when nothing is said.
fn default_memory() -> u32 {
    8
}

/// Pods when nothing is said.
fn default_pods() -> u32 {
    50
}

/// GiB of volumes when nothing is said.
fn default_storage() -> u32 {
    100
}
