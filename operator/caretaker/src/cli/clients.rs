//! Which clients a command is about: one, or all.

use caretaker_api::ManagedClient;
use kube::api::ListParams;
use kube::{Api, Client};

use super::cluster::{ClusterArgs, connect, explain};
use super::output::Form;

/// Which clients, in which form.
#[derive(clap::Args)]
pub struct Clients {
    /// Name of a ManagedClient; without it all.
    pub client: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Clients {
    /// The way to their cluster.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        connect(&self.cluster).await
    }

    /// Reads the one, or all.
    pub async fn read(&self, kube: &Client) -> anyhow::Result<Vec<ManagedClient>> {
        let api: Api<ManagedClient> = Api::all(kube.clone());
        Ok(match &self.client {
            Some(name) => vec![api.get(name).await.map_err(explain)?],
            None => api.list(&ListParams::default()).await.map_err(explain)?.items,
        })
    }
}
