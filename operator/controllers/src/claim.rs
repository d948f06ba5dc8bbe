//! Claims: an account belongs to one client only. A claim is a ConfigMap of the operator's namespace whose name is made from the account's; creating it
//! is atomic, so that two objects never hold the same account, whatever their caches show.

use std::collections::BTreeMap;

use caretaker_api::CloudAccount;
use caretaker_api::parents::MemberState;
use caretaker_core::digest::sha256_hex;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};

use crate::context::Context;
use crate::failure::Failure;

const HOLDER_NAMESPACE: &str = "namespace";
const HOLDER_NAME: &str = "name";
const HOLDER_UID: &str = "uid";

/// The account in the cloud's own way of comparing.
fn account_key(account: &CloudAccount) -> Option<String> {
    let target = &account.spec.target;
    let id = target.id();
    (!id.is_empty()).then(|| format!("{}:{id}", target.kind()))
}

fn claim_name(key: &str) -> String {
    format!("claim-{}", &sha256_hex(key)[..24])
}

fn api(ctx: &Context) -> Api<ConfigMap> {
    Api::namespaced(ctx.client.clone(), &ctx.namespace)
}

/// Takes or keeps the claim. `false`: another living object holds the account; who, is told to nobody.
///
/// # Errors
/// A call to the API server failed.
pub async fn hold(ctx: &Context, account: &CloudAccount) -> Result<bool, Failure> {
    let Some(key) = account_key(account) else { return Ok(true) };
    if has_left(account) {
        return Ok(true);
    }
    let name = claim_name(&key);
    let uid = account.uid().unwrap_or_default();
    if ctx.claims.lock().expect("no panic while held").get(&name) == Some(&uid) {
        return Ok(true);
    }
    let api = api(ctx);
    let failed = |what: &str| Failure::kubernetes(format!("{what} the claim of an account"));
    for _ in 0..3 {
        let held = api.get_opt(&name).await.map_err(failed("read"))?;
        let Some(held) = held else {
            match api.create(&PostParams::default(), &claim(account, &name, &uid)).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 409 => continue,
                Err(error) => return Err(failed("make")(error)),
            }
            ctx.claims.lock().expect("no panic while held").insert(name, uid);
            return Ok(true);
        };
        if holder(&held, HOLDER_UID) == uid {
            ctx.claims.lock().expect("no panic while held").insert(name, uid);
            return Ok(true);
        }
        if is_alive(ctx, &held, &key).await? {
            return Ok(false);
        }
        remove(&api, &held).await.map_err(failed("remove"))?;
    }
    Ok(false)
}

/// Gives the claim back.
///
/// # Errors
/// A call to the API server failed.
pub async fn release(ctx: &Context, account: &CloudAccount) -> Result<(), Failure> {
    let Some(key) = account_key(account) else { return Ok(()) };
    let name = claim_name(&key);
    ctx.claims.lock().expect("no panic while held").remove(&name);
    let api = api(ctx);
    let held = api.get_opt(&name).await.map_err(Failure::kubernetes("read the claim of an account"))?;
    match held.filter(|held| holder(held, HOLDER_UID) == account.uid().unwrap_or_default()) {
        Some(held) => remove(&api, &held).await.map_err(Failure::kubernetes("remove the claim of an account")),
        None => Ok(()),
    }
}

/// An account that its parent does not name any more may have moved to another client, whose claim it must not stand against. Nothing is called for it.
fn has_left(account: &CloudAccount) -> bool {
    account.spec.member.as_ref().is_some_and(|member| member.state == MemberState::Gone)
}

/// A claim whose holder is gone, or names another account by now, is void.
async fn is_alive(ctx: &Context, held: &ConfigMap, key: &str) -> Result<bool, Failure> {
    let api: Api<CloudAccount> = Api::namespaced(ctx.client.clone(), &holder(held, HOLDER_NAMESPACE));
    let found = api.get_opt(&holder(held, HOLDER_NAME)).await.map_err(Failure::kubernetes("read the holder of a claim"))?;
    Ok(found.is_some_and(|found| {
        found.uid().unwrap_or_default() == holder(held, HOLDER_UID) && account_key(&found).as_deref() == Some(key) && !has_left(&found)
    }))
}

async fn remove(api: &Api<ConfigMap>, held: &ConfigMap) -> Result<(), kube::Error> {
    let only_this = Preconditions { uid: held.uid(), resource_version: held.resource_version() };
    let params = DeleteParams { preconditions: Some(only_this), ..DeleteParams::default() };
    match api.delete(&held.name_any(), &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

fn holder(claim: &ConfigMap, key: &str) -> String {
    claim.data.as_ref().and_then(|data| data.get(key)).cloned().unwrap_or_default()
}

fn claim(account: &CloudAccount, name: &str, uid: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([
            (HOLDER_NAMESPACE.to_owned(), account.namespace().unwrap_or_default()),
            (HOLDER_NAME.to_owned(), account.name_any()),
            (HOLDER_UID.to_owned(), uid.to_owned()),
        ])),
        ..ConfigMap::default()
    }
}
