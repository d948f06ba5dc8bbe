//! The behaviour suite on the cloud in memory, and what only this one can do.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::manifest::aws_actions;
use crate::suite::{Capability, On, Stage, Trouble, When};
use crate::{Address, AwsType, BackupJob, CloudStep, EVERYWHERE, Intent, Power, RecoveryPoint, WantedPermission};

const PROVIDER: &str = "arn:aws:iam::111111111111:user/caretaker";
const STRANGER: &str = "arn:aws:iam::111111111111:user/of-another-client";
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

struct InMemory {
    cloud: FakeCloud,
    next: AtomicU64,
}

impl InMemory {
    fn set() -> Self {
        Self { cloud: FakeCloud::new(PROVIDER), next: AtomicU64::new(200_000_000_000) }
    }

    /// A role that trusts the provider.
    fn grant(&self, purposes: &[Purpose]) -> AwsGrant {
        let account_id = self.next.fetch_add(1, Ordering::SeqCst).to_string();
        let role_arn = format!("arn:aws:iam::{account_id}:role/CaretakerAccess");
        let trust = Trust::Principal { arn: PROVIDER.into(), external_id: ExternalIdRule::Demanded("right".into()) };
        let role = FakeRole::for_purposes(trust, purposes);
        self.cloud.put_account(FakeAccount::new(&account_id, &REGIONS).with_role(&role_arn, role));
        let (session_name, source_identity) = ("caretaker-suite".into(), "prod@suite".into());
        AwsGrant { account_id, role_arn, external_id: "right".into(), session_name, source_identity }
    }
}

fn aws(grant: &AccessGrant) -> &AwsGrant {
    let AccessGrant::Aws(grant) = grant else { panic!("the answers are those of AWS") };
    grant
}

#[async_trait]
impl Stage for InMemory {
    fn name(&self) -> &'static str {
        "the cloud in memory"
    }

    fn lacks(&self) -> &'static [Capability] {
        &[Capability::PageTokens, Capability::Clock]
    }

    fn places(&self) -> [&'static str; 2] {
        REGIONS
    }

    fn cells(&self, places: &[&str]) -> BTreeSet<(String, String)> {
        AwsType::cells(places.iter().copied()).into_iter().map(|(region, kind)| (region, kind.service().to_owned())).collect()
    }

    fn machine_cell(&self, place: &str) -> (String, String) {
        (place.to_owned(), AwsType::Instance.service().to_owned())
    }

    fn connector(&self) -> Arc<dyn CloudConnector> {
        Arc::new(self.cloud.clone())
    }

    async fn stranger(&self) -> Arc<dyn CloudConnector> {
        Arc::new(self.cloud.seen_by(STRANGER))
    }

    async fn admit(&self, grant: &AccessGrant) {
        let trust = Trust::Principal { arn: STRANGER.into(), external_id: ExternalIdRule::Demanded("right".into()) };
        self.cloud.role(&aws(grant).role_arn, |role| role.trust = trust);
    }

    async fn account(&self, purposes: &[Purpose]) -> AccessGrant {
        AccessGrant::Aws(self.grant(purposes))
    }

    fn misnamed(&self, grant: &AccessGrant) -> AccessGrant {
        AccessGrant::Aws(AwsGrant { account_id: "999999999999".into(), ..aws(grant).clone() })
    }

    async fn machines(&self, grant: &AccessGrant, place: &str, count: usize) {
        self.cloud.account(grant.account(), |account| account.add_assets(place, AwsType::Instance, count)).expect("made");
    }

    async fn described(&self, grant: &AccessGrant, place: &str) -> Vec<Address> {
        self.named(grant, place, &["several", "stopped"]).await;
        let private = ["10.0.0.4", "10.0.1.4"].map(|ip| Address::private(ip.parse().expect("an address")));
        let public = ["203.0.113.7", "2001:db8::7"].map(|ip| Address::public(ip.parse().expect("an address")));
        let addresses = [private, public].concat();
        self.cloud.account(grant.account(), |account| {
            let held = account.assets.get_mut(&(place.to_owned(), AwsType::Instance)).expect("made");
            held[0].addresses.clone_from(&addresses);
            held[1].power = Some(Power::Stopped);
        });
        addresses
    }

    async fn named(&self, grant: &AccessGrant, place: &str, names: &[&str]) {
        self.machines(grant, place, names.len()).await;
        self.cloud.account(grant.account(), |account| {
            let held = account.assets.get_mut(&(place.to_owned(), AwsType::Instance)).expect("made");
            held.iter_mut().zip(names).for_each(|(asset, name)| asset.name = (*name).to_owned());
        });
    }

    fn legal_names(&self) -> Vec<&'static str> {
        vec!["-", "a\"b", "$(reboot)", "ünïcødé 名前", "line\nend", "\u{202e}rtl", "\u{1}", "'; --"]
    }

    async fn unknown_type(&self, grant: &AccessGrant) -> String {
        let kind = "fis:experiment-template";
        self.cloud.account(grant.account(), |account| {
            account.add_assets(EVERYWHERE, AwsType::Other, 1);
            let held = account.assets.get_mut(&(EVERYWHERE.to_owned(), AwsType::Other)).expect("made");
            held.iter_mut().for_each(|asset| asset.native_type = kind.into());
        });
        kind.to_owned()
    }

    async fn page_rows(&self, rows: usize) {
        self.cloud.page_rows(rows);
    }

    async fn trouble(&self, grant: &AccessGrant, on: On<'_>, trouble: Trouble, When { after, times }: When) {
        // Every list of the suite is one of a kind of assets; the session is open before a trouble begins.
        let operation = match on {
            On::Machines(_) => AwsType::Instance.operation(),
            On::Write => "backup:CreateBackupVault",
            On::Lists => "",
        };
        let class = match trouble {
            Trouble::Denied => ErrorClass::Denied,
            Trouble::Throttled(wait) => ErrorClass::Throttled(Some(wait)),
            Trouble::EachOtherThrottled => ErrorClass::Throttled(None),
            Trouble::Failing | Trouble::AnswerLost => ErrorClass::Unreachable,
            Trouble::SessionEnded => ErrorClass::Expired,
            Trouble::CutOff | Trouble::RepeatedToken => unreachable!("it has no page tokens"),
        };
        let mut fault = if trouble == Trouble::AnswerLost { Fault::answer_lost(operation) } else { Fault::of(operation, class) };
        fault = fault.in_account(grant.account()).after(after).each(if trouble == Trouble::EachOtherThrottled { 2 } else { 1 });
        fault.times = times;
        self.cloud.fault(if let On::Machines(place) = on { fault.in_region(place) } else { fault });
    }

    async fn cure(&self) {
        self.cloud.cure();
    }

    async fn revoke(&self, grant: &AccessGrant) {
        self.cloud.account(grant.account(), |account| account.roles.clear()).expect("made");
    }

    async fn clock(&self, _ahead: i64) {
        unreachable!("it has no clock")
    }

    fn wanted(&self, grant: &AccessGrant, purpose: Purpose) -> Vec<WantedPermission> {
        let resource = if purpose == Purpose::Revoke { aws(grant).role_arn.clone() } else { "*".to_owned() };
        aws_actions(purpose).iter().map(|action| WantedPermission { resource: resource.clone(), action: action.name.into() }).collect()
    }

    async fn forbid(&self, grant: &AccessGrant) -> BTreeSet<String> {
        let taken = ["ec2:DescribeVolumes", "iam:DetachRolePolicy"];
        for action in taken {
            self.forbid_action(grant, action).await;
        }
        taken.map(str::to_owned).into()
    }

    async fn forbid_asking(&self, grant: &AccessGrant) {
        self.forbid_action(grant, "iam:SimulatePrincipalPolicy").await;
    }

    fn write_step(&self, _grant: &AccessGrant) -> (Purpose, CloudStep) {
        (Purpose::Backup, CloudStep::CreateVault { region: REGIONS[0].into(), name: "caretaker-suite-vault".into() })
    }

    fn leaving(&self, grant: &AccessGrant) -> Vec<CloudStep> {
        let (role, last) = (aws(grant).role_arn.rsplit('/').next().unwrap_or_default().to_owned(), "caretaker-revoke".to_owned());
        vec![
            CloudStep::StripOwnRole { role: role.clone(), last: last.clone() },
            CloudStep::CloseOwnRole { role: role.clone() },
            CloudStep::DropLastPolicy { role, last },
        ]
    }

    async fn spoil_plan(&self, grant: &AccessGrant, region: &str, id: &str) {
        let key = (region.to_owned(), id.to_owned());
        self.cloud.account(grant.account(), |account| {
            let plan = account.plans.get_mut(&key).expect("the plan was made");
            plan.schedule = "cron(0 12 * * ? *)".into();
            plan.retention_days = 1;
        });
    }

    async fn plant_recovery(&self, grant: &AccessGrant, points: &[RecoveryPoint], jobs: &[BackupJob], left_out: &[(&str, &str)]) {
        self.cloud
            .account(grant.account(), |account| {
                account.points.extend_from_slice(points);
                account.jobs.extend_from_slice(jobs);
                account.left_out.extend(left_out.iter().map(|(region, kind)| ((*region).to_owned(), (*kind).to_owned())));
            })
            .expect("the account is there");
    }

    async fn forbid_action(&self, grant: &AccessGrant, action: &str) {
        self.cloud.role(&aws(grant).role_arn, |role| role.forbid(action)).expect("made");
    }

    async fn writes(&self) -> usize {
        usize::try_from(self.cloud.writes()).unwrap_or(usize::MAX)
    }
}

crate::behaviour_suite!(InMemory::set());

#[tokio::test]
async fn a_role_that_learns_demands_what_was_presented_first() {
    let stage = InMemory::set();
    let grant = stage.grant(&[Purpose::Read]);
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
    let grant = stage.grant(&[Purpose::Read]);
    stage.machines(&AccessGrant::Aws(grant.clone()), REGIONS[0], 600).await;
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
    let grant = stage.grant(&[Purpose::Read]);
    let link = stage.cloud.connect(&AccessGrant::Aws(grant.clone()), Purpose::Read).await.expect("the role lets us in");
    let scope = crate::Scope { regions: Some(vec!["ap-east-1".into()]), ..crate::Scope::default() };
    let mut counts = Counts::default();
    link.discover(&scope, &mut counts).await.expect("the cells can be planned");
    let regional = crate::AwsType::ALL.into_iter().filter(|kind| !kind.is_global()).count();
    assert_eq!(counts.disabled, regional, "what is asked once for the account is still read");
    stage.cloud.account(&grant.account_id, |account| account.roles.clear());
    let answer = link.protection(&Intent { regions: vec![REGIONS[0].to_owned()], ..Intent::default() }).await;
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
