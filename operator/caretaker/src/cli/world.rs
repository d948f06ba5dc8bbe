//! A client with everything that it has in the cluster, read at once.

use caretaker_api::names::client_namespace;
use caretaker_api::{BackupPolicy, ChangeRequest, CloudAccount, Handover, Incident, ManagedClient, MonitoringStack, ServiceReport};
use caretaker_core::risks::World;
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::cluster::explain;

/// What was read.
pub struct Read {
    /// The client.
    pub client: ManagedClient,
    accounts: Vec<CloudAccount>,
    monitoring: Vec<MonitoringStack>,
    backups: Vec<BackupPolicy>,
    reports: Vec<ServiceReport>,
    changes: Vec<ChangeRequest>,
    incidents: Vec<Incident>,
    handovers: Vec<Handover>,
}

async fn all<K>(kube: &Client, namespace: &str) -> anyhow::Result<Vec<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    Ok(Api::<K>::namespaced(kube.clone(), namespace).list(&ListParams::default()).await.map_err(explain)?.items)
}

impl Read {
    /// Reads a client.
    pub async fn of(kube: &Client, name: &str) -> anyhow::Result<Self> {
        let client = Api::<ManagedClient>::all(kube.clone()).get(name).await.map_err(explain)?;
        Self::with(kube, client).await
    }

    /// Reads what a client has.
    pub async fn with(kube: &Client, client: ManagedClient) -> anyhow::Result<Self> {
        let namespace = client_namespace(client.metadata.name.as_deref().unwrap_or_default());
        Ok(Self {
            accounts: all(kube, &namespace).await?,
            monitoring: all(kube, &namespace).await?,
            backups: all(kube, &namespace).await?,
            reports: all(kube, &namespace).await?,
            changes: all(kube, &namespace).await?,
            incidents: all(kube, &namespace).await?,
            handovers: all(kube, &namespace).await?,
            client,
        })
    }

    /// The same as `core` takes it.
    pub fn world(&self) -> World<'_> {
        let Self { client, accounts, monitoring, backups, reports, changes, incidents, handovers } = self;
        World { client, accounts, monitoring, backups, reports, changes, incidents, handovers }
    }
}
