//! Removing our own access.

use std::time::{Duration, Instant};

use caretaker_cloud::{CloudConnector, CloudError, CloudStep, ErrorClass, Presented, Purpose, StepOutcome};
use caretaker_cloud_gcp::TOKEN_CREATOR;
use caretaker_google_simulator::{Binding, Fault, FaultKind};
use serde_json::json;

use crate::stage::{CLIENT, Stage};

fn step(stage: &Stage) -> CloudStep {
    CloudStep::RemoveBinding { project_id: CLIENT.0.into(), member: format!("serviceAccount:{}", stage.us) }
}

fn bindings(stage: &Stage) -> Vec<Binding> {
    stage.simulator.world().accounts[&stage.grant.service_account].policy.bindings.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_binding_goes_and_everything_else_stays() {
    let stage = Stage::set().await;
    let condition = json!({"title": "office hours", "expression": "request.time.getHours() < 18"});
    let theirs = Binding { role: TOKEN_CREATOR.into(), members: vec!["user:owner@client.example".into()], condition: Some(condition) };
    stage.simulator.world().accounts.get_mut(&stage.grant.service_account).unwrap().policy.bindings.push(theirs.clone());
    let others: Vec<_> =
        bindings(&stage).into_iter().filter(|binding| !binding.members.iter().any(|member| member.ends_with(&stage.us))).collect();
    assert!(others.contains(&theirs) && others.len() == 2);
    let link = stage.link(Purpose::Revoke).await;
    let receipt = link.perform("key", &step(&stage)).await.expect("we may leave");
    assert_eq!(receipt.outcome, StepOutcome::Done);
    assert_eq!(receipt.calls, ["iam:serviceAccounts.getIamPolicy", "iam:serviceAccounts.setIamPolicy"]);
    assert_eq!(bindings(&stage), others);
    let again = link.perform("key", &step(&stage)).await.expect("a token that is out lives on");
    assert_eq!((again.outcome, stage.simulator.calls("iam.projects.serviceAccounts.setIamPolicy")), (StepOutcome::AlreadyDone, 1));
    let attempt = stage.connector().attempt(&stage.access(), Presented::Right).await;
    assert!(attempt.as_ref().is_err_and(CloudError::is_refusal), "we are out: {attempt:?}");
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_spreads_slowly_is_no_refusal_yet_and_no_failure() {
    let stage = Stage::set().await;
    let delay = Duration::from_secs(2);
    stage.simulator.world().revocation_delay = delay;
    let link = stage.link(Purpose::Revoke).await;
    let began = Instant::now();
    link.perform("key", &step(&stage)).await.expect("we may leave");
    stage.connector().attempt(&stage.access(), Presented::Right).await.expect("it still lets in");
    assert_eq!(link.perform("key", &step(&stage)).await.expect("a second look").outcome, StepOutcome::AlreadyDone);
    tokio::time::sleep(delay.saturating_sub(began.elapsed())).await;
    let attempt = stage.connector().attempt(&stage.access(), Presented::Right).await;
    assert!(attempt.as_ref().is_err_and(CloudError::is_refusal), "{attempt:?}");
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_meanwhile_is_a_conflict_and_not_lost() {
    let stage = Stage::set().await;
    let link = stage.link(Purpose::Revoke).await;
    stage.fault(Fault::of("iam.projects.serviceAccounts.setIamPolicy", FaultKind::ChangedMeanwhile).times(1));
    let error = link.perform("key", &step(&stage)).await.expect_err("somebody was faster");
    assert_eq!(error.class, ErrorClass::Conflict, "{error}");
    let link = stage.link(Purpose::Revoke).await;
    assert_eq!(link.perform("key", &step(&stage)).await.expect("now").outcome, StepOutcome::Done);
    assert!(bindings(&stage).iter().any(|binding| binding.members == ["user:colleague@client.example"]), "{:?}", bindings(&stage));
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_settled_by_looking() {
    let stage = Stage::set().await;
    let link = stage.link(Purpose::Revoke).await;
    stage.fault(Fault::of("iam.projects.serviceAccounts.setIamPolicy", FaultKind::DoneAndLost).times(1));
    assert_eq!(link.perform("key", &step(&stage)).await.expect_err("the answer was lost").class, ErrorClass::Unreachable);
    assert_eq!(link.perform("key", &step(&stage)).await.expect("it is done").outcome, StepOutcome::AlreadyDone);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_for_reading_cannot_write() {
    let stage = Stage::set().await;
    let before = bindings(&stage);
    let error = stage.link(Purpose::Read).await.perform("key", &step(&stage)).await.expect_err("refused");
    assert!(error.is_refusal() && error.code == "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "Google itself refuses: {error}");
    assert_eq!(bindings(&stage), before);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said() {
    let stage = Stage::set().await;
    let link = stage.link(Purpose::Revoke).await;
    let elsewhere = CloudStep::RemoveBinding { project_id: "another".into(), member: "user:x@y".into() };
    assert_eq!(link.perform("key", &elsewhere).await.expect_err("not here").class, ErrorClass::Invalid);
    let vault = CloudStep::CreateVault { region: "europe-west1".into(), name: "caretaker".into() };
    assert_eq!(link.perform("key", &vault).await.expect_err("not in this release").class, ErrorClass::Unsupported);
    assert_eq!(stage.simulator.calls("iam."), 0);
    stage.judged().await;
}
