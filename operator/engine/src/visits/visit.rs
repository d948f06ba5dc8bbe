//! One visit: the finalizer, the five verbs, the way out.

use std::sync::Arc;

use caretaker_api::condition::Reason;
use caretaker_api::names;
use caretaker_core::conditions::is_news;
use caretaker_core::outcome::{Fault, Outcome, Wait};
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use kube::core::object::HasStatus;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::reconciler::{Acted, CleanUp, Reconciler, Seen, Status};
use super::stream::Loop;
use crate::common_status::CommonStatus;
use crate::failure::Failure;

impl<R: Reconciler> Loop<R> {
    /// Patches an object of either scope: `Api`'s constructors want to know the scope at compile time, a request only at run time.
    pub(super) async fn patch(
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

    pub(super) async fn visit(&self, object: &Arc<R::Object>) -> Action {
        let outcome = if object.meta().deletion_timestamp.is_some() {
            match self.leave(object).await {
                Ok(None) => {
                    self.forget(object);
                    return Action::await_change();
                }
                Ok(Some(wait)) => Outcome::Waiting(wait),
                Err(failure) => self.finish(object, object.status().cloned().unwrap_or_default(), failure.outcome()).await,
            }
        } else {
            match self.guard(object).await {
                Ok(object) => self.five_verbs(&object).await,
                Err(failure) => self.finish(object, object.status().cloned().unwrap_or_default(), failure.outcome()).await,
            }
        };
        self.ctx.metrics.visit(R::KIND, &outcome);
        self.next(object, &outcome)
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
        let rest = if acted.failure.is_none() { self.reconciler.rest(object, &seen) } else { None };
        let (status, outcome) = self.reconciler.status(object, seen);
        match rest {
            None => self.finish(object, status, outcome).await,
            Some(rest) => self.go_on(object, &observed, (status, outcome), rest).await,
        }
    }

    /// The long part of a visit. What was found out before it is written first, where that is news.
    async fn go_on(
        &self,
        object: &Arc<R::Object>,
        observed: &R::Observed,
        (status, outcome): (Status<R>, Outcome),
        rest: R::Plan,
    ) -> Outcome {
        let last = object.status().map(|last| last.conditions().clone()).unwrap_or_default();
        let mut shown = R::Object::clone(object);
        *shown.status_mut() = Some(status.clone());
        let mut written = object.clone();
        if is_news(&last, status.conditions()) {
            // The request is answered at the end only: who waits for it waits for the whole visit.
            match self.write_status(object, status, &outcome, None).await {
                Ok(None) => {}
                Ok(Some(newer)) => {
                    shown = R::Object::clone(&newer);
                    written = newer;
                }
                Err(failure) => return failure.outcome(),
            }
        }
        let acted = self.reconciler.act(&self.ctx, &shown, rest).await;
        let seen = Seen { observed, faults: &[], done: &acted.done, failure: acted.failure.as_ref(), now: self.ctx.now() };
        let (status, outcome) = self.reconciler.status(&shown, seen);
        self.finish(&written, status, outcome).await
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
}
