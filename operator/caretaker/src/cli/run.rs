//! `caretaker run`.

use std::path::PathBuf;
use std::sync::Arc;

use caretaker_controllers::operator::{self, OperatorConfig};
use caretaker_core::layout::{Dns, Layout, MonitoringLayout};
use kube::Config;
use tracing_subscriber::EnvFilter;

use crate::clouds::{Reach, SdkClouds};

/// How the operator runs. Every option can be given by environment, as the chart does.
#[derive(clap::Args)]
pub struct Args {
    /// The operator's own namespace.
    #[arg(long, env = "POD_NAMESPACE", default_value = "caretaker-system")]
    namespace: String,
    /// Name of this process, unique among replicas.
    #[arg(long, env = "POD_NAME", default_value = "caretaker")]
    identity: String,
    /// URL of the store: file:///path, s3://bucket/prefix, az://container or gs://bucket.
    #[arg(long, env = "CARETAKER_STORE_URL", default_value = "file:///var/lib/caretaker")]
    store_url: String,
    /// Address of /healthz and /readyz.
    #[arg(long, env = "CARETAKER_HEALTH_ADDR", default_value = "0.0.0.0:8081")]
    health_address: String,
    /// Address of /metrics.
    #[arg(long, env = "CARETAKER_METRICS_ADDR", default_value = "0.0.0.0:8080")]
    metrics_address: String,
    /// Whether Prometheus and Alertmanager of clients are asked at their pods what they have loaded. Without it only their pods are looked at.
    #[arg(long, env = "CARETAKER_ASK_MONITORING", default_value_t = true, action = clap::ArgAction::Set)]
    ask_monitoring: bool,
    /// The operator's own image: the pods that test the isolation of clients' namespaces run it. Without it no tests are made.
    #[arg(long, env = "CARETAKER_ISOLATION_IMAGE")]
    isolation_image: Option<String>,
    /// Who resolves names for clients' pods, as a JSON list of {"namespace", "podLabels", "ports"} and {"cidr", "ports"}; the pods of kube-system at 53 where
    /// nothing is said.
    #[arg(long, env = "CARETAKER_DNS")]
    dns: Option<Dns>,
    /// What clients' monitoring needs in this cluster, as JSON: {"podSecurityContext", "imagePullSecret", "images", "storageClassName"}.
    #[arg(long, env = "CARETAKER_MONITORING")]
    monitoring: Option<MonitoringLayout>,
    /// Endpoint of all AWS services, for private endpoints and emulators.
    #[arg(long, env = "CARETAKER_AWS_ENDPOINT_URL")]
    aws_endpoint_url: Option<String>,
    /// Where Azure's tokens come from, for sovereign clouds and simulators.
    #[arg(long, env = "CARETAKER_AZURE_AUTHORITY_HOST")]
    azure_authority_host: Option<String>,
    /// Azure's Resource Manager, for sovereign clouds, private endpoints and simulators.
    #[arg(long, env = "CARETAKER_AZURE_ENDPOINT_URL")]
    azure_endpoint_url: Option<String>,
    /// Audience of Azure's tokens, for sovereign clouds.
    #[arg(long, env = "CARETAKER_AZURE_AUDIENCE")]
    azure_audience: Option<String>,
    /// File of the pod's own token for Azure, as Azure Workload Identity mounts it.
    #[arg(long, env = "AZURE_FEDERATED_TOKEN_FILE")]
    azure_token_file: Option<PathBuf>,
    /// One base URL for all services of Google Cloud, for proxies and simulators. Services whose paths are the same are asked at URL/at/SERVICE/.
    #[arg(long, env = "CARETAKER_GCP_ENDPOINT_URL")]
    gcp_endpoint_url: Option<String>,
    /// File of the pod's own token for Google Cloud.
    #[arg(long, env = "CARETAKER_GCP_TOKEN_FILE")]
    gcp_token_file: Option<PathBuf>,
    /// Lets the addresses of clouds above be http://: tokens and keys go over them in clear. For emulators and simulators on one machine only.
    #[arg(long, env = "CARETAKER_INSECURE_ENDPOINTS", default_value_t = false, action = clap::ArgAction::Set)]
    insecure_endpoints: bool,
    /// File with further certificate authorities for the clouds, PEM.
    #[arg(long, env = "CARETAKER_CA_BUNDLE")]
    ca_bundle: Option<PathBuf>,
    /// What is logged, such as info or caretaker_controllers=debug.
    #[arg(long, env = "CARETAKER_LOG", default_value = "info")]
    log: String,
    /// text or json.
    #[arg(long, env = "CARETAKER_LOG_FORMAT", default_value = "text")]
    log_format: String,
}

/// Runs the operator.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    if args.log_format == "json" {
        logs.json().init()
    } else {
        logs.init()
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), store = args.store_url, "caretaker starts");
    let given = |url: Option<String>| url.filter(|url| !url.is_empty());
    let reach = Reach {
        aws_endpoint: given(args.aws_endpoint_url),
        azure_authority: given(args.azure_authority_host),
        azure_endpoint: given(args.azure_endpoint_url),
        azure_audience: given(args.azure_audience),
        azure_token_file: args.azure_token_file,
        gcp_endpoint: given(args.gcp_endpoint_url),
        gcp_token_file: args.gcp_token_file,
        ca_bundle: args.ca_bundle,
    };
    reach.check(args.insecure_endpoints)?;
    let config = OperatorConfig {
        namespace: args.namespace,
        identity: args.identity,
        store_url: args.store_url,
        health_address: args.health_address,
        metrics_address: args.metrics_address,
        asks_monitoring: args.ask_monitoring,
        isolation_image: given(args.isolation_image),
        layout: Layout { dns: args.dns.unwrap_or_default(), monitoring: args.monitoring.unwrap_or_default() },
    };
    let mut kube = Config::infer().await?;
    // The proxies of the environment are for the clouds and the store; the API server is reached by one only where the kubeconfig names it.
    if !super::cluster::names_proxy(None) {
        kube.proxy_url = None;
    }
    operator::run(config, kube, |writes, budgets| Arc::new(SdkClouds::new(reach, writes, budgets))).await?;
    Ok(())
}
