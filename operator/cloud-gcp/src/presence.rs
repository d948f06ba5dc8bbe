//! Whether an asset is still there, asked of its own service: Cloud Asset is an index, which may lag behind or leave something out.

use caretaker_cloud::{Asset, CloudError, ErrorClass, Presence, Result};

use crate::http::{Call, url};
use crate::session::{Reach, Session};

/// A service that is asked: the beginning of the names of its assets, its own name, and the beginning of its paths.
struct Served {
    names: &'static str,
    service: &'static str,
    path: &'static str,
    /// What it serves in a project, with `*` for one segment, and the permission to get it.
    shapes: &'static [(&'static str, &'static str)],
}

/// Buckets are in no project, and nothing in them is asked for.
const BUCKETS: &str = "//storage.googleapis.com/";

/// The addresses that are known to be served, as Google's discovery documents have them, for the kinds that people look after. A name that fits none is never
/// asked for: an address that nobody serves is answered like one at which nothing is.
const SERVED: [Served; 15] = [
    Served {
        names: "//compute.googleapis.com/projects/",
        service: "compute",
        path: "/compute/v1/projects/",
        shapes: &[
            ("zones/*/instances/*", "compute.instances.get"),
            ("zones/*/disks/*", "compute.disks.get"),
            ("regions/*/disks/*", "compute.disks.get"),
            ("regions/*/subnetworks/*", "compute.subnetworks.get"),
            ("regions/*/forwardingRules/*", "compute.forwardingRules.get"),
            ("regions/*/firewallPolicies/*", "compute.firewallPolicies.get"),
            ("global/snapshots/*", "compute.snapshots.get"),
            ("global/networks/*", "compute.networks.get"),
            ("global/firewalls/*", "compute.firewalls.get"),
            ("global/firewallPolicies/*", "compute.firewallPolicies.get"),
            ("global/forwardingRules/*", "compute.globalForwardingRules.get"),
        ],
    },
    Served {
        names: "//container.googleapis.com/projects/",
        service: "container",
        path: "/v1/projects/",
        shapes: &[("locations/*/clusters/*", "container.clusters.get"), ("zones/*/clusters/*", "container.clusters.get")],
    },
    Served {
        names: "//cloudkms.googleapis.com/projects/",
        service: "cloudkms",
        path: "/v1/projects/",
        shapes: &[("locations/*/keyRings/*", "cloudkms.keyRings.get"), ("locations/*/keyRings/*/cryptoKeys/*", "cloudkms.cryptoKeys.get")],
    },
    Served {
        names: "//iam.googleapis.com/projects/",
        service: "iam",
        path: "/v1/projects/",
        shapes: &[("serviceAccounts/*", "iam.serviceAccounts.get")],
    },
    Served {
        names: "//run.googleapis.com/projects/",
        service: "run",
        path: "/v2/projects/",
        shapes: &[("locations/*/services/*", "run.services.get"), ("locations/*/jobs/*", "run.jobs.get")],
    },
    Served {
        names: "//cloudfunctions.googleapis.com/projects/",
        service: "cloudfunctions",
        path: "/v2/projects/",
        shapes: &[("locations/*/functions/*", "cloudfunctions.functions.get")],
    },
    Served {
        names: "//cloudsql.googleapis.com/projects/",
        service: "sqladmin",
        path: "/v1/projects/",
        shapes: &[("instances/*", "cloudsql.instances.get")],
    },
    Served {
        names: "//spanner.googleapis.com/projects/",
        service: "spanner",
        path: "/v1/projects/",
        shapes: &[("instances/*", "spanner.instances.get"), ("instances/*/databases/*", "spanner.databases.get")],
    },
    Served {
        names: "//alloydb.googleapis.com/projects/",
        service: "alloydb",
        path: "/v1/projects/",
        shapes: &[("locations/*/clusters/*", "alloydb.clusters.get"), ("locations/*/clusters/*/instances/*", "alloydb.instances.get")],
    },
    Served {
        names: "//bigtable.googleapis.com/projects/",
        service: "bigtableadmin",
        path: "/v2/projects/",
        shapes: &[("instances/*", "bigtable.instances.get")],
    },
    Served {
        names: "//redis.googleapis.com/projects/",
        service: "redis",
        path: "/v1/projects/",
        shapes: &[("locations/*/instances/*", "redis.instances.get")],
    },
    Served {
        names: "//firestore.googleapis.com/projects/",
        service: "firestore",
        path: "/v1/projects/",
        shapes: &[("databases/*", "datastore.databases.getMetadata")],
    },
    Served {
        names: "//secretmanager.googleapis.com/projects/",
        service: "secretmanager",
        path: "/v1/projects/",
        shapes: &[("secrets/*", "secretmanager.secrets.get")],
    },
    Served {
        names: "//logging.googleapis.com/projects/",
        service: "logging",
        path: "/v2/projects/",
        shapes: &[("sinks/*", "logging.sinks.get")],
    },
    Served {
        names: "//backupdr.googleapis.com/projects/",
        service: "backupdr",
        path: "/v1/projects/",
        shapes: &[("locations/*/backupVaults/*", "backupdr.backupVaults.get")],
    },
];

/// Service and path of an asset, for a project that it must be in: by its id or, as some services name it, by its number.
fn place(name: &str, project: &[String]) -> Option<(&'static str, String)> {
    if let Some(bucket) = name.strip_prefix(BUCKETS) {
        return (is_plain(bucket) && !bucket.contains('/')).then(|| ("storage", format!("/storage/v1/b/{}", encoded(bucket))));
    }
    let served = SERVED.iter().find(|served| name.starts_with(served.names))?;
    let rest = &name[served.names.len()..];
    let (of, inside) = rest.split_once('/')?;
    let is_ours = project.iter().any(|known| known == of);
    let is_served = is_ours && is_plain(inside) && served.shapes.iter().any(|(shape, _)| fits(inside, shape));
    is_served.then(|| (served.service, format!("{}{}", served.path, encoded(rest))))
}

/// Whether every segment stays one.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Whether a path is that of one thing of a shape.
fn fits(path: &str, shape: &str) -> bool {
    let (parts, wanted): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), shape.split('/').collect());
    parts.len() == wanted.len() && parts.iter().zip(wanted).all(|(part, wanted)| wanted == "*" || *part == wanted)
}

/// A path whose segments stay what they are.
fn encoded(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b'@' | b':' => text.push(char::from(byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

/// Asks the asset's service. Who may not read it learns nothing: Google answers alike for what is not there.
pub async fn exists(session: &Session, asset: &Asset) -> Result<Presence> {
    let Some((service, path)) = place(&asset.id, &session.parties.client) else { return Ok(Presence::Unknown) };
    let base = session.shared.services.endpoints.service(service);
    let call = Call { pays_itself: true, ..Call::default() };
    // Compute takes no token of the read-only scope.
    match session.call(&format!("{service}:get"), Reach::Full, url(&base, &path, &[])?, call).await {
        Ok(_) => Ok(Presence::Present),
        Err(CloudError { class: ErrorClass::NotFound, .. }) => Ok(Presence::Gone),
        // The service does not serve such an address: no answer to what was asked.
        Err(CloudError { class: ErrorClass::Invalid, .. }) => Ok(Presence::Unknown),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::Purpose;
    use caretaker_cloud::manifest::gcp_permissions;

    use super::*;

    fn at(name: &str) -> Option<String> {
        place(name, &["client".into(), "42".into()]).map(|(service, path)| format!("{service} {path}"))
    }

    #[test]
    fn a_name_leads_to_its_own_service_and_project_only() {
        let of = |name: &str| format!("//{name}");
        for (name, path) in [
            ("compute.googleapis.com/projects/client/zones/z/instances/vm-1", "compute /compute/v1/projects/client/zones/z/instances/vm-1"),
            ("compute.googleapis.com/projects/client/global/networks/n", "compute /compute/v1/projects/client/global/networks/n"),
            ("compute.googleapis.com/projects/client/regions/r/disks/d", "compute /compute/v1/projects/client/regions/r/disks/d"),
            ("storage.googleapis.com/a-bucket", "storage /storage/v1/b/a-bucket"),
            ("storage.googleapis.com/a b?c", "storage /storage/v1/b/a%20b%3Fc"),
            ("cloudsql.googleapis.com/projects/client/instances/db", "sqladmin /v1/projects/client/instances/db"),
            ("container.googleapis.com/projects/client/zones/z/clusters/c", "container /v1/projects/client/zones/z/clusters/c"),
            ("bigtable.googleapis.com/projects/client/instances/b", "bigtableadmin /v2/projects/client/instances/b"),
            ("firestore.googleapis.com/projects/client/databases/(default)", "firestore /v1/projects/client/databases/%28default%29"),
            ("secretmanager.googleapis.com/projects/42/secrets/s", "secretmanager /v1/projects/42/secrets/s"),
            ("logging.googleapis.com/projects/client/sinks/s", "logging /v2/projects/client/sinks/s"),
        ] {
            assert_eq!(at(&of(name)).as_deref(), Some(path));
        }
        for other in [
            "compute.googleapis.com/projects/client-two/zones/z/instances/vm-1",
            "compute.googleapis.com/projects/other/zones/z/instances/vm-1",
            "compute.googleapis.com/projects/client/../other/x",
            "quantum.googleapis.com/projects/client/things/one",
            "storage.googleapis.com/",
            "storage.googleapis.com/a-bucket/o/an-object",
            "compute.googleapis.com/projects/client",
            "compute.googleapis.com/projects/client/zones/z/machines/vm-1",
            "compute.googleapis.com/projects/client/zones/z/instances",
            "compute.googleapis.com/projects/client/zones/z/instances/vm-1/disks/one",
            "compute.googleapis.com/projects/client/global/instances/vm-1",
            "container.googleapis.com/projects/client/locations/l/clusters/c/k8s/namespaces/n",
            "run.googleapis.com/projects/client/locations/l/revisions/r",
            "secretmanager.googleapis.com/projects/43/secrets/s",
        ] {
            assert_eq!(at(&of(other)), None, "{other}");
        }
    }

    #[test]
    fn for_everything_that_is_asked_for_the_manifest_has_the_permission() {
        let granted: Vec<&str> = gcp_permissions(Purpose::Read).iter().map(|permission| permission.name).collect();
        for (shape, permission) in SERVED.iter().flat_map(|served| served.shapes) {
            assert!(granted.contains(permission), "{permission} for {shape}");
        }
    }

    #[test]
    fn a_folders_kit_has_every_service_on_that_is_asked() {
        let mut asked: Vec<String> =
            SERVED.iter().map(|served| served.service).chain(["storage"]).map(|name| format!("{name}.googleapis.com")).collect();
        let mut on = caretaker_core::kit::parents::TELLING.to_vec();
        asked.sort();
        on.sort_unstable();
        assert_eq!(asked, on);
    }
}
