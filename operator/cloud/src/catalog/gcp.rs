//! What is read on Google Cloud: one row for each service, with what people look after in it.
//!
//! Cloud Asset lists whatever there is; a service that has no row is read with the others, and its assets have no kind of ours. A row gives a service a cell of
//! its own where it names one, says which kind its types are, and how its own address tells whether one of them is still there.

use crate::asset::AssetType;
use crate::manifest::action::{Action, action};

pub(in crate::catalog) mod import;

/// Cell of the services that have none of their own.
pub const OTHERS: &str = "cloud-asset/other";
/// Cell of what VM Manager tells of machines' patches.
pub const PATCHES: &str = "cloud-asset/os-inventories";

/// All that is known of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name: its address is `NAME.googleapis.com`, which the types of its assets begin with, and which a project has switched on or not.
    pub name: &'static str,
    /// The cell that it is read in; services may share one.
    pub cell: &'static str,
    /// What the names of its assets begin with.
    pub names: &'static str,
    /// Whether the names go on with the project, by its id or its number.
    pub is_in_project: bool,
    /// What a path at its address begins with, as Google's discovery documents have it; the rest is that of the asset's name.
    pub path: &'static str,
    /// What people look after in it.
    pub things: &'static [Thing],
}

/// One kind of thing in a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thing {
    /// Its types in Cloud Asset, behind the service's address.
    pub types: &'static [&'static str],
    /// The type in the words of all clouds.
    pub asset_type: AssetType,
    /// What its name looks like in a project, with `*` for one segment. A name that looks otherwise is never asked for: an address that nobody serves is
    /// answered like one at which nothing is.
    pub shapes: &'static [&'static str],
    /// The permission to get one, and the call.
    pub get: Action,
}

impl Service {
    /// Its address, which its types begin with.
    #[must_use]
    pub fn api(&self) -> String {
        format!("{}.googleapis.com", self.name)
    }
}

/// A service whose paths are those of its assets' names.
const fn service(name: &'static str, cell: &'static str, (names, path): (&'static str, &'static str), things: &'static [Thing]) -> Service {
    Service { name, cell, names, is_in_project: true, path, things }
}

const fn thing(types: &'static [&'static str], asset_type: AssetType, shapes: &'static [&'static str], get: Action) -> Thing {
    Thing { types, asset_type, shapes, get }
}

/// Every service of which more is known than that it is there.
pub const SERVICES: &[Service] = &[
    service("compute", "cloud-asset/compute", ("//compute.googleapis.com/projects/", "/compute/v1/projects/"), COMPUTE),
    Service {
        name: "storage",
        cell: "cloud-asset/storage",
        names: "//storage.googleapis.com/",
        // Buckets are in no project, and nothing in them is asked for.
        is_in_project: false,
        path: "/storage/v1/b/",
        things: &[thing(
            &["Bucket"],
            AssetType::Bucket,
            &["*"],
            action("storage.buckets.get", "tell whether a bucket that the list leaves out is really gone"),
        )],
    },
    service(
        "container",
        "cloud-asset/container",
        ("//container.googleapis.com/projects/", "/v1/projects/"),
        &[thing(
            &["Cluster"],
            AssetType::Cluster,
            &["locations/*/clusters/*", "zones/*/clusters/*"],
            action("container.clusters.get", "tell whether a Kubernetes cluster that the list leaves out is really gone")
                .by("container.projects.locations.clusters.get, container.projects.zones.clusters.get"),
        )],
    ),
    service(
        "sqladmin",
        "cloud-asset/sqladmin",
        ("//cloudsql.googleapis.com/projects/", "/v1/projects/"),
        &[thing(
            &["Instance"],
            AssetType::Database,
            &["instances/*"],
            action("cloudsql.instances.get", "tell whether a database server that the list leaves out is really gone")
                .by("sql.instances.get"),
        )],
    ),
    service("spanner", OTHERS, ("//spanner.googleapis.com/projects/", "/v1/projects/"), SPANNER),
    service("alloydb", OTHERS, ("//alloydb.googleapis.com/projects/", "/v1/projects/"), ALLOYDB),
    service(
        "bigtableadmin",
        OTHERS,
        ("//bigtable.googleapis.com/projects/", "/v2/projects/"),
        &[thing(
            &["Instance"],
            AssetType::Database,
            &["instances/*"],
            action("bigtable.instances.get", "tell whether a Bigtable instance that the list leaves out is really gone")
                .by("bigtableadmin.projects.instances.get"),
        )],
    ),
    service(
        "redis",
        OTHERS,
        ("//redis.googleapis.com/projects/", "/v1/projects/"),
        &[thing(
            &["Instance"],
            AssetType::Database,
            &["locations/*/instances/*"],
            action("redis.instances.get", "tell whether a Redis server that the list leaves out is really gone")
                .by("redis.projects.locations.instances.get"),
        )],
    ),
    service(
        "firestore",
        OTHERS,
        ("//firestore.googleapis.com/projects/", "/v1/projects/"),
        &[thing(
            &["Database"],
            AssetType::Database,
            &["databases/*"],
            action("datastore.databases.getMetadata", "tell whether a Firestore database that the list leaves out is really gone")
                .by("firestore.projects.databases.get"),
        )],
    ),
    service(
        "secretmanager",
        OTHERS,
        ("//secretmanager.googleapis.com/projects/", "/v1/projects/"),
        &[thing(
            &["Secret"],
            AssetType::Key,
            &["secrets/*"],
            action("secretmanager.secrets.get", "tell whether a secret that the list leaves out is really gone; its value is not read")
                .by("secretmanager.projects.secrets.get"),
        )],
    ),
    service(
        "logging",
        OTHERS,
        ("//logging.googleapis.com/projects/", "/v2/projects/"),
        &[thing(
            &["LogSink"],
            AssetType::AuditTrail,
            &["sinks/*"],
            action("logging.sinks.get", "tell whether a sink of logs that the list leaves out is really gone")
                .by("logging.projects.sinks.get"),
        )],
    ),
    service(
        "backupdr",
        OTHERS,
        ("//backupdr.googleapis.com/projects/", "/v1/projects/"),
        &[thing(
            &["BackupVault"],
            AssetType::BackupVault,
            &["locations/*/backupVaults/*"],
            action("backupdr.backupVaults.get", "tell whether a backup vault that the list leaves out is really gone")
                .by("backupdr.projects.locations.backupVaults.get"),
        )],
    ),
    service("cloudkms", "cloud-asset/cloudkms", ("//cloudkms.googleapis.com/projects/", "/v1/projects/"), CLOUDKMS),
    service(
        "iam",
        "cloud-asset/iam",
        ("//iam.googleapis.com/projects/", "/v1/projects/"),
        &[thing(
            &["ServiceAccount"],
            AssetType::Principal,
            &["serviceAccounts/*"],
            action("iam.serviceAccounts.get", "tell whether a service account that the list leaves out is really gone")
                .by("iam.projects.serviceAccounts.get"),
        )],
    ),
    service("run", "cloud-asset/functions", ("//run.googleapis.com/projects/", "/v2/projects/"), RUN),
    service(
        "cloudfunctions",
        "cloud-asset/functions",
        ("//cloudfunctions.googleapis.com/projects/", "/v2/projects/"),
        &[thing(
            &["CloudFunction", "Function"],
            AssetType::Function,
            &["locations/*/functions/*"],
            action("cloudfunctions.functions.get", "tell whether a function that the list leaves out is really gone")
                .by("cloudfunctions.projects.locations.functions.get"),
        )],
    ),
];

const COMPUTE: &[Thing] = &[
    thing(
        &["Instance"],
        AssetType::Instance,
        &["zones/*/instances/*"],
        action("compute.instances.get", "tell whether a machine that the list leaves out is really gone"),
    ),
    thing(
        &["Disk", "RegionDisk"],
        AssetType::Volume,
        &["zones/*/disks/*", "regions/*/disks/*"],
        action("compute.disks.get", "tell whether a disk that the list leaves out is really gone")
            .by("compute.disks.get, compute.regionDisks.get"),
    ),
    thing(
        &["Snapshot"],
        AssetType::Snapshot,
        &["global/snapshots/*"],
        action("compute.snapshots.get", "tell whether a copy of a disk that the list leaves out is really gone"),
    ),
    thing(
        &["Network"],
        AssetType::Network,
        &["global/networks/*"],
        action("compute.networks.get", "tell whether a network that the list leaves out is really gone"),
    ),
    thing(
        &["Subnetwork"],
        AssetType::Subnet,
        &["regions/*/subnetworks/*"],
        action("compute.subnetworks.get", "tell whether a part of a network that the list leaves out is really gone"),
    ),
    thing(
        &["Firewall"],
        AssetType::SecurityGroup,
        &["global/firewalls/*"],
        action("compute.firewalls.get", "tell whether a firewall rule that the list leaves out is really gone"),
    ),
    thing(
        &["FirewallPolicy"],
        AssetType::SecurityGroup,
        &["regions/*/firewallPolicies/*", "global/firewallPolicies/*"],
        action("compute.firewallPolicies.get", "tell whether a firewall policy that the list leaves out is really gone")
            .by("compute.networkFirewallPolicies.get, compute.regionNetworkFirewallPolicies.get"),
    ),
    thing(
        &["ForwardingRule"],
        AssetType::LoadBalancer,
        &["regions/*/forwardingRules/*"],
        action("compute.forwardingRules.get", "tell whether a load balancer that the list leaves out is really gone"),
    ),
    thing(
        &["GlobalForwardingRule"],
        AssetType::LoadBalancer,
        &["global/forwardingRules/*"],
        action("compute.globalForwardingRules.get", "tell whether a load balancer of all regions that the list leaves out is really gone"),
    ),
];

const SPANNER: &[Thing] = &[
    thing(
        &["Instance"],
        AssetType::Database,
        &["instances/*"],
        action("spanner.instances.get", "tell whether a Spanner instance that the list leaves out is really gone")
            .by("spanner.projects.instances.get"),
    ),
    thing(
        &["Database"],
        AssetType::Database,
        &["instances/*/databases/*"],
        action("spanner.databases.get", "tell whether a Spanner database that the list leaves out is really gone")
            .by("spanner.projects.instances.databases.get"),
    ),
];

const ALLOYDB: &[Thing] = &[
    thing(
        &["Cluster"],
        AssetType::Database,
        &["locations/*/clusters/*"],
        action("alloydb.clusters.get", "tell whether an AlloyDB cluster that the list leaves out is really gone")
            .by("alloydb.projects.locations.clusters.get"),
    ),
    thing(
        &["Instance"],
        AssetType::Database,
        &["locations/*/clusters/*/instances/*"],
        action("alloydb.instances.get", "tell whether an AlloyDB server that the list leaves out is really gone")
            .by("alloydb.projects.locations.clusters.instances.get"),
    ),
];

const CLOUDKMS: &[Thing] = &[
    thing(
        &["KeyRing"],
        AssetType::Key,
        &["locations/*/keyRings/*"],
        action("cloudkms.keyRings.get", "tell whether a ring of keys that the list leaves out is really gone")
            .by("cloudkms.projects.locations.keyRings.get"),
    ),
    thing(
        &["CryptoKey"],
        AssetType::Key,
        &["locations/*/keyRings/*/cryptoKeys/*"],
        action("cloudkms.cryptoKeys.get", "tell whether a key that the list leaves out is really gone")
            .by("cloudkms.projects.locations.keyRings.cryptoKeys.get"),
    ),
];

const RUN: &[Thing] = &[
    thing(
        &["Service"],
        AssetType::Function,
        &["locations/*/services/*"],
        action("run.services.get", "tell whether a service that the list leaves out is really gone")
            .by("run.projects.locations.services.get"),
    ),
    thing(
        &["Job"],
        AssetType::Function,
        &["locations/*/jobs/*"],
        action("run.jobs.get", "tell whether a job that the list leaves out is really gone").by("run.projects.locations.jobs.get"),
    ),
];

/// The type in the words of all clouds of one of Cloud Asset's.
#[must_use]
pub fn asset_type(native_type: &str) -> AssetType {
    let Some((api, of)) = native_type.split_once(".googleapis.com/") else { return AssetType::Other };
    let things = SERVICES.iter().filter(|service| service.name == api).flat_map(|service| service.things);
    things.into_iter().find(|thing| thing.types.contains(&of)).map_or(AssetType::Other, |thing| thing.asset_type)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::manifest::gcp_permissions;
    use crate::model::Purpose;

    /// What a row lacks, for a person.
    fn lacks(service: &Service) -> Vec<&'static str> {
        let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let names = if service.is_in_project { ".googleapis.com/projects/" } else { ".googleapis.com/" };
        let segments = |shape: &str| shape.split('/').all(|part| !part.is_empty()) && shape.ends_with('*');
        let each = |is_right: &dyn Fn(&Thing) -> bool| !service.things.is_empty() && service.things.iter().all(is_right);
        let checks = [
            (word(service.name), "the name of its address"),
            (service.cell.strip_prefix("cloud-asset/").is_some_and(word), "a cell"),
            (service.names.starts_with("//") && service.names.ends_with(names), "what its assets' names begin with"),
            (service.path.starts_with('/') && service.path.ends_with('/'), "what its paths begin with"),
            (each(&|thing| !thing.types.is_empty() && thing.types.iter().all(|of| !of.contains('/'))), "the types of each thing"),
            (each(&|thing| thing.asset_type != AssetType::Other), "the kind of each thing"),
            (
                each(&|thing| !thing.shapes.is_empty() && thing.shapes.iter().all(|shape| segments(shape))),
                "what each thing's name looks like",
            ),
            (
                each(&|thing| thing.get.name.split('.').count() == 3 && !thing.get.why.is_empty()),
                "the permission to get each thing, and why",
            ),
        ];
        checks.into_iter().filter(|(is_there, _)| !is_there).map(|(_, lack)| lack).collect()
    }

    #[test]
    fn each_row_is_complete() {
        for service in SERVICES {
            assert_eq!(lacks(service), Vec::<&str>::new(), "{}", service.name);
        }
        let bare = Service { name: "", cell: "pubsub", names: "pubsub", is_in_project: true, path: "v1", things: &[] };
        assert_eq!(lacks(&bare).len(), 8, "{:?}", lacks(&bare));
        const UNSAID: &[Thing] = &[thing(&["a/b"], AssetType::Other, &["topics/"], action("pubsub", ""))];
        assert_eq!(lacks(&Service { things: UNSAID, ..SERVICES[0] }).len(), 4);
    }

    #[test]
    fn no_two_rows_speak_for_the_same() {
        let unique = |texts: Vec<String>| texts.iter().collect::<BTreeSet<_>>().len() == texts.len();
        assert!(unique(SERVICES.iter().map(|service| service.name.to_owned()).collect()));
        assert!(unique(SERVICES.iter().map(|service| service.names.to_owned()).collect()));
        for service in SERVICES {
            assert!(unique(service.things.iter().flat_map(|thing| thing.types).map(|of| (*of).to_owned()).collect()), "{}", service.name);
            assert!(unique(service.things.iter().flat_map(|thing| thing.shapes).map(|of| (*of).to_owned()).collect()), "{}", service.name);
        }
    }

    #[test]
    fn every_permission_of_a_row_is_in_the_manifest_for_reading() {
        for thing in SERVICES.iter().flat_map(|service| service.things) {
            assert!(gcp_permissions(Purpose::Read).contains(&thing.get), "{}", thing.get.name);
        }
    }

    #[test]
    fn a_type_has_the_kind_of_its_row_or_none_of_ours() {
        for (native, kind) in [
            ("compute.googleapis.com/Instance", AssetType::Instance),
            ("compute.googleapis.com/RegionDisk", AssetType::Volume),
            ("sqladmin.googleapis.com/Instance", AssetType::Database),
            ("cloudfunctions.googleapis.com/CloudFunction", AssetType::Function),
            ("secretmanager.googleapis.com/Secret", AssetType::Key),
            ("logging.googleapis.com/LogSink", AssetType::AuditTrail),
            ("compute.googleapis.com/Route", AssetType::Other),
            ("computes.googleapis.com/Instance", AssetType::Other),
            ("quantum.googleapis.com/Processor", AssetType::Other),
            ("new.example/Thing", AssetType::Other),
            ("", AssetType::Other),
        ] {
            assert_eq!(asset_type(native), kind, "{native}");
        }
    }
}
