//! All that a reading brings, and what holds of every one.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::Stage;
use crate::{AccessGrant, Asset, AssetSink, AssetType, Cell, CloudLink, Result, Scope, Verdict};

/// What a reading brought.
#[derive(Default)]
pub struct Gathered {
    /// The assets, in the order in which they came.
    pub assets: Vec<Asset>,
    /// The cells.
    pub cells: Vec<Cell>,
}

#[async_trait]
impl AssetSink for Gathered {
    async fn asset(&mut self, asset: Asset) -> Result<()> {
        self.assets.push(asset);
        Ok(())
    }

    async fn cell(&mut self, cell: Cell) -> Result<()> {
        self.cells.push(cell);
        Ok(())
    }
}

/// The scope of both places of a stage.
pub(super) fn scope(stage: &dyn Stage) -> Scope {
    Scope { regions: Some(stage.places().map(str::to_owned).to_vec()), ..Scope::default() }
}

impl Gathered {
    /// Reads both places.
    ///
    /// # Panics
    /// What holds of every reading does not hold.
    pub async fn of(stage: &dyn Stage, grant: &AccessGrant, link: &dyn CloudLink) -> Self {
        let mut gathered = Self::default();
        link.discover(&scope(stage), &mut gathered).await.expect("the cells can be planned");
        gathered.assert_whole(grant, &stage.cells(&stage.places()));
        gathered
    }

    /// Every planned cell once, as many assets as the cells say, none of them twice, and a cause with all its parts where a cell is not complete.
    ///
    /// # Panics
    /// One of these does not hold.
    pub fn assert_whole(&self, grant: &AccessGrant, planned: &BTreeSet<(String, String)>) {
        let reported: BTreeSet<(String, String)> =
            self.cells.iter().map(|cell| (cell.key.region.clone(), cell.key.service.clone())).collect();
        assert_eq!(&reported, planned, "each planned cell is reported");
        assert_eq!(self.cells.len(), planned.len(), "and each once only");
        let mut came: BTreeMap<_, u64> = BTreeMap::new();
        for asset in &self.assets {
            assert!(asset.account == grant.account() && !asset.id.is_empty(), "{asset:?}");
            *came.entry(asset.cell()).or_default() += 1;
        }
        let ids: BTreeSet<_> = self.assets.iter().map(|asset| (&asset.region, &asset.native_type, &asset.id)).collect();
        assert_eq!(ids.len(), self.assets.len(), "no asset comes twice");
        for cell in &self.cells {
            assert_eq!(came.get(&cell.key).copied().unwrap_or_default(), cell.assets, "the assets of {:?}", cell.key);
            assert_cause(cell);
        }
    }

    /// The cell of this region and service.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn cell(&self, (region, service): &(String, String)) -> &Cell {
        let is_it = |cell: &&Cell| cell.key.region == *region && cell.key.service == *service;
        self.cells.iter().find(is_it).expect("the cell is there")
    }

    /// The cells that are not Complete.
    #[must_use]
    pub fn incomplete(&self) -> Vec<&Cell> {
        self.cells.iter().filter(|cell| cell.verdict != Verdict::Complete).collect()
    }

    /// The number of machines that came.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.assets.iter().filter(|asset| asset.asset_type == AssetType::Instance).count()
    }
}

/// A cause stands where it is needed, and names account, region, service, what happened and what to do. A complete cell has none, or a note.
fn assert_cause(cell: &Cell) {
    if cell.verdict == Verdict::Complete {
        let is_whole = cell.cause.is_empty() || cell.cause.contains(". ") && !cell.cause.ends_with('.');
        assert!(is_whole, "a note says what the cell cannot show, and what to do: {cell:?}");
        return;
    }
    let key = &cell.key;
    for part in [&key.account, &key.region, &key.service] {
        assert!(cell.cause.contains(part.as_str()), "the cause does not name {part}: {}", cell.cause);
    }
    let cure = cell.cause.rsplit(". ").next().unwrap_or_default();
    assert!(cure.len() < cell.cause.len() && cure.split(' ').count() > 3, "the cause names no cure: {}", cell.cause);
}
