//! Assets on their way to an inventory: gathered in memory up to a bound, then on disk by bucket, so that one bucket at a time can be sorted.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Error, Result, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use caretaker_cloud::{Asset, CellKey};
use caretaker_core::inventory::Line;
use caretaker_core::inventory::address::{BUCKETS, bucket, key};
use serde::Serialize;

/// Bytes that are gathered in memory. What is less never touches the disk.
const BUFFER: usize = 1 << 20;
/// zstd's level on the way to the disk: read once, soon.
const LEVEL: i32 = 1;
/// Bytes before each record's key and line: cell, length of the key, length of the line.
const HEAD: usize = 12;

/// One asset.
struct Record {
    bucket: u8,
    cell: u32,
    key: String,
    line: Vec<u8>,
}

/// A packed part of one bucket on disk.
#[derive(Clone, Copy)]
struct Extent {
    offset: u64,
    packed: usize,
    plain: usize,
}

/// Assets that were taken and not yet sorted.
#[derive(Default)]
pub struct Spool {
    buffer: Vec<Record>,
    bytes: usize,
    disk: Option<File>,
    end: u64,
    extents: HashMap<u8, Vec<Extent>>,
    cells: HashMap<CellKey, u32>,
}

impl Spool {
    /// Takes one asset, as JSON of itself or of its line.
    ///
    /// # Errors
    /// The local disk's.
    pub fn take<T: Serialize>(&mut self, asset: &Asset, what: &T) -> Result<()> {
        let (key, line) = (key(asset), serde_json::to_vec(what)?);
        let next = u32::try_from(self.cells.len()).map_err(Error::other)?;
        let cell = *self.cells.entry(asset.cell()).or_insert(next);
        self.bytes += HEAD + key.len() + line.len();
        self.buffer.push(Record { bucket: bucket(&key), cell, key, line });
        if self.bytes > BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let mut buckets: HashMap<u8, Vec<u8>> = HashMap::new();
        for record in self.buffer.drain(..) {
            record.append(buckets.entry(record.bucket).or_default());
        }
        self.bytes = 0;
        let disk = match &mut self.disk {
            Some(disk) => disk,
            None => self.disk.insert(tempfile::tempfile()?),
        };
        disk.seek(SeekFrom::Start(self.end))?;
        for (bucket, plain) in buckets {
            let packed = zstd::bulk::compress(&plain, LEVEL)?;
            disk.write_all(&packed)?;
            let extent = Extent { offset: self.end, packed: packed.len(), plain: plain.len() };
            self.extents.entry(bucket).or_default().push(extent);
            self.end += packed.len() as u64;
        }
        Ok(())
    }

    fn extent(&self, extent: Extent) -> Result<Vec<u8>> {
        let mut packed = vec![0; extent.packed];
        self.disk.as_ref().ok_or_else(|| Error::other("nothing is on disk"))?.read_exact_at(&mut packed, extent.offset)?;
        zstd::bulk::decompress(&packed, extent.plain)
    }

    /// The lines of a bucket, sorted by key and each key once, whichever came first.
    ///
    /// # Errors
    /// The local disk's.
    pub fn bucket(&self, bucket: u8) -> Result<Vec<Line>> {
        let mut found: Vec<(String, Vec<u8>)> = Vec::new();
        for extent in self.extents.get(&bucket).into_iter().flatten() {
            let plain = self.extent(*extent)?;
            found.extend(records(&plain).map(|(_, key, line)| (String::from_utf8_lossy(key).into_owned(), line.to_vec())));
        }
        let held = self.buffer.iter().filter(|record| record.bucket == bucket);
        found.extend(held.map(|record| (record.key.clone(), record.line.clone())));
        found.sort();
        found.dedup_by(|one, other| one.0 == other.0);
        found.iter().map(|(_, line)| serde_json::from_slice(line).map_err(Error::other)).collect()
    }

    /// Gives the JSON of every asset of some cells, in no order.
    ///
    /// # Errors
    /// The local disk's, or the receiver's.
    pub fn of_cells(&self, cells: &BTreeSet<CellKey>, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let wanted: BTreeSet<u32> = cells.iter().filter_map(|cell| self.cells.get(cell).copied()).collect();
        for bucket in 0..BUCKETS {
            for extent in self.extents.get(&bucket).into_iter().flatten() {
                let plain = self.extent(*extent)?;
                records(&plain).filter(|(cell, ..)| wanted.contains(cell)).try_for_each(|(_, _, line)| take(line))?;
            }
        }
        self.buffer.iter().filter(|record| wanted.contains(&record.cell)).try_for_each(|record| take(&record.line))
    }
}

impl Record {
    fn append(&self, to: &mut Vec<u8>) {
        let length = |part: usize| u32::try_from(part).unwrap_or(u32::MAX).to_le_bytes();
        to.extend(self.cell.to_le_bytes());
        to.extend(length(self.key.len()));
        to.extend(length(self.line.len()));
        to.extend(self.key.as_bytes());
        to.extend(&self.line);
    }
}

/// Cell, key and line of each record.
fn records(mut plain: &[u8]) -> impl Iterator<Item = (u32, &[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = plain.split_at_checked(HEAD)?;
        let number = |at: usize| head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let (cell, key, line) = (number(0)?, number(4)? as usize, number(8)? as usize);
        let (key, rest) = rest.split_at_checked(key)?;
        let (line, rest) = rest.split_at_checked(line)?;
        plain = rest;
        Some((cell, key, line))
    })
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::AwsType;
    use caretaker_cloud::fake::FakeAccount;

    use super::*;

    fn assets(count: usize) -> Vec<Asset> {
        let mut account = FakeAccount::new("222222222222", &["eu-west-1"]);
        account.add_assets("eu-west-1", AwsType::Instance, count);
        account.add_assets("eu-west-1", AwsType::Volume, 3);
        account.assets.into_values().flatten().collect()
    }

    #[test]
    fn what_goes_over_the_disk_comes_back_sorted_and_once() {
        let all = assets(5000);
        let mut spool = Spool::default();
        for asset in all.iter().chain(&all[..100]) {
            spool.take(asset, asset).unwrap();
        }
        assert!(spool.disk.is_some(), "the test is to reach the disk");
        let mut seen = 0;
        for number in 0..BUCKETS {
            let keys: Vec<String> = spool.bucket(number).unwrap().iter().map(|line| key(&line.asset)).collect();
            assert!(keys.is_sorted_by(|one, other| one < other), "each key once, in order");
            assert!(keys.iter().all(|key| bucket(key) == number));
            seen += keys.len();
        }
        assert_eq!(seen, all.len());
    }

    #[test]
    fn the_assets_of_one_cell_can_be_told_from_the_others() {
        let all = assets(5000);
        let mut spool = Spool::default();
        all.iter().for_each(|asset| spool.take(asset, asset).unwrap());
        let volumes = BTreeSet::from([all.iter().find(|asset| asset.asset_type == caretaker_cloud::AssetType::Volume).unwrap().cell()]);
        let mut found: Vec<Asset> = Vec::new();
        spool
            .of_cells(&volumes, |line| {
                found.push(serde_json::from_slice(line)?);
                Ok(())
            })
            .unwrap();
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|asset| volumes.contains(&asset.cell())));
    }
}
