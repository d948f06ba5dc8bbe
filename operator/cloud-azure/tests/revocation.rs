//! Ending our own access on the simulator. Emulated: nothing here was proved against Azure.

mod common;

use caretaker_arm_simulator::world::{DELEGATION_DELETE, Delegation, READER, Refusal};
use caretaker_cloud::{CloudConnector, CloudError, CloudStep, ErrorClass, Presented, Purpose, StepOutcome};
use common::{CLIENT, OBJECT, SUBSCRIPTION, Stage, delegation, grant};

fn step() -> CloudStep {
    CloudStep::DeleteDelegation { subscription_id: SUBSCRIPTION.to_uppercase() }
}

fn writes(stage: &Stage) -> usize {
    stage.simulator.exchanges().iter().filter(|exchange| exchange.method == "DELETE").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_our_delegation_ends_in_a_refusal() {
    for accepted in [false, true] {
        let stage = Stage::new().await;
        stage.simulator.change(|world| world.accept_deletions = accepted);
        let link = stage.link(Purpose::Revoke).await;
        let receipt = link.perform("revoke", &step()).await.expect("the role lets us");
        assert_eq!((receipt.outcome, receipt.calls.len()), (StepOutcome::Done, 1));
        let attempt = stage.connector().attempt(&grant(), Presented::Right).await;
        assert!(attempt.as_ref().is_err_and(CloudError::is_refusal), "we are out: {attempt:?}");
        let again = link.perform("revoke", &step()).await;
        assert!(again.as_ref().is_err_and(CloudError::is_refusal), "not even a look is left: {again:?}");
        assert_eq!(writes(&stage), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_spreads_slowly_is_no_refusal_yet_and_no_failure() {
    let stage = Stage::new().await;
    let delay = std::time::Duration::from_secs(2);
    stage.simulator.change(|world| world.revocation_delay = delay);
    let link = stage.link(Purpose::Revoke).await;
    let began = std::time::Instant::now();
    link.perform("revoke", &step()).await.expect("the role lets us");
    let attempt = stage.connector().attempt(&grant(), Presented::Right).await;
    assert!(attempt.as_ref().is_err_and(|error| !error.is_refusal()), "it can still be read, and is not delegated any more: {attempt:?}");
    let again = link.perform("revoke", &step()).await.expect("a second look finds nothing to do");
    assert_eq!(again.outcome, StepOutcome::AlreadyDone);
    tokio::time::sleep(delay.saturating_sub(began.elapsed())).await;
    let attempt = stage.connector().attempt(&grant(), Presented::Right).await;
    assert!(attempt.as_ref().is_err_and(CloudError::is_refusal), "{attempt:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_our_delegations_go_and_nobody_elses() {
    let stage = Stage::new().await;
    let others = Delegation { name: "99999999-0000-4000-8000-0000000000aa".into(), tenant_id: CLIENT.into(), authorizations: Vec::new() };
    stage.edit(|subscription| {
        // The one that lets us delete stands first, and must go last.
        subscription.delegations = vec![delegation(1, &[READER, DELEGATION_DELETE]), others.clone(), delegation(2, &[READER])];
    });
    let receipt = stage.link(Purpose::Revoke).await.perform("revoke", &step()).await.expect("the role lets us");
    assert_eq!((receipt.outcome, receipt.calls.len()), (StepOutcome::Done, 2), "{receipt:?}");
    stage.edit(|subscription| assert_eq!(subscription.delegations, [others]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_already_is_said_to_be() {
    let stage = Stage::new().await;
    let link = stage.link(Purpose::Revoke).await;
    // Somebody else ended it, and a role assignment of our principal is left, so that we can look.
    stage.edit(|subscription| {
        subscription.delegations.clear();
        subscription.assignments = vec![(OBJECT.into(), READER.into())];
    });
    let receipt = link.perform("revoke", &step()).await.expect("an answer");
    assert_eq!((receipt.outcome, receipt.calls.len(), writes(&stage)), (StepOutcome::AlreadyDone, 0, 0));
    let attempt = stage.connector().attempt(&grant(), Presented::Right).await;
    assert!(attempt.is_err_and(|error| !error.is_refusal()), "a way in is left: no proof that we are out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_after_success_is_settled_by_an_attempt() {
    let stage = Stage::new().await;
    let link = stage.link(Purpose::Revoke).await;
    stage.rule("registrationAssignments/", "", Refusal::TimeoutAfterSuccess, (0, Some(1)));
    let end = link.perform("revoke", &step()).await.expect_err("the answer was lost");
    assert_eq!(end.class, ErrorClass::Unreachable);
    let attempt = stage.connector().attempt(&grant(), Presented::Right).await;
    assert!(attempt.as_ref().is_err_and(CloudError::is_refusal), "it was done: {attempt:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_role_nothing_is_ended() {
    let stage = Stage::new().await;
    stage.edit(|subscription| subscription.delegations = vec![delegation(1, &[READER])]);
    let end = stage.link(Purpose::Revoke).await.perform("revoke", &step()).await;
    assert!(end.as_ref().is_err_and(CloudError::is_refusal), "{end:?}");
    stage.edit(|subscription| assert_eq!(subscription.delegations.len(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_does_what_it_is_for_and_no_more() {
    let stage = Stage::new().await;
    for purpose in [Purpose::Read, Purpose::Backup] {
        let end = stage.link(purpose).await.perform("revoke", &step()).await.expect_err("it is for something else");
        assert_eq!(end.class, ErrorClass::Invalid);
    }
    let link = stage.link(Purpose::Revoke).await;
    let elsewhere = CloudStep::DeleteDelegation { subscription_id: CLIENT.into() };
    assert_eq!(link.perform("revoke", &elsewhere).await.expect_err("another subscription").class, ErrorClass::Invalid);
    let vault = CloudStep::CreateVault { region: "westeurope".into(), name: "v".into() };
    assert_eq!(link.perform("backup", &vault).await.expect_err("not yet").class, ErrorClass::Unsupported);
    assert_eq!(link.protection(&caretaker_cloud::Intent::default()).await.expect_err("not yet").class, ErrorClass::Unsupported);
    assert_eq!(writes(&stage), 0);
}
