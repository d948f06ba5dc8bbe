//! The test binaries that cargo has built, and which of them a name means.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// One test binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Folder of its package below the root, such as `operator/core`.
    pub package: String,
    /// What it is made from: `lib`, `bin NAME` or the name of an integration test.
    pub target: String,
    /// The file.
    pub path: PathBuf,
    /// Arguments that choose among its tests; none for all.
    pub choice: Vec<String>,
}

/// One package of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its folder below the root.
    pub folder: String,
    /// Its name.
    pub name: String,
    /// It is in the daily selection.
    pub is_daily: bool,
    /// Arguments by which cargo builds the tests of its targets.
    pub targets: Vec<String>,
}

impl Binary {
    /// From one message of cargo; `None` for every other message.
    fn from_message(root: &Path, message: &Value) -> Option<Self> {
        let is_test = message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
        let path = message["executable"].as_str().filter(|_| is_test)?;
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
        let (kind, name) = (message["target"]["kind"][0].as_str()?, message["target"]["name"].as_str()?);
        let target = match kind {
            "test" => name.to_owned(),
            "lib" => "lib".to_owned(),
            other => format!("{other} {name}"),
        };
        let package = folder.strip_prefix(root).unwrap_or(folder).display().to_string();
        Some(Self { package, target, path: path.into(), choice: Vec::new() })
    }

    /// How it is called in what is printed.
    pub fn name(&self) -> String {
        format!("{} {}", self.package, self.target)
    }

    /// Parts it: what may run beside others, and what must run alone because it measures time. `None` where nothing must.
    pub fn part(mut self, alone: &[(&str, &str)]) -> (Self, Option<Self>) {
        let name = self.name();
        let tests: Vec<String> = alone.iter().filter(|(binary, _)| *binary == name).map(|(_, test)| (*test).to_owned()).collect();
        if tests.is_empty() {
            return (self, None);
        }
        let rest = tests.iter().flat_map(|test| ["--skip".to_owned(), test.clone()]).collect();
        let chosen = std::iter::once("--exact".to_owned()).chain(tests).collect();
        let only = Self { choice: chosen, ..self.clone() };
        self.choice = rest;
        (self, Some(only))
    }

    /// Names of its tests that hold the filter, in the order in which they start.
    pub fn list(&self, filter: Option<&str>) -> Result<Vec<String>> {
        let output = Command::new(&self.path)
            .args(["--list", "--format", "terse"])
            .args(&self.choice)
            .args(filter)
            .output()
            .context("list tests")?;
        ensure!(output.status.success(), "{} does not list its tests", self.name());
        Ok(super::times::listed(&String::from_utf8_lossy(&output.stdout)))
    }
}

/// Runs cargo and gives the test binaries that it has built.
pub fn built(root: &Path, cargo_args: &[&str]) -> Result<Vec<Binary>> {
    let mut command = Command::new(cargo());
    command.args(cargo_args).args(["--quiet", "--message-format", "json-render-diagnostics"]);
    let mut child = command.current_dir(root).stdout(Stdio::piped()).spawn().context("run cargo")?;
    let mut found = Vec::new();
    for line in BufReader::new(child.stdout.take().context("cargo's output")?).lines() {
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        found.extend(Binary::from_message(root, &message));
    }
    ensure!(child.wait()?.success(), "cargo {} failed", cargo_args.join(" "));
    found.sort_by_key(Binary::name);
    Ok(found)
}

/// The workspace's packages.
pub fn packages(root: &Path) -> Result<Vec<Package>> {
    let output = Command::new(cargo())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo")?;
    ensure!(output.status.success(), "cargo metadata failed");
    Ok(from_metadata(root, &serde_json::from_slice(&output.stdout)?))
}

fn from_metadata(root: &Path, metadata: &Value) -> Vec<Package> {
    let daily = metadata["workspace_default_members"].as_array().cloned().unwrap_or_default();
    let of = |package: &Value| {
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
        let argument = |target: &Value| {
            let name = target["name"].as_str().filter(|_| target["test"] == true)?;
            match target["kind"][0].as_str()? {
                "lib" => Some(vec!["--lib".to_owned()]),
                kind @ ("bin" | "test") => Some(vec![format!("--{kind}"), name.to_owned()]),
                _ => None,
            }
        };
        Some(Package {
            folder: folder.strip_prefix(root).unwrap_or(folder).display().to_string(),
            name: package["name"].as_str()?.to_owned(),
            is_daily: daily.contains(&package["id"]),
            targets: package["targets"].as_array()?.iter().filter_map(argument).flatten().collect(),
        })
    };
    metadata["packages"].as_array().into_iter().flatten().filter_map(of).collect()
}

/// The package that a word means: its name, with or without `caretaker-`, or its folder.
pub fn meant<'a>(packages: &'a [Package], word: &str) -> Option<&'a Package> {
    let word = word.trim_end_matches('/');
    packages.iter().find(|package| {
        let short = package.name.strip_prefix("caretaker-").unwrap_or(&package.name);
        [package.name.as_str(), short, package.folder.as_str()].contains(&word)
    })
}

pub fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn test_binaries_are_told_from_everything_else_that_cargo_builds() {
        let message = |kind: &str, name: &str, is_test: bool, executable: Value| {
            json!({
                "reason": "compiler-artifact", "manifest_path": "/src/operator/core/Cargo.toml", "executable": executable,
                "target": {"kind": [kind], "name": name}, "profile": {"test": is_test},
            })
        };
        let of = |message: &Value| Binary::from_message(Path::new("/src"), message).map(|found| found.name());
        let at = json!("/target/debug/deps/x");
        assert_eq!(of(&message("lib", "caretaker_core", true, at.clone())).as_deref(), Some("operator/core lib"));
        assert_eq!(of(&message("test", "suite", true, at.clone())).as_deref(), Some("operator/core suite"));
        assert_eq!(of(&message("bin", "tool", true, at.clone())).as_deref(), Some("operator/core bin tool"));
        assert_eq!(of(&message("bin", "tool", false, at)), None, "the program itself");
        assert_eq!(of(&message("lib", "caretaker_core", true, Value::Null)), None, "checked, not built");
        assert_eq!(of(&json!({"reason": "build-finished", "success": true})), None);
    }

    #[test]
    fn a_test_that_must_run_alone_runs_once() {
        let binary = |target: &str| Binary { package: "e2e".into(), target: target.into(), path: "x".into(), choice: Vec::new() };
        let alone = [("e2e apart", "harness::first"), ("e2e apart", "quota::second"), ("e2e shared", "third")];
        let (beside, only) = binary("apart").part(&alone);
        assert_eq!(beside.choice, ["--skip", "harness::first", "--skip", "quota::second"]);
        assert_eq!(only.expect("two are alone").choice, ["--exact", "harness::first", "quota::second"]);
        assert_eq!(binary("survival").part(&alone), (binary("survival"), None));
    }

    #[test]
    fn a_word_means_a_package_by_name_or_folder() {
        let package = |name: &str, folder: &str, daily: bool, targets: Value| {
            (json!({"id": name, "name": name, "manifest_path": format!("/src/{folder}/Cargo.toml"), "targets": targets}), daily)
        };
        let target = |kind: &str, name: &str, test: bool| json!({"kind": [kind], "name": name, "test": test});
        let rows = [
            package("caretaker-core", "operator/core", true, json!([target("lib", "caretaker_core", true)])),
            package("xtask", "operator/xtask", true, json!([target("bin", "tasks", true), target("example", "e", false)])),
            package(
                "caretaker-cloud-aws",
                "operator/cloud-aws",
                false,
                json!([target("lib", "x", true), target("test", "emulated", true)]),
            ),
        ];
        let daily: Vec<&Value> = rows.iter().filter(|(_, daily)| *daily).map(|(package, _)| &package["id"]).collect();
        let all: Vec<&Value> = rows.iter().map(|(package, _)| package).collect();
        let packages = from_metadata(Path::new("/src"), &json!({"packages": all, "workspace_default_members": daily}));
        for (word, found) in [
            ("core", Some(("operator/core", true, "--lib"))),
            ("caretaker-core", Some(("operator/core", true, "--lib"))),
            ("operator/core/", Some(("operator/core", true, "--lib"))),
            ("xtask", Some(("operator/xtask", true, "--bin tasks"))),
            ("cloud-aws", Some(("operator/cloud-aws", false, "--lib --test emulated"))),
            ("cor", None),
            ("a_test_s_name", None),
        ] {
            let meant = meant(&packages, word).map(|package| (package.folder.as_str(), package.is_daily, package.targets.join(" ")));
            assert_eq!(meant, found.map(|(folder, daily, targets)| (folder, daily, targets.to_owned())), "{word}");
        }
    }
}
