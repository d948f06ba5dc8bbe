//! The end of a visit: its outcome, the status that is written, the event that tells of it, and when the next visit is due.

use std::sync::Arc;
use std::time::Duration;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::names;
use caretaker_core::conditions::{ConditionSet, Is, find};
use caretaker_core::failures::FailureRow;
use caretaker_core::messages::steady;
use caretaker_core::outcome::{FailureClass, Outcome, next_visit};
use kube::api::{Patch, PatchParams};
use kube::core::object::HasStatus;
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::reconciler::{Reconciler, Status};
use super::stream::Loop;
use crate::common_status::CommonStatus;
use crate::failure::Failure;

/// Wait before an object whose version was overtaken is visited again.
const CONFLICT_PAUSE: Duration = Duration::from_millis(200);

impl<R: Reconciler> Loop<R> {
    pub(super) fn next(&self, object: &R::Object, outcome: &Outcome) -> Action {
        let failures = self.count(object, outcome);
        match outcome {
            Outcome::Failed(class, message) if *class != FailureClass::Conflict => {
                tracing::warn!(failures, "the visit failed: {message}");
            }
            // The condition says it without what changes by itself.
            Outcome::Waiting(wait) if steady(&wait.message) != wait.message => tracing::info!("waits, in full: {}", wait.message),
            _ => {}
        }
        match next_visit(outcome, failures, rand::random::<f64>()) {
            Some(after) => Action::requeue(after.max(CONFLICT_PAUSE)),
            None => Action::await_change(),
        }
    }

    /// Counts the visit, and answers how many failed in a row.
    fn count(&self, object: &R::Object, outcome: &Outcome) -> u32 {
        let uid = object.uid().unwrap_or_default();
        let row = self.failures_with(object, outcome);
        let mut failures = self.failures.lock().expect("no panic while held");
        match row {
            Some(row) => failures.insert(uid, row),
            None => failures.remove(&uid),
        };
        row.map_or(0, |row| row.visits)
    }

    /// The failed visits in a row, this one included.
    fn failures_with(&self, object: &R::Object, outcome: &Outcome) -> Option<FailureRow> {
        let held = self.failures.lock().expect("no panic while held").get(&object.uid().unwrap_or_default()).copied();
        match outcome {
            // Somebody else wrote meanwhile: no failure, only a newer version to look at.
            Outcome::Failed(FailureClass::Conflict, _) => held,
            Outcome::Failed(..) => Some(FailureRow::with_one_more(held, self.ctx.now())),
            _ => None,
        }
    }

    pub(super) async fn finish(&self, object: &R::Object, status: Status<R>, outcome: Outcome) -> Outcome {
        if matches!(outcome, Outcome::Failed(FailureClass::Conflict, _)) {
            return outcome;
        }
        match self.publish_status(object, status, &outcome).await {
            Ok(()) => outcome,
            Err(failure) => failure.outcome(),
        }
    }

    /// Writes the status at the end of a visit, which has answered the request that stands at the object.
    pub(super) async fn publish_status(&self, object: &R::Object, status: Status<R>, outcome: &Outcome) -> Result<(), Failure> {
        self.write_status(object, status, outcome, object.annotations().get(names::REQUESTED_AT).cloned()).await.map(drop)
    }

    /// The only writer of status. Skipped where nothing changed; else it gives the object as it is then.
    pub(super) async fn write_status(
        &self,
        object: &R::Object,
        mut status: Status<R>,
        outcome: &Outcome,
        answered: Option<String>,
    ) -> Result<Option<Arc<R::Object>>, Failure> {
        let last = object.status().cloned().unwrap_or_default();
        let generation = object.meta().generation;
        let known: Vec<ConditionType> =
            [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled].iter().chain(R::CONDITIONS).copied().collect();
        let mut set = ConditionSet::new(status.conditions(), &known, generation.unwrap_or_default(), self.ctx.now());
        let lasts = self.failures_with(object, outcome).is_some_and(|row| row.is_lasting(self.ctx.now()));
        set.sum_up(outcome, lasts);
        *status.conditions_mut() = set.finish();
        status.stamp(generation, answered);
        self.ctx.metrics.conditions(R::KIND, &object.uid().unwrap_or_default(), status.conditions());
        // As it is written, not as it is held: times lose their fractions on the way.
        if object.status().is_some() && json!(status) == json!(last) {
            return Ok(None);
        }
        let body = json!({
            "apiVersion": R::Object::api_version(&()),
            "kind": R::Object::kind(&()),
            "metadata": {"name": object.name_any(), "resourceVersion": object.resource_version(), "uid": object.uid()},
            "status": status,
        });
        let params = PatchParams::apply(&R::KIND.field_manager()).force();
        let answer = match self.patch(object, Some("status"), (&params, &Patch::Apply(body))).await {
            Ok(answer) => answer,
            Err(error) => {
                let failure = Failure::kubernetes(format!("write the status of {} {}", R::KIND.as_str(), object.name_any()))(error);
                self.refused(object, &known, &failure).await;
                return Err(failure);
            }
        };
        self.ctx.metrics.write(R::KIND.as_str(), "status");
        self.tell(object, &last, &status).await;
        Ok(Some(self.remember(answer)))
    }

    /// One event for each transition of `Ready`, for the object's owner to see.
    async fn tell(&self, object: &R::Object, last: &Status<R>, status: &Status<R>) {
        let (before, after) = (find(last.conditions(), ConditionType::Ready), find(status.conditions(), ConditionType::Ready));
        let Some(after) = after else { return };
        if before.is_some_and(|before| before.status == after.status && before.reason == after.reason) {
            return;
        }
        let is_warning = after.status != Is::True.as_str() && after.reason == Reason::Failed.as_str();
        let type_ = if is_warning { EventType::Warning } else { EventType::Normal };
        self.say(object, type_, (&after.reason, &after.message)).await;
    }

    pub(super) async fn say(&self, object: &R::Object, type_: EventType, (reason, note): (&str, &str)) {
        let event = Event { type_, reason: reason.into(), note: Some(note.into()), action: "Reconcile".into(), secondary: None };
        self.ctx.events.publish(&event, &object.object_ref(&())).await;
    }
}
