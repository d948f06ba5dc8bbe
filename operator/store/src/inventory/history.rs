//! Removes inventories that are older than the retention. Whatever cannot be listed or read stops the removal, never the reading.

use std::collections::BTreeSet;

use caretaker_core::inventory::address::folder_of_manifest;
use caretaker_core::inventory::history::{Listed, expired, unnamed};
use jiff::Timestamp;

use super::reader::manifest;
use crate::object::{Store, StoreError};

/// Removes what has had its time from an account's folder, and shards that nobody names any more. `keep` holds the addresses that something names. Gives
/// the number of objects that went.
pub async fn clean(store: &Store, folder: &str, keep: &BTreeSet<String>, (retention_days, now): (u32, Timestamp)) -> usize {
    match remove(store, folder, keep, (retention_days, now)).await {
        Ok(count) => count,
        Err(failure) => {
            tracing::warn!(%failure, folder, "old inventories stay in the store for now");
            0
        }
    }
}

async fn remove(
    store: &Store,
    folder: &str,
    keep: &BTreeSet<String>,
    (retention_days, now): (u32, Timestamp),
) -> Result<usize, StoreError> {
    let listed = store.list_dated(folder).await?;
    let old: BTreeSet<&str> = expired(&listed, keep, retention_days, now).into_iter().collect();
    if old.is_empty() {
        return Ok(0);
    }
    // Before anything goes: a manifest that cannot be read names shards that nobody knows.
    let stays = |object: &&Listed| !old.contains(object.address.as_str());
    let manifests = listed.iter().filter(stays).map(|object| object.address.as_str()).filter(|at| folder_of_manifest(at).is_some());
    let named = named(store, manifests).await?;
    let gone: Vec<&str> = old.iter().copied().chain(unnamed(&listed, &named, now)).collect();
    for at in &gone {
        store.delete(at).await?;
    }
    Ok(gone.len())
}

/// Digests of all shards that some manifests name. Those of the same content name the same, so that one of them is enough.
async fn named(store: &Store, manifests: impl Iterator<Item = &str>) -> Result<BTreeSet<String>, StoreError> {
    let (mut named, mut contents) = (BTreeSet::new(), BTreeSet::new());
    for at in manifests {
        let run = at.rsplit('/').nth(1).unwrap_or_default();
        let content = run.split_once('-').map_or(run, |(_, digest)| digest);
        if contents.insert(content.to_owned()) {
            named.extend(manifest(store, at).await?.shards.into_iter().map(|shard| shard.digest));
        }
    }
    Ok(named)
}
