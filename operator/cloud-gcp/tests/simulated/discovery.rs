//! Reading: every cell, every name, every page.

use std::collections::BTreeSet;

use async_trait::async_trait;
use caretaker_cloud::{Asset, AssetSink, AssetType, Cell, CloudError, EVERYWHERE, ErrorClass, Purpose, Result, Scope, Verdict};
use caretaker_google_simulator::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::stage::{CLIENT, Gathered, PROVIDER, Stage};

fn row(kind: &str, name: &str, location: &str) -> Value {
    json!({
        "name": format!("//{}/projects/{}/things/{name}", kind.split('/').next().unwrap(), CLIENT.0), "assetType": kind,
        "project": format!("projects/{}", CLIENT.1), "displayName": name, "location": location,
    })
}

const KINDS: [(&str, &str, AssetType); 10] = [
    ("compute.googleapis.com/Disk", "compute", AssetType::Volume),
    ("storage.googleapis.com/Bucket", "storage", AssetType::Bucket),
    ("sqladmin.googleapis.com/Instance", "sqladmin", AssetType::Database),
    ("container.googleapis.com/Cluster", "container", AssetType::Cluster),
    ("run.googleapis.com/Service", "functions", AssetType::Function),
    ("cloudfunctions.googleapis.com/Function", "functions", AssetType::Function),
    ("cloudkms.googleapis.com/CryptoKey", "cloudkms", AssetType::Key),
    ("iam.googleapis.com/ServiceAccount", "iam", AssetType::Principal),
    ("pubsub.googleapis.com/Topic", "other", AssetType::Other),
    ("quantum.googleapis.com/Processor", "other", AssetType::Other),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_in_its_cell_and_nothing_of_ours() {
    let stage = Stage::set().await;
    for (kind, ..) in KINDS {
        stage.simulator.world().add_row(CLIENT.0, row(kind, "one", "global"));
    }
    let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.cells);
    assert_eq!(gathered.assets.len(), KINDS.len());
    for (kind, service, asset_type) in KINDS {
        let asset = gathered.assets.iter().find(|asset| asset.native_type == kind).expect("it came");
        assert_eq!((asset.service.as_str(), asset.asset_type), (format!("cloud-asset/{service}").as_str(), asset_type));
        assert_eq!((asset.cloud, asset.account.as_str()), (caretaker_cloud::Cloud::Gcp, CLIENT.0));
    }
    assert!(gathered.cells.iter().all(|cell| cell.key.region == EVERYWHERE && cell.key.account == CLIENT.0));
    assert!(!serde_json::to_string(&gathered.assets).unwrap().contains(PROVIDER));
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_project_is_completely_empty() {
    let stage = Stage::set().await;
    let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
    assert!(gathered.assets.is_empty() && gathered.incomplete().is_empty());
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_resources_and_odd_names() {
    let stage = Stage::set().await;
    let odd = ["-", "a\"b", "$(reboot)", "${x}", "ünïcødé 名前", "a/b", "<script>", "line\nend", "\u{202e}rtl", "a&b=c%20+d", "'; --"];
    {
        let mut world = stage.simulator.world();
        world.add_machines(CLIENT.0, 10_000);
        for name in odd {
            let mut row = row("storage.googleapis.com/Bucket", name, "europe-west1");
            row["labels"] = json!({"key-with_all.legal": name, "empty": ""});
            world.add_row(CLIENT.0, row);
        }
    }
    let link = stage.link(Purpose::Read).await;
    let gathered = Gathered::of(link.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    assert_eq!(gathered.assets.len(), 10_000 + odd.len());
    assert_eq!((gathered.cell("compute").assets, gathered.cell("compute").calls), (10_000, 20));
    let names: BTreeSet<&str> =
        gathered.assets.iter().filter(|asset| asset.asset_type == AssetType::Bucket).map(|asset| asset.name.as_str()).collect();
    assert_eq!(names, odd.into_iter().collect());
    let labels =
        gathered.assets.iter().filter(|asset| asset.asset_type == AssetType::Bucket).map(|asset| asset.tags["key-with_all.legal"].as_str());
    assert_eq!(labels.collect::<BTreeSet<_>>(), odd.into_iter().collect());
    let sizes: Vec<_> = stage
        .simulator
        .exchanges()
        .iter()
        .filter(|exchange| exchange["call"] == "cloudasset.searchAllResources")
        .filter_map(|exchange| exchange["query"]["pageSize"][0].as_str().map(str::to_owned))
        .collect();
    assert!(sizes.iter().all(|size| size == "500") && sizes.len() == stage.simulator.calls("cloudasset.search"));
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_filter_locations() {
    let stage = Stage::set().await;
    for location in ["europe-west1-b", "europe-west1", "europe-west10-a", "us-east1-c", "global"] {
        stage.simulator.world().add_row(CLIENT.0, row("compute.googleapis.com/Disk", location, location));
    }
    let link = stage.link(Purpose::Read).await;
    for (regions, expected) in
        [(vec!["europe-west1"], vec!["europe-west1", "europe-west1-b"]), (vec!["us-east1", "global"], vec!["global", "us-east1-c"])]
    {
        let mut gathered = Gathered::default();
        let scope = Scope { regions: Some(regions.into_iter().map(str::to_owned).collect()), ..Scope::default() };
        link.discover(&scope, &mut gathered).await.expect("the cells can be read");
        gathered.check();
        let mut found: Vec<&str> = gathered.assets.iter().map(|asset| asset.region.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        assert!(gathered.incomplete().is_empty());
    }
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_expires_in_mid_run_is_renewed_and_nothing_is_lost() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 2_300);
    let link = stage.link(Purpose::Read).await;
    stage.fault(Fault::of("cloudasset.search", FaultKind::Expired).about("compute").after(2).times(1));
    let gathered = Gathered::of(link.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    assert_eq!((gathered.cell("compute").assets, gathered.cell("compute").calls), (2_300, 6), "five pages, one of them asked for twice");
    let tokens = stage.simulator.exchanges();
    let pages: Vec<&str> = tokens
        .iter()
        .filter(|exchange| exchange["call"] == "cloudasset.searchAllResources")
        .filter(|exchange| exchange["query"]["assetTypes"][0].as_str().is_some_and(|kind| kind.contains("compute")))
        .map(|exchange| exchange["query"]["pageToken"][0].as_str().unwrap_or_default())
        .collect();
    assert_eq!(pages[2], pages[3], "the same page token under the new session: {pages:?}");
    assert_eq!(stage.simulator.calls("iamcredentials."), 3, "reading, searching, and once anew");
    stage.judged().await;
}

/// Ends the access once so many assets have come.
struct Ending<'a> {
    stage: &'a Stage,
    after: usize,
    gathered: Gathered,
    end: fn(&Stage),
}

#[async_trait]
impl AssetSink for Ending<'_> {
    async fn asset(&mut self, asset: Asset) -> Result<()> {
        self.gathered.assets.push(asset);
        if self.gathered.assets.len() == self.after {
            (self.end)(self.stage);
        }
        Ok(())
    }

    async fn cell(&mut self, cell: Cell) -> Result<()> {
        self.gathered.cells.push(cell);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_ends_in_mid_run_is_denied_and_not_an_end_of_the_list() {
    let ends: [fn(&Stage); 2] = [
        |stage| {
            let member = format!("serviceAccount:{}", stage.grant.service_account);
            stage.simulator.world().projects.get_mut(CLIENT.0).unwrap().policy.unbind(&member);
        },
        |stage| {
            let member = format!("serviceAccount:{}", stage.us);
            stage.simulator.world().accounts.get_mut(&stage.grant.service_account).unwrap().policy.unbind(&member);
            stage.fault(Fault::of("cloudasset.search", FaultKind::Expired));
        },
    ];
    for end in ends {
        let stage = Stage::set().await;
        stage.simulator.world().add_machines(CLIENT.0, 20_000);
        let link = stage.link(Purpose::Read).await;
        let mut sink = Ending { stage: &stage, after: 200, gathered: Gathered::default(), end };
        link.discover(&Scope::default(), &mut sink).await.expect("the cells can be read");
        sink.gathered.check();
        let cell = sink.gathered.cell("compute");
        assert_eq!(cell.verdict, Verdict::Denied, "{cell:?}");
        assert!(cell.assets > 0 && cell.assets < 20_000, "{}", cell.assets);
        stage.judged().await;
    }
}

struct Full;

#[async_trait]
impl AssetSink for Full {
    async fn asset(&mut self, _: Asset) -> Result<()> {
        Err(CloudError::new(ErrorClass::Sink, "write", "the disk is full"))
    }

    async fn cell(&mut self, _: Cell) -> Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_ends_the_run() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 5_000);
    let link = stage.link(Purpose::Read).await;
    let error = link.discover(&Scope::default(), &mut Full).await.expect_err("nothing can be written");
    assert!(error.class == ErrorClass::Sink && error.message == "the disk is full", "{error}");
    assert!(stage.simulator.calls("cloudasset.search") < 20, "the reading stops with it");
}
