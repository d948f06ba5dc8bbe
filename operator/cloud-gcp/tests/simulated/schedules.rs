//! Snapshot schedules: made once, put back where they drift, attached to disks that have none.

use caretaker_cloud::manifest::gcp_permissions;
use caretaker_cloud::{CloudLink, CloudStep, ErrorClass, Intent, ProtectionState, Purpose, StepOutcome};
use caretaker_google_simulator::recovery::instance;
use caretaker_google_simulator::schedules::{daily, policy};
use caretaker_google_simulator::{Fault, FaultKind, READ_ROLE};
use serde_json::{Value, json};

use crate::stage::{CLIENT, Stage};

const REGION: &str = "europe-west1";
const NAME: &str = "caretaker-acme-main";

fn id(path: &str) -> String {
    format!("//compute.googleapis.com/projects/{}/{path}", CLIENT.0)
}

fn disk(name: &str) -> String {
    format!("zones/europe-west1-b/disks/{name}")
}

/// A stage whose client has granted what backups need, with these disks.
async fn stage(disks: &[&str]) -> Stage {
    let stage = Stage::set().await;
    let mut world = stage.simulator.world();
    let role = world.roles.get_mut(&format!("projects/{}/roles/{READ_ROLE}", CLIENT.0)).expect("the role");
    role.extend(gcp_permissions(Purpose::Backup).iter().map(|action| action.name.to_owned()));
    for path in disks {
        world.add_row(CLIENT.0, json!({"name": id(path), "assetType": "compute.googleapis.com/Disk"}));
    }
    drop(world);
    stage
}

fn intent(sources: &[String]) -> Intent {
    Intent { name: NAME.into(), regions: vec![REGION.into()], sources: sources.iter().map(|path| id(path)).collect() }
}

async fn state(link: &dyn CloudLink, of: &Intent) -> ProtectionState {
    link.protection(of).await.expect("it can be read")
}

fn create() -> CloudStep {
    CloudStep::CreateSchedule { region: REGION.into(), name: NAME.into(), at: "03:00".into(), retention_days: 30 }
}

fn on(disks: &[String]) -> CloudStep {
    CloudStep::AttachSchedule { region: REGION.into(), name: NAME.into(), disks: disks.iter().map(|path| id(path)).collect() }
}

async fn outcome(link: &dyn CloudLink, step: &CloudStep) -> StepOutcome {
    link.perform("key", step).await.expect("the step can be done").outcome
}

fn held(stage: &Stage, change: impl FnOnce(&mut Value)) {
    change(&mut stage.simulator.world().projects.get_mut(CLIENT.0).expect("the project").policies[0]["snapshotSchedulePolicy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_made_attached_and_read_back_and_again_changes_nothing() {
    let regional = "regions/europe-west1/disks/both".to_owned();
    let all = [disk("data"), regional.clone()];
    let stage = stage(&[&all[0], &all[1], &disk("elsewhere")]).await;
    let (link, of) = (stage.link(Purpose::Backup).await, intent(&all));
    let before = state(link.as_ref(), &of).await;
    assert_eq!((before.schedules.len(), before.disks.len()), (0, 2), "{before:?}");
    for expected in [StepOutcome::Done, StepOutcome::AlreadyDone] {
        assert_eq!(outcome(link.as_ref(), &create()).await, expected);
        assert_eq!(outcome(link.as_ref(), &on(&all)).await, expected);
    }
    let after = state(link.as_ref(), &of).await;
    let [schedule] = after.schedules.as_slice() else { panic!("one: {after:?}") };
    assert_eq!((schedule.runs.as_str(), schedule.retention_days, schedule.ends_with_disk), ("daily at 03:00", 30, true));
    assert!(after.disks.iter().all(|disk| disk.is_selected && disk.schedules == [NAME]), "{after:?}");
    held(&stage, |policy| assert_eq!(policy["snapshotProperties"]["storageLocations"], json!([REGION]), "in the disk's own region"));
    // One that lost its label, and one that is gone.
    let off = CloudStep::DetachSchedule { region: REGION.into(), name: NAME.into(), disks: vec![id(&regional), id(&disk("gone"))] };
    let left = state(link.as_ref(), &intent(&all[..1])).await;
    assert!(left.disks.iter().any(|disk| !disk.is_selected && disk.schedules == [NAME]), "it still has our schedule: {left:?}");
    for expected in [StepOutcome::Done, StepOutcome::AlreadyDone] {
        assert_eq!(outcome(link.as_ref(), &off).await, expected);
    }
    assert_eq!(state(link.as_ref(), &intent(&all[..1])).await.disks.len(), 1);
    let off = CloudStep::DetachSchedule { region: REGION.into(), name: NAME.into(), disks: vec![id(&all[0])] };
    assert_eq!(outcome(link.as_ref(), &off).await, StepOutcome::Done);
    let named: Vec<&str> =
        [Purpose::Read, Purpose::Backup].into_iter().flat_map(gcp_permissions).flat_map(|action| action.call.split(", ")).collect();
    let exchanges = stage.simulator.exchanges();
    let made: Vec<&str> =
        exchanges.iter().filter_map(|exchange| exchange["call"].as_str()).filter(|call| call.starts_with("compute.")).collect();
    assert!(made.iter().all(|call| named.contains(call)), "{made:?}");
    let used = |call: &&&str| made.contains(*call) || **call == "compute.resourcePolicies.patch";
    let asked: Vec<&str> = gcp_permissions(Purpose::Backup).iter().flat_map(|action| action.call.split(", ")).collect();
    assert_eq!(asked.iter().filter(|call| !used(call)).count(), 0, "the manifest asks for what is called, and nothing else: {made:?}");
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_shows_and_is_put_back_while_the_schedule_stays_attached() {
    let stage = stage(&[&disk("data")]).await;
    let (link, of) = (stage.link(Purpose::Backup).await, intent(&[disk("data")]));
    outcome(link.as_ref(), &create()).await;
    outcome(link.as_ref(), &on(&[disk("data")])).await;
    let right = state(link.as_ref(), &of).await;
    let put_back = CloudStep::UpdateSchedule { region: REGION.into(), name: NAME.into(), at: "03:00".into(), retention_days: 30 };
    for (why, edit) in [
        ("another hour", json!({"schedule": {"dailySchedule": {"daysInCycle": 1, "startTime": "05:00"}}})),
        ("each other day", json!({"schedule": {"dailySchedule": {"daysInCycle": 2, "startTime": "03:00"}}})),
        ("hourly", json!({"schedule": {"hourlySchedule": {"hoursInCycle": 4, "startTime": "03:00"}}})),
        ("kept for less, and for ever once the disk is gone", json!({"retentionPolicy": {"maxRetentionDays": 3}})),
    ] {
        held(&stage, |policy| edit.as_object().expect("fields").iter().for_each(|(field, value)| policy[field] = value.clone()));
        let drifted = state(link.as_ref(), &of).await;
        assert_ne!(drifted.schedules, right.schedules, "{why}");
        for expected in [StepOutcome::Done, StepOutcome::AlreadyDone] {
            assert_eq!(outcome(link.as_ref(), &put_back).await, expected, "{why}");
        }
        assert_eq!(state(link.as_ref(), &of).await, right, "{why}");
    }
    // Where its snapshots are stored is the client's: it is kept.
    held(&stage, |policy| policy["snapshotProperties"]["storageLocations"] = json!(["eu"]));
    assert_eq!(outcome(link.as_ref(), &put_back).await, StepOutcome::AlreadyDone);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_refuses_stops_no_other_and_keeps_what_it_has() {
    let all = [disk("a"), disk("b"), disk("c")];
    let stage = stage(&[&all[0], &all[1], &all[2]]).await;
    let (link, of) = (stage.link(Purpose::Backup).await, intent(&all));
    {
        let mut world = stage.simulator.world();
        let project = world.projects.get_mut(CLIENT.0).expect("the project");
        project.policies.push(policy(CLIENT.0, REGION, "nightly", &daily("01:00", 7)));
        project.attached.insert(id(&all[0]), ["nightly".to_owned()].into());
    }
    outcome(link.as_ref(), &create()).await;
    // Somebody was faster than we were.
    let error = link.perform("key", &on(&all)).await.expect_err("one refuses");
    assert!(error.message.starts_with("a: ") && error.message.contains("more than one snapshot schedule"), "{error}");
    let after = state(link.as_ref(), &of).await;
    let held: Vec<&str> = after.disks.iter().flat_map(|disk| disk.schedules.iter().map(String::as_str)).collect();
    assert_eq!(held, ["nightly", NAME, NAME]);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disks_of_a_selected_machine_are_selected_and_what_is_not_whole_is_an_error() {
    let stage = stage(&[&disk("boot"), &disk("other")]).await;
    let machine = "zones/europe-west1-b/instances/shop".to_owned();
    {
        let mut world = stage.simulator.world();
        let project = world.projects.get_mut(CLIENT.0).expect("the project");
        project.instances.push(instance(CLIENT.0, "europe-west1-b", "shop", &[&disk("boot")]));
    }
    let (link, of) = (stage.link(Purpose::Read).await, intent(std::slice::from_ref(&machine)));
    let found = state(link.as_ref(), &of).await;
    assert_eq!(found.disks.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(), [id(&disk("boot"))]);
    for call in ["compute.resourcePolicies.list", "compute.instances.aggregatedList", "compute.disks.aggregatedList"] {
        stage.fault(Fault::of(call, FaultKind::Denied));
        let answer = link.protection(&of).await;
        assert!(answer.as_ref().is_err_and(caretaker_cloud::CloudError::is_refusal), "{call}: {answer:?}");
        stage.simulator.world().faults.clear();
    }
    // A session for reading writes nothing, whatever it is asked for.
    let refused = link.perform("key", &create()).await.expect_err("it is for reading");
    assert_eq!(refused.class, ErrorClass::Denied, "{refused}");
    assert!(stage.simulator.world().projects[CLIENT.0].policies.is_empty());
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_lost_on_the_way_is_found_done() {
    let stage = stage(&[&disk("data")]).await;
    let link = stage.link(Purpose::Backup).await;
    stage.fault(Fault::of("compute.resourcePolicies.insert", FaultKind::DoneAndLost).times(1));
    let lost = link.perform("key", &create()).await;
    assert!(lost.is_err() || stage.simulator.calls("compute.resourcePolicies.insert") > 1, "{lost:?}");
    assert_eq!(outcome(link.as_ref(), &create()).await, StepOutcome::AlreadyDone);
    assert_eq!(stage.simulator.world().projects[CLIENT.0].policies.len(), 1);
}
