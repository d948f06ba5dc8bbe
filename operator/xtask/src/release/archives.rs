//! Archives that are the same for the same content.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_testkit::tools;
use flate2::{Compression, GzBuilder, read::GzDecoder};

use crate::image::append;

/// Files with their modes, as krew and Helm read them: `.tar.gz`.
pub fn tgz(members: &[(&str, u32, &[u8])], time: u64) -> Result<Vec<u8>> {
    // Fast, since this runs without optimization.
    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, mode, content) in members {
        append(&mut tar, name, *mode, time, content)?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    Ok(gzip.finish()?)
}

/// The chart as Helm packages it, with the commit's time in place of the time of day.
pub fn chart(chart: &Path, time: u64) -> Result<Vec<u8>> {
    let aside = tempfile::tempdir()?;
    let mut helm = Command::new(tools::path("helm")?);
    helm.arg("package").arg(chart).arg("--destination").arg(aside.path());
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        helm.env(name, aside.path().join("helm"));
    }
    let output = helm.output().context("run helm")?;
    ensure!(output.status.success(), "helm package failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let name = format!("caretaker-{}.tgz", crate::image::VERSION);
    let packed =
        std::fs::read(aside.path().join(&name)).with_context(|| format!("the chart's version is not that of the workspace: no {name}"))?;
    again(&packed, time)
}

/// Packs the members of an archive anew.
pub fn again(packed: &[u8], time: u64) -> Result<Vec<u8>> {
    let mut members = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(packed)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        members.push((path, content));
    }
    let members: Vec<(&str, u32, &[u8])> = members.iter().map(|(path, content)| (path.as_str(), 0o644, content.as_slice())).collect();
    tgz(&members, time)
}

/// Lets everyone run a file.
pub fn executable(file: &Path) -> Result<()> {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).with_context(|| format!("set the mode of {}", file.display()))
}
