//! Erases what the provider holds of a client that has left, and certifies it.

use bytes::Bytes;
use caretaker_api::exit_terms::{DataStore, DispositionAction, StoreErasure};
use caretaker_api::names::client_namespace;
use caretaker_api::{ManagedClient, ProviderProfile};
use caretaker_bundle::{SigningKey, is_signed};
use caretaker_core::digest::sha256_hex;
use caretaker_core::ledger::{Body, WriteState};
use caretaker_core::managed_client::erasure::{self, Certified, Erased, Erasing, Proof};
use caretaker_core::monitoring_stack::CLAIMS;
use caretaker_core::ownership::Kind;
use caretaker_engine::{Failure, apply};
use caretaker_store::ledger::places;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Preconditions};

use crate::context::Context;
use crate::destination;
use crate::ledger::Scribe;
use crate::signing;

/// Objects of the store that one visit removes: it must end within seconds.
const AT_MOST: usize = 2000;
/// Removals at once.
const AT_ONCE: usize = 8;
const CERTIFY: &str = "make the certificate of erasure";

/// Erases one kind of data after the other, as far as one visit comes, and makes the certificate once nothing is left. What a killed process left undone is
/// found by listing again. What was erased before a failure is told: it is not done, nor written into the ledger, a second time.
pub async fn act(ctx: &Context, client: &ManagedClient, erasing: &Erasing) -> (Erased, Option<Failure>) {
    let mut erased = Erased::default();
    let failure = go_on(ctx, client, (erasing, &mut erased)).await.err();
    erased.stopped = failure.as_ref().map(ToString::to_string);
    (erased, failure)
}

async fn go_on(ctx: &Context, client: &ManagedClient, (erasing, erased): (&Erasing, &mut Erased)) -> Result<(), Failure> {
    // A watch that is behind must not erase what a hold of this moment keeps.
    let now = ctx.fetch::<ManagedClient>("", &client.name_any()).await?;
    if now.is_none_or(|now| now.uid() != client.uid() || now.spec.exit != client.spec.exit) {
        return Ok(());
    }
    alone(ctx, client).await?;
    for store in &erasing.due {
        let found = erase(ctx, client, *store).await?;
        let is_done = found.erased_at.is_some();
        erased.stores.push(found);
        if !is_done {
            return Ok(());
        }
    }
    erased.certificate = Some(certify(ctx, client, (&erasing.proof, &erased.stores)).await?);
    Ok(())
}

/// Folders bear the client's name: where an earlier client of the same name has left something, which of it is whose cannot be told, and some of it may have
/// to be kept.
async fn alone(ctx: &Context, client: &ManagedClient) -> Result<(), Failure> {
    let (name, uid) = (client.name_any(), client.uid().unwrap_or_default());
    let ledgers = places(&ctx.store, &name).await.map_err(Failure::store)?;
    let closing = format!("clients/{name}/closing/");
    let closed = ctx.store.list(&closing).await.map_err(Failure::store)?;
    let of = |address: &String| address.strip_prefix(&closing)?.split('/').next().map(str::to_owned);
    match ledgers.into_iter().map(|place| place.uid).chain(closed.iter().filter_map(of)).find(|other| *other != uid) {
        None => Ok(()),
        Some(other) => {
            let words = format!(
                "clients/{name} in the store holds data of an earlier client of this name (UID {other}), which may have to be kept: move the folders of both \
                 apart by hand first"
            );
            Err(Failure::local("erase a client's data", words))
        }
    }
}

async fn erase(ctx: &Context, client: &ManagedClient, store: DataStore) -> Result<StoreErasure, Failure> {
    let (folder, kind) = erasure::place(client, store);
    let stored = stored(ctx, folder.as_deref()).await?;
    let objects = kind.map(|kind| ctx.cache.list(kind.as_str(), Some(&client_namespace(&client.name_any())))).unwrap_or_default();
    let claims = if store == DataStore::Monitoring { claims(ctx, client).await? } else { Vec::new() };
    let scribe = Scribe::new(ctx, client, Kind::ManagedClient, client);
    let count = u64::try_from(stored.len() + objects.len() + claims.len()).unwrap_or(u64::MAX);
    let told = scribe.erasure(store).await?;
    let (objects_found, bytes) = match told {
        Some(told) => (told.objects, told.bytes),
        None if count == 0 => (0, 0),
        None => {
            let bytes = stored.iter().map(|(_, bytes)| bytes).sum();
            scribe.write(vec![(String::new(), Body::Erasure { store, state: WriteState::Intended, objects: count, bytes })]).await?;
            (count, bytes)
        }
    };
    if let Some(kind) = kind {
        for object in objects.iter().filter(|object| object.metadata.deletion_timestamp.is_none()) {
            apply::delete_child(ctx, kind.as_str(), object).await?;
        }
    }
    // Not before what writes into them is on its way out: a StatefulSet makes a claim that is missing anew.
    if objects.is_empty() {
        give_back(ctx, client, &claims).await?;
    }
    remove(ctx, &stored).await?;
    let (action, reason) = erasure::disposition(client, store);
    let mut found = StoreErasure { store, action, reason, objects: objects_found, bytes, erased_at: None };
    // An object of the cluster that is still there has a finalizer to go through; the next visit sees it gone.
    if objects.is_empty() && claims.is_empty() && self::stored(ctx, folder.as_deref()).await?.is_empty() {
        // A process that died before the status had it has told the ledger already.
        if count > 0 || !told.is_some_and(|told| told.is_done) {
            let done = Body::Erasure { store, state: WriteState::Done, objects: objects_found, bytes };
            scribe.write(vec![(String::new(), done)]).await?;
        }
        found.erased_at = Some(Time(ctx.now()));
    }
    Ok(found)
}

/// The volume claims of the client's Prometheus and Alertmanager, those on their way out too: a claim goes when no pod uses it any more.
async fn claims(ctx: &Context, client: &ManagedClient) -> Result<Vec<PersistentVolumeClaim>, Failure> {
    let namespace = client_namespace(&client.name_any());
    let api: Api<PersistentVolumeClaim> = Api::namespaced(ctx.client.clone(), &namespace);
    let found = api.list(&ListParams::default()).await.map_err(Failure::kubernetes(format!("list the volume claims of {namespace}")))?;
    Ok(found.items.into_iter().filter(|claim| CLAIMS.contains(&claim.name_any().as_str())).collect())
}

async fn give_back(ctx: &Context, client: &ManagedClient, claims: &[PersistentVolumeClaim]) -> Result<(), Failure> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(ctx.client.clone(), &client_namespace(&client.name_any()));
    for claim in claims.iter().filter(|claim| claim.metadata.deletion_timestamp.is_none()) {
        let name = claim.name_any();
        let only_this = Preconditions { uid: claim.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(only_this), ..DeleteParams::background() };
        match api.delete(&name, &params).await {
            Ok(_) => ctx.metrics.write("PersistentVolumeClaim", "delete"),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Failure::kubernetes(format!("delete volume claim {name}"))(error)),
        }
    }
    Ok(())
}

/// Addresses and sizes of what is in a folder of the store.
async fn stored(ctx: &Context, folder: Option<&str>) -> Result<Vec<(String, u64)>, Failure> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    ctx.store.list_sized(folder).await.map_err(Failure::store)
}

async fn remove(ctx: &Context, stored: &[(String, u64)]) -> Result<(), Failure> {
    let addresses: Vec<String> = stored.iter().take(AT_MOST).map(|(address, _)| address.clone()).collect();
    let removals = addresses.into_iter().map(|address| async move { ctx.store.delete(&address).await });
    futures::stream::iter(removals).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map_err(Failure::store)?;
    Ok(())
}

/// Makes the certificate, signs it, puts both into the store, the signature first, and brings them to the client's destination. A process that died before the
/// status had the certificate has made it already: that one counts.
async fn certify(ctx: &Context, client: &ManagedClient, (proof, now): (&Proof, &[StoreErasure])) -> Result<Certified, Failure> {
    let all: Vec<String> =
        stored(ctx, Some(&format!("clients/{}", client.name_any()))).await?.into_iter().map(|(address, _)| address).collect();
    if let Some(first) = erasure::left_over(client, &all).first() {
        let why = format!("the store still has {first}, which belongs to nothing that is kept: remove it by hand");
        return Err(Failure::local(CERTIFY, why));
    }
    let address = erasure::certificate_address(client);
    let beside = format!("{address}.minisig");
    let profile = ctx.fetch::<ProviderProfile>("", &client.spec.provider_profile).await?;
    let missing = || Failure::local(CERTIFY, format!("ProviderProfile {} does not exist", client.spec.provider_profile));
    let key = signing::load(ctx, &profile.ok_or_else(missing)?).await?.map_err(|fault| Failure::local(CERTIFY, fault.message))?;
    let held = if all.contains(&address) && all.contains(&beside) {
        let held = (ctx.store.get(&address).await.map_err(Failure::store)?, ctx.store.get(&beside).await.map_err(Failure::store)?);
        // What anybody else put there is replaced.
        Some(held).filter(|(bytes, signature)| is_signed(bytes, &String::from_utf8_lossy(signature), key.public()))
    } else {
        None
    };
    let (bytes, signature) = match held {
        Some(held) => held,
        None => {
            let (bytes, signature) = signed(client, (proof, now), &key, ctx.now())?;
            ctx.store.put(&beside, signature.clone()).await.map_err(Failure::store)?;
            ctx.store.put(&address, bytes.clone()).await.map_err(Failure::store)?;
            (bytes, signature)
        }
    };
    let sha256 = sha256_hex(&bytes);
    let scribe = Scribe::new(ctx, client, Kind::ManagedClient, client);
    scribe.write(vec![(String::new(), Body::Certified { address: address.clone(), sha256: sha256.clone() })]).await?;
    let delivery = destination::deliver_certificate(ctx, client, (&bytes, &signature)).await?;
    Ok(Certified { address, sha256, delivery })
}

/// The certificate of what was erased, and the provider's signature of it.
fn signed(
    client: &ManagedClient,
    (proof, stores): (&Proof, &[StoreErasure]),
    key: &SigningKey,
    now: Timestamp,
) -> Result<(Bytes, Bytes), Failure> {
    let local = |error: String| Failure::local(CERTIFY, error);
    let all = erasure::ORDER.into_iter().map(|store| {
        let (action, reason) = erasure::disposition(client, store);
        let known = stores.iter().find(|known| known.store == store).or_else(|| erasure::recorded(client, store));
        let kept = StoreErasure { store, action: DispositionAction::Retain, reason: String::new(), objects: 0, bytes: 0, erased_at: None };
        StoreErasure { action, reason, ..known.cloned().unwrap_or(kept) }
    });
    let certificate = erasure::certificate(client, proof, all.collect(), now);
    let bytes = serde_json::to_vec_pretty(&certificate).map_err(|error| local(error.to_string()))?;
    let (uid, sha256) = (client.uid().unwrap_or_default(), sha256_hex(&bytes));
    let comment = format!("caretaker certificate client={} uid={uid} sha256={sha256}", client.name_any());
    let signature = key.sign(&bytes, &comment).map_err(|error| local(error.to_string()))?;
    Ok((bytes.into(), signature.into()))
}
