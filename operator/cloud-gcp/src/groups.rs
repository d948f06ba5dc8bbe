//! The cells of a project: one question to Cloud Asset for each group of services. Pure.

use caretaker_cloud::AssetType;

/// A group of services that is asked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Service of the cell.
    pub service: &'static str,
    /// What the asset types start with. None: all that no other group has. Cloud Asset cannot be asked for "all but these", and a list of
    /// the others would silently miss a service that is new; so everything is asked for, and what other groups show is passed over.
    pub prefixes: &'static [&'static str],
}

/// Every group.
pub const GROUPS: [Group; 8] = [
    Group { service: "cloud-asset/compute", prefixes: &["compute.googleapis.com/"] },
    Group { service: "cloud-asset/storage", prefixes: &["storage.googleapis.com/"] },
    Group { service: "cloud-asset/sqladmin", prefixes: &["sqladmin.googleapis.com/"] },
    Group { service: "cloud-asset/container", prefixes: &["container.googleapis.com/"] },
    Group { service: "cloud-asset/functions", prefixes: &["cloudfunctions.googleapis.com/", "run.googleapis.com/"] },
    Group { service: "cloud-asset/cloudkms", prefixes: &["cloudkms.googleapis.com/"] },
    Group { service: "cloud-asset/iam", prefixes: &["iam.googleapis.com/"] },
    Group { service: "cloud-asset/other", prefixes: &[] },
];

impl Group {
    /// The filter that is sent: regular expressions over asset types.
    #[must_use]
    pub fn asset_types(&self) -> Vec<String> {
        self.prefixes.iter().map(|prefix| format!("{}.*", prefix.replace('.', "\\."))).collect()
    }

    /// Whether a row belongs to the group.
    #[must_use]
    pub fn has(&self, native_type: &str) -> bool {
        let starts = |group: &Self| group.prefixes.iter().any(|prefix| native_type.starts_with(prefix));
        if self.prefixes.is_empty() { !GROUPS.iter().any(starts) } else { starts(self) }
    }
}

/// The kind of a native type.
#[must_use]
pub fn asset_type(native: &str) -> AssetType {
    match native {
        "compute.googleapis.com/Instance" => AssetType::Instance,
        "compute.googleapis.com/Disk" | "compute.googleapis.com/RegionDisk" => AssetType::Volume,
        "compute.googleapis.com/Snapshot" => AssetType::Snapshot,
        "compute.googleapis.com/Network" => AssetType::Network,
        "compute.googleapis.com/Subnetwork" => AssetType::Subnet,
        "compute.googleapis.com/Firewall" | "compute.googleapis.com/FirewallPolicy" => AssetType::SecurityGroup,
        "sqladmin.googleapis.com/Instance"
        | "spanner.googleapis.com/Instance"
        | "spanner.googleapis.com/Database"
        | "alloydb.googleapis.com/Cluster"
        | "alloydb.googleapis.com/Instance"
        | "bigtableadmin.googleapis.com/Instance"
        | "redis.googleapis.com/Instance"
        | "firestore.googleapis.com/Database" => AssetType::Database,
        "storage.googleapis.com/Bucket" => AssetType::Bucket,
        "container.googleapis.com/Cluster" => AssetType::Cluster,
        "cloudfunctions.googleapis.com/CloudFunction"
        | "cloudfunctions.googleapis.com/Function"
        | "run.googleapis.com/Service"
        | "run.googleapis.com/Job" => AssetType::Function,
        "compute.googleapis.com/ForwardingRule" | "compute.googleapis.com/GlobalForwardingRule" => AssetType::LoadBalancer,
        "cloudkms.googleapis.com/CryptoKey" | "cloudkms.googleapis.com/KeyRing" | "secretmanager.googleapis.com/Secret" => AssetType::Key,
        "iam.googleapis.com/ServiceAccount" => AssetType::Principal,
        "backupdr.googleapis.com/BackupVault" => AssetType::BackupVault,
        "logging.googleapis.com/LogSink" => AssetType::AuditTrail,
        _ => AssetType::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_in_one_group_only() {
        let types = [
            "compute.googleapis.com/Instance",
            "run.googleapis.com/Service",
            "cloudfunctions.googleapis.com/Function",
            "iam.googleapis.com/Role",
            "iamx.googleapis.com/Role",
            "pubsub.googleapis.com/Topic",
            "new.example/Thing",
        ];
        for native in types {
            assert_eq!(GROUPS.iter().filter(|group| group.has(native)).count(), 1, "{native}");
        }
        assert!(GROUPS[7].has("computes.googleapis.com/Instance"));
    }

    #[test]
    fn filters_are_anchored_to_the_service() {
        assert_eq!(GROUPS[4].asset_types(), ["cloudfunctions\\.googleapis\\.com/.*", "run\\.googleapis\\.com/.*"]);
        assert!(GROUPS[7].asset_types().is_empty());
    }

    #[test]
    fn what_is_unknown_is_other() {
        assert_eq!(asset_type("quantum.googleapis.com/Processor"), AssetType::Other);
        assert_eq!(asset_type("compute.googleapis.com/Instance"), AssetType::Instance);
    }
}
