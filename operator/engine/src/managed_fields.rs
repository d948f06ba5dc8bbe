//! Managed fields of an object that enters the cache.

use caretaker_core::drift;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::core::ObjectMeta;
use serde_json::json;

/// Drops the managed fields that nobody asks for. Those of other managers stay, without the paths that are theirs: they tell who changed what is ours. Most
/// objects have none.
pub fn keep_foreign(metadata: &mut ObjectMeta) {
    let Some(managed) = metadata.managed_fields.take() else { return };
    let kept: Vec<ManagedFieldsEntry> = serde_json::from_value(drift::worth_keeping(&json!(managed))).unwrap_or_default();
    metadata.managed_fields = Some(kept).filter(|kept| !kept.is_empty());
}

#[cfg(test)]
mod tests {
    use caretaker_core::kinds::faces;
    use kube::ResourceExt;
    use kube::api::DynamicObject;

    use super::*;

    #[test]
    fn what_was_kept_tells_changes_alike() {
        let status = |manager: &str| json!({"manager": manager, "operation": "Update", "subresource": "status", "time": "2026-11-28T01:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {}}});
        let whole: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount",
            "metadata": {
                "name": "prod", "namespace": "client-a", "uid": "u", "generation": 1, "resourceVersion": "1",
                "managedFields": [status("caretaker-cloudaccount"), status("kubectl-edit")],
            },
            "spec": {"aws": {"accountId": "222222222222"}},
        }))
        .unwrap();
        let mut slim = whole.clone();
        keep_foreign(&mut slim.metadata);
        assert_eq!(slim.managed_fields().len(), 1, "only the other's entry is kept");
        assert_eq!(faces(&slim), faces(&whole));
    }
}
