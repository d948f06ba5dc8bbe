//! The base identity: keys, federated tokens, clocks, and that no secret is shown.

use caretaker_cloud::{CloudConnector, ErrorClass, Presented, Purpose};
use caretaker_cloud_gcp::{BaseCredentials, Endpoints, GcpConfig, GcpConnector, ServiceAccountKey};
use caretaker_google_simulator::{Fault, FaultKind, Issuer, TestKey};
use serde_json::json;

use crate::stage::{Gathered, PROVIDER, Stage, key};

const AUDIENCE: &str = "//iam.googleapis.com/projects/100000000001/locations/global/workloadIdentityPools/pods/providers/cluster";
const ISSUER: &str = "https://cluster.example";
const SUBJECT: &str = "system:serviceaccount:caretaker-system:caretaker";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_says_who_we_are() {
    let stage = Stage::set().await;
    let identity = stage.connector().base_identity().await.expect("the key is known");
    assert_eq!((identity.account.as_str(), &identity.principal), (PROVIDER, &stage.us));
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_our_own_fault() {
    let mut stage = Stage::set().await;
    let other = TestKey::make().expect("a key");
    let file = other.service_account_json(&stage.us, "key-1").expect("a file");
    stage.config.credentials = BaseCredentials::Key(ServiceAccountKey::from_json(&file).expect("a key"));
    let error = stage.connector().base_identity().await.expect_err("the signature is another's");
    assert!(error.class == ErrorClass::Credentials && error.message.contains("Invalid JWT Signature"), "{error}");
    let error = stage.connector().connect(&stage.access(), Purpose::Read).await.err().expect("nobody is asked");
    assert_eq!(error.class, ErrorClass::Credentials);
    assert_eq!(stage.simulator.calls("iamcredentials."), 0);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_principal_than_the_declared_one_uses_nobodys_account() {
    let mut stage = Stage::set().await;
    stage.config.expected_principal = "somebody@provider-project.iam.gserviceaccount.com".into();
    for error in [
        stage.connector().connect(&stage.access(), Purpose::Read).await.err().expect("refused"),
        stage.connector().attempt(&stage.access(), Presented::Nothing).await.expect_err("refused"),
    ] {
        assert!(error.class == ErrorClass::Credentials && error.message.contains(&stage.us), "{error}");
    }
    assert_eq!(stage.simulator.calls("iamcredentials."), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ten_minutes_off_stops_nothing() {
    for (ahead, asked) in [(600, 1), (-600, 2), (7200, 2)] {
        let stage = Stage::set().await;
        stage.simulator.world().clock_ahead = ahead;
        stage.simulator.world().add_machines(&stage.grant.project_id, 3);
        let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
        assert!(gathered.assets.len() == 3 && gathered.incomplete().is_empty(), "{ahead} s");
        assert_eq!(stage.simulator.calls("oauth2.token"), asked, "refused once at most, then right");
        stage.judged().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worn_out_base_token_is_exchanged_anew_once() {
    let stage = Stage::set().await;
    let connector = stage.connector();
    connector.base_identity().await.expect("the key is known");
    stage.fault(Fault::of("iamcredentials.", FaultKind::Expired).times(1));
    connector.connect(&stage.access(), Purpose::Read).await.expect("a new base token lets in");
    stage.fault(Fault::of("iamcredentials.", FaultKind::Expired));
    let error = connector.attempt(&stage.access(), Presented::Right).await.expect_err("the base token is never good");
    assert_eq!(error.class, ErrorClass::Credentials, "{error}");
    stage.judged().await;
}

/// A stage whose base identity is a pod's token.
async fn federated() -> (Stage, tempfile::TempDir) {
    let mut stage = Stage::set().await;
    let folder = tempfile::tempdir().expect("a folder");
    let token_file = folder.path().join("token");
    let now = stage.simulator.world().now();
    let claims = json!({"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "exp": now + 600});
    std::fs::write(&token_file, key().sign(&claims).expect("a token") + "\n").expect("it is written");
    let pool = AUDIENCE.split("/providers/").next().unwrap();
    let principal = format!("principal:{pool}/subject/{SUBJECT}");
    {
        let mut world = stage.simulator.world();
        world.issuers.insert(AUDIENCE.into(), Issuer { issuer: ISSUER.into(), public: key().public() });
        let policy = &mut world.accounts.get_mut(&stage.grant.service_account).unwrap().policy;
        policy.unbind(&format!("serviceAccount:{}", stage.us));
        policy.bind("roles/iam.serviceAccountTokenCreator", &principal);
    }
    stage.config.expected_principal = principal;
    stage.config.credentials = BaseCredentials::Federated { token_file, audience: AUDIENCE.into() };
    (stage, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pods_token_is_exchanged_and_lets_in() {
    let (stage, _folder) = federated().await;
    let connector = stage.connector();
    let identity = connector.base_identity().await.expect("the pool trusts the issuer");
    assert_eq!(identity.principal, stage.config.expected_principal);
    assert!(identity.principal.starts_with("principal://iam.googleapis.com/projects/"), "as IAM writes members");
    connector.connect(&stage.access(), Purpose::Read).await.expect("the client trusts the subject");
    assert_eq!(stage.simulator.calls("oauth2."), 0);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_shown() {
    let (stage, folder) = federated().await;
    // Signed by nobody that the pool trusts; the simulator quotes it, as token services do.
    let claims = json!({"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "exp": stage.simulator.world().now() + 600});
    let token = TestKey::make().expect("a key").sign(&claims).expect("a token");
    std::fs::write(folder.path().join("token"), &token).expect("it is written");
    let error = stage.connector().base_identity().await.expect_err("not trusted");
    assert!(stage.simulator.exchanges()[0]["response"].to_string().contains(&token), "the answer does quote it");
    assert!(error.class == ErrorClass::Credentials && error.message.contains("(redacted)"), "{error}");
    assert!(!format!("{error} {error:?}").contains(&token));
    std::fs::remove_file(folder.path().join("token")).expect("it was there");
    assert_eq!(stage.connector().base_identity().await.expect_err("no token").class, ErrorClass::Credentials);
    let config: GcpConfig = Stage::set().await.config;
    let pem = key().pem().expect("a key");
    let line = pem.lines().nth(1).expect("a line of the key");
    assert!(!format!("{config:?}").contains(line), "Debug");
    let spoilt = key().service_account_json("a@b", "1").expect("a file").replace("\"private_key\":", "\"private_key\":1,\"x\":");
    let error = ServiceAccountKey::from_json(&spoilt).expect_err("no key");
    assert!(!error.to_string().contains(line), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_without_certificates_is_refused() {
    let stage = Stage::set().await;
    let config = GcpConfig { ca_bundle_pem: Some(b"nothing".to_vec()), ..stage.config.clone() };
    assert_eq!(GcpConnector::new(config).err().map(|error| error.class), Some(ErrorClass::Credentials));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_where_its_bundle_is_given() {
    let mut stage = Stage::set().await;
    let (url, authority) = stage.simulator.start_tls().await.expect("a server");
    stage.config.endpoints = Endpoints::all_at(&url);
    let error = stage.connector().base_identity().await.expect_err("nobody vouches for the server");
    assert_eq!(error.class, ErrorClass::Unreachable, "{error}");
    assert!(stage.simulator.exchanges().is_empty(), "no assertion is sent to a stranger");
    stage.config.ca_bundle_pem = Some(authority.into_bytes());
    stage.connector().connect(&stage.access(), Purpose::Read).await.expect("the bundle vouches for it");
    stage.judged().await;
}
