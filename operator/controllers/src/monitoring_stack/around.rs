//! What is the same for every stack, and is looked at once for all of them.

use caretaker_api::MonitoringStack;
use caretaker_core::monitoring_stack::{ATTENDANTS, Attendants, Attended, Part, PullSecret, is_taken_up};
use caretaker_engine::Failure;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use tokio::sync::Mutex;

use crate::context::Context;

/// How long an answer holds.
const HOLDS: SignedDuration = SignedDuration::from_secs(10);

/// What was seen last, and when.
#[derive(Default)]
pub struct Around {
    pull_secret: Mutex<Option<(Timestamp, PullSecret)>>,
    attendants: Mutex<(Option<Timestamp>, Attendants)>,
}

impl Around {
    /// The Secret of the operator's namespace with which images are pulled.
    pub async fn pull_secret(&self, ctx: &Context) -> Result<PullSecret, Failure> {
        let Some(name) = &ctx.layout.monitoring.image_pull_secret else { return Ok(PullSecret::None) };
        let (mut last, now) = (self.pull_secret.lock().await, ctx.now());
        if let Some((at, held)) = &*last
            && now.duration_since(*at) < HOLDS
        {
            return Ok(held.clone());
        }
        let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
        let found = api.get_opt(name).await.map_err(Failure::kubernetes(format!("get Secret {}/{name}", ctx.namespace)))?;
        let held = PullSecret::of(name, &ctx.namespace, found);
        *last = Some((now, held.clone()));
        Ok(held)
    }

    /// Whether a prometheus-operator looks after the namespace of a stack.
    pub async fn attended(&self, ctx: &Context, stack: &MonitoringStack) -> Result<Attended, Failure> {
        let (mut held, now) = (self.attendants.lock().await, ctx.now());
        let (at, attendants) = &mut *held;
        if at.is_none_or(|at| now.duration_since(at) >= HOLDS) {
            let api: Api<Pod> = Api::all(ctx.client.clone());
            let pods = api.list(&ListParams::default().labels(ATTENDANTS)).await;
            attendants.look(&pods.map_err(Failure::kubernetes("list the pods of prometheus-operators"))?.items, now);
            *at = Some(now);
        }
        let namespace = stack.namespace().unwrap_or_default();
        let is_read = |part: &Part| {
            let object = ctx.cache.get(part.kind(), &namespace, &stack.name_any());
            object.is_some_and(|object| is_taken_up(object.metadata.generation, &object.data["status"]))
        };
        Ok(attendants.of(&namespace, Part::ALL.iter().all(is_read), now))
    }
}
