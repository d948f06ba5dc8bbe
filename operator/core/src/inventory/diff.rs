//! What differs between two inventories.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use caretaker_cloud::Asset;
use serde::{Deserialize, Serialize};

use super::address::key;
use super::line::Line;
use crate::inventory::scope::ScopeVerdict;

/// What is known of a machine's patches changes with every scan and is nothing of the machine's own.
const PATCHES: &str = "facts.patches";

/// How an asset differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone: its cell was read completely and lacked it.
    Removed,
    /// It is another.
    Changed,
}

/// One part of an asset that is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which, such as `tags.env`, `facts.state` or `verdict`.
    pub part: String,
    /// What it was; empty where it was not there.
    pub before: String,
    /// What it is; empty where it is not there.
    pub after: String,
}

/// One asset that differs: one line of a file of differences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// How.
    pub change: Change,
    /// The cloud's id.
    pub id: String,
    /// Account, subscription or project.
    pub account: String,
    /// Region or location.
    pub region: String,
    /// Type, the inventory's word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The cloud's type.
    pub native_type: String,
    /// Name.
    pub name: String,
    /// What the scope says of it.
    pub verdict: ScopeVerdict,
    /// The parts that are others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// The differences of one bucket; both sides are sorted by key.
#[must_use]
pub fn compare(before: &[Line], after: &[Line]) -> Vec<Difference> {
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => key(&old.asset).cmp(&key(&new.asset)),
        };
        let old = if order == Ordering::Greater { None } else { before.next() };
        let new = if order == Ordering::Less { None } else { after.next() };
        found.extend(difference(old, new));
    }
}

fn difference(old: Option<&Line>, new: Option<&Line>) -> Option<Difference> {
    let (change, parts) = match (old, new) {
        (None, Some(_)) => (Change::Added, Vec::new()),
        (Some(_), None) => (Change::Removed, Vec::new()),
        (Some(old), Some(new)) => (Change::Changed, parts(old, new)),
        (None, None) => return None,
    };
    if change == Change::Changed && parts.is_empty() {
        return None;
    }
    let Line { asset, verdict, .. } = new.or(old)?;
    Some(Difference {
        change,
        id: asset.id.clone(),
        account: asset.account.clone(),
        region: asset.region.clone(),
        kind: asset.asset_type.as_str().into(),
        native_type: asset.native_type.clone(),
        name: asset.name.clone(),
        verdict: *verdict,
        parts,
    })
}

/// What is another. When an asset was seen, by which call and in which cell is nothing of the asset's own.
fn parts(old: &Line, new: &Line) -> Vec<Part> {
    let created = |asset: &Asset| asset.created.map(|at| at.to_string()).unwrap_or_default();
    let plain = [
        ("region", old.asset.region.clone(), new.asset.region.clone()),
        ("type", old.asset.asset_type.to_string(), new.asset.asset_type.to_string()),
        ("nativeType", old.asset.native_type.clone(), new.asset.native_type.clone()),
        ("name", old.asset.name.clone(), new.asset.name.clone()),
        ("created", created(&old.asset), created(&new.asset)),
        ("verdict", old.verdict.to_string(), new.verdict.to_string()),
        ("exclusion", old.exclusion.clone(), new.exclusion.clone()),
    ];
    let mut parts: Vec<Part> = plain.into_iter().map(|(part, before, after)| Part { part: part.into(), before, after }).collect();
    parts.extend(entries("tags", &old.asset.tags, &new.asset.tags));
    parts.extend(entries("facts", &old.asset.facts, &new.asset.facts));
    parts.retain(|part| part.before != part.after && !part.part.starts_with(PATCHES));
    parts
}

fn entries(of: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Part> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let value = |map: &BTreeMap<String, String>, key: &String| map.get(key).cloned().unwrap_or_default();
    keys.into_iter().map(|key| Part { part: format!("{of}.{key}"), before: value(old, key), after: value(new, key) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::tests::asset;

    fn line(id: &str) -> Line {
        Line { asset: Asset { id: id.into(), ..asset("eu-west-1") }, verdict: ScopeVerdict::Covered, exclusion: String::new() }
    }

    #[test]
    fn only_what_is_the_asset_s_own_makes_a_change() {
        let seen_later = |mut line: Line| {
            line.asset.seen_at = "2026-01-02T03:04:05Z".parse().unwrap();
            line.asset.source = "another:Call".into();
            line.asset.service = "another/cell".into();
            line.asset.facts.insert("patchesMissing".into(), "3".into());
            line
        };
        assert_eq!(compare(&[line("i-1")], &[seen_later(line("i-1"))]), []);
        let mut moved = line("i-1");
        moved.asset.tags.insert("env".into(), "prod".into());
        moved.verdict = ScopeVerdict::Excluded;
        let found = compare(&[line("i-1")], &[moved]);
        let parts: Vec<&str> = found[0].parts.iter().map(|part| part.part.as_str()).collect();
        assert_eq!((found[0].change, parts), (Change::Changed, vec!["verdict", "tags.env"]));
    }

    #[test]
    fn two_sorted_sides_are_merged() {
        let found = compare(&[line("a"), line("b"), line("d")], &[line("b"), line("c"), line("d"), line("e")]);
        let found: Vec<(Change, &str)> = found.iter().map(|difference| (difference.change, difference.id.as_str())).collect();
        assert_eq!(found, [(Change::Removed, "a"), (Change::Added, "c"), (Change::Added, "e")]);
        assert!(compare(&[], &[]).is_empty());
    }
}
