//! The judge of what was said to AWS, and by the emulator and the shim: botocore's models. It knows nothing of this project.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_testkit::python;

use crate::Exchange;

/// Judges the exchanges and names every violation. Runs until the judge has ended: not to be called where that would stop others.
///
/// # Errors
/// There are no exchanges; the models cannot be had; there is a violation.
pub fn judge(exchanges: &[Exchange]) -> Result<()> {
    let python = python::environment("aws")?;
    let mut file = tempfile::NamedTempFile::new()?;
    for exchange in exchanges {
        writeln!(file, "{exchange}")?;
    }
    file.flush()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judge.py");
    let output = Command::new(python).arg("-I").arg(script).arg(file.path()).output().context("start the judge")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "AWS's models are violated:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
