//! What an index lacks, and what the services say of it.

use caretaker_cloud::{CloudStep, ExcessReport, Identity, PermissionGap, Presence, ProtectionState, Receipt, Register, WantedPermission};

use super::*;

/// An account that is read by an index, with what its services say of assets when they are asked.
struct Index {
    inner: Arc<dyn CloudLink>,
    says: Arc<std::sync::Mutex<CloudResult<Presence>>>,
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
    async fn protection(&self, regions: &[String], prefix: &str) -> CloudResult<ProtectionState> {
        self.inner.protection(regions, prefix).await
    }
    async fn perform(&self, key: &str, step: &CloudStep) -> CloudResult<Receipt> {
        self.inner.perform(key, step).await
    }
    fn reads_an_index(&self) -> bool {
        true
    }
    async fn exists(&self, _asset: &Asset) -> CloudResult<Presence> {
        self.says.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn what_an_index_lacks_is_gone_only_once_its_own_service_says_so() {
    let (cloud, store) = (cloud(2), Store::in_memory());
    let says = Arc::new(std::sync::Mutex::new(Ok(Presence::Present)));
    let index = Index { inner: link(&cloud).await, says: says.clone() };
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
async fn what_cannot_be_asked_for_stays_a_week() {
    let (cloud, store) = (cloud(2), Store::in_memory());
    let index = Index { inner: link(&cloud).await, says: Arc::new(std::sync::Mutex::new(Ok(Presence::Unknown))) };
    let first = run(&index, &reading(&store, None, hour(0))).await.unwrap().inventory;
    let seen = lines(&store, &first).await.iter().map(|line| line.asset.seen_at).max().unwrap();
    cloud.account(ACCOUNT, |account| account.assets.insert((REGIONS[0].into(), AwsType::Instance), Vec::new()));
    let after = |hours: i64| seen.checked_add(SignedDuration::from_hours(hours)).unwrap();
    let kept = run(&index, &reading(&store, Some(&first), after(100))).await.unwrap().inventory;
    assert_eq!(counts(kept.since_previous.as_ref()), (0, 0, 0));
    let gone = run(&index, &reading(&store, Some(&kept), after(200))).await.unwrap().inventory;
    assert_eq!(counts(gone.since_previous.as_ref()), (0, 2, 0));
}
