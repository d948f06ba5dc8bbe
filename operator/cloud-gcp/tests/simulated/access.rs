//! Getting in, being refused, and what is proved.

use caretaker_cloud::manifest::{On, gcp_permissions};
use caretaker_cloud::{AccessGrant, AwsGrant, CloudConnector, CloudError, ErrorClass, GcpGrant, Presented, Purpose, WantedPermission};
use caretaker_google_simulator::{Fault, FaultKind};

use crate::stage::{CLIENT, Gathered, PROVIDER, QUOTA, Stage};

fn class<T>(answer: Result<T, CloudError>) -> Option<ErrorClass> {
    answer.err().map(|error| error.class)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_proved_to_be_in_the_declared_project() {
    let stage = Stage::set().await;
    let identity = stage.link(Purpose::Read).await.identity().await.expect("it knows who it is");
    assert_eq!((identity.account.as_str(), &identity.principal), (CLIENT.0, &stage.grant.service_account));
    // Google answers for a number too: the session is then in a project that the grant does not name.
    let by_number = AccessGrant::Gcp(GcpGrant { project_id: CLIENT.1.into(), ..stage.grant.clone() });
    assert_eq!(class(stage.connector().connect(&by_number, Purpose::Read).await), Some(ErrorClass::WrongAccount));
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_own_is_never_read_as_a_clients() {
    let stage = Stage::set().await;
    stage
        .simulator
        .world()
        .projects
        .get_mut(PROVIDER)
        .unwrap()
        .policy
        .bind("roles/owner", &format!("serviceAccount:{}", stage.grant.service_account));
    let grants = [
        GcpGrant { project_id: PROVIDER.into(), ..stage.grant.clone() },
        GcpGrant { project_id: QUOTA.into(), ..stage.grant.clone() },
        GcpGrant { service_account: stage.us.clone(), ..stage.grant.clone() },
    ];
    for grant in grants {
        let answer = stage.connector().connect(&AccessGrant::Gcp(grant.clone()), Purpose::Read).await;
        assert_eq!(class(answer), Some(ErrorClass::WrongAccount), "{grant:?}");
        let answer = stage.connector().attempt(&AccessGrant::Gcp(grant.clone()), Presented::Right).await;
        assert_eq!(class(answer), Some(ErrorClass::WrongAccount), "{grant:?}");
    }
    assert_eq!(stage.simulator.exchanges().len(), 0, "refused before anything is asked");
    // By its number the provider's project is found out by what Google answers.
    let by_number = AccessGrant::Gcp(GcpGrant { project_id: "100000000001".into(), ..stage.grant.clone() });
    let error = stage.connector().connect(&by_number, Purpose::Read).await.err().expect("refused");
    assert!(error.class == ErrorClass::WrongAccount && error.message.contains("the provider's own"), "{error}");
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_access_is_never_called_gone() {
    let stage = Stage::set().await;
    let other = |service_account: &str, project_id: &str| {
        AccessGrant::Gcp(GcpGrant { client: "acme".into(), project_id: project_id.into(), service_account: service_account.into() })
    };
    let untrusting = stage.simulator.world().add_account("untrusting", CLIENT.0);
    let cases = [
        other(&untrusting, CLIENT.0),
        other("missing@client-project.iam.gserviceaccount.com", CLIENT.0),
        other(&stage.grant.service_account, "project-that-is-not-there"),
    ];
    for grant in cases {
        let error = stage.connector().connect(&grant, Purpose::Read).await.err().expect("refused");
        assert!(error.is_refusal() && error.message.contains("no access") && error.message.contains("or gone"), "{error}");
    }
    assert_eq!(stage.simulator.calls("cloudasset.search"), 0);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_is_not_read_with_the_base_identity() {
    let stage = Stage::set().await;
    stage.simulator.world().accounts.get_mut(&stage.grant.service_account).unwrap().policy.unbind(&format!("serviceAccount:{}", stage.us));
    assert_eq!(class(stage.connector().connect(&stage.access(), Purpose::Read).await), Some(ErrorClass::Denied));
    let base = format!("serviceAccount:{}", stage.us);
    let calls: Vec<_> = stage.simulator.exchanges().into_iter().filter(|exchange| exchange["principal"] == base.as_str()).collect();
    assert!(calls.iter().all(|call| call["call"].as_str().unwrap().starts_with("iamcredentials.")), "{calls:?}");
    assert_eq!(stage.simulator.calls("cloudasset.search") + stage.simulator.calls("cloudresourcemanager."), 0);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_token_lets_in() {
    let stage = Stage::set().await;
    let connector = stage.connector();
    for presented in [Presented::Nothing, Presented::Wrong] {
        let answer = connector.attempt(&stage.access(), presented).await;
        assert!(answer.as_ref().is_err_and(CloudError::is_refusal), "{presented:?}: {answer:?}");
    }
    for expected in 1..=2 {
        let identity = connector.attempt(&stage.access(), Presented::Right).await.expect("the right one lets in");
        assert_eq!((identity.account.as_str(), &identity.principal), (CLIENT.0, &stage.grant.service_account));
        assert_eq!(stage.simulator.calls("iamcredentials."), 2 + expected, "each attempt is a fresh one");
    }
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_grant_drops_the_session_of_the_old_one() {
    let stage = Stage::set().await;
    let connector = stage.connector();
    connector.connect(&stage.access(), Purpose::Read).await.expect("A lets in");
    let b =
        AccessGrant::Gcp(GcpGrant { service_account: "missing-b@client-project.iam.gserviceaccount.com".into(), ..stage.grant.clone() });
    let before = stage.simulator.exchanges().len();
    let error = connector.connect(&b, Purpose::Read).await.err().expect("B is not there");
    assert!(error.is_refusal() && error.message.contains("missing-b"), "{error}");
    let a = format!("serviceAccount:{}", stage.grant.service_account);
    let after: Vec<_> = stage.simulator.exchanges().into_iter().skip(before).collect();
    assert!(after.iter().all(|exchange| exchange["principal"] != a.as_str()), "no call carries A's session: {after:?}");
    let c = {
        let mut world = stage.simulator.world();
        let c = world.add_account("caretaker-c", CLIENT.0);
        let member = format!("serviceAccount:{}", stage.us);
        world.accounts.get_mut(&c).unwrap().policy.bind("roles/iam.serviceAccountTokenCreator", &member);
        world.projects.get_mut(CLIENT.0).unwrap().policy.bind("roles/browser", &format!("serviceAccount:{c}"));
        world.projects.get_mut(QUOTA).unwrap().policy.bind("roles/serviceusage.serviceUsageConsumer", &format!("serviceAccount:{c}"));
        c
    };
    let grant = AccessGrant::Gcp(GcpGrant { service_account: c.clone(), ..stage.grant.clone() });
    let link = connector.connect(&grant, Purpose::Read).await.expect("C recovers unaided");
    assert_eq!(link.identity().await.unwrap().principal, c);
    stage.judged().await;
}

fn wanted(names: impl IntoIterator<Item = impl Into<String>>, resource: &str) -> Vec<WantedPermission> {
    names.into_iter().map(|name| WantedPermission { resource: resource.into(), action: name.into() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_say_what_is_missing() {
    let stage = Stage::set().await;
    let link = stage.link(Purpose::Read).await;
    let manifest = |purpose| gcp_permissions(purpose).iter().map(|action| action.name);
    let asked = |purposes: &[Purpose]| caretaker_core::kit::gcp::wanted(purposes, &stage.grant);
    let gap = link.permissions(&asked(&[Purpose::Read, Purpose::Revoke])).await.expect("an answer");
    assert!(gap.known && gap.missing.is_empty(), "{gap:?}");
    // On the project the same permissions are not held: they were granted on the service account only.
    let gap = link.permissions(&wanted(manifest(Purpose::Revoke), "*")).await.expect("an answer");
    assert_eq!(gap.missing, ["iam.serviceAccounts.setIamPolicy"]);
    stage.simulator.world().projects.get_mut(CLIENT.0).unwrap().policy.unbind(&format!("serviceAccount:{}", stage.grant.service_account));
    let gap = link.permissions(&asked(&[Purpose::Read])).await.expect("an answer");
    let on_project = gcp_permissions(Purpose::Read).iter().filter(|permission| permission.on == On::Account && !permission.name.is_empty());
    let mut on_project: Vec<&str> = on_project.map(|permission| permission.name).collect();
    on_project.sort_unstable();
    assert_eq!(gap.missing, on_project, "what is granted on the service account itself stays");
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_are_asked_in_hundreds_and_unknown_where_refused() {
    let stage = Stage::set().await;
    let link = stage.link(Purpose::Read).await;
    let many = wanted((0..201).map(|number| format!("compute.things{number:03}.get")), "*");
    let gap = link.permissions(&many).await.expect("an answer");
    assert!(gap.known && gap.missing.len() == 201);
    assert_eq!(stage.simulator.calls("cloudresourcemanager.projects.testIamPermissions"), 3);
    stage.fault(Fault::of("cloudresourcemanager.projects.testIamPermissions", FaultKind::Denied));
    let gap = link.permissions(&many).await.expect("an answer");
    assert!(!gap.known && gap.missing.is_empty(), "{gap:?}");
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_reach_no_further_than_google_makes_them() {
    let stage = Stage::set().await;
    let link = stage.link(Purpose::Read).await;
    link.permissions(&wanted(["resourcemanager.projects.get"], "*")).await.expect("an answer");
    Gathered::of(link.as_ref()).await;
    let theirs = format!("serviceAccount:{}", stage.grant.service_account);
    for exchange in stage.simulator.exchanges().iter().filter(|exchange| exchange["principal"] == theirs.as_str()) {
        let call = exchange["call"].as_str().unwrap();
        let scope = exchange["scopes"][0].as_str().unwrap();
        assert_eq!(scope.ends_with(".read-only"), !call.starts_with("cloudasset."), "{call} with {scope}");
        assert_eq!(exchange["quotaProject"], QUOTA, "{call}");
    }
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_of_another_cloud_or_form_are_refused() {
    let stage = Stage::set().await;
    let (session_name, source_identity) = ("s".into(), "s@c".into());
    let aws = AwsGrant { account_id: "1".into(), role_arn: "r".into(), external_id: "x".into(), session_name, source_identity };
    let malformed = GcpGrant { project_id: "../v1/projects/other".into(), ..stage.grant.clone() };
    for grant in [AccessGrant::Aws(aws), AccessGrant::Gcp(malformed)] {
        assert_eq!(class(stage.connector().connect(&grant, Purpose::Read).await), Some(ErrorClass::Invalid));
    }
    assert!(stage.simulator.exchanges().is_empty());
}
