//! The behaviour suite on the cloud in memory, and what only this one can do.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::suite::{REGIONS, Stage};

const PROVIDER: &str = "arn:aws:iam::111111111111:user/caretaker";

struct InMemory {
    cloud: FakeCloud,
    next: AtomicU64,
}

impl InMemory {
    fn set() -> Self {
        Self { cloud: FakeCloud::new(PROVIDER), next: AtomicU64::new(200_000_000_000) }
    }
}

#[async_trait]
impl Stage for InMemory {
    fn connector(&self) -> Arc<dyn CloudConnector> {
        Arc::new(self.cloud.clone())
    }

    async fn account(&self, purposes: &[Purpose]) -> AwsGrant {
        let account_id = self.next.fetch_add(1, Ordering::SeqCst).to_string();
        let role_arn = format!("arn:aws:iam::{account_id}:role/CaretakerAccess");
        let trust = Trust::Principal { arn: PROVIDER.into(), external_id: ExternalIdRule::Demanded("right".into()) };
        let role = FakeRole::for_purposes(trust, purposes);
        self.cloud.put_account(FakeAccount::new(&account_id, &REGIONS).with_role(&role_arn, role));
        let (session_name, source_identity) = ("caretaker-suite".into(), "prod@suite".into());
        AwsGrant { account_id, role_arn, external_id: "right".into(), session_name, source_identity }
    }

    async fn instances(&self, grant: &AwsGrant, region: &str, count: usize) {
        self.cloud.account(&grant.account_id, |account| account.add_assets(region, crate::AwsType::Instance, count)).expect("made");
    }

    async fn forbid(&self, grant: &AwsGrant, action: &str) {
        self.cloud.role(&grant.role_arn, |role| role.forbid(action)).expect("made");
    }

    async fn fault(&self, fault: Fault) {
        self.cloud.fault(fault);
    }

    async fn spoil_plan(&self, grant: &AwsGrant, region: &str, id: &str) {
        let key = (region.to_owned(), id.to_owned());
        self.cloud.account(&grant.account_id, |account| {
            let plan = account.plans.get_mut(&key).expect("the plan was made");
            plan.schedule = "cron(0 12 * * ? *)".into();
            plan.retention_days = 1;
        });
    }

    async fn writes(&self) -> usize {
        usize::try_from(self.cloud.writes()).unwrap_or(usize::MAX)
    }
}

crate::behaviour_suite!(InMemory::set());

#[tokio::test]
async fn a_role_that_learns_demands_what_was_presented_first() {
    let stage = InMemory::set();
    let grant = stage.account(&[Purpose::Read]).await;
    let learns = ExternalIdRule::Learned(None);
    stage.cloud.role(&grant.role_arn, |role| role.trust = Trust::Principal { arn: PROVIDER.into(), external_id: learns });
    let attempt = async |external_id: &str, presented| {
        let grant = AwsGrant { external_id: external_id.into(), ..grant.clone() };
        stage.cloud.attempt(&AccessGrant::Aws(grant), presented).await.is_ok()
    };
    assert!(!attempt("first", Presented::Nothing).await);
    assert!(!attempt("first", Presented::Wrong).await, "a wrong one teaches nothing");
    assert!(attempt("first", Presented::Right).await);
    assert!(!attempt("second", Presented::Right).await);
}

#[tokio::test]
async fn a_list_that_breaks_off_is_partial() {
    let stage = InMemory::set();
    let grant = stage.account(&[Purpose::Read]).await;
    stage.instances(&grant, REGIONS[0], 600).await;
    stage.cloud.fault(Fault::of("ec2:DescribeInstances", ErrorClass::Unreachable).in_account(&grant.account_id).after(1).times(1));
    let mut counts = Counts::default();
    let link = stage.cloud.connect(&AccessGrant::Aws(grant), Purpose::Read).await.expect("the role lets us in");
    let scope = crate::Scope { regions: Some(vec![REGIONS[0].into()]), ..crate::Scope::default() };
    link.discover(&scope, &mut counts).await.expect("the cells can be planned");
    assert_eq!((counts.assets, counts.partial), (500, 1));
    assert_eq!(stage.cloud.calls("ec2:DescribeInstances"), 2);
}

#[tokio::test]
async fn a_region_that_is_not_enabled_is_disabled_and_a_deleted_role_ends_its_sessions() {
    let stage = InMemory::set();
    let grant = stage.account(&[Purpose::Read]).await;
    let link = stage.cloud.connect(&AccessGrant::Aws(grant.clone()), Purpose::Read).await.expect("the role lets us in");
    let scope = crate::Scope { regions: Some(vec!["ap-east-1".into()]), ..crate::Scope::default() };
    let mut counts = Counts::default();
    link.discover(&scope, &mut counts).await.expect("the cells can be planned");
    let regional = crate::AwsType::ALL.into_iter().filter(|kind| !kind.is_global()).count();
    assert_eq!(counts.disabled, regional, "what is asked once for the account is still read");
    stage.cloud.account(&grant.account_id, |account| account.roles.clear());
    let answer = link.protection(&[REGIONS[0].to_owned()], "").await;
    assert!(answer.is_err_and(|error| error.is_refusal()));
}

#[derive(Default)]
struct Counts {
    assets: usize,
    partial: usize,
    disabled: usize,
}

#[async_trait]
impl crate::AssetSink for Counts {
    async fn asset(&mut self, _asset: crate::Asset) -> Result<()> {
        self.assets += 1;
        Ok(())
    }

    async fn cell(&mut self, cell: crate::Cell) -> Result<()> {
        self.partial += usize::from(cell.verdict == crate::Verdict::Partial);
        self.disabled += usize::from(cell.verdict == crate::Verdict::Disabled);
        Ok(())
    }
}

fn lists(account: &FakeAccount) -> String {
    format!("arn:aws:iam::{}:role/CaretakerOrganization", account.id)
}

/// An organization of so many accounts; the grant of its management account.
fn organization(cloud: &FakeCloud, count: usize) -> AwsGrant {
    let mut account = FakeAccount::new("200000000999", &REGIONS);
    let member = |id: usize| crate::Member { id: format!("{id:012}"), name: format!("account {id}"), state: crate::MemberState::Active };
    account.organization = Some((1..=count).map(member).collect());
    let trust = Trust::Principal { arn: PROVIDER.into(), external_id: ExternalIdRule::Demanded("right".into()) };
    let role_arn = lists(&account);
    cloud.put_account(account.with_role(&role_arn, FakeRole::for_purposes(trust, &[Purpose::Members])));
    AwsGrant {
        account_id: "200000000999".into(),
        role_arn,
        external_id: "right".into(),
        session_name: "caretaker-suite".into(),
        source_identity: "suite@caretaker".into(),
    }
}

#[tokio::test]
async fn an_organization_is_listed_page_by_page_and_a_page_that_fails_is_no_list() {
    let cloud = FakeCloud::new(PROVIDER);
    let grant = AccessGrant::Aws(organization(&cloud, 45));
    let link = cloud.connect(&grant, Purpose::Members).await.expect("the role lets us in");
    assert_eq!(link.members().await.expect("a list").len(), 45);
    assert_eq!(cloud.calls("organizations:ListAccounts"), 3);
    cloud.fault(Fault::of("organizations:ListAccounts", ErrorClass::Unreachable).after(1).times(1));
    assert_eq!(link.members().await.unwrap_err().class, ErrorClass::Unreachable);
}

#[tokio::test]
async fn only_a_session_for_members_lists_them_and_only_an_organization_has_some() {
    let cloud = FakeCloud::new(PROVIDER);
    let grant = organization(&cloud, 0);
    let link = cloud.connect(&AccessGrant::Aws(grant.clone()), Purpose::Members).await.expect("the role lets us in");
    assert_eq!(link.members().await.expect("a list"), []);
    let reading = cloud.connect(&AccessGrant::Aws(grant.clone()), Purpose::Read).await.expect("the role lets us in");
    assert!(reading.members().await.is_err_and(|error| error.is_refusal()));
    cloud.account(&grant.account_id, |account| account.organization = None);
    assert_eq!(link.members().await.unwrap_err().class, ErrorClass::WrongAccount);
}
