//! `check`: what the compiler does not prove.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Longest file in lines, its trailing test module not counted.
const MAX_LINES: usize = 400;

/// A crate, and what must not be reachable from it.
const DIETS: &[(&str, &[&str])] = &[
    ("caretaker-api", &["aws-", "azure_", "google-cloud-", "tokio", "kube-client", "kube-runtime"]),
    ("caretaker-cloud", &["aws-", "azure_", "google-cloud-", "tokio", "kube", "k8s-openapi"]),
    ("caretaker-bundle", &["aws-sdk", "azure_", "google-cloud-", "tokio", "kube", "k8s-openapi"]),
    ("caretaker-cloud-azure", &["aws-sdk", "aws-config", "google-cloud-", "kube", "k8s-openapi"]),
    ("caretaker-cloud-gcp", &["aws-sdk", "aws-config", "azure_", "kube", "k8s-openapi"]),
    ("caretaker-core", &["aws-", "azure_", "google-cloud-", "tokio", "kube-client", "kube-runtime", "reqwest"]),
    ("caretaker-documents", &["aws-", "azure_", "google-cloud-", "tokio", "kube-client", "kube-runtime", "reqwest"]),
    ("caretaker-store", &["aws-", "azure_", "google-cloud-", "kube-client", "kube-runtime"]),
    ("caretaker-engine", &["aws-", "azure_", "google-cloud-", "object_store"]),
    ("caretaker-controllers", &["aws-sdk", "aws-config", "azure_", "google-cloud-"]),
    // It is there within a second.
    ("caretaker-prerequisites", &["anyhow", "aws-", "clap", "kube", "libc", "serde", "tokio"]),
    ("caretaker-e2e", &["aws-sdk", "aws-config", "azure_", "google-cloud-"]),
    ("xtask", &["aws-sdk", "aws-config", "azure_", "google-cloud-"]),
];

/// Runs every check and names every fault.
pub fn run() -> Result<()> {
    let mut faults = Vec::new();
    for (name, banned) in DIETS {
        faults.extend(diet(name, banned)?);
    }
    faults.extend(long_files()?);
    faults.extend(crate::tracked::faults(&crate::root())?);
    faults.extend(crate::links::faults(&crate::root())?);
    faults.extend(crate::circles::faults(&crate::root())?);
    faults.extend(crate::supply::faults(&crate::root())?);
    if let Err(error) = crate::generate::run(true) {
        faults.push(error.to_string());
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    println!("layering, file lengths, tracked files, links, imports, the supply chain and generated files are in order");
    Ok(())
}

fn diet(name: &str, banned: &[&str]) -> Result<Vec<String>> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["tree", "--package", name, "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(crate::root())
        .output()
        .context("run cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    let reached = tree.lines().filter_map(|line| line.split(' ').next()).filter(|found| {
        banned.iter().any(|ban| {
            if ban.ends_with(['-', '_']) {
                found.starts_with(ban) && *found != "aws-lc-rs" && *found != "aws-lc-sys"
            } else {
                found == ban || found.starts_with(&format!("{ban}-")) && ban.starts_with("aws-sdk")
            }
        })
    });
    let mut reached: Vec<String> =
        reached.map(|found| format!("{name} reaches {found}: its diet forbids it (see the design's table of crates)")).collect();
    reached.sort();
    reached.dedup();
    Ok(reached)
}

fn long_files() -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut folders = vec![crate::root().join("operator"), crate::root().join("e2e")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                if !path.ends_with("tests") && !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                faults.extend(too_long(&path)?);
            }
        }
    }
    faults.sort();
    Ok(faults)
}

fn too_long(path: &Path) -> Result<Option<String>> {
    let text = std::fs::read_to_string(path)?;
    let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
    let shown: PathBuf = path.strip_prefix(crate::root()).unwrap_or(path).into();
    Ok((lines > MAX_LINES).then(|| format!("{} has {lines} lines without its tests, more than {MAX_LINES}", shown.display())))
}
