//! The one operator that serves all tests which can share it, with all three clouds.

use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::three_clouds::Clouds;
use crate::{Lab, PATIENCE};

/// The lab and the simulators of Azure and Google Cloud that its operator knows.
pub struct Shared {
    /// The lab.
    pub lab: Lab,
    /// Azure and Google Cloud.
    pub clouds: Clouds,
    _folder: tempfile::TempDir,
}

/// It, set at the first call.
///
/// # Panics
/// A part does not come up.
#[must_use]
pub fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| set().unwrap_or_else(|error| panic!("the shared lab does not stand: {error:#}")))
}

fn set() -> Result<Shared> {
    let folder = tempfile::tempdir()?;
    let lab = Lab::set("shared")?;
    let clouds = Clouds::start(folder.path())?;
    clouds.enter(&lab)?;
    lab.kubectl.wait(&["pprof/default"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    lab.clear().with_context(|| format!("what an earlier run left does not go\n{}", lab.log()))?;
    Ok(Shared { lab, clouds, _folder: folder })
}
