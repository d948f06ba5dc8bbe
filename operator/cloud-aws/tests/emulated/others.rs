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
        resource("ec2:image", (grant.account(), here), "image/ami-0", &[("aws:backup:source-resource", "i-0")]),
        row("sqs:queue", FAR, "of-a-region-that-the-spec-leaves-out"),
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
    let passing = Asset { native_type: "ecs:task".into(), ..(*queue).clone() };
    assert_eq!(link.exists(&passing).await.expect("an answer"), Presence::Gone, "what an earlier release listed passes");
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
    let both = format!("in {here}, {there}");
    let all = || on([vec![], vec![]]);
    let only = |region: &str| Explorer { indexes: [(region.to_owned(), Rows::These(Vec::new()))].into(), ..all() };
    let filtered = format!("its default view shows only `{}…`: take the filter away", &LONG[..80]);
    let [off, off_at_home] =
        [format!("in {here} it is off: turn it on"), format!("in {there} it is off, and what is in no region shows only there: turn")];
    for (explorer, shown, words) in [
        (None, 0, vec![off.clone(), off_at_home.clone()]),
        (Some(only(here)), 0, vec![off_at_home.clone()]),
        (Some(Explorer { state: "DELETING", ..all() }), 0, vec![format!("{both} it is off: turn it on")]),
        (Some(Explorer { filter: None, ..all() }), 0, vec![format!("{both} it has no default view: make one")]),
        (
            Some(Explorer { filter: None, aggregator: Some(there.into()), ..all() }),
            0,
            vec![format!("{both} it has no default view: make one")],
        ),
        (Some(Explorer { shows_tags: false, ..all() }), 0, vec![format!("{both} its default view leaves tags out: include them")]),
        (
            Some(Explorer { is_of_an_organization: true, ..all() }),
            0,
            vec![format!("{both} its default view is not of this account alone: make")],
        ),
        (Some(Explorer { state: "CREATING", ..all() }), 1, vec![format!("{both} its index is not complete yet: it takes")]),
        (Some(Explorer { filter: Some(LONG), aggregator: Some(there.into()), ..all() }), 1, vec![format!("{both} {filtered}")]),
        // Where no region that is read shows anything, what the aggregator shows is better than nothing.
        (
            Some(Explorer { filter: Some(LONG), aggregator: Some(FAR.into()), ..only(FAR) }),
            1,
            vec![off, off_at_home, format!("in {FAR} {filtered}")],
        ),
    ] {
        let stage = OnEmulator::set().await;
        let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
        let what = format!("{explorer:?}");
        if let Some(mut explorer) = explorer {
            for region in [there, FAR] {
                if let Some(rows) = explorer.indexes.get_mut(region) {
                    *rows = Rows::These(vec![resource("sqs:queue", (grant.account(), there), "orders", &[])]);
                }
            }
            stage.watch.set_explorer(grant.account(), explorer);
        }
        let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
        let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
        let note = note(&gathered);
        assert_eq!(others(&gathered).len(), shown, "{what}: {:?}", gathered.assets);
        assert_eq!(note.matches("; in ").count() + 1, words.len(), "{what}: {note}");
        for word in words.iter().map(String::as_str).chain(["Resource Explorer"]) {
            assert!(note.contains(word), "{what}: {word} is not in {note}");
        }
    }
}

/// A region that no test reads.
const FAR: &str = "ap-south-1";
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
        (FAR.to_owned(), rows(vec![row("sqs:queue", FAR, "far")])),
    ]);
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let scope = Scope { regions: Some(vec![here.to_owned()]), ..Scope::default() };
    for (has_home, shown, told) in
        [(false, 1, "in us-east-1 it is off, and what is in no region shows only there: turn it on"), (true, 2, "")]
    {
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
    assert!(stage.calls(&format!("resource-explorer-2/{FAR}/")).is_empty(), "nobody reads that region");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_refuses_costs_its_own_resources_only() {
    let [shut, open] = REGIONS;
    for (call, aggregator) in [("GetIndex", None), ("ListResources", None), ("GetView", Some(shut.to_owned()))] {
        let stage = OnEmulator::set().await;
        let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
        let rows = REGIONS.map(|region| vec![resource("sqs:queue", (grant.account(), region), "orders", &[])]);
        stage.watch.set_explorer(grant.account(), Explorer { aggregator, ..on(rows) });
        stage.fault(Fault::error(&format!("resource-explorer-2/{shut}/POST:{call}"), 403, "AccessDeniedException"));
        let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
        let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
        let [cell] = gathered.incomplete()[..] else { panic!("one cell only: {:?}", gathered.incomplete()) };
        assert!(cell.verdict == Verdict::Denied && cell.assets == 1 && cell.cause.contains(&format!("in {shut}: ")), "{call}: {cell:?}");
        assert_eq!(others(&gathered)[0].region, open);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_region_tells_where_it_is_on() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    stage.watch.set_explorer(grant.account(), on([vec![], vec![]]));
    // The spec may name a region that does not take our session.
    stage.fault(Fault::error(&format!("resource-explorer-2/{}/POST:ListIndexes", REGIONS[0]), 403, "UnrecognizedClientException"));
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    assert_eq!((note(&gathered), gathered.incomplete().len()), ("", 0));
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
        assert!(REGIONS.iter().any(|region| cell.cause.contains(&format!("in {region}: "))), "{}", cell.cause);
    }
}
