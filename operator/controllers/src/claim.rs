//! Carries out what `core` decides on claims: reads who holds them, takes them, gives them back. Creating a ConfigMap is atomic, so that two objects never
//! hold the same, whatever their caches show.

use caretaker_api::CloudAccount;
use caretaker_core::cloud_account::claim::{Claim, Claims, Found, Holder, Subject, Take, Version, decide};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};

use crate::context::Context;
use caretaker_engine::Failure;

fn api(ctx: &Context) -> Api<ConfigMap> {
    Api::namespaced(ctx.client.clone(), &ctx.namespace)
}

/// Reads who holds the claims that an account needs, and what that comes to. Nothing is written.
///
/// # Errors
/// A call to the API server failed.
pub async fn look(ctx: &Context, account: &CloudAccount) -> Result<Claims, Failure> {
    let mut all = Vec::new();
    for claim in Claim::all(account) {
        let found = find(ctx, &claim).await?;
        all.push((claim, found));
    }
    Ok(decide(account, &all))
}

async fn find(ctx: &Context, claim: &Claim) -> Result<Found, Failure> {
    let name = claim.name();
    if ctx.claims.lock().expect("no panic while held").get(&name).map(String::as_str) == Some(claim.owner()) {
        return Ok(Found::Ours);
    }
    let Some(held) = api(ctx).get_opt(&name).await.map_err(Failure::kubernetes("read the claim of an account"))? else {
        return Ok(Found::Nobody);
    };
    let holder = holder(&held);
    if claim.is_ours(&holder) {
        remember(ctx, name, claim.owner());
        return Ok(Found::Ours);
    }
    let accounts = neighbours(ctx, claim.subject, &holder).await?;
    let (is_alive, is_proved) = (claim.is_alive(&holder, &accounts), claim.is_proved(&holder, &accounts));
    Ok(Found::Other { version: Version { uid: held.uid(), resource_version: held.resource_version() }, is_alive, is_proved })
}

/// The accounts that tell whether a holder still needs a claim, read from the API server: a watch that is behind must not give an account to two.
async fn neighbours(ctx: &Context, subject: Subject, holder: &Holder) -> Result<Vec<CloudAccount>, Failure> {
    let api: Api<CloudAccount> = Api::namespaced(ctx.client.clone(), &holder.namespace);
    match subject {
        Subject::Account => {
            Ok(api.get_opt(&holder.name).await.map_err(Failure::kubernetes("read the holder of a claim"))?.into_iter().collect())
        }
        Subject::Number | Subject::ServiceAccount => {
            Ok(api.list(&ListParams::default()).await.map_err(Failure::kubernetes("list the holders of a claim"))?.items)
        }
    }
}

/// Takes claims. Where somebody else was faster it is a conflict: the next visit looks again.
///
/// # Errors
/// A call to the API server failed.
pub async fn take(ctx: &Context, takes: &[Take]) -> Result<(), Failure> {
    let api = api(ctx);
    for Take { name, holder, owner, replaces } in takes {
        if let Some(void) = replaces {
            remove(&api, name, void).await.map_err(Failure::kubernetes("remove the claim of an account"))?;
        }
        let document = ConfigMap {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            data: Some(holder.data()),
            ..ConfigMap::default()
        };
        api.create(&PostParams::default(), &document).await.map_err(Failure::kubernetes("make the claim of an account"))?;
        remember(ctx, name.clone(), owner);
    }
    Ok(())
}

/// Gives the claims back; that of a service account with the last account of the client that is reached through it.
///
/// # Errors
/// A call to the API server failed.
pub async fn release(ctx: &Context, account: &CloudAccount) -> Result<(), Failure> {
    for claim in Claim::all(account) {
        if !claim.may_go(&neighbours(ctx, claim.subject, &Holder::of(account)).await?) {
            continue;
        }
        let name = claim.name();
        ctx.claims.lock().expect("no panic while held").remove(&name);
        let api = api(ctx);
        let held = api.get_opt(&name).await.map_err(Failure::kubernetes("read the claim of an account"))?;
        if let Some(held) = held.filter(|held| claim.is_ours(&holder(held))) {
            let version = Version { uid: held.uid(), resource_version: held.resource_version() };
            remove(&api, &name, &version).await.map_err(Failure::kubernetes("remove the claim of an account"))?;
        }
    }
    Ok(())
}

fn remember(ctx: &Context, name: String, owner: &str) {
    ctx.claims.lock().expect("no panic while held").insert(name, owner.to_owned());
}

async fn remove(api: &Api<ConfigMap>, name: &str, version: &Version) -> Result<(), kube::Error> {
    let only_this = Preconditions { uid: version.uid.clone(), resource_version: version.resource_version.clone() };
    let params = DeleteParams { preconditions: Some(only_this), ..DeleteParams::default() };
    match api.delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

fn holder(claim: &ConfigMap) -> Holder {
    claim.data.as_ref().map(Holder::from_data).unwrap_or_default()
}
