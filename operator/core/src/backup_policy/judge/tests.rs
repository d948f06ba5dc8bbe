use caretaker_cloud::{AwsType, BackupJob, Cloud, Hindrance, RecoveryPoint, RecoverySink, source_of};
use serde_json::json;

use super::*;
use crate::backup_policy::recovery::Recovery;

const ARN: &str = "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1";

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

fn terms() -> BackupTerms {
    let tag = json!({"key": "backup", "value": "daily"});
    serde_json::from_value(json!({"dailyAt": "03:05", "retentionDays": 30, "tag": tag, "regions": ["eu-west-1"], "rpoHours": 26})).unwrap()
}

fn volume(region: &str) -> Asset {
    let service = AwsType::Volume.service().into();
    Asset { service, ..Asset::new(Cloud::Aws, "111122223333", region, AssetType::Volume, "vol-1") }
}

fn point(state: PointState, created: Timestamp) -> RecoveryPoint {
    let text = str::to_owned;
    let (id, region, vault, source) = (text("p"), text("eu-west-1"), text("caretaker-acme-main"), text(ARN));
    RecoveryPoint {
        id,
        region,
        vault,
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

fn job(state: JobState, created: Timestamp, message: &str) -> BackupJob {
    let text = str::to_owned;
    let (id, region, vault, source) = (text("j"), text("eu-west-1"), text("caretaker-acme-main"), text(ARN));
    BackupJob { id, region, vault, source, state, created, ended: Some(created), point: None, message: message.into() }
}

/// What a case begins with, and what it changes.
struct Case {
    recovery: Recovery,
    ground: Ground,
    may_write: bool,
    since: Timestamp,
    region: &'static str,
}

fn judged(change: impl FnOnce(&mut Case)) -> Judged {
    let recovery = Recovery::new("caretaker-acme-main", now());
    let mut case = Case { recovery, ground: Ground::default(), may_write: true, since: ago(1000), region: "eu-west-1" };
    change(&mut case);
    let (asset, terms) = (volume(case.region), terms());
    let source = source_of(&asset).unwrap();
    let measure = Measure { terms: &terms, may_write: case.may_write, ground: &case.ground, since: case.since, now: now() };
    judge((&asset, &source), case.recovery.of(&source.name), measure)
}

type Change = fn(&mut Case);

use BackupState::{Failing, Protected, Stale, Unprotected, Waiting};

/// The rows of the plan's table of cases from practice that one asset can show.
const CASES: [(&str, Change, BackupState, &str, &str); 18] = [
    ("a point of today", |case| case.recovery.point(point(PointState::Usable, ago(9))), Protected, "", ""),
    ("a point exactly as old as the RPO", |case| case.recovery.point(point(PointState::Usable, ago(26))), Protected, "", ""),
    (
        "one second older",
        |case| case.recovery.point(point(PointState::Usable, ago(26) - SignedDuration::from_secs(1))),
        Stale,
        "26 hours old",
        "no job was made",
    ),
    (
        "kept up to date since last year",
        |case| case.recovery.point(RecoveryPoint { continuous: true, ..point(PointState::Usable, ago(9000)) }),
        Protected,
        "",
        "",
    ),
    (
        "job COMPLETED and no point",
        |case| {
            case.recovery.point(point(PointState::Usable, ago(50)));
            case.recovery.job(job(JobState::Completed, ago(2), ""));
        },
        Stale,
        "says that it is completed, and left none",
        "describe-backup-job",
    ),
    (
        "PARTIAL of 2 h ago, usable of 5 days ago",
        |case| {
            case.recovery.point(point(PointState::Partial, ago(2)));
            case.recovery.point(point(PointState::Usable, ago(120)));
        },
        Stale,
        "5 days old, of 2026-11-23 12:00 UTC; one of 2026-11-28 10:00 UTC is not whole",
        "",
    ),
    (
        "EXPIRED that an AMI holds",
        |case| {
            let held = RecoveryPoint { message: "in use by ami-1".into(), ..point(PointState::Expired, ago(9)) };
            case.recovery.point(held);
        },
        Unprotected,
        "no usable recovery point; one of 2026-11-28 03:00 UTC has expired and could not be deleted: in use by ami-1",
        "",
    ),
    (
        "a job that fails, no point",
        |case| case.recovery.job(job(JobState::Failed, ago(2), "IAM Role X cannot be assumed")),
        Failing,
        "failed: IAM Role X cannot be assumed",
        "applies the kit again",
    ),
    (
        "a bucket without versioning",
        |case| case.recovery.job(job(JobState::Failed, ago(2), "Versioning is not enabled")),
        Failing,
        "Versioning",
        "switches versioning on",
    ),
    (
        "a job that fails, and yesterday's point still holds",
        |case| {
            case.recovery.point(point(PointState::Usable, ago(25)));
            case.recovery.job(job(JobState::Expired, ago(1), ""));
        },
        Protected,
        "did not begin within its window",
        "describe-backup-job",
    ),
    (
        "a job that failed before the last point",
        |case| {
            case.recovery.job(job(JobState::Failed, ago(5), "x"));
            case.recovery.point(point(PointState::Usable, ago(4)));
        },
        Protected,
        "",
        "",
    ),
    (
        "a kind that is left out, though the first run is not due",
        |case| {
            case.ground.takes.insert("EBS".into(), false);
            case.since = ago(1);
        },
        Unprotected,
        "leaves out EBS in eu-west-1",
        "--resource-type-opt-in-preference EBS=true",
    ),
    ("nothing, and the first run is not due", |case| case.since = ago(1), Waiting, "due by 2026-11-29 13:00 UTC", ""),
    ("nothing, and the first run was due", |case| case.since = ago(27), Unprotected, "there is no usable", "the tag has exactly"),
    ("another region", |case| case.region = "us-east-1", Unprotected, "not about us-east-1", "add us-east-1"),
    ("observe only", |case| case.may_write = false, Unprotected, "lacks the capability Backup", "add Backup"),
    (
        "observe only, and someone else's plan covers it",
        |case| {
            case.may_write = false;
            case.recovery.point(RecoveryPoint { vault: "Default".into(), ..point(PointState::Usable, ago(3)) });
        },
        Protected,
        "",
        "",
    ),
    (
        "someone else's plan covers it",
        |case| case.recovery.point(RecoveryPoint { vault: "Default".into(), ..point(PointState::Usable, ago(3)) }),
        Protected,
        "",
        "",
    ),
];

#[test]
fn each_case_from_practice_has_its_verdict() {
    for (why, change, state, reason, cure) in CASES {
        let found = judged(change);
        assert_eq!(found.state, state, "{why}: {found:?}");
        assert!(found.reason.contains(reason) && found.cure.contains(cure), "{why}: {found:?}");
        assert_eq!(found.reason.is_empty(), reason.is_empty(), "{why}: {found:?}");
        assert!(!found.is_told() || !found.cure.is_empty(), "{why}: each gap has a cure: {found:?}");
    }
}

#[test]
fn states_that_cannot_be_restored_protect_nobody() {
    for state in
        [PointState::Creating, PointState::Partial, PointState::Stopped, PointState::Expired, PointState::Deleting, PointState::Unknown]
    {
        let found = judged(|case| case.recovery.point(point(state, ago(1))));
        assert_eq!(found.state, BackupState::Unprotected, "{state:?}: {found:?}");
    }
}

#[test]
fn a_tag_that_was_lost_is_told_where_something_was_saved_by_us() {
    let lost = |vault: &str| {
        let mut recovery = Recovery::new("caretaker-acme-main", now());
        recovery.point(RecoveryPoint { vault: vault.into(), ..point(PointState::Usable, ago(90)) });
        lost_tag(&terms(), recovery.of(ARN).unwrap())
    };
    let found = lost("caretaker-acme-main").unwrap();
    assert!(found.state == BackupState::Unselected && found.reason.contains("lost the tag backup=daily"), "{found:?}");
    assert_eq!(lost("Default"), None, "what others save is theirs");
}

const MACHINE: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/web";
const DISK: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/disks/data";

/// A machine or disk on Azure that was made so many hours ago, judged by what was read.
fn on_azure(id: &str, made: i64, read: impl FnOnce(&mut Recovery)) -> Judged {
    let is_disk = id == DISK;
    let (kind, native) =
        if is_disk { (AssetType::Volume, "microsoft.compute/disks") } else { (AssetType::Instance, "microsoft.compute/virtualmachines") };
    let mut asset = Asset { native_type: native.into(), created: Some(ago(made)), ..Asset::new(Cloud::Azure, "s", "westeurope", kind, id) };
    if is_disk {
        asset.facts.insert("managedBy".into(), MACHINE.into());
    }
    let terms = BackupTerms { regions: vec!["eu-west-1".into(), "westeurope".into()], ..terms() };
    let mut recovery = Recovery::new("caretaker-acme-main", now());
    read(&mut recovery);
    let source = source_of(&asset).unwrap();
    let measure = Measure { terms: &terms, may_write: false, ground: &Ground::default(), since: ago(1000), now: now() };
    judge((&asset, &source), recovery.about(&source).as_deref(), measure)
}

fn fresh_machine() -> Asset {
    let native_type = "microsoft.compute/virtualmachines".into();
    Asset { native_type, created: Some(ago(1)), ..Asset::new(Cloud::Azure, "s", "westeurope", AssetType::Instance, MACHINE) }
}

fn azure_point(hours: i64) -> RecoveryPoint {
    RecoveryPoint { source: MACHINE.into(), region: "westeurope".into(), vault: "main".into(), ..point(PointState::Usable, ago(hours)) }
}

#[test]
fn a_machine_that_was_rebuilt_under_a_name_is_not_protected_by_the_points_of_the_earlier_one() {
    assert_eq!(on_azure(MACHINE, 500, |recovery| recovery.point(azure_point(9))).state, Protected);
    let found = on_azure(MACHINE, 8, |recovery| recovery.point(azure_point(9)));
    assert!(
        found.state == Unprotected && found.reason.contains("is of an earlier one, since this one was made at 2026-11-28 04:00"),
        "{found:?}"
    );
    // In soft delete: nothing is usable, and the name is taken.
    let found = on_azure(MACHINE, 8, |recovery| {
        recovery.point(RecoveryPoint { state: PointState::Deleting, ..azure_point(9) });
        recovery.hindered(MACHINE, Hindrance { why: "its name is in soft delete".into(), cure: "az backup protection undelete".into() });
    });
    assert_eq!(found.state, Unprotected);
    assert!(found.reason.contains("is being deleted") && found.reason.contains("its name is in soft delete"), "{found:?}");
    assert!(found.cure.contains("undelete"), "{found:?}");
}

#[test]
fn a_disk_is_as_protected_as_its_machine_where_that_leaves_no_disk_out() {
    assert_eq!(on_azure(DISK, 500, |recovery| recovery.point(azure_point(9))).state, Protected);
    let found = on_azure(DISK, 500, |recovery| recovery.point(RecoveryPoint { leaves_out: true, ..azure_point(9) }));
    assert_eq!(found.state, Unprotected, "a point that leaves disks out says nothing of a disk: {found:?}");
    assert_eq!(on_azure(DISK, 8, |recovery| recovery.point(azure_point(9))).state, Unprotected, "it was attached after the last point");
    let own = |recovery: &mut Recovery| {
        recovery.point(RecoveryPoint { leaves_out: true, ..azure_point(9) });
        recovery.point(RecoveryPoint { source: DISK.into(), ..azure_point(3) });
    };
    assert_eq!(on_azure(DISK, 500, own).state, Protected);
}

#[test]
fn where_others_save_nothing_is_told_and_where_nobody_does_the_way_is() {
    let found = on_azure(MACHINE, 500, |recovery| recovery.point(azure_point(9)));
    assert_eq!((found.state, found.is_told()), (Protected, false));
    let found = on_azure(MACHINE, 500, |_| {});
    assert!(found.state == Unprotected && found.cure.contains("Recovery Services vault"), "{found:?}");
    // A fresh one may be saved tonight: that nobody does is known only later.
    let (asset, terms) = (fresh_machine(), BackupTerms { regions: vec!["westeurope".into()], ..terms() });
    let source = source_of(&asset).unwrap();
    let measure = Measure { terms: &terms, may_write: false, ground: &Ground::default(), since: ago(1), now: now() };
    assert_eq!(judge((&asset, &source), None, measure).state, Waiting);
    let failed = |recovery: &mut Recovery| {
        recovery.job(BackupJob { id: "/subscriptions/s/j".into(), source: MACHINE.into(), ..job(JobState::Failed, ago(2), "VM agent") });
        recovery.point(azure_point(90));
    };
    let found = on_azure(MACHINE, 500, failed);
    assert!(
        found.state == Failing && found.reason.contains("VM agent") && found.cure == "az backup job show --ids /subscriptions/s/j",
        "{found:?}"
    );
}

#[test]
fn the_key_of_a_tag_has_no_letter_case_on_azure_alone() {
    let tagged = |cloud: Cloud, key: &str| {
        let tags = [(key.to_owned(), "daily".to_owned())].into();
        is_selected(&terms(), &Asset { tags, ..Asset::new(cloud, "a", "r", AssetType::Volume, "d") })
    };
    assert!(tagged(Cloud::Azure, "Backup") && tagged(Cloud::Azure, "backup") && tagged(Cloud::Gcp, "backup"));
    assert!(!tagged(Cloud::Aws, "Backup") && !tagged(Cloud::Gcp, "Backup"));
}

#[test]
fn each_job_is_shown_by_the_command_of_its_cloud() {
    let of = |cloud: Cloud, job: &str| show(&Asset::new(cloud, "a", "eu-west-1", AssetType::Volume, "d"), job);
    assert!(of(Cloud::Aws, "j").ends_with("--region eu-west-1 --backup-job-id j"));
    assert_eq!(of(Cloud::Gcp, "projects/p/instances/db/backupRuns/7"), "gcloud sql backups describe 7 --instance db --project p");
    assert!(of(Cloud::Gcp, "projects/p/global/snapshots/s").starts_with("gcloud compute snapshots describe https://"));
    assert!(of(Cloud::Gcp, "projects/p/zones/z/operations/o").starts_with("gcloud compute operations describe https://"));
}
