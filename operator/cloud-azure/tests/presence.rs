//! Whether what the index leaves out is gone, asked of the resource's own provider. Emulated: nothing here was proved against Azure.

mod common;

use caretaker_arm_simulator::world::Refusal;
use caretaker_cloud::{Asset, ErrorClass, Presence, Purpose};
use common::{Stage, machines, resource};

async fn first(stage: &Stage, kind: &str) -> Asset {
    let gathered = stage.discover().await;
    gathered.assert_complete();
    gathered.assets.into_iter().find(|asset| asset.native_type.ends_with(kind)).expect("it is listed")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_index_leaves_out_is_gone_only_where_its_provider_says_so() {
    let stage = Stage::with(machines(2)).await;
    let asset = first(&stage, "virtualmachines").await;
    let link = stage.link(Purpose::Read).await;
    assert!(link.reads_an_index(""));
    stage.edit(|subscription| subscription.unindexed = vec![asset.id.to_uppercase()]);
    assert_eq!(stage.discover().await.assets.len(), 1, "the index leaves it out");
    assert_eq!(link.exists(&asset).await.expect("an answer"), Presence::Present);
    stage.edit(|subscription| {
        subscription.unindexed.clear();
        subscription.ghosts = vec![asset.id.clone()];
    });
    assert_eq!(stage.discover().await.assets.len(), 2, "the index still shows it");
    assert_eq!(link.exists(&asset).await.expect("an answer"), Presence::Gone);
    let asked = stage.simulator.exchanges().into_iter().filter(|exchange| exchange.url.contains("/providers?")).count();
    assert_eq!(asked, 1, "the versions are learnt once");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_and_no_way_to_ask_are_no_absence() {
    let mut resources = machines(1);
    resources.push(resource("Contoso.Rockets/engines", "one", "westeurope"));
    let stage = Stage::with(resources).await;
    let (machine, unknown) = (first(&stage, "virtualmachines").await, first(&stage, "engines").await);
    let link = stage.link(Purpose::Read).await;
    assert_eq!(link.exists(&unknown).await.expect("an answer"), Presence::Unknown, "nobody says how it is asked for");
    assert_eq!(link.exists(&machine).await.expect("an answer"), Presence::Present);
    stage.rule("/providers/microsoft.compute/virtualmachines/", "", Refusal::Server(503), (0, Some(1)));
    assert_eq!(link.exists(&machine).await.expect_err("no answer").class, ErrorClass::Unreachable);
    stage.rule("/providers/microsoft.compute/virtualmachines/", "", Refusal::Throttled(1200), (0, Some(1)));
    assert!(matches!(link.exists(&machine).await.expect_err("a wait").class, ErrorClass::Throttled(Some(_))));
    let link = stage.link(Purpose::Read).await;
    stage.edit(|subscription| subscription.delegations.clear());
    let out = link.exists(&machine).await.expect_err("who is out learns nothing");
    assert!(matches!(out.class, ErrorClass::Denied | ErrorClass::DeniedOrGone | ErrorClass::NotFound), "{out}");
}
