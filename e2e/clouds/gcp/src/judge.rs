//! The judge of exchanges: Google's discovery documents, by `judge.py`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Has exchanges judged by an interpreter whose environment holds the discovery documents.
///
/// # Errors
/// There is a violation, or nothing to judge, or the judge cannot run.
pub fn judge(exchanges: &[Value], python: &Path) -> Result<()> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("judge.py");
    let mut file = tempfile::NamedTempFile::new()?;
    for exchange in exchanges {
        writeln!(file, "{exchange}")?;
    }
    file.flush()?;
    let output = Command::new(python).arg(script).arg(file.path()).output().with_context(|| format!("run {}", python.display()))?;
    if !output.status.success() {
        bail!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
