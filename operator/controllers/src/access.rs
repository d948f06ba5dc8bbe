//! The way from an account object to a connector: profile, base credentials, grant. Shared by every controller that reaches a cloud.

use std::sync::Arc;

use caretaker_api::cloud_account::Cloud;
use caretaker_api::condition::Reason;
use caretaker_api::provider_profile::{ProviderProfile, ProviderProfileSpec, SessionTags};
use caretaker_api::{CloudAccount, names};
use caretaker_cloud::{AccessGrant, CloudConnector};
use caretaker_core::cloud_account::claim::Claims;
use caretaker_core::outcome::Fault;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};

use crate::claim;
use crate::context::Context;
use crate::provider_identity::{AwsIdentity, AwsKeys, AzureIdentity, GcpIdentity, SecretText};
use caretaker_engine::Failure;

/// A connector and the grant to use with it.
#[derive(Clone)]
pub struct WayIn {
    /// The provider's connector.
    pub connector: Arc<dyn CloudConnector>,
    /// The account's grant.
    pub grant: AccessGrant,
    /// Who the connector is.
    pub provider: ProviderProfileSpec,
}

/// The way into an account whose claims were looked at, or the fault that stands in it, such as another object that holds the account. `Ok(Ok(None))`:
/// the ExternalId is not made yet. Nothing is written: whoever goes in takes the claims first.
///
/// # Errors
/// A call to the API server failed.
pub async fn way_in(ctx: &Context, account: &CloudAccount, claims: &Claims) -> Result<Result<Option<WayIn>, Fault>, Failure> {
    let Some(profile) = ctx.find::<ProviderProfile>("", &account.spec.provider_profile).await? else {
        return Ok(Err(missing_profile(&account.spec.provider_profile)));
    };
    if let Some(fault) = claims.fault(account) {
        return Ok(Err(fault));
    }
    let client = client_of(account);
    if !profile.spec.serves(&client) {
        return Ok(Err(not_served(&profile.name_any(), &client)));
    }
    let cloud = account.spec.target.cloud();
    if !caretaker_core::provider_profile::clouds(&profile).contains(&cloud) {
        return Ok(Err(Fault::outside(
            Reason::ReferenceMissing,
            "spec.providerProfile",
            format!("ProviderProfile {} has no spec.{}: add the provider's principal there", profile.name_any(), cloud.as_str()),
        )));
    }
    let Some(grant) = caretaker_core::grant::grant(&client, &account.name_any(), &account.spec, &profile.spec) else {
        return Ok(Ok(None));
    };
    Ok(connector(ctx, &profile, cloud).await?.map(|connector| Some(WayIn { connector, grant, provider: profile.spec.clone() })))
}

/// The way into an account of a visit that is about to go in: its claims are taken. Belongs into `act`.
///
/// # Errors
/// A call to the API server failed.
pub async fn enter(ctx: &Context, account: &CloudAccount) -> Result<Result<Option<WayIn>, Fault>, Failure> {
    let claims = claim::look(ctx, account).await?;
    if let Some(fault) = claims.fault_before_proof(account) {
        return Ok(Err(fault));
    }
    let way = way_in(ctx, account, &claims).await?;
    if matches!(way, Ok(Some(_))) {
        claim::take(ctx, &claims.takes).await?;
    }
    Ok(way)
}

/// The connector of a profile for one cloud, or the fault that stands in its way.
///
/// # Errors
/// A call to the API server failed.
pub async fn connector(ctx: &Context, profile: &ProviderProfile, cloud: Cloud) -> Result<Result<Arc<dyn CloudConnector>, Fault>, Failure> {
    let made = match (cloud, &profile.spec.aws, &profile.spec.azure, &profile.spec.gcp) {
        (Cloud::Aws, Some(aws), _, _) => match aws_keys(ctx, aws.credentials.secret_name.as_deref()).await? {
            Ok(keys) => {
                let (principal_arn, region) = (aws.principal_arn.clone(), aws.region.clone());
                let identity = AwsIdentity { principal_arn, region, allows_tags: aws.session_tags == Some(SessionTags::Allow), keys };
                ctx.clouds.aws(&identity).await
            }
            Err(fault) => return Ok(Err(fault)),
        },
        (Cloud::Azure, _, Some(azure), _) => {
            let place = ("spec.azure.credentials.secretName", "client_secret");
            match secret_text(ctx, azure.credentials.secret_name.as_deref(), place).await? {
                Ok(client_secret) => {
                    let identity = AzureIdentity { tenant_id: azure.tenant_id.clone(), client_id: azure.client_id.clone(), client_secret };
                    ctx.clouds.azure(&identity).await
                }
                Err(fault) => return Ok(Err(fault)),
            }
        }
        (Cloud::Gcp, _, _, Some(gcp)) => {
            match secret_text(ctx, gcp.credentials.secret_name.as_deref(), ("spec.gcp.credentials.secretName", "key.json")).await? {
                Ok(key) => {
                    let identity = GcpIdentity {
                        project_id: gcp.project_id.clone(),
                        principal: gcp.principal.clone(),
                        quota_project: gcp.quota_project.clone(),
                        key,
                        audience: gcp.credentials.audience.clone(),
                    };
                    ctx.clouds.gcp(&identity).await
                }
                Err(fault) => return Ok(Err(fault)),
            }
        }
        _ => {
            let field = format!("spec.{}", cloud.as_str());
            return Ok(Err(Fault::spec(field, "missing: name the provider's principal on this cloud")));
        }
    };
    // What cannot even be made is a matter of the credentials, not of the cloud.
    Ok(made.map_err(|error| Fault::outside(Reason::CredentialsInvalid, format!("spec.{}.credentials", cloud.as_str()), error.to_string())))
}

/// One key of a Secret; `Ok(Ok(None))` where no Secret is named.
async fn secret_text(
    ctx: &Context,
    name: Option<&str>,
    (field, key): (&'static str, &'static str),
) -> Result<Result<Option<SecretText>, Fault>, Failure> {
    let Some(name) = name else { return Ok(Ok(None)) };
    let data = own_secret(ctx, name).await?.and_then(|secret| secret.data).unwrap_or_default();
    Ok(match data.get(key).and_then(text).filter(|value| !value.is_empty()) {
        Some(value) => Ok(Some(SecretText(value))),
        None => {
            let message =
                format!("Secret {name} of namespace {} does not exist or lacks the key {key}: make it with that key", ctx.namespace);
            Err(Fault::outside(Reason::CredentialsInvalid, field, message))
        }
    })
}

async fn aws_keys(ctx: &Context, name: Option<&str>) -> Result<Result<Option<AwsKeys>, Fault>, Failure> {
    let field = "spec.aws.credentials.secretName";
    let Some(name) = name else { return Ok(Ok(None)) };
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
            Ok(Ok(Some(AwsKeys { access_key_id, secret_access_key, session_token: read("aws_session_token") })))
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

fn not_served(profile: &str, client: &str) -> Fault {
    let message = format!(
        "ProviderProfile {profile} is for other clients, and {client} is not among its spec.clients: name a profile that serves this client, or add the \
         client there"
    );
    Fault::outside(Reason::ReferenceMissing, "spec.providerProfile", message)
}

/// The ManagedClient that an object of a client's namespace belongs to.
#[must_use]
pub fn client_of<K: ResourceExt>(object: &K) -> String {
    let namespace = object.namespace().unwrap_or_default();
    namespace.strip_prefix(names::NAMESPACE_PREFIX).unwrap_or(&namespace).to_owned()
}
