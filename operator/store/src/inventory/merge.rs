//! What was seen, and what stays although it was not.

use std::collections::BTreeSet;

use caretaker_cloud::Asset;
use caretaker_core::inventory::address::key;
use caretaker_core::inventory::{Line, Verdicts};

/// What was read, and what the last inventory knew of cells that were not read completely, or what stays all the same. Both are sorted by key.
#[must_use]
pub fn merge(found: Vec<Line>, before: Vec<Line>, (verdicts, stay): (&Verdicts, &BTreeSet<String>)) -> Vec<Asset> {
    let keeps = |(key, asset): &(String, Asset)| verdicts.keeps(asset) || stay.contains(key);
    let mut merged = Vec::with_capacity(found.len());
    let mut before = before.into_iter().map(|line| (key(&line.asset), line.asset)).peekable();
    for mut asset in found.into_iter().map(|line| line.asset) {
        let at = key(&asset);
        while let Some(kept) = before.next_if(|(key, _)| *key < at) {
            merged.extend(Some(kept).filter(keeps).map(|(_, kept)| kept));
        }
        if let Some((_, same)) = before.next_if(|(key, _)| *key == at) {
            verdicts.fill(&mut asset, &same);
        }
        merged.push(asset);
    }
    merged.extend(before.filter(keeps).map(|(_, kept)| kept));
    merged
}
