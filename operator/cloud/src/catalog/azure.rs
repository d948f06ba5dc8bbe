//! What is read on Azure: one row for each type of resource, in groups that are each one question to Resource Graph and one cell.
//!
//! Resource Graph lists whatever there is; a type that has no row is read with the others, and its resources have no kind of ours.

use crate::asset::AssetType;
use crate::manifest::action::{Action, action};

pub(in crate::catalog) mod import;

/// The one question that shows all resources.
pub(crate) const GRAPH: &str = "POST /providers/Microsoft.ResourceGraph/resources";

/// Type of machines.
const MACHINES: &str = "microsoft.compute/virtualmachines";
/// Type of network interfaces, which hold the private addresses of machines.
pub const INTERFACES: &str = "microsoft.network/networkinterfaces";
/// Type of public addresses, which network interfaces point to.
pub const PUBLIC_ADDRESSES: &str = "microsoft.network/publicipaddresses";

/// A group of types: one cell of the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Service of the cell.
    pub service: &'static str,
    /// Where its rows are.
    pub table: Table,
    /// Its types. The group without any takes whatever the others do not name, so that no type is left out.
    pub types: &'static [Type],
}

impl Group {
    /// Whether machines are among its rows.
    #[must_use]
    pub fn has_machines(&self) -> bool {
        self.types.iter().any(|of| of.asset_type == AssetType::Instance)
    }
}

/// A table of Resource Graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// All resources.
    Resources,
    /// What Update Manager found out about machines. It holds an assessment for seven days.
    Assessments,
}

impl Table {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Assessments => "patchassessmentresources",
        }
    }
}

/// All that is known of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// Azure's name of it, in lower case.
    pub name: &'static str,
    /// The type in the words of all clouds.
    pub asset_type: AssetType,
    /// Another one, where the resource's own kind, a list of words, holds this word.
    pub where_kind: Option<(&'static str, AssetType)>,
    /// The permission without which Resource Graph leaves the type out. A type without one is shown to a reader of the whole subscription.
    pub read: Option<Action>,
}

impl Type {
    /// The type in the words of all clouds, of a resource of this kind.
    #[must_use]
    pub fn asset_type(&self, kind: &str) -> AssetType {
        match self.where_kind {
            Some((word, asset_type)) if kind.split(',').any(|of| of == word) => asset_type,
            _ => self.asset_type,
        }
    }

    const fn read_by(self, permission: &'static str, why: &'static str) -> Self {
        Self { read: Some(action(permission, why).by(GRAPH)), ..self }
    }
}

const fn of(name: &'static str, asset_type: AssetType) -> Type {
    Type { name, asset_type, where_kind: None, read: None }
}

const fn group(service: &'static str, types: &'static [Type]) -> Group {
    Group { service, table: Table::Resources, types }
}

/// Cell of what Update Manager tells of machines' patches.
pub const PATCHES: &str = "resource-graph/patches";

/// Every group.
pub const GROUPS: [Group; 12] = [
    group(
        "resource-graph/compute",
        &[
            of(MACHINES, AssetType::Instance).read_by("Microsoft.Compute/virtualMachines/read", "list machines"),
            of("microsoft.compute/virtualmachinescalesets", AssetType::Other),
            of("microsoft.compute/availabilitysets", AssetType::Other),
            of("microsoft.compute/images", AssetType::Other),
        ],
    ),
    Group {
        service: PATCHES,
        table: Table::Assessments,
        types: &[of("microsoft.compute/virtualmachines/patchassessmentresults", AssetType::PatchState)
            .read_by("Microsoft.Compute/virtualMachines/patchAssessmentResults/latest/read", "learn which machines lack patches")],
    },
    group(
        "resource-graph/disks",
        &[
            of("microsoft.compute/disks", AssetType::Volume).read_by("Microsoft.Compute/disks/read", "list disks"),
            of("microsoft.compute/snapshots", AssetType::Snapshot).read_by("Microsoft.Compute/snapshots/read", "list copies of disks"),
        ],
    ),
    group(
        "resource-graph/network",
        &[
            of("microsoft.network/virtualnetworks", AssetType::Network).read_by("Microsoft.Network/virtualNetworks/read", "list networks"),
            of("microsoft.network/networksecuritygroups", AssetType::SecurityGroup)
                .read_by("Microsoft.Network/networkSecurityGroups/read", "list firewall rules"),
            of(INTERFACES, AssetType::Other),
            of(PUBLIC_ADDRESSES, AssetType::Other),
            of("microsoft.network/loadbalancers", AssetType::LoadBalancer)
                .read_by("Microsoft.Network/loadBalancers/read", "list load balancers"),
            of("microsoft.network/applicationgateways", AssetType::LoadBalancer),
            of("microsoft.network/routetables", AssetType::Other),
            of("microsoft.network/natgateways", AssetType::Other),
            of("microsoft.network/dnszones", AssetType::Other),
            of("microsoft.network/privatednszones", AssetType::Other),
            of("microsoft.network/virtualnetworkgateways", AssetType::Other),
        ],
    ),
    group(
        "resource-graph/storage",
        &[of("microsoft.storage/storageaccounts", AssetType::Bucket)
            .read_by("Microsoft.Storage/storageAccounts/read", "list stores; keys and contents stay closed")],
    ),
    group(
        "resource-graph/databases",
        &[
            of("microsoft.sql/servers", AssetType::Database).read_by("Microsoft.Sql/servers/read", "list database servers"),
            of("microsoft.sql/servers/databases", AssetType::Database).read_by("Microsoft.Sql/servers/databases/read", "list databases"),
            of("microsoft.sql/managedinstances", AssetType::Database),
            of("microsoft.dbforpostgresql/flexibleservers", AssetType::Database),
            of("microsoft.dbforpostgresql/servers", AssetType::Database),
            of("microsoft.dbformysql/flexibleservers", AssetType::Database),
            of("microsoft.dbformysql/servers", AssetType::Database),
            of("microsoft.documentdb/databaseaccounts", AssetType::Database),
            of("microsoft.cache/redis", AssetType::Database),
        ],
    ),
    group(
        "resource-graph/kubernetes",
        &[of("microsoft.containerservice/managedclusters", AssetType::Cluster)
            .read_by("Microsoft.ContainerService/managedClusters/read", "list Kubernetes clusters")],
    ),
    group(
        "resource-graph/web",
        &[
            // An application and a function have the same type.
            Type {
                where_kind: Some(("functionapp", AssetType::Function)),
                ..of("microsoft.web/sites", AssetType::Other).read_by("Microsoft.Web/sites/read", "list applications and functions")
            },
            of("microsoft.web/serverfarms", AssetType::Other),
        ],
    ),
    group(
        "resource-graph/keyvault",
        &[of("microsoft.keyvault/vaults", AssetType::Key)
            .read_by("Microsoft.KeyVault/vaults/read", "list key vaults; keys and secrets stay closed")],
    ),
    group("resource-graph/identity", &[of("microsoft.managedidentity/userassignedidentities", AssetType::Principal)]),
    group(
        "resource-graph/recoveryservices",
        &[
            of("microsoft.recoveryservices/vaults", AssetType::BackupVault)
                .read_by("Microsoft.RecoveryServices/vaults/read", "see where backups are kept"),
            of("microsoft.dataprotection/backupvaults", AssetType::BackupVault),
        ],
    ),
    group("resource-graph/other", &[]),
];

/// The type in the words of all clouds of a resource of this type and kind, both in lower case.
#[must_use]
pub fn asset_type(native_type: &str, kind: &str) -> AssetType {
    let found = GROUPS.iter().flat_map(|group| group.types).find(|known| known.name == native_type);
    found.map_or(AssetType::Other, |known| known.asset_type(kind))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::manifest::azure_actions;
    use crate::model::Purpose;

    #[test]
    fn each_row_is_complete_and_alone() {
        let services: BTreeSet<&str> = GROUPS.iter().map(|group| group.service).collect();
        assert_eq!(services.len(), GROUPS.len());
        assert!(services.iter().all(|service| service.starts_with("resource-graph/")));
        assert_eq!(GROUPS.iter().filter(|group| group.types.is_empty()).count(), 1, "one takes what the others do not name");
        let rows: Vec<&Type> = GROUPS.iter().flat_map(|group| group.types).collect();
        assert_eq!(rows.iter().map(|row| row.name).collect::<BTreeSet<_>>().len(), rows.len());
        for row in rows {
            assert!(row.name.starts_with("microsoft.") && row.name.contains('/') && row.name == row.name.to_lowercase(), "{}", row.name);
            if let Some(read) = row.read {
                let is_row = |action: &Action| action.name == read.name && action.why == read.why && action.call.starts_with(read.call);
                assert!(azure_actions(Purpose::Read).iter().any(is_row), "{}", read.name);
                let named = read.name.to_lowercase().replace("/latest/", "/");
                assert_eq!(named.strip_suffix("/read"), Some(row.name), "the permission is that of the type");
            }
        }
    }

    #[test]
    fn a_type_has_the_kind_of_its_row_or_none_of_ours() {
        for (native, kind, expected) in [
            ("microsoft.compute/virtualmachines", "", AssetType::Instance),
            ("microsoft.web/sites", "functionapp,linux", AssetType::Function),
            ("microsoft.web/sites", "app,linux", AssetType::Other),
            ("microsoft.web/sites", "functionapps", AssetType::Other),
            ("microsoft.network/applicationgateways", "", AssetType::LoadBalancer),
            ("microsoft.quantum/workspaces", "", AssetType::Other),
        ] {
            assert_eq!(asset_type(native, kind), expected, "{native} {kind}");
        }
    }
}
