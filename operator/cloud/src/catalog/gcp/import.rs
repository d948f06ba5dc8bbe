//! What an asset on Google Cloud is in Terraform: its resource type, and the id that it is imported by.

use crate::asset::Asset;
use crate::catalog::import::{Import, NoImport};

/// What a type is, where its name behind the project looks so, with `*` for one segment.
struct Row {
    /// Cloud Asset's type.
    native: &'static str,
    shape: &'static str,
    resource: &'static str,
    /// The import id: `{project}`, and `{0}`, `{1}`, … for the segments that the shape leaves open. Empty where it is `projects/PROJECT/` and the name.
    id: &'static str,
}

const fn row(native: &'static str, shape: &'static str, resource: &'static str) -> Row {
    Row { native, shape, resource, id: "" }
}

const fn by(native: &'static str, shape: &'static str, resource: &'static str, id: &'static str) -> Row {
    Row { native, shape, resource, id }
}

/// Every type that is known.
const ROWS: &[Row] = &[
    row("alloydb.googleapis.com/Cluster", "locations/*/clusters/*", "google_alloydb_cluster"),
    row("alloydb.googleapis.com/Instance", "locations/*/clusters/*/instances/*", "google_alloydb_instance"),
    row("artifactregistry.googleapis.com/Repository", "locations/*/repositories/*", "google_artifact_registry_repository"),
    row("backupdr.googleapis.com/BackupVault", "locations/*/backupVaults/*", "google_backup_dr_backup_vault"),
    row("bigquery.googleapis.com/Dataset", "datasets/*", "google_bigquery_dataset"),
    row("bigtableadmin.googleapis.com/Instance", "instances/*", "google_bigtable_instance"),
    by("cloudfunctions.googleapis.com/CloudFunction", "locations/*/functions/*", "google_cloudfunctions_function", "{project}/{0}/{1}"),
    row("cloudfunctions.googleapis.com/Function", "locations/*/functions/*", "google_cloudfunctions2_function"),
    row("cloudkms.googleapis.com/CryptoKey", "locations/*/keyRings/*/cryptoKeys/*", "google_kms_crypto_key"),
    row("cloudkms.googleapis.com/KeyRing", "locations/*/keyRings/*", "google_kms_key_ring"),
    row("compute.googleapis.com/Address", "regions/*/addresses/*", "google_compute_address"),
    row("compute.googleapis.com/Disk", "zones/*/disks/*", "google_compute_disk"),
    row("compute.googleapis.com/Disk", "regions/*/disks/*", "google_compute_region_disk"),
    row("compute.googleapis.com/Firewall", "global/firewalls/*", "google_compute_firewall"),
    row("compute.googleapis.com/FirewallPolicy", "global/firewallPolicies/*", "google_compute_network_firewall_policy"),
    row("compute.googleapis.com/FirewallPolicy", "regions/*/firewallPolicies/*", "google_compute_region_network_firewall_policy"),
    row("compute.googleapis.com/ForwardingRule", "regions/*/forwardingRules/*", "google_compute_forwarding_rule"),
    row("compute.googleapis.com/GlobalForwardingRule", "global/forwardingRules/*", "google_compute_global_forwarding_rule"),
    row("compute.googleapis.com/Instance", "zones/*/instances/*", "google_compute_instance"),
    row("compute.googleapis.com/Network", "global/networks/*", "google_compute_network"),
    row("compute.googleapis.com/RegionDisk", "regions/*/disks/*", "google_compute_region_disk"),
    row("compute.googleapis.com/Router", "regions/*/routers/*", "google_compute_router"),
    row("compute.googleapis.com/Snapshot", "global/snapshots/*", "google_compute_snapshot"),
    row("compute.googleapis.com/Subnetwork", "regions/*/subnetworks/*", "google_compute_subnetwork"),
    row("container.googleapis.com/Cluster", "locations/*/clusters/*", "google_container_cluster"),
    // The older name of a cluster in one zone.
    by(
        "container.googleapis.com/Cluster",
        "zones/*/clusters/*",
        "google_container_cluster",
        "projects/{project}/locations/{0}/clusters/{1}",
    ),
    row("firestore.googleapis.com/Database", "databases/*", "google_firestore_database"),
    // Cloud Asset may name it by a number; the provider wants its address.
    by("iam.googleapis.com/ServiceAccount", "serviceAccounts/*", "google_service_account", "projects/{project}/serviceAccounts/{email}"),
    row("logging.googleapis.com/LogSink", "sinks/*", "google_logging_project_sink"),
    row("pubsub.googleapis.com/Subscription", "subscriptions/*", "google_pubsub_subscription"),
    row("pubsub.googleapis.com/Topic", "topics/*", "google_pubsub_topic"),
    row("redis.googleapis.com/Instance", "locations/*/instances/*", "google_redis_instance"),
    row("run.googleapis.com/Job", "locations/*/jobs/*", "google_cloud_run_v2_job"),
    row("run.googleapis.com/Service", "locations/*/services/*", "google_cloud_run_v2_service"),
    row("secretmanager.googleapis.com/Secret", "secrets/*", "google_secret_manager_secret"),
    row("spanner.googleapis.com/Database", "instances/*/databases/*", "google_spanner_database"),
    row("spanner.googleapis.com/Instance", "instances/*", "google_spanner_instance"),
    row("sqladmin.googleapis.com/Instance", "instances/*", "google_sql_database_instance"),
    // A bucket is in no project by its name; without the project the provider plans to move it.
    by(BUCKET, "*", "google_storage_bucket", "{project}/{0}"),
];

const BUCKET: &str = "storage.googleapis.com/Bucket";
/// The sink that every project has and nobody can change.
/// Source: <https://cloud.google.com/logging/docs/routing/overview>
const REQUIRED_SINK: &str = "_Required";
/// What the addresses of service accounts that Google makes end with.
/// Source: <https://cloud.google.com/iam/docs/service-account-types>
const GOOGLES_OWN: [&str; 2] = ["@developer.gserviceaccount.com", "@appspot.gserviceaccount.com"];

pub(in crate::catalog) fn resources() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.resource)
}

pub(in crate::catalog) fn import(asset: &Asset) -> Result<Import, NoImport> {
    let mut rows = ROWS.iter().filter(|row| row.native == asset.native_type).peekable();
    if rows.peek().is_none() {
        return Err(NoImport::NoType);
    }
    let (project, name) = place(asset)?;
    let (row, open) =
        rows.find_map(|row| Some((row, open(row.shape, name)?))).ok_or(NoImport::Lacks("its name is not that of its type"))?;
    let mut id = if row.id.is_empty() { format!("projects/{project}/{name}") } else { row.id.replace("{project}", project) };
    if row.id.contains("{email}") {
        let email = email(asset, open.first().copied().unwrap_or_default())?;
        id = id.replace("{email}", email);
    }
    if row.resource == "google_logging_project_sink" && open.first() == Some(&REQUIRED_SINK) {
        return Err(NoImport::Needless("the sink `_Required`, which every project has and nobody can change"));
    }
    for (number, segment) in open.iter().enumerate() {
        id = id.replace(&format!("{{{number}}}"), segment);
    }
    Ok(Import { resource: row.resource, id })
}

/// The project by its id, and the name behind it. Cloud Asset names some projects by their number, of which the provider makes another project.
fn place(asset: &Asset) -> Result<(&str, &str), NoImport> {
    let is_id = |project: &&str| !project.is_empty() && !project.bytes().all(|byte| byte.is_ascii_digit());
    let rest = asset.id.strip_prefix("//").and_then(|id| id.split_once('/')).map(|(_, rest)| rest);
    let rest = rest.ok_or(NoImport::Lacks("its name is not that of its type"))?;
    let (named, name) = match rest.strip_prefix("projects/").and_then(|rest| rest.split_once('/')) {
        Some(found) => found,
        None if asset.native_type == BUCKET => ("", rest),
        None => return Err(NoImport::Lacks("it is in no project")),
    };
    let known = [asset.account.as_str(), named].into_iter().find(is_id);
    Ok((known.ok_or(NoImport::Lacks("its project is known by its number only"))?, name))
}

/// The segments that a shape leaves open, where a name has the shape.
fn open<'a>(shape: &str, name: &'a str) -> Option<Vec<&'a str>> {
    let (shape, name): (Vec<&str>, Vec<&str>) = (shape.split('/').collect(), name.split('/').collect());
    let fits =
        shape.len() == name.len() && shape.iter().zip(&name).all(|(fixed, part)| !part.is_empty() && (*fixed == "*" || fixed == part));
    fits.then(|| shape.iter().zip(name).filter(|(fixed, _)| **fixed == "*").map(|(_, part)| part).collect())
}

/// The address of a service account.
fn email<'a>(asset: &'a Asset, named: &'a str) -> Result<&'a str, NoImport> {
    let email = asset.facts.get("email").map(String::as_str).into_iter().chain([named]).find(|email| email.contains('@'));
    let email = email.ok_or(NoImport::Lacks("its address is not known, and the provider takes nothing else"))?;
    if GOOGLES_OWN.iter().any(|end| email.ends_with(end)) {
        return Err(NoImport::Needless("a service account that Google makes itself"));
    }
    Ok(email)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::asset::{AssetType, Cloud};
    use crate::catalog::gcp::SERVICES;

    fn asset(native: &str, project: &str, id: &str) -> Asset {
        Asset { native_type: native.into(), ..Asset::new(Cloud::Gcp, project, "global", AssetType::Other, id) }
    }

    /// terraform-provider-google 22608: a bucket that is imported without its project is planned to be made anew.
    #[test]
    fn an_import_id_is_what_the_provider_documents() {
        for (native, id, expected) in [
            (
                "compute.googleapis.com/Instance",
                "//compute.googleapis.com/projects/shop/zones/europe-west1-b/instances/web",
                "projects/shop/zones/europe-west1-b/instances/web",
            ),
            (
                "container.googleapis.com/Cluster",
                "//container.googleapis.com/projects/shop/zones/europe-west1-b/clusters/one",
                "projects/shop/locations/europe-west1-b/clusters/one",
            ),
            ("storage.googleapis.com/Bucket", "//storage.googleapis.com/shop-logs", "shop/shop-logs"),
            ("sqladmin.googleapis.com/Instance", "//cloudsql.googleapis.com/projects/shop/instances/main", "projects/shop/instances/main"),
            (
                "cloudfunctions.googleapis.com/CloudFunction",
                "//cloudfunctions.googleapis.com/projects/shop/locations/us-central1/functions/f",
                "shop/us-central1/f",
            ),
            (
                "secretmanager.googleapis.com/Secret",
                "//secretmanager.googleapis.com/projects/123456789012/secrets/key",
                "projects/shop/secrets/key",
            ),
        ] {
            assert_eq!(import(&asset(native, "shop", id)).unwrap().id, expected);
        }
        let domain = asset("pubsub.googleapis.com/Topic", "example.com:shop", "//pubsub.googleapis.com/projects/example.com:shop/topics/t");
        assert_eq!(import(&domain).unwrap().id, "projects/example.com:shop/topics/t");
        let disk =
            |place: &str| asset("compute.googleapis.com/Disk", "shop", &format!("//compute.googleapis.com/projects/shop/{place}/disks/d"));
        assert_eq!(import(&disk("zones/europe-west1-b")).unwrap().resource, "google_compute_disk");
        assert_eq!(import(&disk("regions/europe-west1")).unwrap().resource, "google_compute_region_disk");
    }

    fn because(asset: &Asset) -> &'static str {
        match import(asset) {
            Err(NoImport::Lacks(why) | NoImport::Needless(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_project_known_by_its_number_only_is_told() {
        let secret = |project: &str| {
            asset("secretmanager.googleapis.com/Secret", project, "//secretmanager.googleapis.com/projects/123456789012/secrets/key")
        };
        assert!(because(&secret("123456789012")).contains("number only"));
        assert!(because(&secret("")).contains("number only"));
        assert!(
            because(&asset("compute.googleapis.com/Firewall", "shop", "//compute.googleapis.com/organizations/1/firewalls/f"))
                .contains("no project")
        );
        assert!(
            because(&asset("compute.googleapis.com/Firewall", "shop", "//compute.googleapis.com/projects/shop/firewalls/f"))
                .contains("name")
        );
        assert_eq!(
            import(&asset("quantum.googleapis.com/Processor", "shop", "//quantum.googleapis.com/projects/shop/p/1")),
            Err(NoImport::NoType)
        );
        let sink =
            |name: &str| asset("logging.googleapis.com/LogSink", "shop", &format!("//logging.googleapis.com/projects/shop/sinks/{name}"));
        assert!(because(&sink("_Required")).contains("nobody can change"));
        assert!(import(&sink("_Default")).is_ok());
    }

    #[test]
    fn a_service_account_is_imported_by_its_address() {
        let account = |email: Option<&str>, named: &str| Asset {
            facts: email.map(|email| ("email".to_owned(), email.to_owned())).into_iter().collect(),
            ..asset("iam.googleapis.com/ServiceAccount", "shop", &format!("//iam.googleapis.com/projects/shop/serviceAccounts/{named}"))
        };
        let email = "web@shop.iam.gserviceaccount.com";
        let expected = format!("projects/shop/serviceAccounts/{email}");
        assert_eq!(import(&account(Some(email), "1234567890")).unwrap().id, expected);
        assert_eq!(import(&account(None, email)).unwrap().id, expected);
        assert!(because(&account(None, "1234567890")).contains("address"));
        assert!(because(&account(Some("1-compute@developer.gserviceaccount.com"), "1")).contains("Google makes"));
    }

    #[test]
    fn every_name_that_is_read_has_a_row_and_only_one() {
        let rows: BTreeSet<(&str, &str)> = ROWS.iter().map(|row| (row.native, row.shape)).collect();
        assert_eq!(rows.len(), ROWS.len());
        for service in SERVICES {
            for thing in service.things {
                for of in thing.types {
                    let native = format!("{}/{of}", service.api());
                    assert!(ROWS.iter().any(|row| row.native == native && thing.shapes.contains(&row.shape)), "{native}");
                }
                for shape in thing.shapes {
                    let has = |of: &&str| rows.contains(&(format!("{}/{of}", service.api()).as_str(), *shape));
                    assert!(thing.types.iter().any(has), "{} {shape}", service.api());
                }
            }
        }
    }
}
