//! Discovery: one question to Cloud Asset for each group of services, each with its own verdict; pages are streamed to the sink.

use caretaker_cloud::{Asset, AssetSink, Cell, CellKey, CloudError, EVERYWHERE, ErrorClass, Result, Scope, Verdict};
use futures::TryStreamExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::asset::{Place, READ_MASK, SEARCH, asset, is_within, location, native_type};
use crate::groups::{GROUPS, Group};
use crate::http::{Call, url};
use crate::pages::Pages;
use crate::session::{Reach, Session, refused_again};
use crate::verdict::verdict;

/// Cells that are read at the same time.
const CONCURRENCY: usize = 4;
/// Assets between the readers and the sink: what is held in memory beside one page for each cell.
const IN_FLIGHT: usize = 1024;
/// Rows of a page: the most that Google gives.
const PAGE_SIZE: &str = "500";

enum Found {
    Asset(Box<Asset>),
    Cell(Cell),
}

/// Reads the scope. A fault of the provider's ends the run: no cell of a client could be read, and none says anything about the client.
pub async fn discover(session: &Session, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
    let (sender, mut receiver) = mpsc::channel(IN_FLIGHT);
    // Each side owns its end of the channel, so that either side's end stops the other.
    let read = async move {
        let reader = &Reader { session, scope, sender };
        futures::stream::iter(GROUPS.into_iter().map(Ok)).try_for_each_concurrent(CONCURRENCY, |group| reader.cell(group)).await
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
    let (read, forward) = tokio::join!(read, forward);
    // A sink that failed is the cause of what the readers say then.
    forward.and(read)
}

struct Reader<'a> {
    session: &'a Session,
    scope: &'a Scope,
    sender: mpsc::Sender<Found>,
}

impl Reader<'_> {
    async fn cell(&self, group: Group) -> Result<()> {
        let (mut pages, mut assets) = (Pages::default(), 0);
        let end = self.pages(group, &mut pages, &mut assets).await;
        let grant = &self.session.grant;
        let (verdict, cause, retry_after_seconds) = match end {
            Ok(()) => (Verdict::Complete, String::new(), None),
            Err(error) if error.class == ErrorClass::Credentials => return Err(error),
            Err(error) => verdict(&error, assets, (&grant.project_id, &grant.service_account)),
        };
        let key = CellKey { account: grant.project_id.clone(), region: EVERYWHERE.into(), service: group.service.into() };
        let cell = Cell { key, verdict, assets, calls: pages.calls(), cause, retry_after_seconds, at: Timestamp::now() };
        self.send(Found::Cell(cell)).await
    }

    async fn pages(&self, group: Group, pages: &mut Pages, assets: &mut u64) -> Result<()> {
        let types = group.asset_types();
        loop {
            self.session.shared.services.turn(&self.session.grant).await;
            let token = self.session.token(Reach::Full).await?;
            let url = self.question(&types, pages.ask())?;
            let mut page = match self.session.once(SEARCH, &token, url, Call::default()).await {
                Ok(page) => page,
                // Page tokens outlive sessions: go on with the same one under a new session.
                Err(error) if error.class == ErrorClass::Expired && pages.may_renew() => {
                    self.session.renew(Reach::Full, &token).await?;
                    continue;
                }
                Err(error) => return Err(refused_again(error)),
            };
            let rows = match page["results"].take() {
                Value::Array(rows) => rows,
                // An answer without results has no rows.
                _ => Vec::new(),
            };
            for row in &rows {
                *assets += self.row(group, row).await?;
            }
            let next = page["nextPageToken"].as_str().map(str::to_owned);
            if !pages.came(SEARCH, next)? {
                return Ok(());
            }
        }
    }

    /// Takes a row; how many assets it made.
    async fn row(&self, group: Group, row: &Value) -> Result<u64> {
        let is_asked_for = self.scope.regions.as_ref().is_none_or(|regions| is_within(location(row), regions));
        if !group.has(native_type(row)?) || !is_asked_for {
            return Ok(0);
        }
        let place = Place { project: &self.session.grant.project_id, service: group.service, now: Timestamp::now() };
        self.send(Found::Asset(Box::new(asset(row, &place)?))).await?;
        Ok(1)
    }

    fn question(&self, types: &[String], page: Option<&str>) -> Result<reqwest::Url> {
        let mut query = vec![("pageSize", PAGE_SIZE), ("readMask", READ_MASK)];
        query.extend(types.iter().map(|kind| ("assetTypes", kind.as_str())));
        query.extend(page.map(|token| ("pageToken", token)));
        let path = format!("/v1/projects/{}:searchAllResources", self.session.grant.project_id);
        url(&self.session.shared.services.endpoints.cloud_asset, &path, &query)
    }

    async fn send(&self, found: Found) -> Result<()> {
        let gone = |_| CloudError::new(ErrorClass::Sink, SEARCH, "the receiver of the assets is gone");
        self.sender.send(found).await.map_err(gone)
    }
}
