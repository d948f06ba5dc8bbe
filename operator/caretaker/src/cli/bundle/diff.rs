//! `bundle diff`: what differs between two bundles, by file and by asset.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::held::Held;
use crate::cli::output::{Form, json as print_json};

/// Where the inventories are.
const INVENTORY: &str = "02-inventory/";
/// How they end.
const LINES: &str = ".ndjson.zst";
/// Most assets of a file that are named in the form for people.
const MOST: usize = 20;

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Difference {
    files: Sets,
    assets: BTreeMap<String, Sets>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Sets {
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
    changed: BTreeSet<String>,
}

impl Sets {
    fn of<T: PartialEq>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>) -> Self {
        let only =
            |one: &BTreeMap<String, T>, other: &BTreeMap<String, T>| one.keys().filter(|key| !other.contains_key(*key)).cloned().collect();
        let changed = new.iter().filter(|(key, value)| old.get(*key).is_some_and(|before| before != *value));
        Self { added: only(new, old), removed: only(old, new), changed: changed.map(|(key, _)| key.clone()).collect() }
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    fn lines(&self, most: usize) -> Vec<String> {
        let signed = [('+', &self.added), ('-', &self.removed), ('~', &self.changed)];
        let all: Vec<String> =
            signed.into_iter().flat_map(|(sign, names)| names.iter().map(move |name| format!("{sign} {name}"))).collect();
        let left = all.len().saturating_sub(most);
        let more = (left > 0).then(|| format!("  {left} more; -o json names all"));
        all.into_iter().take(most).chain(more).collect()
    }
}

/// Prints what differs.
pub fn diff(old: &Held, new: &Held, form: Form) -> anyhow::Result<()> {
    let difference = difference(old, new)?;
    if form == Form::Json {
        return print_json(&difference);
    }
    if difference.files.is_empty() {
        outln!("the same files, byte for byte");
        return Ok(());
    }
    outln!("FILES  + added, - removed, ~ changed");
    difference.files.lines(usize::MAX).iter().for_each(|line| outln!("{line}"));
    for (file, assets) in &difference.assets {
        outln!("\nASSETS of {file}: {} added, {} removed, {} changed", assets.added.len(), assets.removed.len(), assets.changed.len());
        assets.lines(MOST).iter().for_each(|line| outln!("{line}"));
    }
    Ok(())
}

fn difference(old: &Held, new: &Held) -> anyhow::Result<Difference> {
    let (before, after) = (old.files()?, new.files()?);
    let files = Sets::of(&before, &after);
    let mut assets = BTreeMap::new();
    let touched = files.added.iter().chain(&files.removed).chain(&files.changed);
    for file in touched.filter(|file| file.starts_with(INVENTORY) && file.ends_with(LINES)) {
        let lines = |held: &Held, is_there: bool| if is_there { fingerprints(held, file) } else { Ok(BTreeMap::new()) };
        let found = Sets::of(&lines(old, before.contains_key(file))?, &lines(new, after.contains_key(file))?);
        if !found.is_empty() {
            assets.insert(file.clone(), found);
        }
    }
    Ok(Difference { files, assets })
}

/// Each asset of an inventory, and a short form of what is known of it. When it was seen is no difference.
fn fingerprints(held: &Held, file: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let path = held.file(file);
    let told = || format!("read {}", path.display());
    let decoder = zstd::Decoder::new(std::fs::File::open(&path).with_context(told)?).with_context(told)?;
    let mut found = BTreeMap::new();
    for line in BufReader::new(decoder).lines() {
        let mut asset: Value = serde_json::from_str(&line.with_context(told)?).with_context(told)?;
        let text = |field: &str| asset[field].as_str().unwrap_or_default().to_owned();
        let name = format!("{} {} {} {}", text("account"), text("region"), text("type"), text("id"));
        if let Some(fields) = asset.as_object_mut() {
            fields.remove("seenAt");
        }
        let mut hasher = DefaultHasher::new();
        asset.to_string().hash(&mut hasher);
        found.insert(name, hasher.finish());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, u8)]) -> BTreeMap<String, u8> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn what_came_went_and_changed_is_told_apart() {
        let sets = Sets::of(&of(&[("a", 1), ("b", 1), ("c", 1)]), &of(&[("b", 2), ("c", 1), ("d", 1)]));
        assert_eq!(sets.lines(9), ["+ d", "- a", "~ b"]);
        assert_eq!(sets.lines(1), ["+ d", "  2 more; -o json names all"]);
        assert!(Sets::of(&of(&[("a", 1)]), &of(&[("a", 1)])).is_empty());
    }
}
