//! Discovery: one cell for each type in each region. `caretaker_cloud::read_cells` says what is read side by side, and what an error means for a cell.

use std::sync::Mutex;

use async_trait::async_trait;
use caretaker_cloud::budget::Tally;
use caretaker_cloud::read_cells::{self, CellSink, Reader, Run};
use caretaker_cloud::runtime::Listing;
use caretaker_cloud::{AssetSink, AwsType, CellKey, CloudError, Result, Scope, Verdict};
use tokio::sync::OnceCell;

use crate::errors::verdict;
use crate::inventory::listing::Place;
use crate::inventory::regions::regions;
use crate::services;
use crate::session::Session;

pub mod listing;
mod regions;
mod tags;

/// Cells that are read at the same time.
const CONCURRENCY: usize = 8;

/// Reads the scope.
pub async fn discover(session: &Session, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
    let (client, tally) = (session.grant.account_id.as_str(), Tally::default());
    let regions = regions(session, scope, &tally.work(client)).await?;
    let cells = AwsType::cells(regions.iter().map(String::as_str));
    read_cells::run(&Cells { session, regions }, cells, Run { client, tally: &tally, scope, concurrency: CONCURRENCY }, sink).await
}

struct Cells<'a> {
    session: &'a Session,
    regions: Vec<String>,
}

#[async_trait]
impl Reader for Cells<'_> {
    type Cell = (String, AwsType);

    fn key(&self, (region, kind): &Self::Cell) -> CellKey {
        CellKey { account: self.session.grant.account_id.clone(), region: region.clone(), service: kind.service().into() }
    }

    fn verdict(&self, error: &CloudError, assets: u64, key: &CellKey) -> (Verdict, String, Option<u64>) {
        verdict(error, key, assets)
    }

    async fn read(&self, (region, kind): &Self::Cell, out: &CellSink) -> Result<()> {
        let session = self.session;
        let place = Place {
            account: &session.grant.account_id,
            region,
            regions: &self.regions,
            partition: session.partition(),
            calls: if kind.is_of_an_index() { session.index_calls(&out.work) } else { session.calls(&out.work, region) },
            names: OnceCell::new(),
            index: OnceCell::new(),
            left_out: Mutex::default(),
        };
        let config = session.config((!kind.is_global()).then_some(region.as_str()));
        let (mut token, mut listing) = (None::<String>, Listing::of(kind.operation()));
        loop {
            let (mut assets, next) = services::page(*kind, &config, &place, token).await?;
            tags::add(*kind, &config, &place, &mut assets).await?;
            for asset in assets {
                out.asset(asset).await?;
            }
            token = listing.after(next.as_deref())?;
            if token.is_none() {
                if let Some(plan) = place.index.get() {
                    out.note(plan.note.clone());
                }
                return place.left_out.into_inner().expect("no panic while held").map_or(Ok(()), Err);
            }
        }
    }
}
