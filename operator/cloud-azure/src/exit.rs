//! Removing our own access: the Lighthouse registration assignments that name our tenant are deleted.

use caretaker_cloud::manifest::AZURE_DELEGATION_DELETE;
use caretaker_cloud::{CloudError, ErrorClass, Receipt, Result, StepOutcome};
use serde_json::Value;

use crate::call::{Call, segment};
use crate::session::Session;

/// What the reading is named in errors and in the manifest.
const LIST: &str = "Microsoft.ManagedServices/registrationAssignments/read";
/// What the deletion is named in errors and in the manifest.
pub const DELETE: &str = "Microsoft.ManagedServices/registrationAssignments/delete";
/// Version of the Lighthouse API.
const LIGHTHOUSE: &str = "2019-09-01";

/// One of our own delegations.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Assignment {
    name: String,
    holds_delete_role: bool,
}

/// Ends the delegation of the session's subscription to our tenant. Azure takes up to a quarter of an hour until it holds; only a refused
/// attempt from outside proves it. Done again after it holds, the session can no longer look, and the refusal is the answer.
pub async fn delete_delegation(session: &Session, subscription_id: &str) -> Result<Receipt> {
    if !subscription_id.eq_ignore_ascii_case(session.subscription()) {
        return Err(CloudError::new(ErrorClass::Invalid, DELETE, "the step is for another subscription than the session"));
    }
    let mut own = list(session).await?;
    // The one that lets us delete goes last.
    own.sort_by_key(|assignment| assignment.holds_delete_role);
    let mut calls = Vec::new();
    for assignment in &own {
        let name = segment(&assignment.name);
        let path = format!("{}/{name}?api-version={LIGHTHOUSE}", collection(session));
        match session.call(&Call::delete(DELETE, path)).await {
            // 204: somebody else was faster.
            Ok(answer) if answer.status == 204 => {}
            Ok(_) => calls.push(format!("{DELETE} {}", assignment.name)),
            Err(error) if error.class == ErrorClass::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let outcome = if calls.is_empty() { StepOutcome::AlreadyDone } else { StepOutcome::Done };
    Ok(Receipt { outcome, id: None, calls })
}

fn collection(session: &Session) -> String {
    format!("/subscriptions/{}/providers/Microsoft.ManagedServices/registrationAssignments", session.subscription())
}

async fn list(session: &Session) -> Result<Vec<Assignment>> {
    let mut own = Vec::new();
    let take = |page: &Value| {
        own.extend(ours(page, &session.shared.tenant_id, session.subscription())?);
        Ok(())
    };
    let path = format!("{}?api-version={LIGHTHOUSE}&$expandRegistrationDefinition=true", collection(session));
    session.each_page(Call::get(LIST, path), take).await?;
    Ok(own)
}

/// Our own delegations on a page. One that does not say whose it is could be ours: then nothing is concluded.
fn ours(page: &Value, tenant: &str, subscription: &str) -> Result<Vec<Assignment>> {
    let unclear = || CloudError::new(ErrorClass::Unreachable, LIST, "the answer does not say whose each delegation is");
    let mut own = Vec::new();
    for entry in page.get("value").and_then(Value::as_array).ok_or_else(unclear)? {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
        let managed_by = text("/properties/registrationDefinition/properties/managedByTenantId").ok_or_else(unclear)?;
        let (id, name) = (text("/id").ok_or_else(unclear)?, text("/name").ok_or_else(unclear)?);
        let on_subscription = format!("/subscriptions/{subscription}/providers/microsoft.managedservices/");
        if !managed_by.eq_ignore_ascii_case(tenant) || !id.to_ascii_lowercase().starts_with(&on_subscription) {
            continue;
        }
        let authorizations = entry.pointer("/properties/registrationDefinition/properties/authorizations").and_then(Value::as_array);
        let holds_delete_role = authorizations.is_some_and(|all| {
            let roles = all.iter().filter_map(|each| each.get("roleDefinitionId").and_then(Value::as_str));
            roles.into_iter().any(|role| role.eq_ignore_ascii_case(AZURE_DELEGATION_DELETE.id))
        });
        own.push(Assignment { name: name.to_owned(), holds_delete_role });
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(scope: &str, tenant: &str, role: &str) -> Value {
        json!({
            "id": format!("{scope}/providers/Microsoft.ManagedServices/registrationAssignments/n"), "name": "n",
            "properties": {"registrationDefinition": {"properties": {
                "managedByTenantId": tenant, "authorizations": [{"principalId": "p", "roleDefinitionId": role}],
            }}},
        })
    }

    #[test]
    fn only_our_own_delegations_of_the_subscription_are_meant() {
        let page = json!({"value": [
            entry("/subscriptions/S", "T", AZURE_DELEGATION_DELETE.id),
            entry("/subscriptions/s", "other", "r"),
            entry("/subscriptions/s/resourceGroups/g", "t", "r"),
            entry("/subscriptions/s", "t", "r"),
        ]});
        let own = ours(&page, "t", "s").unwrap();
        assert_eq!(own.iter().map(|own| own.holds_delete_role).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_delegation_of_nobody_in_particular_stops_the_step() {
        assert!(ours(&json!({"value": [{"id": "i", "name": "n", "properties": {}}]}), "t", "s").is_err());
        assert!(ours(&json!({}), "t", "s").is_err());
    }
}
