//! Lists that tell what can be restored: snapshots, machine images, machines with their disks, operations, and what vaults of Backup and DR hold.

use serde_json::{Map, Value, json};

use crate::envelope;
use crate::request::{Answer, Request};
use crate::world::{Project, World};

/// The lists: call, the last parts of its path, and the permission.
const LISTS: [(&str, [&str; 2], &str); 5] = [
    ("compute.snapshots.list", ["global", "snapshots"], "compute.snapshots.list"),
    ("compute.machineImages.list", ["global", "machineImages"], "compute.machineImages.list"),
    // At another address: see [`name`].
    ("sql.backupRuns.list", ["-", "backupRuns"], "cloudsql.backupRuns.list"),
    ("compute.instances.aggregatedList", ["aggregated", "instances"], "compute.instances.list"),
    ("compute.globalOperations.aggregatedList", ["aggregated", "operations"], "compute.globalOperations.list"),
];

/// The lists of Backup and DR: call, the last part of its path, the number of its parts, and the permission.
const VAULTS: [(&str, &str, usize, &str); 3] = [
    ("backupdr.projects.locations.backupVaults.list", "backupVaults", 6, "backupdr.backupVaults.list"),
    ("backupdr.projects.locations.backupVaults.dataSources.list", "dataSources", 8, "backupdr.bvdataSources.list"),
    ("backupdr.projects.locations.backupVaults.dataSources.backups.list", "backups", 10, "backupdr.bvbackups.list"),
];

/// The call of a list, and the project; `None` where it is none of these.
pub fn name(method: &str, service: &str, path: &str) -> Option<(&'static str, String)> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if service == "backupdr" && method == "GET" {
        let (project, last) = (parts.get(2)?, *parts.last()?);
        let (call, ..) = VAULTS.iter().find(|(_, list, length, _)| *list == last && *length == parts.len())?;
        return Some((call, (*project).to_owned()));
    }
    if let ("GET", "sqladmin", ["v1", "projects", project, "instances", "-", "backupRuns"]) = (method, service, parts.as_slice()) {
        return Some(("sql.backupRuns.list", (*project).to_owned()));
    }
    let ["compute", "v1", "projects", project, one, two] = parts.as_slice() else { return None };
    let (call, ..) = LISTS.iter().find(|(_, wanted, _)| *wanted == [*one, *two]).filter(|_| method == "GET" && service == "compute")?;
    Some((call, (*project).to_owned()))
}

/// Whether it is one of these lists.
pub fn knows(call: &str) -> bool {
    LISTS.iter().any(|(name, ..)| *name == call) || VAULTS.iter().any(|(name, ..)| *name == call)
}

/// One page of a list.
pub fn list(world: &World, request: &Request) -> Result<Answer, Answer> {
    if let Some(of) = VAULTS.iter().find(|(name, ..)| *name == request.call) {
        return vaults(world, request, of);
    }
    let unknown = || envelope::error(404, "NOT_FOUND", "Method not found.");
    let (call, _, permission) = LISTS.iter().find(|(name, ..)| *name == request.call).ok_or_else(unknown)?;
    let service = if call.starts_with("sql.") { "sqladmin.googleapis.com" } else { "compute.googleapis.com" };
    let caller = world.admit(request, service, &["cloud-platform"])?;
    let project = world.project(&request.resource).filter(|project| world.may_on_project(&caller.principal, permission, project));
    let project = project.ok_or_else(|| envelope::denied(permission, &format!("{service}/projects/{}", request.resource)))?;
    let rows = rows(project, call, request)?;
    let asked: usize = request.parameter("maxResults").and_then(|rows| rows.parse().ok()).unwrap_or(500);
    let from: usize = match request.parameter("pageToken") {
        Some(token) => token.parse().map_err(|_| envelope::invalid("Invalid value for field 'pageToken'"))?,
        None => 0,
    };
    let size = world.page_rows.map_or(asked, |rows| rows.min(asked));
    let page: Vec<&Value> = rows.iter().skip(from).take(size).copied().collect();
    let mut body = match *call {
        "compute.snapshots.list" => json!({"kind": "compute#snapshotList", "items": page}),
        "sql.backupRuns.list" => json!({"kind": "sql#backupRunsList", "items": page}),
        "compute.machineImages.list" => json!({"kind": "compute#machineImageList", "items": page}),
        "compute.instances.aggregatedList" => json!({"kind": "compute#instanceAggregatedList", "items": scoped(&page, "instances")}),
        _ => json!({"kind": "compute#operationAggregatedList", "items": scoped(&page, "operations")}),
    };
    if from + page.len() < rows.len() {
        body["nextPageToken"] = (from + page.len()).to_string().into();
    }
    Ok(Answer::ok(body))
}

/// A list of Backup and DR, in one page: what stands directly under the path.
fn vaults(world: &World, request: &Request, (_, list, _, permission): &(&str, &str, usize, &str)) -> Result<Answer, Answer> {
    let caller = world.admit(request, "backupdr.googleapis.com", &["cloud-platform"])?;
    let project = world.project(&request.resource).filter(|project| world.may_on_project(&caller.principal, permission, project));
    let project = project.ok_or_else(|| envelope::denied(permission, &format!("backupdr.googleapis.com/projects/{}", request.resource)))?;
    let parent = request.path.trim_start_matches("/v1/");
    let is_here = |row: &&Value| {
        let under = row["name"].as_str().and_then(|name| name.strip_prefix(parent)?.strip_prefix('/'));
        under.is_some_and(|name| !name.contains('/'))
    };
    let rows: Vec<&Value> = project.vaults.iter().filter(is_here).collect();
    Ok(Answer::ok(json!({*list: rows})))
}

fn rows<'a>(project: &'a Project, call: &str, request: &Request) -> Result<Vec<&'a Value>, Answer> {
    let rows = match call {
        "compute.snapshots.list" => &project.snapshots,
        "sql.backupRuns.list" => &project.runs,
        "compute.machineImages.list" => &project.images,
        "compute.instances.aggregatedList" => &project.instances,
        _ => &project.operations,
    };
    let Some(filter) = request.parameter("filter") else { return Ok(rows.iter().collect()) };
    let (field, wanted) = filter.split_once('=').ok_or_else(|| envelope::invalid("Invalid value for field 'filter'"))?;
    Ok(rows.iter().filter(|row| row[field] == wanted).collect())
}

/// Rows by the zone or region that their address names, as an aggregated list has them; an empty one says that there is nothing in it.
fn scoped(rows: &[&Value], what: &str) -> Value {
    let mut scopes = Map::new();
    for row in rows {
        let link = row["selfLink"].as_str().unwrap_or_default();
        let parts: Vec<&str> = link.rsplit('/').collect();
        let scope = parts.get(3).zip(parts.get(2)).map_or_else(|| "global".to_owned(), |(kind, place)| format!("{kind}/{place}"));
        let held = scopes.entry(scope).or_insert_with(|| json!({what: []}));
        if let Some(list) = held[what].as_array_mut() {
            list.push((*row).clone());
        }
    }
    let warning = json!({"code": "NO_RESULTS_ON_PAGE", "message": "There are no results for scope 'zones/us-east1-c' on this page."});
    scopes.insert("zones/us-east1-c".into(), json!({"warning": warning}));
    scopes.into()
}

fn address(project: &str, path: &str) -> String {
    format!("https://www.googleapis.com/compute/v1/projects/{project}/{path}")
}

/// A snapshot of a disk, such as `zones/europe-west1-b/disks/data`.
#[must_use]
pub fn snapshot(project: &str, (name, disk): (&str, &str), status: &str, created: &str) -> Value {
    json!({
        "kind": "compute#snapshot", "id": "1", "name": name, "status": status, "creationTimestamp": created, "diskSizeGb": "10",
        "selfLink": address(project, &format!("global/snapshots/{name}")), "sourceDisk": address(project, disk), "storageLocations": ["eu"],
    })
}

/// A backup run of a database.
#[must_use]
pub fn run((instance, id): (&str, &str), status: &str, began: &str) -> Value {
    json!({"kind": "sql#backupRun", "id": id, "instance": instance, "status": status, "startTime": began, "type": "AUTOMATED"})
}

/// A vault of Backup and DR in a location with one backup of a machine or disk: all three as they are listed.
#[must_use]
pub fn vault((project, location, name): (&str, &str, &str), source: &str, created: &str) -> [Value; 3] {
    let vault = format!("projects/{project}/locations/{location}/backupVaults/{name}");
    let data = format!("{vault}/dataSources/source-1");
    let resource = json!({"gcpResourcename": format!("//compute.googleapis.com/projects/{project}/{source}"), "location": location});
    [
        json!({"name": vault, "state": "ACTIVE", "backupMinimumEnforcedRetentionDuration": "86400s"}),
        json!({"name": data, "state": "ACTIVE", "configState": "ACTIVE", "backupCount": "1", "dataSourceGcpResource": resource}),
        json!({"name": format!("{data}/backups/backup-1"), "state": "ACTIVE", "consistencyTime": created, "createTime": created}),
    ]
}

/// A machine in a zone with its disks.
#[must_use]
pub fn instance(project: &str, zone: &str, name: &str, disks: &[&str]) -> Value {
    let disks: Vec<Value> = disks.iter().map(|disk| json!({"type": "PERSISTENT", "source": address(project, disk)})).collect();
    json!({
        "kind": "compute#instance", "id": "1", "name": name, "status": "RUNNING", "disks": disks,
        "selfLink": address(project, &format!("zones/{zone}/instances/{name}")),
    })
}

/// An operation in a zone that makes a snapshot of a disk; `said` is what failed, empty for nothing.
#[must_use]
pub fn operation(project: &str, zone: &str, (name, disk): (&str, &str), (status, began, said): (&str, &str, &str)) -> Value {
    let mut row = json!({
        "kind": "compute#operation", "id": "1", "name": name, "operationType": "createSnapshot", "status": status, "insertTime": began,
        "selfLink": address(project, &format!("zones/{zone}/operations/{name}")), "targetLink": address(project, disk),
    });
    if !said.is_empty() {
        row["error"] = json!({"errors": [{"code": "QUOTA_EXCEEDED", "message": said}]});
    }
    row
}
