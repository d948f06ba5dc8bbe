use caretaker_cloud::{
    Asset, AssetType, AwsType, BackupJob, Cloud, CloudError, ErrorClass, JobState, PointState, RecoveryPoint, RecoverySink,
};
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

fn policy() -> BackupPolicy {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "BackupPolicy",
        "metadata": {"name": "main", "namespace": "client-acme", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1},
        "spec": {
            "accounts": ["prod"], "dailyAt": "03:05", "retentionDays": 30, "tag": {"key": "backup", "value": "daily"},
            "regions": ["eu-west-1", "us-east-1"],
        },
    }))
    .unwrap()
}

fn line(region: &str, number: usize, tags: &[(&str, &str)], verdict: ScopeVerdict) -> Line {
    let id = format!("vol-{number}");
    let asset = Asset {
        service: AwsType::Volume.service().into(),
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        created: Some(Timestamp::UNIX_EPOCH),
        ..Asset::new(Cloud::Aws, "111122223333", region, AssetType::Volume, &id)
    };
    Line { asset, verdict, exclusion: String::new() }
}

const TAGGED: &[(&str, &str)] = &[("backup", "daily")];

fn arn(region: &str, number: usize) -> String {
    format!("arn:aws:ec2:{region}:111122223333:volume/vol-{number}")
}

fn point(region: &str, number: usize, hours: i64) -> RecoveryPoint {
    RecoveryPoint {
        id: format!("p-{number}-{hours}"),
        region: region.into(),
        vault: "caretaker-acme-main".into(),
        source: arn(region, number),
        state: PointState::Usable,
        created: ago(hours),
        deleted_at: None,
        held_until: None,
        continuous: false,
        leaves_out: false,
        message: String::new(),
    }
}

fn read(points: &[RecoveryPoint], refused: &[&str]) -> Recovery {
    let mut recovery = Recovery::new("caretaker-acme-main", now());
    for region in ["eu-west-1", "us-east-1"] {
        recovery.begin("prod", region);
        if refused.contains(&region) {
            recovery.end(Err(CloudError::new(ErrorClass::Denied, "backup:ListBackupVaults", "a policy of the organization")));
            continue;
        }
        points.iter().filter(|point| point.region == region).for_each(|found| recovery.point(found.clone()));
        recovery.end(Ok(Ground::default()));
    }
    recovery
}

fn join(recovery: &mut Recovery, lines: &[Line], before: Option<Since>) -> Joined {
    let policy = policy();
    let mut join = Join::new(&policy, recovery, (before, now()));
    for line in lines {
        join.take(("prod", true), line);
    }
    join.finish(Vec::new())
}

fn covered(numbers: std::ops::Range<usize>) -> Vec<Line> {
    numbers.map(|number| line("eu-west-1", number, TAGGED, ScopeVerdict::Covered)).collect()
}

#[test]
fn only_points_make_the_condition_true() {
    let of = |points: &[RecoveryPoint], lines: &[Line], refused: &[&str]| {
        let joined = join(&mut read(points, refused), lines, None);
        let (is, reason, message) = condition(&policy().spec.terms, &joined.status);
        (is, reason, message, joined.status)
    };
    let good: Vec<RecoveryPoint> = (0..3).map(|number| point("eu-west-1", number, 9 + i64::try_from(number).unwrap())).collect();
    let (is, _, message, found) = of(&good, &covered(0..3), &[]);
    assert_eq!((is, message.as_str()), (Is::True, "all 3 assets can be restored to a moment within 26 hours"));
    assert_eq!((found.text.as_str(), found.oldest), ("3/3", Some(Time(ago(11)))), "the worst asset decides");
    let (is, reason, message, found) = of(&good[..2], &covered(0..3), &[]);
    assert_eq!((is, reason, found.text.as_str()), (Is::False, Reason::NotAllProtected, "2/3"));
    assert!(message.contains("volume vol-2 in prod, eu-west-1: there is no usable recovery point"), "{message}");
    // One region refuses: the other is told all the same, and nothing is True.
    let (is, reason, message, found) = of(&good, &covered(0..3), &["us-east-1"]);
    assert_eq!((is, reason, found.protected), (Is::Unknown, Reason::Incomplete, 3));
    assert!(message.contains("account prod, us-east-1") && message.contains("a policy of the organization"), "{message}");
    let (is, _, _, found) = of(&good, &covered(0..3), &["eu-west-1"]);
    assert_eq!(
        (is, found.unknown, found.protected, found.unprotected),
        (Is::Unknown, 3, 0, 0),
        "of what was not asked nothing is concluded"
    );
    // Nothing has the tag.
    let untagged = [line("eu-west-1", 0, &[("Backup", "daily")], ScopeVerdict::Covered)];
    let (is, reason, message, _) = of(&[], &untagged, &[]);
    assert_eq!((is, reason), (Is::False, Reason::NothingSelected), "{message}");
    assert_eq!(of(&[], &[], &[]).0, Is::Unknown);
    // What is not looked after is nobody's gap.
    let excluded = [line("eu-west-1", 9, TAGGED, ScopeVerdict::Excluded), line("eu-west-1", 8, TAGGED, ScopeVerdict::Unclassified)];
    assert_eq!(of(&good, &[covered(0..3), excluded.to_vec()].concat(), &[]).0, Is::True);
}

#[test]
fn a_fresh_asset_waits_for_its_first_run_and_no_longer() {
    let told = |joined: &Joined| condition(&policy().spec.terms, &joined.status);
    // A later reading, which noted earlier ones: an old disk that was tagged today waits from today on.
    let first = join(&mut read(&[], &[]), &covered(0..1), Some(Since::new()));
    assert_eq!((told(&first).0, told(&first).1, first.since.len()), (Is::Unknown, Reason::Progressing, 1));
    let before = Since::from([(arn("eu-west-1", 0), ago(27))]);
    let second = join(&mut read(&[], &[]), &covered(0..1), Some(before.clone()));
    assert_eq!((told(&second).0, &second.since), (Is::False, &before), "since when it lacks one is kept");
    let cured = join(&mut read(&[point("eu-west-1", 0, 1)], &[]), &covered(0..1), Some(before));
    assert!(told(&cured).0 == Is::True && cured.since.is_empty());
    // Nothing was noted: policy and disk are old, so that no time is granted.
    assert_eq!(told(&join(&mut read(&[], &[]), &covered(0..1), None)).0, Is::False);
}

#[test]
fn the_worst_twenty_are_named_and_the_others_are_counted() {
    let stale: Vec<RecoveryPoint> = (0..100).map(|number| point("eu-west-1", number, 100 + i64::try_from(number).unwrap())).collect();
    let found = join(&mut read(&stale, &[]), &covered(0..150), None).status;
    assert_eq!((found.gaps.len(), found.more_gaps, found.stale, found.unprotected), (NAMED, 130, 100, 50));
    assert!(found.gaps.iter().all(|gap| gap.state == BackupState::Unprotected), "none at all is worse than an old one");
    let found = join(&mut read(&stale, &[]), &covered(0..100), None).status;
    assert_eq!(found.gaps[0].id, "vol-99", "the oldest comes first");
}

#[test]
fn what_is_gone_is_orphaned_where_everything_was_read() {
    let mut others = point("eu-west-1", 7, 3);
    others.vault = "Default".into();
    let points = [point("eu-west-1", 0, 3), point("eu-west-1", 5, 3), point("eu-west-1", 5, 99), others];
    assert_eq!(join(&mut read(&points, &[]), &covered(0..1), None).status.orphaned, 1, "points of others are theirs");
    assert_eq!(join(&mut read(&points, &["us-east-1"]), &covered(0..1), None).status.orphaned, 0);
    // A machine that lost its tag is there all the same.
    let untagged = [line("eu-west-1", 5, &[], ScopeVerdict::Covered)];
    let found = join(&mut read(&points, &[]), &[covered(0..1), untagged.to_vec()].concat(), None).status;
    assert_eq!((found.orphaned, found.unselected, found.gaps.len()), (0, 1, 1));
    assert_eq!(condition(&policy().spec.terms, &found).0, Is::True, "a tag that was taken off is told, and is no fault of the backups");
}

#[test]
fn points_are_read_when_it_is_time_or_somebody_asks() {
    let with = |is: &str, read: Timestamp| {
        let mut policy = policy();
        let condition = json!({
            "type": "BackupsProtected", "status": is, "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let status = json!({
            "observedGeneration": 1, "conditions": [condition], "lastHandledRequest": "1",
            "protection": {"readAt": read.to_string(), "inventories": "abc"},
        });
        policy.status = Some(serde_json::from_value(status).unwrap());
        policy
    };
    let minutes = |count: i64| now() - SignedDuration::from_mins(count);
    for (why, policy, inventories, request, due) in [
        ("never read", policy(), "abc", None, true),
        ("all is well, read lately", with("True", minutes(50)), "abc", Some("1"), false),
        ("all is well, an hour ago", with("True", minutes(56)), "abc", Some("1"), true),
        ("a gap, just read", with("False", minutes(5)), "abc", None, false),
        ("a gap", with("False", minutes(9)), "abc", None, true),
        ("somebody asks", with("True", minutes(1)), "abc", Some("2"), true),
        ("another inventory", with("True", minutes(1)), "abd", None, true),
    ] {
        assert_eq!(is_due(&policy, inventories, (request, now())), due, "{why}");
    }
    let mut edited = with("True", minutes(1));
    edited.metadata.generation = Some(2);
    assert!(is_due(&edited, "abc", (None, now())), "the policy was edited");
}

#[test]
fn jobs_are_asked_for_so_far_back_that_none_ends_unseen() {
    let mut policy = policy();
    assert_eq!(jobs_since(&policy, now()), ago(24 * 30));
    for (read, since) in [(ago(1), ago(24 * 7 + 1)), (ago(24 * 10), ago(24 * 17)), (ago(24 * 90), ago(24 * 30))] {
        policy.status = serde_json::from_value(json!({"protection": {"readAt": read.to_string()}})).unwrap();
        assert_eq!(jobs_since(&policy, now()), since);
    }
}

#[test]
fn news_are_told_once() {
    let terms = policy().spec.terms;
    let status = |is: &str| -> BackupPolicyStatus {
        let condition = json!({
            "type": "BackupsProtected", "status": is, "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        serde_json::from_value(json!({"conditions": [condition]})).unwrap()
    };
    let good = ProtectionStatus { assets: 1, protected: 1, ..ProtectionStatus::default() };
    let bad = ProtectionStatus { assets: 1, stale: 1, ..ProtectionStatus::default() };
    for (before, found, told) in [
        (Some("True"), &bad, Some(false)),
        (Some("False"), &bad, None),
        (Some("False"), &good, Some(true)),
        (Some("True"), &good, None),
        (Some("Unknown"), &good, None),
        (None, &bad, Some(false)),
    ] {
        let before = before.map(status);
        assert_eq!(news(&terms, before.as_ref(), found).map(|(is_good, _)| is_good), told, "{before:?}");
    }
}

/// One entry for each source is held, however many points it has.
#[test]
fn memory_grows_with_what_is_saved_and_not_with_how_often() {
    let mut recovery = Recovery::new("caretaker-acme-main", now());
    recovery.begin("prod", "eu-west-1");
    for number in 0..1000 {
        (0..30).for_each(|day| recovery.point(point("eu-west-1", number, 3 + day * 24)));
        let job = BackupJob {
            id: format!("j-{number}"),
            region: "eu-west-1".into(),
            vault: "v".into(),
            source: arn("eu-west-1", number),
            state: JobState::Completed,
            created: ago(3),
            ended: None,
            point: None,
            message: String::new(),
        };
        recovery.job(job);
    }
    recovery.end(Ok(Ground::default()));
    recovery.begin("prod", "us-east-1");
    recovery.end(Ok(Ground::default()));
    let known = recovery.of(&arn("eu-west-1", 5)).unwrap();
    assert_eq!((known.usable, &known.other), (Some(ago(3)), &None));
    assert_eq!(join(&mut recovery, &covered(0..1000), None).status.text, "1000/1000");
}

/// The status and the bundle tell names, and a client's people put logins into them.
#[test]
fn a_login_in_a_name_is_told_nowhere() {
    let policy = policy();
    let mut recovery = read(&[], &[]);
    let mut join = Join::new(&policy, &mut recovery, (None, now()));
    let mut named = line("eu-west-1", 1, TAGGED, ScopeVerdict::Covered);
    named.asset.name = "postgres://app:hunter2hunter2@db.example/x".into();
    let row = join.take(("prod", true), &named).unwrap();
    let found = join.finish(Vec::new()).status;
    assert!(row.contains("db.example") && !row.contains("hunter2"), "{row}");
    let gap = &found.gaps[0];
    assert!(gap.name.contains("db.example") && !gap.name.contains("hunter2"), "{gap:?}");
}

#[test]
fn a_disk_in_a_zone_is_judged_by_what_was_read_of_its_region() {
    let mut policy = policy();
    policy.spec.terms.regions = vec!["eu-west-1".into(), "europe-west1".into()];
    let id = "//compute.googleapis.com/projects/p/zones/europe-west1-b/disks/d";
    let disk = |zone: &str| {
        let tags = [("backup".to_owned(), "daily".to_owned())].into();
        let asset = Asset {
            native_type: "compute.googleapis.com/Disk".into(),
            created: Some(Timestamp::UNIX_EPOCH),
            tags,
            ..Asset::new(Cloud::Gcp, "p", zone, AssetType::Volume, id)
        };
        Line { asset, verdict: ScopeVerdict::Covered, exclusion: String::new() }
    };
    let of = |zone: &str, came: Result<Ground, CloudError>| {
        let mut recovery = Recovery::new("caretaker-acme-main", now());
        recovery.begin("prod", "europe-west1");
        recovery.point(RecoveryPoint { source: id.into(), vault: "snapshots".into(), ..point("europe-west1", 1, 3) });
        recovery.end(came);
        let mut join = Join::new(&policy, &mut recovery, (None, now()));
        join.take(("prod", false), &disk(zone));
        join.finish(Vec::new()).status
    };
    let found = of("europe-west1-b", Ok(Ground::default()));
    assert_eq!((found.protected, found.gaps.len()), (1, 0), "{found:?}");
    let refused = CloudError::new(ErrorClass::Denied, "compute:snapshots.list", "no");
    let found = of("europe-west1-b", Err(refused));
    assert_eq!((found.protected, found.unprotected, found.unknown), (0, 0, 1), "of what was refused nothing is concluded");
    let found = of("us-east4-a", Ok(Ground::default()));
    assert!(found.gaps[0].cure.contains("add us-east4 to the regions"), "{found:?}");
}

#[test]
fn what_is_held_tells_when_everything_could_be_erased_at_the_earliest() {
    let held = |until: i64| RecoveryPoint { held_until: Some(ago(-until)), ..point("eu-west-1", 0, 3) };
    let of = |points: &[RecoveryPoint]| join(&mut read(points, &[]), &covered(0..1), None).status.earliest_erasure;
    assert_eq!(of(&[point("eu-west-1", 0, 3)]), None);
    assert_eq!(of(&[held(5), held(90), held(-9)]), Some(Time(ago(-90))), "the last one decides, and what is over holds nothing");
    assert_eq!(of(&[held(-9)]), None);
}

#[test]
fn a_long_id_is_told_by_the_part_that_people_know() {
    let of = |id: &str, name: &str| {
        named(&BackupGap {
            kind: "instance".into(),
            id: id.into(),
            name: name.into(),
            account: "a".into(),
            region: "r".into(),
            ..BackupGap::default()
        })
    };
    let azure = "/subscriptions/s/resourcegroups/prod/providers/microsoft.compute/virtualmachines/web";
    assert_eq!(of(azure, "Web"), "instance prod/web in a, r");
    assert_eq!(of("//compute.googleapis.com/projects/p/zones/z/instances/web", "shop"), "instance web (shop) in a, r");
    assert_eq!(of("i-1", ""), "instance i-1 in a, r");
    assert_eq!(of("i-1", "web"), "instance i-1 (web) in a, r");
}
