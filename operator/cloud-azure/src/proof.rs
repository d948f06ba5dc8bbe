//! Whose a subscription is: the proof of access, made from what Azure answers.

use caretaker_cloud::{AzureGrant, CloudError, ErrorClass, Result};
use serde_json::Value;

use crate::call::Call;

/// What the call is named in errors and in the manifest.
pub const OPERATION: &str = "Microsoft.Resources/subscriptions/read";
/// Version of the subscriptions API.
pub const SUBSCRIPTIONS: &str = "2021-01-01";

/// The call that reads the grant's subscription.
pub fn read(grant: &AzureGrant) -> Call {
    Call::get(OPERATION, format!("/subscriptions/{}?api-version={SUBSCRIPTIONS}", grant.subscription_id.to_ascii_lowercase()))
}

/// Checks that an answer shows the grant's subscription, that it is a client's, and that it is delegated to `ours`, our tenant.
///
/// # Errors
/// `WrongAccount` where it is another's, the provider's own, or readable but not delegated: whoever gets in on another way has proved
/// nothing about the delegation, neither that it stands nor that it is gone. `Unreachable` where the answer leaves out what decides.
pub fn prove(body: &Value, grant: &AzureGrant, ours: &str) -> Result<()> {
    let wrong = |message: String| Err(CloudError::new(ErrorClass::WrongAccount, OPERATION, message));
    shown(body, grant)?;
    let (subscription, ours) = (grant.subscription_id.to_ascii_lowercase(), ours.to_ascii_lowercase());
    let home = id(body, "tenantId").ok_or_else(|| silent("which tenant is the subscription's home"))?;
    if home == ours {
        return wrong(format!("the subscription {subscription} is the provider's own: its home is the provider's tenant"));
    }
    match grant.home_tenant_id.as_deref().map(str::to_ascii_lowercase) {
        Some(declared) if declared != home => {
            return wrong(format!("the home of the subscription {subscription} is the tenant {home}, not {declared} as declared"));
        }
        _ => {}
    }
    let managers = body.get("managedByTenants").and_then(Value::as_array).ok_or_else(|| silent("who manages the subscription"))?;
    let managers: Vec<String> = managers.iter().filter_map(|tenant| id(tenant, "tenantId")).collect();
    if managers.contains(&ours) {
        return Ok(());
    }
    wrong(format!(
        "the subscription {subscription} can be read, but is not delegated to the tenant {ours}: some other assignment lets us in"
    ))
}

/// Checks that an answer shows the grant's subscription, to whomever.
///
/// # Errors
/// `WrongAccount` where it shows another, `Unreachable` where it shows none.
pub fn shown(body: &Value, grant: &AzureGrant) -> Result<()> {
    let (shown, subscription) = (id(body, "subscriptionId"), grant.subscription_id.to_ascii_lowercase());
    let shown = shown.ok_or_else(|| silent("which subscription it shows"))?;
    if shown == subscription {
        return Ok(());
    }
    let message = format!("the answer shows the subscription {shown}, not {subscription}");
    Err(CloudError::new(ErrorClass::WrongAccount, OPERATION, message))
}

fn id(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_ascii_lowercase)
}

fn silent(what: &str) -> CloudError {
    let message = format!("the answer does not say {what}, so it proves nothing: asked again at the next check");
    CloudError::new(ErrorClass::Unreachable, OPERATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OURS: &str = "aaaaaaaa-0000-4000-8000-000000000001";
    const CLIENT: &str = "bbbbbbbb-0000-4000-8000-000000000001";
    const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-000000000001";

    fn outcome(body: &Value, declared: Option<&str>) -> Option<ErrorClass> {
        let grant = AzureGrant { client: "acme".into(), subscription_id: SUBSCRIPTION.into(), home_tenant_id: declared.map(str::to_owned) };
        prove(body, &grant, OURS).err().map(|error| error.class)
    }

    fn body(tenant: &str, managers: &[&str]) -> Value {
        let managers: Vec<Value> = managers.iter().map(|tenant| json!({"tenantId": tenant})).collect();
        json!({"subscriptionId": SUBSCRIPTION.to_ascii_uppercase(), "tenantId": tenant, "managedByTenants": managers})
    }

    #[test]
    fn only_a_delegated_subscription_of_a_client_is_proved() {
        let other = "dddddddd-0000-4000-8000-000000000001";
        assert_eq!(outcome(&body(CLIENT, &[other, &OURS.to_ascii_uppercase()]), None), None);
        assert_eq!(outcome(&body(CLIENT, &[OURS]), Some(&CLIENT.to_ascii_uppercase())), None);
        assert_eq!(outcome(&body(OURS, &[OURS]), None), Some(ErrorClass::WrongAccount), "the provider's own");
        assert_eq!(outcome(&body(CLIENT, &[OURS]), Some(other)), Some(ErrorClass::WrongAccount), "another home than declared");
        assert_eq!(outcome(&body(CLIENT, &[other]), None), Some(ErrorClass::WrongAccount), "readable, not delegated");
        let mut another = body(CLIENT, &[OURS]);
        another["subscriptionId"] = other.into();
        assert_eq!(outcome(&another, None), Some(ErrorClass::WrongAccount));
    }

    #[test]
    fn what_an_answer_leaves_out_is_not_decided() {
        for field in ["subscriptionId", "tenantId", "managedByTenants"] {
            let mut body = body(CLIENT, &[OURS]);
            body.as_object_mut().unwrap().remove(field);
            assert_eq!(outcome(&body, None), Some(ErrorClass::Unreachable), "{field}");
        }
    }
}
