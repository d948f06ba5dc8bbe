//! Looks at the machine: within a second, and changes nothing.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::decide::{Facts, Python};

/// Least Go, by its minor version: from 1.21 on Go fetches by itself the release that a module asks for.
/// Source: <https://go.dev/doc/toolchain>
const GO_MINOR: u64 = 21;
/// Least Node.js, by its major version, for Microsoft's validator.
const NODE_MAJOR: u64 = 20;
/// Least Python 3, by its minor version, for the AWS emulator and the filter of `tarfile`.
const PYTHON_MINOR: u64 = 10;

/// All that is to be known.
#[must_use]
pub fn facts(root: &Path) -> Facts {
    let is_root = said("id", &["-u"]).is_some_and(|id| id.trim() == "0");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let cache = crate::cache();
    Facts {
        python: python(),
        go: go(),
        node: node(),
        wheels: cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), target_env = "gnu")),
        zstd: program("zstd"),
        bsdtar: program("bsdtar"),
        setpriv: program("setpriv"),
        browser: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].into_iter().any(program),
        // Nobody else can make a node's namespaces, and then the tests that need one are skipped.
        for_a_node: if is_root { for_a_node() } else { Vec::new() },
        loopback: TcpListener::bind("127.0.0.1:0").is_ok(),
        memory_mib: std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| free_memory(&text)),
        disk_mib: [target.as_path(), cache.as_path()].into_iter().filter_map(room).min(),
        is_built: target.join("debug/caretaker").is_file() && cache.join("tools").is_dir(),
        apt: program("apt-get"),
        is_root,
    }
}

/// Packages that are not there of those that a real node needs: its firewall, the program of its simplest image, and what runc is compiled with.
fn for_a_node() -> Vec<&'static str> {
    let programs =
        [("ip", "iproute2"), ("nft", "nftables"), ("iptables-nft", "iptables"), ("busybox", "busybox"), ("pkg-config", "pkg-config")];
    let mut missing: Vec<&str> = programs.iter().filter(|(name, _)| !program(name)).map(|(_, package)| *package).collect();
    // Without pkg-config nobody can tell, and the package does no harm.
    if said("pkg-config", &["--exists", "libseccomp"]).is_none() {
        missing.push("libseccomp-dev");
    }
    missing
}

/// Whether Go is there that builds the tools.
#[must_use]
pub fn go() -> bool {
    said("go", &["env", "GOVERSION"])
        .and_then(|text| version(text.trim().trim_start_matches("go")))
        .is_some_and(|found| found >= (1, GO_MINOR))
}

/// Whether Node.js is there with npm, new enough.
#[must_use]
pub fn node() -> bool {
    let found = said("node", &["--version"]).and_then(|text| version(text.trim().trim_start_matches('v')));
    found.is_some_and(|(major, _)| major >= NODE_MAJOR) && program("npm")
}

fn python() -> Python {
    let ask = "import sys; print('%d.%d' % sys.version_info[:2]); import venv, ensurepip; print('ready')";
    let output = Command::new("python3").args(["-c", ask]).stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    match version(text.lines().next().unwrap_or_default()) {
        Some(found) if found >= (3, PYTHON_MINOR) => {
            if text.contains("ready") {
                Python::Ready
            } else {
                Python::WithoutVenv
            }
        }
        _ => Python::Missing,
    }
}

/// A program in `PATH`.
fn program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// What a program says, where it is there and succeeds.
fn said(program: &str, args: &[&str]) -> Option<String> {
    // Go fetches nothing to answer a question.
    let mut command = Command::new(program);
    command.args(args).env("GOTOOLCHAIN", "local").stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first two numbers of a version.
fn version(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('.').map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// Free memory in MiB, by `/proc/meminfo`.
fn free_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// Free room in MiB of the file system that a folder is on, or will be.
fn room(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    free_room(&said("df", &["-Pk", &there.display().to_string()])?)
}

/// The same, by what `df -Pk` says.
fn free_room(df: &str) -> Option<u64> {
    df.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_and_the_kernel_say_is_read() {
        for (text, found) in [
            ("1.26.8", Some((1, 26))),
            ("1.27rc1", Some((1, 27))),
            ("20.20.2", Some((20, 20))),
            ("3.11", Some((3, 11))),
            ("devel", None),
            ("", None),
        ] {
            assert_eq!(version(text), found, "{text}");
        }
        assert_eq!(free_memory("MemTotal:       24 kB\nMemFree: 1 kB\nMemAvailable:   2097152 kB\n"), Some(2048));
        assert_eq!(free_memory("MemTotal:       24 kB\n"), None);
        let df = "Filesystem     1024-blocks      Used Available Capacity Mounted on\n/dev/vda1         50000000  10000000  20480000      21% /\n";
        assert_eq!(free_room(df), Some(20_000));
        assert_eq!(free_room("df: no such file\n"), None);
    }

    #[test]
    fn a_program_that_is_not_there_is_not_found() {
        assert!(program("sh") && !program("caretaker-no-such-program"));
        assert_eq!(said("caretaker-no-such-program", &[]), None);
        assert_eq!(said("sh", &["-c", "echo x; exit 3"]), None, "a failure says nothing");
    }

    #[test]
    fn room_is_told_of_a_folder_that_is_not_there_yet() {
        let here = std::env::temp_dir();
        assert_eq!(room(&here.join("not/there/yet")).is_some(), room(&here).is_some());
        assert!(room(&here).is_some(), "df tells of the folder for temporary files");
    }
}
