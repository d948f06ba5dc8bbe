//! The shared libraries that a dynamic binary needs, and whose they are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Licences of the C library and the compiler's support library, by Debian's names of their packages: their `copyright` files say it in prose.
const LICENCES: &[(&str, &str)] = &[("libc6", "LGPL-2.1-or-later"), ("libgcc-s1", "GPL-3.0-or-later WITH GCC-exception-3.1")];

/// A shared library.
#[derive(Clone, Debug)]
pub struct Library {
    /// Where the loader looks for it.
    pub path: String,
    /// What is there.
    pub content: Vec<u8>,
    /// Package of the distribution that it came from, where that can be asked for.
    pub package: Option<String>,
    /// Version of the package.
    pub version: Option<String>,
    /// Licence, where it is known.
    pub licence: Option<&'static str>,
    /// What the distribution says about rights.
    pub copyright: Option<String>,
}

/// The libraries of a binary, the loader among them; none for a static one.
pub fn of(binary: &Path) -> Result<Vec<Library>> {
    let output = Command::new("ldd").arg(binary).env("LC_ALL", "C").output().context("run ldd")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if said.contains("not a dynamic executable") || said.contains("statically linked") {
        return Ok(Vec::new());
    }
    ensure!(output.status.success(), "ldd failed: {}", said.trim());
    listed(&said)?.into_iter().map(load).collect()
}

/// The paths that `ldd` lists, sorted.
fn listed(said: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for line in said.lines() {
        let line = line.trim();
        if line.contains("=> not found") {
            bail!("a library is missing on this machine: {line}");
        }
        let place = line.split_once("=> ").map_or(line, |(_, place)| place);
        // The kernel itself gives `linux-vdso`: it has no path.
        if let Some(path) = place.split(' ').next().filter(|path| path.starts_with('/')) {
            paths.push(path.to_owned());
        }
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn load(path: String) -> Result<Library> {
    let content = std::fs::read(&path).with_context(|| format!("read {path}"))?;
    let package = owner(&path);
    let version = package.as_deref().and_then(|package| asked("dpkg-query", &["-W", "-f", "${Version}", package]));
    let licence = LICENCES.iter().find(|(name, _)| package.as_deref() == Some(name)).map(|(_, licence)| *licence);
    let copyright = package.as_deref().and_then(|package| std::fs::read_to_string(format!("/usr/share/doc/{package}/copyright")).ok());
    Ok(Library { path, content, package, version, licence, copyright })
}

/// Debian's package of a file. Where `/lib` is a link, the database knows the file under one of its two paths only.
fn owner(path: &str) -> Option<String> {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path)).display().to_string();
    let outside = real.strip_prefix("/usr").unwrap_or(&real).to_owned();
    [path.to_owned(), format!("/usr{path}"), real, outside]
        .iter()
        .find_map(|path| asked("dpkg-query", &["-S", path]))
        .and_then(|said| said.split(':').next().map(str::to_owned))
}

fn asked(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|said| !said.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_and_what_it_loads_are_listed_and_the_kernels_own_is_not() {
        let said = "\tlinux-vdso.so.1 (0x00007ffe)\n\tlibm.so.6 => /lib/x/libm.so.6 (0x00007f)\n\t/lib64/ld.so.2 (0x00007f)\n";
        assert_eq!(listed(said).expect("all are there"), ["/lib/x/libm.so.6", "/lib64/ld.so.2"]);
        let error = listed("\tlibz.so.1 => not found\n").expect_err("a missing library is no image");
        assert!(error.to_string().contains("libz.so.1"), "{error}");
    }

    #[test]
    fn a_dynamic_binary_of_this_machine_gets_its_loader() {
        let libraries = of(&std::env::current_exe().expect("this test is a binary")).expect("ldd answers");
        assert!(
            libraries.iter().any(|library| library.path.contains("/ld-")),
            "{:?}",
            libraries.iter().map(|l| &l.path).collect::<Vec<_>>()
        );
        assert!(libraries.iter().all(|library| library.content.starts_with(b"\x7fELF")));
    }
}
