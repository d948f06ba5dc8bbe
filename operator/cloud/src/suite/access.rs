//! Getting in, what is granted, and leaving.

use std::collections::BTreeSet;

use super::{Stage, link};
use crate::{AccessGrant, AwsGrant, CloudError, CloudStep, ErrorClass, Presented, Purpose, StepOutcome};

/// Who presents nothing or something wrong is refused, and the session that the right one opens is in the account that was named.
pub async fn the_right_secret_and_no_other_lets_in(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let connector = stage.connector();
    for presented in [Presented::Nothing, Presented::Wrong] {
        let answer = connector.attempt(&grant, presented).await;
        assert!(answer.as_ref().is_err_and(CloudError::is_refusal), "{presented:?}: {answer:?}");
    }
    let answer = connector.attempt(&grant, Presented::Right).await;
    assert_eq!(answer.expect("the right one lets in").account, grant.account());
}

/// Another principal of the provider is refused, even with the right secret; and where the client trusts it by mistake, that shows.
pub async fn another_clients_principal_is_let_in_only_by_a_mistake_of_the_client(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    stage.connector().attempt(&grant, Presented::Right).await.expect("the right one lets in");
    let stranger = stage.stranger().await;
    let answer = stranger.attempt(&grant, Presented::Stolen).await;
    assert!(answer.as_ref().is_err_and(CloudError::is_refusal), "{answer:?}");
    stage.admit(&grant).await;
    let answer = stranger.attempt(&grant, Presented::Stolen).await;
    assert_eq!(answer.expect("the hole shows").account, grant.account());
}

/// A session that one ExternalId has opened is not given to whoever names another.
pub async fn a_grant_with_another_external_id_shares_no_session(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    link(stage, &grant, Purpose::Read).await;
    let AccessGrant::Aws(right) = grant else { panic!("an ExternalId is a thing of AWS") };
    let wrong = AwsGrant { external_id: "0123456789abcdef".into(), ..right };
    let answer = stage.connector().connect(&AccessGrant::Aws(wrong), Purpose::Read).await;
    assert!(answer.is_err_and(|error| error.is_refusal()));
}

/// Whose account a session is in is what the cloud says, not what the grant says.
pub async fn a_session_in_another_account_is_refused(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let identity = link(stage, &grant, Purpose::Read).await.identity().await.expect("a session knows who it is");
    assert_eq!(identity.account, grant.account());
    if let AccessGrant::Aws(aws) = &grant {
        assert!(crate::is_principal(&identity.principal, &aws.role_arn), "{identity:?}");
    }
    let answer = stage.connector().connect(&stage.misnamed(&grant), Purpose::Read).await;
    assert_eq!(answer.err().map(|error| error.class), Some(ErrorClass::WrongAccount));
}

/// What is not granted is named, and only that.
pub async fn permissions_say_what_is_missing(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Revoke]).await;
    let link = link(stage, &grant, Purpose::Read).await;
    let before = stage.writes().await;
    let mut wanted = stage.wanted(&grant, Purpose::Read);
    wanted.extend(stage.wanted(&grant, Purpose::Revoke));
    let gap = link.permissions(&wanted).await.expect("an answer");
    assert!(gap.known && gap.missing.is_empty(), "{gap:?}");
    let taken = stage.forbid(&grant).await;
    let gap = link.permissions(&wanted).await.expect("an answer");
    assert_eq!(gap.missing.into_iter().collect::<BTreeSet<_>>(), taken);
    assert_eq!(stage.writes().await, before, "asking writes nothing");
}

/// Where the question itself is denied, nothing is claimed.
pub async fn permissions_that_may_not_be_asked_are_unknown(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    stage.forbid_asking(&grant).await;
    let wanted = stage.wanted(&grant, Purpose::Read);
    let gap = link(stage, &grant, Purpose::Read).await.permissions(&wanted).await.expect("an answer");
    assert!(!gap.known && gap.missing.is_empty(), "{gap:?}");
}

/// A session for reading cannot write, whatever the client allows.
pub async fn a_session_does_what_it_is_for_and_no_more(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup, Purpose::Revoke]).await;
    let (purpose, step) = stage.write_step(&grant);
    let before = stage.writes().await;
    let refused = link(stage, &grant, Purpose::Read).await.perform("read-only", &step).await;
    let class = refused.as_ref().err().map(|error| error.class);
    assert!(matches!(class, Some(ErrorClass::Denied | ErrorClass::Invalid)), "{refused:?}");
    // A write that the cloud refused was tried, and changed nothing: the same step still has everything to do.
    let done = link(stage, &grant, purpose).await.perform("its own", &step).await;
    assert_eq!(done.expect("the session for it may").outcome, StepOutcome::Done);
    assert!(stage.writes().await > before);
}

/// Once all of our own access is removed no fresh attempt gets in, and every step may be done again as long as the session lasts.
pub async fn leaving_ends_in_a_refusal(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Revoke]).await;
    let link = link(stage, &grant, Purpose::Revoke).await;
    let steps = stage.leaving(&grant);
    for (number, step) in steps.iter().enumerate() {
        let receipt = link.perform("leave", step).await.expect("we may leave");
        assert!(receipt.outcome == StepOutcome::Done && !receipt.calls.is_empty(), "{receipt:?}");
        // The last one takes away what the session could still do; what it answers then differs, and must be no failure of ours.
        let again = link.perform("leave", step).await;
        let is_last = number + 1 == steps.len();
        assert!(again.is_ok() || is_last && again.as_ref().is_err_and(CloudError::is_refusal), "{again:?}");
    }
    let attempt = stage.connector().attempt(&grant, Presented::Right).await;
    assert!(attempt.as_ref().is_err_and(CloudError::is_refusal), "we are out: {attempt:?}");
}

/// A role of ours is stripped of all but the one permission that the rest of leaving needs.
pub async fn the_last_permission_outlives_the_others(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Revoke]).await;
    let link = link(stage, &grant, Purpose::Revoke).await;
    let [strip, close, end] = <[CloudStep; 3]>::try_from(stage.leaving(&grant)).expect("strip, close, end");
    let CloudStep::DropLastPolicy { last, .. } = &end else { panic!("the last step drops the last policy: {end:?}") };
    for outcome in [StepOutcome::Done, StepOutcome::AlreadyDone] {
        let receipt = link.perform("revoke", &strip).await.expect("the role may strip itself, again and again");
        assert_eq!(receipt.outcome, outcome);
        assert!(!receipt.calls.iter().any(|call| call.contains(last)), "the last permission is still needed: {receipt:?}");
    }
    for _ in 0..2 {
        link.perform("revoke", &close).await.expect("the role may close itself, again and again");
    }
    link.perform("revoke", &end).await.expect("the role may drop its last permission");
    let again = link.perform("revoke", &strip).await;
    assert!(again.as_ref().is_err_and(CloudError::is_refusal), "nothing is left, not even to look: {again:?}");
}
