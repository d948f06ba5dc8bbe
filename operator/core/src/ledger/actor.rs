//! Who asked for an exit, as far as the cluster knows.

use caretaker_api::Handover;
use caretaker_api::names::MANAGER;
use kube::ResourceExt;

use super::entry::Actor;

/// Field managers that wrote the spec, and the person who accepted. Which user a manager was is in the audit log of the API server alone. Where nobody else
/// wrote it, it was the operator: a rehearsal by schedule, or the contract's end.
#[must_use]
pub fn of(handover: &Handover) -> Actor {
    let others = handover.managed_fields().iter().filter(|entry| entry.subresource.is_none());
    let mut managers: Vec<String> =
        others.filter_map(|entry| entry.manager.clone()).filter(|manager| !manager.starts_with(MANAGER)).collect();
    managers.sort_unstable();
    managers.dedup();
    if managers.is_empty() {
        managers.push(MANAGER.into());
    }
    let accepted_by = handover.spec.acceptance.as_ref().map(|acceptance| acceptance.accepted_by.clone()).unwrap_or_default();
    Actor { managers, accepted_by, ..Actor::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asked_is_named_and_the_operator_where_nobody_else_did() {
        let asked = |managers: &[(&str, &str)]| {
            let fields: Vec<_> = managers.iter().map(|(name, part)| serde_json::json!({"manager": name, "subresource": part})).collect();
            let mut object = serde_json::json!({
                "metadata": {"name": "final", "managedFields": fields}, "spec": {"mode": "Rehearsal"},
            });
            let written =
                object["metadata"]["managedFields"].as_array_mut().into_iter().flatten().filter_map(|field| field.as_object_mut());
            written.filter(|field| field["subresource"] == "").for_each(|field| drop(field.remove("subresource")));
            of(&serde_json::from_value(object).unwrap()).managers
        };
        assert_eq!(asked(&[("caretaker", ""), ("caretaker-handover", "status")]), ["caretaker"]);
        assert_eq!(asked(&[("kubectl-caretaker", ""), ("caretaker", "status")]), ["kubectl-caretaker"]);
        assert_eq!(asked(&[("kubectl-edit", ""), ("argocd-controller", ""), ("caretaker", "")]), ["argocd-controller", "kubectl-edit"]);
        assert_eq!(asked(&[("kube-apiserver", "status")]), ["caretaker"], "who writes the status asks for nothing");
    }
}
