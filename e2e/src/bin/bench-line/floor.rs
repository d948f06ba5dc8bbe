//! The floor: a bare client that makes as many writes of the same objects as the operator made, for as many clients, and does nothing else.
//!
//! The objects are taken from what the operator made for one client, the numbers from its own metrics. Reads, decisions and watches are left out: that is
//! what the operator is compared for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use caretaker_api::names::FINALIZER;
use caretaker_core::kinds::{Kinds, OwnedKind};
use caretaker_e2e::bench;
use caretaker_engine::cache::api_resource;
use caretaker_testkit::operator::NAMESPACE;
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::measure::{CONCURRENCY, Requests};

/// The client whose objects are taken.
const SAMPLE: usize = 0;

/// One kind of write and how often all clients together need it.
struct Step {
    resource: ApiResource,
    namespace: Option<String>,
    subresource: Option<String>,
    objects: Vec<Value>,
    total: u64,
}

/// What is written for one client.
pub struct Template {
    steps: Vec<Step>,
}

/// What the floor came to.
pub struct Floor {
    /// Seconds.
    pub seconds: f64,
    /// Writes.
    pub writes: u64,
}

fn resources() -> Vec<(ApiResource, bool)> {
    let ours = Kinds::OURS.iter().map(|kind| *kind.api());
    let others = Kinds::OURS.foreign().into_iter().copied();
    let event = OwnedKind { group: "events.k8s.io", version: "v1", kind: "Event", plural: "events", namespaced: true, optional: false };
    ours.chain(others).chain([event]).map(|api| (api_resource(&api), api.namespaced)).collect()
}

impl Template {
    /// Takes the sample's objects, and the numbers of the writes.
    pub async fn take(client: &Client, requests: &Requests, clients: usize) -> Result<Self> {
        let namespace = format!("client-{}", bench::name(SAMPLE));
        let mut steps = Vec::new();
        for (resource, namespaced) in resources() {
            let (api, within): (Api<DynamicObject>, _) = if !namespaced {
                (Api::all_with(client.clone(), &resource), None)
            } else if resource.kind == "Event" {
                // Events of cluster-scoped objects stand in `default`, and all events look alike.
                (Api::namespaced_with(client.clone(), "default", &resource), Some("default".to_owned()))
            } else {
                (Api::namespaced_with(client.clone(), &namespace, &resource), Some(namespace.clone()))
            };
            let found = api.list(&ListParams::default()).await.with_context(|| format!("list {}", resource.plural))?;
            let is_sample = |object: &DynamicObject| {
                let name = object.name_any();
                (namespaced || name == namespace || name == bench::name(SAMPLE)) && name != "kube-root-ca.crt" && name != "default"
            };
            let mut objects: Vec<Value> =
                found.into_iter().filter(is_sample).map(|object| bare(object, &resource)).collect::<Result<_>>()?;
            if resource.kind == "Event" {
                objects.truncate(1);
            }
            for (verb, written, total) in requests.written() {
                let (plural, subresource) = written.split_once('/').map_or((written, None), |(plural, sub)| (plural, Some(sub.to_owned())));
                if plural != resource.plural || objects.is_empty() {
                    continue;
                }
                let in_own = verb == "create" && resource.kind == "ConfigMap";
                let namespace = if in_own { Some(NAMESPACE.to_owned()) } else { within.clone() };
                let objects =
                    if in_own { vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "data": claim()})] } else { objects.clone() };
                steps.push(Step { resource: resource.clone(), namespace, subresource, objects, total });
            }
        }
        let whole: u64 = u64::try_from(clients)?;
        let made = |kind: &str| Kinds::OURS.named(kind).is_some();
        // Namespaces and owners first; status last, as it needs the object.
        steps.sort_by_key(|step| {
            let kind = step.resource.kind.as_str();
            (kind != "ManagedClient" || step.subresource.is_some(), kind != "Namespace", !made(kind), step.subresource.is_some())
        });
        if let Some(first) = steps.iter_mut().find(|step| step.resource.kind == "ManagedClient" && step.subresource.is_none()) {
            // The clients themselves are made by the bench, in both halves.
            first.total += whole;
        }
        Ok(Self { steps })
    }
}

fn claim() -> Value {
    json!({"namespace": "client-bench-00000", "name": "prod", "uid": "00000000-0000-0000-0000-000000000000"})
}

/// An object without what the API server has added, and with its kind, which a list leaves out.
fn bare(object: DynamicObject, resource: &ApiResource) -> Result<Value> {
    let mut value = serde_json::to_value(object)?;
    value["apiVersion"] = json!(resource.api_version);
    value["kind"] = json!(resource.kind);
    if let Some(metadata) = value["metadata"].as_object_mut() {
        for field in ["managedFields", "resourceVersion", "creationTimestamp", "generation", "finalizers"] {
            metadata.remove(field);
        }
    }
    if value["kind"] == "Namespace" {
        value["spec"] = json!({});
    }
    Ok(value)
}

/// Makes the writes.
pub async fn run(client: &Client, template: &Template, clients: usize) -> Result<Floor> {
    let writes = AtomicU64::new(0);
    let began = Instant::now();
    stream::iter(0..clients)
        .map(Ok)
        .try_for_each_concurrent(CONCURRENCY, |number| one(client, template, (number, clients), &writes))
        .await?;
    Ok(Floor { seconds: began.elapsed().as_secs_f64(), writes: writes.load(Ordering::SeqCst) })
}

/// All writes of one client. The uids that owners get here stand in place of those that the sample's had.
async fn one(client: &Client, template: &Template, (number, clients): (usize, usize), writes: &AtomicU64) -> Result<()> {
    let mut uids: BTreeMap<String, String> = BTreeMap::new();
    for step in &template.steps {
        let (number, clients) = (u64::try_from(number)?, u64::try_from(clients)?);
        let share = (number + 1) * step.total / clients - number * step.total / clients;
        for round in 0..share {
            let index = usize::try_from(round)?;
            let is_first = index < step.objects.len();
            let sample = &step.objects[index % step.objects.len()];
            let object = fill(sample, usize::try_from(number)?, &uids);
            let (old, answer) = (sample["metadata"]["uid"].as_str(), write(client, step, object, (round, is_first)).await?);
            writes.fetch_add(1, Ordering::SeqCst);
            if let (Some(old), Some(new)) = (old, answer.uid()) {
                uids.insert(old.to_owned(), new);
            }
        }
    }
    Ok(())
}

/// The sample's object as another client's.
fn fill(sample: &Value, number: usize, uids: &BTreeMap<String, String>) -> Value {
    let mut text = sample.to_string().replace(&bench::name(SAMPLE), &bench::name(number));
    text = text.replace(&bench::account(SAMPLE), &bench::account(number));
    for (old, new) in uids {
        text = text.replace(old, new);
    }
    serde_json::from_str(&text).unwrap_or_default()
}

/// One write. Each round writes something else than the one before: the API server stores nothing where nothing changes.
async fn write(client: &Client, step: &Step, mut object: Value, (round, is_first): (u64, bool)) -> Result<DynamicObject> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let api: Api<DynamicObject> = match &step.namespace {
        None => Api::all_with(client.clone(), &step.resource),
        Some(namespace) => {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or(namespace);
            Api::namespaced_with(client.clone(), namespace, &step.resource)
        }
    };
    let what = || format!("write {} {name}", step.resource.kind);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("uid");
    }
    let params = PatchParams::apply("bench").force();
    if let Some(subresource) = &step.subresource {
        object["status"]["observedGeneration"] = json!(round);
        let body = json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {"name": name}, "status": object["status"],
        });
        return api.patch_subresource(subresource, &name, &params, &Patch::Apply(&body)).await.with_context(what);
    }
    if step.resource.kind == "Event" || name.is_empty() {
        object["metadata"] = json!({"generateName": "bench-", "namespace": object["metadata"]["namespace"]});
        return api.create(&PostParams::default(), &serde_json::from_value(object)?).await.with_context(what);
    }
    if !is_first {
        // The operator's further writes of an object are small merges: its finalizer, its ExternalId.
        let merge = json!({"metadata": {"finalizers": [FINALIZER], "annotations": {"bench": round.to_string()}}});
        return api.patch(&name, &PatchParams::default(), &Patch::Merge(&merge)).await.with_context(what);
    }
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    api.patch(&name, &params, &Patch::Apply(&object)).await.with_context(what)
}
