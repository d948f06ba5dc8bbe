//! The provider's signing key: made once, kept in a Secret of the operator's namespace, never replaced in silence.

use std::collections::BTreeMap;

use caretaker_api::ProviderProfile;
use caretaker_api::condition::Reason;
use caretaker_api::names;
use caretaker_bundle::SigningKey;
use caretaker_core::outcome::Fault;
pub use caretaker_core::provider_profile::signing::secret_name;
use caretaker_core::provider_profile::signing::{Decision, Held, decide};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};

use crate::access::own_secret;
use crate::context::Context;
use caretaker_engine::Failure;

/// Key of the Secret that holds the minisign secret key.
pub const SECRET_KEY: &str = "minisign.key";

/// The signing key of a profile, or what stands in its way.
///
/// # Errors
/// A call to the API server failed.
pub async fn load(ctx: &Context, profile: &ProviderProfile) -> Result<Result<SigningKey, Fault>, Failure> {
    let name = secret_name(profile);
    let key = match held(ctx, &name).await? {
        None => None,
        Some(Ok(key)) => Some(key),
        Some(Err(fault)) => return Ok(Err(fault)),
    };
    Ok(match (judge(ctx, profile, key.as_ref()), key) {
        (Decision::Use, Some((key, _))) => Ok(key),
        (Decision::Refuse(fault), _) => Err(fault),
        _ => {
            let message = format!("Secret {name} does not exist in namespace {}", ctx.namespace);
            Err(Fault::outside(Reason::ReferenceMissing, "spec.signingKey.secretName", message))
        }
    })
}

/// The key in a Secret and whether the operator has marked it; `None` where there is no Secret.
async fn held(ctx: &Context, name: &str) -> Result<Option<Result<(SigningKey, bool), Fault>>, Failure> {
    let Some(secret) = own_secret(ctx, name).await? else { return Ok(None) };
    let is_marked = secret.labels().get(names::MANAGED_BY).map(String::as_str) == Some(names::MANAGER);
    let text = secret.data.as_ref().and_then(|data| data.get(SECRET_KEY)).and_then(|value| std::str::from_utf8(&value.0).ok());
    let fault = |message| Fault::outside(Reason::InvalidSpec, "spec.signingKey.secretName", message);
    Ok(Some(match text.map(SigningKey::from_text) {
        Some(Ok(key)) => Ok((key, is_marked)),
        Some(Err(error)) => Err(fault(format!("Secret {name}, key {SECRET_KEY}: {error}"))),
        None => Err(fault(format!("Secret {name} lacks the key {SECRET_KEY}"))),
    }))
}

fn judge(ctx: &Context, profile: &ProviderProfile, key: Option<&(SigningKey, bool)>) -> Decision {
    let held = key.map_or(Held::Nothing, |(key, is_marked)| Held::Key { public_key: key.public().to_base64(), is_marked: *is_marked });
    decide(profile, held, &ctx.namespace)
}

/// Loads the key, and makes it where none is given and none was made yet. Two processes that make it at once end with the same one.
///
/// # Errors
/// A call to the API server failed.
pub async fn load_or_make(ctx: &Context, profile: &ProviderProfile) -> Result<Result<SigningKey, Fault>, Failure> {
    let name = secret_name(profile);
    if held(ctx, &name).await?.is_none() && judge(ctx, profile, None) == Decision::Make {
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
