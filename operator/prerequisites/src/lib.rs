//! What the project's commands need of a machine: looked for in their first second, before anything is built.

pub mod decide;
pub mod look;

use std::path::PathBuf;

/// Folder for everything that is built once and used again: `CARETAKER_CACHE`, else the user's cache folder.
#[must_use]
pub fn cache() -> PathBuf {
    if let Some(folder) = std::env::var_os("CARETAKER_CACHE") {
        return folder.into();
    }
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from).join("caretaker")
}

/// Root of the source tree.
#[must_use]
pub fn source_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(PathBuf::from).unwrap_or_default()
}
