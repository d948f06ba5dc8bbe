use serde_json::json;

use super::*;

const AT: &str = "https://www.googleapis.com/compute/v1/projects/p";

fn row(disk: &str, status: &str, created: &str) -> Value {
    json!({
        "selfLink": format!("{AT}/global/snapshots/s"), "name": "s", "status": status, "creationTimestamp": created,
        "sourceDisk": format!("{AT}/{disk}"),
    })
}

#[derive(Default)]
struct Taken {
    points: Vec<RecoveryPoint>,
    by: Vec<(String, Hindrance)>,
}

impl RecoverySink for Taken {
    fn point(&mut self, point: RecoveryPoint) {
        self.points.push(point);
    }

    fn job(&mut self, _job: BackupJob) {}

    fn hindered(&mut self, source: &str, by: Hindrance) {
        self.by.push((source.into(), by));
    }
}

#[test]
fn a_snapshot_is_of_the_region_of_its_disk() {
    let of = |disk: &str, region: &str| match snapshot(&row(disk, "READY", "2026-11-28T01:00:00.000-08:00"), region) {
        Some(Snapshot::Point(point)) => Some((point.source, point.created.to_string())),
        _ => None,
    };
    let nine = "2026-11-28T09:00:00Z".to_owned();
    let zonal = "//compute.googleapis.com/projects/p/zones/europe-west1-b/disks/d".to_owned();
    assert_eq!(of("zones/europe-west1-b/disks/d", "europe-west1"), Some((zonal, nine.clone())));
    let regional = "//compute.googleapis.com/projects/p/regions/europe-west1/disks/d".to_owned();
    assert_eq!(of("regions/europe-west1/disks/d", "europe-west1"), Some((regional, nine)));
    for (disk, region) in [("zones/europe-west10-b/disks/d", "europe-west1"), ("zones/europe-west1-b/disks/d", "europe-west10"), ("", "")] {
        assert_eq!(of(disk, region), None, "{disk} {region}");
    }
}

#[test]
fn only_one_that_is_ready_can_be_restored() {
    for (status, state) in [
        ("READY", Some(PointState::Usable)),
        ("UPLOADING", Some(PointState::Creating)),
        ("CREATING", Some(PointState::Creating)),
        ("DELETING", Some(PointState::Deleting)),
        ("NEW_WORD", Some(PointState::Unknown)),
        ("FAILED", None),
    ] {
        let found = snapshot(&row("zones/europe-west1-b/disks/d", status, "2026-11-28T01:00:00Z"), "europe-west1").unwrap();
        match (found, state) {
            (Snapshot::Point(point), Some(state)) => assert_eq!(point.state, state, "{status}"),
            (Snapshot::Failure(job), None) => assert_eq!(job.state, JobState::Failed),
            (found, _) => panic!("{status}: {found:?}"),
        }
    }
}

#[test]
fn a_machine_is_as_old_as_the_oldest_of_its_disks() {
    let of = |snapshots: &[(&str, &str)], disks: &[(&str, &str)]| {
        let mut held = Disks::default();
        for (disk, created) in snapshots {
            let Some(Snapshot::Point(point)) =
                snapshot(&row(&format!("zones/europe-west1-b/disks/{disk}"), "READY", created), "europe-west1")
            else {
                panic!("a point")
            };
            held.take(&point);
        }
        let disks: Vec<Value> =
            disks.iter().map(|(disk, kind)| json!({"source": format!("{AT}/zones/europe-west1-b/disks/{disk}"), "type": kind})).collect();
        let mut taken = Taken::default();
        held.machine(&json!({"selfLink": format!("{AT}/zones/europe-west1-b/instances/web"), "disks": disks}), "europe-west1", &mut taken);
        (taken.points.first().map(|point| (point.created.to_string(), point.leaves_out)), taken.by)
    };
    let (early, late) = ("2026-11-27T01:00:00Z", "2026-11-28T01:00:00Z");
    let both = [("a", "PERSISTENT"), ("b", "PERSISTENT")];
    assert_eq!(of(&[("a", early), ("a", late), ("b", early)], &both), (Some((early.into(), false)), vec![]));
    assert_eq!(of(&[("b", late), ("a", late), ("b", early)], &both), (Some((late.into(), false)), vec![]));
    let (point, by) = of(&[("a", late)], &both);
    assert!(point.is_none() && by[0].1.why.contains("and b not"), "{by:?}");
    assert_eq!(by[0].0, "//compute.googleapis.com/projects/p/zones/europe-west1-b/instances/web");
    assert_eq!(of(&[], &both), (None, vec![]));
    assert_eq!(of(&[("a", late)], &[("a", "PERSISTENT"), ("x", "SCRATCH")]).0, Some((late.into(), true)));
}

#[test]
fn an_operation_says_how_it_ended() {
    let of = |status: &str, error: Value| {
        let row = json!({
            "selfLink": format!("{AT}/zones/europe-west1-b/operations/o"), "status": status, "insertTime": "2026-11-28T01:00:00.000-08:00",
            "targetLink": format!("{AT}/zones/europe-west1-b/disks/d"), "error": error,
        });
        operation(&row, "europe-west1").map(|job| (job.state, job.message))
    };
    let quota = json!({"errors": [{"code": "QUOTA_EXCEEDED", "message": "Quota 'SNAPSHOTS' exceeded."}]});
    assert_eq!(of("DONE", Value::Null), Some((JobState::Completed, String::new())));
    assert_eq!(of("DONE", quota), Some((JobState::Failed, "Quota 'SNAPSHOTS' exceeded.".into())));
    assert_eq!(of("RUNNING", Value::Null), Some((JobState::UnderWay, String::new())));
}

#[test]
fn a_point_of_a_machine_is_one_of_each_of_its_disks() {
    let image = json!({
        "selfLink": format!("{AT}/global/machineImages/i"), "status": "READY", "creationTimestamp": "2026-11-28T01:00:00Z",
        "sourceInstance": format!("{AT}/zones/europe-west1-b/instances/web"),
    });
    let mut held = Disks::default();
    held.take(&super::image(&image, "europe-west1").unwrap());
    let disk = json!({"source": format!("{AT}/zones/europe-west1-b/disks/a"), "type": "PERSISTENT"});
    let row = json!({"selfLink": format!("{AT}/zones/europe-west1-b/instances/web"), "disks": [disk]});
    let mut taken = Taken::default();
    held.machine(&row, "europe-west1", &mut taken);
    let sources: Vec<&str> = taken.points.iter().map(|point| point.source.as_str()).collect();
    assert_eq!(sources, ["//compute.googleapis.com/projects/p/zones/europe-west1-b/disks/a"]);
    assert!(taken.by.is_empty());
    assert!(super::image(&image, "us-east1").is_none());
}

#[test]
fn a_backup_in_a_vault_is_of_the_machine_that_its_source_names() {
    let of = |name: &str| source(&json!({"dataSourceGcpResource": {"gcpResourcename": name}}), "europe-west1");
    let named = Some("//compute.googleapis.com/projects/p/zones/europe-west1-b/instances/web".to_owned());
    for name in ["projects/p/zones/europe-west1-b/instances/web", "//compute.googleapis.com/projects/p/zones/europe-west1-b/instances/web"]
    {
        assert_eq!(of(name), named, "{name}");
    }
    let row = |state: &str| {
        json!({
            "name": "b", "state": state, "consistencyTime": "2026-11-28T01:00:00Z", "createTime": "2026-11-28T02:00:00Z",
            "expireTime": "2026-12-28T01:00:00Z", "enforcedRetentionEndTime": "2026-12-01T01:00:00Z",
        })
    };
    let found = backup(&row("ACTIVE"), ("europe-west1", "projects/p/locations/europe-west1/backupVaults/v"), "s").unwrap();
    assert_eq!((found.state, found.vault.as_str(), found.created.to_string().as_str()), (PointState::Usable, "v", "2026-11-28T01:00:00Z"));
    let told = [found.deleted_at, found.held_until].map(|at| at.unwrap().to_string());
    assert_eq!(told, ["2026-12-28T01:00:00Z", "2026-12-01T01:00:00Z"]);
    assert_eq!(backup(&row("ERROR"), ("r", "v"), "s").unwrap().state, PointState::Partial);
}

#[test]
fn a_run_of_a_database_is_a_job_and_what_it_left_a_point() {
    let of = |status: &str| {
        let row =
            json!({"instance": "db", "id": "7", "status": status, "startTime": "2026-11-28T01:00:00Z", "error": {"message": "disk full"}});
        (run(&row, ("p", "r")).map(|point| point.state), run_job(&row, ("p", "r")).map(|job| job.state))
    };
    for (status, point, job) in [
        ("SUCCESSFUL", Some(PointState::Usable), Some(JobState::Completed)),
        ("RUNNING", Some(PointState::Creating), Some(JobState::UnderWay)),
        ("FAILED", None, Some(JobState::Failed)),
        ("SKIPPED", None, Some(JobState::Expired)),
        ("DELETION_FAILED", Some(PointState::Expired), None),
        ("DELETED", None, None),
    ] {
        assert_eq!(of(status), (point, job), "{status}");
    }
    let row = json!({"instance": "db", "id": "7", "status": "FAILED", "windowStartTime": "2026-11-28T01:00:00Z", "error": {"message": "disk full"}});
    let job = run_job(&row, ("p", "r")).unwrap();
    assert_eq!((job.source.as_str(), job.message.as_str()), ("//cloudsql.googleapis.com/projects/p/instances/db", "disk full"));
}
