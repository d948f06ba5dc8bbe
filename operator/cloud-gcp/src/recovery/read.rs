//! The rows of snapshots, machines and operations. Pure.

use std::collections::HashMap;

use caretaker_cloud::{BackupJob, Cloud, Hindrance, JobState, PointState, RecoveryPoint, RecoverySink};
use jiff::Timestamp;
use serde_json::Value;

/// What the names of assets begin with, which Compute's own addresses do not.
const NAMES: &str = "//compute.googleapis.com/";
/// Vault of snapshots that no schedule made.
const SNAPSHOTS: &str = "snapshots";
/// Vault of backup runs of databases.
const RUNS: &str = "backupRuns";
/// Vault of machine images.
const IMAGES: &str = "machineImages";
/// Vault of a machine's points, which are those of its disks.
const DISKS: &str = "disks";

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

fn time(row: &Value, field: &str) -> Option<Timestamp> {
    text(row, field).parse().ok()
}

/// The path of a thing, out of an address of any host and version: `projects/p/zones/z/disks/d`.
fn path(link: &str) -> Option<&str> {
    let at = link.find("projects/")?;
    (at == 0 || link[..at].ends_with('/')).then(|| &link[at..])
}

/// The name by which the inventory knows a thing, where it is in the region or a zone of it.
fn named(link: &str, region: &str) -> Option<String> {
    let path = path(link)?;
    let mut parts = path.split('/').skip(2);
    let place = match (parts.next()?, parts.next()?) {
        ("zones" | "regions", place) => place,
        _ => return None,
    };
    (Cloud::Gcp.region_of(place) == region).then(|| format!("{NAMES}{path}"))
}

/// What a row of snapshots is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// Something that can be restored, or will be.
    Point(RecoveryPoint),
    /// One that failed: nothing was saved.
    Failure(BackupJob),
}

/// A snapshot of a disk in the region; `None` of disks elsewhere, or of no disk.
pub fn snapshot(row: &Value, region: &str) -> Option<Snapshot> {
    let (source, id) = (named(text(row, "sourceDisk"), region)?, path(text(row, "selfLink"))?.to_owned());
    let created = time(row, "creationTimestamp")?;
    let schedule = text(row, "sourceSnapshotSchedulePolicy").rsplit('/').next().unwrap_or_default();
    let vault = if schedule.is_empty() { SNAPSHOTS } else { schedule }.to_owned();
    let region = region.to_owned();
    let state = match text(row, "status") {
        "READY" => PointState::Usable,
        "CREATING" | "UPLOADING" => PointState::Creating,
        "DELETING" => PointState::Deleting,
        "FAILED" => {
            let (state, message) = (JobState::Failed, "the snapshot failed".to_owned());
            return Some(Snapshot::Failure(BackupJob { id, region, vault, source, state, created, ended: None, point: None, message }));
        }
        _ => PointState::Unknown,
    };
    let point = point((&id, &vault), (&region, source), (state, created));
    Some(Snapshot::Point(point))
}

/// A machine image of a machine in the region: it has all of its disks.
pub fn image(row: &Value, region: &str) -> Option<RecoveryPoint> {
    let source = named(text(row, "sourceInstance"), region)?;
    let state = match text(row, "status") {
        "READY" => PointState::Usable,
        "CREATING" | "UPLOADING" => PointState::Creating,
        "DELETING" => PointState::Deleting,
        "INVALID" => PointState::Partial,
        _ => PointState::Unknown,
    };
    let id = path(text(row, "selfLink"))?;
    Some(point((id, IMAGES), (region, source), (state, time(row, "creationTimestamp")?)))
}

/// The machine or disk of which a vault holds backups, where it is in the region.
pub fn source(row: &Value, region: &str) -> Option<String> {
    named(row.pointer("/dataSourceGcpResource/gcpResourcename").and_then(Value::as_str)?, region)
}

/// A backup in a vault of Backup and DR.
pub fn backup(row: &Value, (region, vault): (&str, &str), source: &str) -> Option<RecoveryPoint> {
    let state = match text(row, "state") {
        "ACTIVE" => PointState::Usable,
        "CREATING" | "UPLOADING" => PointState::Creating,
        "DELETING" => PointState::Deleting,
        "ERROR" => PointState::Partial,
        _ => PointState::Unknown,
    };
    let created = time(row, "consistencyTime").or_else(|| time(row, "createTime"))?;
    let name = vault.rsplit('/').next().unwrap_or_default();
    let made = point((text(row, "name"), name), (region, source.to_owned()), (state, created));
    Some(RecoveryPoint { deleted_at: time(row, "expireTime"), held_until: time(row, "enforcedRetentionEndTime"), ..made })
}

/// The name by which the inventory knows the database of a backup run.
fn database(row: &Value, project: &str) -> Option<String> {
    let name = Some(text(row, "instance")).filter(|name| !name.is_empty())?;
    Some(format!("//cloudsql.googleapis.com/projects/{project}/instances/{name}"))
}

/// What a backup run of a database left.
pub fn run(row: &Value, (project, region): (&str, &str)) -> Option<RecoveryPoint> {
    let state = match text(row, "status") {
        "SUCCESSFUL" => PointState::Usable,
        "RUNNING" => PointState::Creating,
        "DELETION_PENDING" => PointState::Deleting,
        "DELETION_FAILED" => PointState::Expired,
        _ => return None,
    };
    let created = time(row, "startTime")?;
    let id = format!("{}/{}", text(row, "instance"), text(row, "id"));
    Some(point((&id, RUNS), (region, database(row, project)?), (state, created)))
}

/// A backup run of a database as a job.
pub fn run_job(row: &Value, (project, region): (&str, &str)) -> Option<BackupJob> {
    let state = match text(row, "status") {
        "ENQUEUED" | "RUNNING" => JobState::UnderWay,
        "SUCCESSFUL" => JobState::Completed,
        "FAILED" => JobState::Failed,
        "SKIPPED" | "OVERDUE" => JobState::Expired,
        _ => return None,
    };
    let created = ["startTime", "enqueuedTime", "windowStartTime"].into_iter().find_map(|field| time(row, field))?;
    let instance = text(row, "instance");
    Some(BackupJob {
        id: format!("projects/{project}/instances/{instance}/backupRuns/{}", text(row, "id")),
        region: region.into(),
        vault: RUNS.into(),
        source: database(row, project)?,
        state,
        created,
        ended: time(row, "endTime"),
        point: None,
        message: row.pointer("/error/message").and_then(Value::as_str).unwrap_or_default().into(),
    })
}

fn point((id, vault): (&str, &str), (region, source): (&str, String), (state, created): (PointState, Timestamp)) -> RecoveryPoint {
    RecoveryPoint {
        id: id.into(),
        region: region.into(),
        vault: vault.into(),
        source,
        state,
        created,
        deleted_at: None,
        held_until: None,
        continuous: false,
        leaves_out: false,
        message: String::new(),
    }
}

/// The rows of an aggregated list.
pub fn scoped<'a>(page: &'a Value, what: &'a str) -> impl Iterator<Item = &'a Value> {
    let scopes = page["items"].as_object().into_iter().flatten();
    scopes.flat_map(move |(_, scope)| scope[what].as_array().into_iter().flatten())
}

/// The newest usable point of each disk and each machine.
#[derive(Debug, Default)]
pub struct Disks {
    newest: HashMap<String, RecoveryPoint>,
}

impl Disks {
    /// Takes a point of a disk or a machine.
    pub fn take(&mut self, point: &RecoveryPoint) {
        let is_newest = self.newest.get(&point.source).is_none_or(|held| held.created < point.created);
        if point.state == PointState::Usable && is_newest {
            self.newest.insert(point.source.clone(), point.clone());
        }
    }

    /// Tells what a machine in the region and its disks have of one another. A point of the machine is one of each of its disks. By its disks' points it can be
    /// brought back to the oldest of their newest; where a disk has none, it cannot be.
    pub fn machine(&self, row: &Value, region: &str, sink: &mut dyn RecoverySink) {
        let Some(source) = named(text(row, "selfLink"), region) else { return };
        let disks = row["disks"].as_array().into_iter().flatten();
        // What is in a machine's own store goes with the machine: nobody can save it.
        let (kept, lost): (Vec<&Value>, Vec<&Value>) = disks.partition(|disk| text(disk, "type") != "SCRATCH");
        let kept: Vec<String> = kept.iter().filter_map(|disk| path(text(disk, "source"))).map(|disk| format!("{NAMES}{disk}")).collect();
        let whole = self.newest.get(&source);
        if let Some(whole) = whole {
            kept.iter().for_each(|disk| sink.point(RecoveryPoint { source: disk.clone(), ..whole.clone() }));
        }
        let (saved, bare): (Vec<&String>, Vec<&String>) = kept.iter().partition(|disk| self.newest.contains_key(*disk));
        if bare.is_empty() {
            let points = saved.iter().filter_map(|disk| self.newest.get(*disk));
            if let Some(point) = points.min_by_key(|point| point.created) {
                sink.point(RecoveryPoint { source, vault: DISKS.into(), leaves_out: !lost.is_empty(), ..point.clone() });
            }
        } else if whole.is_none() && !saved.is_empty() {
            let bare: Vec<&str> = bare.iter().filter_map(|disk| disk.rsplit('/').next()).collect();
            let why = format!("others of its disks are saved, and {} not: it cannot be brought back whole", bare.join(", "));
            let cure = format!("the client attaches the snapshot schedule of the others to {}", bare.join(", "));
            sink.hindered(&source, Hindrance { why, cure });
        }
    }
}

/// An operation that makes a snapshot of a disk in the region.
pub fn operation(row: &Value, region: &str) -> Option<BackupJob> {
    let source = named(text(row, "targetLink"), region).filter(|name| name.contains("/disks/"))?;
    let errors = row["error"]["errors"].as_array().into_iter().flatten();
    let said: Vec<&str> =
        errors.map(|error| if text(error, "message").is_empty() { text(error, "code") } else { text(error, "message") }).collect();
    let state = match text(row, "status") {
        "PENDING" | "RUNNING" => JobState::UnderWay,
        "DONE" if row["error"].is_object() => JobState::Failed,
        "DONE" => JobState::Completed,
        _ => JobState::Unknown,
    };
    Some(BackupJob {
        id: path(text(row, "selfLink"))?.into(),
        region: region.into(),
        vault: SNAPSHOTS.into(),
        source,
        state,
        created: time(row, "insertTime")?,
        ended: time(row, "endTime"),
        point: None,
        message: said.join("; "),
    })
}

#[cfg(test)]
mod tests;
