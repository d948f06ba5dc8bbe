//! No secret in any log, at the finest level and of every crate. A binary of its own: the subscriber is the process's.

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use caretaker_arm_simulator::entra::{self, AUDIENCE};
use caretaker_arm_simulator::world::{Federation, Refusal};
use caretaker_cloud::{CloudConnector, Presented, Purpose, Scope};
use caretaker_cloud_azure::{AzureConfig, AzureConnector, AzureCredentials};
use common::{SECRET, Stage, gather, grant, machines};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic while held").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_token_reaches_a_log() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).with_ansi(false).init();
    let stage = Stage::with(machines(3)).await;
    let federation = Federation { issuer: "https://oidc.example".into(), subject: "s".into(), key: "k".into() };
    stage.simulator.change(|world| world.applications[0].federation = Some(federation.clone()));
    let assertion = entra::assertion(&federation, AUDIENCE, 600);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("token"), &assertion).expect("a file");
    let wrong = "wr0ng-secret-never-shown";
    let with = |credentials| AzureConnector::new(&AzureConfig { credentials, ..stage.config() }).expect("a connector");
    with(AzureCredentials::ClientSecret(wrong.into())).base_identity().await.expect_err("it is wrong");
    with(AzureCredentials::ProjectedToken(folder.path().join("token"))).base_identity().await.expect("it is good");
    let connector = stage.connector();
    let link = connector.connect(&grant(), Purpose::Read).await.expect("a session");
    stage.rule("ResourceGraph", "", Refusal::TokenEnded, (1, Some(1)));
    stage.rule("ResourceGraph", "", Refusal::Server(500), (3, Some(1)));
    gather(link.as_ref(), &Scope::default()).await;
    for presented in [Presented::Right, Presented::Wrong, Presented::Nothing] {
        let _ = connector.attempt(&grant(), presented).await;
    }
    let text = String::from_utf8_lossy(&log.0.lock().expect("no panic while held")).into_owned();
    assert!(text.contains("taking a new one"), "our own lines are there");
    assert!(text.contains("TRACE") && text.len() > 10_000, "and those of the crates below");
    let tokens: Vec<String> = stage.simulator.change(|world| world.tokens.keys().cloned().collect());
    assert!(tokens.len() >= 4, "{}", tokens.len());
    // Part of the secret stays the same when it is encoded for a form.
    let part = SECRET.split(['~', '/']).nth(1).expect("a part");
    let secrets = tokens.iter().map(String::as_str).chain([SECRET, part, wrong, assertion.as_str()]);
    for secret in secrets {
        assert!(!text.contains(secret), "a secret of {} characters is in the log", secret.len());
    }
}
