//! Clients with everything that they have in the cluster: each kind is listed once, however many clients there are.

use std::collections::HashMap;

use caretaker_api::names::client_namespace;
use caretaker_api::{BackupPolicy, ChangeRequest, CloudAccount, Handover, Incident, ManagedClient, MonitoringStack, ServiceReport};
use caretaker_core::risks::World;
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};
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

/// What there is of a kind, by namespace.
struct Shelf<K>(HashMap<String, Vec<K>>);

impl<K> Shelf<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    /// Of one namespace where only one is asked for: who may see that one client need not be allowed to see all.
    async fn read(kube: &Client, namespace: Option<&str>) -> anyhow::Result<Self> {
        let api = namespace.map_or_else(|| Api::<K>::all(kube.clone()), |namespace| Api::namespaced(kube.clone(), namespace));
        let mut found: HashMap<String, Vec<K>> = HashMap::new();
        for object in api.list(&ListParams::default()).await.map_err(explain)? {
            found.entry(object.namespace().unwrap_or_default()).or_default().push(object);
        }
        Ok(Self(found))
    }

    fn take(&mut self, namespace: &str) -> Vec<K> {
        self.0.remove(namespace).unwrap_or_default()
    }
}

impl Read {
    /// Reads what clients have.
    pub async fn of(kube: &Client, clients: Vec<ManagedClient>) -> anyhow::Result<Vec<Self>> {
        let only = if let [client] = clients.as_slice() { Some(client_namespace(&client.name_any())) } else { None };
        let within = only.as_deref();
        let (mut accounts, mut monitoring) = (Shelf::read(kube, within).await?, Shelf::read(kube, within).await?);
        let (mut backups, mut reports) = (Shelf::read(kube, within).await?, Shelf::read(kube, within).await?);
        let (mut changes, mut incidents) = (Shelf::read(kube, within).await?, Shelf::read(kube, within).await?);
        let mut handovers = Shelf::read(kube, within).await?;
        let read = |client: ManagedClient| {
            let namespace = client_namespace(&client.name_any());
            Self {
                accounts: accounts.take(&namespace),
                monitoring: monitoring.take(&namespace),
                backups: backups.take(&namespace),
                reports: reports.take(&namespace),
                changes: changes.take(&namespace),
                incidents: incidents.take(&namespace),
                handovers: handovers.take(&namespace),
                client,
            }
        };
        Ok(clients.into_iter().map(read).collect())
    }

    /// The same as `core` takes it.
    pub fn world(&self) -> World<'_> {
        let Self { client, accounts, monitoring, backups, reports, changes, incidents, handovers } = self;
        World { client, accounts, monitoring, backups, reports, changes, incidents, handovers }
    }
}
