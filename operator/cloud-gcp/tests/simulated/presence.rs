//! Whether what the index leaves out is gone, asked of the asset's own service and of the record of deletions.

use std::collections::BTreeSet;

use caretaker_cloud::manifest::gcp_permissions;
use caretaker_cloud::{Asset, CloudError, ErrorClass, Presence, Purpose};
use caretaker_google_simulator::{Fault, FaultKind, READ_ROLE};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::stage::{CLIENT, Gathered, QUOTA, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_index_leaves_out_is_gone_only_where_its_service_says_so() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 2);
    let link = stage.link(Purpose::Read).await;
    assert!(link.reads_an_index(""));
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

/// One of each kind that is asked for at its own service; `P` stands for the project's id, `N` for its number.
const KINDS: [&str; 31] = [
    "compute.googleapis.com/projects/P/zones/z/instances/one",
    "compute.googleapis.com/projects/P/zones/z/disks/one",
    "compute.googleapis.com/projects/P/regions/r/disks/one",
    "compute.googleapis.com/projects/P/regions/r/subnetworks/one",
    "compute.googleapis.com/projects/P/regions/r/forwardingRules/one",
    "compute.googleapis.com/projects/P/regions/r/firewallPolicies/one",
    "compute.googleapis.com/projects/P/global/snapshots/one",
    "compute.googleapis.com/projects/P/global/networks/one",
    "compute.googleapis.com/projects/P/global/firewalls/one",
    "compute.googleapis.com/projects/P/global/firewallPolicies/one",
    "compute.googleapis.com/projects/P/global/forwardingRules/one",
    "storage.googleapis.com/one",
    "container.googleapis.com/projects/P/locations/l/clusters/one",
    "container.googleapis.com/projects/P/zones/z/clusters/one",
    "cloudkms.googleapis.com/projects/P/locations/l/keyRings/one",
    "cloudkms.googleapis.com/projects/P/locations/l/keyRings/one/cryptoKeys/two",
    "run.googleapis.com/projects/P/locations/l/services/one",
    "run.googleapis.com/projects/P/locations/l/jobs/one",
    "cloudfunctions.googleapis.com/projects/P/locations/l/functions/one",
    "cloudsql.googleapis.com/projects/P/instances/one",
    "spanner.googleapis.com/projects/P/instances/one",
    "spanner.googleapis.com/projects/P/instances/one/databases/two",
    "alloydb.googleapis.com/projects/P/locations/l/clusters/one",
    "alloydb.googleapis.com/projects/P/locations/l/clusters/one/instances/two",
    "bigtable.googleapis.com/projects/P/instances/one",
    "redis.googleapis.com/projects/P/locations/l/instances/one",
    "firestore.googleapis.com/projects/P/databases/(default)",
    "secretmanager.googleapis.com/projects/N/secrets/one",
    "logging.googleapis.com/projects/P/sinks/one",
    "backupdr.googleapis.com/projects/P/locations/l/backupVaults/one",
    "logging.googleapis.com/projects/N/sinks/two",
];

fn named(asset: &Asset, name: &str) -> Asset {
    let name = name.replace("/P/", &format!("/{}/", CLIENT.0)).replace("/N/", &format!("/{}/", CLIENT.1));
    Asset { id: format!("//{name}"), ..asset.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_asked_for_at_its_own_service() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 1);
    let link = stage.link(Purpose::Read).await;
    let asset = Gathered::of(link.as_ref()).await.assets.remove(0);
    for name in KINDS {
        let asset = named(&asset, name);
        assert_eq!(link.exists(&asset).await.expect("an answer"), Presence::Gone, "{name}: the service knows of none");
        stage.simulator.world().add_row(CLIENT.0, json!({"name": asset.id, "assetType": "example.googleapis.com/Thing"}));
        assert_eq!(link.exists(&asset).await.expect("an answer"), Presence::Present, "{name}");
    }
    let account = named(&asset, &format!("iam.googleapis.com/projects/P/serviceAccounts/{}", stage.grant.service_account));
    assert_eq!(link.exists(&account).await.expect("an answer"), Presence::Present);
    assert_eq!(stage.simulator.calls("cloudasset.batchGetAssetsHistory"), 0, "the services have said all");
    let exchanges = stage.simulator.exchanges();
    let made: BTreeSet<&str> =
        exchanges.iter().filter_map(|exchange| exchange["call"].as_str()).filter(|call| call.ends_with(".get")).collect();
    let named: BTreeSet<&str> = gcp_permissions(Purpose::Read).iter().flat_map(|action| action.call.split(", ")).collect();
    let gets: BTreeSet<&str> = named.into_iter().filter(|call| call.ends_with(".get") && *call != "iam.projects.roles.get").collect();
    assert_eq!(made, gets, "the manifest names what is called, and nothing else");
    stage.judged().await;
}

/// A time so many days ago.
fn days_ago(days: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(24 * days)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_nobody_can_be_asked_for_the_record_tells_the_deletion() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 1);
    let link = stage.link(Purpose::Read).await;
    let machine = Gathered::of(link.as_ref()).await.assets.remove(0);
    let thing = |name: &str| Asset { seen_at: days_ago(3), ..named(&machine, &format!("quantum.googleapis.com/projects/P/things/{name}")) };
    assert_eq!(link.exists(&thing("there")).await.expect("an answer"), Presence::Unknown, "nobody says how it is asked for");
    let row = json!({"name": thing("there").id, "assetType": "quantum.googleapis.com/Thing"});
    stage.simulator.world().add_row(CLIENT.0, row);
    for (name, days) in [("deleted", 2), ("long-ago", 20), ("forgotten", 40)] {
        stage.simulator.world().delete_row(CLIENT.0, &thing(name).id, &days_ago(days).to_string());
    }
    let asked = ["there", "deleted", "long-ago", "forgotten", "unheard-of"].map(thing);
    let gone = link.deleted(&asked.iter().collect::<Vec<_>>()).await.expect("an answer");
    assert_eq!(gone, [false, true, false, false, false], "what was seen since it was deleted was made again");
    // More than one question takes, and one of them unheard of; who was seen before the record begins is not asked for.
    let many: Vec<Asset> = (0..60).map(|number| thing(&format!("many-{number}"))).collect();
    many.iter().skip(1).for_each(|thing| stage.simulator.world().delete_row(CLIENT.0, &thing.id, &days_ago(2).to_string()));
    let gone = link.deleted(&many.iter().collect::<Vec<_>>()).await.expect("an answer");
    assert!(!gone[0] && gone[1..].iter().all(|gone| *gone), "{gone:?}");
    let calls = stage.simulator.calls("cloudasset.batchGetAssetsHistory");
    assert_eq!(link.deleted(&[&Asset { seen_at: days_ago(40), ..thing("deleted") }]).await.expect("no question"), [false]);
    assert_eq!(stage.simulator.calls("cloudasset.batchGetAssetsHistory"), calls);
    let exchanges = stage.simulator.exchanges();
    let of_record = |exchange: &&serde_json::Value| exchange["call"] == "cloudasset.batchGetAssetsHistory" && exchange["status"] == 200;
    let shown: String = exchanges.iter().filter(of_record).map(|exchange| exchange["response"].to_string()).collect();
    assert!(shown.contains("deleted") && !shown.contains("resource"), "nothing of what a thing holds is asked for");
    revoke(&stage, "cloudasset.assets.exportResource");
    let class = |answer: Result<Vec<bool>, CloudError>| answer.err().map(|error| error.class);
    assert_eq!(class(link.deleted(&[&asked[1]]).await), Some(ErrorClass::Denied), "who may not read the record learns nothing");
    stage.fault(Fault::of("cloudasset.batch", FaultKind::Server(503)).times(1));
    assert_eq!(class(link.deleted(&[&asked[1]]).await), Some(ErrorClass::Unreachable));
    stage.judged().await;
}

fn revoke(stage: &Stage, permission: &str) {
    let role = format!("projects/{}/roles/{READ_ROLE}", CLIENT.0);
    stage.simulator.world().roles.get_mut(&role).expect("it is there").retain(|held| held != permission);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_and_a_refusal_are_no_absence() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 1);
    let link = stage.link(Purpose::Read).await;
    let asset = Gathered::of(link.as_ref()).await.assets.remove(0);
    let class = |answer: Result<Presence, CloudError>| answer.err().map(|error| error.class);
    stage.simulator.world().delete_row(CLIENT.0, &asset.id, &days_ago(0).to_string());
    stage.fault(Fault::of("compute.", FaultKind::Server(503)).times(1));
    assert_eq!(class(link.exists(&asset).await), Some(ErrorClass::Unreachable));
    revoke(&stage, "compute.instances.get");
    assert_eq!(class(link.exists(&asset).await), Some(ErrorClass::Denied), "who may not read it learns nothing");
    // Last, since the wait holds the service for all calls.
    stage.fault(Fault::of("compute.", FaultKind::Throttled { retry_after: Some(7), retry_info: None }).times(1));
    assert!(matches!(class(link.exists(&asset).await), Some(ErrorClass::Throttled(Some(_)))));
    stage.judged().await;
}
