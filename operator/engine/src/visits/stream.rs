//! Where visits come from: the cache says which object of the kind is to be visited, and a visit says when it wants the next one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caretaker_core::failures::FailureRow;
use caretaker_core::kinds::ObjectId;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::DynamicObject;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tracing::Instrument;

use super::Reconciler;
use super::queue::Queue;
use crate::failure::Failure;

/// Objects of a kind that are visited at the same time.
const CONCURRENCY: usize = 16;
/// Wait before an object that has changed is visited: changes that come together are one visit.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// Namespace, empty for cluster-scoped kinds, and name.
type Key = (String, String);
/// An object after its visit, and the wait before the next one; without it the object waits for a change.
type Ended = (Key, Option<Duration>);

pub(super) struct Loop<R: Reconciler> {
    pub(super) reconciler: R,
    pub(super) ctx: R::Context,
    pub(super) failures: Mutex<HashMap<String, FailureRow>>,
}

/// Runs a kind's loop until `stop` resolves, and then until the visits that are under way have ended.
pub async fn run<R: Reconciler>(reconciler: R, ctx: R::Context, stop: impl Future<Output = ()> + Send + Sync + 'static) {
    let mut wakes = ctx.cache.subscribe(R::KIND);
    let this = Arc::new(Loop::new(reconciler, ctx));
    let (mut queue, mut visits) = (Queue::new(), JoinSet::new());
    let mut stop = std::pin::pin!(stop);
    loop {
        while visits.len() < CONCURRENCY
            && let Some(key) = queue.take(Instant::now())
        {
            visits.spawn(visit(this.clone(), key));
        }
        let due = queue.next_due().filter(|_| visits.len() < CONCURRENCY);
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = visits.join_next() => {
                let (key, after): Ended = unwrap(ended);
                queue.done(key, Instant::now(), after);
            }
            wake = wakes.recv() => {
                let Some(ObjectId { namespace, name, .. }) = wake else { break };
                queue.ask((namespace, name), Instant::now() + DEBOUNCE);
            }
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
    }
    while let Some(ended) = visits.join_next().await {
        unwrap(ended);
    }
}

/// A panic in a visit ends the loop, and with it the process: what it held is not to be trusted any more.
fn unwrap(ended: Result<Ended, JoinError>) -> Ended {
    match ended {
        Ok(ended) => ended,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn visit<R: Reconciler>(this: Arc<Loop<R>>, key: Key) -> Ended {
    let (namespace, name) = &key;
    let Some(object) = this.ctx.cache.shared::<R::Object>(namespace, name) else {
        if let Some(cause) = this.ctx.cache.unfit(R::KIND, namespace, name) {
            this.tell_unfit(&key, cause).await;
        }
        return (key, None);
    };
    let span = tracing::info_span!(
        "visit",
        kind = R::KIND.as_str(),
        namespace = object.namespace().unwrap_or_default(),
        object = object.name_any(),
        generation = object.meta().generation,
    );
    let after = this.visit(&object).instrument(span).await;
    (key, after)
}

impl<R: Reconciler> Loop<R> {
    pub(super) fn new(reconciler: R, ctx: R::Context) -> Self {
        Self { reconciler, ctx, failures: Mutex::default() }
    }

    /// Takes what the API server has answered to a write of the object itself: the watch may be behind, and deciding on the older version would repeat the write.
    pub(super) fn remember(&self, object: DynamicObject) -> Result<Arc<R::Object>, Failure> {
        let name = object.name_any();
        self.ctx.cache.remember_visited(object).map_err(|cause| Failure::local(format!("read {} {name}", R::KIND.as_str()), cause))
    }

    /// Forgets an object that has gone.
    pub(super) fn forget(&self, object: &R::Object) {
        let uid = object.uid().unwrap_or_default();
        self.failures.lock().expect("no panic while held").remove(&uid);
    }

    /// Tells the owner of an object that nobody can read: it is left alone until its shape is mended, and the others go on.
    async fn tell_unfit(&self, (namespace, name): &Key, cause: String) {
        let held = self.ctx.cache.get(R::KIND.as_str(), namespace, name);
        let reference = ObjectReference {
            api_version: Some(R::KIND.api.api_version()),
            kind: Some(R::KIND.as_str().into()),
            namespace: (!namespace.is_empty()).then(|| namespace.clone()),
            name: Some(name.clone()),
            uid: held.and_then(|held| held.uid()),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: EventType::Warning,
            reason: "Undecodable".into(),
            note: Some(format!("the object does not fit its type and is left alone until it is mended: {cause}")),
            action: "Read".into(),
            secondary: None,
        };
        if let Err(error) = self.ctx.recorder.publish(&event, &reference).await {
            tracing::debug!(%error, "an event was not published");
        }
    }
}
