//! The licence texts of everything in the image, in one file: each text once, with those whose it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

use super::libraries::Library;
use super::packages::Package;

/// Beginnings of the names under which crates keep licences and what has to be said with them.
const NAMES: &[&str] = &["licen", "copying", "copyright", "notice", "unlicense"];

/// The file. Of a crate that ships no text, the standard text of each licence that it names.
pub fn texts<'a>(packages: impl IntoIterator<Item = &'a Package>, libraries: &[Library], compiler: &str) -> Result<String> {
    let mut by_text: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |text: &str, whose: String| {
        by_text.entry(text.replace("\r\n", "\n").trim().to_owned()).or_default().insert(whose);
    };
    for package in packages {
        let whose = format!("{} {} ({})", package.id.0, package.id.1, package.licence);
        let mut found = shipped(package)?;
        if found.is_empty() && package.is_ours() {
            found.push(std::fs::read_to_string(crate::root().join("LICENSE")).context("read LICENSE")?);
        }
        if found.is_empty() {
            found = standard(&package.licence).with_context(|| whose.clone())?;
        }
        found.iter().for_each(|text| add(text, whose.clone()));
    }
    for library in libraries {
        let of = library.package.as_deref().unwrap_or("unknown package");
        let whose = format!("{} ({of} {})", library.path, library.version.as_deref().unwrap_or("of unknown version"));
        library.copyright.iter().for_each(|text| add(text, whose.clone()));
        if let Some(licence) = library.licence {
            standard(licence)?.iter().for_each(|text| add(text, whose.clone()));
        }
    }
    standard(super::sbom::RUST_LICENCE)?.iter().for_each(|text| add(text, format!("Rust's standard library {compiler}")));
    let mut all = "What is in this image besides Caretaker itself, and under which terms.\n".to_owned();
    for (text, whose) in by_text {
        let whose: Vec<String> = whose.into_iter().collect();
        all.push_str(&format!("\n{}\n{}\n\n{text}\n", "=".repeat(80), whose.join("\n")));
    }
    Ok(all)
}

/// The texts in a crate's folder.
fn shipped(package: &Package) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&package.folder).with_context(|| format!("read {}", package.folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_code = path.extension().is_some_and(|extension| extension == "rs");
        if path.is_file() && !is_code && NAMES.iter().any(|beginning| name.starts_with(beginning)) {
            paths.push(path);
        }
    }
    paths.extend(package.licence_file.iter().map(|file| package.folder.join(file)));
    paths.sort();
    paths.dedup();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The standard texts of the licences and exceptions in an expression.
fn standard(expression: &str) -> Result<Vec<String>> {
    let expression = spdx::Expression::parse(expression).map_err(|error| anyhow::anyhow!("the licence is no SPDX expression: {error}"))?;
    let mut found = BTreeSet::new();
    for part in expression.requirements() {
        let licence = part.req.license.id().context("a licence that SPDX does not list")?;
        found.insert(licence.text().to_owned());
        if let Some(exception) = part.req.addition.as_ref().and_then(spdx::AdditionItem::id) {
            found.insert(exception.text().to_owned());
        }
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_that_nobody_knows_stops_the_image() {
        assert_eq!(standard("MIT OR Apache-2.0").expect("both are known").len(), 2);
        assert_eq!(standard("GPL-3.0-or-later WITH GCC-exception-3.1").expect("both are known").len(), 2);
        assert!(standard("Nobodys-1.0").is_err());
    }
}
