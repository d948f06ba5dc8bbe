//! The whole operator: client, election, cache, controllers, health, and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use caretaker_api::CloudAccount;
use caretaker_api::names::MANAGER;
use caretaker_cloud::budget::{Budgets, Key};
use caretaker_core::cloud_account::budget;
use caretaker_core::isolation::PodTerms;
use caretaker_core::layout::Layout;
use http::header::{HeaderName, HeaderValue, USER_AGENT};
use jiff::Timestamp;
use kube::client::ClientBuilder;
use kube::{Client, Config};
use kube_lease_manager::{LeaseCreateMode, LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backup_policy::BackupPolicies;
use crate::change_request::ChangeRequests;
use crate::cloud_account::CloudAccounts;
use crate::context::Context;
use crate::handover::Handovers;
use crate::incident::Incidents;
use crate::managed_client::ManagedClients;
use crate::monitoring_stack::MonitoringStacks;
use crate::monitoring_stack::Pods;
use crate::provider_identity::Clouds;
use crate::provider_profile::ProviderProfiles;
use crate::service_profile::ServiceProfiles;
use crate::service_report::ServiceReports;
use caretaker_engine::cache::Cache;
use caretaker_engine::health::{self, Health};
use caretaker_engine::metrics::Metrics;
use caretaker_engine::write_gate::Gate;
use caretaker_engine::write_gate::WriteLayer;
use caretaker_engine::write_gate::Writes;
use caretaker_store::ledger::Ledgers;
use caretaker_store::{Guard, Store};

/// Name of the lease.
pub const LEASE: &str = "caretaker";
/// How long a lease is good for.
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long before its end a lease is renewed.
const LEASE_GRACE: Duration = Duration::from_secs(5);
/// Time that no write is sent before the lease ends: longer than any write takes to arrive.
const LEASE_MARGIN: Duration = Duration::from_secs(4);
/// Pauses between attempts to reach an API server that is late: the first, and the longest.
const LATE_FIRST: Duration = Duration::from_secs(1);
const LATE_LAST: Duration = Duration::from_secs(10);
/// Longest wait for visits in flight at the end.
const DRAIN: Duration = Duration::from_secs(20);

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct OperatorConfig {
    /// The operator's own namespace.
    pub namespace: String,
    /// Name of the pod. The lease's holder is this and a random part.
    pub identity: String,
    /// URL of the store.
    pub store_url: String,
    /// Address of `/healthz` and `/readyz`.
    pub health_address: String,
    /// Address of `/metrics`.
    pub metrics_address: String,
    /// Whether Prometheus and Alertmanager of clients are asked at their pods what they have loaded.
    pub asks_monitoring: bool,
    /// The operator's own image, which the pods of isolation tests run; `None` where no tests are made.
    pub isolation_image: Option<String>,
    /// How this cluster differs from others.
    pub layout: Layout,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// Another process leads now.
    #[error("the lease was lost: another process leads now")]
    LeaseLost,
    /// A controller ended by itself.
    #[error("the controller of {0} ended by itself")]
    ControllerEnded(String),
    /// Something that the operator cannot do without.
    #[error("{what}: {why}")]
    Start {
        /// What was tried.
        what: String,
        /// Why it failed.
        why: String,
    },
}

fn start(what: &str) -> impl FnOnce(String) -> Ended {
    let what = what.to_owned();
    move |why| Ended::Start { what, why }
}

/// Writes to the store pass the gate that all others pass.
struct StoreWrites(Writes);

impl std::fmt::Debug for StoreWrites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreWrites")
    }
}

impl Guard for StoreWrites {
    fn before(&self, write: &str) -> Result<u64, String> {
        self.0.before(write).map_err(|closed| closed.to_string())
    }

    fn after(&self, number: u64) {
        self.0.after(number);
    }
}

/// Runs until a signal or the loss of the lease.
///
/// # Errors
/// Everything but a signal.
pub async fn run(config: OperatorConfig, kube: Config, clouds: impl FnOnce(Writes, Budgets) -> Arc<dyn Clouds>) -> Result<(), Ended> {
    let (writes, budgets) = (Writes::new(Gate::default()), Budgets::default());
    let lease_path = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/{LEASE}", config.namespace);
    let metrics = Metrics::of(budgets.clone());
    let layer = WriteLayer::new(writes.clone(), metrics.clone(), lease_path, LEASE_DURATION - LEASE_MARGIN);
    let client = client(kube, &layer)?;
    let cache = Cache::new();
    let health = Health::default();
    health::serve(&config.health_address, &config.metrics_address, health.clone(), metrics.clone()).await.map_err(start("listen"))?;
    let store = Store::open(&config.store_url).map_err(|error| start("open the store")(error.to_string()))?;
    let store = store.guarded(Arc::new(StoreWrites(writes.clone())));
    let engine = caretaker_engine::Context {
        client: client.clone(),
        cache: cache.clone(),
        clock: Arc::new(Timestamp::now),
        namespace: config.namespace.clone(),
        events: caretaker_engine::events::Events::new(client.clone(), Some(config.identity.clone())),
        metrics: metrics.clone(),
        repairs: Default::default(),
        definitions: Default::default(),
    };
    let pods = config.asks_monitoring.then(Pods::new).transpose().map_err(start("make the client for pods"))?;
    let isolation = config
        .isolation_image
        .clone()
        .map(|image| PodTerms { image, has_pull_secret: config.layout.monitoring.image_pull_secret.is_some() });
    let layout = Arc::new(config.layout.clone());
    let ledger = Ledgers::new(store.clone());
    let clouds = clouds(writes.clone(), budgets.clone());
    let ctx = Context { engine, store, ledger, clouds, pods, isolation, layout, claims: Arc::default() };
    // A process that comes up under the name of one that died must not take that one's lease for its own.
    let identity = format!("{}_{:08x}", config.identity, rand::random::<u32>());
    let mut signal = Box::pin(terminated());
    let manager = tokio::select! {
        () = &mut signal => return Ok(()),
        manager = lease(&client, &config.namespace, &identity) => manager,
    };
    let (leads, task) = manager.watch().await;
    cache.start(&client);
    health.set_started();
    let ended = terms(&ctx, &budgets, (leads.clone(), health), (&identity, &mut signal)).await;
    if ended.is_ok() {
        // Dropping the last receiver ends the manager's task, which gives the lease back.
        drop(leads);
        let _ = tokio::time::timeout(Duration::from_secs(5), task).await;
    }
    writes.gate.close();
    ended
}

/// Leads, and waits to lead again, until a signal.
async fn terms(
    ctx: &Context,
    budgets: &Budgets,
    (mut leads, health): (watch::Receiver<bool>, Health),
    (identity, signal): (&str, &mut (impl Future<Output = ()> + Unpin)),
) -> Result<(), Ended> {
    loop {
        tokio::select! {
            () = &mut *signal => return Ok(()),
            changed = leads.wait_for(|leads| *leads) => { changed.map_err(|error| start("watch the lease")(error.to_string()))?; }
        }
        tracing::info!(identity, "leading");
        ctx.metrics.set_leader(true);
        let ended = lead(ctx, budgets, (leads.clone(), health.clone()), signal).await;
        ctx.metrics.set_leader(false);
        match ended {
            // Such as after an outage of the API server. Nothing was written since the gate closed, and whatever was known of claims may be old.
            Err(Ended::LeaseLost) => {
                tracing::warn!(identity, "the lease was lost: nothing is written until it can be taken again");
                ctx.claims.lock().expect("no panic while held").clear();
            }
            ended => return ended,
        }
    }
}

/// The manager of the lease. An API server that is late is waited for: a process that ends here would be started again more and more slowly.
async fn lease(client: &Client, namespace: &str, identity: &str) -> LeaseManager {
    let mut pause = LATE_FIRST;
    loop {
        let manager = LeaseManagerBuilder::new(client.clone(), LEASE)
            .with_namespace(namespace)
            .with_identity(identity)
            .with_duration(LEASE_DURATION.as_secs())
            .with_grace(LEASE_GRACE.as_secs())
            .with_create_mode(LeaseCreateMode::AutoCreate)
            .build()
            .await;
        match manager {
            Ok(manager) => return manager,
            Err(error) => tracing::warn!(%error, seconds = pause.as_secs(), "the lease cannot be made or read; tried again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LATE_LAST);
    }
}

/// The header from which the API server takes the field manager of a write that names none, and the audit log its client.
///
/// # Panics
/// The name holds what no header takes.
#[must_use]
pub fn user_agent(name: &'static str) -> (HeaderName, HeaderValue) {
    let value = format!("{name}/{}", env!("CARGO_PKG_VERSION"));
    (USER_AGENT, HeaderValue::from_str(&value).expect("a name of ours is plain"))
}

fn client(mut kube: Config, layer: &WriteLayer) -> Result<Client, Ended> {
    // Its own retries can hold a visit for minutes; the engine decides when to try again.
    kube.default_retry = false;
    kube.connect_timeout = Some(Duration::from_secs(5));
    kube.headers.push(user_agent(MANAGER));
    let builder = ClientBuilder::try_from(kube).map_err(|error| start("connect to the API server")(error.to_string()))?;
    Ok(builder.with_layer(layer).build())
}

async fn lead(
    ctx: &Context,
    budgets: &Budgets,
    (mut leads, health): (watch::Receiver<bool>, Health),
    signal: &mut (impl Future<Output = ()> + Unpin),
) -> Result<(), Ended> {
    while !ctx.cache.is_synced() {
        tokio::select! {
            () = &mut *signal => return Ok(()),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        if !*leads.borrow() {
            return Err(Ended::LeaseLost);
        }
    }
    keep_waits(ctx, budgets);
    // Said in the log at once; the ProviderProfiles say it in a condition.
    let _ = ctx.definitions.look(&ctx.client, &ctx.cache, ctx.now()).await;
    health.set_synced();
    let (stop, _) = watch::channel(false);
    let mut controllers = JoinSet::new();
    spawn_all(ctx, &stop, &mut controllers);
    let ended = tokio::select! {
        () = signal => Ok(()),
        _ = leads.wait_for(|leads| !*leads) => Err(Ended::LeaseLost),
        Some(ended) = controllers.join_next() => Err(Ended::ControllerEnded(ended.unwrap_or_else(|error| error.to_string()))),
    };
    let _ = stop.send(true);
    if !matches!(ended, Err(Ended::ControllerEnded(_))) {
        tracing::info!("stopping: waits for visits in flight");
        let all = async { while controllers.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!(seconds = DRAIN.as_secs(), "visits in flight did not end and are cut off: the next process begins them again");
        }
    }
    // No visit of this term may last into the next one.
    controllers.shutdown().await;
    ended
}

/// Waits that clouds asked a process before this one for: they are in force before the first call.
fn keep_waits(ctx: &Context, budgets: &Budgets) {
    for account in ctx.cache.list_typed::<CloudAccount>(None) {
        for (key, left) in budget::waits(&account, ctx.now()) {
            tracing::info!(key, seconds = left.as_secs(), "a cloud has asked to wait");
            budgets.hold(&Key::from_text(&key), left);
        }
    }
}

fn spawn_all(ctx: &Context, stop: &watch::Sender<bool>, controllers: &mut JoinSet<String>) {
    macro_rules! spawn {
        ($($name:literal => $reconciler:expr),* $(,)?) => {$({
            let (ctx, mut stopped) = (ctx.clone(), stop.subscribe());
            controllers.spawn(async move {
                let stop = async move { let _ = stopped.wait_for(|stop| *stop).await; };
                caretaker_engine::run($reconciler, ctx, stop).await;
                $name.to_owned()
            });
        })*};
    }
    spawn! {
        "ProviderProfile" => ProviderProfiles,
        "ServiceProfile" => ServiceProfiles,
        "ManagedClient" => ManagedClients,
        "CloudAccount" => CloudAccounts,
        "BackupPolicy" => BackupPolicies::default(),
        "MonitoringStack" => MonitoringStacks::default(),
        "ServiceReport" => ServiceReports,
        "Incident" => Incidents,
        "ChangeRequest" => ChangeRequests,
        "Handover" => Handovers,
    }
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
