//! The judge of what was said to AWS, and by the emulator and the shim: botocore's models. It knows nothing of this project.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, ensure};
use caretaker_testkit::python;
use caretaker_testkit::worker::{Shared, Worker};
use serde_json::json;

use crate::Exchange;

/// Judges the exchanges and names every violation. Runs until the judge has answered: not to be called where that would stop others.
///
/// # Errors
/// There are no exchanges; the models cannot be had; there is a violation.
pub fn judge(exchanges: &[Exchange]) -> Result<()> {
    static JUDGE: Shared = Shared::new();
    let mut file = tempfile::NamedTempFile::new()?;
    for exchange in exchanges {
        writeln!(file, "{exchange}")?;
    }
    file.flush()?;
    let start = || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judge.py").display().to_string();
        Worker::start("botocore's models", &python::environment("aws")?, &["-I", &script, "--serve"])
    };
    let verdict = JUDGE.ask(start, &json!(file.path()))?;
    ensure!(verdict["status"] == 0, "AWS's models are violated:\n{}", verdict["said"].as_str().unwrap_or_default());
    Ok(())
}
