//! Python environments in the cache, keyed by their requirements.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::process::run;

/// The interpreter of an environment with the packages of `e2e/python/NAME.txt`, made where it is missing.
///
/// # Errors
/// No Python with `venv`; a package cannot be had.
pub fn environment(name: &str) -> Result<PathBuf> {
    let requirements = crate::source_root().join("e2e/python").join(format!("{name}.txt"));
    let text = std::fs::read(&requirements).with_context(|| format!("read {}", requirements.display()))?;
    let target = crate::cache().join("python").join(format!("{name}-{}", hex::encode(&Sha256::digest(&text)[..8])));
    let python = target.join("bin/python");
    let whole = target.join("whole");
    if whole.exists() {
        return Ok(python);
    }
    // Another process may be making it: then it is there when that one has ended.
    let _held = crate::process::hold(&target.with_extension("lock"))?;
    if whole.exists() {
        return Ok(python);
    }
    let began = Instant::now();
    eprintln!("making the Python environment {name} (once)");
    std::fs::create_dir_all(&target)?;
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&target))
        .context("make a Python environment; on Debian: apt-get install python3-venv")?;
    // Each package is the one that was pinned, whatever a registry serves under its name today.
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"];
    run(Command::new(&python).args(install).arg(&requirements))?;
    std::fs::write(whole, "")?;
    eprintln!("made the Python environment {name} in {} s", began.elapsed().as_secs());
    Ok(python)
}
