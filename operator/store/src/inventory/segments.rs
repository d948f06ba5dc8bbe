//! What a long reading has finished, put into the store from time to time, so that a run that is cut off goes on there and not at its beginning.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::time::{Duration, Instant};

use caretaker_cloud::{Asset, Cell, CellKey, Verdict};
use caretaker_core::inventory::address::{segments, stamp};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{LEVEL, Spool};
use crate::object::{Store, StoreError};

/// Which run it is, and what it may take over from one that was cut off.
#[derive(Clone, Debug)]
pub struct Run {
    /// What makes two runs the same: generation and scope of the account, and the request that is answered.
    pub identity: String,
    /// How old a run's beginning may be for its cells to count.
    pub within: SignedDuration,
    /// Time between two segments. A run that is shorter writes none.
    pub every: Duration,
}

/// First line of a segment; the assets of its cells follow.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    identity: String,
    started: Timestamp,
    cells: Vec<Cell>,
}

/// What was taken over from a run that was cut off.
#[derive(Debug, Default)]
pub struct Resumed {
    /// Its finished cells.
    pub cells: Vec<Cell>,
}

/// The segments of a run.
pub struct Segments<'a> {
    store: &'a Store,
    folder: String,
    run: Run,
    started: Timestamp,
    last: Instant,
    finished: Vec<Cell>,
    known: Vec<String>,
}

impl<'a> Segments<'a> {
    /// Takes what an earlier run of the same identity has finished into the spool. What cannot be had is read again: nothing here fails a run but the
    /// local disk.
    ///
    /// # Errors
    /// The local disk's.
    pub async fn resume(
        (store, folder, run): (&'a Store, &str, &Run),
        spool: &mut Spool,
        now: Timestamp,
    ) -> Result<(Self, Resumed), StoreError> {
        let folder = segments(folder);
        let known = store.list(&folder).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what an earlier run has finished cannot be listed; all is read again");
            Vec::new()
        });
        let mut this = Self { store, folder, run: run.clone(), started: now, last: Instant::now(), finished: Vec::new(), known };
        let mut resumed = Resumed::default();
        for at in this.known.clone() {
            match this.take(&at, &resumed, spool, now).await {
                Ok(None) => {}
                Ok(Some(head)) => {
                    this.started = this.started.min(head.started);
                    resumed.cells.extend(head.cells);
                }
                Err(error) if !matches!(error, StoreError::Local { .. }) => {
                    tracing::warn!(%error, "what an earlier run has finished is not readable; it is read again")
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok((this, resumed))
    }

    /// One segment into the spool; `None` where it is none of this run's.
    async fn take(&self, at: &str, resumed: &Resumed, spool: &mut Spool, now: Timestamp) -> Result<Option<Head>, StoreError> {
        let local = |error: std::io::Error| StoreError::local("take over what an earlier run has finished", error);
        let bytes = self.store.get(at).await?;
        let Ok(decoder) = zstd::Decoder::new(bytes.as_ref()) else { return Ok(None) };
        let mut lines = BufReader::new(decoder).lines();
        let Some(Ok(first)) = lines.next() else { return Ok(None) };
        let Ok(head) = serde_json::from_str::<Head>(&first) else { return Ok(None) };
        let age = now.duration_since(head.started);
        let is_known = |cell: &Cell| resumed.cells.iter().any(|known| known.key == cell.key);
        if head.identity != self.run.identity || age >= self.run.within || age.is_negative() || head.cells.iter().any(is_known) {
            return Ok(None);
        }
        // All or nothing: a segment that ends early must leave nothing behind that would pass for a cell's whole. So it is gone through twice, and never held
        // as a whole.
        let mut count = 0;
        for line in lines {
            // A packed file that is spoilt gives its error for ever.
            if !line.is_ok_and(|line| serde_json::from_str::<Asset>(&line).is_ok()) {
                return Ok(None);
            }
            count += 1;
        }
        if count != head.cells.iter().map(|cell| cell.assets).sum::<u64>() {
            return Ok(None);
        }
        for line in BufReader::new(zstd::Decoder::new(bytes.as_ref()).map_err(local)?).lines().skip(1) {
            let asset: Asset = serde_json::from_str(&line.map_err(local)?).map_err(|error| local(error.into()))?;
            spool.take(&asset, &asset).map_err(local)?;
        }
        Ok(Some(head))
    }

    /// Notes a cell's end, and puts what has finished into the store where the last time is long enough ago. A store that takes nothing now may do so
    /// later.
    ///
    /// # Errors
    /// The local disk's.
    pub async fn cell(&mut self, cell: &Cell, spool: &Spool) -> std::io::Result<()> {
        if cell.verdict == Verdict::Complete {
            self.finished.push(cell.clone());
        }
        if self.finished.is_empty() || self.last.elapsed() < self.run.every {
            return Ok(());
        }
        let file = self.segment(spool)?;
        let at = format!("{}/{}-{}.ndjson.zst", self.folder, stamp(self.started), self.known.len());
        match self.store.put_file(&at, file.path()).await {
            Ok(()) => {
                self.known.push(at);
                self.finished.clear();
            }
            Err(error) => {
                tracing::warn!(%error, "what this run has finished cannot be noted; it would be read again if the run were cut off")
            }
        }
        self.last = Instant::now();
        Ok(())
    }

    fn segment(&self, spool: &Spool) -> std::io::Result<NamedTempFile> {
        let file = NamedTempFile::new()?;
        let mut encoder = zstd::Encoder::new(BufWriter::new(file.reopen()?), LEVEL)?;
        let head = Head { identity: self.run.identity.clone(), started: self.started, cells: self.finished.clone() };
        serde_json::to_writer(&mut encoder, &head)?;
        let cells: BTreeSet<CellKey> = self.finished.iter().map(|cell| cell.key.clone()).collect();
        spool.of_cells(&cells, |line| {
            encoder.write_all(b"\n")?;
            encoder.write_all(line)
        })?;
        encoder.finish()?.flush()?;
        Ok(file)
    }

    /// The run is stored: its segments, and those of runs that nobody continues, are of no more use.
    pub async fn discard(self) {
        for at in &self.known {
            if let Err(error) = self.store.delete(at).await {
                tracing::warn!(%error, "a segment of a finished run stays in the store");
            }
        }
    }
}
