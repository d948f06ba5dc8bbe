//! Patch state: what may be said of each machine, and the sums.

use std::collections::HashMap;

use caretaker_api::cloud_account::PatchStatus;
use caretaker_cloud::{Asset, AssetType, PatchFacts, Power, Verdict};
use jiff::{SignedDuration, Timestamp};

/// Age in days after which an assessment says nothing of today. Patch data of the clouds is gone after 7 to 30 days.
const MAX_AGE_DAYS: i64 = 30;

/// What may be said of a machine's patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PatchState {
    /// It was assessed, and nothing is missing.
    UpToDate,
    /// Patches are missing, have failed, or wait for a reboot.
    Missing,
    /// Nobody has looked into it, or too long ago.
    Unassessed,
    /// The cloud did not tell: its answer was refused or is not whole.
    Unknown,
}

impl PatchState {
    /// The word in the inventory.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "up-to-date",
            Self::Missing => "missing",
            Self::Unassessed => "unassessed",
            Self::Unknown => "unknown",
        }
    }

    /// From what was told of a machine, and how far the cell that tells it was read. That nobody has looked into a machine is concluded only from a
    /// complete cell.
    #[must_use]
    pub fn of(told: Option<&PatchFacts>, cell: Option<Verdict>, now: Timestamp) -> Self {
        let Some(told) = told else {
            return if cell == Some(Verdict::Complete) { Self::Unassessed } else { Self::Unknown };
        };
        let recent = |at: Timestamp| now.duration_since(at) <= SignedDuration::from_hours(24 * MAX_AGE_DAYS);
        if !told.assessed_at.is_some_and(recent) {
            Self::Unassessed
        } else if told.missing + told.failed + told.critical > 0 || told.pending_reboot {
            Self::Missing
        } else {
            Self::UpToDate
        }
    }
}

/// Whether an asset is a machine that can be patched: one that is not gone.
#[must_use]
pub fn is_patched(asset: &Asset) -> bool {
    asset.asset_type == AssetType::Instance && asset.power != Some(Power::Gone)
}

/// Writes what was told into a machine's facts.
pub fn note(machine: &mut Asset, told: Option<&PatchFacts>, state: PatchState) {
    // What an earlier reading said is no longer said.
    machine.facts.retain(|key, _| !key.starts_with("patches"));
    machine.facts.insert("patches".into(), state.as_str().into());
    let Some(told) = told else { return };
    machine.facts.insert("patchesMissing".into(), told.missing.to_string());
    let others = [("patchesFailed", told.failed), ("patchesCritical", told.critical), ("patchesAwaitReboot", told.pending_reboot.into())];
    machine.facts.extend(others.into_iter().filter(|(_, count)| *count > 0).map(|(key, count)| (key.into(), count.to_string())));
    machine.facts.extend(told.assessed_at.map(|at| ("patchesAssessedAt".into(), at.to_string())));
}

/// Joins the patch states among assets to their machines, which must be among the same assets: the patch states are taken out, and each machine that was
/// seen in this reading says what is known. `cell` gives the verdict of the cell that tells of a machine.
pub fn join(assets: &mut Vec<Asset>, cell: impl Fn(&Asset) -> Option<Verdict>, now: Timestamp) -> PatchStatus {
    let mut told: HashMap<(String, String), PatchFacts> = HashMap::new();
    assets.retain(|asset| {
        let is_state = asset.asset_type == AssetType::PatchState;
        if is_state {
            told.insert((asset.account.clone(), asset.id.clone()), PatchFacts::of(asset));
        }
        !is_state
    });
    let mut sums = PatchStatus::default();
    for machine in assets.iter_mut().filter(|asset| is_patched(asset)) {
        let told = told.get(&(machine.account.clone(), machine.id.clone()));
        let state = PatchState::of(told, cell(machine), now);
        note(machine, told, state);
        count(&mut sums, state);
    }
    sums
}

fn count(sums: &mut PatchStatus, state: PatchState) {
    let sum = match state {
        PatchState::UpToDate => &mut sums.up_to_date,
        PatchState::Missing => &mut sums.missing,
        PatchState::Unassessed => &mut sums.unassessed,
        PatchState::Unknown => &mut sums.unknown,
    };
    *sum += 1;
}

/// The sums of two parts of an inventory.
#[must_use]
pub fn add(one: &PatchStatus, other: &PatchStatus) -> PatchStatus {
    PatchStatus {
        up_to_date: one.up_to_date + other.up_to_date,
        missing: one.missing + other.missing,
        unassessed: one.unassessed + other.unassessed,
        unknown: one.unknown + other.unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use caretaker_cloud::Cloud;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn asset(id: &str, asset_type: AssetType) -> Asset {
        Asset::new(Cloud::Aws, "1", "r", asset_type, id)
    }

    fn assessed(days_ago: i64) -> PatchFacts {
        PatchFacts { assessed_at: NOW.checked_sub(SignedDuration::from_hours(24 * days_ago)).ok(), ..PatchFacts::default() }
    }

    #[test]
    fn a_state_is_said_only_where_it_is_known() {
        let fine = assessed(1);
        let complete = Some(Verdict::Complete);
        for (told, cell, state, why) in [
            (None, complete, PatchState::Unassessed, "nobody has looked"),
            (None, Some(Verdict::Denied), PatchState::Unknown, "an absence is concluded only from a complete cell"),
            (None, Some(Verdict::Partial), PatchState::Unknown, "the machine may be on a page that did not come"),
            (None, None, PatchState::Unknown, "the cell was not planned"),
            (Some(fine), complete, PatchState::UpToDate, "nothing is missing"),
            (Some(fine), Some(Verdict::Partial), PatchState::UpToDate, "what came is known"),
            (Some(PatchFacts { missing: 1, ..fine }), complete, PatchState::Missing, "one is missing"),
            (Some(PatchFacts { failed: 1, ..fine }), complete, PatchState::Missing, "one failed"),
            (Some(PatchFacts { pending_reboot: true, ..fine }), complete, PatchState::Missing, "installed only after a reboot"),
            (Some(assessed(31)), complete, PatchState::Unassessed, "too long ago"),
            (Some(PatchFacts { missing: 4, ..assessed(31) }), complete, PatchState::Unassessed, "too long ago to say even that"),
            (Some(PatchFacts { missing: 4, ..PatchFacts::default() }), complete, PatchState::Unassessed, "the scan failed"),
        ] {
            assert_eq!(PatchState::of(told.as_ref(), cell, NOW), state, "{why}");
        }
    }

    #[test]
    fn what_is_not_told_any_more_is_not_said_any_more() {
        let mut machine = asset("i-1", AssetType::Instance);
        note(&mut machine, Some(&PatchFacts { missing: 2, critical: 1, ..assessed(1) }), PatchState::Missing);
        note(&mut machine, None, PatchState::Unknown);
        assert_eq!(machine.facts, BTreeMap::from([("patches".into(), "unknown".into())]));
    }

    #[test]
    fn a_patch_state_is_joined_to_its_machine_and_is_no_line_of_its_own() {
        let state = |id: &str, patches: PatchFacts| Asset { patches: Some(patches), ..asset(id, AssetType::PatchState) };
        let gone = Asset { power: Some(Power::Gone), ..asset("i-4", AssetType::Instance) };
        let mut assets = vec![
            state("i-1", PatchFacts { missing: 2, critical: 1, ..assessed(2) }),
            asset("i-1", AssetType::Instance),
            asset("i-2", AssetType::Instance),
            asset("vol-1", AssetType::Volume),
            state("mi-9", assessed(1)),
            gone,
        ];
        let sums = join(&mut assets, |_| Some(Verdict::Complete), NOW);
        assert_eq!(sums, PatchStatus { missing: 1, unassessed: 1, ..PatchStatus::default() });
        assert_eq!(assets.iter().map(|asset| asset.id.as_str()).collect::<Vec<_>>(), ["i-1", "i-2", "vol-1", "i-4"]);
        let facts = &assets[0].facts;
        assert_eq!((facts["patches"].as_str(), facts["patchesMissing"].as_str()), ("missing", "2"));
        assert_eq!((facts["patchesCritical"].as_str(), facts.get("patchesFailed")), ("1", None));
        assert_eq!(assets[1].facts["patches"], "unassessed");
        assert!(assets[2].facts.is_empty() && !assets[3].facts.contains_key("patches"));
    }
}
