//! Whether what the index leaves out is gone, asked of the asset's own service.

use caretaker_cloud::{CloudError, ErrorClass, Presence, Purpose};
use caretaker_google_simulator::{Fault, FaultKind, READ_ROLE};

use crate::stage::{CLIENT, Gathered, QUOTA, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_index_leaves_out_is_gone_only_where_its_service_says_so() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 2);
    let link = stage.link(Purpose::Read).await;
    assert!(link.reads_an_index());
    let asset = Gathered::of(link.as_ref()).await.assets.remove(0);
    let project = |change: &dyn Fn(&mut caretaker_google_simulator::Project)| {
        change(stage.simulator.world().projects.get_mut(CLIENT.0).expect("it is there"));
    };
    // The provider's project that pays for the index has nothing to do with the client's services.
    stage.simulator.world().disabled.insert(("compute.googleapis.com".into(), QUOTA.into()));
    project(&|project| project.unindexed.extend([asset.id.clone()]));
    assert_eq!(Gathered::of(link.as_ref()).await.assets.len(), 1, "the index leaves it out");
    assert_eq!(link.exists(&asset).await.expect("an answer"), Presence::Present);
    project(&|project| {
        project.unindexed.clear();
        project.ghosts.insert(asset.id.clone());
    });
    assert_eq!(Gathered::of(link.as_ref()).await.assets.len(), 2, "the index still shows it");
    assert_eq!(link.exists(&asset).await.expect("an answer"), Presence::Gone);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_and_no_way_to_ask_are_no_absence() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 1);
    let link = stage.link(Purpose::Read).await;
    let asset = Gathered::of(link.as_ref()).await.assets.remove(0);
    let mut unknown = asset.clone();
    unknown.id = format!("//quantum.googleapis.com/projects/{}/things/one", CLIENT.0);
    assert_eq!(link.exists(&unknown).await.expect("an answer"), Presence::Unknown, "nobody says how it is asked for");
    let class = |answer: Result<Presence, CloudError>| answer.err().map(|error| error.class);
    stage.fault(Fault::of("compute.", FaultKind::Server(503)).times(1));
    assert_eq!(class(link.exists(&asset).await), Some(ErrorClass::Unreachable));
    let role = format!("projects/{}/roles/{READ_ROLE}", CLIENT.0);
    stage.simulator.world().roles.get_mut(&role).expect("it is there").retain(|held| held != "compute.instances.get");
    assert_eq!(class(link.exists(&asset).await), Some(ErrorClass::Denied), "who may not read it learns nothing");
    // Last, since the wait holds the service for all calls.
    stage.fault(Fault::of("compute.", FaultKind::Throttled { retry_after: Some(7), retry_info: None }).times(1));
    assert!(matches!(class(link.exists(&asset).await), Some(ErrorClass::Throttled(Some(_)))));
    stage.judged().await;
}
