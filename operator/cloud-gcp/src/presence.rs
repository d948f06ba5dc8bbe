//! Whether an asset is still there, asked of its own service: Cloud Asset is an index, which may lag behind or leave something out.

use caretaker_cloud::{Asset, CloudError, ErrorClass, Presence, Result};

use crate::http::{Call, url};
use crate::session::{Reach, Session};

/// What the call is named in errors.
const READ: &str = "the service's own get";

/// A service that is asked: the beginning of the names of its assets, its own name, and the beginning of its paths.
struct Served {
    names: &'static str,
    service: &'static str,
    path: &'static str,
    /// What it serves in a project: where, with `*` for one segment, and the collections there.
    shapes: &'static [(&'static str, &'static [&'static str])],
}

/// Buckets are in no project, and nothing in them is asked for.
const BUCKETS: &str = "//storage.googleapis.com/";

/// The addresses that are known to be served, as Google's discovery documents have them. A name that fits none is never asked for: an address that nobody
/// serves is answered like one at which nothing is.
const SERVED: [Served; 8] = [
    Served {
        names: "//compute.googleapis.com/projects/",
        service: "compute",
        path: "/compute/v1/projects/",
        shapes: &[("zones/*", ZONAL), ("regions/*", REGIONAL), ("global", GLOBAL)],
    },
    Served {
        names: "//container.googleapis.com/projects/",
        service: "container",
        path: "/v1/projects/",
        shapes: &[
            ("locations/*", &["clusters"]),
            ("locations/*/clusters/*", &["nodePools"]),
            ("zones/*", &["clusters"]),
            ("zones/*/clusters/*", &["nodePools"]),
        ],
    },
    Served {
        names: "//cloudkms.googleapis.com/projects/",
        service: "cloudkms",
        path: "/v1/projects/",
        shapes: &[
            ("locations/*", &["keyRings", "ekmConnections"]),
            ("locations/*/keyRings/*", &["cryptoKeys", "importJobs"]),
            ("locations/*/keyRings/*/cryptoKeys/*", &["cryptoKeyVersions"]),
        ],
    },
    Served {
        names: "//iam.googleapis.com/projects/",
        service: "iam",
        path: "/v1/projects/",
        shapes: &[
            ("", &["serviceAccounts", "roles"]),
            ("serviceAccounts/*", &["keys"]),
            ("locations/*", &["workloadIdentityPools"]),
            ("locations/*/workloadIdentityPools/*", &["providers"]),
        ],
    },
    Served {
        names: "//run.googleapis.com/projects/",
        service: "run",
        path: "/v2/projects/",
        shapes: &[
            ("locations/*", &["services", "jobs", "workerPools"]),
            ("locations/*/services/*", &["revisions"]),
            ("locations/*/jobs/*", &["executions"]),
        ],
    },
    Served {
        names: "//cloudfunctions.googleapis.com/projects/",
        service: "cloudfunctions",
        path: "/v2/projects/",
        shapes: &[("locations/*", &["functions"])],
    },
    Served {
        names: "//cloudsql.googleapis.com/projects/",
        service: "sqladmin",
        path: "/v1/projects/",
        shapes: &[("", &["instances"]), ("instances/*", &["databases", "backupRuns"])],
    },
    Served {
        names: "//pubsub.googleapis.com/projects/",
        service: "pubsub",
        path: "/v1/projects/",
        shapes: &[("", &["topics", "subscriptions", "snapshots", "schemas"])],
    },
];

/// Collections of Compute in a zone.
const ZONAL: &[&str] = &[
    "autoscalers",
    "disks",
    "instanceGroupManagers",
    "instanceGroups",
    "instances",
    "instantSnapshots",
    "networkEndpointGroups",
    "nodeGroups",
    "reservations",
    "storagePools",
    "targetInstances",
];

/// Collections of Compute in a region.
const REGIONAL: &[&str] = &[
    "addresses",
    "autoscalers",
    "backendServices",
    "commitments",
    "disks",
    "firewallPolicies",
    "forwardingRules",
    "healthChecks",
    "instanceGroupManagers",
    "instanceGroups",
    "instanceTemplates",
    "instantSnapshots",
    "interconnectAttachments",
    "networkAttachments",
    "networkEndpointGroups",
    "nodeTemplates",
    "notificationEndpoints",
    "packetMirrorings",
    "resourcePolicies",
    "routers",
    "securityPolicies",
    "serviceAttachments",
    "sslCertificates",
    "sslPolicies",
    "subnetworks",
    "targetHttpProxies",
    "targetHttpsProxies",
    "targetPools",
    "targetTcpProxies",
    "targetVpnGateways",
    "urlMaps",
    "vpnGateways",
    "vpnTunnels",
];

/// Collections of Compute in no region.
const GLOBAL: &[&str] = &[
    "addresses",
    "backendBuckets",
    "backendServices",
    "externalVpnGateways",
    "firewallPolicies",
    "firewalls",
    "forwardingRules",
    "healthChecks",
    "httpHealthChecks",
    "httpsHealthChecks",
    "images",
    "instanceTemplates",
    "interconnects",
    "machineImages",
    "networkEndpointGroups",
    "networks",
    "routes",
    "securityPolicies",
    "snapshots",
    "sslCertificates",
    "sslPolicies",
    "targetGrpcProxies",
    "targetHttpProxies",
    "targetHttpsProxies",
    "targetSslProxies",
    "targetTcpProxies",
    "urlMaps",
];

/// Service and path of an asset, for a project that it must be in.
fn place(name: &str, project: &str) -> Option<(&'static str, String)> {
    if let Some(bucket) = name.strip_prefix(BUCKETS) {
        return (is_plain(bucket) && !bucket.contains('/')).then(|| ("storage", format!("/storage/v1/b/{}", encoded(bucket))));
    }
    let served = SERVED.iter().find(|served| name.starts_with(served.names))?;
    let rest = &name[served.names.len()..];
    let inside = rest.strip_prefix(project)?.strip_prefix('/')?;
    let is_served = is_plain(inside) && served.shapes.iter().any(|shape| fits(inside, *shape));
    is_served.then(|| (served.service, format!("{}{}", served.path, encoded(rest))))
}

/// Whether every segment stays one.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Whether a path is that of one thing in one of the collections.
fn fits(path: &str, (within, collections): (&str, &[&str])) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let [before @ .., collection, _] = &*parts else { return false };
    let within: Vec<&str> = within.split('/').filter(|part| !part.is_empty()).collect();
    let is_within = before.len() == within.len() && before.iter().zip(&within).all(|(part, wanted)| *wanted == "*" || part == wanted);
    is_within && collections.contains(collection)
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
    let Some((service, path)) = place(&asset.id, &session.grant.project_id) else { return Ok(Presence::Unknown) };
    let base = session.shared.services.endpoints.service(service);
    let call = Call { pays_itself: true, ..Call::default() };
    // Compute takes no token of the read-only scope.
    match session.call(READ, Reach::Full, url(&base, &path, &[])?, call).await {
        Ok(_) => Ok(Presence::Present),
        Err(CloudError { class: ErrorClass::NotFound, .. }) => Ok(Presence::Gone),
        // The service does not serve such an address: no answer to what was asked.
        Err(CloudError { class: ErrorClass::Invalid, .. }) => Ok(Presence::Unknown),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_own_service_and_project_only() {
        let at = |name: &str| place(name, "client").map(|(service, path)| format!("{service} {path}"));
        let machine = at("//compute.googleapis.com/projects/client/zones/europe-west1-b/instances/vm-1");
        assert_eq!(machine.as_deref(), Some("compute /compute/v1/projects/client/zones/europe-west1-b/instances/vm-1"));
        assert_eq!(at("//storage.googleapis.com/a-bucket").as_deref(), Some("storage /storage/v1/b/a-bucket"));
        assert_eq!(
            at("//cloudsql.googleapis.com/projects/client/instances/db").as_deref(),
            Some("sqladmin /v1/projects/client/instances/db")
        );
        for (name, path) in [
            ("//container.googleapis.com/projects/client/zones/z/clusters/c", "container /v1/projects/client/zones/z/clusters/c"),
            ("//iam.googleapis.com/projects/client/serviceAccounts/1/keys/2", "iam /v1/projects/client/serviceAccounts/1/keys/2"),
            ("//compute.googleapis.com/projects/client/global/networks/n", "compute /compute/v1/projects/client/global/networks/n"),
        ] {
            assert_eq!(at(name).as_deref(), Some(path));
        }
        for other in [
            "//compute.googleapis.com/projects/client-two/zones/z/instances/vm-1",
            "//compute.googleapis.com/projects/other/zones/z/instances/vm-1",
            "//compute.googleapis.com/projects/client/../other/x",
            "//quantum.googleapis.com/projects/client/things/one",
            "//storage.googleapis.com/",
            "//storage.googleapis.com/a-bucket/o/an-object",
            "//compute.googleapis.com/projects/client",
            "//compute.googleapis.com/projects/client/zones/z/machines/vm-1",
            "//compute.googleapis.com/projects/client/zones/z/instances",
            "//compute.googleapis.com/projects/client/zones/z/instances/vm-1/disks/one",
            "//compute.googleapis.com/projects/client/global/instances/vm-1",
            "//container.googleapis.com/projects/client/locations/l/clusters/c/k8s/namespaces/n",
            "//container.googleapis.com/projects/client/locations/l/clusters/c/k8s/namespaces/n/pods/p",
            "//run.googleapis.com/projects/client/locations/l/revisions/r",
        ] {
            assert_eq!(at(other), None, "{other}");
        }
        assert_eq!(at("//storage.googleapis.com/a b?c").as_deref(), Some("storage /storage/v1/b/a%20b%3Fc"));
    }
}
