//! The supply chain: which crates may be there, under which licences and from where, and that Python packages are pinned by hash.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Crates that must not be built. `deny.toml` bans the same and says why; this is asked with no tool but cargo.
const BANNED: [&str; 5] = ["ring", "openssl", "openssl-sys", "native-tls", "rsa"];

/// What is wrong with what comes from elsewhere.
///
/// # Errors
/// cargo cannot be asked, a file cannot be read, or cargo-deny cannot be had.
pub fn faults(root: &Path) -> Result<Vec<String>> {
    let mut faults: Vec<String> = banned(&built(root)?).into_iter().map(|name| format!("{name} is built, and deny.toml bans it")).collect();
    for entry in std::fs::read_dir(root.join("e2e/python"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {name}"))?;
            faults.extend(unpinned(&text).into_iter().map(|package| format!("e2e/python/{name}: {package} has no hash")));
        }
    }
    faults.extend(deny(root)?);
    faults.sort();
    Ok(faults)
}

/// Every crate of the workspace's build.
fn built(root: &Path) -> Result<String> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["tree", "--locked", "--workspace", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .current_dir(root)
        .output()
        .context("run cargo tree")?;
    ensure!(output.status.success(), "cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn banned(tree: &str) -> Vec<&'static str> {
    let is_built = |name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    BANNED.into_iter().filter(|name| is_built(name)).collect()
}

/// Packages of a file of requirements that are pinned by version alone, or not at all.
fn unpinned(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let bad = |line: &&str| !(line.contains("==") && line.contains("--hash=sha256:"));
    lines.filter(bad).map(|line| line.split_whitespace().next().unwrap_or_default().to_owned()).collect()
}

/// Licences, bans and sources, by cargo-deny.
fn deny(root: &Path) -> Result<Option<String>> {
    let python = caretaker_testkit::python::environment("deny")?;
    let tool = python.with_file_name("cargo-deny");
    let output = Command::new(tool)
        .args(["--log-level", "error", "--locked", "check", "bans", "licenses", "sources"])
        .current_dir(root)
        .output()
        .context("run cargo-deny")?;
    Ok((!output.status.success()).then(|| format!("cargo deny: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_crate_is_named_and_one_of_a_similar_name_is_not() {
        assert_eq!(banned("rustls v0.23.1\nring v0.17.14\nring-buffer v1.0.0"), ["ring"]);
        assert!(banned("aws-lc-rs v1.1.0\nopenssl-probe v0.2.0").is_empty());
    }

    #[test]
    fn a_package_without_a_hash_is_named() {
        let text = "# a note\na==1 \\\n    --hash=sha256:00\nb==2\nc>=3 --hash=sha256:00\nd==4 ; python_version < '3.11' \\\n    --hash=sha256:11\n";
        assert_eq!(unpinned(text), ["b==2", "c>=3"]);
    }
}
