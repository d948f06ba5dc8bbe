//! Carries out the isolation test of a client's namespace.

use std::net::SocketAddr;

use caretaker_api::ManagedClient;
use caretaker_api::condition::ConditionType;
use caretaker_api::names::client_namespace;
use caretaker_core::conditions::is_true_at;
use caretaker_core::isolation::{Began, NAME, Seen, Stage, Step, admission, looks, privileged, stage, too_large};
use caretaker_core::monitoring_stack::PROMETHEUS_PORT;
use caretaker_engine::Failure;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use serde_json::Value;

use crate::context::Context;

/// Field manager of the pod.
const MANAGER: &str = "caretaker-managedclient";
/// Pods of other clients that are tried, of one client each.
const MOST_OTHERS: usize = 2;
/// Other clients that are looked at for a pod.
const MOST_LOOKS: usize = 5;

fn api(ctx: &Context, client: &ManagedClient) -> Api<Pod> {
    Api::namespaced(ctx.client.clone(), &client_namespace(&client.name_any()))
}

/// Reads what the test needs, and nothing where none is due.
pub async fn see(ctx: &Context, client: &ManagedClient, is_leaving: bool) -> Result<(Stage, Seen), Failure> {
    let stage = stage(client, ctx.isolation.is_some(), is_leaving, ctx.now());
    let mut seen = Seen { terms: ctx.isolation.clone(), ..Seen::default() };
    if looks(client, &stage) {
        seen.pod = api(ctx, client).get_opt(NAME).await.map_err(Failure::kubernetes(format!("get Pod {NAME}")))?;
    }
    if stage == Stage::Due {
        seen.others = others(ctx, client).await?;
    }
    Ok((stage, seen))
}

/// Where pods of other clients answer: their Prometheus, whose readiness is looked at anyway, so that no answer means a closed way.
async fn others(ctx: &Context, client: &ManagedClient) -> Result<Vec<SocketAddr>, Failure> {
    let mut found = Vec::new();
    let is_watched = |other: &&ManagedClient| {
        let conditions = other.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        other.uid() != client.uid()
            && other.spec.monitoring.is_some()
            && is_true_at(conditions, ConditionType::MonitoringReady, other.metadata.generation)
    };
    let all = ctx.cache.list_typed::<ManagedClient>(None);
    for other in all.iter().filter(is_watched).take(MOST_LOOKS) {
        let pods: Api<Pod> = Api::namespaced(ctx.client.clone(), &client_namespace(&other.name_any()));
        let selector = ListParams::default().labels("app.kubernetes.io/name=prometheus,app.kubernetes.io/managed-by=prometheus-operator");
        let list = pods.list(&selector).await.map_err(Failure::kubernetes("list pods of another client"))?;
        let address = list.items.iter().find_map(|pod| pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok());
        found.extend(address.map(|ip| SocketAddr::new(ip, PROMETHEUS_PORT)));
        if found.len() == MOST_OTHERS {
            break;
        }
    }
    Ok(found)
}

/// Does the next step.
pub async fn act(ctx: &Context, client: &ManagedClient, step: Step) -> Result<Option<Began>, Failure> {
    let api = api(ctx, client);
    match step {
        Step::None => Ok(None),
        Step::Delete(uid) => {
            let preconditions = Some(Preconditions { uid: Some(uid), resource_version: None });
            let params = DeleteParams { preconditions, grace_period_seconds: Some(0), ..DeleteParams::default() };
            match api.delete(NAME, &params).await {
                Ok(_) => Ok(None),
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
                Err(error) => Err(Failure::kubernetes(format!("delete Pod {NAME}"))(error)),
            }
        }
        Step::Begin(pod) => begin(ctx, &api, client, &pod).await.map(Some),
    }
}

/// The pod as it is must be let in: beside that, the refusal of the others proves something.
async fn begin(ctx: &Context, api: &Api<Pod>, client: &ManagedClient, pod: &Value) -> Result<Began, Failure> {
    let mut began = Began { pod_uid: Ok(String::new()), attempts: Vec::new() };
    if let Err((_, why)) = tried(api, pod, true).await? {
        return Ok(Began { pod_uid: Err(why), ..began });
    }
    let must_not =
        [("admission: a privileged pod", privileged(pod)), ("admission: a pod beyond the quota", too_large(pod, &client.spec.quota))];
    for (what, pod) in must_not {
        match admission(what, tried(api, &pod, true).await?.map(drop)) {
            Ok(attempt) => began.attempts.push(attempt),
            Err(why) => return Ok(Began { pod_uid: Err(why), ..began }),
        }
    }
    began.pod_uid = tried(api, pod, false).await?.map_err(|(_, why)| why);
    if began.pod_uid.is_ok() {
        ctx.metrics.write("Pod", "apply");
        tracing::info!(client = client.name_any(), "the isolation test begins");
    }
    Ok(began)
}

/// The UID of a pod that was let in, or the code and the words with which it was not.
async fn tried(api: &Api<Pod>, pod: &Value, dry_run: bool) -> Result<Result<String, (u16, String)>, Failure> {
    let params = PatchParams { dry_run, ..PatchParams::apply(MANAGER).force() };
    match api.patch(NAME, &params, &Patch::Apply(pod)).await {
        Ok(made) => Ok(Ok(made.uid().unwrap_or_default())),
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 422) => Ok(Err((status.code, status.message.clone()))),
        Err(error) => Err(Failure::kubernetes(format!("apply Pod {NAME}"))(error)),
    }
}
