//! Patch state, as VM Manager tells it to Cloud Asset.

use caretaker_cloud::{AssetType, PatchFacts, Purpose, Verdict, patch_cell};
use caretaker_google_simulator::{Fault, FaultKind};

use crate::stage::{CLIENT, Gathered, Stage};

fn name(machine: usize) -> String {
    format!("//compute.googleapis.com/projects/{}/zones/europe-west1-b/instances/vm-{machine:06}", CLIENT.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn inventories_come_under_their_machines_names_page_by_page() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 130);
    for machine in 0..120 {
        stage.simulator.world().add_os_inventory(CLIENT.0, &name(machine), "2026-01-02T03:04:05Z", machine % 3);
    }
    let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.cells);
    let told: Vec<_> = gathered.assets.iter().filter(|asset| asset.asset_type == AssetType::PatchState).collect();
    let cell = gathered.cell("os-inventories");
    assert_eq!((told.len(), cell.assets, cell.calls), (120, 120, 6));
    let machine = gathered.assets.iter().find(|asset| asset.id == name(2) && asset.asset_type == AssetType::Instance).expect("it came");
    assert_eq!(patch_cell(machine), cell.key);
    let state = told.iter().find(|state| state.id == machine.id).expect("it has an inventory");
    assert_eq!(PatchFacts::of(state).missing, 2);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_inventories_still_sees_machines() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 2);
    stage.fault(Fault::of("cloudasset.assets.list", FaultKind::Denied));
    let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
    let incomplete = gathered.incomplete();
    assert_eq!(incomplete.len(), 1, "{incomplete:?}");
    assert_eq!((incomplete[0].key.service.as_str(), incomplete[0].verdict), ("cloud-asset/os-inventories", Verdict::Denied));
    assert_eq!(gathered.assets.len(), 2);
    stage.judged().await;
}
