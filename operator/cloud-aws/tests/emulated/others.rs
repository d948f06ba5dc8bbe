//! What only Resource Explorer shows.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_aws_shim::{Answer, Explorer, Fault, Rows, resource};
use caretaker_cloud::suite::{Gathered, Stage};
use caretaker_cloud::{AccessGrant, Asset, AwsType, CloudConnector, EVERYWHERE, Presence, Purpose, Scope, Verdict};
use serde_json::Value;

use crate::stage::{OnEmulator, REGIONS};

fn others(gathered: &Gathered) -> Vec<&Asset> {
    gathered.assets.iter().filter(|asset| asset.service == AwsType::Other.service()).collect()
}

/// The complete cell's note.
fn note(gathered: &Gathered) -> &str {
    let cell = gathered.cells.iter().find(|cell| cell.key.service == AwsType::Other.service()).expect("the cell is planned");
    assert_eq!((cell.verdict, cell.key.region.as_str()), (Verdict::Complete, EVERYWHERE), "{cell:?}");
    &cell.cause
}

fn on(rows: [Vec<String>; 2]) -> Explorer {
    Explorer::on(REGIONS.iter().zip(rows).map(|(region, rows)| ((*region).to_owned(), Rows::These(rows))).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_list_shows_is_read_from_the_index_and_nothing_is_listed_twice() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let [here, there] = REGIONS;
    let row = |kind: &str, region: &str, id: &str| resource(kind, (grant.account(), region), id, &[]);
    // One that Resource Explorer calls by a name that nobody knows, and CloudFormation as the services' own lists do.
    let mut renamed: Value = serde_json::from_str(&row("ec2:virtual-machine", here, "instance/i-1")).expect("JSON");
    renamed["CfnResourceType"] = AwsType::Instance.native_type().into();
    let rows = vec![
        resource("sqs:queue", (grant.account(), here), "orders", &[("team", "shop"), ("Name", "Orders, new")]),
        row("sns:topic", there, "orders-placed"),
        row("cloudfront:distribution", "global", "distribution/E1"),
        row("elasticloadbalancing:loadbalancer", here, "loadbalancer/first-generation"),
        row("ec2:instance", here, "instance/i-0"),
        row("elasticloadbalancing:loadbalancer", here, "loadbalancer/app/web/1"),
        renamed.to_string(),
        row("ec2:network-interface", here, "network-interface/eni-0"),
        row("sqs:queue", "ap-south-1", "of-a-region-that-the-spec-leaves-out"),
        resource("sqs:queue", ("999999999999", here), "of-another-account-of-the-organization", &[]),
    ];
    stage
        .watch
        .set_explorer(grant.account(), Explorer { aggregator: Some(here.into()), ..on([rows, vec![row("sqs:queue", there, "copied")]]) });
    stage.page_rows(3).await;
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    assert_eq!(note(&gathered), "", "it shows all");
    let found = others(&gathered);
    let said: BTreeSet<(&str, &str, &str)> =
        found.iter().map(|asset| (asset.native_type.as_str(), asset.region.as_str(), asset.name.as_str())).collect();
    let wanted = [
        ("sqs:queue", here, "Orders, new"),
        ("sns:topic", there, "orders-placed"),
        ("cloudfront:distribution", EVERYWHERE, "E1"),
        ("elasticloadbalancing:loadbalancer", here, "first-generation"),
    ];
    assert_eq!((said, found.len()), (wanted.into(), 4));
    let queue = found.iter().find(|asset| asset.native_type == "sqs:queue").expect("it is there");
    assert_eq!(queue.id, format!("arn:aws:sqs:{here}:{}:orders", grant.account()));
    assert_eq!(queue.tags, BTreeMap::from([("team".into(), "shop".into()), ("Name".into(), "Orders, new".into())]));
    assert_eq!(stage.calls("POST:ListResources").len(), 4, "the aggregator alone is asked, in pages of three");
    // The index is no word on whether something is there.
    for asset in &gathered.assets {
        let is_indexed = asset.service == AwsType::Other.service();
        let said = link.exists(asset).await.expect("an answer");
        assert_eq!((link.reads_an_index(&asset.service), said == Presence::Unknown), (is_indexed, is_indexed), "{asset:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_aggregator_each_region_is_asked() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let rows = REGIONS.map(|region| vec![resource("sqs:queue", (grant.account(), region), "orders", &[])]);
    stage.watch.set_explorer(grant.account(), on(rows));
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    // The session ends between the two.
    let ended = Answer::Error { status: 403, code: "ExpiredTokenException".into(), retry_after: None };
    stage.fault(Fault { skip: 1, times: Some(1), ..Fault::of("POST:ListResources", ended) });
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    let regions: BTreeSet<&str> = others(&gathered).iter().map(|asset| asset.region.as_str()).collect();
    assert_eq!((regions, others(&gathered).len(), note(&gathered)), (REGIONS.into(), 2, ""));
}

/// What it does not show is told, and no reason to call the reading incomplete: nobody must turn it on.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_index_cannot_show_is_told() {
    let [here, there] = REGIONS;
    let both = format!("{here}, {there}");
    let all = || on([vec![], vec![]]);
    for (explorer, shown, word) in [
        (None, 0, format!("{both} (it is off)")),
        (Some(Explorer { indexes: [(here.to_owned(), Rows::These(Vec::new()))].into(), ..all() }), 0, format!("in {there} (it is off)")),
        (Some(Explorer { state: "DELETING", ..all() }), 0, format!("{both} (it is off)")),
        (Some(Explorer { filter: None, ..all() }), 0, format!("{both} (it has no default view)")),
        (Some(Explorer { filter: None, aggregator: Some(there.into()), ..all() }), 0, format!("{both} (it has no default view)")),
        (Some(Explorer { shows_tags: false, ..all() }), 0, format!("{both} (its default view leaves tags out)")),
        (Some(Explorer { is_of_an_organization: true, ..all() }), 0, format!("{both} (its default view is not of this account alone)")),
        (Some(Explorer { state: "CREATING", ..all() }), 1, format!("{both} (its index is not complete yet)")),
        (
            Some(Explorer { filter: Some(LONG), aggregator: Some(there.into()), ..all() }),
            1,
            format!("all regions (its default view shows only `{}…`)", &LONG[..80]),
        ),
    ] {
        let stage = OnEmulator::set().await;
        let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
        let what = format!("{explorer:?}");
        if let Some(mut explorer) = explorer {
            let rows = vec![resource("sqs:queue", (grant.account(), there), "orders", &[])];
            if explorer.indexes.contains_key(there) {
                explorer.indexes.insert(there.to_owned(), Rows::These(rows));
            }
            stage.watch.set_explorer(grant.account(), explorer);
        }
        let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
        let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
        let note = note(&gathered);
        assert_eq!(others(&gathered).len(), shown, "{what}: {:?}", gathered.assets);
        for word in [word.as_str(), "Resource Explorer", "turn it on", "free of charge"] {
            assert!(note.contains(word), "{what}: {word} is not in {note}");
        }
    }
}

/// A filter as long as AWS takes it.
const LONG: &str = "service:ec2 -tag:stage=prod region:eu* service:s3 service:rds service:lambda service:sqs service:sns service:dynamodb";

#[tokio::test(flavor = "multi_thread")]
async fn regions_that_the_spec_leaves_out_are_not_asked_and_what_is_in_none_has_its_own() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let [here, home] = REGIONS;
    let row = |kind: &str, region: &str, id: &str| resource(kind, (grant.account(), region), id, &[]);
    let rows = |rows: Vec<String>| Rows::These(rows);
    let mut indexes = std::collections::BTreeMap::from([
        (here.to_owned(), rows(vec![row("sqs:queue", here, "orders")])),
        ("ap-south-1".to_owned(), rows(vec![row("sqs:queue", "ap-south-1", "far")])),
    ]);
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let scope = Scope { regions: Some(vec![here.to_owned()]), ..Scope::default() };
    for (has_home, shown, told) in [(false, 1, "us-east-1 (it is off, and what is in no region shows only there)"), (true, 2, "")] {
        if has_home {
            indexes.insert(
                home.to_owned(),
                rows(vec![row("cloudfront:distribution", "global", "distribution/E1"), row("sqs:queue", home, "not-read")]),
            );
        }
        stage.watch.set_explorer(grant.account(), Explorer::on(indexes.clone()));
        let mut gathered = Gathered::default();
        link.discover(&scope, &mut gathered).await.expect("the cells can be planned");
        assert_eq!(others(&gathered).len(), shown, "{:?}", gathered.assets);
        assert!(note(&gathered).contains(told) && note(&gathered).is_empty() == told.is_empty(), "{}", note(&gathered));
    }
    assert!(stage.calls("resource-explorer-2/ap-south-1/").is_empty(), "nobody reads that region");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_refuses_costs_its_own_resources_only() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let [shut, open] = REGIONS;
    stage
        .watch
        .set_explorer(grant.account(), on(REGIONS.map(|region| vec![resource("sqs:queue", (grant.account(), region), "orders", &[])])));
    stage.fault(Fault::error(&format!("resource-explorer-2/{shut}/POST:GetIndex"), 403, "AccessDeniedException"));
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    let [cell] = gathered.incomplete()[..] else { panic!("one cell only: {:?}", gathered.incomplete()) };
    assert!(cell.verdict == Verdict::Denied && cell.assets == 1 && cell.cause.contains(&format!("in {shut}")), "{cell:?}");
    assert_eq!(others(&gathered)[0].region, open);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_may_not_be_asked_is_denied_and_names_the_call() {
    for (call, name) in
        [("POST:ListIndexes", "ListIndexes"), ("POST:GetDefaultView", "GetDefaultView"), ("POST:ListResources", "ListResources")]
    {
        let stage = OnEmulator::set().await;
        let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
        stage.watch.set_explorer(grant.account(), on([vec![], vec![]]));
        let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
        // A view that we may not use is refused by another word than a call.
        let (status, code) = if name == "ListResources" { (401, "UnauthorizedException") } else { (403, "AccessDeniedException") };
        stage.fault(Fault::error(call, status, code));
        let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
        let [cell] = gathered.incomplete()[..] else { panic!("one cell only: {:?}", gathered.incomplete()) };
        assert_eq!((cell.key.service.as_str(), cell.verdict), (AwsType::Other.service(), Verdict::Denied), "{cell:?}");
        assert!(cell.cause.contains(&format!("resource-explorer-2:{name}")), "{}", cell.cause);
        assert!(name == "ListIndexes" || cell.cause.contains("in eu-west-1: "), "{}", cell.cause);
    }
}
