//! What is the same for every stack, and is looked at once for all of them.

use caretaker_core::monitoring_stack::PullSecret;
use caretaker_engine::Failure;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use tokio::sync::Mutex;

use crate::context::Context;

/// How long an answer holds.
const HOLDS: SignedDuration = SignedDuration::from_secs(15);

/// What was seen last, and when.
#[derive(Default)]
pub struct Around {
    pull_secret: Mutex<Option<(Timestamp, PullSecret)>>,
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
}
