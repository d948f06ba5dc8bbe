//! The behaviour suite: what every implementation of the port must do, proved through the port alone.
//!
//! An implementation sets a [`Stage`] and calls [`behaviour_suite!`](crate::behaviour_suite), which makes one test of each obligation, so that none can be
//! left out by mistake. Every obligation takes accounts of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::fake::Fault;
use crate::manifest::aws_actions;
use crate::{
    AccessGrant, Asset, AssetSink, AwsGrant, AwsType, Cell, CloudConnector, CloudLink, CloudStep, EVERYWHERE, ErrorClass, Presented,
    ProtectionState, Purpose, Receipt, Result, Scope, StepOutcome, Verdict, WantedPermission,
};

/// Two regions that every stage has.
pub const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
/// The tag that selections ask for.
const TAG: (&str, &str) = ("backup", "daily");
/// A daily schedule.
const DAILY: &str = "cron(30 3 * * ? *)";

/// How an implementation under test is seeded and watched, behind the provider's back.
#[async_trait]
pub trait Stage: Send + Sync {
    /// The connector under test, with credentials that are the trusted provider's.
    fn connector(&self) -> Arc<dyn CloudConnector>;
    /// Makes an account with a role that trusts the provider under an ExternalId, with one inline policy `caretaker-PURPOSE` for each purpose.
    async fn account(&self, purposes: &[Purpose]) -> AwsGrant;
    /// Makes machines.
    async fn instances(&self, grant: &AwsGrant, region: &str, count: usize);
    /// Takes an action out of the role's policies.
    async fn forbid(&self, grant: &AwsGrant, action: &str);
    /// Makes calls fail from now on.
    async fn fault(&self, fault: Fault);
    /// Changes a backup plan's schedule and retention behind our back.
    async fn spoil_plan(&self, grant: &AwsGrant, region: &str, id: &str);
    /// Number of calls so far that change something in the cloud.
    async fn writes(&self) -> usize;
}

/// Makes one test of each obligation. `$stage` is an expression of a new stage; it may await.
#[macro_export]
macro_rules! behaviour_suite {
    ($stage:expr) => {
        $crate::behaviour_suite! { @each $stage;
            the_right_external_id_and_no_other_lets_in
            a_session_in_another_account_is_refused
            discover_reports_every_cell_once_and_writes_nothing
            a_cell_that_fails_loses_no_other
            an_expired_session_is_renewed_while_reading
            permissions_say_what_is_missing
            permissions_that_may_not_be_asked_are_unknown
            a_session_does_what_it_is_for_and_no_more
            performing_twice_changes_nothing_more
            drift_is_put_back
            a_selection_is_replaced
            an_answer_that_did_not_come_is_an_error
            closing_and_stripping_our_role_ends_in_a_refusal
        }
    };
    (@each $stage:expr; $($name:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let stage = $stage;
            $crate::suite::$name(&stage).await;
        }
    )+};
}

#[derive(Default)]
struct Gathered {
    assets: Vec<Asset>,
    cells: Vec<Cell>,
}

#[async_trait]
impl AssetSink for Gathered {
    async fn asset(&mut self, asset: Asset) -> Result<()> {
        self.assets.push(asset);
        Ok(())
    }

    async fn cell(&mut self, cell: Cell) -> Result<()> {
        self.cells.push(cell);
        Ok(())
    }
}

impl Gathered {
    /// Reads both regions.
    async fn of(link: &dyn CloudLink) -> Self {
        let mut gathered = Self::default();
        let scope = Scope { regions: Some(REGIONS.map(str::to_owned).to_vec()), ..Scope::default() };
        link.discover(&scope, &mut gathered).await.expect("the cells can be planned");
        gathered.assert_whole(&REGIONS);
        gathered
    }

    /// Every planned cell once, and as many assets as the cells say.
    fn assert_whole(&self, regions: &[&str]) {
        let cells = AwsType::cells(regions.iter().copied().filter(|region| *region != EVERYWHERE));
        let planned: BTreeSet<(&str, &str)> = cells.iter().map(|(region, kind)| (region.as_str(), kind.service())).collect();
        let reported: BTreeSet<(&str, &str)> =
            self.cells.iter().map(|cell| (cell.key.region.as_str(), cell.key.service.as_str())).collect();
        assert_eq!(reported, planned, "each planned cell is reported");
        assert_eq!(self.cells.len(), planned.len(), "and each once only");
        let mut came: BTreeMap<_, u64> = BTreeMap::new();
        for asset in &self.assets {
            *came.entry(asset.cell()).or_default() += 1;
        }
        for cell in &self.cells {
            assert_eq!(came.get(&cell.key).copied().unwrap_or_default(), cell.assets, "the assets of {:?}", cell.key);
            assert_eq!(cell.verdict == Verdict::Complete, cell.cause.is_empty(), "a cause stands where it is needed: {cell:?}");
        }
    }

    fn cell(&self, region: &str, kind: AwsType) -> &Cell {
        let is_it = |cell: &&Cell| cell.key.region == region && cell.key.service == kind.service();
        self.cells.iter().find(is_it).expect("the cell is there")
    }

    fn instances(&self) -> usize {
        self.assets.iter().filter(|asset| asset.asset_type == crate::AssetType::Instance).count()
    }
}

async fn link(stage: &dyn Stage, grant: &AwsGrant, purpose: Purpose) -> Arc<dyn CloudLink> {
    stage.connector().connect(&AccessGrant::Aws(grant.clone()), purpose).await.expect("the role lets us in")
}

/// Only the right ExternalId opens the role, and a connector given a wrong one is refused like anybody else.
pub async fn the_right_external_id_and_no_other_lets_in(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let connector = stage.connector();
    for presented in [Presented::Nothing, Presented::Wrong] {
        let answer = connector.attempt(&AccessGrant::Aws(grant.clone()), presented).await;
        assert!(answer.as_ref().is_err_and(crate::CloudError::is_refusal), "{presented:?}: {answer:?}");
    }
    let answer = connector.attempt(&AccessGrant::Aws(grant.clone()), Presented::Right).await;
    assert_eq!(answer.expect("the right one lets in").account, grant.account_id);
    let wrong = AwsGrant { external_id: "0123456789abcdef".into(), ..grant.clone() };
    let answer = connector.connect(&AccessGrant::Aws(wrong), Purpose::Read).await;
    assert!(answer.is_err_and(|error| error.is_refusal()), "a grant with another ExternalId shares no session");
}

/// Whose account a session is in is what the cloud says, not what the grant says.
pub async fn a_session_in_another_account_is_refused(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let identity = link(stage, &grant, Purpose::Read).await.identity().await.expect("a session knows who it is");
    assert_eq!(identity.account, grant.account_id);
    assert!(crate::is_principal(&identity.principal, &grant.role_arn), "{identity:?}");
    let other = AwsGrant { account_id: "999999999999".into(), ..grant };
    let answer = stage.connector().connect(&AccessGrant::Aws(other), Purpose::Read).await;
    assert_eq!(answer.err().map(|error| error.class), Some(ErrorClass::WrongAccount));
}

/// A reading is whole, repeatable and changes nothing; without regions the account is asked for its own.
pub async fn discover_reports_every_cell_once_and_writes_nothing(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    stage.instances(&grant, REGIONS[0], 3).await;
    let link = link(stage, &grant, Purpose::Read).await;
    let before = stage.writes().await;
    let (first, second) = (Gathered::of(link.as_ref()).await, Gathered::of(link.as_ref()).await);
    let ids = |gathered: &Gathered| gathered.assets.iter().map(|asset| asset.id.clone()).collect::<BTreeSet<_>>();
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(first.instances(), 3);
    assert!(first.cells.iter().all(|cell| cell.verdict == Verdict::Complete), "{:?}", first.cells);
    assert!(first.assets.iter().all(|asset| asset.account == grant.account_id && !asset.id.is_empty()));
    let mut all = Gathered::default();
    link.discover(&Scope::default(), &mut all).await.expect("the account tells its regions");
    let regions: BTreeSet<&str> = all.cells.iter().map(|cell| cell.key.region.as_str()).collect();
    assert!(REGIONS.iter().all(|region| regions.contains(region)), "{regions:?}");
    all.assert_whole(&regions.into_iter().collect::<Vec<_>>());
    assert_eq!(stage.writes().await, before, "reading writes nothing");
}

/// A denied, throttled or unreachable cell has its verdict and its cause, and every other cell is complete.
pub async fn a_cell_that_fails_loses_no_other(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    stage.instances(&grant, REGIONS[1], 2).await;
    stage.forbid(&grant, "ec2:DescribeSnapshots").await;
    let [first, second] = REGIONS;
    let wait = Some(Duration::from_secs(1200));
    stage.fault(Fault::of("ec2:DescribeInstances", ErrorClass::Throttled(wait)).in_region(first)).await;
    stage.fault(Fault::of("ec2:DescribeVolumes", ErrorClass::Unreachable).in_region(second)).await;
    let gathered = Gathered::of(link(stage, &grant, Purpose::Read).await.as_ref()).await;
    let failed = [
        (first, AwsType::Snapshot, Verdict::Denied),
        (second, AwsType::Snapshot, Verdict::Denied),
        (first, AwsType::Instance, Verdict::Throttled),
        (second, AwsType::Volume, Verdict::Unreachable),
    ];
    for (region, kind, verdict) in failed {
        assert_eq!(gathered.cell(region, kind).verdict, verdict, "{region} {kind}");
    }
    assert_eq!(gathered.cell(first, AwsType::Instance).retry_after_seconds, Some(1200));
    // What the cloud asked to wait for may hold the whole of the account's region, and nothing else.
    let is_failed =
        |cell: &Cell| failed.iter().any(|(region, kind, _)| (*region, kind.service()) == (&cell.key.region, &*cell.key.service));
    let is_held = |cell: &Cell| cell.key.region == first && cell.verdict == Verdict::Throttled;
    let mut others = gathered.cells.iter().filter(|cell| !is_failed(cell));
    assert!(others.all(|cell| cell.verdict == Verdict::Complete || is_held(cell)), "{:?}", gathered.cells);
    assert_eq!(gathered.instances(), 2, "the other region's machines are there");
}

/// A session that ends in the middle of a reading is renewed, and the cell is read to its end.
pub async fn an_expired_session_is_renewed_while_reading(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    stage.instances(&grant, REGIONS[0], 2).await;
    let link = link(stage, &grant, Purpose::Read).await;
    stage.fault(Fault::of("ec2:DescribeInstances", ErrorClass::Expired).in_region(REGIONS[0]).times(1)).await;
    let gathered = Gathered::of(link.as_ref()).await;
    assert_eq!(gathered.cell(REGIONS[0], AwsType::Instance).verdict, Verdict::Complete);
    assert_eq!(gathered.instances(), 2);
}

fn wanted(purpose: Purpose) -> Vec<WantedPermission> {
    aws_actions(purpose).iter().map(|action| WantedPermission { resource: "*".into(), action: action.name.into() }).collect()
}

/// What the role does not hold is named, and only that.
pub async fn permissions_say_what_is_missing(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let link = link(stage, &grant, Purpose::Read).await;
    let before = stage.writes().await;
    let gap = link.permissions(&wanted(Purpose::Read)).await.expect("an answer");
    assert!(gap.known && gap.missing.is_empty(), "{gap:?}");
    stage.forbid(&grant, "ec2:DescribeVolumes").await;
    let mut asked = wanted(Purpose::Read);
    asked.push(WantedPermission { resource: "*".into(), action: "backup:CreateBackupVault".into() });
    let gap = link.permissions(&asked).await.expect("an answer");
    assert_eq!(gap.missing, ["backup:CreateBackupVault", "ec2:DescribeVolumes"]);
    assert_eq!(stage.writes().await, before, "asking writes nothing");
}

/// Where the question itself is denied, nothing is claimed.
pub async fn permissions_that_may_not_be_asked_are_unknown(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    stage.forbid(&grant, "iam:SimulatePrincipalPolicy").await;
    let gap = link(stage, &grant, Purpose::Read).await.permissions(&wanted(Purpose::Read)).await.expect("an answer");
    assert!(!gap.known && gap.missing.is_empty(), "{gap:?}");
}

/// A session for reading cannot write, whatever the role may.
pub async fn a_session_does_what_it_is_for_and_no_more(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let step = CloudStep::CreateVault { region: REGIONS[0].into(), name: "caretaker-suite-vault".into() };
    let refused = link(stage, &grant, Purpose::Read).await.perform("read-only", &step).await;
    assert!(refused.as_ref().is_err_and(crate::CloudError::is_refusal), "{refused:?}");
    let done = link(stage, &grant, Purpose::Backup).await.perform("backup", &step).await;
    assert_eq!(done.expect("the session for backups may").outcome, StepOutcome::Done);
}

/// Names of one run of an obligation.
struct Objects {
    region: String,
    name: String,
    role: String,
}

impl Objects {
    fn of(grant: &AwsGrant) -> Self {
        let role = format!("arn:aws:iam::{}:role/CaretakerBackupService", grant.account_id);
        Self { region: REGIONS[0].into(), name: format!("caretaker-suite-{}", grant.account_id), role }
    }

    fn steps(&self) -> [CloudStep; 3] {
        let (region, name) = (self.region.clone(), self.name.clone());
        let plan = (name.clone(), DAILY.to_owned());
        [
            CloudStep::CreateVault { region: region.clone(), name: name.clone() },
            CloudStep::CreatePlan { region, name, vault: plan.0, schedule: plan.1, retention_days: 35 },
            self.selection(TAG.1),
        ]
    }

    fn selection(&self, tag_value: &str) -> CloudStep {
        CloudStep::CreateSelection {
            region: self.region.clone(),
            plan: self.name.clone(),
            name: self.name.clone(),
            tag_key: TAG.0.into(),
            tag_value: tag_value.into(),
            role_arn: self.role.clone(),
        }
    }

    async fn state(&self, link: &dyn CloudLink) -> ProtectionState {
        link.protection(std::slice::from_ref(&self.region), &self.name).await.expect("the state can be read")
    }

    async fn make(&self, link: &dyn CloudLink) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        for (number, step) in self.steps().iter().enumerate() {
            receipts.push(link.perform(&format!("{}-{number}", self.name), step).await.expect("the step can be done"));
        }
        receipts
    }
}

/// What was made is read back; the same steps again change nothing, give the same ids, and say so.
pub async fn performing_twice_changes_nothing_more(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let (objects, link) = (Objects::of(&grant), link(stage, &grant, Purpose::Backup).await);
    assert_eq!(objects.state(link.as_ref()).await, ProtectionState::default());
    let first = objects.make(link.as_ref()).await;
    assert!(first.iter().all(|receipt| receipt.outcome == StepOutcome::Done && !receipt.calls.is_empty()), "{first:?}");
    let state = objects.state(link.as_ref()).await;
    let [plan] = state.plans.as_slice() else { panic!("one plan: {state:?}") };
    assert_eq!((state.vaults.len(), state.vaults[0].name.as_str()), (1, objects.name.as_str()));
    assert_eq!((plan.vault.as_str(), plan.schedule.as_str(), plan.retention_days, plan.rules), (objects.name.as_str(), DAILY, 35, 1));
    assert_eq!(first[1].id.as_deref(), Some(plan.id.as_str()), "the receipt names the plan");
    let [selection] = plan.selections.as_slice() else { panic!("one selection: {state:?}") };
    assert_eq!((selection.tag_key.as_str(), selection.tag_value.as_str()), TAG);
    assert_eq!(selection.role_arn, objects.role);
    let second = objects.make(link.as_ref()).await;
    assert!(second.iter().all(|receipt| receipt.outcome == StepOutcome::AlreadyDone), "{second:?}");
    let ids = |receipts: &[Receipt]| receipts.iter().map(|receipt| receipt.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(objects.state(link.as_ref()).await, state);
}

/// A plan that somebody changed is seen as changed, put back, and left alone once it is right.
pub async fn drift_is_put_back(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let (objects, link) = (Objects::of(&grant), link(stage, &grant, Purpose::Backup).await);
    objects.make(link.as_ref()).await;
    let right = objects.state(link.as_ref()).await;
    let id = right.plans[0].id.clone();
    stage.spoil_plan(&grant, &objects.region, &id).await;
    assert_ne!(objects.state(link.as_ref()).await, right, "the drift shows");
    let (region, name, vault) = (objects.region.clone(), objects.name.clone(), objects.name.clone());
    let step = CloudStep::UpdatePlan { region, id, name, vault, schedule: DAILY.into(), retention_days: 35 };
    assert_eq!(link.perform("put-back", &step).await.expect("the step can be done").outcome, StepOutcome::Done);
    assert_eq!(objects.state(link.as_ref()).await, right);
    assert_eq!(link.perform("put-back", &step).await.expect("the step can be done").outcome, StepOutcome::AlreadyDone);
}

/// A selection that differs is removed, once, and made anew.
pub async fn a_selection_is_replaced(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let (objects, link) = (Objects::of(&grant), link(stage, &grant, Purpose::Backup).await);
    objects.make(link.as_ref()).await;
    let plan = objects.state(link.as_ref()).await.plans.remove(0);
    let (region, plan_id, id) = (objects.region.clone(), plan.id.clone(), plan.selections[0].id.clone());
    let step = CloudStep::DeleteSelection { region, plan_id, id };
    assert_eq!(link.perform("remove", &step).await.expect("the step can be done").outcome, StepOutcome::Done);
    assert!(objects.state(link.as_ref()).await.plans[0].selections.is_empty());
    assert_eq!(link.perform("remove", &step).await.expect("the step can be done").outcome, StepOutcome::AlreadyDone);
    let made = link.perform("replace", &objects.selection("weekly")).await.expect("the step can be done");
    assert_eq!(made.outcome, StepOutcome::Done);
    assert_eq!(objects.state(link.as_ref()).await.plans[0].selections[0].tag_value, "weekly");
}

/// State that could not be read is an error, never an empty state from which a plan would be made.
pub async fn an_answer_that_did_not_come_is_an_error(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let (objects, link) = (Objects::of(&grant), link(stage, &grant, Purpose::Backup).await);
    objects.make(link.as_ref()).await;
    stage.forbid(&grant, "backup:GetBackupPlan").await;
    let regions = [objects.region.clone()];
    let answer = link.protection(&regions, &objects.name).await;
    assert!(answer.as_ref().is_err_and(crate::CloudError::is_refusal), "{answer:?}");
}

/// After stripping and closing the role no fresh attempt gets in, the session that is open can still end its own last permission, and doing it again does
/// no harm.
pub async fn closing_and_stripping_our_role_ends_in_a_refusal(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Revoke]).await;
    let link = link(stage, &grant, Purpose::Revoke).await;
    let role = grant.role_arn.rsplit('/').next().unwrap_or_default().to_owned();
    let last = "caretaker-revoke".to_owned();
    let strip = CloudStep::StripOwnRole { role: role.clone(), last: last.clone() };
    for outcome in [StepOutcome::Done, StepOutcome::AlreadyDone] {
        let receipt = link.perform("revoke", &strip).await.expect("the role may strip itself, again and again");
        assert_eq!(receipt.outcome, outcome);
        assert!(!receipt.calls.iter().any(|call| call.contains(&last)), "the last permission is still needed: {receipt:?}");
    }
    let close = CloudStep::CloseOwnRole { role: role.clone() };
    for _ in 0..2 {
        link.perform("revoke", &close).await.expect("the role may close itself, again and again");
    }
    let end = CloudStep::DropLastPolicy { role, last };
    link.perform("revoke", &end).await.expect("the role may drop its last permission");
    let again = link.perform("revoke", &strip).await;
    assert!(again.as_ref().is_err_and(crate::CloudError::is_refusal), "nothing is left, not even to look: {again:?}");
    let attempt = stage.connector().attempt(&AccessGrant::Aws(grant.clone()), Presented::Right).await;
    assert!(attempt.as_ref().is_err_and(crate::CloudError::is_refusal), "we are out: {attempt:?}");
}
