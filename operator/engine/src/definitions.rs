//! Whether the definitions that the cluster serves hold every field of this release.

use std::sync::{Arc, Mutex};

use caretaker_api::{GROUP, ProviderProfile, VERSION, all_crds};
use caretaker_core::ownership::Kind;
use caretaker_core::schema::{missing_fields, outdated, served};
use jiff::{SignedDuration, Timestamp};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::cache::{Cache, Wake};
use crate::failure::Failure;

/// Time for which an answer holds.
const EVERY: SignedDuration = SignedDuration::from_mins(1);

/// The last answer, and when it came.
type Last = Option<(Timestamp, Option<String>)>;

/// What is known of the definitions. Cheap to clone.
#[derive(Clone, Default)]
pub struct Definitions {
    last: Arc<Mutex<Last>>,
}

impl Definitions {
    /// What the definitions lack, with the command that cures it; `None` where they lack nothing. The cluster is asked once a minute at most. A change is
    /// logged, and wakes every ProviderProfile, which says it in a condition.
    ///
    /// # Errors
    /// The API server's answer.
    pub async fn look(&self, client: &Client, cache: &Cache, now: Timestamp) -> Result<Option<String>, Failure> {
        let last = self.last.lock().expect("no panic while held").clone();
        if let Some((at, answer)) = &last
            && now.duration_since(*at) < EVERY
        {
            return Ok(answer.clone());
        }
        let path = format!("/openapi/v3/apis/{GROUP}/{VERSION}");
        let failed = || Failure::kubernetes(format!("read {path}"));
        let request = http::Request::get(&path).body(Vec::new()).map_err(|error| failed()(kube::Error::HttpError(error)))?;
        let document: Value = client.request(request).await.map_err(failed())?;
        let answer = outdated(&missing(&document));
        *self.last.lock().expect("no panic while held") = Some((now, answer.clone()));
        if last.map(|(_, held)| held) != Some(answer.clone()) {
            match &answer {
                Some(message) => tracing::error!("{message}"),
                None => tracing::info!("the definitions in the cluster hold every field of this release"),
            }
            for profile in cache.list_typed::<ProviderProfile>(None) {
                cache.wake(Wake { kind: Kind::ProviderProfile, namespace: String::new(), name: profile.name_any() });
            }
        }
        Ok(answer)
    }
}

/// Fields that the served definitions lack, by kind. A kind that is not served at all shows in its watch.
fn missing(document: &Value) -> Vec<(String, Vec<String>)> {
    let fields = |crd: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition| {
        let kind = crd.spec.names.kind.clone();
        let ours = json!(crd.spec.versions.first()?.schema.as_ref()?.open_api_v3_schema);
        Some((kind.clone(), missing_fields(&ours, served(document, GROUP, VERSION, &kind)?)))
    };
    all_crds().into_iter().filter_map(fields).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The document that a cluster with our own definitions serves.
    pub(crate) fn document() -> Value {
        let schemas: serde_json::Map<String, Value> = all_crds()
            .into_iter()
            .map(|crd| {
                let mut schema = json!(crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema);
                let kind = crd.spec.names.kind.clone();
                schema["x-kubernetes-group-version-kind"] = json!([{"group": GROUP, "version": VERSION, "kind": kind}]);
                (format!("dev.caretaker.v1alpha1.{kind}"), schema)
            })
            .collect();
        json!({"components": {"schemas": schemas}})
    }

    /// K10: two fields were taken out of the stored definitions.
    #[test]
    fn an_older_definition_is_told_with_its_fields_and_the_command() {
        assert_eq!(outdated(&missing(&document())), None, "our own definitions lack nothing");
        let mut old = document();
        let of =
            |kind: &str, field: &str| format!("/components/schemas/dev.caretaker.v1alpha1.{kind}/properties/status/properties/{field}");
        for (kind, field) in [("ManagedClient", "externalIds"), ("CloudAccount", "observedGeneration")] {
            assert!(old.pointer(&of(kind, field)).is_some(), "{kind} has {field}");
            let fields = old.pointer_mut(of(kind, "").trim_end_matches('/')).unwrap();
            fields.as_object_mut().unwrap().remove(field);
        }
        let message = outdated(&missing(&old)).unwrap();
        for part in ["ManagedClient status.externalIds", "CloudAccount status.observedGeneration", "kubectl apply"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
