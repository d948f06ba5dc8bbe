//! Discovery: one cell per region and kind, each with its own verdict; pages are streamed to the sink.

use std::collections::HashSet;

use caretaker_cloud::{Asset, AssetSink, AwsType, Cell, CellKey, CloudError, ErrorClass, Result, Scope, Verdict, verdict_of};
use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::page::{Place, page};
use crate::regions::regions;
use crate::session::Link;

/// Cells that are read at the same time.
const CONCURRENCY: usize = 8;
/// Assets between the readers and the sink: what is held in memory.
const IN_FLIGHT: usize = 1024;
/// Pages of one cell after which it is taken for an endless list.
const MAX_PAGES: u32 = 100_000;

enum Found {
    Asset(Box<Asset>),
    Cell(Cell),
}

/// Reads the scope.
pub async fn discover(link: &Link, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
    let regions = regions(link, scope).await?;
    let cells = AwsType::cells(regions.iter().map(String::as_str));
    let (sender, mut receiver) = mpsc::channel(IN_FLIGHT);
    // Each side owns its end of the channel, so that either side's end stops the other.
    let read = async move {
        let sender = &sender;
        let each = |(region, kind): (String, AwsType)| async move {
            let cell = read_cell(link, &region, kind, sender).await;
            // The receiver is gone only where the sink has failed; the run ends then.
            let _ = sender.send(Found::Cell(cell)).await;
        };
        futures::stream::iter(cells).for_each_concurrent(CONCURRENCY, each).await;
    };
    let forward = async move {
        while let Some(found) = receiver.recv().await {
            match found {
                Found::Asset(asset) => sink.asset(*asset).await?,
                Found::Cell(cell) => sink.cell(cell).await?,
            }
        }
        Ok(())
    };
    let ((), result) = tokio::join!(read, forward);
    result
}

struct Progress {
    assets: u64,
    calls: u32,
    renewed: bool,
    tokens: HashSet<String>,
}

async fn read_cell(link: &Link, region: &str, kind: AwsType, sender: &mpsc::Sender<Found>) -> Cell {
    let mut progress = Progress { assets: 0, calls: 0, renewed: false, tokens: HashSet::new() };
    let end = read_pages(link, region, kind, (&mut progress, sender)).await;
    let (verdict, cause, retry_after_seconds) = match end {
        Ok(()) => (Verdict::Complete, String::new(), None),
        Err(error) => verdict_of(&error, progress.assets, region),
    };
    let key = CellKey { account: link.grant.account_id.clone(), region: region.into(), service: kind.service().into() };
    Cell { key, verdict, assets: progress.assets, calls: progress.calls, cause, retry_after_seconds, at: Timestamp::now() }
}

async fn read_pages(link: &Link, region: &str, kind: AwsType, (progress, sender): (&mut Progress, &mpsc::Sender<Found>)) -> Result<()> {
    let place = Place { account: link.grant.account_id.clone(), region: region.into() };
    let asked = (!kind.is_global()).then_some(region);
    let mut token: Option<String> = None;
    while progress.calls < MAX_PAGES {
        link.shared.place(&place.account, region).await;
        let key = link.session_key().await;
        progress.calls += 1;
        let (assets, next) = match page(kind, &link.config(asked).await, &place, token.clone()).await {
            Ok(page) => page,
            // The page tokens outlive the session: go on with the same one under a new session, once.
            Err(error) if error.class == ErrorClass::Expired && !progress.renewed => {
                progress.renewed = true;
                link.renew(&key).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        for asset in assets {
            progress.assets += 1;
            if sender.send(Found::Asset(Box::new(asset))).await.is_err() {
                return Err(CloudError::new(ErrorClass::Sink, kind.operation(), "the receiver of the assets is gone"));
            }
        }
        match next {
            None => return Ok(()),
            Some(next) if !progress.tokens.insert(next.clone()) => {
                return Err(CloudError::new(
                    ErrorClass::Conflict,
                    kind.operation(),
                    "the cloud repeated a page token: the list cannot be read to its end",
                ));
            }
            Some(next) => token = Some(next),
        }
    }
    Err(CloudError::new(ErrorClass::Conflict, kind.operation(), "the list has no end"))
}
