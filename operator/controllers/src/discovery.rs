//! One reading of an account into the store: assets are streamed to a file, what an incomplete cell did not show is taken over from the last reading,
//! and the file is stored under its digest.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, BufWriter, Write};

use async_trait::async_trait;
use caretaker_api::cloud_account::InventoryStatus;
use caretaker_cloud::{Asset, AssetSink, Cell, CloudError, CloudLink, ErrorClass, Scope};
use caretaker_core::inventory::{Counts, Verdicts};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::store::{Store, StoreError};

/// zstd's level for inventories: they are written often and read seldom.
const LEVEL: i32 = 3;
/// Logarithm of zstd's window: what looks alike in an inventory stands close together, and many accounts are read at the same time.
const WINDOW_LOG: u32 = 17;

/// What is read, and where it goes.
pub struct Reading<'a> {
    /// The store.
    pub store: &'a Store,
    /// The client.
    pub client: &'a str,
    /// The CloudAccount.
    pub account: &'a str,
    /// What to read.
    pub scope: Scope,
    /// The last inventory.
    pub last: Option<&'a InventoryStatus>,
    /// The time of the reading.
    pub now: Timestamp,
}

/// Why there is no new inventory.
#[derive(Debug)]
pub enum NotRead {
    /// The cloud: not even the cells could be planned.
    Cloud(CloudError),
    /// Store or disk.
    Failed(Failure),
}

type Encoder = zstd::Encoder<'static, BufWriter<std::fs::File>>;

struct FileSink {
    encoder: Encoder,
    seen: HashSet<String>,
    counts: Counts,
    verdicts: Verdicts,
}

impl FileSink {
    fn write(&mut self, asset: &Asset) -> std::io::Result<()> {
        if !self.seen.insert(format!("{}/{}/{}", asset.region, asset.native_type, asset.id)) {
            return Ok(());
        }
        self.counts.add(asset);
        serde_json::to_writer(&mut self.encoder, asset)?;
        self.encoder.write_all(b"\n")
    }
}

#[async_trait]
impl AssetSink for FileSink {
    async fn asset(&mut self, asset: Asset) -> caretaker_cloud::Result<()> {
        self.write(&asset).map_err(|error| CloudError::new(ErrorClass::Sink, "write the inventory", error.to_string()))
    }

    async fn cell(&mut self, cell: Cell) -> caretaker_cloud::Result<()> {
        self.verdicts.take(cell);
        Ok(())
    }
}

/// Reads an account and stores its inventory.
///
/// # Errors
/// The cells could not be planned, or the store failed; the last inventory stays then.
pub async fn run(link: &dyn CloudLink, reading: &Reading<'_>) -> Result<InventoryStatus, NotRead> {
    let local = |error: std::io::Error| NotRead::Failed(Failure::local("write the inventory to a temporary file", error));
    let file = NamedTempFile::new().map_err(local)?;
    let mut encoder = zstd::Encoder::new(BufWriter::new(file.reopen().map_err(local)?), LEVEL).map_err(local)?;
    encoder.window_log(WINDOW_LOG).map_err(local)?;
    let mut sink = FileSink { encoder, seen: HashSet::new(), counts: Counts::default(), verdicts: Verdicts::default() };
    link.discover(&reading.scope, &mut sink).await.map_err(NotRead::Cloud)?;
    keep_unseen(&mut sink, reading).await?;
    let coverage = sink.verdicts.coverage();
    let cells = serde_json::to_vec_pretty(&sink.verdicts.cells()).unwrap_or_default();
    sink.encoder.finish().and_then(|mut writer| writer.flush()).map_err(local)?;
    let digest = caretaker_bundle::sha256_file(file.path()).map_err(local)?;
    let folder = folder(reading.client, reading.account);
    let address = format!("{folder}/{digest}.ndjson.zst");
    reading.store.put_file(&address, file.path()).await.map_err(store_failed)?;
    reading.store.put(&format!("{folder}/{digest}.coverage.json"), cells.into()).await.map_err(store_failed)?;
    Ok(InventoryStatus {
        digest,
        address,
        taken_at: Some(Time(reading.now)),
        assets: sink.counts.total,
        by_type: sink.counts.by_type,
        coverage,
    })
}

/// Folder of an account's inventories in the store.
#[must_use]
pub fn folder(client: &str, account: &str) -> String {
    format!("clients/{client}/inventory/{account}")
}

fn store_failed(error: StoreError) -> NotRead {
    NotRead::Failed(Failure::Store(error))
}

async fn keep_unseen(sink: &mut FileSink, reading: &Reading<'_>) -> Result<(), NotRead> {
    let Some(last) = reading.last else { return Ok(()) };
    let local = |error: std::io::Error| NotRead::Failed(Failure::local("read the last inventory", error));
    let file = match fetch(reading.store, last).await {
        Ok(file) => file,
        // Lost or altered by somebody else: there is nothing to take over, and what was read now stands.
        Err(Failure::Store(error)) if error.is_loss() => {
            tracing::warn!(%error, account = reading.account, "the last inventory is lost; what it knew of cells that are not readable now is lost with it");
            return Ok(());
        }
        Err(failure) => return Err(NotRead::Failed(failure)),
    };
    for asset in read_file(file.path()).map_err(local)? {
        let asset = asset.map_err(local)?;
        if sink.verdicts.keeps(&asset) {
            sink.write(&asset).map_err(local)?;
        }
    }
    Ok(())
}

/// The assets of an inventory file, one at a time.
///
/// # Errors
/// The file cannot be opened; a line that cannot be read is an error of that item.
pub fn read_file(path: &std::path::Path) -> std::io::Result<impl Iterator<Item = std::io::Result<Asset>> + use<>> {
    let decoder = zstd::Decoder::new(std::fs::File::open(path)?)?;
    Ok(BufReader::new(decoder).lines().map(|line| {
        let line = line?;
        serde_json::from_str(&line).map_err(std::io::Error::other)
    }))
}

/// An inventory of the store in a local file, with the digest that the status names.
///
/// # Errors
/// The store's answer, [`StoreError::Damaged`] where the bytes are others, or the local disk's.
pub async fn fetch(store: &Store, inventory: &InventoryStatus) -> Result<NamedTempFile, Failure> {
    let file = NamedTempFile::new().map_err(|error| Failure::local("make a temporary file", error))?;
    store.get_file(&inventory.address, file.path()).await.map_err(Failure::Store)?;
    let found = caretaker_bundle::sha256_file(file.path()).map_err(|error| Failure::local("read an inventory", error))?;
    if found != inventory.digest {
        return Err(Failure::Store(StoreError::Damaged(inventory.address.clone())));
    }
    Ok(file)
}
