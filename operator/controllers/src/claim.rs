//! Claims: an account belongs to one client only, and so does a service account that leads into accounts. A claim is a ConfigMap of the operator's namespace
//! whose name is made from what is claimed; creating it is atomic, so that two objects never hold the same, whatever their caches show.

use std::collections::BTreeMap;

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::ServiceAccount;
use caretaker_api::parents::MemberState;
use caretaker_core::digest::sha256_hex;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};

use crate::context::Context;
use caretaker_engine::Failure;

const HOLDER_NAMESPACE: &str = "namespace";
const HOLDER_NAME: &str = "name";
const HOLDER_UID: &str = "uid";

/// Something that belongs to one holder only.
struct Claim {
    /// What, in the cloud's own way of comparing.
    key: String,
    /// Which part of a holder must be ours.
    by: &'static str,
    /// Ours.
    ours: String,
}

impl Claim {
    /// The account belongs to one object. Nothing where it has no id yet.
    fn of_account(account: &CloudAccount) -> Option<Self> {
        let key = account_key(account)?;
        Some(Self { key, by: HOLDER_UID, ours: account.uid().unwrap_or_default() })
    }

    /// The service account that we go through belongs to one client: whoever may use it is let into all that it may read.
    fn of_service_account(account: &CloudAccount) -> Option<Self> {
        let key = service_account_key(account)?;
        Some(Self { key, by: HOLDER_NAMESPACE, ours: account.namespace().unwrap_or_default() })
    }

    fn name(&self) -> String {
        format!("claim-{}", &sha256_hex(&self.key)[..24])
    }
}

fn account_key(account: &CloudAccount) -> Option<String> {
    let target = &account.spec.target;
    let id = target.id();
    (!id.is_empty()).then(|| format!("{}:{id}", target.kind()))
}

fn service_account_key(account: &CloudAccount) -> Option<String> {
    let target = &account.spec.target;
    let ServiceAccount { name, project } = target.service_account()?;
    Some(format!("serviceAccount:{name}@{project}"))
}

fn api(ctx: &Context) -> Api<ConfigMap> {
    Api::namespaced(ctx.client.clone(), &ctx.namespace)
}

/// Takes or keeps the claim of an account. `false`: another living object holds it; who, is told to nobody.
///
/// # Errors
/// A call to the API server failed.
pub async fn hold(ctx: &Context, account: &CloudAccount) -> Result<bool, Failure> {
    match Claim::of_account(account) {
        None => Ok(true),
        Some(claim) if has_left(account) => is_free(ctx, &claim).await,
        Some(claim) => take(ctx, &claim, account).await,
    }
}

/// Takes or keeps the claim of the service account that an account is reached through. `false`: another client's account is reached through it.
///
/// # Errors
/// A call to the API server failed.
pub async fn hold_service_account(ctx: &Context, account: &CloudAccount) -> Result<bool, Failure> {
    match Claim::of_service_account(account) {
        None => Ok(true),
        Some(claim) if has_left(account) => is_free(ctx, &claim).await,
        Some(claim) => take(ctx, &claim, account).await,
    }
}

/// Whether nobody else holds it. Nothing is written.
async fn is_free(ctx: &Context, claim: &Claim) -> Result<bool, Failure> {
    let held = api(ctx).get_opt(&claim.name()).await.map_err(Failure::kubernetes("read the claim of an account"))?;
    match held.filter(|held| holder(held, claim.by) != claim.ours) {
        Some(held) => is_alive(ctx, &held, claim).await.map(|is_alive| !is_alive),
        None => Ok(true),
    }
}

async fn take(ctx: &Context, claim: &Claim, account: &CloudAccount) -> Result<bool, Failure> {
    let name = claim.name();
    if ctx.claims.lock().expect("no panic while held").get(&name) == Some(&claim.ours) {
        return Ok(true);
    }
    let api = api(ctx);
    let failed = |what: &str| Failure::kubernetes(format!("{what} the claim of an account"));
    for _ in 0..3 {
        let held = api.get_opt(&name).await.map_err(failed("read"))?;
        let Some(held) = held else {
            match api.create(&PostParams::default(), &document(account, &name)).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 409 => continue,
                Err(error) => return Err(failed("make")(error)),
            }
            ctx.claims.lock().expect("no panic while held").insert(name, claim.ours.clone());
            return Ok(true);
        };
        if holder(&held, claim.by) == claim.ours {
            ctx.claims.lock().expect("no panic while held").insert(name, claim.ours.clone());
            return Ok(true);
        }
        if is_alive(ctx, &held, claim).await? {
            return Ok(false);
        }
        remove(&api, &held).await.map_err(failed("remove"))?;
    }
    Ok(false)
}

/// Gives the claims back; that of a service account with the last account of the client that is reached through it.
///
/// # Errors
/// A call to the API server failed.
pub async fn release(ctx: &Context, account: &CloudAccount) -> Result<(), Failure> {
    let service_account = match Claim::of_service_account(account) {
        Some(claim) if !is_used(ctx, &claim.key, &claim.ours, account.uid().as_deref()).await? => Some(claim),
        _ => None,
    };
    for claim in Claim::of_account(account).into_iter().chain(service_account) {
        let name = claim.name();
        ctx.claims.lock().expect("no panic while held").remove(&name);
        let api = api(ctx);
        let held = api.get_opt(&name).await.map_err(Failure::kubernetes("read the claim of an account"))?;
        if let Some(held) = held.filter(|held| holder(held, claim.by) == claim.ours) {
            remove(&api, &held).await.map_err(Failure::kubernetes("remove the claim of an account"))?;
        }
    }
    Ok(())
}

/// An account that its parent does not name any more may have moved to another client, whose claim it must not stand against.
fn has_left(account: &CloudAccount) -> bool {
    account.spec.member.as_ref().is_some_and(|member| member.state == MemberState::Gone)
}

/// A claim whose holder is gone, or names something else by now, is void.
async fn is_alive(ctx: &Context, held: &ConfigMap, claim: &Claim) -> Result<bool, Failure> {
    let namespace = holder(held, HOLDER_NAMESPACE);
    if claim.by == HOLDER_NAMESPACE {
        return is_used(ctx, &claim.key, &namespace, None).await;
    }
    let api: Api<CloudAccount> = Api::namespaced(ctx.client.clone(), &namespace);
    let found = api.get_opt(&holder(held, HOLDER_NAME)).await.map_err(Failure::kubernetes("read the holder of a claim"))?;
    Ok(found.is_some_and(|found| {
        let is_same = found.uid().unwrap_or_default() == holder(held, HOLDER_UID);
        is_same && account_key(&found).as_deref() == Some(&claim.key) && !has_left(&found)
    }))
}

/// Whether any account of a namespace but `except` is reached through a service account.
async fn is_used(ctx: &Context, key: &str, namespace: &str, except: Option<&str>) -> Result<bool, Failure> {
    let api: Api<CloudAccount> = Api::namespaced(ctx.client.clone(), namespace);
    let found = api.list(&ListParams::default()).await.map_err(Failure::kubernetes("list the holders of a claim"))?;
    let uses = |found: &CloudAccount| service_account_key(found).as_deref() == Some(key) && !has_left(found);
    Ok(found.items.iter().any(|found| uses(found) && found.uid().as_deref() != except))
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

fn document(account: &CloudAccount, name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([
            (HOLDER_NAMESPACE.to_owned(), account.namespace().unwrap_or_default()),
            (HOLDER_NAME.to_owned(), account.name_any()),
            (HOLDER_UID.to_owned(), account.uid().unwrap_or_default()),
        ])),
        ..ConfigMap::default()
    }
}
