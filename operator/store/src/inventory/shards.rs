//! Writes sorted lines as shards. A shard that the store holds already is not sent again.

use std::collections::BTreeSet;

use caretaker_core::digest::sha256_hex;
use caretaker_core::inventory::Line;
use caretaker_core::inventory::address;
use caretaker_core::inventory::manifest::{SHARD_ASSETS, Shard};

use super::LEVEL;
use crate::object::{Store, StoreError};

/// The shards of one inventory, as they are written.
pub struct Shards<'a> {
    store: &'a Store,
    folder: &'a str,
    known: BTreeSet<String>,
    mistrusted: BTreeSet<String>,
    missing: Vec<String>,
    first: u8,
    lines: Vec<u8>,
    assets: u64,
    written: Vec<Shard>,
}

impl<'a> Shards<'a> {
    /// Nothing yet. `known` are digests of shards that the store should have.
    #[must_use]
    pub fn new(store: &'a Store, folder: &'a str, known: BTreeSet<String>) -> Self {
        let (mistrusted, missing) = (BTreeSet::new(), Vec::new());
        Self { store, folder, known, mistrusted, missing, first: 0, lines: Vec::new(), assets: 0, written: Vec::new() }
    }

    /// A shard of this digest is sent even where the store has something under its name.
    pub fn mistrust(&mut self, digest: String) {
        self.mistrusted.insert(digest);
    }

    /// Takes the lines of the next bucket. One shard is in memory.
    ///
    /// # Errors
    /// The store's.
    pub async fn bucket(&mut self, bucket: u8, lines: &[Line]) -> Result<(), StoreError> {
        let local = |error: serde_json::Error| StoreError::local("write an inventory", error);
        for line in lines {
            serde_json::to_writer(&mut self.lines, line).map_err(local)?;
            self.lines.push(b'\n');
        }
        self.assets += lines.len() as u64;
        if self.assets >= SHARD_ASSETS as u64 { self.close(bucket).await } else { Ok(()) }
    }

    async fn close(&mut self, last: u8) -> Result<(), StoreError> {
        let lines = std::mem::take(&mut self.lines);
        let shard = Shard { digest: sha256_hex(&lines), first: self.first, last, assets: std::mem::take(&mut self.assets) };
        let packed = zstd::stream::encode_all(lines.as_slice(), LEVEL).map_err(|error| StoreError::local("pack an inventory", error))?;
        let at = address::shard(self.folder, &shard.digest);
        // What has another size than it must have was cut or overwritten.
        let held = self.store.size(&at).await?;
        if held != Some(packed.len() as u64) || self.mistrusted.contains(&shard.digest) {
            if held.is_none() && self.known.contains(&shard.digest) {
                self.missing.push(shard.digest.clone());
            }
            self.store.put(&at, packed.into()).await?;
        }
        self.first = last.saturating_add(1);
        self.written.push(shard);
        Ok(())
    }

    /// The end: the shards, and the digests of those that the store should have had and has again now.
    ///
    /// # Errors
    /// The store's.
    pub async fn finish(mut self, last: u8) -> Result<(Vec<Shard>, Vec<String>), StoreError> {
        if self.assets > 0 {
            self.close(last).await?;
        }
        Ok((self.written, self.missing))
    }
}
