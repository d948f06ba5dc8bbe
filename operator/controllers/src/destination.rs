//! The client's own destination of bundles: opens it, tries it, and delivers to it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use caretaker_api::ManagedClient;
use caretaker_api::destination::{Destination, DestinationStatus};
use caretaker_api::exit_terms::CertificateDelivery;
use caretaker_bundle::{sha256_file, signature_path, statement_path};
use caretaker_core::handover::redact;
use caretaker_core::ledger::{Body, WriteState};
use caretaker_core::managed_client::destination::destination as wanted;
use caretaker_core::messages::steady;
use caretaker_core::ownership::Kind;
use caretaker_engine::Failure;
use caretaker_store::{Store, StoreError};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::access::own_secret;
use crate::context::Context;
use crate::ledger::Scribe;

/// Longest try of a destination: it must not keep a client's visit.
const PATIENCE: Duration = Duration::from_secs(20);
/// The small object that a try leaves: a bucket that lets us write need not let us delete.
const PROBE: &str = "caretaker-probe.txt";
const PROBE_TEXT: &str = "Caretaker tries here each day whether a handover bundle could be delivered. This object may be deleted.\n";

async fn open(ctx: &Context, destination: &Destination) -> Result<Result<Store, String>, Failure> {
    let options: Vec<(String, String)> = match &destination.secret_name {
        None => std::env::vars().collect(),
        Some(name) => {
            let Some(secret) = own_secret(ctx, name).await? else {
                return Ok(Err(format!("Secret {name} does not exist in namespace {}", ctx.namespace)));
            };
            let data: BTreeMap<_, _> = secret.data.unwrap_or_default();
            data.into_iter().map(|(key, value)| (key, String::from_utf8_lossy(&value.0).trim().to_owned())).collect()
        }
    };
    Ok(Store::open_with(&destination.url, options).map(|store| store.guarded_as(&ctx.store)).map_err(|error| error.to_string()))
}

/// Tries a destination with a small object. The ledger is told before the first try of a destination that it is tried from now on, and after a try that came
/// to something new.
///
/// # Errors
/// A call to the API server failed, or the ledger takes no entry; then nothing was tried. What the destination says is no error, but told.
pub async fn attempt(ctx: &Context, client: &ManagedClient, destination: &Destination) -> Result<DestinationStatus, Failure> {
    let last = client.status.as_ref().and_then(|status| status.destination.as_ref()).filter(|last| last.destination == *destination);
    let scribe = Scribe::new(ctx, client, Kind::ManagedClient, client);
    let entry = |state: WriteState, detail: &str| {
        let what = format!("write the small object {PROBE} each day, and each ten minutes while it is refused");
        (String::new(), Body::Destination { to: destination.url.clone(), what, state, detail: detail.into() })
    };
    if last.is_none() {
        scribe.write(vec![entry(WriteState::Intended, "")]).await?;
    }
    let fault = put_small(ctx, destination, &[(PROBE, &Bytes::from_static(PROBE_TEXT.as_bytes()))]).await?;
    if last.is_none_or(|last| last.fault != fault) {
        let state = if fault.is_empty() { WriteState::Done } else { WriteState::Failed };
        scribe.write(vec![entry(state, &fault)]).await?;
    }
    Ok(DestinationStatus { destination: destination.clone(), tried_at: Some(Time(ctx.now())), fault })
}

/// Puts small objects into a destination, in their order. Says why it could not; empty where it could.
async fn put_small(ctx: &Context, destination: &Destination, objects: &[(&str, &Bytes)]) -> Result<String, Failure> {
    let fault = match open(ctx, destination).await? {
        Err(fault) => fault,
        Ok(store) => {
            let put = async {
                for (name, bytes) in objects {
                    store.put(name, (*bytes).clone()).await?;
                }
                Ok::<(), StoreError>(())
            };
            match tokio::time::timeout(PATIENCE, put).await {
                Ok(Ok(())) => String::new(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
            }
        }
    };
    // Without what changes by itself, such as the ids of requests: the same refusal is told once.
    Ok(steady(&redact::text(&fault)))
}

/// Delivers a sealed file and its signature, the signature first, and reads back what may be read back. Says where it lies; `None` where the client has no
/// destination, and before the contract.
///
/// # Errors
/// The destination does not take it, or gives back something else: the client must correct its bucket, or the provider `spec.exit.destination`.
pub async fn deliver(
    (ctx, scribe): (&Context, &Scribe<'_>),
    client: &ManagedClient,
    (file, name): (&Path, &str),
    sha256: &str,
) -> Result<Option<String>, Failure> {
    let Some(destination) = wanted(client) else { return Ok(None) };
    let to = format!("{}/{name}", destination.url.trim_end_matches('/'));
    let entry = |state: WriteState, detail: String| {
        let what = format!("deliver the bundle with sha256 {sha256}, its signature and its statement");
        vec![(String::new(), Body::Destination { to: to.clone(), what, state, detail })]
    };
    scribe.write(entry(WriteState::Intended, String::new())).await?;
    match put(ctx, destination, (file, name), sha256).await {
        Ok(seen) => {
            scribe.write(entry(WriteState::Done, seen.into())).await?;
            Ok(Some(format!("{to}, {seen}")))
        }
        Err(failure) => {
            scribe.write(entry(WriteState::Failed, failure.to_string())).await?;
            Err(failure)
        }
    }
}

/// Brings the certificate of erasure and its signature to the client's destination, the signature first. Says what came of it; `None` where the client
/// has none.
///
/// # Errors
/// A call to the API server failed, or the ledger takes no entry. What the destination says is no error, but told: the client may have closed its bucket.
pub async fn deliver_certificate(
    ctx: &Context,
    client: &ManagedClient,
    (certificate, signature): (&Bytes, &Bytes),
) -> Result<Option<CertificateDelivery>, Failure> {
    let Some(destination) = wanted(client) else { return Ok(None) };
    let name = format!("caretaker-certificate-{}-{}.json", client.name_any(), client.uid().unwrap_or_default());
    let to = format!("{}/{name}", destination.url.trim_end_matches('/'));
    let scribe = Scribe::new(ctx, client, Kind::ManagedClient, client);
    let entry = |state: WriteState, detail: String| {
        let what = "deliver the certificate of erasure and its signature".to_owned();
        vec![(String::new(), Body::Destination { to: to.clone(), what, state, detail })]
    };
    scribe.write(entry(WriteState::Intended, String::new())).await?;
    let fault = put_small(ctx, destination, &[(&format!("{name}.minisig"), signature), (&name, certificate)]).await?;
    let state = if fault.is_empty() { WriteState::Done } else { WriteState::Failed };
    scribe.write(entry(state, fault.clone())).await?;
    Ok(Some(CertificateDelivery { to, fault }))
}

async fn put(ctx: &Context, destination: &Destination, (file, name): (&Path, &str), sha256: &str) -> Result<&'static str, Failure> {
    let failed = |why: String| {
        let why = redact::text(&why);
        let words = format!("{} takes no bundle: {why}; correct it, or ManagedClient spec.exit.destination", destination.url);
        Failure::local("deliver to the client's destination", words)
    };
    let store = open(ctx, destination).await?.map_err(failed)?;
    let told = |error: StoreError| failed(error.to_string());
    store.put_file(&format!("{name}.minisig"), &signature_path(file)).await.map_err(told)?;
    store.put_file(&format!("{name}.intoto.json"), &statement_path(file)).await.map_err(told)?;
    store.put_file(name, file).await.map_err(told)?;
    let back = tempfile::NamedTempFile::new().map_err(|error| failed(error.to_string()))?;
    let seen = match store.get_file(name, back.path()).await {
        Ok(()) => {
            let digest = sha256_file(back.path()).map_err(|error| failed(error.to_string()))?;
            if digest != sha256 {
                return Err(failed(format!("it gave back other bytes, with the digest {digest}")));
            }
            "and read back"
        }
        // A bucket may let us write and not read: then the client's own check is the proof.
        Err(StoreError::ReadOnly(_)) => "which lets us not read it back",
        Err(error) => return Err(told(error)),
    };
    Ok(seen)
}
