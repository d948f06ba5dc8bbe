//! The judge of what was said: Microsoft's own validator `oav` with Microsoft's own definitions. It knows nothing of this project.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use caretaker_testkit::process::run;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Exchange;

/// Judges the exchanges and names every violation. All of them must have been judged.
///
/// # Errors
/// Node.js with npm is missing; the validator cannot be had; a violation was found.
pub fn judge(exchanges: &[Exchange]) -> Result<()> {
    let violations = violations(exchanges)?;
    ensure!(violations.is_empty(), "{} violations of Microsoft's definitions:\n{}", violations.len(), violations.join("\n"));
    Ok(())
}

/// The violations in the exchanges, one line each.
///
/// # Errors
/// Node.js with npm is missing; the validator cannot be had; not every exchange was judged.
pub fn violations(exchanges: &[Exchange]) -> Result<Vec<String>> {
    let modules = modules()?;
    let folder = tempfile::tempdir()?;
    let (said, verdicts) = (folder.path().join("exchanges"), folder.path().join("verdicts"));
    let mut file = std::io::BufWriter::new(File::create(&said)?);
    for exchange in exchanges {
        writeln!(file, "{}", serde_json::to_string(exchange)?)?;
    }
    file.into_inner()?.sync_all()?;
    let mut command = Command::new("node");
    command.arg(home().join("judge/judge.js")).arg(&modules).arg(home().join("specs")).arg(&verdicts);
    let output = command.stdin(File::open(&said)?).stdout(Stdio::null()).stderr(Stdio::piped()).output().context("start node")?;
    ensure!(output.status.success(), "the judge failed: {}", String::from_utf8_lossy(&output.stderr));
    let mut found = Vec::new();
    let mut judged = 0;
    for line in std::fs::read_to_string(&verdicts)?.lines() {
        match serde_json::from_str::<Value>(line)?.get("judged").and_then(Value::as_u64) {
            Some(count) => judged = count,
            None => found.push(line.to_owned()),
        }
    }
    ensure!(judged == exchanges.len() as u64, "{judged} of {} exchanges were judged", exchanges.len());
    Ok(found)
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
    let mut command = Command::new("npm");
    command.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(aside.path());
    run(&mut command).context("fetch oav; Node.js 18 or newer with npm is needed")?;
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
