//! The one way to read an inventory: whole lines in their order, each shard proved against its digest before a line of it is given out.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read};

use caretaker_api::cloud_account::InventoryStatus;
use caretaker_cloud::{Cell, CellKey};
use caretaker_core::digest::sha256_hex;
use caretaker_core::inventory::Line;
use caretaker_core::inventory::address::{self, BUCKETS, bucket, key};
use caretaker_core::inventory::diff::Difference;
use caretaker_core::inventory::manifest::{FORMAT, Manifest, Shard, digest};
use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::Spool;
use crate::object::{Store, StoreError};

/// Longest shard, unpacked, in bytes: a bucket of three million assets has less.
const MAX_SHARD: u64 = 1 << 26;

/// An inventory, read bucket by bucket.
pub struct Reader<'a> {
    store: &'a Store,
    source: Source,
}

enum Source {
    Shards {
        folder: String,
        manifest: Box<Manifest>,
        seen: HashMap<CellKey, Timestamp>,
        held: Option<(Shard, VecDeque<(u8, Line)>)>,
    },
    /// One file, as earlier releases wrote it, sorted on the way.
    File(Spool),
}

impl<'a> Reader<'a> {
    /// Opens the inventory that a status names.
    ///
    /// # Errors
    /// The store's answer, [`StoreError::Damaged`] where the bytes are others than those that were stored, or the local disk's.
    pub async fn open(store: &'a Store, inventory: &InventoryStatus) -> Result<Self, StoreError> {
        Self::at(store, &inventory.address, &inventory.digest).await
    }

    /// Opens the inventory of a digest at an address.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub async fn at(store: &'a Store, at: &str, expected: &str) -> Result<Self, StoreError> {
        let Some(folder) = address::folder_of_manifest(at) else {
            return Ok(Self { store, source: Source::File(single_file(store, at, expected).await?) });
        };
        let manifest = manifest(store, at).await?;
        if manifest.digest != expected {
            return Err(damaged(at));
        }
        let seen = manifest.cells.iter().map(|cell| (cell.key.clone(), cell.at)).collect();
        Ok(Self { store, source: Source::Shards { folder: folder.into(), manifest: Box::new(manifest), seen, held: None } })
    }

    /// Digest of the shard that holds a bucket; two inventories with the same shard do not differ in it.
    #[must_use]
    pub fn shard(&self, bucket: u8) -> Option<&Shard> {
        match &self.source {
            Source::Shards { manifest, .. } => manifest.shard(bucket),
            Source::File(_) => None,
        }
    }

    /// Its cells; none where it does not say.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        match &self.source {
            Source::Shards { manifest, .. } => &manifest.cells,
            Source::File(_) => &[],
        }
    }

    /// Digests of all shards.
    #[must_use]
    pub fn digests(&self) -> BTreeSet<String> {
        match &self.source {
            Source::Shards { manifest, .. } => manifest.shards.iter().map(|shard| shard.digest.clone()).collect(),
            Source::File(_) => BTreeSet::new(),
        }
    }

    /// Proves one shard, by turns: that the store still has what it took.
    ///
    /// # Errors
    /// The digest of the shard, and what [`Reader::open`] would say of it.
    pub async fn prove(&self, turn: u64) -> Result<(), (String, StoreError)> {
        let Source::Shards { folder, manifest, .. } = &self.source else { return Ok(()) };
        let count = u64::try_from(manifest.shards.len()).unwrap_or(u64::MAX).max(1);
        let at = usize::try_from(turn % count).unwrap_or_default();
        let Some(shard) = manifest.shards.get(at) else { return Ok(()) };
        load(self.store, folder, shard).await.map(drop).map_err(|failure| (shard.digest.clone(), failure))
    }

    /// The lines of a bucket, sorted by key, each with the time when its asset was seen. Buckets are asked for in their order; those that are not wanted
    /// may be left out.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub async fn bucket(&mut self, wanted: u8) -> Result<Vec<Line>, StoreError> {
        let (folder, manifest, seen, held) = match &mut self.source {
            Source::File(spool) => return spool.bucket(wanted).map_err(local),
            Source::Shards { folder, manifest, seen, held } => (folder, manifest, seen, held),
        };
        let Some(shard) = manifest.shard(wanted) else { return Ok(Vec::new()) };
        if held.as_ref().is_none_or(|(held, _)| held != shard) {
            *held = Some((shard.clone(), load(self.store, folder, shard).await?));
        }
        let Some((_, lines)) = held else { return Ok(Vec::new()) };
        while lines.front().is_some_and(|(bucket, _)| *bucket < wanted) {
            lines.pop_front();
        }
        let mut found = Vec::new();
        while lines.front().is_some_and(|(bucket, _)| *bucket == wanted) {
            let Some((_, mut line)) = lines.pop_front() else { break };
            if line.asset.seen_at.is_zero() {
                line.asset.seen_at = seen.get(&line.asset.cell()).copied().unwrap_or(manifest.taken_at);
            }
            found.push(line);
        }
        Ok(found)
    }
}

/// Gives every line of an inventory, one shard in memory at a time.
///
/// # Errors
/// As [`Reader::open`], or the receiver's.
pub async fn read(store: &Store, inventory: &InventoryStatus, mut take: impl FnMut(Line) -> std::io::Result<()>) -> Result<(), StoreError> {
    let mut reader = Reader::open(store, inventory).await?;
    for bucket in 0..BUCKETS {
        for line in reader.bucket(bucket).await? {
            take(line).map_err(local)?;
        }
    }
    Ok(())
}

/// Gives every line of a file of differences.
///
/// # Errors
/// The store's answer, the local disk's, or the receiver's.
pub async fn differences(store: &Store, at: &str, mut take: impl FnMut(Difference) -> std::io::Result<()>) -> Result<(), StoreError> {
    let file = NamedTempFile::new().map_err(local)?;
    store.get_file(at, file.path()).await?;
    let decoder = zstd::Decoder::new(std::fs::File::open(file.path()).map_err(local)?).map_err(local)?;
    for line in BufReader::new(decoder).lines() {
        let found = serde_json::from_str(&line.map_err(|_| damaged(at))?).map_err(|_| damaged(at))?;
        take(found).map_err(local)?;
    }
    Ok(())
}

/// The manifest at an address, as it was written.
pub(super) async fn manifest(store: &Store, at: &str) -> Result<Manifest, StoreError> {
    let bytes = store.get(at).await?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|_| damaged(at))?;
    if manifest.format != FORMAT {
        let message = format!("{at} has form {}, which this release does not read", manifest.format);
        return Err(StoreError::local("read an inventory", message));
    }
    if digest(&manifest.shards) != manifest.digest {
        return Err(damaged(at));
    }
    Ok(manifest)
}

async fn load(store: &Store, folder: &str, shard: &Shard) -> Result<VecDeque<(u8, Line)>, StoreError> {
    let at = address::shard(folder, &shard.digest);
    let packed = store.get(&at).await?;
    let lines = unpacked(&packed, MAX_SHARD).ok_or_else(|| damaged(&at))?;
    if sha256_hex(&lines) != shard.digest {
        return Err(damaged(&at));
    }
    let parse = |line: &[u8]| {
        let line: Line = serde_json::from_slice(line).map_err(|_| damaged(&at))?;
        Ok((bucket(&key(&line.asset)), line))
    };
    lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse).collect()
}

async fn single_file(store: &Store, at: &str, expected: &str) -> Result<Spool, StoreError> {
    let file = NamedTempFile::new().map_err(local)?;
    store.get_file(at, file.path()).await?;
    if caretaker_bundle::sha256_file(file.path()).map_err(local)? != expected {
        return Err(damaged(at));
    }
    let decoder = zstd::Decoder::new(std::fs::File::open(file.path()).map_err(local)?).map_err(local)?;
    let mut spool = Spool::default();
    for line in BufReader::new(decoder).lines() {
        let line: Line = serde_json::from_str(&line.map_err(local)?).map_err(|_| damaged(at))?;
        spool.take(&line.asset, &line).map_err(local)?;
    }
    Ok(spool)
}

/// What was packed, unless it is longer than anything that was ever written: whoever may write to the store must not fill our memory.
fn unpacked(packed: &[u8], most: u64) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    zstd::Decoder::new(packed).ok()?.take(most + 1).read_to_end(&mut lines).ok()?;
    (lines.len() as u64 <= most).then_some(lines)
}

fn damaged(at: &str) -> StoreError {
    StoreError::Damaged(at.to_owned())
}

fn local(error: std::io::Error) -> StoreError {
    StoreError::local("read an inventory", error)
}

#[cfg(test)]
mod tests {
    use super::unpacked;

    /// L3: who may write to the store could fill our memory with a few bytes.
    #[test]
    fn what_unpacks_to_more_than_was_ever_written_is_damaged() {
        let pack = |length: usize| zstd::encode_all(vec![b'x'; length].as_slice(), 3).unwrap();
        assert_eq!(unpacked(&pack(1000), 1000).map(|lines| lines.len()), Some(1000));
        let bomb = pack(10_000_000);
        assert!(bomb.len() < 2000 && unpacked(&bomb, 1000).is_none());
        assert!(unpacked(b"no frame", 1000).is_none());
    }
}
