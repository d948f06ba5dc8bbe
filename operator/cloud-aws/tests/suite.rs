//! The behaviour suite of the cloud port on an AWS emulator that enforces.

#[path = "parts/members.rs"]
mod members;
#[path = "parts/register.rs"]
mod register;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use caretaker_cloud::fake::Fault;
use caretaker_cloud::manifest::aws_actions;
use caretaker_cloud::suite::Stage;
use caretaker_cloud::{AwsGrant, CloudConnector, ErrorClass, Purpose};
use caretaker_cloud_aws::{AwsConfig, AwsConnector, BaseCredentials};
use caretaker_testkit::emulator::{Cloud, Emulator};
use caretaker_testkit::proxy::{self, Watch};
use serde_json::{Value, json};

/// URL of an emulator that runs already; without it the tests start their own.
const ENDPOINT: &str = "CARETAKER_E2E_AWS";
/// Account of the provider.
const PROVIDER: &str = "111111111111";
const ROLE: &str = "CaretakerAccess";
const EXTERNAL_ID: &str = "5f0c6a4e1b7d4c8a9e3f2d1c0b9a8f7e";

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

struct OnEmulator {
    cloud: Cloud,
    watch: Watch,
    connector: Arc<AwsConnector>,
    principal: String,
    policies: Mutex<BTreeMap<(String, String), Vec<&'static str>>>,
    faults: Mutex<Vec<proxy::Fault>>,
}

impl OnEmulator {
    /// A provider of its own, behind a proxy of its own.
    async fn set() -> Self {
        let cloud = tokio::task::spawn_blocking(cloud).await.expect("no panic");
        let watch = Watch::default();
        let endpoint = proxy::start(&cloud.endpoint, watch.clone()).await.expect("a port");
        let user = cloud.call(&["provider", PROVIDER, &format!("suite-{}", number())], "").expect("a user");
        let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
        let config = AwsConfig {
            region: "us-east-1".into(),
            endpoint_url: Some(endpoint),
            ca_bundle_pem: None,
            credentials: BaseCredentials::Static {
                access_key_id: text("accessKeyId"),
                secret_access_key: text("secretAccessKey"),
                session_token: None,
            },
            expected_principal: text("arn"),
        };
        let connector = Arc::new(AwsConnector::new(config).await.expect("a connector"));
        Self { cloud, watch, connector, principal: text("arn"), policies: Mutex::default(), faults: Mutex::default() }
    }

    /// The trust policy of the grant kit.
    fn trust(&self) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": self.principal},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
        }]})
    }

    fn call(&self, args: &[&str], input: &Value) -> Value {
        self.cloud.call(args, &input.to_string()).expect("the emulator is seeded")
    }
}

fn document(actions: &[&str]) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
}

fn policy_name(purpose: Purpose) -> String {
    format!("caretaker-{purpose:?}").to_lowercase()
}

#[async_trait]
impl Stage for OnEmulator {
    fn connector(&self) -> Arc<dyn CloudConnector> {
        self.connector.clone()
    }

    async fn account(&self, purposes: &[Purpose]) -> AwsGrant {
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

    async fn instances(&self, grant: &AwsGrant, region: &str, count: usize) {
        self.call(&["instances", &grant.account_id, region, &count.to_string()], &Value::Null);
    }

    async fn forbid(&self, grant: &AwsGrant, action: &str) {
        let mut policies = self.policies.lock().expect("no panic while held");
        for ((_, name), actions) in policies.iter_mut().filter(|((account, _), _)| *account == grant.account_id) {
            actions.retain(|held| *held != action);
            self.call(&["put-policy", &grant.account_id, ROLE, name], &document(actions));
        }
    }

    async fn fault(&self, fault: Fault) {
        assert!(fault.account.is_none() && fault.skip == 0, "a proxy of the suite sees one account, from the first call on");
        let (service, action) = fault.operation.split_once(':').expect("service:Action");
        let (status, code, retry_after) = match fault.class {
            ErrorClass::Throttled(after) => (503, "RequestLimitExceeded", after.map(|after| after.as_secs())),
            ErrorClass::Expired => (400, "RequestExpired", None),
            ErrorClass::Denied => (403, "UnauthorizedOperation", None),
            _ => (503, "ServiceUnavailable", None),
        };
        let region = fault.region.expect("the suite names a region");
        let matches = format!("{service}/{region}/{action}");
        let mut faults = self.faults.lock().expect("no panic while held");
        let answer = proxy::Answer::Error { status, code: code.into(), retry_after };
        faults.push(proxy::Fault { matches, answer, times: fault.times });
        self.watch.set_faults(faults.clone());
    }

    async fn spoil_plan(&self, grant: &AwsGrant, region: &str, id: &str) {
        self.call(&["spoil-plan", &grant.account_id, region, id], &Value::Null);
    }

    async fn writes(&self) -> usize {
        self.watch.writes().len()
    }
}

caretaker_cloud::behaviour_suite!(OnEmulator::set().await);
