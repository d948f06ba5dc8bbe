//! Snapshot schedules of Compute Engine: policies of a region, attached to disks, one for each. Every write is an operation, which is under way when it is
//! answered and done when it is looked at.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::envelope;
use crate::request::{Answer, Request};
use crate::world::{Project, World};

/// What begins the names of assets of Compute.
const NAMES: &str = "//compute.googleapis.com/";

/// The call, the project and the permissions; `None` where it is none of these.
fn known(method: &str, parts: &[&str]) -> Option<(&'static str, String, &'static [&'static str])> {
    let ["compute", "v1", "projects", project, rest @ ..] = parts else { return None };
    let attach: &[&str] = &["compute.disks.addResourcePolicies", "compute.resourcePolicies.use"];
    let detach: &[&str] = &["compute.disks.removeResourcePolicies", "compute.resourcePolicies.use"];
    let (call, permissions): (_, &[&str]) = match (method, rest) {
        ("GET", ["aggregated", "disks"]) => ("compute.disks.aggregatedList", &["compute.disks.list"]),
        ("GET", ["regions", _, "resourcePolicies"]) => ("compute.resourcePolicies.list", &["compute.resourcePolicies.list"]),
        ("GET", ["regions", _, "resourcePolicies", _]) => ("compute.resourcePolicies.get", &["compute.resourcePolicies.get"]),
        ("POST", ["regions", _, "resourcePolicies"]) => ("compute.resourcePolicies.insert", &["compute.resourcePolicies.create"]),
        ("PATCH", ["regions", _, "resourcePolicies", _]) => ("compute.resourcePolicies.patch", &["compute.resourcePolicies.update"]),
        ("POST", ["zones", _, "disks", _, "addResourcePolicies"]) => ("compute.disks.addResourcePolicies", attach),
        ("POST", ["regions", _, "disks", _, "addResourcePolicies"]) => ("compute.regionDisks.addResourcePolicies", attach),
        ("POST", ["zones", _, "disks", _, "removeResourcePolicies"]) => ("compute.disks.removeResourcePolicies", detach),
        ("POST", ["regions", _, "disks", _, "removeResourcePolicies"]) => ("compute.regionDisks.removeResourcePolicies", detach),
        ("GET", ["zones", _, "operations", _]) => ("compute.zoneOperations.get", &["compute.zoneOperations.get"]),
        ("GET", ["regions", _, "operations", _]) => ("compute.regionOperations.get", &["compute.regionOperations.get"]),
        _ => return None,
    };
    Some((call, (*project).to_owned(), permissions))
}

fn parts(path: &str) -> Vec<&str> {
    path.trim_start_matches('/').split('/').collect()
}

/// The call, and the project; `None` where it is none of these.
pub fn name(method: &str, service: &str, path: &str) -> Option<(&'static str, String)> {
    known(method, &parts(path)).filter(|_| service == "compute").map(|(call, project, _)| (call, project))
}

/// Whether it is one of these calls.
pub fn knows(call: &str) -> bool {
    const CALLS: [&str; 4] = ["compute.resourcePolicies.", "compute.disks.", "compute.regionDisks.", "compute.zoneOperations.get"];
    let is_get = matches!(call, "compute.disks.get" | "compute.regionDisks.get");
    !is_get && (CALLS.iter().any(|known| call.starts_with(known)) || call == "compute.regionOperations.get")
}

fn missing(path: &str) -> Answer {
    let message = format!("The resource '{path}' was not found");
    let mut answer = envelope::error(404, "NOT_FOUND", &message);
    answer.body["error"]["errors"] = json!([{"domain": "global", "message": message, "reason": "notFound"}]);
    answer
}

/// Answers.
pub fn route(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let caller = world.admit(request, "compute.googleapis.com", &["cloud-platform", "compute"])?;
    let parts = parts(&request.path);
    let method = match request.call.rsplit('.').next().unwrap_or_default() {
        "patch" => "PATCH",
        "insert" | "addResourcePolicies" | "removeResourcePolicies" => "POST",
        _ => "GET",
    };
    let unknown = || envelope::error(404, "NOT_FOUND", "Method not found.");
    let (call, id, permissions) = known(method, &parts).ok_or_else(unknown)?;
    for permission in permissions {
        let project = world.project(&id).filter(|project| world.may_on_project(&caller.principal, permission, project));
        project.ok_or_else(|| envelope::denied(permission, &format!("compute.googleapis.com/projects/{id}")))?;
    }
    let project = world.projects.get_mut(&id).ok_or_else(unknown)?;
    let at = parts[4..].join("/");
    match call {
        "compute.disks.aggregatedList" => Ok(Answer::ok(disks(project))),
        "compute.resourcePolicies.list" => {
            let rows: Vec<&Value> = project.policies.iter().filter(|row| is_at(row, &at)).collect();
            Ok(Answer::ok(json!({"kind": "compute#resourcePolicyList", "items": rows})))
        }
        "compute.resourcePolicies.get" => {
            project.policies.iter().find(|row| is_at(row, &at)).cloned().map(Answer::ok).ok_or_else(|| missing(&at))
        }
        "compute.resourcePolicies.insert" => insert(project, &at, &request.body),
        "compute.resourcePolicies.patch" => patch(project, &at, &request.body),
        "compute.zoneOperations.get" | "compute.regionOperations.get" => {
            let mut row = project.writes.get(&at).cloned().ok_or_else(|| missing(&at))?;
            (row["status"], row["progress"]) = (json!("DONE"), json!(100));
            Ok(Answer::ok(row))
        }
        _ => attach(project, &at, &request.body),
    }
}

/// Whether a row's address is the path, or directly under it.
fn is_at(row: &Value, path: &str) -> bool {
    let link = row["selfLink"].as_str().unwrap_or_default();
    link.ends_with(&format!("/{path}")) || link.rsplit_once('/').is_some_and(|(parent, _)| parent.ends_with(&format!("/{path}")))
}

fn address(project: &str, path: &str) -> String {
    format!("https://www.googleapis.com/compute/v1/projects/{project}/{path}")
}

/// An operation on the thing at a path, under way.
fn begin(project: &mut Project, kind: &str, path: &str) -> Answer {
    let mut place = path.split('/').take(2);
    let (scope, location) = (place.next().unwrap_or_default(), place.next().unwrap_or_default());
    let name = format!("operation-{}", project.writes.len() + 1);
    let at = format!("{scope}/{location}/operations/{name}");
    let mut row = json!({
        "kind": "compute#operation", "id": "1", "name": name, "operationType": kind, "status": "RUNNING", "progress": 0,
        "insertTime": "2026-11-01T00:00:00Z", "startTime": "2026-11-01T00:00:00Z",
        "selfLink": address(&project.id, &at), "targetLink": address(&project.id, path),
    });
    row[scope.trim_end_matches('s')] = json!(address(&project.id, &format!("{scope}/{location}")));
    project.writes.insert(at, row.clone());
    Answer::ok(row)
}

/// A daily schedule begins at full hours, and each policy has exactly one cycle.
fn check(policy: &Value) -> Result<(), Answer> {
    let schedule = &policy["schedule"];
    let cycles = ["hourlySchedule", "dailySchedule", "weeklySchedule"].iter().filter(|cycle| schedule[**cycle].is_object()).count();
    if cycles != 1 {
        return Err(envelope::invalid(
            "Invalid value for field 'resource.snapshotSchedulePolicy.schedule': exactly one cycle must be set.",
        ));
    }
    let start = schedule["dailySchedule"]["startTime"].as_str();
    if start.is_some_and(|start| start.len() != 5 || !start.ends_with(":00")) {
        let message = format!(
            "Invalid value for field 'resource.snapshotSchedulePolicy.schedule.dailySchedule.startTime': '{}'.",
            start.unwrap_or_default()
        );
        return Err(envelope::invalid(&message));
    }
    Ok(())
}

fn insert(project: &mut Project, at: &str, body: &Value) -> Result<Answer, Answer> {
    let name = body["name"].as_str().unwrap_or_default();
    let path = format!("{at}/{name}");
    if project.policies.iter().any(|row| is_at(row, &path)) {
        return Err(envelope::error(409, "ALREADY_EXISTS", &format!("The resource 'projects/{}/{path}' already exists", project.id)));
    }
    check(&body["snapshotSchedulePolicy"])?;
    let region = at.split('/').nth(1).unwrap_or_default();
    project.policies.push(policy(&project.id, region, name, &body["snapshotSchedulePolicy"]));
    Ok(begin(project, "insert", &path))
}

fn patch(project: &mut Project, at: &str, body: &Value) -> Result<Answer, Answer> {
    let row = project.policies.iter_mut().find(|row| is_at(row, at)).ok_or_else(|| missing(at))?;
    let mut merged = row["snapshotSchedulePolicy"].clone();
    for (field, value) in body["snapshotSchedulePolicy"].as_object().into_iter().flatten() {
        merged[field] = value.clone();
    }
    check(&merged)?;
    row["snapshotSchedulePolicy"] = merged;
    Ok(begin(project, "patch", at))
}

/// Attaches policies to a disk, or takes them off. Two schedules on one disk are refused.
fn attach(project: &mut Project, at: &str, body: &Value) -> Result<Answer, Answer> {
    let (disk, verb) = at.rsplit_once('/').unwrap_or((at, ""));
    let asset = format!("{NAMES}projects/{}/{disk}", project.id);
    if !project.assets.iter().any(|row| row["name"] == asset.as_str()) {
        return Err(missing(disk));
    }
    let links = body["resourcePolicies"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for link in links.map(str::to_owned).collect::<Vec<_>>() {
        let path = link.split_once(&format!("projects/{}/", project.id)).map_or("", |(_, path)| path);
        if !project.policies.iter().any(|row| is_at(row, path)) {
            return Err(missing(path));
        }
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let held = project.attached.entry(asset.clone()).or_default();
        if verb == "removeResourcePolicies" {
            held.remove(&name);
            continue;
        }
        let is_schedule =
            |name: &String| project.policies.iter().any(|row| row["name"] == name.as_str() && row["snapshotSchedulePolicy"].is_object());
        if held.iter().chain([&name]).collect::<BTreeSet<_>>().into_iter().filter(|name| is_schedule(name)).count() > 1 {
            let message = "Invalid resource usage: 'Cannot attach more than one snapshot schedule policy to a disk.'.";
            return Err(envelope::invalid(message));
        }
        held.insert(name);
    }
    Ok(begin(project, verb, disk))
}

/// All disks of a project that Cloud Asset shows, by zone and region.
fn disks(project: &Project) -> Value {
    let mut scopes = json!({
        "zones/us-east1-c": {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results for scope 'zones/us-east1-c' on this page."}},
    });
    for name in project.assets.iter().filter_map(|row| row["name"].as_str()).filter(|name| name.contains("/disks/")) {
        let Some(path) = name.strip_prefix(&format!("{NAMES}projects/{}/", project.id)) else { continue };
        let scope = path.split('/').take(2).collect::<Vec<_>>().join("/");
        if !scopes[&scope].is_object() {
            scopes[&scope] = json!({"disks": []});
        }
        if let Some(list) = scopes[&scope]["disks"].as_array_mut() {
            list.push(disk(project, path));
        }
    }
    json!({"kind": "compute#diskAggregatedList", "items": scopes})
}

/// A disk at its path, with what is attached to it.
pub fn disk(project: &Project, path: &str) -> Value {
    let mut row = json!({
        "kind": "compute#disk", "id": "1", "name": path.rsplit('/').next(), "status": "READY", "selfLink": address(&project.id, path),
    });
    let place = path.split('/').nth(1).unwrap_or_default();
    let region = if path.starts_with("zones/") { place.rsplit_once('-').map_or(place, |(region, _)| region) } else { place };
    if let Some(held) = project.attached.get(&format!("{NAMES}projects/{}/{path}", project.id)).filter(|held| !held.is_empty()) {
        let links: Vec<String> =
            held.iter().map(|name| address(&project.id, &format!("regions/{region}/resourcePolicies/{name}"))).collect();
        row["resourcePolicies"] = json!(links);
    }
    row
}

/// A policy of a region that makes snapshots, as Compute lists it.
#[must_use]
pub fn policy(project: &str, region: &str, name: &str, of: &Value) -> Value {
    json!({
        "kind": "compute#resourcePolicy", "id": "1", "name": name, "status": "READY", "snapshotSchedulePolicy": of,
        "creationTimestamp": "2026-11-01T00:00:00Z", "region": address(project, &format!("regions/{region}")),
        "selfLink": address(project, &format!("regions/{region}/resourcePolicies/{name}")),
    })
}

/// A daily schedule such as somebody of the client's makes.
#[must_use]
pub fn daily(at: &str, days: u32) -> Value {
    json!({
        "schedule": {"dailySchedule": {"daysInCycle": 1, "startTime": at, "duration": "PT14400S"}},
        "retentionPolicy": {"maxRetentionDays": days, "onSourceDiskDelete": "KEEP_AUTO_SNAPSHOTS"},
    })
}
