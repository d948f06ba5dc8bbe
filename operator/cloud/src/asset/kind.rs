//! Kinds of assets, in words that fit all clouds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Kind of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssetType {
    /// A virtual machine.
    Instance,
    /// A disk.
    Volume,
    /// A copy of a disk.
    Snapshot,
    /// A virtual network.
    Network,
    /// A part of a virtual network.
    Subnet,
    /// A set of firewall rules.
    SecurityGroup,
    /// A database or its server.
    Database,
    /// A store of objects.
    Bucket,
    /// A Kubernetes cluster.
    Cluster,
    /// Code that runs on demand.
    Function,
    /// A load balancer.
    LoadBalancer,
    /// A key or a vault of keys and secrets.
    Key,
    /// A principal: role, user, service account.
    Principal,
    /// A vault of backups.
    BackupVault,
    /// A trail of what was done.
    AuditTrail,
    /// What a cloud tells of a machine's patches, under the machine's id. It is joined to its machine and never a line of the inventory.
    PatchState,
    /// Anything else; its native type says what.
    Other,
}

impl AssetType {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::Instance,
        Self::Volume,
        Self::Snapshot,
        Self::Network,
        Self::Subnet,
        Self::SecurityGroup,
        Self::Database,
        Self::Bucket,
        Self::Cluster,
        Self::Function,
        Self::LoadBalancer,
        Self::Key,
        Self::Principal,
        Self::BackupVault,
        Self::AuditTrail,
        Self::PatchState,
        Self::Other,
    ];

    /// The word in the inventory.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Volume => "volume",
            Self::Snapshot => "snapshot",
            Self::Network => "network",
            Self::Subnet => "subnet",
            Self::SecurityGroup => "security-group",
            Self::Database => "database",
            Self::Bucket => "bucket",
            Self::Cluster => "cluster",
            Self::Function => "function",
            Self::LoadBalancer => "load-balancer",
            Self::Key => "key",
            Self::Principal => "principal",
            Self::BackupVault => "backup-vault",
            Self::AuditTrail => "audit-trail",
            Self::PatchState => "patch-state",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for AssetType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
