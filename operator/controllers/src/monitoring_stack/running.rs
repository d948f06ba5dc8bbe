//! Looks at the pods of a stack.

use std::net::IpAddr;

use caretaker_api::MonitoringStack;
use caretaker_core::monitoring_stack::{self as core, Observed, Part, PartSeen, State};
use caretaker_engine::Failure;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use crate::context::Context;
use caretaker_core::managed_client::QUOTA;
use caretaker_core::ownership::PULL_SECRET;

/// What the prometheus-operator calls itself in the labels of its pods.
const PODS: &str = "app.kubernetes.io/managed-by=prometheus-operator";

/// Notes how the parts are, what they say that they have loaded, and, where something is wrong, what the events say.
pub async fn look(ctx: &Context, stack: &MonitoringStack, observed: &mut Observed) -> Result<(), Failure> {
    let (namespace, name) = (stack.namespace().unwrap_or_default(), stack.name_any());
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &namespace);
    let selector = format!("{PODS},app.kubernetes.io/instance={name}");
    let pods =
        api.list(&ListParams::default().labels(&selector)).await.map_err(Failure::kubernetes(format!("list the pods of {name}")))?.items;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(ctx.client.clone(), &namespace);
    let claims = claims.list(&ListParams::default()).await;
    observed.claims = claims.map_err(Failure::kubernetes(format!("list the volume claims of {namespace}")))?.items;
    observed.quota =
        ctx.cache.get("ResourceQuota", &namespace, QUOTA).and_then(|quota| serde_json::from_value(quota.data["spec"]["hard"].clone()).ok());
    note(ctx, stack, observed, (&pods, &[]));
    if let (Some(ask), State::Runs(prometheus), State::Runs(alertmanager)) = (&ctx.pods, &observed.prometheus, &observed.alertmanager) {
        observed.loaded = Some(ask.loaded(*prometheus, *alertmanager).await);
    }
    if core::what_runs(stack, observed).is_some() {
        let api: Api<Event> = Api::namespaced(ctx.client.clone(), &namespace);
        let warnings = ListParams::default().fields("type=Warning");
        let events = api.list(&warnings).await.map_err(Failure::kubernetes(format!("list the events of {namespace}")))?.items;
        note(ctx, stack, observed, (&pods, &events));
        observed.refused = core::refused(&events);
    }
    Ok(())
}

/// Whether Prometheus or Alertmanager, as they are in the cluster, name the copy of a Secret for pulling images.
pub fn names_pull_secret(ctx: &Context, stack: &MonitoringStack) -> bool {
    let (namespace, name) = (stack.namespace().unwrap_or_default(), stack.name_any());
    Part::ALL.into_iter().filter_map(|part| ctx.cache.get(part.kind(), &namespace, &name)).any(|object| {
        object.data["spec"]["imagePullSecrets"].as_array().is_some_and(|secrets| secrets.iter().any(|secret| secret["name"] == PULL_SECRET))
    })
}

fn note(ctx: &Context, stack: &MonitoringStack, observed: &mut Observed, (pods, events): (&[Pod], &[Event])) {
    let (namespace, name) = (stack.namespace().unwrap_or_default(), stack.name_any());
    let state = |part: Part| {
        let object = ctx.cache.get(part.kind(), &namespace, &name);
        let object = object.as_ref().map(|object| (object.metadata.generation, &object.data["status"]));
        core::state(part, &name, PartSeen { pods, events, claims: &observed.claims, object })
    };
    (observed.prometheus, observed.alertmanager) = (state(Part::Prometheus), state(Part::Alertmanager));
}

/// Address of the pod of a stack's Prometheus; `None` where it does not run.
pub async fn prometheus(ctx: &Context, stack: &MonitoringStack) -> Result<Option<IpAddr>, Failure> {
    Ok(addresses(ctx, stack).await?.0)
}

/// Addresses of the pods of a stack's Prometheus and Alertmanager; `None` for what does not run.
pub async fn addresses(ctx: &Context, stack: &MonitoringStack) -> Result<(Option<IpAddr>, Option<IpAddr>), Failure> {
    let mut observed = Observed::default();
    let (namespace, name) = (stack.namespace().unwrap_or_default(), stack.name_any());
    let api: Api<Pod> = Api::namespaced(ctx.client.clone(), &namespace);
    let selector = format!("{PODS},app.kubernetes.io/instance={name}");
    let list = api.list(&ListParams::default().labels(&selector)).await;
    note(ctx, stack, &mut observed, (&list.map_err(Failure::kubernetes(format!("list the pods of {name}")))?.items, &[]));
    let ip = |state: State| match state {
        State::Runs(ip) => ip,
        State::Waits(_) => None,
    };
    Ok((ip(observed.prometheus), ip(observed.alertmanager)))
}
