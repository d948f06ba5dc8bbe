//! A provider and its clients on the emulator of this test binary.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use caretaker_aws_shim::{
    Answer, Explorer, Fault, Job, Point, Rows, Watch, judge, machine, machine_of_several, resource, start, stopped_machine,
};
use caretaker_cloud::manifest::aws_actions;
use caretaker_cloud::suite::{Capability, On, Stage, Trouble, When};
use caretaker_cloud::{
    AccessGrant, Address, AwsGrant, AwsType, BackupJob, CloudConnector, CloudStep, Purpose, RecoveryPoint, WantedPermission,
};
use caretaker_cloud_aws::{AwsConfig, AwsConnector, BaseCredentials};
use caretaker_testkit::emulator::{Cloud, Emulator};
use serde_json::{Value, json};

/// URL of an emulator that runs already; without it the tests start their own.
const ENDPOINT: &str = "CARETAKER_E2E_AWS";
/// Account of the provider.
pub const PROVIDER: &str = "111111111111";
/// Regions that tests read.
pub const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
/// Region whose STS the provider asks.
pub const HOME: &str = "eu-central-1";
pub const ROLE: &str = "CaretakerAccess";
const EXTERNAL_ID: &str = "5f0c6a4e1b7d4c8a9e3f2d1c0b9a8f7e";
/// Machines that the emulator itself is given at most: it makes its whole answer anew for each page.
const EMULATED: usize = 20_000;

/// The emulator of this test binary.
fn cloud() -> Cloud {
    static OWN: OnceLock<Option<(Emulator, tempfile::TempDir)>> = OnceLock::new();
    if let Ok(endpoint) = std::env::var(ENDPOINT) {
        return Cloud::at(&endpoint).expect("the Python environment");
    }
    let own = OWN.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        Some((Emulator::start(&folder.path().join("ministack.log")).expect("an emulator"), folder))
    });
    own.as_ref().map(|(emulator, _)| emulator.cloud.clone()).expect("it was started")
}

/// Numbers that no other test, and no other run against the same emulator, has.
fn number() -> u64 {
    static NEXT: OnceLock<AtomicU64> = OnceLock::new();
    let first = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() * 100 % 100_000_000_000);
    NEXT.get_or_init(|| AtomicU64::new(first())).fetch_add(1, Ordering::SeqCst)
}

/// A user of the provider's that may assume roles, and its connector.
async fn provider(cloud: &Cloud, endpoint: &str, allows_tags: bool) -> (Arc<AwsConnector>, String) {
    let user = cloud.call(&["provider", PROVIDER, &format!("suite-{}", number())], "").expect("a user");
    let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
    let config = AwsConfig {
        region: HOME.into(),
        endpoint_url: Some(endpoint.into()),
        ca_bundle_pem: None,
        credentials: BaseCredentials::Static {
            access_key_id: text("accessKeyId"),
            secret_access_key: text("secretAccessKey"),
            session_token: None,
        },
        expected_principal: text("arn"),
        allows_tags,
    };
    (Arc::new(AwsConnector::new(config).await.expect("a connector")), text("arn"))
}

fn trust(principal: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    }]})
}

pub struct OnEmulator {
    cloud: Cloud,
    pub watch: Watch,
    pub connector: Arc<AwsConnector>,
    endpoint: String,
    principal: String,
    stranger: Mutex<String>,
    policies: Mutex<BTreeMap<(String, String), Vec<&'static str>>>,
    faults: Mutex<Vec<Fault>>,
}

impl OnEmulator {
    /// A provider of its own, behind a shim of its own.
    pub async fn set() -> Self {
        let cloud = tokio::task::spawn_blocking(cloud).await.expect("no panic");
        let watch = Watch::judged();
        let endpoint = start(&cloud.endpoint, watch.clone()).await.expect("a port");
        let (connector, principal) = provider(&cloud, &endpoint, false).await;
        let (policies, faults, stranger) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { cloud, watch, endpoint, connector, principal, stranger, policies, faults }
    }

    /// One command to the emulator as the root of accounts.
    pub fn call(&self, args: &[&str], input: &Value) -> Value {
        self.cloud.call(args, &input.to_string()).expect("the emulator is seeded")
    }

    /// Makes an account with a role that trusts the provider.
    pub fn grant(&self, purposes: &[Purpose]) -> AwsGrant {
        let account_id = format!("7{:011}", number());
        let mut policies = Vec::new();
        for purpose in purposes {
            let actions: Vec<&'static str> = aws_actions(*purpose).iter().map(|action| action.name).collect();
            policies.push(json!({"PolicyName": policy_name(*purpose), "PolicyDocument": document(&actions)}));
            self.policies.lock().expect("no panic while held").insert((account_id.clone(), policy_name(*purpose)), actions);
        }
        let role = json!({"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": ROLE, "AssumeRolePolicyDocument": self.trust(), "Policies": policies,
        }});
        self.call(&["apply-kit", &account_id], &json!({"Resources": {"Access": role}}));
        AwsGrant {
            role_arn: format!("arn:aws:iam::{account_id}:role/{ROLE}"),
            account_id,
            external_id: EXTERNAL_ID.into(),
            session_name: "caretaker-suite".into(),
            source_identity: "prod@suite".into(),
        }
    }

    /// Another provider, which the role of these grants trusts from now on, and whose kits let roles take session tags.
    pub async fn with_tags(&self, grants: &[&AwsGrant]) -> Arc<AwsConnector> {
        let (connector, principal) = provider(&self.cloud, &self.endpoint, true).await;
        for grant in grants {
            self.call(&["set-trust", &grant.account_id, ROLE], &trust(&principal));
        }
        connector
    }

    /// Name of the provider's user.
    pub fn base_user(&self) -> String {
        self.principal.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// The trust of a role in the provider under the ExternalId.
    pub fn trust(&self) -> Value {
        trust(&self.principal)
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        let mut faults = self.faults.lock().expect("no panic while held");
        faults.push(fault);
        self.watch.set_faults(faults.clone());
    }

    /// The calls so far whose `service/region/Action` holds this.
    pub fn calls(&self, part: &str) -> Vec<String> {
        self.watch.calls().into_iter().filter(|call| call.contains(part)).collect()
    }
}

impl Drop for OnEmulator {
    /// No test can leave the judge out.
    fn drop(&mut self) {
        let exchanges = self.watch.exchanges();
        // An obligation that is skipped has said nothing.
        if !std::thread::panicking() && !exchanges.is_empty() {
            judge::judge(&exchanges).expect("every exchange is as AWS's models have it");
        }
    }
}

fn document(actions: &[&str]) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
}

fn policy_name(purpose: Purpose) -> String {
    format!("caretaker-{purpose:?}").to_lowercase()
}

/// The grant of a role.
pub fn aws(grant: &AccessGrant) -> &AwsGrant {
    let AccessGrant::Aws(grant) = grant else { panic!("a grant of AWS") };
    grant
}

#[async_trait]
impl Stage for OnEmulator {
    fn name(&self) -> &'static str {
        "AWS"
    }

    fn lacks(&self) -> &'static [Capability] {
        &[]
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
        self.connector.clone()
    }

    async fn stranger(&self) -> Arc<dyn CloudConnector> {
        let (connector, principal) = provider(&self.cloud, &self.endpoint, false).await;
        *self.stranger.lock().expect("no panic while held") = principal;
        connector
    }

    async fn admit(&self, grant: &AccessGrant) {
        let trust = trust(&self.stranger.lock().expect("no panic while held"));
        self.call(&["set-trust", &aws(grant).account_id, ROLE], &trust);
    }

    async fn account(&self, purposes: &[Purpose]) -> AccessGrant {
        AccessGrant::Aws(self.grant(purposes))
    }

    fn misnamed(&self, grant: &AccessGrant) -> AccessGrant {
        AccessGrant::Aws(AwsGrant { account_id: "999999999999".into(), ..aws(grant).clone() })
    }

    async fn machines(&self, grant: &AccessGrant, place: &str, count: usize) {
        if count > EMULATED {
            let (account, region) = (grant.account().to_owned(), place.to_owned());
            let rows = Rows::made(count, move |number| machine(&account, &region, number));
            self.watch.set_rows("ec2/DescribeInstances", grant.account(), place, rows);
        } else {
            self.call(&["instances", grant.account(), place, &count.to_string()], &Value::Null);
        }
    }

    async fn described(&self, grant: &AccessGrant, place: &str) -> Vec<Address> {
        let rows = Rows::These(vec![machine_of_several(grant.account(), place), stopped_machine(grant.account(), place)]);
        self.watch.set_rows("ec2/DescribeInstances", grant.account(), place, rows);
        let private = ["10.0.0.4", "10.0.1.4"].map(|ip| Address::private(ip.parse().expect("an address")));
        let public = ["203.0.113.7", "203.0.113.8", "2001:db8::7"].map(|ip| Address::public(ip.parse().expect("an address")));
        private.into_iter().chain(public).collect()
    }

    async fn named(&self, grant: &AccessGrant, place: &str, names: &[&str]) {
        let count = names.len().to_string();
        let args: Vec<&str> = ["instances", grant.account(), place, &count].into_iter().chain(names.iter().copied()).collect();
        self.call(&args, &Value::Null);
    }

    fn legal_names(&self) -> Vec<&'static str> {
        // Of what is no character of XML 1.0 EC2 takes nothing.
        vec!["-", "a\"b", "$(reboot)", "ünïcødé 名前 🦀", "a/b", "<script>&amp;", "line\nend\ttab", "\u{202e}rtl", "a&b=c%20+d", "'; --"]
    }

    async fn unknown_type(&self, grant: &AccessGrant) -> String {
        let kind = "fis:experiment-template";
        let rows = vec![resource(kind, (grant.account(), REGIONS[0]), "experiment-template/EXT1", &[])];
        self.watch.set_explorer(grant.account(), Explorer::on([(REGIONS[0].to_owned(), Rows::These(rows))].into()));
        kind.to_owned()
    }

    async fn page_rows(&self, rows: usize) {
        self.watch.set_page_rows(Some(rows));
    }

    async fn trouble(&self, _grant: &AccessGrant, on: On<'_>, trouble: Trouble, When { after, times }: When) {
        let matches = match on {
            On::Machines(place) => format!("ec2/{place}/DescribeInstances"),
            On::Write => "PUT:backup-vaults".into(),
            // The session is open before a trouble begins.
            On::Lists => String::new(),
        };
        let error = |status, code: &str| Answer::Error { status, code: code.into(), retry_after: None };
        let answer = match trouble {
            Trouble::Denied => error(403, "UnauthorizedOperation"),
            Trouble::Throttled(wait) => Answer::Throttled { retry_after: Some(wait.as_secs()) },
            Trouble::EachOtherThrottled => Answer::Throttled { retry_after: None },
            Trouble::Failing => error(503, "ServiceUnavailable"),
            Trouble::AnswerLost => Answer::Lost,
            Trouble::CutOff => Answer::CutOff,
            Trouble::RepeatedToken => Answer::RepeatedToken,
            Trouble::SessionEnded => error(400, "RequestExpired"),
        };
        let each = if trouble == Trouble::EachOtherThrottled { 2 } else { 1 };
        self.fault(Fault { skip: after, times, each, ..Fault::of(&matches, answer) });
    }

    async fn cure(&self) {
        self.faults.lock().expect("no panic while held").clear();
        self.watch.set_faults(Vec::new());
    }

    async fn revoke(&self, grant: &AccessGrant) {
        self.call(&["delete-role", grant.account(), ROLE], &Value::Null);
    }

    async fn clock(&self, ahead: i64) {
        self.watch.set_clock(ahead);
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

    fn leaving(&self, _grant: &AccessGrant) -> Vec<CloudStep> {
        let (role, last) = (ROLE.to_owned(), policy_name(Purpose::Revoke));
        vec![
            CloudStep::StripOwnRole { role: role.clone(), last: last.clone() },
            CloudStep::CloseOwnRole { role: role.clone() },
            CloudStep::DropLastPolicy { role, last },
        ]
    }

    async fn spoil_plan(&self, grant: &AccessGrant, region: &str, id: &str) {
        self.call(&["spoil-plan", grant.account(), region, id], &Value::Null);
    }

    async fn plant_recovery(&self, grant: &AccessGrant, points: &[RecoveryPoint], jobs: &[BackupJob], left_out: &[(&str, &str)]) {
        for point in points {
            let status = format!("{:?}", point.state).to_uppercase().replace("USABLE", "COMPLETED");
            let planted = Point {
                status,
                message: point.message.clone(),
                deleted: point.deleted_at,
                ..Point::new(&point.id, &point.vault, &point.source, point.created)
            };
            self.watch.backups(grant.account(), &point.region, |held| held.points.push(planted));
        }
        for job in jobs {
            let state = format!("{:?}", job.state).to_uppercase().replace("UNDERWAY", "PENDING");
            let failed = Job::failed(&job.id, &job.vault, &job.source, (job.created, &job.message));
            let planted = Job { state, ended: job.ended, ..failed };
            self.watch.backups(grant.account(), &job.region, |held| held.jobs.push(planted));
        }
        for (region, kind) in left_out {
            self.watch.backups(grant.account(), region, |held| held.left_out.insert((*kind).to_owned()));
        }
    }

    async fn forbid_action(&self, grant: &AccessGrant, action: &str) {
        let mut policies = self.policies.lock().expect("no panic while held");
        for ((_, name), actions) in policies.iter_mut().filter(|((account, _), _)| account == grant.account()) {
            actions.retain(|held| *held != action);
            self.call(&["put-policy", grant.account(), ROLE, name], &document(actions));
        }
    }

    async fn writes(&self) -> usize {
        self.watch.writes().len()
    }
}
