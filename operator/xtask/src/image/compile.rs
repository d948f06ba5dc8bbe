//! The binaries that are shipped: built by cargo, without what a debugger needs and without paths of the machine that built them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// How it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// As the tests build it: there within seconds, and with paths of this machine in its messages.
    Dev,
    /// Optimized, and the same on every machine with the same compiler and libraries.
    Release,
}

impl Profile {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }

    fn folder(self) -> PathBuf {
        crate::world::target().join(match self {
            Self::Dev => "debug",
            Self::Release => "release",
        })
    }
}

/// Builds the operator and strips it. The file lies in `aside`.
pub fn operator(profile: Profile, aside: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The whole workspace is selected, so that what the tests have built is used.
    command.args(["build", "--locked", "--workspace", "--bin", "caretaker"]).current_dir(crate::root());
    if profile == Profile::Release {
        command.arg("--release");
        // Only here: other flags would have the tests' profile built a second time.
        without_paths(&mut command);
    }
    ensure!(command.status().context("run cargo")?.success(), "cargo build failed");
    let built = profile.folder().join("caretaker");
    let stripped = aside.join("caretaker");
    let status = Command::new("strip").arg("--strip-debug").arg("-o").arg(&stripped).arg(&built).status();
    ensure!(status.context("run strip, which comes with a C compiler")?.success(), "strip failed");
    Ok(stripped)
}

/// Folders whose paths may come into a binary, and what stands in their place.
fn places() -> Vec<(PathBuf, &'static str)> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    vec![(crate::world::target(), "/target"), (crate::root(), "/source"), (cargo, "/cargo")]
}

fn without_paths(command: &mut Command) {
    let given = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut flags: Vec<String> = given.split_whitespace().map(str::to_owned).collect();
    let mut c_flags = std::env::var("CFLAGS").unwrap_or_default();
    // Of two that fit, compilers take the last.
    for (from, to) in places().into_iter().rev() {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        c_flags.push_str(&format!(" -ffile-prefix-map={}={to}", from.display()));
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env("CFLAGS", c_flags.trim()).env_remove("RUSTFLAGS");
}

/// The folders of this machine that a binary names.
pub fn named_places(binary: &[u8]) -> Vec<PathBuf> {
    places().into_iter().map(|(place, _)| place).filter(|place| holds(binary, &format!("{}/", place.display()))).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    let Some(first) = text.first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(text) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// Version of the compiler.
pub fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("--version").current_dir(crate::root()).output().context("run rustc")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split(' ').nth(1).map(str::to_owned).context("rustc does not tell its version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_machine_is_found_in_a_binary() {
        let source = crate::root();
        assert_eq!(named_places(format!("\0\0{}/operator/x.rs\0", source.display()).as_bytes()), [source]);
        assert!(named_places(b"\0/cargo/registry/src/x.rs\0/source/y\0").is_empty());
    }
}
