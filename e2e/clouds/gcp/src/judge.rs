//! The judge of exchanges: Google's discovery documents, by `judge.py`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use caretaker_testkit::worker::{Shared, Worker};
use serde_json::{Value, json};

/// Has exchanges judged by an interpreter whose environment holds the discovery documents. The first one that is given serves the whole process.
///
/// # Errors
/// There is a violation, or nothing to judge, or the judge cannot run.
pub fn judge(exchanges: &[Value], python: &Path) -> Result<()> {
    static JUDGE: Shared = Shared::new();
    let mut file = tempfile::NamedTempFile::new()?;
    for exchange in exchanges {
        writeln!(file, "{exchange}")?;
    }
    file.flush()?;
    let start = || {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("judge.py").display().to_string();
        Worker::start("Google's discovery documents", python, &[&script, "--serve"])
    };
    let verdict = JUDGE.ask(start, &json!(file.path()))?;
    if verdict["status"] != 0 {
        bail!("{}", verdict["said"].as_str().unwrap_or_default());
    }
    Ok(())
}
