//! The services themselves, one thing at a time: they know what Cloud Asset may not.

use serde_json::{Value, json};

use crate::envelope;
use crate::request::{Answer, Request};
use crate::schedules;
use crate::world::{Token, World};

/// A call by which a service shows one thing.
struct Get {
    service: &'static str,
    call: &'static str,
    /// Its path, with `*` for one segment.
    path: &'static str,
    permission: &'static str,
}

const fn get(service: &'static str, call: &'static str, path: &'static str, permission: &'static str) -> Get {
    Get { service, call, path, permission }
}

/// The calls that are known; service accounts are IAM's own matter.
const GETS: [Get; 30] = [
    get("compute", "compute.instances.get", "compute/v1/projects/*/zones/*/instances/*", "compute.instances.get"),
    get("compute", "compute.disks.get", "compute/v1/projects/*/zones/*/disks/*", "compute.disks.get"),
    get("compute", "compute.regionDisks.get", "compute/v1/projects/*/regions/*/disks/*", "compute.disks.get"),
    get("compute", "compute.subnetworks.get", "compute/v1/projects/*/regions/*/subnetworks/*", "compute.subnetworks.get"),
    get("compute", "compute.forwardingRules.get", "compute/v1/projects/*/regions/*/forwardingRules/*", "compute.forwardingRules.get"),
    get(
        "compute",
        "compute.regionNetworkFirewallPolicies.get",
        "compute/v1/projects/*/regions/*/firewallPolicies/*",
        "compute.firewallPolicies.get",
    ),
    get("compute", "compute.snapshots.get", "compute/v1/projects/*/global/snapshots/*", "compute.snapshots.get"),
    get("compute", "compute.networks.get", "compute/v1/projects/*/global/networks/*", "compute.networks.get"),
    get("compute", "compute.firewalls.get", "compute/v1/projects/*/global/firewalls/*", "compute.firewalls.get"),
    get(
        "compute",
        "compute.networkFirewallPolicies.get",
        "compute/v1/projects/*/global/firewallPolicies/*",
        "compute.firewallPolicies.get",
    ),
    get(
        "compute",
        "compute.globalForwardingRules.get",
        "compute/v1/projects/*/global/forwardingRules/*",
        "compute.globalForwardingRules.get",
    ),
    get("storage", "storage.buckets.get", "storage/v1/b/*", "storage.buckets.get"),
    get("container", "container.projects.locations.clusters.get", "v1/projects/*/locations/*/clusters/*", "container.clusters.get"),
    get("container", "container.projects.zones.clusters.get", "v1/projects/*/zones/*/clusters/*", "container.clusters.get"),
    get("cloudkms", "cloudkms.projects.locations.keyRings.get", "v1/projects/*/locations/*/keyRings/*", "cloudkms.keyRings.get"),
    get(
        "cloudkms",
        "cloudkms.projects.locations.keyRings.cryptoKeys.get",
        "v1/projects/*/locations/*/keyRings/*/cryptoKeys/*",
        "cloudkms.cryptoKeys.get",
    ),
    get("run", "run.projects.locations.services.get", "v2/projects/*/locations/*/services/*", "run.services.get"),
    get("run", "run.projects.locations.jobs.get", "v2/projects/*/locations/*/jobs/*", "run.jobs.get"),
    get(
        "cloudfunctions",
        "cloudfunctions.projects.locations.functions.get",
        "v2/projects/*/locations/*/functions/*",
        "cloudfunctions.functions.get",
    ),
    get("sqladmin", "sql.instances.get", "v1/projects/*/instances/*", "cloudsql.instances.get"),
    get("spanner", "spanner.projects.instances.get", "v1/projects/*/instances/*", "spanner.instances.get"),
    get("spanner", "spanner.projects.instances.databases.get", "v1/projects/*/instances/*/databases/*", "spanner.databases.get"),
    get("alloydb", "alloydb.projects.locations.clusters.get", "v1/projects/*/locations/*/clusters/*", "alloydb.clusters.get"),
    get(
        "alloydb",
        "alloydb.projects.locations.clusters.instances.get",
        "v1/projects/*/locations/*/clusters/*/instances/*",
        "alloydb.instances.get",
    ),
    get("bigtableadmin", "bigtableadmin.projects.instances.get", "v2/projects/*/instances/*", "bigtable.instances.get"),
    get("redis", "redis.projects.locations.instances.get", "v1/projects/*/locations/*/instances/*", "redis.instances.get"),
    get("firestore", "firestore.projects.databases.get", "v1/projects/*/databases/*", "datastore.databases.getMetadata"),
    get("secretmanager", "secretmanager.projects.secrets.get", "v1/projects/*/secrets/*", "secretmanager.secrets.get"),
    get("logging", "logging.projects.sinks.get", "v2/projects/*/sinks/*", "logging.sinks.get"),
    get(
        "backupdr",
        "backupdr.projects.locations.backupVaults.get",
        "v1/projects/*/locations/*/backupVaults/*",
        "backupdr.backupVaults.get",
    ),
];

/// What begins the names of a service's assets, where that is not the service's own address.
const NAMED: [(&str, &str); 2] = [("sqladmin", "cloudsql"), ("bigtableadmin", "bigtable")];

/// The call of a service, and the path of the thing from `projects/` or the bucket on; `None` where it is none of these.
pub fn name(method: &str, service: &str, path: &str) -> Option<(&'static str, String)> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let fits = |get: &&Get| {
        let wanted: Vec<&str> = get.path.split('/').collect();
        get.service == service
            && parts.len() == wanted.len()
            && parts.iter().zip(wanted).all(|(part, wanted)| wanted == "*" || *part == wanted)
    };
    let get = GETS.iter().find(fits).filter(|_| method == "GET")?;
    let prefix = get.path.split('/').take_while(|part| !["projects", "b"].contains(part)).count();
    Some((get.call, parts[prefix..].join("/")))
}

/// Whether it is a call by which a service shows one thing.
pub fn knows(call: &str) -> bool {
    GETS.iter().any(|get| get.call == call)
}

/// One thing, as its service shows it.
pub fn show(world: &World, request: &Request) -> Result<Answer, Answer> {
    let unknown = || envelope::error(404, "NOT_FOUND", &format!("The resource '{}' was not found", request.resource));
    let get = GETS.iter().find(|get| get.call == request.call).ok_or_else(unknown)?;
    let caller = world.admit(request, &format!("{}.googleapis.com", get.service), &["cloud-platform"])?;
    let host = NAMED.iter().find(|(service, _)| *service == get.service).map_or(get.service, |(_, named)| named);
    let path = request.resource.trim_start_matches("b/");
    let name = format!("//{host}.googleapis.com/{path}");
    readable(world, (get, path), (&caller, &name))?;
    let is_there =
        |project: &&crate::Project| project.assets.iter().any(|row| row["name"] == name.as_str()) && !project.ghosts.contains(&name);
    let project = world.projects.values().find(is_there).ok_or_else(unknown)?;
    let disk = path.strip_prefix(&format!("projects/{}/", project.id)).filter(|path| path.contains("/disks/"));
    Ok(Answer::ok(disk.map_or_else(|| shown(get, path), |path| schedules::disk(project, path))))
}

/// Whether the caller may read it: in the project that its path names; of a bucket, in the one that has it.
fn readable(world: &World, (get, path): (&Get, &str), (caller, name): (&Token, &str)) -> Result<(), Answer> {
    let project = match path.split('/').nth(1) {
        Some(id) => world.project(id),
        None => world.projects.values().find(|project| project.assets.iter().any(|row| row["name"] == name)),
    };
    let is_open = match project {
        Some(project) => world.may_on_project(&caller.principal, get.permission, project),
        // Google tells nobody to whom a bucket's name belongs that nobody has.
        None => get.service == "storage",
    };
    if is_open { Ok(()) } else { Err(envelope::denied(get.permission, path)) }
}

fn shown(get: &Get, path: &str) -> Value {
    let short = path.rsplit('/').next().unwrap_or_default();
    match get.service {
        "compute" => {
            let collection = path.rsplit('/').nth(1).unwrap_or_default();
            let kind = if collection == "firewallPolicies" { "firewallPolicy" } else { collection.trim_end_matches('s') };
            json!({"kind": format!("compute#{kind}"), "id": "1", "name": short})
        }
        "storage" => json!({"kind": "storage#bucket", "id": short, "name": short}),
        "sqladmin" => json!({"kind": "sql#instance", "name": short, "project": path.split('/').nth(1)}),
        "container" | "logging" => json!({"name": short}),
        _ => json!({"name": path}),
    }
}
