//! Very much.

use std::collections::HashSet;

use async_trait::async_trait;

use super::gathered::scope;
use super::{Stage, link};
use crate::{Asset, AssetSink, AssetType, Cell, Purpose, Result, Verdict};

/// More than anybody has in one account.
const MANY: usize = 100_000;

/// Counts, and keeps ids alone.
#[derive(Default)]
struct Ids {
    machines: HashSet<String>,
    doubled: usize,
    incomplete: Vec<Cell>,
}

#[async_trait]
impl AssetSink for Ids {
    async fn asset(&mut self, asset: Asset) -> Result<()> {
        if asset.asset_type == AssetType::Instance && !self.machines.insert(asset.id) {
            self.doubled += 1;
        }
        Ok(())
    }

    async fn cell(&mut self, cell: Cell) -> Result<()> {
        if cell.verdict != Verdict::Complete {
            self.incomplete.push(cell);
        }
        Ok(())
    }
}

/// A list of very many pages is read to its end, and nothing in it is lost or doubled.
pub async fn a_hundred_thousand_assets_come_once_each(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read]).await;
    let [place, _] = stage.places();
    stage.machines(&grant, place, MANY).await;
    let mut ids = Ids::default();
    let link = link(stage, &grant, Purpose::Read).await;
    link.discover(&scope(stage), &mut ids).await.expect("the cells can be planned");
    assert!(ids.incomplete.is_empty(), "{:?}", ids.incomplete);
    assert_eq!((ids.machines.len(), ids.doubled), (MANY, 0));
}
