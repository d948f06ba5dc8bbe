//! Compares two inventories of the store, bucket by bucket; what is the same shard in both is not even fetched.

use std::io::{BufWriter, Write};

use caretaker_core::inventory::address::BUCKETS;
use caretaker_core::inventory::diff::{Change, compare as compare_lines};
use tempfile::NamedTempFile;

use super::{LEVEL, Reader};
use crate::object::StoreError;

/// What differs.
#[derive(Debug)]
pub struct Compared {
    /// Number of assets that are new.
    pub added: u64,
    /// Number of assets that are gone.
    pub removed: u64,
    /// Number of assets that are others.
    pub changed: u64,
    /// The differences, one JSON line each, zstd.
    pub file: NamedTempFile,
}

impl Compared {
    /// Whether nothing differs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added + self.removed + self.changed == 0
    }
}

/// Compares an inventory with a later one.
///
/// # Errors
/// The store's answers or the local disk's.
pub async fn compare(before: &mut Reader<'_>, after: &mut Reader<'_>) -> Result<Compared, StoreError> {
    let local = |error: std::io::Error| StoreError::local("compare inventories", error);
    let file = NamedTempFile::new().map_err(local)?;
    let mut encoder = zstd::Encoder::new(BufWriter::new(file.reopen().map_err(local)?), LEVEL).map_err(local)?;
    let (mut added, mut removed, mut changed) = (0, 0, 0);
    for bucket in 0..BUCKETS {
        if before.shard(bucket).is_some_and(|shard| Some(shard) == after.shard(bucket)) {
            continue;
        }
        let (old, new) = (before.bucket(bucket).await?, after.bucket(bucket).await?);
        for difference in compare_lines(&old, &new) {
            match difference.change {
                Change::Added => added += 1,
                Change::Removed => removed += 1,
                Change::Changed => changed += 1,
            }
            serde_json::to_writer(&mut encoder, &difference).map_err(|error| local(error.into()))?;
            encoder.write_all(b"\n").map_err(local)?;
        }
    }
    encoder.finish().and_then(|mut writer| writer.flush()).map_err(local)?;
    Ok(Compared { added, removed, changed, file })
}
