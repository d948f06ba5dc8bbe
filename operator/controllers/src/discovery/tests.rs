mod odd;
mod regions;
mod segments;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use caretaker_api::cloud_account::PatchStatus;
use caretaker_api::scope::{Exclusion, ScopeTerms, Selector};
use caretaker_cloud::fake::{ExternalIdRule, FakeAccount, FakeCloud, FakeRole, Fault, Trust};
use caretaker_cloud::{AccessGrant, AssetType, AwsGrant, AwsType, CloudConnector, PatchFacts, Purpose};
use caretaker_core::inventory::address::key;
use caretaker_core::inventory::scope::{Named, ScopeVerdict};
use object_store::memory::InMemory;

use odd::Odd;

use super::*;
use caretaker_store::inventory::{clean, differences as read_differences, read};

const ACCOUNT: &str = "222222222222";
const ROLE: &str = "arn:aws:iam::222222222222:role/CaretakerAccess";
const US: &str = "arn:aws:iam::111111111111:user/caretaker";
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const FOLDER: &str = "clients/acme/inventory/prod";

/// An account with machines in two regions.
fn cloud(machines: usize) -> FakeCloud {
    let trust = Trust::Principal { arn: US.into(), external_id: ExternalIdRule::Demanded("secret".into()) };
    let mut account = FakeAccount::new(ACCOUNT, &REGIONS).with_role(ROLE, FakeRole::for_purposes(trust, &[Purpose::Read]));
    for region in REGIONS {
        account.add_assets(region, AwsType::Instance, machines);
        account.add_assets(region, AwsType::Volume, 1);
    }
    let cloud = FakeCloud::new(US);
    cloud.put_account(account);
    cloud
}

async fn link(cloud: &FakeCloud) -> Arc<dyn CloudLink> {
    let grant = AwsGrant {
        account_id: ACCOUNT.into(),
        role_arn: ROLE.into(),
        external_id: "secret".into(),
        session_name: "caretaker".into(),
        source_identity: "client-acme.prod".into(),
    };
    cloud.connect(&AccessGrant::Aws(grant), Purpose::Read).await.unwrap()
}

fn hour(number: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + number * 3600).unwrap()
}

fn rules(terms: Option<&ScopeTerms>) -> Rules {
    Rules::new(terms, Named { names: vec!["prod".into()], id: ACCOUNT.into(), cloud: caretaker_api::cloud_account::Cloud::Aws })
}

fn reading<'a>(store: &'a Store, last: Option<&'a InventoryStatus>, now: Timestamp) -> Reading<'a> {
    Reading {
        store,
        client: "acme",
        account: "prod",
        scope: Scope { regions: Some(REGIONS.map(str::to_owned).to_vec()), ..Scope::default() },
        rules: rules(None),
        scope_digest: "scope".into(),
        last,
        baseline: None,
        run: Run { identity: "1".into(), within: SignedDuration::from_hours(1), every: Duration::from_secs(3600) },
        now,
        used: None,
    }
}

async fn take(cloud: &FakeCloud, reading: &Reading<'_>) -> Taken {
    run(link(cloud).await.as_ref(), reading).await.expect("the account is read")
}

async fn lines(store: &Store, inventory: &InventoryStatus) -> Vec<Line> {
    let mut found = Vec::new();
    read(store, inventory, |line| {
        found.push(line);
        Ok(())
    })
    .await
    .unwrap();
    found
}

fn counts(diff: Option<&DiffStatus>) -> (u64, u64, u64) {
    let diff = diff.expect("they are compared");
    assert_eq!(diff.added + diff.removed + diff.changed == 0, diff.address.is_empty());
    (diff.added, diff.removed, diff.changed)
}

#[tokio::test]
async fn an_unchanged_world_has_the_same_digest_and_sends_no_shard_again() {
    let (cloud, store) = (cloud(3000), Store::in_memory());
    let first = take(&cloud, &reading(&store, None, hour(0))).await.inventory;
    let shards = || async { store.list_dated(&format!("{FOLDER}/shards")).await.unwrap() };
    let before = shards().await;
    assert!(before.len() > 2, "6,002 assets take more than one shard: {}", before.len());
    let second = take(&cloud, &reading(&store, Some(&first), hour(1))).await.inventory;
    assert_eq!((second.digest.as_str(), shards().await), (first.digest.as_str(), before));
    assert_ne!(second.address, first.address, "each reading has its own manifest");
    assert_eq!(counts(second.since_previous.as_ref()), (0, 0, 0));
    assert_eq!((second.assets, second.since.clone()), (6002, Some(Time(hour(0)))));
    let all = lines(&store, &second).await;
    assert_eq!(all.len(), 6002);
    assert!(all.iter().all(|line| !line.asset.seen_at.is_zero()), "every line says when it was seen");
    let keys: BTreeSet<String> = all.iter().map(|line| key(&line.asset)).collect();
    assert_eq!(keys.len(), all.len(), "each asset once");
}

#[tokio::test]
async fn an_absence_is_told_of_a_complete_cell_only() {
    let (cloud, store) = (cloud(3), Store::in_memory());
    let first = take(&cloud, &reading(&store, None, hour(0))).await.inventory;
    let seen = lines(&store, &first).await.iter().map(|line| line.asset.seen_at).max().unwrap();
    for region in REGIONS {
        cloud.account(ACCOUNT, |account| account.assets.insert((region.into(), AwsType::Instance), Vec::new()));
    }
    cloud.fault(Fault::of("ec2:DescribeInstances", ErrorClass::Denied).in_region(REGIONS[1]));
    let second = take(&cloud, &reading(&store, Some(&first), hour(1))).await.inventory;
    assert_eq!(counts(second.since_previous.as_ref()), (0, 3, 0), "those of the denied region are no removal");
    let kept: Vec<Line> = lines(&store, &second).await.into_iter().filter(|line| line.asset.service == "ec2/instances").collect();
    assert_eq!(kept.len(), 3);
    assert!(
        kept.iter().all(|line| line.asset.region == REGIONS[1] && line.asset.seen_at <= seen),
        "with the time when they were last seen"
    );
    let third = take(&cloud, &reading(&store, Some(&second), hour(2))).await.inventory;
    assert_eq!(third.digest, second.digest, "what is taken over stays as it is");
    cloud.cure();
    let fourth = take(&cloud, &reading(&store, Some(&third), hour(3))).await.inventory;
    assert_eq!(counts(fourth.since_previous.as_ref()), (0, 3, 0));
    let mut gone = Vec::new();
    read_differences(&store, &fourth.since_previous.unwrap().address, |found| {
        gone.push((found.change, found.region));
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(gone, vec![(caretaker_core::inventory::diff::Change::Removed, REGIONS[1].to_owned()); 3]);
}

#[tokio::test]
async fn every_asset_has_a_verdict_and_an_edit_of_the_scope_is_told_as_a_change() {
    let (cloud, store) = (cloud(3), Store::in_memory());
    let first = take(&cloud, &reading(&store, None, hour(0))).await.inventory;
    let terms = ScopeTerms {
        include: vec![Selector { kind: Some("instance".into()), ..Selector::default() }],
        exclude: vec![Exclusion { selector: Selector { region: Some(REGIONS[1].into()), ..Selector::default() }, reason: "theirs".into() }],
    };
    let taken = take(&cloud, &Reading { rules: rules(Some(&terms)), ..reading(&store, Some(&first), hour(1)) }).await;
    let by = |verdict: ScopeVerdict| taken.inventory.by_verdict.get(verdict.as_str()).copied().unwrap_or_default();
    assert_eq!((by(ScopeVerdict::Covered), by(ScopeVerdict::Excluded), by(ScopeVerdict::Unclassified)), (3, 4, 1));
    assert_eq!((taken.unclassified.len(), counts(taken.inventory.since_previous.as_ref())), (1, (0, 0, 5)));
    let all = lines(&store, &taken.inventory).await;
    assert!(all.iter().all(|line| (line.verdict == ScopeVerdict::Excluded) == (line.exclusion == "theirs")), "{all:?}");
}

#[tokio::test]
async fn the_baseline_is_compared_with() {
    let (cloud, store) = (cloud(3), Store::in_memory());
    let first = take(&cloud, &reading(&store, None, hour(0))).await.inventory;
    let baseline = BaselineStatus {
        digest: first.digest.clone(),
        address: first.address.clone(),
        taken_at: first.taken_at.clone(),
        ..BaselineStatus::default()
    };
    cloud.account(ACCOUNT, |account| account.add_assets(REGIONS[0], AwsType::Volume, 2));
    let with_baseline = |last, now| Reading { baseline: Some(&baseline), ..reading(&store, last, now) };
    let second = take(&cloud, &with_baseline(Some(&first), hour(1))).await.inventory;
    let third = take(&cloud, &with_baseline(Some(&second), hour(2))).await.inventory;
    assert_eq!((counts(third.since_previous.as_ref()), counts(third.since_baseline.as_ref())), ((0, 0, 0), (2, 0, 0)));
    assert_eq!(third.since_baseline, second.since_baseline, "an unchanged world changes nothing that is said of it");
}

/// An inventory as earlier releases wrote it: one file in the order of arrival, under the digest of its bytes.
async fn old_inventory(store: &Store, assets: &[Asset]) -> InventoryStatus {
    let lines: Vec<String> = assets.iter().map(|asset| serde_json::to_string(asset).unwrap()).collect();
    let packed = zstd::stream::encode_all(lines.join("\n").as_bytes(), 3).unwrap();
    let digest = caretaker_core::digest::sha256_hex(&packed);
    let at = format!("{FOLDER}/{digest}.ndjson.zst");
    store.put(&at, packed.into()).await.unwrap();
    InventoryStatus { digest, address: at, assets: assets.len() as u64, taken_at: Some(Time(hour(0))), ..InventoryStatus::default() }
}

#[tokio::test]
async fn an_inventory_of_an_earlier_release_is_read_and_taken_over() {
    let (cloud, store) = (cloud(3), Store::in_memory());
    let assets: Vec<Asset> = cloud.account(ACCOUNT, |account| account.assets.values().flatten().cloned().collect()).unwrap();
    let assets: Vec<Asset> = assets.into_iter().map(|asset| Asset { seen_at: hour(0), ..asset }).collect();
    let old = old_inventory(&store, &assets).await;
    assert_eq!(lines(&store, &old).await.len(), 8);
    cloud.fault(Fault::of("ec2:DescribeInstances", ErrorClass::Denied).in_region(REGIONS[1]));
    let taken = take(&cloud, &reading(&store, Some(&old), hour(1))).await;
    assert_eq!((taken.losses.len(), taken.inventory.assets), (0, 8));
    assert_eq!(counts(taken.inventory.since_previous.as_ref()), (0, 0, 0), "an upgrade is no change");
    assert_eq!(taken.inventory.since, Some(Time(hour(0))));
    let kept = lines(&store, &taken.inventory).await.into_iter().filter(|line| line.asset.seen_at == hour(0)).count();
    assert_eq!(kept, 3, "what is taken over keeps its time");
}

#[tokio::test]
async fn what_the_store_has_lost_is_told_and_stored_again() {
    let (cloud, store) = (cloud(3), Store::in_memory());
    let first = take(&cloud, &reading(&store, None, hour(0))).await.inventory;
    let shard = store.list(&format!("{FOLDER}/shards")).await.unwrap().remove(0);
    let whole = store.get(&shard).await.unwrap();
    let mut flipped = whole.to_vec();
    flipped[20] ^= 0xff;
    for (reason, spoilt) in [("altered", Some(flipped)), ("cut", Some(whole[..20].to_vec())), ("gone", None)] {
        match spoilt {
            Some(bytes) => store.put(&shard, bytes.into()).await.unwrap(),
            None => store.delete(&shard).await.unwrap(),
        }
        let taken = take(&cloud, &reading(&store, Some(&first), hour(1))).await;
        assert_eq!(taken.losses.len(), 1, "{reason}: {:?}", taken.losses);
        assert_eq!((store.get(&shard).await.unwrap(), taken.inventory.lost_at), (whole.clone(), None), "{reason}");
    }
    // With a cell that is not readable now, what the last inventory knew of it is lost, and that stays told until the cell is read again.
    store.delete(&first.address).await.unwrap();
    cloud.fault(Fault::of("ec2:DescribeInstances", ErrorClass::Denied).in_region(REGIONS[1]));
    let lost = take(&cloud, &reading(&store, Some(&first), hour(2))).await;
    assert!(lost.losses[0].contains("manifest.json") && lost.losses[0].contains("is lost with it"), "{:?}", lost.losses);
    assert_eq!((lost.inventory.assets, lost.inventory.lost_at.clone()), (5, Some(Time(hour(2)))));
    let later = take(&cloud, &reading(&store, Some(&lost.inventory), hour(3))).await;
    assert_eq!((later.losses.len(), later.inventory.lost_at.clone()), (0, Some(Time(hour(2)))));
    cloud.cure();
    let cured = take(&cloud, &reading(&store, Some(&later.inventory), hour(4))).await;
    assert_eq!((cured.inventory.assets, cured.inventory.lost_at), (8, None));
}

#[tokio::test]
async fn old_inventories_go_with_the_shards_that_nobody_names() {
    let (cloud, store) = (cloud(3), Store::in_memory());
    // The store in memory writes everything now: the readings are of the days before.
    let now = Timestamp::now();
    let day = |ago: i64| now - SignedDuration::from_hours(24 * ago);
    let first = take(&cloud, &reading(&store, None, day(40))).await.inventory;
    cloud.account(ACCOUNT, |account| account.add_assets(REGIONS[0], AwsType::Volume, 1));
    let second = take(&cloud, &reading(&store, Some(&first), day(39))).await.inventory;
    cloud.account(ACCOUNT, |account| account.add_assets(REGIONS[0], AwsType::Volume, 1));
    let third = take(&cloud, &reading(&store, Some(&second), day(1))).await.inventory;
    let keep = |inventories: &[&InventoryStatus]| inventories.iter().map(|inventory| inventory.address.clone()).collect::<BTreeSet<_>>();
    let later = now + SignedDuration::from_hours(25);
    let before = store.list(FOLDER).await.unwrap();

    // A kept manifest that cannot be read names shards that nobody knows: nothing goes.
    let manifest = store.get(&third.address).await.unwrap();
    store.put(&third.address, bytes::Bytes::from_static(b"{")).await.unwrap();
    assert_eq!(clean(&store, FOLDER, &keep(&[&third]), (30, later)).await, 0);
    assert_eq!(store.list(FOLDER).await.unwrap(), before);
    store.put(&third.address, manifest).await.unwrap();

    // Of two that have had their time, the one that is named stays, and is whole.
    assert_eq!(clean(&store, FOLDER, &keep(&[&third, &second]), (30, later)).await, 2, "a manifest and its shard");
    assert_eq!((lines(&store, &second).await.len(), lines(&store, &third).await.len()), (9, 10));
    assert!(Reader::open(&store, &first).await.is_err());
    assert_eq!(clean(&store, FOLDER, &keep(&[&third, &second]), (30, later)).await, 0);
    // Nobody names it any more.
    assert_eq!(clean(&store, FOLDER, &keep(&[&third]), (30, later)).await, 3, "a manifest, its differences and its shard");
    assert_eq!(lines(&store, &third).await.len(), 10);
}

#[tokio::test]
async fn a_list_that_ends_in_an_error_fails_no_reading_and_removes_nothing() {
    let cloud = cloud(3);
    let store = Store::with(Arc::new(Odd { lists_end: true, ..Odd::of(&Arc::new(InMemory::new())) }));
    let old = Timestamp::now() - SignedDuration::from_hours(24 * 400);
    let first = take(&cloud, &reading(&store, None, old)).await.inventory;
    cloud.account(ACCOUNT, |account| account.add_assets(REGIONS[0], AwsType::Volume, 1));
    let second = take(&cloud, &reading(&store, Some(&first), Timestamp::now())).await.inventory;
    let later = Timestamp::now() + SignedDuration::from_hours(48);
    assert_eq!(clean(&store, FOLDER, &BTreeSet::from([second.address.clone()]), (30, later)).await, 0);
    assert_eq!((lines(&store, &first).await.len(), lines(&store, &second).await.len()), (8, 9));
}

#[tokio::test]
async fn what_is_known_of_patches_stands_at_its_machine_and_a_refusal_is_no_absence() {
    let (cloud, store) = (cloud(4), Store::in_memory());
    cloud.account(ACCOUNT, |account| {
        let machines: Vec<Asset> = account.assets[&(REGIONS[0].to_owned(), AwsType::Instance)].clone();
        let told = |(number, machine): (usize, Asset)| {
            let patches = Some(PatchFacts { missing: number as u64, assessed_at: Some(hour(-1)), ..PatchFacts::default() });
            let (asset_type, native_type) = (AssetType::PatchState, AwsType::PatchState.native_type().to_owned());
            Asset { asset_type, native_type, service: AwsType::PatchState.service().into(), patches, ..machine }
        };
        let states = machines.into_iter().take(3).enumerate().map(told).collect();
        account.assets.insert((REGIONS[0].into(), AwsType::PatchState), states);
    });
    cloud.fault(Fault::of("ssm:", ErrorClass::Denied).in_region(REGIONS[1]));
    let taken = take(&cloud, &reading(&store, None, hour(0))).await.inventory;
    let sums = PatchStatus { up_to_date: 1, missing: 2, unassessed: 1, unknown: 4 };
    assert_eq!((taken.patches.clone(), taken.assets), (sums, 10), "a patch state is no asset");
    let all = lines(&store, &taken).await;
    assert!(all.iter().all(|line| line.asset.asset_type != AssetType::PatchState));
    let known = |region: &str| -> Vec<String> {
        let of = all.iter().filter(|line| line.asset.region == region);
        of.filter_map(|line| line.asset.facts.get("patches").cloned()).collect()
    };
    assert_eq!(known(REGIONS[0]).iter().filter(|state| *state == "missing").count(), 2);
    assert!(known(REGIONS[1]).iter().all(|state| state == "unknown"), "nobody has looked into them is not what a refusal says");

    cloud.cure();
    let again = take(&cloud, &reading(&store, Some(&taken), hour(1))).await.inventory;
    assert_eq!(again.patches, PatchStatus { up_to_date: 1, missing: 2, unassessed: 5, unknown: 0 });
    assert_eq!(counts(again.since_previous.as_ref()), (0, 0, 0), "a scan is no change of the machine");
}

mod index;
