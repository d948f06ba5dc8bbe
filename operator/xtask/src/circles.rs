//! Files of a crate that import each other in a circle. A circle of files is one file in several pieces: none of them can be read or moved alone.
//!
//! What is read is text: `mod` lines, and paths that begin with `crate::`, `super::` or a re-exported name. A file that owns a folder imports what is in it, so
//! nothing in a folder imports its owner. Tests, which stand at the end of a file, are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};

/// Crates without a circle.
const FREE: &[&str] = &["bundle", "caretaker", "cloud-aws", "cloud-azure", "cloud-gcp", "engine", "prerequisites"];
/// Crates that still have one, most of them through names that their root declares for all.
const NOT_YET: &[&str] = &["api", "cloud", "controllers", "core", "documents", "store", "testkit", "xtask"];

/// A module by its path within the crate, `::` between the parts; the root's is empty.
type Module = String;
/// The module that a name stands for in another module, by that module and the name.
type Names = BTreeMap<(Module, String), Module>;

/// Every circle of the crates that must be free of them.
pub fn faults(root: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(root.join("operator"))? {
        let folder = entry?.path();
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if FREE.contains(&name.as_str()) {
            let files = sources(&folder.join("src"), "")?;
            let told = |circle: Vec<Module>| format!("operator/{name}: these files import each other in a circle: {}", circle.join(", "));
            faults.extend(circles(&files).into_iter().map(told));
        } else if folder.is_dir() && !NOT_YET.contains(&name.as_str()) {
            faults.push(format!("operator/{name} is neither checked for circles of imports nor named as one that still has them"));
        }
    }
    faults.sort();
    Ok(faults)
}

/// The text of each module under a folder.
fn sources(folder: &Path, within: &str) -> Result<BTreeMap<Module, String>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let module = joined(within, stem);
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path, &module)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = if within.is_empty() && ["lib", "main"].contains(&stem) { Module::new() } else { module };
            found.insert(module, std::fs::read_to_string(&path)?);
        }
    }
    Ok(found)
}

fn joined(module: &str, name: &str) -> Module {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// The circles of a crate, each with its files in order.
pub fn circles(files: &BTreeMap<Module, String>) -> Vec<Vec<Module>> {
    let texts: BTreeMap<&str, String> = files.iter().map(|(module, text)| (module.as_str(), code(text))).collect();
    let names: Names = texts.iter().flat_map(|(module, text)| exported(module, text, files)).collect();
    let imports: BTreeMap<&str, BTreeSet<Module>> =
        texts.iter().map(|(module, text)| (*module, imported(module, text, (files, &names)))).collect();
    let reached: BTreeMap<&str, BTreeSet<Module>> = imports.keys().map(|module| (*module, reach(module, &imports))).collect();
    let mut found: Vec<Vec<Module>> = Vec::new();
    for (module, beyond) in &reached {
        let leads_back = |other: &&Module| reached.get(other.as_str()).is_some_and(|beyond| beyond.contains(*module));
        let circle: Vec<Module> = beyond.iter().filter(leads_back).map(|other| shown(other)).collect();
        if !circle.is_empty() && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

fn shown(module: &str) -> String {
    if module.is_empty() { "lib.rs".into() } else { format!("{}.rs", module.replace("::", "/")) }
}

/// All that a module imports, and what that imports.
fn reach(module: &str, imports: &BTreeMap<&str, BTreeSet<Module>>) -> BTreeSet<Module> {
    let (mut found, mut left) = (BTreeSet::new(), vec![module.to_owned()]);
    while let Some(next) = left.pop() {
        for import in imports.get(next.as_str()).into_iter().flatten() {
            if found.insert(import.clone()) {
                left.push(import.clone());
            }
        }
    }
    found
}

/// The text without comments and without its tests.
fn code(text: &str) -> String {
    let mut lines = text.lines().peekable();
    let mut kept = String::new();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            match lines.peek() {
                Some(next) if next.ends_with(';') => drop(lines.next()),
                _ => break,
            }
        } else if !line.trim_start().starts_with("//") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The modules that a module imports.
fn imported(module: &str, text: &str, (files, names): (&BTreeMap<Module, String>, &Names)) -> BTreeSet<Module> {
    let children = declared(text).map(|name| joined(module, name)).filter(|child| files.contains_key(child));
    let paths = paths(module, text);
    let used = paths.iter().map(|path| home(path, files, names));
    children.chain(used).filter(|other| other != module).collect()
}

/// The modules that a text declares in files of their own.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.trim().strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name)).filter(|name| is_name(name))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Every path within the crate that a text names, as its parts.
fn paths(module: &str, text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, word) in text.match_indices("crate::").chain(text.match_indices("super::")) {
        // Not `$crate::`, the end of a longer word, or what follows another `super::`.
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || "_$:".contains(c)) {
            continue;
        }
        let own: Vec<String> = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let (mut start, mut rest) = (if word == "crate::" { Vec::new() } else { up(&own) }, &text[at + word.len()..]);
        while let Some(further) = rest.strip_prefix("super::") {
            (start, rest) = (up(&start), further);
        }
        tree(rest, start, &mut found);
    }
    found
}

fn up(module: &[String]) -> Vec<String> {
    module.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default()
}

/// Reads the tree of a path from its place on, such as `a::{b, c::d}`. The rest behind it.
fn tree<'a>(text: &'a str, within: Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(behind) = rest.strip_prefix('}') {
                return behind;
            }
            let behind = tree(rest, within.clone(), found);
            // Past ` as name`, and whatever is no path.
            let end = behind.find([',', '}']).unwrap_or(behind.len());
            if behind[end..].is_empty() {
                return "";
            }
            rest = &behind[end..];
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut path = within;
    if !name.is_empty() && name != "self" {
        path.push(name.to_owned());
    }
    match rest.strip_prefix("::") {
        Some(further) if !further.starts_with('<') => tree(further, path, found),
        _ => {
            found.push(path);
            rest
        }
    }
}

/// Names that a module passes on from another one, and that one.
fn exported(module: &str, text: &str, files: &BTreeMap<Module, String>) -> Vec<((Module, String), Module)> {
    let own: Vec<String> = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let mut found = Vec::new();
    for statement in text.split(';').filter_map(|part| part.rsplit_once("pub use ").map(|(_, path)| path.trim())) {
        let (start, path) = match statement.strip_prefix("crate::") {
            Some(path) => (Vec::new(), path),
            None => (own.clone(), statement.strip_prefix("self::").unwrap_or(statement)),
        };
        let mut leaves = Vec::new();
        tree(path, start, &mut leaves);
        for leaf in leaves.into_iter().filter(|leaf| !leaf.is_empty()) {
            let name = leaf[leaf.len() - 1].clone();
            found.push(((module.to_owned(), name), home(&leaf, files, &BTreeMap::new())));
        }
    }
    found
}

/// The deepest module on a path, or the one from which it passes a name on.
fn home(path: &[String], files: &BTreeMap<Module, String>, names: &Names) -> Module {
    let mut module = Module::new();
    for part in path {
        let deeper = joined(&module, part);
        if !files.contains_key(&deeper) {
            return names.get(&(module.clone(), part.clone())).cloned().unwrap_or(module);
        }
        module = deeper;
    }
    module
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        circles(&files.iter().map(|(module, text)| ((*module).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn files_that_import_each_other_are_found_however_they_do_it() {
        let none: Vec<Vec<String>> = Vec::new();
        let pair = vec![vec!["a.rs".to_owned(), "b.rs".to_owned()]];
        let owner = vec![vec!["a.rs".to_owned(), "a/x.rs".to_owned()]];
        for (why, files, expected) in [
            ("one way", vec![("", "mod a;\nmod b;"), ("a", "use crate::b::B;"), ("b", "pub struct B;")], none.clone()),
            ("use lines", vec![("a", "use crate::b::B;"), ("b", "use crate::{a::{A, C}, z};")], pair.clone()),
            (
                "over several lines",
                vec![("a", "use crate::{\n    c, b::{\n        self, B as Other,\n    },\n};"), ("b", "use crate::a;")],
                pair.clone(),
            ),
            ("a path in code", vec![("a", "fn f() { crate::b::f() }"), ("b", "fn f() -> super::a::A { todo() }")], pair.clone()),
            (
                "a name that is passed on",
                vec![("a", "use crate::B;"), ("b", "use crate::a::A;"), ("", "mod a;\nmod b;\npub use b::{B};")],
                pair.clone(),
            ),
            ("an owner and its folder", vec![("a", "mod x;\nuse x::X;"), ("a::x", "use super::A;")], owner.clone()),
            ("the same by its whole path", vec![("a", "pub mod x;"), ("a::x", "use crate::a::A;")], owner),
            ("siblings in a folder", vec![("a", "mod x;\nmod y;"), ("a::x", "use super::y::Y;"), ("a::y", "")], none.clone()),
            ("comments", vec![("a", "use crate::b::B;"), ("b", "/// See [`crate::a::A`].\n//! crate::a")], none.clone()),
            (
                "tests",
                vec![("a", "use crate::b::B;"), ("b", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}")],
                none.clone(),
            ),
            ("code behind a test's file", vec![("a", "use crate::b::B;"), ("b", "#[cfg(test)]\nmod tests;\nuse crate::a::A;")], pair),
            ("another crate", vec![("a", "use crate::b::B;"), ("b", "use other::a::A; use $crate::a::A;")], none),
        ] {
            assert_eq!(found(&files), expected, "{why}");
        }
    }

    #[test]
    fn a_circle_of_three_is_one_and_two_circles_are_two() {
        let files =
            [("a", "use crate::b;"), ("b", "use crate::c;"), ("c", "use crate::a;"), ("d", "use crate::e;"), ("e", "use crate::{d, a};")];
        let names = |circle: &[&str]| circle.iter().map(|name| format!("{name}.rs")).collect::<Vec<_>>();
        assert_eq!(found(&files), [names(&["a", "b", "c"]), names(&["d", "e"])]);
    }

    #[test]
    fn the_crates_that_are_named_are_there_and_have_none() {
        let root = crate::root();
        for name in FREE.iter().chain(NOT_YET) {
            assert!(root.join("operator").join(name).join("src").is_dir(), "{name}");
        }
        assert_eq!(faults(&root).unwrap(), Vec::<String>::new());
    }
}
