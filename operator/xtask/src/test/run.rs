//! Runs test binaries, several at a time.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::binaries::{Binary, cargo};
use super::times::{Count, durations, ended};
use crate::world::Progress;

/// Tests of one binary that run at a time: most of their time is waiting.
pub const THREADS: usize = 6;

/// Jobs that mostly wait and run at a time: each has a control plane or more of its own.
const WAITING: usize = 2;
/// Those that wait, in the order in which they begin: the longest first.
const ORDER: [&str; 4] = ["survival", "shared", "apart", "node"];

/// What is run.
#[derive(Clone, Debug)]
pub enum Job {
    /// A test binary.
    Binary(Binary),
    /// The examples in the documentation.
    Examples,
}

/// How it was.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was counted.
    pub count: Count,
    /// Jobs that ended badly.
    pub bad: Vec<String>,
    /// How long each job took.
    pub jobs: Vec<(String, Duration)>,
    /// How long each test took.
    pub tests: Vec<(String, Duration)>,
}

impl Outcome {
    /// Adds what others were.
    pub fn add(&mut self, other: Self) {
        self.count.add(other.count);
        self.bad.extend(other.bad);
        self.jobs.extend(other.jobs);
        self.tests.extend(other.tests);
    }
}

impl Job {
    fn name(&self) -> String {
        match self {
            Self::Binary(binary) if binary.choice.iter().any(|word| word == "--exact") => format!("{} (alone)", binary.name()),
            Self::Binary(binary) => binary.name(),
            Self::Examples => "examples in the documentation".to_owned(),
        }
    }

    /// Its place among the jobs that mostly wait; `None` for one that computes.
    fn waits(&self) -> Option<usize> {
        let Self::Binary(binary) = self else { return None };
        (binary.package == "e2e").then(|| ORDER.iter().position(|name| *name == binary.target).unwrap_or(ORDER.len()))
    }

    fn command(&self, root: &Path, filter: Option<&str>) -> Command {
        match self {
            Self::Binary(binary) => {
                let folder = root.join(&binary.package);
                let mut command = Command::new(&binary.path);
                // As cargo starts them.
                command.current_dir(&folder).env("CARGO_MANIFEST_DIR", folder).env("CARGO", cargo());
                command.args(["--format", "pretty"]).args(&binary.choice).args(filter);
                command
            }
            Self::Examples => {
                let mut command = Command::new(cargo());
                command.args(["test", "--workspace", "--doc", "--quiet", "--"]).args(["--format", "pretty"]).args(filter);
                command.current_dir(root);
                command
            }
        }
    }
}

/// What every job is given.
pub struct Setting<'a> {
    /// Root of the tree.
    pub root: &'a Path,
    /// Only tests whose name contains this.
    pub filter: Option<&'a str>,
    /// Environment.
    pub environment: Vec<(&'static str, OsString)>,
    /// Where it is told.
    pub progress: &'a Progress,
}

impl Setting<'_> {
    /// Runs all jobs: a few at a time of those that wait, and beside them as many of the others as there are processors.
    pub fn run(&self, jobs: Vec<Job>) -> Outcome {
        let (mut waiting, busy): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.waits().is_some());
        waiting.sort_by_key(Job::waits);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let (waiting, busy, sum) = (Mutex::new(VecDeque::from(waiting)), Mutex::new(VecDeque::from(busy)), Mutex::new(Outcome::default()));
        std::thread::scope(|scope| {
            let (waiting, busy, sum) = (&waiting, &busy, &sum);
            for lane in 0..WAITING + processors {
                scope.spawn(move || {
                    let own = if lane < WAITING { waiting } else { busy };
                    // Guards end with their statement: the queue is free while a job runs.
                    while let Some(job) = pop(own) {
                        let outcome = self.one(&job);
                        sum.lock().expect("no panic while held").add(outcome);
                    }
                });
            }
        });
        sum.into_inner().expect("no panic while held")
    }

    /// Runs them one after another, with nothing beside them.
    pub fn alone(&self, jobs: &[Job]) -> Outcome {
        let mut sum = Outcome::default();
        jobs.iter().for_each(|job| sum.add(self.one(job)));
        sum
    }

    /// Runs one, and tells of each test when it has ended.
    pub fn one(&self, job: &Job) -> Outcome {
        let (name, began) = (job.name(), Instant::now());
        let mut outcome = Outcome::default();
        match self.watched(job, began, &mut outcome) {
            Ok(true) => {}
            Ok(false) => outcome.bad.push(name.clone()),
            Err(error) => outcome.bad.push(format!("{name}: {error:#}")),
        }
        let (took, count) = (began.elapsed(), &outcome.count);
        self.progress.say(format!("{name}: {} passed, {} failed in {:.1} s", count.passed, count.failed, took.as_secs_f64()));
        outcome.jobs.push((name, took));
        outcome
    }

    /// Whether it ended well.
    fn watched(&self, job: &Job, began: Instant, outcome: &mut Outcome) -> Result<bool> {
        let name = job.name();
        let order = match job {
            Job::Binary(binary) => binary.list(self.filter)?,
            Job::Examples => Vec::new(),
        };
        let mut command = job.command(self.root, self.filter);
        command.env("RUST_TEST_THREADS", THREADS.to_string()).env_remove("RUST_BACKTRACE");
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("it cannot be started")?;
        let (mut ends, mut rest) = (Vec::new(), Vec::new());
        for line in BufReader::new(child.stdout.take().context("the output is piped")?).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            outcome.count.line(&line);
            match ended(&line) {
                Some((test, how)) => {
                    self.progress.say(format!("{name}: {test} ... {how}"));
                    ends.push((test.to_owned(), began.elapsed()));
                }
                None => rest.push(line),
            }
        }
        let is_good = child.wait()?.success();
        if !is_good {
            // What the failed tests have printed.
            println!("---- {name}\n{}\n----", rest.join("\n").trim());
        }
        outcome.tests = durations(&order, THREADS, &ends).into_iter().map(|(test, took)| (format!("{name}: {test}"), took)).collect();
        Ok(is_good)
    }
}

fn pop(queue: &Mutex<VecDeque<Job>>) -> Option<Job> {
    queue.lock().expect("no panic while held").pop_front()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program that says what a test binary says.
    fn pretended(folder: &Path, name: &str, script: &str) -> Job {
        let path = folder.join(name);
        let list = r#"case "$*" in *--list*) echo "one: test"; echo "two: test"; exit 0 ;; esac"#;
        std::fs::write(&path, format!("#!/bin/sh\n{list}\n{script}\n")).expect("it can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        std::fs::create_dir_all(folder.join(name.to_uppercase())).expect("it can be made");
        Job::Binary(Binary { package: name.to_uppercase(), target: "lib".into(), path, choice: Vec::new() })
    }

    fn run(folder: &Path, jobs: Vec<Job>) -> Outcome {
        let progress = Progress::start();
        Setting { root: folder, filter: None, environment: vec![("SAID", "word".into())], progress: &progress }.run(jobs)
    }

    #[test]
    fn every_job_is_run_and_one_that_ends_badly_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let good = r#"echo "test one ... ok"; sleep 0.2; echo "test two ... ignored, no cluster"
            echo "test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.2s""#;
        let failing = r#"echo "test one ... FAILED"; echo "test result: FAILED. 0 passed; 1 failed; 0 ignored"; exit 101"#;
        let jobs = vec![
            pretended(folder.path(), "good", good),
            pretended(folder.path(), "failing", failing),
            pretended(folder.path(), "dying", "kill -KILL $$"),
            Job::Binary(Binary { package: "GOOD".into(), target: "gone".into(), path: folder.path().join("gone"), choice: Vec::new() }),
        ];
        let mut outcome = run(folder.path(), jobs);
        assert_eq!((outcome.count.passed, outcome.count.failed), (1, 1));
        assert_eq!(outcome.count.skipped, ["two: no cluster"]);
        outcome.bad.sort();
        assert_eq!(outcome.bad.len(), 3, "{:?}", outcome.bad);
        for (found, name) in outcome.bad.iter().zip(["DYING lib", "FAILING lib", "GOOD gone: "]) {
            assert!(found.starts_with(name), "{found}");
        }
        assert_eq!(outcome.jobs.len(), 4, "each has its time");
        let two = outcome.tests.iter().find(|(name, _)| name == "GOOD lib: two").expect("its time");
        assert!(outcome.tests.len() == 3 && two.1 >= Duration::from_millis(100), "{:?}", outcome.tests);
    }

    #[test]
    fn what_waits_longest_begins_first() {
        let job = |package: &str, target: &str| {
            Job::Binary(Binary { package: package.into(), target: target.into(), path: "x".into(), choice: Vec::new() })
        };
        let mut jobs = ["lib", "apart", "shared", "survival"].map(|target| job("e2e", target)).to_vec();
        jobs.sort_by_key(Job::waits);
        let names: Vec<String> = jobs.iter().map(Job::name).collect();
        assert_eq!(names, ["e2e survival", "e2e shared", "e2e apart", "e2e lib"]);
        assert_eq!(job("operator/core", "lib").waits(), None);
        assert_eq!(Job::Examples.waits(), None);
    }

    #[test]
    fn a_job_stands_in_its_folder_with_what_it_is_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = r#"[ "$SAID" = word ] && [ "$(basename "$PWD")" = GOOD ] && [ "$CARGO_MANIFEST_DIR" = "$PWD" ] && [ "$RUST_TEST_THREADS" = 6 ]"#;
        let outcome = run(folder.path(), vec![pretended(folder.path(), "good", script)]);
        assert!(outcome.bad.is_empty(), "{:?}", outcome.bad);
    }
}
