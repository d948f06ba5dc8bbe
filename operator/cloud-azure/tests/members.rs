//! The subscriptions of a client's tenant on the simulator. Emulated: nothing here was proved against Azure.

mod common;

use caretaker_arm_simulator::world::{READER, Refusal, Subscription};
use caretaker_cloud::{AccessGrant, AzureTenantGrant, CloudConnector, CloudError, ErrorClass, Member, MemberState, Presented, Purpose};
use common::{CLIENT, OBJECT, PROVIDER, SUBSCRIPTION, Stage, delegated, delegation};

fn tenant(id: &str) -> AccessGrant {
    of(id, &[], &[])
}

fn of(id: &str, named: &[&str], exclude: &[&str]) -> AccessGrant {
    let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    AccessGrant::AzureTenant(AzureTenantGrant { tenant_id: id.into(), subscription_ids: list(named), exclude: list(exclude) })
}

fn subscription(number: u8) -> String {
    format!("cccccccc-0000-4000-8000-0000000001{number:02}")
}

fn add(stage: &Stage, number: u8, subscription_of: Subscription) {
    stage.simulator.change(|world| world.subscriptions.insert(subscription(number), subscription_of));
}

async fn members(stage: &Stage) -> Result<Vec<Member>, CloudError> {
    stage.connector().connect(&tenant(CLIENT), Purpose::Members).await?.members().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_delegated_subscription_of_the_tenant_comes_from_every_page() {
    let stage = Stage::new().await;
    stage.simulator.change(|world| world.page_subscriptions = Some(1));
    let elsewhere = "bbbbbbbb-0000-4000-8000-0000000000ee";
    add(&stage, 1, Subscription { delegations: vec![delegation(2, &[READER])], state: Some("Disabled".into()), ..delegated() });
    add(&stage, 2, Subscription { tenant_id: elsewhere.into(), ..delegated() });
    // We may read it, and nobody has delegated it: some other assignment lets us in.
    add(&stage, 3, Subscription { delegations: Vec::new(), assignments: vec![(OBJECT.into(), READER.into())], ..delegated() });
    add(
        &stage,
        4,
        Subscription {
            tenant_id: PROVIDER.into(),
            delegations: Vec::new(),
            assignments: vec![(OBJECT.into(), READER.into())],
            ..delegated()
        },
    );
    let found: Vec<(String, MemberState)> =
        members(&stage).await.expect("a list").into_iter().map(|member| (member.id, member.state)).collect();
    assert_eq!(found, [(SUBSCRIPTION.to_owned(), MemberState::Active), (subscription(1), MemberState::Suspended)]);
    let pages = stage.simulator.exchanges().into_iter().filter(|exchange| exchange.url.starts_with("/subscriptions?")).count();
    assert_eq!(pages, 5, "one for each subscription that we see");
    let upper = stage.connector().connect(&tenant(&CLIENT.to_uppercase()), Purpose::Members).await.expect("the same tenant");
    assert_eq!(upper.members().await.expect("a list").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_has_delegated_nothing_has_an_empty_list_and_does_not_let_us_in() {
    let stage = Stage::new().await;
    let attempt = async |presented| stage.connector().attempt(&tenant(CLIENT), presented).await;
    assert_eq!(attempt(Presented::Right).await.expect("it is delegated").account, CLIENT);
    for presented in [Presented::Wrong, Presented::Nothing] {
        assert!(attempt(presented).await.as_ref().is_err_and(CloudError::is_refusal), "{presented:?}");
    }
    stage.edit(|subscription| subscription.delegations.clear());
    assert_eq!(members(&stage).await.expect("a list"), []);
    assert!(attempt(Presented::Right).await.as_ref().is_err_and(CloudError::is_refusal));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_looked_after_is_no_way_in() {
    let stage = Stage::new().await;
    let left_out = of(CLIENT, &[], &[&SUBSCRIPTION.to_uppercase()]);
    let not_named = of(CLIENT, &[&subscription(1)], &[]);
    for grant in [&left_out, &not_named] {
        let answer = stage.connector().attempt(grant, Presented::Right).await;
        assert!(answer.as_ref().is_err_and(CloudError::is_refusal), "{grant:?}: {answer:?}");
        let link = stage.connector().connect(grant, Purpose::Members).await.expect("a session");
        assert_eq!(link.members().await.expect("a list"), []);
    }
    add(&stage, 1, delegated());
    for grant in [&left_out, &not_named] {
        assert!(stage.connector().attempt(grant, Presented::Right).await.is_ok(), "{grant:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_does_not_come_is_no_list() {
    for (refusal, class) in [
        (Refusal::Denied, ErrorClass::Denied),
        (Refusal::Server(503), ErrorClass::Unreachable),
        (Refusal::Throttled(7), ErrorClass::Throttled(Some(std::time::Duration::from_secs(7)))),
    ] {
        let stage = Stage::new().await;
        add(&stage, 1, delegated());
        stage.simulator.change(|world| world.page_subscriptions = Some(1));
        stage.rule("/subscriptions", "", refusal, (1, Some(1)));
        assert_eq!(members(&stage).await.expect_err("the second page did not come").class, class);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_does_not_say_who_manages_is_no_list() {
    let stage = Stage::new().await;
    stage.simulator.change(|world| world.hide_managers = true);
    assert_eq!(members(&stage).await.expect_err("it says too little").class, ErrorClass::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_tenant_is_never_a_clients() {
    let stage = Stage::new().await;
    let answer = stage.connector().connect(&tenant(PROVIDER), Purpose::Members).await;
    assert_eq!(answer.err().map(|error| error.class), Some(ErrorClass::WrongAccount));
    assert!(stage.simulator.exchanges().is_empty(), "refused before anything is asked");
}
