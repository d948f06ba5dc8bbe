//! Discovery: one cell per region and kind. What is read side by side, and what an error means for a cell, is the pump's to say.

use std::sync::Mutex;

use async_trait::async_trait;
use caretaker_cloud::budget::Tally;
use caretaker_cloud::pump::{self, CellSink, Reader, Run};
use caretaker_cloud::{AssetSink, AwsType, CellKey, CloudError, ErrorClass, Result, Scope, Verdict};
use tokio::sync::OnceCell;

use crate::calls::Calls;
use crate::errors::verdict;
use crate::page::{Place, Tokens, page};
use crate::regions::regions;
use crate::session::Link;

/// Cells that are read at the same time.
const CONCURRENCY: usize = 8;

/// Reads the scope.
pub async fn discover(link: &Link, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
    let (client, tally) = (link.grant.account_id.as_str(), Tally::default());
    let regions = regions(link, scope, &tally.work(client)).await?;
    let cells = AwsType::cells(regions.iter().map(String::as_str));
    pump::run(&Cells { link, regions }, cells, Run { client, tally: &tally, scope, concurrency: CONCURRENCY }, sink).await
}

struct Cells<'a> {
    link: &'a Link,
    regions: Vec<String>,
}

#[async_trait]
impl Reader for Cells<'_> {
    type Cell = (String, AwsType);

    fn key(&self, (region, kind): &Self::Cell) -> CellKey {
        CellKey { account: self.link.grant.account_id.clone(), region: region.clone(), service: kind.service().into() }
    }

    fn verdict(&self, error: &CloudError, assets: u64, key: &CellKey) -> (Verdict, String, Option<u64>) {
        verdict(error, key, assets)
    }

    async fn read(&self, (region, kind): &Self::Cell, out: &CellSink) -> Result<()> {
        let link = self.link;
        let budget = if kind.is_of_an_index() { link.index_budget() } else { link.budget(region) };
        let calls = Calls::new(&out.work, budget);
        let partition = link.grant.role_arn.split(':').nth(1).unwrap_or("aws");
        let place = Place {
            account: &link.grant.account_id,
            region,
            regions: &self.regions,
            partition,
            calls,
            names: OnceCell::new(),
            index: OnceCell::new(),
            left_out: Mutex::default(),
        };
        let asked = (!kind.is_global()).then_some(region.as_str());
        let (mut token, mut tokens, mut renewed) = (None::<String>, Tokens::of(kind.operation()), false);
        loop {
            let key = link.session_key().await;
            let (assets, next) = match page(*kind, &link.config(asked).await, &place, token.clone()).await {
                Ok(page) => page,
                // The page tokens outlive the session: go on with the same one under a new session, once for each page.
                Err(error) if error.class == ErrorClass::Expired && !renewed => {
                    renewed = true;
                    link.renew(&key).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            // A long list outlives more than one session.
            renewed = false;
            for asset in assets {
                out.asset(asset).await?;
            }
            token = tokens.after(next.as_deref())?;
            if token.is_none() {
                if let Some(plan) = place.index.get() {
                    out.note(plan.note.clone());
                }
                return place.left_out.into_inner().expect("no panic while held").map_or(Ok(()), Err);
            }
        }
    }
}
