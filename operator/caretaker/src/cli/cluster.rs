//! The way to the cluster, with errors that say what to do.

use anyhow::{Context, anyhow};
use caretaker_api::names::PLUGIN;
use caretaker_controllers::operator::user_agent;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// Which cluster.
#[derive(clap::Args)]
pub struct ClusterArgs {
    /// Context of the kubeconfig; without it the current one.
    #[arg(long)]
    context: Option<String>,
}

/// A client for the cluster.
pub async fn connect(args: &ClusterArgs) -> anyhow::Result<Client> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match Config::from_kubeconfig(&options).await {
        Ok(config) => config,
        Err(error) if args.context.is_some() => {
            return Err(error).context("the kubeconfig has no such context; see kubectl config get-contexts");
        }
        Err(_) => Config::infer().await.context("no cluster is configured; set KUBECONFIG or see kubectl config")?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(std::time::Duration::from_secs(10));
    config.headers.push(user_agent(PLUGIN));
    Ok(Client::try_from(config)?)
}

/// Whether the kubeconfig itself names a proxy for a context.
pub fn names_proxy(context: Option<&str>) -> bool {
    let Ok(file) = Kubeconfig::read() else { return false };
    let context = context.map(str::to_owned).or(file.current_context);
    let cluster = file.contexts.into_iter().find(|named| Some(&named.name) == context.as_ref());
    let cluster = cluster.and_then(|named| named.context).map(|context| context.cluster);
    let found = file.clusters.into_iter().find(|named| Some(&named.name) == cluster.as_ref()).and_then(|named| named.cluster);
    found.and_then(|cluster| cluster.proxy_url).is_some_and(|url| !url.is_empty())
}

/// Whether the API server does not know the kind. Of an object that is missing it names name and kind in the details.
fn is_unknown_kind(status: &kube::core::Status) -> bool {
    status.code == 404 && status.details.as_ref().is_none_or(|details| details.name.is_empty() && details.kind.is_empty())
}

/// An API error in words that say what to do.
pub fn explain(error: kube::Error) -> anyhow::Error {
    match &error {
        kube::Error::Api(status) if is_unknown_kind(status) => {
            anyhow!("Caretaker's kinds are not installed in this cluster; install the chart, or run: caretaker crds | kubectl apply -f -")
        }
        kube::Error::Api(status) if status.code == 403 => anyhow!("{}; ask for a role that allows it", status.message),
        kube::Error::Api(status) => anyhow!("{}", status.message),
        _ => anyhow!(error).context("the API server does not answer; is the context right? kubectl cluster-info"),
    }
}
