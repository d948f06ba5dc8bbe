//! The engine: one loop for all kinds. It fetches an object, guards it with a finalizer, lets its reconciler observe, check, plan, act and tell
//! its status, publishes that status if it differs, and says when the next visit is due.

use std::collections::HashMap;
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::names;
use caretaker_core::conditions::{ConditionSet, Is, find};
use caretaker_core::outcome::{FailureClass, Fault, Outcome, Wait, next_visit};
use caretaker_core::ownership::Kind;
use futures::StreamExt;
use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::core::Request;
use kube::core::object::HasStatus;
use kube::runtime::controller::{Action, Config as ControllerConfig};
use kube::runtime::events::{Event, EventType};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::{Controller, WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::Instrument;

use crate::common_status::CommonStatus;
use crate::context::Context;
use crate::failure::Failure;

/// Objects of a kind that are visited at the same time.
const CONCURRENCY: u16 = 16;
/// Wait before an object whose version was overtaken is visited again.
const CONFLICT_PAUSE: Duration = Duration::from_millis(200);

/// What `act` did, and the failure that stopped it.
#[derive(Debug)]
pub struct Acted<D> {
    /// What was done before the failure, if there was one.
    pub done: D,
    /// Why not all was done.
    pub failure: Option<Failure>,
}

/// What `status` is told.
pub struct Seen<'a, O, D> {
    /// What was observed.
    pub observed: &'a O,
    /// Faults; nothing was done where there are any.
    pub faults: &'a [Fault],
    /// What was done.
    pub done: &'a D,
    /// Why not all was done.
    pub failure: Option<&'a Failure>,
    /// The time of the visit.
    pub now: Timestamp,
}

/// What a clean-up came to.
#[derive(Debug)]
pub enum CleanUp {
    /// The finalizer may go.
    Done,
    /// Something is still there.
    Waiting(Wait),
}

/// One kind's five verbs.
#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// The kind in the API.
    type Object: Resource<DynamicType = ()>
        + HasStatus<Status: CommonStatus + DeserializeOwned>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static;
    /// What the kind's controller is given.
    type Context: Deref<Target = Context> + Clone + Send + Sync + 'static;
    /// All that was read.
    type Observed: Send + Sync;
    /// All that will be written.
    type Plan: Send;
    /// All that was written.
    type Done: Default + Send + Sync;
    /// The kind.
    const KIND: Kind;
    /// The kind's own conditions; the engine adds `Ready`, `Reconciling` and `Stalled`.
    const CONDITIONS: &'static [ConditionType];

    /// All reads.
    async fn observe(&self, ctx: &Self::Context, object: &Self::Object) -> Result<Self::Observed, Failure>;
    /// Faults as data. Pure.
    fn check(&self, object: &Self::Object, observed: &Self::Observed) -> Vec<Fault>;
    /// What to do. Pure; cannot fail. Not called where there are faults.
    fn plan(&self, object: &Self::Object, observed: &Self::Observed, now: Timestamp) -> Self::Plan;
    /// All writes.
    async fn act(&self, ctx: &Self::Context, object: &Self::Object, plan: Self::Plan) -> Acted<Self::Done>;
    /// The new status, without `Ready`, `Reconciling` and `Stalled`, and what the visit came to. Pure.
    fn status(&self, object: &Self::Object, seen: Seen<'_, Self::Observed, Self::Done>) -> (<Self::Object as HasStatus>::Status, Outcome);
    /// Takes down what must not outlive the object. Never deletes anything in a client's cloud unless the spec says so.
    async fn clean_up(&self, ctx: &Self::Context, object: &Self::Object) -> Result<CleanUp, Failure>;
}

struct Loop<R: Reconciler> {
    reconciler: R,
    ctx: R::Context,
    failures: Mutex<HashMap<String, u32>>,
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
    let this = Arc::new(Loop { reconciler, ctx, failures: Mutex::default(), newest: Mutex::default() });
    let (reader, writer) = reflector::store();
    // Managed fields are as large as the rest of an object, and nobody here asks for them.
    let slim = |object: &mut R::Object| object.managed_fields_mut().clear();
    let objects = watcher(api, watcher::Config::default()).default_backoff().modify(slim).reflect(writer).applied_objects();
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
    /// The watch may be behind our own last write; deciding on the older version would repeat it.
    fn newest_of(&self, object: Arc<R::Object>) -> Arc<R::Object> {
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

    fn remember(&self, mut object: R::Object) -> Arc<R::Object> {
        object.managed_fields_mut().clear();
        let object = Arc::new(object);
        if let Some(uid) = object.uid() {
            self.newest.lock().expect("no panic while held").insert(uid, object.clone());
        }
        object
    }

    /// Forgets an object that has gone.
    fn forget(&self, object: &R::Object) {
        let uid = object.uid().unwrap_or_default();
        self.newest.lock().expect("no panic while held").remove(&uid);
        self.failures.lock().expect("no panic while held").remove(&uid);
    }

    /// Patches an object of either scope: `Api`'s constructors want to know the scope at compile time, a request only at run time.
    async fn patch(
        &self,
        object: &R::Object,
        subresource: Option<&str>,
        (params, patch): (&PatchParams, &Patch<Value>),
    ) -> Result<R::Object, kube::Error> {
        let request = Request::new(R::Object::url_path(&(), object.namespace().as_deref()));
        let name = object.name_any();
        let built = match subresource {
            Some(subresource) => request.patch_subresource(subresource, &name, params, patch),
            None => request.patch(&name, params, patch),
        };
        self.ctx.client.request(built.map_err(kube::Error::BuildRequest)?).await
    }

    async fn visit(&self, object: &Arc<R::Object>) -> Action {
        let outcome = if object.meta().deletion_timestamp.is_some() {
            match self.leave(object).await {
                Ok(None) => {
                    self.forget(object);
                    return Action::await_change();
                }
                Ok(Some(wait)) => Outcome::Waiting(wait),
                Err(failure) => failure.outcome(),
            }
        } else {
            match self.guard(object).await {
                Ok(object) => self.five_verbs(&object).await,
                Err(failure) => failure.outcome(),
            }
        };
        self.ctx.metrics.visit(R::KIND, &outcome);
        self.next(object, &outcome)
    }

    fn next(&self, object: &R::Object, outcome: &Outcome) -> Action {
        let uid = object.uid().unwrap_or_default();
        let failures = {
            let mut failures = self.failures.lock().expect("no panic while held");
            if let Outcome::Failed(FailureClass::Conflict, _) = outcome {
                // Somebody else wrote meanwhile: no failure, only a newer version to look at.
                failures.get(&uid).copied().unwrap_or_default()
            } else if let Outcome::Failed(_, message) = outcome {
                let count = failures.entry(uid).or_insert(0);
                *count += 1;
                tracing::warn!(failures = *count, "the visit failed: {message}");
                *count
            } else {
                failures.remove(&uid);
                0
            }
        };
        match next_visit(outcome, failures, rand::random::<f64>()) {
            Some(after) => Action::requeue(after.max(CONFLICT_PAUSE)),
            None => Action::await_change(),
        }
    }

    /// Puts our finalizer on the object before anything is made for it.
    async fn guard(&self, object: &Arc<R::Object>) -> Result<Arc<R::Object>, Failure> {
        if object.finalizers().iter().any(|finalizer| finalizer == names::FINALIZER) {
            return Ok(object.clone());
        }
        self.set_finalizers(object, |list| list.push(names::FINALIZER.into())).await
    }

    async fn set_finalizers(&self, object: &R::Object, change: impl FnOnce(&mut Vec<String>)) -> Result<Arc<R::Object>, Failure> {
        let mut finalizers = object.finalizers().to_vec();
        change(&mut finalizers);
        let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": object.resource_version(), "uid": object.uid()}});
        let answer = self
            .patch(object, None, (&PatchParams::default(), &Patch::Merge(patch)))
            .await
            .map_err(Failure::kubernetes(format!("set the finalizer of {} {}", R::KIND.as_str(), object.name_any())))?;
        self.ctx.metrics.write(R::KIND.as_str(), "finalizer");
        Ok(self.remember(answer))
    }

    /// The way out: clean up, then let the object go. Works for paused objects too.
    async fn leave(&self, object: &Arc<R::Object>) -> Result<Option<Wait>, Failure> {
        if !object.finalizers().iter().any(|finalizer| finalizer == names::FINALIZER) {
            return Ok(None);
        }
        match self.reconciler.clean_up(&self.ctx, object).await? {
            CleanUp::Waiting(wait) => {
                let outcome = Outcome::Waiting(Wait { reason: Reason::Deleting, ..wait.clone() });
                let status = object.status().cloned().unwrap_or_default();
                self.publish_status(object, status, &outcome).await?;
                Ok(Some(wait))
            }
            CleanUp::Done => match self.set_finalizers(object, |list| list.retain(|name| name != names::FINALIZER)).await {
                Err(Failure::Kubernetes { source, .. }) if matches!(source.as_ref(), kube::Error::Api(status) if status.code == 404) => {
                    Ok(None)
                }
                other => other.map(|_| None),
            },
        }
    }

    async fn five_verbs(&self, object: &Arc<R::Object>) -> Outcome {
        let last = object.status().cloned().unwrap_or_default();
        if object.annotations().get(names::PAUSED).is_some_and(|value| value == "true") {
            return self.say_paused(object, last).await;
        }
        let now = self.ctx.now();
        let observed = match self.reconciler.observe(&self.ctx, object).await {
            Ok(observed) => observed,
            Err(failure) => return self.finish(object, last, failure.outcome()).await,
        };
        let faults = self.reconciler.check(object, &observed);
        let acted = if faults.is_empty() {
            let plan = self.reconciler.plan(object, &observed, now);
            self.reconciler.act(&self.ctx, object, plan).await
        } else {
            Acted { done: R::Done::default(), failure: None }
        };
        let seen = Seen { observed: &observed, faults: &faults, done: &acted.done, failure: acted.failure.as_ref(), now };
        let (status, outcome) = self.reconciler.status(object, seen);
        self.finish(object, status, outcome).await
    }

    async fn finish(&self, object: &R::Object, status: Status<R>, outcome: Outcome) -> Outcome {
        if matches!(outcome, Outcome::Failed(FailureClass::Conflict, _)) {
            return outcome;
        }
        match self.publish_status(object, status, &outcome).await {
            Ok(()) => outcome,
            Err(failure) => failure.outcome(),
        }
    }

    async fn say_paused(&self, object: &R::Object, last: Status<R>) -> Outcome {
        let outcome = Outcome::Refused(vec![Fault {
            reason: Reason::Paused,
            field: format!("metadata.annotations[{}]", names::PAUSED),
            message: "paused: nothing is done until the annotation is removed".into(),
            outside: false,
        }]);
        self.finish(object, last, outcome).await
    }

    /// The only writer of status. Skipped where nothing changed.
    async fn publish_status(&self, object: &R::Object, mut status: Status<R>, outcome: &Outcome) -> Result<(), Failure> {
        let last = object.status().cloned().unwrap_or_default();
        let generation = object.meta().generation;
        let known: Vec<ConditionType> =
            [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled].iter().chain(R::CONDITIONS).copied().collect();
        let mut set = ConditionSet::new(status.conditions(), &known, generation.unwrap_or_default(), self.ctx.now());
        set.sum_up(outcome);
        *status.conditions_mut() = set.finish();
        status.stamp(generation, object.annotations().get(names::REQUESTED_AT).cloned());
        // As it is written, not as it is held: times lose their fractions on the way.
        if object.status().is_some() && json!(status) == json!(last) {
            return Ok(());
        }
        let body = json!({
            "apiVersion": R::Object::api_version(&()),
            "kind": R::Object::kind(&()),
            "metadata": {"name": object.name_any(), "resourceVersion": object.resource_version(), "uid": object.uid()},
            "status": status,
        });
        let params = PatchParams::apply(&R::KIND.field_manager()).force();
        let answer = self.patch(object, Some("status"), (&params, &Patch::Apply(body))).await.map_err(Failure::kubernetes(format!(
            "write the status of {} {}",
            R::KIND.as_str(),
            object.name_any()
        )))?;
        self.ctx.metrics.write(R::KIND.as_str(), "status");
        self.tell(object, &last, &status).await;
        self.remember(answer);
        Ok(())
    }

    /// One event for each transition of `Ready`, for the object's owner to see.
    async fn tell(&self, object: &R::Object, last: &Status<R>, status: &Status<R>) {
        let (before, after) = (find(last.conditions(), ConditionType::Ready), find(status.conditions(), ConditionType::Ready));
        let Some(after) = after else { return };
        if before.is_some_and(|before| before.status == after.status && before.reason == after.reason) {
            return;
        }
        let event = Event {
            type_: if after.status == Is::True.as_str() || after.reason != Reason::Failed.as_str() {
                EventType::Normal
            } else {
                EventType::Warning
            },
            reason: after.reason.clone(),
            note: Some(after.message.clone()),
            action: "Reconcile".into(),
            secondary: None,
        };
        if let Err(error) = self.ctx.recorder.publish(&event, &object.object_ref(&())).await {
            tracing::debug!(%error, "an event was not published");
        }
    }
}

type Status<R> = <<R as Reconciler>::Object as HasStatus>::Status;

fn version<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
