use caretaker_cloud::{AssetType, Cloud};
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

fn terms() -> RestoreTest {
    serde_json::from_value(json!({"every": "Week", "sample": 2, "maxGib": 100})).unwrap()
}

fn run(state: RestoreState, is_sound: Option<bool>) -> RestoreRun {
    RestoreRun {
        id: "run-1".into(),
        source: "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1".into(),
        point: "arn:aws:ec2:eu-west-1::snapshot/snap-1".into(),
        state,
        began: ago(3),
        ended: (state != RestoreState::UnderWay).then(|| ago(3) + SignedDuration::from_secs(754)),
        restored: (state == RestoreState::Completed).then(|| "arn:aws:ec2:eu-west-1:111122223333:volume/vol-9".into()),
        is_sound,
        is_noted: false,
        removal: Removal::Pending,
        message: String::new(),
    }
}

fn wanted() -> RestoreTestTerms {
    RestoreTestTerms {
        region: "eu-west-1".into(),
        name: "caretaker_acme_main".into(),
        schedule: schedule(RestoreEvery::Week).into(),
        role_arn: "role".into(),
        sources: vec!["a".into()],
    }
}

#[test]
fn a_sample_is_small_of_small_disks_and_another_one_in_time() {
    let sample = |now: Timestamp| {
        let mut sample = Sample::new(&terms(), now);
        for number in 0..50 {
            let size = match number {
                0..40 => Some(Size::Gib(8)),
                40..45 => Some(Size::Gib(101)),
                _ => None,
            };
            let service = AwsType::Volume.service().into();
            let asset = Asset { service, size, ..Asset::new(Cloud::Aws, "1", "eu-west-1", AssetType::Volume, "v") };
            sample.take("prod", &asset, &format!("vol-{number:02}"));
        }
        let machine =
            Asset { service: AwsType::Instance.service().into(), ..Asset::new(Cloud::Aws, "1", "eu-west-1", AssetType::Instance, "i") };
        sample.take("prod", &machine, "i-1");
        sample.of("prod", "eu-west-1")
    };
    let first = sample(now());
    assert_eq!((first.len(), &first), (2, &sample(now())), "the same all through an interval");
    let seen: BTreeSet<String> = (0..200).flat_map(|week| sample(now() + SignedDuration::from_hours(24 * 7 * week))).collect();
    assert_eq!(seen.len(), 40, "each small disk has its turn, and no other: {seen:?}");
    assert!(Sample::new(&terms(), now()).of("prod", "eu-west-1").is_empty());
}

#[test]
fn a_test_is_put_back_and_each_restore_gets_one_verdict() {
    let held = |terms: Option<RestoreTestTerms>, runs: Vec<RestoreRun>| RestoreTestState { terms, runs };
    assert!(matches!(steps(&wanted(), &held(None, Vec::new()))[..], [CloudStep::SetRestoreTest { .. }]));
    assert!(steps(&wanted(), &held(Some(wanted()), Vec::new())).is_empty(), "a second pass writes nothing");
    for changed in [
        RestoreTestTerms { sources: vec!["b".into()], ..wanted() },
        RestoreTestTerms { schedule: "cron(0 0 * * ? *)".into(), ..wanted() },
        RestoreTestTerms { role_arn: "other".into(), ..wanted() },
    ] {
        assert_eq!(steps(&wanted(), &held(Some(changed), Vec::new())).len(), 1);
    }
    let nothing = RestoreTestTerms { sources: Vec::new(), ..wanted() };
    assert!(steps(&nothing, &held(None, Vec::new())).is_empty(), "without a disk there is no test");
    let noted = RestoreRun { is_noted: true, ..run(RestoreState::Completed, Some(true)) };
    let runs = vec![
        run(RestoreState::UnderWay, None),
        run(RestoreState::Failed, None),
        run(RestoreState::Completed, None),
        noted,
        run(RestoreState::Completed, Some(true)),
    ];
    let owed = steps(&wanted(), &held(Some(wanted()), runs));
    let [CloudStep::NoteRestore { seconds, is_sound, .. }] = owed.as_slice() else { panic!("{owed:?}") };
    assert_eq!((*seconds, *is_sound), (754, true));
}

#[test]
fn the_condition_speaks_of_what_was_restored() {
    let status = |runs: &[RestoreRun]| {
        let records = runs.iter().filter_map(|run| record(("prod", "eu-west-1"), run, now())).collect();
        merge(None, records, Vec::new(), 1)
    };
    let of = |runs: &[RestoreRun]| condition(Some(&terms()), Some(&status(runs)), now());
    let good = run(RestoreState::Completed, Some(true));
    let gone = RestoreRun { removal: Removal::Done, ..good.clone() };
    let earlier = |run: &RestoreRun, hours: i64| RestoreRun {
        id: format!("run-{hours}"),
        began: ago(hours),
        ended: Some(ago(hours) + SignedDuration::from_secs(60)),
        ..run.clone()
    };
    let refused = RestoreRun { message: "no key".into(), ..run(RestoreState::Failed, None) };
    for (why, runs, is, reason, part) in [
        ("passed", vec![good.clone()], Is::True, Reason::Proven, "in 754 s"),
        ("passed and gone", vec![gone.clone()], Is::True, Reason::Proven, "in 754 s"),
        ("none has ended", vec![run(RestoreState::UnderWay, None)], Is::Unknown, Reason::Progressing, "on its schedule"),
        ("failed", vec![refused.clone()], Is::False, Reason::Failed, "came to Failed: no key"),
        ("not sound", vec![run(RestoreState::Completed, Some(false))], Is::False, Reason::Failed, "came to Failed"),
        ("does not end", vec![earlier(&run(RestoreState::UnderWay, None), 25)], Is::False, Reason::Failed, "came to TimedOut"),
        ("failed, passed before", vec![refused, earlier(&gone, 200)], Is::False, Reason::Failed, "no key"),
        ("passed long ago", vec![earlier(&gone, 24 * 15)], Is::False, Reason::Failed, "two intervals"),
        (
            "left behind",
            vec![RestoreRun { removal: Removal::Failed, ..good.clone() }],
            Is::False,
            Reason::Failed,
            "aws ec2 delete-volume --region eu-west-1 --volume-id vol-9",
        ),
        ("not deleted for a day", vec![earlier(&good, 26)], Is::False, Reason::Failed, "delete-volume"),
    ] {
        let (found, word, message) = of(&runs);
        assert_eq!((found, word), (is, reason), "{why}: {message}");
        assert!(message.contains(part), "{why}: {message}");
    }
    assert_eq!(condition(None, None, now()).1, Reason::NotRequested);
    let nothing = merge(None, Vec::new(), Vec::new(), 0);
    assert_eq!(condition(Some(&terms()), Some(&nothing), now()).1, Reason::NothingSelected);
}

#[test]
fn records_are_replaced_by_what_is_known_later_and_the_newest_stand_first() {
    let of = |run: &RestoreRun| record(("prod", "eu-west-1"), run, now()).unwrap();
    let first = merge(None, vec![of(&run(RestoreState::Completed, Some(true)))], Vec::new(), 1);
    assert!(!first.records[0].removed && first.records[0].digest.len() == 64);
    let later: Vec<RestoreTestRecord> = (0..15)
        .map(|number| {
            let id = format!("run-{number}");
            of(&RestoreRun { id, began: ago(number + 2), removal: Removal::Done, ..run(RestoreState::Completed, Some(true)) })
        })
        .collect();
    let second = merge(Some(&first), later, Vec::new(), 1);
    assert_eq!((second.records.len(), second.records[0].run.as_str()), (KEPT, "run-0"));
    assert!(second.records.iter().find(|record| record.run == "run-1").is_some_and(|record| record.removed), "said anew");
}

#[test]
fn names_are_as_aws_takes_them() {
    assert_eq!(name("caretaker-acme-main"), "caretaker_acme_main");
    assert!(name(&"a.b".repeat(5)).starts_with("caretaker_") && name(&"x".repeat(60)).len() == 42);
}
