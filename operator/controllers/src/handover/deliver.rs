//! Deliver, read back, verify.

use caretaker_api::Handover;
use caretaker_bundle::{About, PublicKey, file_name, sha256_file, signature_path, statement_path, verify_outer};
use caretaker_core::handover::advance::StepResult;

use super::Sight;
use super::seal::{about, discard, stage};
use crate::context::Context;
use crate::destination;
use crate::ledger::Scribe;
use caretaker_engine::Failure;
use caretaker_store::StoreError;

/// Address of a bundle in the store. The same handover always delivers to the same address: a second bundle cannot come to be.
pub fn address(about: &About) -> String {
    format!("clients/{}/handovers/{}/{}", about.client, about.id, file_name(about))
}

/// Puts the sealed file, its signature and its statement into the store, and into the client's own destination where it has one; the sealed file last, so
/// that a bundle is never there without a signature.
pub async fn deliver(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<StepResult, Failure> {
    let (Some(about), Some(bundle)) = (about(handover), handover.status.as_ref().and_then(|status| status.bundle.clone())) else {
        return Ok(StepResult::StageLost);
    };
    let file = stage(handover).join(file_name(&about));
    let signature = signature_path(&file);
    // Another process sealed it, or this one was restarted: what is not byte for byte the recorded bundle is not delivered.
    let statement = statement_path(&file);
    if !signature.exists() || !statement.exists() || !sha256_file(&file).is_ok_and(|digest| digest == bundle.sha256) {
        return Ok(StepResult::StageLost);
    }
    let target = address(&about);
    ctx.store.put_file(&format!("{target}.minisig"), &signature).await.map_err(Failure::store)?;
    ctx.store.put_file(&format!("{target}.intoto.json"), &statement).await.map_err(Failure::store)?;
    ctx.store.put_file(&target, &file).await.map_err(Failure::store)?;
    let also = match &sight.client {
        Some(client) => {
            destination::deliver((ctx, &Scribe::of(ctx, client, handover)), client, (&file, &file_name(&about)), &bundle.sha256).await?
        }
        None => None,
    };
    Ok(StepResult::Delivered(also))
}

/// Reads the bundle back from the store and verifies digest and signature.
pub async fn verify(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<StepResult, Failure> {
    let (Some(about), Some(bundle)) = (about(handover), handover.status.as_ref().and_then(|status| status.bundle.clone())) else {
        return Ok(StepResult::StageLost);
    };
    let signing = sight.profile.as_ref().and_then(|profile| profile.status.as_ref()?.signing.clone());
    let key = signing.ok_or_else(|| Failure::local("verify the bundle", "the ProviderProfile shows no public key yet"))?;
    let key = PublicKey::from_base64(&key.public_key).map_err(|error| Failure::local("verify the bundle", error))?;
    let folder = tempfile::tempdir().map_err(|error| Failure::local("make a temporary folder", error))?;
    let file = folder.path().join(file_name(&about));
    ctx.store.get_file(&bundle.address, &file).await.map_err(Failure::store)?;
    ctx.store.get_file(&format!("{}.minisig", bundle.address), &signature_path(&file)).await.map_err(Failure::store)?;
    match ctx.store.get_file(&format!("{}.intoto.json", bundle.address), &statement_path(&file)).await {
        // An earlier release delivered it, and was replaced before it was read back.
        Ok(()) | Err(StoreError::NotFound(_)) => {}
        Err(error) => return Err(Failure::store(error)),
    }
    let digest = sha256_file(&file).map_err(|error| Failure::local("read the bundle back", error))?;
    if digest != bundle.sha256 {
        return Ok(StepResult::NotVerified(format!("its digest is {digest}")));
    }
    let verdict =
        tokio::task::spawn_blocking(move || verify_outer(&file, &key)).await.map_err(|error| Failure::local("verify the bundle", error))?;
    match verdict {
        Ok(found) if found == about => {
            discard(handover);
            Ok(StepResult::Verified)
        }
        Ok(_) => Ok(StepResult::NotVerified("it is another handover's bundle".into())),
        Err(verdict) => Ok(StepResult::NotVerified(verdict.to_string())),
    }
}
