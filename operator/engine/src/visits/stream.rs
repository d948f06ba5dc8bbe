//! Where visits come from: the objects of a kind as its watch tells them, wakes by others, and the newest version that is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caretaker_core::failures::FailureRow;
use futures::StreamExt;
use kube::api::Api;
use kube::runtime::controller::{Action, Config as ControllerConfig};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use tracing::Instrument;

use super::reconciler::Reconciler;
use crate::managed_fields;

/// Objects of a kind that are visited at the same time.
const CONCURRENCY: u16 = 16;

pub(super) struct Loop<R: Reconciler> {
    pub(super) reconciler: R,
    pub(super) ctx: R::Context,
    pub(super) failures: Mutex<HashMap<String, FailureRow>>,
    newest: Mutex<HashMap<String, Arc<R::Object>>>,
}

/// Runs a kind's loop until `stop` resolves.
pub async fn run<R: Reconciler>(reconciler: R, ctx: R::Context, stop: impl Future<Output = ()> + Send + Sync + 'static) {
    let wakes = ctx.cache.subscribe(R::KIND);
    let wakes = futures::stream::unfold(wakes, |mut wakes| async move { wakes.recv().await.map(|wake| (wake, wakes)) }).map(|wake| {
        let reference = ObjectRef::<R::Object>::new(&wake.name);
        if wake.namespace.is_empty() { reference } else { reference.within(&wake.namespace) }
    });
    let api: Api<R::Object> = Api::all(ctx.client.clone());
    let this = Arc::new(Loop::new(reconciler, ctx));
    let (reader, writer) = reflector::store();
    let slim = |object: &mut R::Object| managed_fields::keep_foreign(object.meta_mut());
    let objects = watcher(api, watcher::Config::default()).default_backoff().modify(slim).reflect(writer).applied_objects();
    // Our own write of a status starts no visit.
    let objects = objects.predicate_filter(managed_fields::trigger, Default::default());
    Controller::for_stream(objects, reader)
        .with_config(ControllerConfig::default().concurrency(CONCURRENCY).debounce(Duration::from_millis(50)))
        .reconcile_on(wakes)
        .graceful_shutdown_on(stop)
        .run(visit::<R>, |_, error, _| never(error), this)
        .for_each(|_| async {})
        .await;
}

/// A visit has no error: each failure becomes an outcome.
#[derive(Debug, thiserror::Error)]
enum Never {}

fn never(error: &Never) -> Action {
    match *error {}
}

async fn visit<R: Reconciler>(object: Arc<R::Object>, this: Arc<Loop<R>>) -> Result<Action, Never> {
    let object = this.newest_of(object);
    let span = tracing::info_span!(
        "visit",
        kind = R::KIND.as_str(),
        namespace = object.namespace().unwrap_or_default(),
        object = object.name_any(),
        generation = object.meta().generation,
    );
    Ok(this.visit(&object).instrument(span).await)
}

impl<R: Reconciler> Loop<R> {
    pub(super) fn new(reconciler: R, ctx: R::Context) -> Self {
        Self { reconciler, ctx, failures: Mutex::default(), newest: Mutex::default() }
    }

    /// The watch may be behind our own last write; deciding on the older version would repeat it.
    pub(super) fn newest_of(&self, object: Arc<R::Object>) -> Arc<R::Object> {
        let mut newest = self.newest.lock().expect("no panic while held");
        let Some(uid) = object.uid() else {
            return object;
        };
        match newest.get(&uid) {
            Some(held) if version(held.as_ref()) > version(object.as_ref()) => held.clone(),
            _ => {
                newest.remove(&uid);
                object
            }
        }
    }

    pub(super) fn remember(&self, mut object: R::Object) -> Arc<R::Object> {
        object.managed_fields_mut().clear();
        let object = Arc::new(object);
        if let Some(uid) = object.uid() {
            self.newest.lock().expect("no panic while held").insert(uid, object.clone());
        }
        object
    }

    /// Forgets an object that has gone.
    pub(super) fn forget(&self, object: &R::Object) {
        let uid = object.uid().unwrap_or_default();
        self.newest.lock().expect("no panic while held").remove(&uid);
        self.failures.lock().expect("no panic while held").remove(&uid);
        self.ctx.metrics.forget(&uid);
    }
}

fn version<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
