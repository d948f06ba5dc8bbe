//! The provider's signing key: made once, kept in a Secret of the operator's namespace, never replaced.

use std::collections::BTreeMap;

use caretaker_api::ProviderProfile;
use caretaker_api::condition::Reason;
use caretaker_api::names;
use caretaker_bundle::SigningKey;
use caretaker_core::outcome::Fault;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};

use crate::access::own_secret;
use crate::context::Context;
use caretaker_engine::Failure;

/// Key of the Secret that holds the minisign secret key.
pub const SECRET_KEY: &str = "minisign.key";

/// The Secret that holds a profile's key.
#[must_use]
pub fn secret_name(profile: &ProviderProfile) -> String {
    match &profile.spec.signing_key {
        Some(source) => source.secret_name.clone(),
        None => format!("signing-key-{}", profile.name_any()),
    }
}

/// The signing key of a profile, or what stands in its way.
///
/// # Errors
/// A call to the API server failed.
pub async fn load(ctx: &Context, profile: &ProviderProfile) -> Result<Result<SigningKey, Fault>, Failure> {
    let name = secret_name(profile);
    let Some(secret) = own_secret(ctx, &name).await? else {
        let message = format!("Secret {name} does not exist in namespace {}", ctx.namespace);
        return Ok(Err(Fault::outside(Reason::ReferenceMissing, "spec.signingKey.secretName", message)));
    };
    let text = secret.data.as_ref().and_then(|data| data.get(SECRET_KEY)).and_then(|value| std::str::from_utf8(&value.0).ok());
    let key = text.map(SigningKey::from_text);
    Ok(match key {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => {
            Err(Fault::outside(Reason::InvalidSpec, "spec.signingKey.secretName", format!("Secret {name}, key {SECRET_KEY}: {error}")))
        }
        None => Err(Fault::outside(Reason::InvalidSpec, "spec.signingKey.secretName", format!("Secret {name} lacks the key {SECRET_KEY}"))),
    })
}

/// Loads the key, and makes it where none is given and none was made yet. Two processes that make it at once end with the same one.
///
/// # Errors
/// A call to the API server failed.
pub async fn load_or_make(ctx: &Context, profile: &ProviderProfile) -> Result<Result<SigningKey, Fault>, Failure> {
    let name = secret_name(profile);
    if profile.spec.signing_key.is_none() && own_secret(ctx, &name).await?.is_none() {
        let key = SigningKey::generate().map_err(|error| Failure::local("make the signing key", error))?;
        let text = key.to_text().map_err(|error| Failure::local("make the signing key", error))?;
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some(BTreeMap::from([(names::MANAGED_BY.to_owned(), names::MANAGER.to_owned())])),
                ..ObjectMeta::default()
            },
            immutable: Some(true),
            string_data: Some(BTreeMap::from([(SECRET_KEY.to_owned(), text)])),
            ..Secret::default()
        };
        let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
        match api.create(&PostParams::default(), &secret).await {
            Ok(_) => ctx.metrics.write("Secret", "create"),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(Failure::kubernetes(format!("make Secret {}/{name}", ctx.namespace))(error)),
        }
    }
    load(ctx, profile).await
}
