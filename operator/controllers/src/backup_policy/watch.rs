//! Watching: recovery points and jobs of the clouds are read, joined with the inventories, and what was found is kept in the store.

use std::io::{BufWriter, Write};

use bytes::Bytes;
use caretaker_api::backup_policy::{ProtectionStatus, RestoreTestStatus};
use caretaker_api::cloud_account::Capability;
use caretaker_api::condition::ConditionType;
use caretaker_api::{BackupPolicy, CloudAccount};
use caretaker_cloud::Purpose;
use caretaker_core::backup_policy::evidence::{coverage_file, day_file, folder, since_file};
use caretaker_core::backup_policy::protection::{Join, Since, jobs_since};
use caretaker_core::backup_policy::recovery::Recovery;
use caretaker_core::backup_policy::{cloud_of, object_name, regions_of};
use caretaker_core::conditions::is_true_at;
use caretaker_engine::Failure;
use caretaker_store::StoreError;
use caretaker_store::inventory::read;
use kube::ResourceExt;
use tempfile::NamedTempFile;

use super::is_proven;
use super::prove::prove;
use crate::access::{client_of, enter};
use crate::context::Context;

/// What can be restored, and what came of restore tests where they are asked for.
pub type Found = (ProtectionStatus, Option<RestoreTestStatus>);

/// Reads everything and says what can be restored. What could not be read or kept stands in it, and makes nothing True.
///
/// # Errors
/// A call to the API server failed.
pub async fn watch(ctx: &Context, policy: &BackupPolicy) -> Result<Found, Failure> {
    let (client, namespace, now) = (client_of(policy), policy.namespace().unwrap_or_default(), ctx.now());
    let mut recovery = Recovery::new(&object_name(&client, &policy.name_any()), now);
    let (mut accounts, mut unread) = (Vec::new(), Vec::new());
    for name in &policy.spec.accounts {
        let Some(account) = ctx.find::<CloudAccount>(&namespace, name).await? else { continue };
        match points(ctx, policy, &account, &mut recovery).await? {
            Ok(()) => {}
            Err(why) => unread.push(format!("account {name}: {why}")),
        }
        accounts.push(account);
    }
    let folder = folder(&client, &policy.name_any());
    let (before, is_kept) = match since(ctx, &folder).await {
        Ok(before) => (before, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let evidence = std::mem::take(&mut recovery.evidence);
    let mut join = Join::new(policy, &mut recovery, (before, now));
    let verdicts = NamedTempFile::new().map_err(|error| Failure::local("write the verdicts", error))?;
    let written = lines(ctx, &accounts, (&mut join, &verdicts), &mut unread).await;
    written.map_err(|error| Failure::local("write the verdicts", error))?;
    let mut joined = join.finish(unread);
    let kept = async {
        is_kept?;
        for day in evidence.days() {
            let address = day_file(&folder, day);
            let held = text(ctx.store.get(&address).await)?;
            if let Some(merged) = evidence.merged(day, &held.unwrap_or_default()) {
                ctx.store.put(&address, Bytes::from(merged)).await?;
            }
        }
        ctx.store.put_file(&coverage_file(&folder), verdicts.path()).await?;
        let bytes = serde_json::to_vec(&joined.since).map_err(|error| StoreError::local("keep what has no recovery point", error))?;
        ctx.store.put(&since_file(&folder), bytes.into()).await
    };
    match kept.await {
        Ok(()) => joined.status.address = Some(coverage_file(&folder)),
        // Evidence that nobody keeps is none: nothing is True until it can be kept again.
        Err(error) => joined.status.unread.push(format!("what was read cannot be kept: {error}")),
    }
    joined.status.inventories = caretaker_core::backup_policy::protection::inventories(&accounts);
    let restores = match &joined.sample {
        Some(sample) => Some(prove(ctx, policy, &accounts, sample).await?),
        None => None,
    };
    Ok((joined.status, restores))
}

/// Reads the points of one account, region by region: one that refuses stops no other. `Err` says why nothing at all could be asked.
async fn points(
    ctx: &Context,
    policy: &BackupPolicy,
    account: &CloudAccount,
    recovery: &mut Recovery,
) -> Result<Result<(), String>, Failure> {
    if !is_proven(account) {
        return Ok(Err("access is not proven yet".into()));
    }
    let way = match enter(ctx, account).await? {
        Ok(Some(way)) => way,
        Ok(None) => return Ok(Err("access is not proven yet".into())),
        Err(fault) => return Ok(Err(fault.message)),
    };
    let link = match way.connector.connect(&way.grant, Purpose::Read).await {
        Ok(link) => link,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let since = jobs_since(policy, ctx.now());
    for region in &regions_of(&policy.spec.terms, cloud_of(&account.spec.target)) {
        recovery.begin(&account.name_any(), region);
        let came = link.recovery(region, since, recovery).await;
        recovery.end(came);
    }
    Ok(Ok(()))
}

/// Joins every line of the accounts' inventories, one shard in memory at a time.
async fn lines(
    ctx: &Context,
    accounts: &[CloudAccount],
    (join, verdicts): (&mut Join<'_>, &NamedTempFile),
    unread: &mut Vec<String>,
) -> std::io::Result<()> {
    let mut file = BufWriter::new(verdicts.reopen()?);
    for account in accounts {
        let (name, status) = (account.name_any(), account.status.clone().unwrap_or_default());
        let Some(inventory) = &status.inventory else {
            unread.push(format!("account {name}: its inventory was not read yet"));
            continue;
        };
        if !is_true_at(&status.conditions, ConditionType::InventoryComplete, account.metadata.generation) {
            unread.push(format!("account {name}: its inventory is not complete, so that something may be missing here"));
        }
        let may_write = account.spec.allow.contains(&Capability::Backup);
        let taken = read(&ctx.store, inventory, |line| match join.take((&name, may_write), &line) {
            Some(text) => writeln!(file, "{text}"),
            None => Ok(()),
        });
        if let Err(error) = taken.await {
            unread.push(format!("account {name}: its inventory cannot be read: {error}"));
        }
    }
    file.flush()
}

/// Since when assets have no recovery point; `None` where that was never noted.
async fn since(ctx: &Context, folder: &str) -> Result<Option<Since>, StoreError> {
    let address = since_file(folder);
    let Some(held) = text(ctx.store.get(&address).await)? else { return Ok(None) };
    // Read as nothing, it would let every asset wait anew for its first point.
    let damaged = |error| StoreError::Damaged(format!("{address}: {error}; remove it, and each wait for a first point begins anew"));
    serde_json::from_str(&held).map(Some).map_err(damaged)
}

fn text(held: Result<Bytes, StoreError>) -> Result<Option<String>, StoreError> {
    match held {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
