//! `test`: every test, on real parts, with one line at the end that counts; with a name, the fast loop. `up`: the parts for a developer's own runs.

mod binaries;
mod run;
mod times;

use std::path::Path;

use anyhow::{Result, bail, ensure};

use self::binaries::{Binary, Package, built, meant, packages};
use self::run::{Job, Outcome, Setting};
use self::times::longest;
use crate::world::{Progress, Tools, World, build, prepare};

/// Where single tests find a control plane that runs already.
const KUBECONFIG: &str = "CARETAKER_E2E_KUBECONFIG";
/// Where they find its emulator.
const AWS: &str = "CARETAKER_E2E_AWS";
/// Where the tests note what they cannot do here.
const SKIPS: &str = "CARETAKER_E2E_SKIPS";
/// Folder for the data and logs of all that the tests start.
const FOLDER: &str = "CARETAKER_E2E_FOLDER";
/// Slowest tests that are named at the end.
const SLOWEST: usize = 20;
/// Crates whose tests use what is built beside cargo: control plane, emulators, judges.
const WITH_PARTS: [&str; 5] = ["e2e", "operator/cloud-aws", "operator/cloud-azure", "operator/cloud-gcp", "operator/bundle"];
/// Tests that measure time or end processes at a chosen moment: they run after all others, one by one.
const ALONE: [(&str, &str); 2] = [
    ("operator/cloud-gcp simulated", "quota::thirty_projects_of_ten_clients_share_one_quota"),
    ("e2e apart", "harness::neither_an_interrupt_nor_a_crash_leaves_a_process"),
];

/// What to test.
#[derive(clap::Args)]
pub struct Args {
    /// Name of a crate, such as core, or a part of a test's name. Without it every test is run.
    name: Option<String>,
    /// Of that crate, only tests whose name contains this.
    #[arg(requires = "name")]
    filter: Option<String>,
}

/// Runs everything, or what has the name.
pub fn test(args: &Args) -> Result<()> {
    let progress = Progress::start();
    let folder = tempfile::tempdir()?;
    let root = crate::root();
    let environment = vec![(SKIPS, folder.path().join("skips").into()), (FOLDER, folder.path().into())];
    let mut setting = Setting { root: &root, filter: args.filter.as_deref(), environment, progress: &progress };
    let mut outcome = match &args.name {
        None => everything(&setting)?,
        Some(name) => {
            let (jobs, filter) = named(&setting, name)?;
            setting.filter = filter;
            setting.run(jobs)
        }
    };
    outcome.count.take_skips(&std::fs::read_to_string(folder.path().join("skips")).unwrap_or_default());
    if std::env::var_os("CARETAKER_KEEP_LOGS").is_some() {
        println!("logs are in {}", folder.keep().display());
    }
    tell(&progress, &outcome)
}

/// The times, what was skipped, and the counts in the last line.
fn tell(progress: &Progress, outcome: &Outcome) -> Result<()> {
    println!("\ntime of each test binary");
    longest(&outcome.jobs, usize::MAX).iter().for_each(|line| println!("{line}"));
    println!("\nthe {SLOWEST} slowest tests");
    longest(&outcome.tests, SLOWEST).iter().for_each(|line| println!("{line}"));
    println!();
    for skipped in &outcome.count.skipped {
        println!("skipped {skipped}");
    }
    for bad in &outcome.bad {
        println!("not passed {bad}");
    }
    let count = &outcome.count;
    progress.say(format!("{} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped.len()));
    ensure!(outcome.bad.is_empty() && count.failed == 0, "not every test passed");
    ensure!(count.passed > 0, "no test ran");
    Ok(())
}

/// Every test. Those that need no part run while the parts are still being built.
fn everything(setting: &Setting) -> Result<Outcome> {
    setting.progress.say("building the operator, and the tools that are missing (cold: about three quarters of an hour on two cores)");
    let aside = prepare(Tools::Tests);
    let binaries = built(setting.root, &["build", "--workspace", "--all-targets"])?;
    setting.progress.say(format!("running the tests of {} binaries", binaries.len()));
    let (binaries, alone): (Vec<Binary>, Vec<Option<Binary>>) = binaries.into_iter().map(|binary| binary.part(&ALONE)).unzip();
    let mut alone: Vec<Job> = alone.into_iter().flatten().map(Job::Binary).collect();
    ensure!(alone.len() == ALONE.len(), "a test that must run alone is in no binary");
    // A whole machine beside two control planes is more than two processors carry: its probes and waits are those of real pods.
    let (nodes, binaries): (Vec<Binary>, Vec<Binary>) = binaries.into_iter().partition(|binary| binary.name() == "e2e node");
    alone.extend(nodes.into_iter().map(Job::Binary));
    let uses_parts = |binary: &Binary| WITH_PARTS.contains(&binary.package.as_str()) || binary.package.starts_with("e2e/");
    let (with, without): (Vec<Binary>, Vec<Binary>) = binaries.into_iter().partition(uses_parts);
    let jobs = |binaries: Vec<Binary>| binaries.into_iter().map(Job::Binary).collect::<Vec<Job>>();
    let (mut outcome, late) = match aside.is_finished() {
        true => (Outcome::default(), without),
        false => (setting.run(jobs(without)), Vec::new()),
    };
    aside.join().map_err(|_| anyhow::anyhow!("the building of the tools panicked"))??;
    outcome.add(setting.run([jobs(with), jobs(late), vec![Job::Examples]].concat()));
    outcome.add(setting.alone(&alone));
    Ok(outcome)
}

/// The tests of a crate, or those with a name: of the daily selection, which compiles within seconds, where they are there.
fn named<'a>(setting: &Setting<'a>, name: &'a str) -> Result<(Vec<Job>, Option<&'a str>)> {
    if let Some(package) = meant(&packages(setting.root)?, name) {
        setting.progress.say(format!("building the tests of {}", package.folder));
        return Ok((of_crate(setting.root, package)?, setting.filter));
    }
    ensure!(setting.filter.is_none(), "{name} is no crate of this workspace");
    setting.progress.say(format!("building the daily selection, to find tests whose name holds {name}"));
    for selection in [&[][..], &["--workspace"]] {
        if !selection.is_empty() {
            setting.progress.say("no test of the daily selection has this name; building the others too");
        }
        let mut found = Vec::new();
        for binary in built(setting.root, &[&["test", "--no-run"], selection].concat())? {
            if !binary.list(Some(name))?.is_empty() {
                found.push(Job::Binary(binary));
            }
        }
        if !found.is_empty() {
            return Ok((found, Some(name)));
        }
    }
    bail!("neither a crate nor a test has the name {name}")
}

fn of_crate(root: &Path, package: &Package) -> Result<Vec<Job>> {
    ensure!(!package.targets.is_empty(), "{} has no tests", package.folder);
    let mut args = vec!["test", "--no-run"];
    if !package.is_daily {
        args.push("--workspace");
    }
    args.extend(package.targets.iter().map(String::as_str));
    let found = built(root, &args)?.into_iter().filter(|binary| binary.package == package.folder);
    Ok(found.map(Job::Binary).collect())
}

/// Starts the parts and leaves them running until Ctrl-C, so that single tests can be run many times.
pub fn up() -> Result<()> {
    let progress = Progress::start();
    build(&progress, &["build", "--workspace", "--all-targets", "--quiet"], Tools::ControlPlane)?;
    let folder = tempfile::tempdir()?;
    let world = World::start(&progress, folder.path())?;
    progress.say("up until Ctrl-C. In another terminal:");
    for (key, value) in environment(&world) {
        println!("export {key}={value}");
    }
    println!("cargo xtask test line::");
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
