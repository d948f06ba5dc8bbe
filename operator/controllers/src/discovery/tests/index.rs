//! What an index lacks, and what the services say of it.

use std::sync::Mutex;

use caretaker_cloud::{
    CloudStep, EVERYWHERE, ExcessReport, Identity, Intent, Member, PermissionGap, Presence, ProtectionState, Receipt, Register, Verdict,
    WantedPermission,
};

use super::*;
use crate::counted_link::CountedLink;
use caretaker_engine::write_gate::Writes;

/// An account that is read by an index, with what its services say of assets when they are asked.
struct Index {
    inner: Arc<dyn CloudLink>,
    says: Arc<Mutex<CloudResult<Presence>>>,
    asked: Mutex<BTreeSet<String>>,
    /// Ids that the record says were deleted; an error where it refuses.
    record: Mutex<CloudResult<BTreeSet<String>>>,
    /// Questions to the record.
    recorded: Mutex<usize>,
}

impl Index {
    async fn of(cloud: &FakeCloud, says: &Arc<Mutex<CloudResult<Presence>>>) -> Self {
        Self {
            inner: link(cloud).await,
            says: says.clone(),
            asked: Mutex::default(),
            record: Mutex::new(Ok(BTreeSet::new())),
            recorded: Mutex::default(),
        }
    }
}

type CloudResult<T> = caretaker_cloud::Result<T>;

#[async_trait]
impl CloudLink for Index {
    async fn identity(&self) -> CloudResult<Identity> {
        self.inner.identity().await
    }
    async fn permissions(&self, wanted: &[WantedPermission]) -> CloudResult<PermissionGap> {
        self.inner.permissions(wanted).await
    }
    async fn excess(&self, wanted: &[WantedPermission]) -> CloudResult<ExcessReport> {
        self.inner.excess(wanted).await
    }
    async fn ways_in(&self) -> CloudResult<Register> {
        self.inner.ways_in().await
    }
    async fn discover(&self, scope: &Scope, sink: &mut dyn AssetSink) -> CloudResult<()> {
        self.inner.discover(scope, sink).await
    }
    async fn protection(&self, of: &Intent) -> CloudResult<ProtectionState> {
        self.inner.protection(of).await
    }
    async fn perform(&self, key: &str, step: &CloudStep) -> CloudResult<Receipt> {
        self.inner.perform(key, step).await
    }
    fn reads_an_index(&self, _service: &str) -> bool {
        true
    }
    async fn exists(&self, asset: &Asset) -> CloudResult<Presence> {
        self.asked.lock().unwrap().insert(asset.id.clone());
        self.says.lock().unwrap().clone()
    }
    async fn deleted(&self, assets: &[&Asset]) -> CloudResult<Vec<bool>> {
        *self.recorded.lock().unwrap() += 1;
        self.record.lock().unwrap().clone().map(|gone| assets.iter().map(|asset| gone.contains(&asset.id)).collect())
    }
    async fn members(&self) -> CloudResult<Vec<Member>> {
        self.inner.members().await
    }
}

#[tokio::test]
async fn what_an_index_lacks_is_gone_only_once_its_own_service_says_so() {
    let (cloud, store) = (cloud(2), Store::in_memory());
    let says = Arc::new(Mutex::new(Ok(Presence::Present)));
    // As the operator sees every link.
    let index = CountedLink { inner: Arc::new(Index::of(&cloud, &says).await), writes: Writes::default() };
    // Assets are seen at the machine's own time.
    let hour = |number: i64| Timestamp::now().checked_add(SignedDuration::from_hours(number)).unwrap();
    let mut last = run(&index, &reading(&store, None, hour(0))).await.unwrap().inventory;
    cloud.account(ACCOUNT, |account| account.assets.insert((REGIONS[0].into(), AwsType::Instance), Vec::new()));
    let no_answer = CloudError::new(ErrorClass::Unreachable, "get", "no answer");
    for (time, answer, removed, why) in [
        (1, Ok(Presence::Present), 0, "the service still has them"),
        (2, Err(no_answer), 0, "no answer says nothing"),
        (3, Ok(Presence::Unknown), 0, "the service may not be asked, and the index may lag"),
        (4, Ok(Presence::Gone), 2, "the service knows them no more"),
        (5, Ok(Presence::Present), 0, "what is gone is gone"),
    ] {
        *says.lock().unwrap() = answer;
        let digest = last.digest.clone();
        last = run(&index, &reading(&store, Some(&last), hour(time))).await.unwrap().inventory;
        assert_eq!(counts(last.since_previous.as_ref()), (0, removed, 0), "{why}");
        assert!(time == 1 || (last.digest == digest) == (removed == 0), "no flicker: {why}");
    }
}

#[tokio::test]
async fn what_nobody_can_be_asked_for_stays_however_long_and_is_counted() {
    let (cloud, store) = (cloud(2), Store::in_memory());
    let says = Arc::new(Mutex::new(Ok(Presence::Unknown)));
    let index = Index::of(&cloud, &says).await;
    let mut last = run(&index, &reading(&store, None, hour(0))).await.unwrap().inventory;
    assert_eq!(last.unconfirmed, 0);
    cloud.account(ACCOUNT, |account| account.assets.insert((REGIONS[0].into(), AwsType::Instance), Vec::new()));
    for hours in [1, 200, 400, 24 * 365] {
        last = run(&index, &reading(&store, Some(&last), hour(hours))).await.unwrap().inventory;
        assert_eq!((counts(last.since_previous.as_ref()).1, last.unconfirmed), (0, 2), "after {hours} hours");
    }
    *says.lock().unwrap() = Ok(Presence::Present);
    last = run(&index, &reading(&store, Some(&last), hour(24 * 366))).await.unwrap().inventory;
    assert_eq!((counts(last.since_previous.as_ref()).1, last.unconfirmed), (0, 0), "the service has shown them");
}

/// On AWS the services' own lists are read, and an index of what they do not show.
#[tokio::test]
async fn beside_an_index_the_services_own_lists_are_believed() {
    // More than are ever asked for in one reading.
    let (cloud, store) = (cloud(700), Store::in_memory());
    let link = link(&cloud).await;
    cloud.account(ACCOUNT, |account| account.add_assets(EVERYWHERE, AwsType::Other, 3)).unwrap();
    let before = run(link.as_ref(), &reading(&store, None, hour(0))).await.unwrap().inventory;
    cloud.account(ACCOUNT, |account| {
        account.assets.insert((REGIONS[0].into(), AwsType::Instance), Vec::new());
        account.assets.insert((EVERYWHERE.into(), AwsType::Other), Vec::new());
    });
    // Whether the spec names regions or not: what is in none is left out by neither.
    for scope in [Scope::default(), Scope { regions: Some(REGIONS.map(str::to_owned).to_vec()), ..Scope::default() }] {
        let reading = Reading { scope, ..reading(&store, Some(&before), hour(1)) };
        let after = run(link.as_ref(), &reading).await.unwrap().inventory;
        assert_eq!(
            (before.assets - after.assets, after.unconfirmed),
            (700, 3),
            "the machines are gone, and nobody has said that the others are"
        );
    }
}

/// Whatever a reading in between could not say.
#[tokio::test]
async fn an_index_that_failed_and_then_shows_nothing_removes_nothing() {
    let (cloud, store) = (cloud(1), Store::in_memory());
    let link = link(&cloud).await;
    cloud.account(ACCOUNT, |account| account.add_assets(EVERYWHERE, AwsType::Other, 3)).unwrap();
    let mut last = run(link.as_ref(), &reading(&store, None, hour(0))).await.unwrap().inventory;
    let assets = last.assets;
    cloud.fault(Fault::of(AwsType::Other.operation(), ErrorClass::Denied).times(1));
    for (time, unconfirmed) in [(1, 0), (2, 3), (3, 3)] {
        let taken = run(link.as_ref(), &reading(&store, Some(&last), hour(time))).await.unwrap().inventory;
        assert_eq!((taken.assets, taken.unconfirmed), (assets, unconfirmed), "reading {time}: {:?}", taken.coverage);
        // An earlier release counted no types.
        last = if time == 2 { InventoryStatus { by_type: std::collections::BTreeMap::new(), ..taken } } else { taken };
        cloud.account(ACCOUNT, |account| account.assets.insert((EVERYWHERE.into(), AwsType::Other), Vec::new()));
    }
}

/// A wait after a wait: the cells of an index that could not be read say nothing of what the inventory holds.
#[tokio::test]
async fn what_an_index_lacks_after_an_outage_is_asked_for() {
    let (cloud, store) = (cloud(2), Store::in_memory());
    let says = Arc::new(Mutex::new(Ok(Presence::Present)));
    let index = Index::of(&cloud, &says).await;
    let mut last = run(&index, &reading(&store, None, hour(0))).await.unwrap().inventory;
    let assets = last.assets;
    // Nothing is read, then nothing is shown, twice.
    let kinds = AwsType::ALL.map(AwsType::operation);
    kinds.iter().for_each(|operation| cloud.fault(Fault::of(*operation, ErrorClass::Unreachable).times(2)));
    for time in 1..=3 {
        last = run(&index, &reading(&store, Some(&last), hour(time))).await.unwrap().inventory;
        assert_eq!((last.assets, last.unconfirmed), (assets, 0), "reading {time}");
        cloud.account(ACCOUNT, |account| account.assets.values_mut().for_each(Vec::clear));
        cloud.cure();
    }
}

#[tokio::test]
async fn what_the_record_says_was_deleted_goes_and_a_record_that_refuses_is_asked_once() {
    for says in [Ok(Presence::Unknown), Err(CloudError::new(ErrorClass::Denied, "get", "not for you"))] {
        let (cloud, store) = (cloud(20), Store::in_memory());
        let index = Index::of(&cloud, &Arc::new(Mutex::new(says))).await;
        let first = run(&index, &reading(&store, None, hour(0))).await.unwrap().inventory;
        let things = |line: &Line| [AssetType::Instance, AssetType::Volume].contains(&line.asset.asset_type);
        let all = lines(&store, &first).await;
        let ids: Vec<String> = all.into_iter().filter(things).map(|line| line.asset.id).collect();
        cloud.account(ACCOUNT, |account| account.assets.clear());
        *index.record.lock().unwrap() = Err(CloudError::new(ErrorClass::Denied, "history", "no"));
        let kept = run(&index, &reading(&store, Some(&first), hour(1))).await.unwrap().inventory;
        assert_eq!((kept.assets, kept.unconfirmed), (first.assets, ids.len() as u64), "a refusal is no deletion");
        assert!(!kept.unconfirmed_cause.is_empty() && *index.recorded.lock().unwrap() == 1, "{kept:?}");
        // A machine of each region has the same id.
        let named: BTreeSet<String> = ids.iter().filter(|id| **id != ids[0]).cloned().collect();
        let unnamed = ids.iter().filter(|id| **id == ids[0]).count() as u64;
        *index.record.lock().unwrap() = Ok(named);
        let left = run(&index, &reading(&store, Some(&kept), hour(2))).await.unwrap().inventory;
        let removed = counts(left.since_previous.as_ref()).1;
        assert_eq!((removed + unnamed, left.unconfirmed), (ids.len() as u64, unnamed), "what is not named stays");
    }
}

#[tokio::test]
async fn an_edit_of_the_scope_removes_only_what_it_leaves_out() {
    let (cloud, store) = (cloud(2), Store::in_memory());
    let index = Index::of(&cloud, &Arc::new(Mutex::new(Ok(Presence::Present)))).await;
    let first = run(&index, &reading(&store, None, hour(0))).await.unwrap().inventory;
    for region in REGIONS {
        cloud.account(ACCOUNT, |account| account.assets.insert((region.into(), AwsType::Instance), Vec::new()));
    }
    let relabelled = Reading { scope_digest: "another".into(), ..reading(&store, Some(&first), hour(1)) };
    let kept = run(&index, &relabelled).await.unwrap().inventory;
    assert_eq!(counts(kept.since_previous.as_ref()).1, 0, "the services still have them");
    let scope = Scope { regions: Some(vec![REGIONS[0].into()]), ..Scope::default() };
    let narrowed = Reading { scope, ..reading(&store, Some(&kept), hour(2)) };
    let narrowed = run(&index, &narrowed).await.unwrap().inventory;
    assert_eq!(counts(narrowed.since_previous.as_ref()).1, 3, "two machines and a disk of the other region");
}

/// What was in one place of a subscription, whose cell spans all places.
fn before(count: usize, place: &str) -> Vec<Line> {
    let asset = |number: usize| {
        serde_json::from_value(serde_json::json!({
            "id": format!("{number:04}"), "cloud": "azure", "account": ACCOUNT, "region": place, "type": "instance",
            "service": "resource-graph/compute", "source": "", "seenAt": hour(0),
        }))
        .unwrap()
    };
    (0..count).map(|number| Line { asset: asset(number), verdict: ScopeVerdict::Covered, exclusion: String::new() }).collect()
}

/// How many of them stay at this hour, and who was asked.
async fn stay(before: &[Line], scope: &Scope, time: i64) -> (usize, BTreeSet<String>) {
    stay_as((before, Ok(Presence::Gone)), scope, time).await
}

async fn stay_as((before, says): (&[Line], CloudResult<Presence>), scope: &Scope, time: i64) -> (usize, BTreeSet<String>) {
    let index = Index::of(&cloud(0), &Arc::new(Mutex::new(says))).await;
    let mut verdicts = Verdicts::default();
    verdicts.take(Cell {
        key: before[0].asset.cell(),
        verdict: Verdict::Complete,
        assets: 0,
        calls: 1,
        cause: String::new(),
        retry_after_seconds: None,
        at: hour(time),
    });
    let mut vanished = Vanished::of(&index, None, (scope, &verdicts), hour(time)).unwrap();
    let stays = vanished.stay(0, before, &[]).await.len();
    (stays, index.asked.into_inner().unwrap())
}

#[tokio::test]
async fn where_not_all_can_be_asked_the_others_stay_and_come_first_another_time() {
    let (before, scope) = (before(600, "westeurope"), Scope::default());
    let (stays, first) = stay(&before, &scope, 1).await;
    assert_eq!(stays + first.len(), 600, "who was not asked for stays");
    assert!((100..200).contains(&first.len()), "one bucket of many leaves questions for the others: {}", first.len());
    let (_, second) = stay(&before, &scope, 5).await;
    assert!(first.is_disjoint(&second), "others come first");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_not_asked_for_every_asset() {
    let (before, scope) = (before(50, "westeurope"), Scope::default());
    let no_answer = || CloudError::new(ErrorClass::Unreachable, "get", "no answer");
    let (stays, asked) = stay_as((&before, Err(no_answer())), &scope, 1).await;
    assert_eq!((stays, asked.len()), (50, 3), "all stay");
    for class in [ErrorClass::Denied, ErrorClass::NotEnabled, ErrorClass::Credentials] {
        let refusal = CloudError::new(class, "get", "not for you");
        let (stays, asked) = stay_as((&before, Err(refusal)), &scope, 1).await;
        assert_eq!((stays, asked.len()), (50, 50), "a refusal costs no time, and another service may answer");
    }
}

#[tokio::test]
async fn what_the_spec_leaves_out_of_a_cell_for_all_places_is_not_asked_for() {
    let scope = |region: &str| Scope { regions: Some(vec![region.into()]), ..Scope::default() };
    let before = before(3, "westeurope");
    assert_eq!(stay(&before, &scope("westeurope"), 1).await.1.len(), 3);
    assert_eq!(stay(&before, &scope("northeurope"), 1).await, (0, BTreeSet::new()));
}
