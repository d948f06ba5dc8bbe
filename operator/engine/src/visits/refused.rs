//! A status that the API server refused: what stands in the cluster is old, and people must be able to see so.

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_core::conditions::{ConditionSet, Is};
use caretaker_core::outcome::FailureClass;
use kube::api::{Patch, PatchParams};
use kube::core::object::HasStatus;
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::reconciler::Reconciler;
use super::stream::Loop;
use crate::common_status::CommonStatus;
use crate::failure::Failure;

/// Codes of answers after which a smaller write has no better chance: no right, gone, overtaken, too many requests, no server.
const HOPELESS: [u16; 7] = [401, 403, 404, 409, 429, 503, 504];

impl<R: Reconciler> Loop<R> {
    /// Counts the refusal, and says it where it can be said: in the conditions, written alone in a form that an older definition takes too, and once in an
    /// event.
    pub(super) async fn refused(&self, object: &R::Object, known: &[ConditionType], failure: &Failure) {
        if failure.class() == FailureClass::Conflict {
            return;
        }
        self.ctx.metrics.status_write_failure(R::KIND);
        let lacks = self.ctx.definitions.look(&self.ctx.client, &self.ctx.cache, self.ctx.now()).await.ok().flatten();
        let (reason, message) = match lacks {
            Some(lacks) => (Reason::SchemaOutdated, format!("{lacks} ({failure})")),
            None => (Reason::Failed, failure.to_string()),
        };
        tracing::error!(reason = reason.as_str(), "the status could not be written: {message}");
        let is_first = !self.failures.lock().expect("no panic while held").contains_key(&object.uid().unwrap_or_default());
        if is_first {
            self.say(object, EventType::Warning, (reason.as_str(), &message)).await;
        }
        if !matches!(failure, Failure::Kubernetes { source, .. } if matches!(source.as_ref(), kube::Error::Api(status) if !HOPELESS.contains(&status.code)))
        {
            return;
        }
        let last = object.status().cloned().unwrap_or_default();
        let mut set = ConditionSet::new(last.conditions(), known, object.meta().generation.unwrap_or_default(), self.ctx.now());
        set.set(ConditionType::Ready, Is::False, reason, &message);
        set.set(ConditionType::Reconciling, Is::True, reason, &message);
        set.set(ConditionType::Stalled, Is::False, reason, "");
        let conditions = set.finish();
        if json!(conditions) == json!(last.conditions()) {
            return;
        }
        let patch = json!({
            "metadata": {"resourceVersion": object.resource_version(), "uid": object.uid()},
            "status": {"conditions": conditions},
        });
        let params = PatchParams { field_manager: Some(R::KIND.field_manager()), ..PatchParams::default() };
        match self.patch(object, Some("status"), (&params, &Patch::Merge(patch))).await {
            Ok(answer) => {
                self.ctx.metrics.write(R::KIND.as_str(), "status");
                self.remember(answer);
            }
            Err(error) => tracing::error!(%error, "not even the conditions could be written"),
        }
    }
}
