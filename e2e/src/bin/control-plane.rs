//! A control plane in the folder that is given, until this process ends: what the test of the harness kills.

use std::path::PathBuf;

use anyhow::{Context, Result};
use caretaker_testkit::control_plane::ControlPlane;

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("give a folder")?.into();
    let mut plane = ControlPlane::start(&folder)?;
    println!("up; kubeconfig {}", plane.kubeconfig().display());
    while plane.ended().is_none() {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    Ok(())
}
