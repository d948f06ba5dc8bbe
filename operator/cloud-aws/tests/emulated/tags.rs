//! Base credentials with session tags, as those of EKS Pod Identity.

use caretaker_aws_shim::SessionTags;
use caretaker_cloud::{AccessGrant, CloudConnector, ErrorClass, Narrowing, Presented, Purpose};

use crate::stage::OnEmulator;

/// What the tags of EKS Pod Identity take of the packed size, in percent. Source: <https://github.com/aws/containers-roadmap/issues/2413>
const POD_IDENTITY: usize = 74;

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_no_kit_allows_are_the_provider_s_fault_and_no_refusal() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read]);
    stage.watch.set_session_tags(Some(SessionTags { percent: POD_IDENTITY, ..SessionTags::default() }));
    let access = AccessGrant::Aws(grant);
    for presented in [Presented::Right, Presented::Wrong, Presented::Nothing] {
        let error = stage.connector.attempt(&access, presented).await.expect_err("nothing gets in");
        assert_eq!(error.class, ErrorClass::Credentials, "{presented:?}: {error}");
        assert!(!error.is_refusal(), "it proves nothing of the role");
        for part in ["sessionTags", "--disable-session-tags", "sts:TagSession on resource"] {
            assert!(error.message.contains(part), "{part} is not in {error}");
        }
    }
    let asked = stage.calls("AssumeRole").len();
    assert_eq!(asked, 3, "nothing is tried a second time without a SourceIdentity");
    let error = stage.connector.connect(&access, Purpose::Read).await.err().expect("no session");
    assert_eq!(error.class, ErrorClass::Credentials, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_too_large_beside_the_tags_is_made_smaller_and_then_left_out() {
    let stage = OnEmulator::set().await;
    let grants = [stage.grant(&[Purpose::Read, Purpose::Backup]), stage.grant(&[Purpose::Read])];
    let connector = stage.with_tags(&[&grants[0], &grants[1]]).await;
    let taken_by = grants.iter().map(|grant| grant.role_arn.clone()).collect();
    let [first, second] = grants.map(AccessGrant::Aws);
    let tags = |percent: usize| SessionTags { taken_by: std::collections::BTreeSet::clone(&taken_by), percent };
    let asked = || stage.calls("AssumeRole").len();

    stage.watch.set_session_tags(Some(tags(0)));
    let link = connector.connect(&first, Purpose::Read).await.expect("all fits");
    assert_eq!((link.narrowing(), asked()), (Narrowing::Purpose, 1));

    stage.watch.set_session_tags(Some(tags(POD_IDENTITY)));
    let link = connector.connect(&second, Purpose::Read).await.expect("a smaller policy fits");
    assert_eq!((link.narrowing(), asked()), (Narrowing::Families, 3));
    assert!(link.permissions(&[]).await.is_ok());

    stage.watch.set_session_tags(Some(tags(99)));
    let link = connector.connect(&first, Purpose::Backup).await.expect("without a policy");
    assert_eq!((link.narrowing(), asked()), (Narrowing::Nothing, 6));
    // Refusals stay refusals, in the words that AWS has for a caller with tags.
    let error = connector.attempt(&first, Presented::Wrong).await.expect_err("a wrong ExternalId");
    assert!(error.is_refusal() && error.message.contains("sts:TagSession"), "{error}");

    stage.watch.set_session_tags(Some(tags(112)));
    let error = connector.attempt(&first, Presented::Right).await.expect_err("the tags alone are too large");
    assert_eq!(error.class, ErrorClass::Credentials);
    assert!(error.message.contains("fewer tags") && error.message.contains("consumes 112%"), "{error}");
}
