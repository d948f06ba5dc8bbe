//! The inventory: which assets of the last reading stay, and what is said of coverage.

use std::collections::{BTreeMap, HashMap};

use caretaker_api::cloud_account::{CellStatus, CoverageStatus};
use caretaker_cloud::{Asset, Cell, CellKey, Verdict};

/// Most gaps that stand in a status; the store holds all.
const MAX_GAPS: usize = 50;

/// The verdicts of one reading.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    cells: HashMap<CellKey, Cell>,
}

impl Verdicts {
    /// Takes a cell's verdict.
    pub fn take(&mut self, cell: Cell) {
        self.cells.insert(cell.key.clone(), cell);
    }

    /// Whether an asset of the last reading that was not seen in this one stays: an absence is concluded only from a complete cell. A cell that
    /// was not planned any more says nothing either, unless the whole scope has changed on purpose; then its assets go with it.
    #[must_use]
    pub fn keeps(&self, asset: &Asset) -> bool {
        self.cells.get(&asset.cell()).is_some_and(|cell| cell.verdict != Verdict::Complete)
    }

    /// All cells, in order.
    #[must_use]
    pub fn cells(&self) -> Vec<&Cell> {
        let mut cells: Vec<&Cell> = self.cells.values().collect();
        cells.sort_by(|a, b| a.key.cmp(&b.key));
        cells
    }

    /// Coverage for the status: numbers, and the worst gaps first.
    #[must_use]
    pub fn coverage(&self) -> CoverageStatus {
        let planned = u32::try_from(self.cells.len()).unwrap_or(u32::MAX);
        let mut gaps: Vec<&Cell> = self.cells.values().filter(|cell| cell.verdict != Verdict::Complete).collect();
        let complete = planned - u32::try_from(gaps.len()).unwrap_or(u32::MAX);
        gaps.sort_by(|a, b| (a.verdict, &a.key).cmp(&(b.verdict, &b.key)));
        let gaps = gaps.into_iter().take(MAX_GAPS).map(|cell| CellStatus {
            region: cell.key.region.clone(),
            service: cell.key.service.clone(),
            verdict: format!("{:?}", cell.verdict),
            cause: cell.cause.clone(),
        });
        let text = if planned == 0 { "Unknown".to_owned() } else { format!("{complete}/{planned}") };
        CoverageStatus { text, planned, complete, gaps: gaps.collect() }
    }
}

/// Counts by type.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// All assets.
    pub total: u64,
    /// By type.
    pub by_type: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts one asset.
    pub fn add(&mut self, asset: &Asset) {
        self.total += 1;
        *self.by_type.entry(asset.asset_type.as_str().into()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::AssetType;
    use jiff::Timestamp;

    use super::*;

    fn asset(region: &str) -> Asset {
        Asset {
            id: "i-1".into(),
            cloud: "aws".into(),
            account: "1".into(),
            region: region.into(),
            asset_type: AssetType::Instance,
            native_type: "AWS::EC2::Instance".into(),
            service: "ec2/instances".into(),
            name: String::new(),
            tags: BTreeMap::new(),
            created: None,
            facts: BTreeMap::new(),
            source: String::new(),
            seen_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn cell(region: &str, verdict: Verdict) -> Cell {
        let key = asset(region).cell();
        Cell { key, verdict, assets: 0, calls: 1, cause: String::new(), retry_after_seconds: None, at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn an_absence_is_concluded_only_from_a_complete_cell() {
        for verdict in [Verdict::Complete, Verdict::Partial, Verdict::Denied, Verdict::Throttled, Verdict::Unreachable, Verdict::Disabled] {
            let mut verdicts = Verdicts::default();
            verdicts.take(cell("a", verdict));
            assert_eq!(verdicts.keeps(&asset("a")), verdict != Verdict::Complete, "{verdict:?}");
        }
    }

    #[test]
    fn coverage_without_cells_is_unknown() {
        assert_eq!(Verdicts::default().coverage().text, "Unknown");
        let mut verdicts = Verdicts::default();
        verdicts.take(cell("a", Verdict::Complete));
        verdicts.take(cell("b", Verdict::Denied));
        let coverage = verdicts.coverage();
        assert_eq!((coverage.text.as_str(), coverage.gaps.len()), ("1/2", 1));
    }
}
