//! How the cells of a run are read: some at the same time, their assets through one bounded channel to the sink, each with its own verdict.
//! One cell's error is its verdict, never the end of the run. Held here once, so that no adapter has rules of its own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::{Either, select};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::budget::{Tally, Work};
use crate::{Asset, AssetSink, Cell, CellKey, CloudError, ErrorClass, Result, Scope, Verdict, verdict_of};

/// Assets between the readers and the sink: what is held in memory beside one page for each cell.
const IN_FLIGHT: usize = 1024;

/// Reads cells.
#[async_trait]
pub trait Reader: Send + Sync {
    /// What tells the adapter which cell it is.
    type Cell: Send + Sync;

    /// The cell's name.
    fn key(&self, cell: &Self::Cell) -> CellKey;

    /// Reads a cell to its end, every call of it as work of `out`. `Ok` means that nothing is missing.
    async fn read(&self, cell: &Self::Cell, out: &CellSink) -> Result<()>;

    /// What an error means for the cell that it ended after `assets` had come: verdict, cause for a person, wait in seconds.
    fn verdict(&self, error: &CloudError, assets: u64, key: &CellKey) -> (Verdict, String, Option<u64>) {
        verdict_of(error, key, assets)
    }

    /// Whether an error is no cell's: a fault of the provider's, with which no cell could be read.
    fn ends_the_run(&self, error: &CloudError) -> bool {
        error.class == ErrorClass::Credentials
    }
}

enum Found {
    Asset(Box<Asset>),
    Cell(Cell),
}

/// Where the assets of one cell go.
pub struct CellSink {
    /// The work that the cell's calls are.
    pub work: Work,
    sender: mpsc::Sender<Found>,
    assets: AtomicU64,
    note: Mutex<String>,
}

impl CellSink {
    /// Takes an asset of the cell.
    ///
    /// # Errors
    /// The receiver is gone: the run is over.
    pub async fn asset(&self, asset: Asset) -> Result<()> {
        self.assets.fetch_add(1, Ordering::Relaxed);
        send(&self.sender, Found::Asset(Box::new(asset))).await
    }

    /// Says what a person must know of the cell although it is read to its end: what it cannot show. It becomes the cause of a complete cell.
    ///
    /// # Panics
    /// Never: nothing panics while the note is held.
    pub fn note(&self, note: String) {
        *self.note.lock().expect("no panic while held") = note;
    }

    /// Assets that came so far.
    #[must_use]
    pub fn assets(&self) -> u64 {
        self.assets.load(Ordering::Relaxed)
    }
}

async fn send(sender: &mpsc::Sender<Found>, found: Found) -> Result<()> {
    sender.send(found).await.map_err(|_| CloudError::new(ErrorClass::Sink, "discover", "the receiver of the assets is gone"))
}

/// A run over cells.
pub struct Run<'a> {
    /// The client that the work is for, in the words of the budget's turns.
    pub client: &'a str,
    /// Where the calls are counted.
    pub tally: &'a Tally,
    /// What was asked for: its finished cells are passed over.
    pub scope: &'a Scope,
    /// Cells that are read at the same time; at least one.
    pub concurrency: usize,
}

/// Reads the cells that are not finished yet and tells the sink what came, and in the end what was used.
///
/// # Errors
/// The sink's, or one that is no cell's.
pub async fn run<R: Reader>(reader: &R, cells: Vec<R::Cell>, run: Run<'_>, sink: &mut dyn AssetSink) -> Result<()> {
    let (sender, mut receiver) = mpsc::channel(IN_FLIGHT);
    let (tally, sink_of_usage) = (run.tally, &mut *sink);
    let read = async move {
        let sender = &sender;
        let each = |cell: R::Cell| {
            one(
                reader,
                cell,
                CellSink { work: run.tally.work(run.client), sender: sender.clone(), assets: AtomicU64::new(0), note: Mutex::default() },
            )
        };
        let cells = cells.into_iter().filter(|cell| !run.scope.finished.contains(&reader.key(cell)));
        let mut reading = futures::stream::iter(cells).map(each).buffer_unordered(run.concurrency.max(1));
        while let Some(end) = reading.next().await {
            end?;
        }
        Ok(())
    };
    let forward = async {
        while let Some(found) = receiver.recv().await {
            match found {
                Found::Asset(asset) => sink_of_usage.asset(*asset).await?,
                Found::Cell(cell) => sink_of_usage.cell(cell).await?,
            }
        }
        Ok(())
    };
    // A sink that fails ends the reading at once; readers that fail let go of the channel, whose rest is still told.
    let end = match select(std::pin::pin!(forward), std::pin::pin!(read)).await {
        Either::Left((forwarded, read)) => match forwarded {
            Ok(()) => read.await,
            failed => failed,
        },
        Either::Right((read, forward)) => forward.await.and(read),
    };
    sink.used(tally.usage());
    end
}

async fn one<R: Reader>(reader: &R, cell: R::Cell, out: CellSink) -> Result<()> {
    let key = reader.key(&cell);
    let (verdict, cause, retry_after_seconds) = match reader.read(&cell, &out).await {
        Ok(()) => (Verdict::Complete, std::mem::take(&mut *out.note.lock().expect("no panic while held")), None),
        Err(error) if error.class == ErrorClass::Sink || reader.ends_the_run(&error) => return Err(error),
        Err(error) => reader.verdict(&error, out.assets(), &key),
    };
    let (assets, calls) = (out.assets(), out.work.calls());
    let cell = Cell { key, verdict, assets, calls, cause, retry_after_seconds, at: Timestamp::now() };
    send(&out.sender, Found::Cell(cell)).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::*;
    use crate::budget::{Budget, Budgets, Key, Limits};
    use crate::usage::Usage;
    use crate::{AssetType, Cloud};

    /// A cloud whose cells are numbers: so many assets come, then the error.
    struct Numbers {
        budget: Budget,
        faults: BTreeMap<usize, ErrorClass>,
        at_once: AtomicUsize,
        most: AtomicUsize,
    }

    impl Numbers {
        fn new(faults: &[(usize, ErrorClass)]) -> Self {
            let limits = Limits { per_second: 1e6, burst: 1000, concurrency: 100 };
            let budget = Budgets::with_patience(Duration::ZERO).of(Key::aws("1", "r"), limits);
            Self { budget, faults: faults.iter().copied().collect(), at_once: AtomicUsize::new(0), most: AtomicUsize::new(0) }
        }
    }

    fn asset(id: usize) -> Asset {
        Asset::new(Cloud::Aws, "1", "r", AssetType::Instance, &id.to_string())
    }

    #[async_trait]
    impl Reader for Numbers {
        type Cell = usize;

        fn key(&self, cell: &usize) -> CellKey {
            CellKey { account: "1".into(), region: "r".into(), service: format!("cell-{cell}") }
        }

        async fn read(&self, cell: &usize, out: &CellSink) -> Result<()> {
            self.most.fetch_max(self.at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            out.work.call(&self.budget, "list", || async { Ok(()) }).await?;
            for id in 0..*cell {
                out.asset(asset(id)).await?;
            }
            tokio::task::yield_now().await;
            let end = match self.faults.get(cell) {
                Some(class) => out.work.call(&self.budget, "list", || async { Err(CloudError::new(*class, "list", "said")) }).await,
                None => Ok(()),
            };
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            end
        }

        fn ends_the_run(&self, error: &CloudError) -> bool {
            error.class == ErrorClass::Credentials
        }
    }

    #[derive(Default)]
    struct Gathered {
        assets: usize,
        cells: Vec<Cell>,
        usage: Vec<Usage>,
        fails_at: Option<usize>,
    }

    #[async_trait]
    impl AssetSink for Gathered {
        async fn asset(&mut self, _asset: Asset) -> Result<()> {
            if self.fails_at == Some(self.assets) {
                return Err(CloudError::new(ErrorClass::Sink, "write", "full"));
            }
            self.assets += 1;
            Ok(())
        }

        async fn cell(&mut self, cell: Cell) -> Result<()> {
            self.cells.push(cell);
            Ok(())
        }

        fn used(&mut self, usage: Usage) {
            self.usage.push(usage);
        }
    }

    async fn pumped(numbers: &Numbers, (cells, finished): (usize, &[usize]), mut sink: Gathered) -> (Result<()>, Gathered) {
        let tally = Tally::default();
        let finished = finished.iter().map(|cell| numbers.key(cell)).collect();
        let scope = Scope { finished, ..Scope::default() };
        let end = run(numbers, (0..cells).collect(), Run { client: "c", tally: &tally, scope: &scope, concurrency: 3 }, &mut sink).await;
        (end, sink)
    }

    #[tokio::test]
    async fn one_cells_error_is_its_verdict_and_never_the_end_of_the_run() {
        let faults = [(2, ErrorClass::Denied), (5, ErrorClass::Unreachable), (7, ErrorClass::Throttled(Some(Duration::from_secs(1200))))];
        let numbers = Numbers::new(&faults);
        let (end, sink) = pumped(&numbers, (8, &[]), Gathered::default()).await;
        end.unwrap();
        assert_eq!((sink.cells.len(), sink.assets), (8, (0..8).sum::<usize>()));
        let verdict = |cell: usize| sink.cells.iter().find(|found| found.key.service == format!("cell-{cell}")).unwrap();
        assert_eq!(verdict(2).verdict, Verdict::Denied);
        assert_eq!((verdict(5).verdict, verdict(5).assets), (Verdict::Partial, 5));
        assert_eq!((verdict(7).verdict, verdict(7).retry_after_seconds, verdict(7).calls), (Verdict::Throttled, Some(1200), 2));
        assert_eq!(sink.cells.iter().filter(|cell| cell.verdict == Verdict::Complete).count(), 5);
        assert!(numbers.most.load(Ordering::SeqCst) <= 3);
        let [usage] = &sink.usage[..] else { panic!("told once: {:?}", sink.usage) };
        assert_eq!((usage.calls, usage.throttled, usage.held.len()), (11, 1, 1));
        assert_eq!(usage.held[0].key, "aws/1/r");
    }

    #[tokio::test]
    async fn finished_cells_are_passed_over() {
        let (end, sink) = pumped(&Numbers::new(&[(2, ErrorClass::Denied)]), (5, &[0, 2, 3]), Gathered::default()).await;
        end.unwrap();
        let mut read: Vec<&str> = sink.cells.iter().map(|cell| cell.key.service.as_str()).collect();
        read.sort_unstable();
        assert_eq!((read, sink.assets, sink.usage[0].calls), (vec!["cell-1", "cell-4"], 5, 2));
    }

    #[tokio::test]
    async fn a_sink_that_fails_ends_the_run_with_its_own_error() {
        let (end, sink) = pumped(&Numbers::new(&[]), (100, &[]), Gathered { fails_at: Some(10), ..Gathered::default() }).await;
        assert_eq!((end.unwrap_err().message.as_str(), sink.assets, sink.usage.len()), ("full", 10, 1));
    }

    #[tokio::test]
    async fn a_fault_that_is_no_cells_ends_the_run_and_what_came_before_it_is_told() {
        let (end, sink) = pumped(&Numbers::new(&[(1, ErrorClass::Credentials)]), (100, &[]), Gathered::default()).await;
        assert_eq!(end.unwrap_err().class, ErrorClass::Credentials);
        assert!(sink.cells.len() < 5 && sink.cells.iter().all(|cell| cell.verdict == Verdict::Complete), "{:?}", sink.cells);
    }
}
