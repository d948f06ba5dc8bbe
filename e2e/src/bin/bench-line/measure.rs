//! What is measured of the operator: time, requests, memory.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use caretaker_api::ManagedClient;
use caretaker_e2e::bench;
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

/// Requests that the bench keeps in flight: as many as the operator's four kinds of a client do with sixteen visits each.
pub const CONCURRENCY: usize = 64;
/// Longest wait for all clients.
const PATIENCE: Duration = Duration::from_secs(1200);
/// Time without a write after which the operator counts as settled.
const QUIET: Duration = Duration::from_secs(5);
/// Verbs that change something.
const WRITES: [&str; 4] = ["create", "update", "patch", "delete"];
/// Kernel ticks in a second, as /proc counts them on every Linux that we run on.
const TICKS: f64 = 100.0;

/// Makes the clients and waits until each is Ready; the time from the first request on.
pub async fn to_ready(client: &Client, clients: usize) -> Result<f64> {
    let api: Api<ManagedClient> = Api::all(client.clone());
    let mut events = watcher(api.clone(), watcher::Config::default()).default_backoff().applied_objects().boxed();
    let began = Instant::now();
    let make = stream::iter(0..clients).map(Ok).try_for_each_concurrent(CONCURRENCY, |number| {
        let api = api.clone();
        async move {
            let object: ManagedClient = serde_json::from_value(bench::client(number))?;
            api.create(&PostParams::default(), &object).await?;
            Ok::<_, anyhow::Error>(())
        }
    });
    let ready = async {
        let mut ready = HashSet::new();
        while ready.len() < clients {
            let Some(object) = events.try_next().await? else { bail!("the watch ended") };
            if is_ready(&object) {
                ready.insert(object.name_any());
            }
        }
        Ok(began.elapsed().as_secs_f64())
    };
    let both = async { tokio::try_join!(make, ready) };
    let ((), seconds) = tokio::time::timeout(PATIENCE, both).await.context("not all clients became Ready in time")??;
    Ok(seconds)
}

fn is_ready(client: &ManagedClient) -> bool {
    let conditions = client.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.iter().any(|condition| {
        condition.type_ == "Ready" && condition.status == "True" && condition.observed_generation == client.metadata.generation
    })
}

/// Waits until the operator writes nothing any more; the time that this took, without the quiet time at the end.
pub async fn settle(metrics: &str) -> Result<f64> {
    let began = Instant::now();
    let (mut last, mut since) = (Requests::read(metrics).await?.writes(), Instant::now());
    while since.elapsed() < QUIET {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = Requests::read(metrics).await?.writes();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if began.elapsed() > PATIENCE {
            bail!("the operator does not stop writing");
        }
    }
    Ok((began.elapsed() - QUIET).as_secs_f64())
}

/// Requests of the operator to the API server by verb and resource.
#[derive(Clone, Debug, Default)]
pub struct Requests(pub BTreeMap<(String, String), u64>);

impl Requests {
    /// From the operator's metrics.
    pub async fn read(metrics: &str) -> Result<Self> {
        let text = reqwest::get(metrics).await?.text().await?;
        let mut found = BTreeMap::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("caretaker_kubernetes_requests_total{")) {
            let (labels, value) = line.split_once("} ").context("a metric has a value")?;
            let label = |name: &str| {
                let rest = labels.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\""));
                rest.and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
            };
            found.insert((label("verb"), label("resource")), value.trim().parse()?);
        }
        Ok(Self(found))
    }

    /// Those after others.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let left = |(key, count): (&(String, String), &u64)| (key.clone(), count - before.0.get(key).copied().unwrap_or_default());
        Self(self.0.iter().map(left).filter(|(_, count)| *count > 0).collect())
    }

    fn sum(&self, which: impl Fn(&str, &str) -> bool) -> u64 {
        self.0.iter().filter(|((verb, resource), _)| which(verb, resource)).map(|(_, count)| count).sum()
    }

    /// Writes, those of the lease excluded.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.sum(|verb, resource| WRITES.contains(&verb) && resource != "leases")
    }

    /// Writes of the lease.
    #[must_use]
    pub fn lease_writes(&self) -> u64 {
        self.sum(|verb, resource| WRITES.contains(&verb) && resource == "leases")
    }

    /// Every count, as `verb resource`.
    #[must_use]
    pub fn by_resource(&self) -> BTreeMap<String, u64> {
        self.0.iter().map(|((verb, resource), count)| (format!("{verb} {resource}"), *count)).collect()
    }

    /// Writes by verb and resource, those of the lease excluded.
    pub fn written(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let all = self.0.iter().map(|((verb, resource), count)| (verb.as_str(), resource.as_str(), *count));
        all.filter(|(verb, resource, _)| WRITES.contains(verb) && *resource != "leases")
    }
}

/// Requests for one client by verb, those of the lease excluded.
#[must_use]
pub fn per_client(requests: &Requests, clients: usize) -> BTreeMap<String, f64> {
    let mut found: BTreeMap<String, f64> = BTreeMap::new();
    for ((verb, resource), count) in &requests.0 {
        if resource != "leases" {
            *found.entry(verb.clone()).or_default() += f64::from(u32::try_from(*count).unwrap_or(u32::MAX));
        }
    }
    let clients = f64::from(u32::try_from(clients).unwrap_or(u32::MAX));
    found.into_iter().map(|(verb, count)| (verb, (count / clients * 100.0).round() / 100.0)).collect()
}

/// What the kernel says of a process.
pub struct Process {
    /// Largest resident set so far, in bytes.
    pub peak_rss: u64,
    /// Processor time so far.
    pub cpu_seconds: f64,
}

/// Looks at a process.
pub fn process(id: u32) -> Result<Process> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells the peak")?;
    let peak_rss = peak.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024;
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Ok(Process { peak_rss, cpu_seconds: (ticks(11) + ticks(12)) / TICKS })
}
