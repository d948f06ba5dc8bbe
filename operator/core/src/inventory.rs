//! The inventory: which assets of the last reading stay, and what is said of coverage.

pub mod address;
pub mod diff;
pub mod history;
mod line;
pub mod manifest;
pub mod patch;
pub mod scope;

use std::collections::{HashMap, HashSet};

use caretaker_api::cloud_account::{CellStatus, CoverageStatus, InventoryStatus};
use caretaker_api::words::GapVerdict;
use caretaker_cloud::{Asset, Cell, CellKey, EVERYWHERE, Scope, Verdict};

pub use line::{Counts, Line};

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

    /// Takes cells of the last inventory whose region is not read any more although the spec does not leave it out: the account does not list it now,
    /// which says nothing of what is in it. A cell of a region that is read belongs to a kind that this release does not know.
    pub fn take_missing(&mut self, last: &[Cell], scope: &Scope) {
        let planned: HashSet<String> = self.cells.keys().map(|key| key.region.clone()).collect();
        let is_missing = |cell: &&Cell| {
            let has_assets = cell.assets > 0 || cell.verdict != Verdict::Complete;
            let region = &cell.key.region;
            has_assets && region != EVERYWHERE && !planned.contains(region) && scope.takes(region)
        };
        for cell in last.iter().filter(is_missing) {
            let CellKey { account, region, service } = &cell.key;
            let cause = format!(
                "{account} {region} {service}: the account does not list the region as enabled any more; what was in it stays as it was last seen. \
                 Enable {region} in this account, or name the regions to read in the spec"
            );
            self.take(Cell { verdict: Verdict::Disabled, calls: 0, cause, retry_after_seconds: None, ..cell.clone() });
        }
    }

    /// Whether an asset of the last reading that was not seen in this one stays: an absence is concluded only from a complete cell.
    #[must_use]
    pub fn keeps(&self, asset: &Asset) -> bool {
        self.cells.get(&asset.cell()).is_some_and(|cell| cell.verdict != Verdict::Complete)
    }

    /// The verdict of a cell; `None` where it was not planned.
    #[must_use]
    pub fn of(&self, key: &CellKey) -> Option<Verdict> {
        self.cells.get(key).map(|cell| cell.verdict)
    }

    /// Whether any cell was not read completely: what the last inventory knew of it is taken over then.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        self.cells.values().any(|cell| cell.verdict != Verdict::Complete)
    }

    /// Fills in what an answer of an incomplete cell lacks of an asset: the absence of a part is no change of that part.
    pub fn fill(&self, asset: &mut Asset, before: &Asset) {
        if !self.keeps(asset) {
            return;
        }
        if asset.tags.is_empty() {
            asset.tags.clone_from(&before.tags);
        }
        if asset.name.is_empty() {
            asset.name.clone_from(&before.name);
        }
        asset.created = asset.created.or(before.created);
        for (name, value) in &before.facts {
            asset.facts.entry(name.clone()).or_insert_with(|| value.clone());
        }
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
        let gaps = gaps.into_iter().take(MAX_GAPS).filter_map(gap);
        let text = if planned == 0 { "Unknown".to_owned() } else { format!("{complete}/{planned}") };
        CoverageStatus { text, planned, complete, gaps: gaps.collect(), notes: self.notes() }
    }

    /// What complete cells cannot show all the same, in their order.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let noted = |cell: &&Cell| cell.verdict == Verdict::Complete && !cell.cause.is_empty();
        self.cells().into_iter().filter(noted).map(|cell| cell.cause.clone()).collect()
    }
}

/// A cell that was not read completely, as a status and a bundle tell it.
#[must_use]
pub fn gap(cell: &Cell) -> Option<CellStatus> {
    let verdict = match cell.verdict {
        Verdict::Complete => return None,
        Verdict::Partial => GapVerdict::Partial,
        Verdict::Denied => GapVerdict::Denied,
        Verdict::Throttled => GapVerdict::Throttled,
        Verdict::Unreachable => GapVerdict::Unreachable,
        Verdict::Disabled => GapVerdict::Disabled,
    };
    Some(CellStatus { region: cell.key.region.clone(), service: cell.key.service.clone(), verdict, cause: cell.cause.clone() })
}

/// A new inventory, and what is to be said of it beside its summary.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// The summary.
    pub inventory: InventoryStatus,
    /// Some of the assets that nobody has classified, as people read them.
    pub unclassified: Vec<String>,
    /// What the store has lost, and what that means.
    pub losses: Vec<String>,
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use caretaker_cloud::AssetType;
    use jiff::Timestamp;

    use super::*;

    pub fn asset(region: &str) -> Asset {
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
        assert_eq!((coverage.text.as_str(), coverage.gaps.len(), coverage.notes.len()), ("1/2", 1, 0));
    }

    #[test]
    fn what_a_complete_cell_cannot_show_is_a_note_and_no_gap() {
        let mut verdicts = Verdicts::default();
        verdicts.take(Cell { cause: "some may be missing".into(), ..cell("a", Verdict::Complete) });
        verdicts.take(Cell { cause: "refused".into(), ..cell("b", Verdict::Denied) });
        let coverage = verdicts.coverage();
        assert_eq!((coverage.text.as_str(), coverage.gaps.len(), coverage.notes), ("1/2", 1, vec!["some may be missing".to_owned()]));
    }

    #[test]
    fn a_part_that_an_incomplete_cell_does_not_show_is_no_change() {
        let with_tags = |region: &str| Asset {
            name: "web".into(),
            tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
            facts: BTreeMap::from([("state".to_owned(), "running".to_owned())]),
            ..asset(region)
        };
        let mut verdicts = Verdicts::default();
        verdicts.take(cell("a", Verdict::Partial));
        verdicts.take(cell("b", Verdict::Complete));
        let (mut partial, mut complete) = (asset("a"), asset("b"));
        verdicts.fill(&mut partial, &with_tags("a"));
        verdicts.fill(&mut complete, &with_tags("b"));
        assert_eq!((partial, complete), (with_tags("a"), asset("b")));
    }
}
