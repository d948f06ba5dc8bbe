//! The way from an account object to a connector: profile, base credentials, grant. Shared by every controller that reaches a cloud.

use std::sync::Arc;

use caretaker_api::condition::Reason;
use caretaker_api::provider_profile::ProviderProfile;
use caretaker_api::{CloudAccount, names};
use caretaker_cloud::{AccessGrant, CloudConnector};
use caretaker_core::outcome::Fault;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};

use crate::clouds::{AwsIdentity, AwsKeys};
use crate::context::Context;
use crate::failure::Failure;

/// A connector and the grant to use with it.
#[derive(Clone)]
pub struct WayIn {
    /// The provider's connector.
    pub connector: Arc<dyn CloudConnector>,
    /// The account's grant.
    pub grant: AccessGrant,
}

/// The way into an account, or the fault that stands in it. `Ok(Ok(None))`: the ExternalId is not made yet.
///
/// # Errors
/// A call to the API server failed.
pub async fn way_in(ctx: &Context, account: &CloudAccount) -> Result<Result<Option<WayIn>, Fault>, Failure> {
    let Some(profile) = ctx.find::<ProviderProfile>("", &account.spec.provider_profile).await? else {
        return Ok(Err(missing_profile(&account.spec.provider_profile)));
    };
    let Some(provider) = profile.spec.aws.as_ref() else {
        return Ok(Err(Fault::outside(
            Reason::ReferenceMissing,
            "spec.providerProfile",
            format!("ProviderProfile {} has no spec.aws: add the provider's principal", profile.name_any()),
        )));
    };
    let client = client_of(account);
    let Some(grant) = caretaker_core::grant::grant(&client, &account.name_any(), &account.spec, Some(provider)) else {
        return Ok(Ok(None));
    };
    Ok(connector(ctx, &profile).await?.map(|connector| Some(WayIn { connector, grant })))
}

/// The connector of a profile, or the fault that stands in its way.
///
/// # Errors
/// A call to the API server failed.
pub async fn connector(ctx: &Context, profile: &ProviderProfile) -> Result<Result<Arc<dyn CloudConnector>, Fault>, Failure> {
    let Some(provider) = profile.spec.aws.as_ref() else {
        return Ok(Err(Fault::spec("spec.aws", "missing: name the provider's principal on AWS")));
    };
    let keys = match provider.credentials.secret_name.as_deref() {
        None => None,
        Some(name) => match aws_keys(ctx, name).await? {
            Ok(keys) => Some(keys),
            Err(fault) => return Ok(Err(fault)),
        },
    };
    let identity = AwsIdentity { principal_arn: provider.principal_arn.clone(), region: provider.region.clone(), keys };
    Ok(Ok(ctx.clouds.aws(&identity).await.map_err(Failure::Cloud)?))
}

async fn aws_keys(ctx: &Context, name: &str) -> Result<Result<AwsKeys, Fault>, Failure> {
    let field = "spec.aws.credentials.secretName";
    let Some(secret) = own_secret(ctx, name).await? else {
        let message = format!(
            "Secret {name} does not exist in namespace {}: make it with keys aws_access_key_id and aws_secret_access_key",
            ctx.namespace
        );
        return Ok(Err(Fault::outside(Reason::CredentialsInvalid, field, message)));
    };
    let data = secret.data.unwrap_or_default();
    let read = |key: &str| data.get(key).and_then(text).filter(|value| !value.is_empty());
    match (read("aws_access_key_id"), read("aws_secret_access_key")) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Ok(Ok(AwsKeys { access_key_id, secret_access_key, session_token: read("aws_session_token") }))
        }
        _ => {
            let message = format!("Secret {name} lacks aws_access_key_id or aws_secret_access_key: add both");
            Ok(Err(Fault::outside(Reason::CredentialsInvalid, field, message)))
        }
    }
}

/// A Secret of the operator's own namespace.
///
/// # Errors
/// A call to the API server failed.
pub async fn own_secret(ctx: &Context, name: &str) -> Result<Option<Secret>, Failure> {
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    api.get_opt(name).await.map_err(Failure::kubernetes(format!("get Secret {}/{name}", ctx.namespace)))
}

fn text(value: &ByteString) -> Option<String> {
    std::str::from_utf8(&value.0).ok().map(|text| text.trim().to_owned())
}

fn missing_profile(name: &str) -> Fault {
    let message = format!("ProviderProfile {name} does not exist: apply one (see examples/provider-profile.yaml) or name another");
    Fault::outside(Reason::ReferenceMissing, "spec.providerProfile", message)
}

/// The ManagedClient that an object of a client's namespace belongs to.
#[must_use]
pub fn client_of<K: ResourceExt>(object: &K) -> String {
    let namespace = object.namespace().unwrap_or_default();
    namespace.strip_prefix(names::NAMESPACE_PREFIX).unwrap_or(&namespace).to_owned()
}
