//! `test`: every test, on real parts, with one line at the end that counts. `up`: the same parts for a developer's own runs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::world::{Progress, World, build};

/// Where the tests find the run's control plane.
const KUBECONFIG: &str = "CARETAKER_E2E_KUBECONFIG";
/// Where the tests find the run's emulator.
const AWS: &str = "CARETAKER_E2E_AWS";
/// Where the tests note what they cannot do here.
const SKIPS: &str = "CARETAKER_E2E_SKIPS";
/// Tests of one binary that run at a time: most of their time is waiting.
const THREADS: &str = "6";

/// What to test.
#[derive(clap::Args)]
pub struct Args {
    /// Only tests whose name contains this.
    filter: Option<String>,
}

/// What the test binaries counted.
#[derive(Default, Debug, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: Vec<String>,
}

impl Count {
    /// Takes one line of a test binary's output.
    fn line(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else {
            if let Some((name, reason)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ignored")) {
                self.skipped.push(format!("{name}: {}", reason.trim_start_matches([',', ' '])));
            }
            return;
        };
        let number = |word: &str| -> u64 {
            let before = rest.split(word).next().unwrap_or_default();
            before.rsplit([' ', ';', '.']).find(|part| !part.is_empty()).and_then(|part| part.parse().ok()).unwrap_or_default()
        };
        self.passed += number(" passed");
        self.failed += number(" failed");
    }
}

impl Count {
    /// Takes what tests have noted themselves: the harness has counted them as passed.
    fn take_skips(&mut self, notes: &str) {
        for note in notes.lines() {
            self.skipped.push(note.to_owned());
            self.passed = self.passed.saturating_sub(1);
        }
    }
}

/// Runs everything.
pub fn test(args: &Args) -> Result<()> {
    let progress = Progress::start();
    build(&progress, &["build", "--workspace", "--all-targets", "--quiet"])?;
    let folder = tempfile::tempdir()?;
    let world = World::start(&progress, folder.path())?;
    progress.say("running all tests");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--workspace", "--no-fail-fast", "--"]).args(["--format", "pretty"]).args(&args.filter);
    command.current_dir(crate::root()).env("RUST_TEST_THREADS", THREADS).env_remove("RUST_BACKTRACE");
    for (key, value) in environment(&world) {
        command.env(key, value);
    }
    let skips = folder.path().join("skips");
    command.env(SKIPS, &skips);
    let mut child = command.stdout(Stdio::piped()).spawn().context("run cargo test")?;
    let mut count = Count::default();
    for line in BufReader::new(child.stdout.take().context("cargo's output")?).lines() {
        let line = line?;
        println!("{line}");
        count.line(&line);
    }
    let ended = child.wait()?;
    count.take_skips(&std::fs::read_to_string(skips).unwrap_or_default());
    if std::env::var_os("CARETAKER_KEEP_LOGS").is_some() {
        println!("logs are in {}", folder.keep().display());
    }
    for skipped in &count.skipped {
        println!("skipped {skipped}");
    }
    progress.say(format!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped.len()));
    ensure!(ended.success() && count.failed == 0, "not every test passed");
    ensure!(count.passed > 0, "no test ran");
    Ok(())
}

/// Starts the parts and leaves them running until Ctrl-C, so that single tests can be run many times.
pub fn up() -> Result<()> {
    let progress = Progress::start();
    build(&progress, &["build", "--workspace", "--all-targets", "--quiet"])?;
    let folder = tempfile::tempdir()?;
    let world = World::start(&progress, folder.path())?;
    progress.say("up until Ctrl-C. In another terminal:");
    for (key, value) in environment(&world) {
        println!("export {key}={value}");
    }
    println!("cargo test --workspace --test line");
    wait_for(world)
}

fn wait_for(mut world: World) -> Result<()> {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
        if let Some(log) = world.plane.ended() {
            bail!("a part ended; see {}", log.display());
        }
    }
}

fn environment(world: &World) -> [(&'static str, String); 2] {
    [(KUBECONFIG, world.plane.kubeconfig().display().to_string()), (AWS, world.emulator.cloud.endpoint.clone())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_test_binaries_are_counted() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test a::b ... ok",
            "test a::slow ... ignored, needs a cluster",
            "test a::c ... FAILED",
            "test result: FAILED. 11 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ] {
            count.line(line);
        }
        count.take_skips("c: nobody may make namespaces\n");
        assert_eq!(
            count,
            Count { passed: 14, failed: 2, skipped: vec!["a::slow: needs a cluster".into(), "c: nobody may make namespaces".into()] }
        );
    }
}
