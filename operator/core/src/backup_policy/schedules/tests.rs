use caretaker_api::cloud_account::Capability;
use caretaker_api::words::PlanState;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use caretaker_cloud::{Receipt, StepOutcome};

use crate::backup_policy::conversation::{Answer, Ask, Conversation};
use crate::backup_policy::{Done, Held, Observed, RegionDone, RegionPlan, plan, status};
use crate::contract::Verdict;

const REGION: &str = "europe-west1";
const NAME: &str = "caretaker-acme-main";

fn terms(at: &str) -> BackupTerms {
    let tag = json!({"key": "backup", "value": "daily"});
    serde_json::from_value(json!({"dailyAt": at, "retentionDays": 30, "tag": tag, "regions": [REGION, "eu-west-1"]})).unwrap()
}

fn policy(at: &str) -> caretaker_api::BackupPolicy {
    let mut document = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "BackupPolicy", "metadata": {"name": "main", "namespace": "client-acme"},
    });
    document["spec"] = serde_json::to_value(terms(at)).unwrap();
    document["spec"]["accounts"] = json!(["gcp"]);
    serde_json::from_value(document).unwrap()
}

fn id(name: &str) -> String {
    format!("//compute.googleapis.com/projects/acme-prod/zones/europe-west1-b/disks/{name}")
}

fn disk(name: &str, is_selected: bool, schedules: &[&str]) -> DiskState {
    let schedules = schedules.iter().map(|name| (*name).to_owned()).collect();
    DiskState { region: REGION.into(), id: id(name), is_selected, schedules }
}

fn ours() -> ScheduleState {
    ScheduleState { region: REGION.into(), name: NAME.into(), runs: "daily at 03:00".into(), retention_days: 30, ends_with_disk: true }
}

fn view(schedules: Vec<ScheduleState>, disks: Vec<DiskState>) -> AccountView {
    AccountView {
        name: "gcp".into(),
        cloud: Cloud::Gcp,
        allow: vec![Capability::Backup],
        backup_role: String::new(),
        is_proven: true,
        selected: Some(Ok(Selected { is_whole: true, ..Selected::default() })),
        state: Some(Ok(ProtectionState { schedules, disks, ..ProtectionState::default() })),
    }
}

fn told(steps: &[CloudStep]) -> Vec<String> {
    steps.iter().map(|step| step.describe().replace(NAME, "S").replace(" in europe-west1", "")).collect()
}

fn of(account: &AccountView) -> RegionPlan {
    plan("acme", &policy("03:00"), std::slice::from_ref(account)).remove(0)
}

fn ready(account: AccountView, at: &str) -> (String, String, String, PlanState) {
    let plan = plan("acme", &policy(at), std::slice::from_ref(&account)).remove(0);
    let done = Done { accounts: vec![account], regions: vec![RegionDone { plan, error: None, plan_id: None }], ..Done::default() };
    let (status, _) = status(&policy(at), &Observed::default(), &[], &done, jiff::Timestamp::UNIX_EPOCH);
    let found = status.conditions.iter().find(|held| held.type_ == "BackupsReady").unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone(), status.plans[0].state)
}

#[test]
fn each_difference_has_its_step_and_what_is_right_has_none() {
    let right = || disk("data", true, &[NAME]);
    let make = "make the snapshot schedule S: daily at 03:00 UTC, 30 days";
    let put_back = "put the snapshot schedule S back to daily at 03:00 UTC, 30 days";
    let attach = "attach the snapshot schedule S to 1 disk(s): data";
    for (why, account, expected) in [
        ("from nothing", view(vec![], vec![disk("data", true, &[])]), vec![make, attach]),
        ("nothing is selected", view(vec![], vec![]), vec![]),
        ("as it should be", view(vec![ours()], vec![right()]), vec![]),
        ("another hour", view(vec![ScheduleState { runs: "daily at 04:00".into(), ..ours() }], vec![right()]), vec![put_back]),
        ("hourly", view(vec![ScheduleState { runs: "{\"hourlySchedule\":{}}".into(), ..ours() }], vec![right()]), vec![put_back]),
        ("kept for less", view(vec![ScheduleState { retention_days: 3, ..ours() }], vec![right()]), vec![put_back]),
        (
            "kept for ever once the disk is gone",
            view(vec![ScheduleState { ends_with_disk: false, ..ours() }], vec![right()]),
            vec![put_back],
        ),
        ("taken off by hand", view(vec![ours()], vec![disk("data", true, &[])]), vec![attach]),
        (
            "it lost its label",
            view(vec![ours()], vec![disk("data", false, &[NAME])]),
            vec!["take the snapshot schedule S from 1 disk(s): data"],
        ),
        ("somebody else's", view(vec![ours()], vec![disk("data", true, &["nightly"])]), vec![]),
        ("somebody else's, not selected", view(vec![ours()], vec![disk("data", false, &["nightly"])]), vec![]),
        ("in another region", view(vec![ours()], vec![DiskState { region: "us-east1".into(), ..disk("data", true, &[]) }]), vec![]),
    ] {
        assert_eq!(told(&of(&account).steps), expected, "{why}");
    }
}

#[test]
fn of_an_inventory_that_is_not_whole_no_schedule_is_taken_off() {
    let mut account = view(vec![ours()], vec![disk("lost", false, &[NAME]), disk("new", true, &[])]);
    account.selected = Some(Ok(Selected::default()));
    assert_eq!(told(&of(&account).steps), ["attach the snapshot schedule S to 1 disk(s): new"]);
    account.selected = Some(Err("its inventory was not read yet".into()));
    assert!(of(&account).steps.is_empty());
    let (is, reason, message, _) = ready(account.clone(), "03:00");
    assert_eq!((is.as_str(), reason.as_str()), ("Unknown", "Incomplete"), "{message}");
    assert!(message.contains("account gcp: its inventory was not read yet"), "{message}");
    account.allow.clear();
    assert_eq!(ready(account, "03:00").0, "True", "who only looks waits for nothing");
}

#[test]
fn a_time_that_google_cloud_does_not_have_is_refused_with_one_that_it_has() {
    for (at, cure) in [("03:30", Some("03:00 or 04:00")), ("23:59", Some("23:00 or 00:00")), ("00:00", None), ("14:00", None)] {
        let found = refusal(&terms(at), Cloud::Gcp);
        assert_eq!(found.is_some(), cure.is_some(), "{at}");
        assert!(found.is_none_or(|found| found.contains(at) && cure.is_some_and(|cure| found.contains(cure))), "{at}");
        assert_eq!((refusal(&terms(at), Cloud::Aws), refusal(&terms(at), Cloud::Azure)), (None, None));
    }
    let account = view(vec![], vec![disk("data", true, &[])]);
    let (is, reason, message, state) = ready(account.clone(), "03:30");
    assert_eq!((is.as_str(), reason.as_str(), state), ("False", "NotOffered", PlanState::Blocked), "{message}");
    assert!(message.contains("account gcp: dailyAt 03:30"), "{message}");
    assert!(plan("acme", &policy("03:30"), std::slice::from_ref(&account))[0].steps.is_empty(), "nothing is rounded");
    // Who only looks is told the same, and is not at fault.
    let (is, reason, _, state) = ready(AccountView { allow: Vec::new(), ..account }, "03:30");
    assert_eq!((is.as_str(), reason.as_str(), state), ("True", "ObserveOnly", PlanState::Planned));
}

#[test]
fn a_tag_that_can_be_no_label_is_refused() {
    let of = |key: &str, value: &str| {
        refusal(&BackupTerms { tag: Tag { key: key.into(), value: value.into() }, ..terms("03:00") }, Cloud::Gcp).is_none()
    };
    assert!(of("backup", "daily") && of("backup_1-x", "") && of("größe", "1"));
    assert!(!of("Backup", "daily") && !of("backup", "Daily") && !of("1backup", "x") && !of("cost center", "x") && !of("", "x"));
    assert!(!of(&"b".repeat(64), "x") && of(&"b".repeat(63), "x"));
}

#[test]
fn a_disk_with_the_schedule_of_somebody_else_is_told_with_the_cure_and_left_alone() {
    let account = view(vec![ours()], vec![disk("data", true, &["nightly"]), disk("web", true, &[NAME])]);
    let (is, reason, message, state) = ready(account.clone(), "03:00");
    assert_eq!((is.as_str(), reason.as_str(), state), ("False", "ScheduleTaken", PlanState::Blocked), "{message}");
    for part in [
        "account gcp: the disk data in europe-west1-b has the snapshot schedule nightly",
        "gcloud compute disks remove-resource-policies data --project=acme-prod --zone=europe-west1-b --resource-policies=nightly",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    // The others are written all the same.
    let account = view(vec![], vec![disk("data", true, &["nightly"]), disk("web", true, &[])]);
    assert_eq!(of(&account).steps.len(), 2);
    let (is, reason, ..) = ready(AccountView { allow: Vec::new(), ..account }, "03:00");
    assert_eq!((is.as_str(), reason.as_str()), ("True", "ObserveOnly"));
    let many = (0..25).map(|number| disk(&format!("d{number}"), true, &["nightly"])).collect();
    let told = conflicts(&terms("03:00"), (REGION, NAME), &ProtectionState { disks: many, ..ProtectionState::default() });
    assert_eq!((told.len(), told[10].as_str()), (11, "15 more disks in europe-west1 have the schedule of somebody else"));
    let regional =
        DiskState { id: "//compute.googleapis.com/projects/p/regions/europe-west1/disks/r".into(), ..disk("r", true, &["nightly"]) };
    assert!(conflict(&terms("03:00"), &regional).contains("--region=europe-west1"));
}

#[test]
fn a_new_disk_is_no_drift_and_a_changed_schedule_is() {
    let repaired =
        |account: &AccountView| crate::backup_policy::repaired(&RegionDone { plan: of(account), error: None, plan_id: None }).is_some();
    assert!(!repaired(&view(vec![ours()], vec![disk("new", true, &[])])));
    assert!(repaired(&view(vec![ScheduleState { retention_days: 1, ..ours() }], vec![disk("new", true, &[])])));
    assert_eq!(of(&view(vec![ours()], vec![])).plan_id.as_deref(), Some(NAME));
    assert_eq!(of(&view(vec![ours()], vec![])).held, Held::No);
}

/// The questions of a visit whose cloud answers with this account's state.
fn asked(account: &AccountView, verdict: Verdict) -> (Vec<Ask>, Done) {
    let observed = Observed { accounts: vec![AccountView { state: None, ..account.clone() }], verdict, ..Observed::default() };
    let mut conversation = Conversation::new("acme", &policy("03:00"), &observed);
    let (mut asked, mut last) = (Vec::new(), None);
    while let Some((_, ask)) = conversation.next(last.take()) {
        last = Some(match &ask {
            Ask::Connect(_) => Answer::Connected(Ok(true)),
            Ask::Protection(_) => Answer::Protection(account.state.clone().unwrap()),
            Ask::Begin(_) => Answer::Begun(true),
            Ask::Perform(..) => Answer::Performed(Ok(Receipt { outcome: StepOutcome::Done, id: Some(NAME.into()), calls: Vec::new() })),
        });
        asked.push(ask);
    }
    (asked, conversation.into_done())
}

#[test]
fn who_only_looks_writes_nothing_and_a_joint_domain_proposes() {
    let mut account = view(vec![], vec![disk("data", true, &[])]);
    let sources = std::collections::BTreeSet::from([id("data")]);
    account.selected = Some(Ok(Selected { sources: sources.clone(), is_whole: true }));
    let writes = |asked: &[Ask]| asked.iter().filter(|ask| matches!(ask, Ask::Perform(..))).count();
    let (all, done) = asked(&account, Verdict::Apply);
    assert_eq!((writes(&all), done.regions[0].plan_id.as_deref()), (2, Some(NAME)));
    let named = |ask: &Ask| matches!(ask, Ask::Protection(of) if of.name == NAME && of.regions == [REGION] && of.sources == sources);
    assert!(all.iter().any(named), "the cloud is asked for what is selected: {all:?}");
    let (all, done) = asked(&account, Verdict::Propose);
    assert_eq!((writes(&all), done.settled.proposes.len(), done.regions[0].plan.held), (0, 1, Held::Waits));
    assert_eq!(writes(&asked(&account, Verdict::Never("it is the client's".into())).0), 0);
    account.allow.clear();
    assert_eq!(writes(&asked(&account, Verdict::Apply).0), 0);
}

proptest! {
    /// After the steps were done, the same policy has no further ones, and no disk has lost a schedule of somebody else.
    #[test]
    fn the_second_pass_writes_nothing(
        disks in prop::collection::vec((any::<bool>(), 0_usize..4), 0..20), known in any::<Option<(bool, bool, bool)>>(),
    ) {
        let disks: Vec<DiskState> = disks.into_iter().enumerate().map(|(number, (is_selected, schedules))| {
            let schedules: &[&str] = [&[][..], &[NAME], &["nightly"], &["a", "b"]][schedules];
            disk(&format!("d{number}"), is_selected, schedules)
        }).collect();
        let schedules = known.map(|(runs, days, ends)| ScheduleState {
            runs: if runs { "daily at 03:00" } else { "hourly" }.into(), retention_days: if days { 30 } else { 0 }, ends_with_disk: ends, ..ours()
        });
        // A disk cannot have a schedule that is not there.
        let disks: Vec<DiskState> = disks.into_iter().filter(|disk| schedules.is_some() || !disk.schedules.iter().any(|name| name == NAME)).collect();
        let account = view(schedules.into_iter().collect(), disks.clone());
        let mut state = account.state.clone().unwrap().unwrap();
        for step in of(&account).steps {
            match step {
                CloudStep::CreateSchedule { .. } | CloudStep::UpdateSchedule { .. } => state.schedules = vec![ours()],
                CloudStep::AttachSchedule { disks, .. } => {
                    prop_assert!(!state.schedules.is_empty(), "the schedule comes before its disks");
                    state.disks.iter_mut().filter(|disk| disks.contains(&disk.id)).for_each(|disk| {
                        assert!(disk.schedules.is_empty(), "one for each disk");
                        disk.schedules.push(NAME.into());
                    });
                }
                CloudStep::DetachSchedule { disks, .. } => {
                    state.disks.iter_mut().filter(|disk| disks.contains(&disk.id)).for_each(|disk| disk.schedules.retain(|name| name != NAME));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        for (before, after) in disks.iter().zip(&state.disks) {
            prop_assert!(before.schedules.iter().filter(|name| *name != NAME).all(|name| after.schedules.contains(name)));
        }
        let again = AccountView { state: Some(Ok(state)), ..account };
        prop_assert!(of(&again).steps.is_empty(), "{:?}", of(&again).steps);
    }
}
