//! The harness: a real control plane, an AWS emulator that enforces, and the operator as a process under the chart's own permissions.
//!
//! Never part of what ships. Everything listens on 127.0.0.1; no process outlives the one that started it.

pub mod certs;
pub mod control_plane;
pub mod emulator;
pub mod operator;
pub mod process;
pub mod python;
pub mod tools;

use std::path::PathBuf;

/// Root of the source tree.
#[must_use]
pub fn source_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(PathBuf::from).unwrap_or_default()
}

/// Folder for everything that is built once and used again: `CARETAKER_CACHE`, else the user's cache folder.
#[must_use]
pub fn cache() -> PathBuf {
    if let Some(folder) = std::env::var_os("CARETAKER_CACHE") {
        return folder.into();
    }
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from).join("caretaker")
}
