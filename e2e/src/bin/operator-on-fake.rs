//! The operator as `caretaker run` is it, with the same environment, but with the clients' accounts in memory: what is measured then is the operator and
//! nothing else. `cargo xtask bench line` runs it.

use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::fake::{ExternalIdRule, FakeAccount, FakeCloud, FakeRole, Trust};
use caretaker_cloud::{AwsType, CloudConnector, CloudError, ErrorClass, Purpose};
use caretaker_controllers::Clouds;
use caretaker_controllers::counted_link::CountedConnector;
use caretaker_controllers::operator::{self, OperatorConfig};
use caretaker_controllers::provider_identity::{AwsIdentity, AzureIdentity, GcpIdentity};
use caretaker_e2e::bench;
use caretaker_engine::write_gate::Writes;
use kube::Config;
use tracing_subscriber::EnvFilter;

struct InMemory {
    cloud: FakeCloud,
    writes: Writes,
}

#[async_trait]
impl Clouds for InMemory {
    async fn aws(&self, _identity: &AwsIdentity) -> caretaker_cloud::Result<Arc<dyn CloudConnector>> {
        Ok(Arc::new(CountedConnector { inner: Arc::new(self.cloud.clone()), writes: self.writes.clone() }))
    }

    async fn azure(&self, _identity: &AzureIdentity) -> caretaker_cloud::Result<Arc<dyn CloudConnector>> {
        Err(CloudError::new(ErrorClass::Unsupported, "connect", "the bench's clients are on AWS"))
    }

    async fn gcp(&self, _identity: &GcpIdentity) -> caretaker_cloud::Result<Arc<dyn CloudConnector>> {
        Err(CloudError::new(ErrorClass::Unsupported, "connect", "the bench's clients are on AWS"))
    }
}

/// Accounts whose owners have applied the grant kit at once: each role demands the ExternalId that is presented first.
fn cloud(clients: usize) -> FakeCloud {
    let cloud = FakeCloud::new(bench::PRINCIPAL);
    for number in 0..clients {
        let id = bench::account(number);
        let trust = Trust::Principal { arn: bench::PRINCIPAL.into(), external_id: ExternalIdRule::Learned(None) };
        let role = FakeRole::for_purposes(trust, &[Purpose::Read, Purpose::Backup, Purpose::Revoke]);
        let mut account = FakeAccount::new(&id, &bench::REGIONS).with_role(format!("arn:aws:iam::{id}:role/CaretakerAccess"), role);
        for kind in [AwsType::Instance, AwsType::Volume] {
            account.add_assets(bench::REGIONS[0], kind, bench::MACHINES);
        }
        for kind in [AwsType::Vpc, AwsType::Subnet, AwsType::SecurityGroup] {
            account.add_assets(bench::REGIONS[0], kind, 1);
        }
        cloud.put_account(account);
    }
    cloud
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let setting = |name: &str| std::env::var(name).map_err(|_| anyhow::anyhow!("{name} is not set: the chart sets it"));
    tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(setting("CARETAKER_LOG")?)?).with_ansi(false).init();
    let config = OperatorConfig {
        namespace: setting("POD_NAMESPACE")?,
        identity: setting("POD_NAME")?,
        store_url: setting("CARETAKER_STORE_URL")?,
        health_address: setting("CARETAKER_HEALTH_ADDR")?,
        metrics_address: setting("CARETAKER_METRICS_ADDR")?,
        asks_monitoring: false,
        isolation_image: None,
        layout: Default::default(),
    };
    let cloud = cloud(setting(bench::CLIENTS)?.parse()?);
    operator::run(config, Config::infer().await?, |writes, _| Arc::new(InMemory { cloud, writes })).await?;
    Ok(())
}
