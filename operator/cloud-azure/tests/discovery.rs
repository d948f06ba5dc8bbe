//! Discovery on the simulator where nothing goes wrong. Emulated: nothing here was proved against Azure.

mod common;

use std::collections::BTreeSet;

use caretaker_arm_simulator::world::GraphFault;
use caretaker_cloud::{AssetType, EVERYWHERE, Power, Purpose, Scope, Size};
use common::{SUBSCRIPTION, Stage, gather, machines, resource};
use serde_json::{Value, json};

/// Names with all that Azure lets stand somewhere, and more.
const ODD: [&str; 8] = ["a.b_c-d(1)", "ünïcödé", "日本語", "emoji 🦀", "quote'\"\\", "tab\tand\nline", "%2F..%00", "{{braces}} ${x} <b>"];

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_resources_come_once_each() {
    let mut resources = machines(10_000);
    for (number, odd) in ODD.iter().enumerate() {
        resources[number * 1000]["name"] = (*odd).into();
    }
    let stage = Stage::with(resources).await;
    let gathered = stage.discover().await;
    gathered.assert_complete();
    let ids: BTreeSet<&str> = gathered.assets.iter().map(|asset| asset.id.as_str()).collect();
    assert_eq!((ids.len(), gathered.assets.len()), (10_000, 10_000));
    let cell = gathered.cell("compute");
    // Ten pages, the addresses, and the proof that the delegation still stands.
    assert_eq!((cell.assets, cell.calls), (10_000, 12));
    let queries = stage.queries();
    assert_eq!(queries.len(), 22);
    let proper = |query: &str| query.contains("| project id,") && query.ends_with("| order by id asc");
    for query in queries {
        let text = query.request_body["query"].as_str().expect("a query");
        assert!(proper(text) && query.request_body["options"]["$top"] == 1000, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_resources_come_once_each() {
    let stage = Stage::with(machines(100_000)).await;
    let gathered = stage.discover().await;
    gathered.assert_complete();
    let ids: BTreeSet<&str> = gathered.assets.iter().map(|asset| asset.id.as_str()).collect();
    assert_eq!((ids.len(), gathered.assets.len(), gathered.cell("compute").calls), (100_000, 100_000, 102));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_complete_as_well() {
    let stage = Stage::new().await;
    let gathered = stage.discover().await;
    gathered.assert_complete();
    assert!(gathered.assets.is_empty());
    // Machines are asked for together with their addresses.
    let calls = |cell: &caretaker_cloud::Cell| if cell.key.service == "resource-graph/compute" { 3 } else { 2 };
    let is_whole =
        |cell: &&caretaker_cloud::Cell| cell.key.account == SUBSCRIPTION && cell.key.region == EVERYWHERE && cell.calls == calls(cell);
    assert_eq!(gathered.cells.iter().filter(is_whole).count(), 12, "{:?}", gathered.cells);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_lands_in_its_cell() {
    let kinds = [
        ("Microsoft.Compute/virtualMachines", "compute", AssetType::Instance),
        ("Microsoft.Compute/disks", "disks", AssetType::Volume),
        ("Microsoft.Compute/snapshots", "disks", AssetType::Snapshot),
        ("Microsoft.Network/virtualNetworks", "network", AssetType::Network),
        ("Microsoft.Network/networkSecurityGroups", "network", AssetType::SecurityGroup),
        ("Microsoft.Network/loadBalancers", "network", AssetType::LoadBalancer),
        ("Microsoft.Storage/storageAccounts", "storage", AssetType::Bucket),
        ("Microsoft.Sql/servers/databases", "databases", AssetType::Database),
        ("Microsoft.ContainerService/managedClusters", "kubernetes", AssetType::Cluster),
        ("Microsoft.Web/sites", "web", AssetType::Other),
        ("Microsoft.KeyVault/vaults", "keyvault", AssetType::Key),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", "identity", AssetType::Principal),
        ("Microsoft.RecoveryServices/vaults", "recoveryservices", AssetType::BackupVault),
        ("Contoso.Rockets/Engines", "other", AssetType::Other),
    ];
    let stage = Stage::with(kinds.iter().map(|(kind, ..)| resource(kind, "one", "westeurope")).collect()).await;
    let gathered = stage.discover().await;
    gathered.assert_complete();
    assert_eq!(gathered.assets.len(), kinds.len());
    for (kind, group, asset_type) in kinds {
        let asset = gathered.assets.iter().find(|asset| asset.native_type == kind.to_lowercase()).expect(kind);
        assert_eq!((asset.service.as_str(), asset.asset_type), (format!("resource-graph/{group}").as_str(), asset_type), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_and_tags_arrive_unchanged() {
    let resources = ODD.iter().map(|odd| resource("Microsoft.Compute/disks", odd, "westeurope")).collect();
    let stage = Stage::with(resources).await;
    let gathered = stage.discover().await;
    gathered.assert_complete();
    let names: BTreeSet<&str> = gathered.assets.iter().map(|asset| asset.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(ODD));
    assert!(gathered.assets.iter().all(|asset| asset.tags["name"] == asset.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_and_what_is_a_fact_come_from_the_properties() {
    let mut machine = resource("Microsoft.Compute/virtualMachines", "one", "westeurope");
    machine["properties"] = json!({
        "provisioningState": "Succeeded", "timeCreated": "2026-02-03T04:05:06Z",
        "extended": {"instanceView": {"powerState": {"code": "PowerState/deallocated"}}}, "hardwareProfile": {"vmSize": "Standard_B1s"},
        "storageProfile": {"osDisk": {"osType": "Windows"}},
    });
    let mut disk = resource("Microsoft.Compute/disks", "two", "westeurope");
    disk["sku"] = json!({"name": "Premium_LRS"});
    disk["properties"]["diskSizeGB"] = 128.into();
    disk["tags"] = Value::Null;
    let stage = Stage::with(vec![machine, disk]).await;
    let gathered = stage.discover().await;
    let [machine, disk] = gathered.assets.as_slice() else { panic!("two: {:?}", gathered.assets) };
    assert_eq!((machine.power, machine.facts["state"].as_str()), (Some(Power::Stopped), "deallocated"));
    assert_eq!(machine.size, Some(Size::Class("Standard_B1s".into())));
    assert_eq!(machine.created.expect("a time").to_string(), "2026-02-03T04:05:06Z");
    assert_eq!(machine.facts["os"], "windows");
    let facts = ["sku", "state"].map(|name| disk.facts[name].as_str());
    assert_eq!((facts, disk.tags.len()), (["Premium_LRS", "succeeded"], 0));
    assert_eq!((disk.size.clone(), disk.groups.clone()), (Some(Size::Gib(128)), vec!["prod".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_of_regions_is_a_filter() {
    let places = ["westeurope", "northeurope", "global", "west'europe) or (true"];
    let stage = Stage::with(places.iter().map(|place| resource("Microsoft.Compute/disks", place, place)).collect()).await;
    let link = stage.link(Purpose::Read).await;
    for (regions, expected) in [(vec!["WestEurope"], 1), (vec!["northeurope", "global"], 2), (vec![places[3]], 1), (vec!["nowhere"], 0)] {
        let scope = Scope { regions: Some(regions.iter().map(|region| (*region).to_owned()).collect()), ..Scope::default() };
        let gathered = gather(link.as_ref(), &scope).await;
        gathered.assert_complete();
        assert_eq!(gathered.assets.len(), expected, "{regions:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_in_two_letter_cases_is_one_asset_in_every_run() {
    let twice = |id: fn(&str) -> String| {
        let mut resource = resource("Microsoft.Compute/disks", "data", "westeurope");
        let text = id(resource["id"].as_str().expect("an id"));
        resource["id"] = text.into();
        resource
    };
    let stage = Stage::with(vec![twice(str::to_owned), twice(str::to_uppercase)]).await;
    let digest = |assets: &[caretaker_cloud::Asset]| -> Vec<String> {
        let still = |asset: &caretaker_cloud::Asset| caretaker_cloud::Asset { seen_at: jiff::Timestamp::UNIX_EPOCH, ..asset.clone() };
        assets.iter().map(|asset| format!("{:?}", still(asset))).collect()
    };
    let first = stage.discover().await;
    first.assert_complete();
    assert_eq!(first.assets.len(), 1);
    stage.edit(|subscription| subscription.resources = vec![twice(str::to_lowercase)]);
    let second = stage.discover().await;
    assert_eq!(digest(&first.assets), digest(&second.assets));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_counts_whatever_else_the_page_says() {
    for fault in [GraphFault::NeverTruncated, GraphFault::EmptyPages] {
        let stage = Stage::with(machines(5)).await;
        stage.simulator.change(|world| {
            world.page_rows = 2;
            world.graph_fault = Some(fault);
        });
        let gathered = stage.discover().await;
        gathered.assert_complete();
        assert_eq!(gathered.assets.len(), 5, "{fault:?}");
    }
}
