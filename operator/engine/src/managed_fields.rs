//! Managed fields of an object that enters the cache, and what of its metadata a visit depends on.

use std::hash::{DefaultHasher, Hash, Hasher};

use caretaker_core::drift;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::core::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde_json::json;

/// Drops the managed fields that nobody asks for. Those of other managers stay, without the paths that are theirs: they tell who changed what is ours. Most
/// objects have none.
pub fn keep_foreign(metadata: &mut ObjectMeta) {
    let Some(managed) = metadata.managed_fields.take() else { return };
    let kept: Vec<ManagedFieldsEntry> = serde_json::from_value(drift::worth_keeping(&json!(managed))).unwrap_or_default();
    metadata.managed_fields = Some(kept).filter(|kept| !kept.is_empty());
}

/// What an event of the watch must have changed for a visit: the spec (by its generation), annotations, labels, finalizers, owners, the beginning of its
/// deletion, or that somebody else wrote the status. Our own write of a status changes none of it. Reads the managed fields as they come from the API server
/// or as [`keep_foreign`] left them.
pub fn trigger<K: Resource>(object: &K) -> Option<u64> {
    let meta = object.meta();
    let mut hash = DefaultHasher::new();
    (&meta.uid, meta.generation, object.labels(), object.annotations(), object.finalizers()).hash(&mut hash);
    meta.deletion_timestamp.as_ref().map(|time| time.0).hash(&mut hash);
    for owner in object.owner_references() {
        owner.uid.hash(&mut hash);
    }
    let kept = drift::worth_keeping(&json!(object.managed_fields()));
    for entry in kept.as_array().into_iter().flatten().filter(|entry| entry["subresource"] == "status") {
        (entry["manager"].as_str(), entry["time"].as_str()).hash(&mut hash);
    }
    Some(hash.finish())
}

#[cfg(test)]
mod tests {
    use caretaker_api::CloudAccount;
    use serde_json::Value;

    use super::*;

    fn account(change: impl FnOnce(&mut Value)) -> CloudAccount {
        let status = |manager: &str| json!({"manager": manager, "operation": "Update", "subresource": "status", "time": "2026-11-28T01:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {}}});
        let mut object = json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount",
            "metadata": {
                "name": "prod", "namespace": "client-a", "uid": "u", "generation": 1, "resourceVersion": "1",
                "managedFields": [status("caretaker-cloudaccount"), status("kubectl-edit")],
            },
            "spec": {"aws": {"accountId": "222222222222"}},
        });
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn our_own_status_starts_no_visit_and_everything_else_does() {
        let before = trigger(&account(|_| {}));
        type Change = fn(&mut Value);
        let cases: [(&str, Change, bool); 9] = [
            (
                "our own status, in a new version",
                |object| {
                    object["metadata"]["resourceVersion"] = json!("2");
                    object["metadata"]["managedFields"][0]["time"] = json!("2026-11-28T02:00:00Z");
                    object["status"] = json!({"account": "aws 222222222222"});
                },
                false,
            ),
            ("the spec", |object| object["metadata"]["generation"] = json!(2), true),
            ("an annotation", |object| object["metadata"]["annotations"] = json!({"caretaker.dev/requested-at": "1"}), true),
            ("a label", |object| object["metadata"]["labels"] = json!({"a": "b"}), true),
            ("a finalizer", |object| object["metadata"]["finalizers"] = json!(["x"]), true),
            ("its deletion", |object| object["metadata"]["deletionTimestamp"] = json!("2026-11-28T02:00:00Z"), true),
            (
                "an owner",
                |object| object["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "x", "name": "x", "uid": "x"}]),
                true,
            ),
            ("another object of the name", |object| object["metadata"]["uid"] = json!("v"), true),
            (
                "a status that somebody else wrote",
                |object| object["metadata"]["managedFields"][1]["time"] = json!("2026-11-28T02:00:00Z"),
                true,
            ),
        ];
        for (reason, change, expected) in cases {
            assert_eq!(trigger(&account(change)) != before, expected, "{reason}");
        }
    }

    #[test]
    fn what_was_kept_triggers_alike() {
        let whole = account(|_| {});
        let mut slim = whole.clone();
        keep_foreign(slim.meta_mut());
        assert_eq!(slim.managed_fields().len(), 1, "only the other's entry is kept");
        assert_eq!(trigger(&slim), trigger(&whole));
    }
}
