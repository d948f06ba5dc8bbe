//! The judge of what was said: Microsoft's own validator `oav` with Microsoft's own definitions. It knows nothing of this project.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use caretaker_testkit::node;
use caretaker_testkit::process::run;
use caretaker_testkit::worker::{Shared, Worker};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::Exchange;

/// Judges the exchanges and names every violation. All of them must have been judged.
///
/// # Errors
/// The validator cannot be had; a violation was found.
pub fn judge(exchanges: &[Exchange]) -> Result<()> {
    let violations = violations(exchanges)?;
    ensure!(violations.is_empty(), "{} violations of Microsoft's definitions:\n{}", violations.len(), violations.join("\n"));
    Ok(())
}

/// The violations in the exchanges, one line each.
///
/// # Errors
/// The validator cannot be had; not every exchange was judged.
pub fn violations(exchanges: &[Exchange]) -> Result<Vec<String>> {
    static JUDGE: Shared = Shared::new();
    let mut file = tempfile::NamedTempFile::new()?;
    for exchange in exchanges {
        writeln!(file, "{}", serde_json::to_string(exchange)?)?;
    }
    file.flush()?;
    let verdict = JUDGE.ask(start, &json!(file.path()))?;
    let judged = verdict["judged"].as_u64().unwrap_or_default();
    ensure!(judged == exchanges.len() as u64, "{judged} of {} exchanges were judged", exchanges.len());
    Ok(serde_json::from_value(verdict["violations"].clone())?)
}

fn start() -> Result<Worker> {
    let modules = modules()?.display().to_string();
    let (script, specs) = (home().join("judge/judge.js").display().to_string(), home().join("specs").display().to_string());
    let node = node::command("node")?;
    Worker::start("Microsoft's validator", Path::new(node.get_program()), &[&script, &modules, &specs])
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the validator's modules, made where it is missing. It is keyed by the list that it is made from, in which npm's digests
/// stand.
fn modules() -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().expect("no panic while held");
    let files = ["package.json", "package-lock.json"];
    let mut digest = Sha256::new();
    for file in files {
        digest.update(std::fs::read(home().join("judge").join(file))?);
    }
    let key: String = digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let parent = caretaker_testkit::cache().join("node");
    let target = parent.join(format!("azure-judge-{key}"));
    if target.exists() {
        return Ok(target.join("node_modules"));
    }
    let began = Instant::now();
    eprintln!("fetching Microsoft's validator oav (once)");
    std::fs::create_dir_all(&parent)?;
    // Made aside and moved into place whole: an interrupted one is never taken for a finished one.
    let aside = tempfile::tempdir_in(&parent)?;
    for file in files {
        std::fs::copy(home().join("judge").join(file), aside.path().join(file))?;
    }
    let mut command = node::command("npm")?;
    command.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(aside.path());
    run(&mut command).context("fetch oav")?;
    let made = aside.keep();
    if let Err(error) = std::fs::rename(&made, &target) {
        std::fs::remove_dir_all(&made)?;
        // Somebody else was faster.
        if !target.exists() {
            bail!("move {} into place: {error}", target.display());
        }
    }
    eprintln!("fetched oav in {} s", began.elapsed().as_secs());
    Ok(target.join("node_modules"))
}
