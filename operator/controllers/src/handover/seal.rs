//! Build and seal: the files of the bundle, packed, sealed and signed into a folder of this process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;

use caretaker_api::cloud_account::{CellStatus, InventoryStatus};
use caretaker_api::handover::{BundleStatus, FinalReading, HandoverMode};
use caretaker_api::names::client_namespace;
use caretaker_api::{BackupPolicy, ChangeRequest, Handover, Incident, ManagedClient, MonitoringStack, ProviderProfile, ServiceReport};
use caretaker_bundle::{About, Entry, Mode, SigningKey, Source, count, file_name, portable};
use caretaker_core::handover::acceptance::code_digest;
use caretaker_core::handover::advance::StepResult;
use caretaker_core::handover::contents::{BundleName, Inputs, Withheld};
use caretaker_core::handover::iac::Export;
use caretaker_core::handover::parts::Gap;
use caretaker_core::handover::redact;
use caretaker_core::inventory::{Line, Verdicts, gap};
use caretaker_core::risks::{Risk, World};
use caretaker_documents::handover as documents;
use kube::ResourceExt;
use tempfile::{NamedTempFile, TempPath};

use super::{Sight, incidents, levels};
use crate::access::client_of;
use crate::context::Context;
use crate::ledger;
use crate::signing;
use caretaker_engine::Failure;
use caretaker_store::StoreError;
use caretaker_store::inventory::{LEVEL, Reader, read};

/// Folder of a handover's sealed file in this process.
pub fn stage(handover: &Handover) -> PathBuf {
    std::env::temp_dir().join(format!("caretaker-handover-{}", handover.uid().unwrap_or_default()))
}

/// Removes the sealed file of this process.
pub fn discard(handover: &Handover) {
    // A folder that is not there, or stays, is no harm: it holds nothing but a sealed file.
    let _ = std::fs::remove_dir_all(stage(handover));
}

/// Which bundle a handover makes.
pub fn about(handover: &Handover) -> Option<About> {
    let frozen = handover.status.as_ref()?.frozen.as_ref()?;
    let mode = match handover.spec.mode {
        HandoverMode::Rehearsal => Mode::Rehearsal,
        HandoverMode::Final => Mode::Final,
    };
    Some(About { client: client_of(handover), id: handover.uid()?, mode, at: frozen.at.as_ref()?.0 })
}

/// The bundle's files. The copies live as long as this does; they are closed, since there may be more of them than a process may have open.
struct Files {
    entries: Vec<Entry>,
    gaps: usize,
    code: Option<String>,
    _copies: Vec<TempPath>,
}

async fn files(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<Files, Failure> {
    let status = handover.status.clone().unwrap_or_default();
    let missing = || Failure::local("build the bundle", "the handover is not frozen");
    let (frozen, client, profile, about) = match (&status.frozen, &sight.client, &sight.profile, about(handover)) {
        (Some(frozen), Some(client), Some(profile), Some(about)) => (frozen, client, profile, about),
        _ => return Err(missing()),
    };
    let mut export = Export::new(&sight.accounts, &profile.spec);
    let (mut found, mut readings) = (Gathered::default(), status.readings);
    inventories(ctx, &mut readings, &mut export, &mut found).await?;
    for policy in &sight.policies {
        coverage(ctx, policy, &mut found).await?;
    }
    let (ledger_file, told) = ledger::exported(ctx, client).await?;
    if let Some(file) = ledger_file {
        found.add("08-changes/ledger.ndjson".into(), None, file.into_temp_path());
    }
    levels::add(ctx, client, (&mut found.entries, &mut found.copies, &mut found.gaps)).await?;
    incidents::add(ctx, client, (&mut found.entries, &mut found.copies, &mut found.gaps)).await?;
    let (file, folder) = (file_name(&about), about.folder());
    let code = code(ctx, (profile, &about)).await?;
    let copied: Vec<String> = found.entries.iter().map(|entry| entry.path.clone()).collect();
    let inputs = Inputs {
        mode: handover.spec.mode,
        bundle: BundleName { file: &file, folder: &folder },
        frozen,
        client,
        profile,
        accounts: &sight.accounts,
        readings: &readings,
        monitoring: &sight.monitoring,
        policies: &sight.policies,
        export: &export,
        further_gaps: &found.gaps,
        copied: &copied,
        withheld: &found.withheld,
        acceptance_code: code.as_deref(),
        ledger: told.as_ref(),
        risks: &risks(ctx, client, sight),
    };
    let files = inputs.files().into_iter().chain(documents::files(&inputs));
    found.entries.extend(files.map(|(path, text)| Entry::text(path, text)));
    let gaps = inputs.gaps().len();
    Ok(Files { entries: found.entries, gaps, code, _copies: found.copies })
}

/// What is not as it should be at this moment. That an exit is made is none of it.
fn risks(ctx: &Context, client: &ManagedClient, sight: &Sight) -> Vec<Risk> {
    let namespace = client_namespace(&client.name_any());
    let within = Some(namespace.as_str());
    let world = World {
        client,
        accounts: &sight.accounts,
        backups: &sight.policies,
        monitoring: &ctx.cache.list_typed::<MonitoringStack>(within),
        reports: &ctx.cache.list_typed::<ServiceReport>(within),
        changes: &ctx.cache.list_typed::<ChangeRequest>(within),
        incidents: &ctx.cache.list_typed::<Incident>(within),
        handovers: &[],
    };
    caretaker_core::risks::risks(&world, ctx.now())
}

/// What is copied out of the store.
#[derive(Default)]
struct Gathered {
    entries: Vec<Entry>,
    copies: Vec<TempPath>,
    gaps: Vec<Gap>,
    withheld: Vec<Withheld>,
}

impl Gathered {
    fn add(&mut self, path: String, true_name: Option<String>, copy: TempPath) {
        self.entries.push(Entry { path, true_name, source: Source::File(copy.to_path_buf()) });
        self.copies.push(copy);
    }
}

/// The inventories, and the code that imports what is in them; a gap for each that the store has lost.
async fn inventories(ctx: &Context, readings: &mut [FinalReading], export: &mut Export, found: &mut Gathered) -> Result<(), Failure> {
    for reading in readings {
        let Some(inventory) = &mut reading.inventory else { continue };
        let written = async {
            untold(ctx, inventory).await?;
            lines(ctx, inventory, export).await
        };
        match written.await {
            Ok((file, names)) => {
                let of = |(name, assets)| Withheld { account: reading.account.clone(), name, assets };
                found.withheld.extend(names.into_iter().map(of));
                let path = format!("02-inventory/{}.ndjson.zst", portable(&reading.account));
                found.add(path, Some(reading.account.clone()), file.into_temp_path());
            }
            Err(error) if error.is_loss() => found.gaps.push(lost(&reading.account, &error)),
            Err(error) => return Err(Failure::store(error)),
        }
    }
    Ok(())
}

/// The code by which the client accepts a final bundle.
async fn code(ctx: &Context, (profile, about): (&ProviderProfile, &About)) -> Result<Option<String>, Failure> {
    if about.mode != Mode::Final {
        return Ok(None);
    }
    let code = caretaker_bundle::acceptance_code(&key(ctx, profile).await?, &about.id);
    code.map(Some).map_err(|error| Failure::local("make the code of the acceptance", error))
}

async fn key(ctx: &Context, profile: &ProviderProfile) -> Result<SigningKey, Failure> {
    signing::load(ctx, profile).await?.map_err(|fault| Failure::local("sign the bundle", format!("{}: {}", fault.field, fault.message)))
}

/// All gaps and notes of a reading: the handover's status holds none, and an account's only the worst. An inventory of an earlier release has them in the
/// status.
async fn untold(ctx: &Context, inventory: &mut InventoryStatus) -> Result<(), StoreError> {
    let mut verdicts = Verdicts::default();
    Reader::open(&ctx.store, inventory).await?.cells().iter().for_each(|cell| verdicts.take(cell.clone()));
    let found: Vec<CellStatus> = verdicts.cells().into_iter().filter_map(gap).collect();
    if !found.is_empty() {
        inventory.coverage.gaps = found;
    }
    inventory.coverage.notes = verdicts.notes();
    Ok(())
}

/// The inventory as the receiver gets it, with the number of assets by tag or fact whose value is withheld.
type Written = (NamedTempFile, BTreeMap<String, u64>);

/// The inventory as the receiver gets it: one file with one line for each asset, without secrets.
async fn lines(ctx: &Context, inventory: &InventoryStatus, export: &mut Export) -> Result<Written, StoreError> {
    let local = |error: std::io::Error| StoreError::local("write an inventory", error);
    let file = NamedTempFile::new().map_err(local)?;
    let mut encoder = zstd::Encoder::new(BufWriter::new(file.reopen().map_err(local)?), LEVEL).map_err(local)?;
    let mut withheld = BTreeMap::new();
    read(&ctx.store, inventory, |mut line| {
        redact::asset(&mut line.asset).into_iter().for_each(|name| *withheld.entry(name).or_default() += 1);
        serde_json::to_writer(&mut encoder, &line)?;
        encoder.write_all(b"\n")
    })
    .await?;
    encoder.finish().and_then(|mut writer| writer.flush()).map_err(local)?;
    // In a pass of its own: an inventory that turns out to be lost half-way leaves nothing in another part of the bundle.
    let decoder = zstd::Decoder::new(std::fs::File::open(file.path()).map_err(local)?).map_err(local)?;
    for line in BufReader::new(decoder).lines() {
        let line: Line = serde_json::from_str(&line.map_err(local)?).map_err(|error| local(error.into()))?;
        export.add(&line.asset);
    }
    Ok((file, withheld))
}

/// The verdict on each asset of a policy, as it stands in the store; a gap where the store has lost it, and nothing where none was written.
async fn coverage(ctx: &Context, policy: &BackupPolicy, found: &mut Gathered) -> Result<(), Failure> {
    let (name, of) = (policy.name_any(), policy.status.as_ref());
    let Some(address) = of.and_then(|of| of.protection.as_ref()?.address.as_ref()) else { return Ok(()) };
    let file = NamedTempFile::new().map_err(|error| Failure::local("copy the verdicts on backups", error))?.into_temp_path();
    match ctx.store.get_file(address, &file).await {
        Ok(()) => found.add(format!("06-backup/coverage/{}.ndjson", portable(&name)), Some(name), file),
        Err(error) if error.is_loss() => {
            found.gaps.push(Gap::new("06-backup", format!("the verdict on each asset is lost: {error}")).of(name));
        }
        Err(error) => return Err(Failure::store(error)),
    }
    Ok(())
}

fn lost(account: &str, error: &StoreError) -> Gap {
    Gap::new("02-inventory", format!("the inventory file is lost: {error}")).of(account)
}

/// Gathers the files once, so that what cannot be built is known before anything is sealed.
pub async fn build(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<StepResult, Failure> {
    let files = files(ctx, handover, sight).await?;
    Ok(StepResult::Built(count(&files.entries).map_err(|fault| Failure::local("build the bundle", fault))?))
}

/// Packs, seals and signs.
pub async fn seal(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<StepResult, Failure> {
    let (Some(about), Some(profile), Some(frozen)) =
        (about(handover), &sight.profile, handover.status.as_ref().and_then(|status| status.frozen.clone()))
    else {
        return Err(Failure::local("seal the bundle", "the handover is not frozen"));
    };
    let key = key(ctx, profile).await?;
    let files = files(ctx, handover, sight).await?;
    let folder = stage(handover);
    discard(handover);
    std::fs::create_dir_all(&folder).map_err(|error| Failure::local("make a folder for the bundle", error))?;
    let gaps = u32::try_from(files.gaps).unwrap_or(u32::MAX);
    let code_sha256 = files.code.as_deref().map(code_digest).unwrap_or_default();
    let named = about.clone();
    let sealed = tokio::task::spawn_blocking(move || {
        let sealed = caretaker_bundle::seal(&folder, &about, &files.entries, &frozen.recipients, &key);
        drop(files);
        sealed
    })
    .await
    .map_err(|error| Failure::local("seal the bundle", error))?
    .map_err(|error| Failure::local("seal the bundle", error))?;
    Ok(StepResult::Sealed(BundleStatus {
        id: named.id.clone(),
        sha256: sealed.sha256,
        tar_sha256: sealed.tar_sha256,
        size_bytes: sealed.size_bytes,
        address: super::deliver::address(&named),
        recipients: u32::try_from(sealed.recipients).unwrap_or(u32::MAX),
        gaps,
        code_sha256,
    }))
}
