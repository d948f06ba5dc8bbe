//! `demo`: the main job on real parts, from nothing to a verified exit.

mod next;
mod phases;
mod plan;
mod pods;
mod stage;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use caretaker_testkit::process::run;
use tokio::signal::unix::{SignalKind, signal};

use crate::world::{Progress, Tools, build, node_or_why};
use stage::Stage;

/// Account of the provider in the demo.
const PROVIDER: &str = "111111111111";
/// Account of the provider in `examples/managed-client-control.yaml`.
const CONTROL: &str = "444444444444";
/// Account of the client in `examples/managed-client-aws.yaml`.
const CLIENT: &str = "222222222222";
/// Longest wait for a state.
const PATIENCE: Duration = Duration::from_secs(180);

/// How the demo runs.
#[derive(clap::Args)]
pub struct Args {
    /// Leave everything running until Ctrl-C or --down.
    #[arg(long)]
    keep: bool,
    /// Stop a demo that was left running.
    #[arg(long)]
    down: bool,
    /// Use this context of your own kubeconfig instead of starting a cluster.
    #[arg(long)]
    context: Option<String>,
}

fn state_folder() -> PathBuf {
    caretaker_testkit::cache().join("demo")
}

/// Runs the demo.
pub fn demo(args: &Args) -> Result<()> {
    if args.down {
        return down();
    }
    let progress = Progress::start();
    let folder = state_folder();
    if folder.exists() {
        down()?;
    }
    std::fs::create_dir_all(&folder)?;
    let node = if args.context.is_some() { Err("your own cluster is used".to_owned()) } else { node_or_why(&folder) };
    let wanted = if node.is_ok() { Tools::DemoOnNode } else { Tools::Demo };
    build(&progress, &["build", "--workspace", "--bin", "caretaker", "--bin", "clouds", "--quiet"], wanted)?;
    std::fs::write(folder.join("pid"), std::process::id().to_string())?;
    let mut stage = Stage::set(&progress, &folder, args.context.as_deref(), node)?;
    stage.provider(&progress)?;
    stage.start(&progress)?;
    stage.control(&progress)?;
    stage.onboard(&progress)?;
    phases::assess(&progress, &stage)?;
    phases::sign(&progress, &mut stage)?;
    stage.show_pods(&progress)?;
    phases::change_and_undo(&progress, &stage)?;
    phases::near_the_end(&progress, &stage)?;
    stage.clouds.say("judge").context("the simulators and the operator speak as AWS, Microsoft and Google describe")?;
    stage.leave(&progress)?;
    if args.context.is_none() {
        next::take_in(&progress, &mut stage)?;
    }
    phases::close(&progress, &stage)?;
    stage.summary(&progress, args.keep)?;
    if args.keep {
        println!("\nEverything stays up until Ctrl-C, or: cargo xtask demo --down");
        wait(&mut stage)?;
    }
    Ok(())
}

/// Waits for Ctrl-C or `--down`. What was started ends with the stage, which a signal alone would not drop.
fn wait(stage: &mut Stage) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                () = tokio::time::sleep(Duration::from_millis(300)) => stage.still_runs()?,
            }
        }
    })
}

/// Stops a demo that was left running. Its parts end with it.
fn down() -> Result<()> {
    let folder = state_folder();
    let Ok(pid) = std::fs::read_to_string(folder.join("pid")) else {
        println!("no demo is running");
        return if folder.exists() { std::fs::remove_dir_all(&folder).context("remove the demo's folder") } else { Ok(()) };
    };
    let process = format!("/proc/{}", pid.trim());
    let runs = || std::fs::read_to_string(format!("{process}/cmdline")).is_ok_and(|line| line.contains("tasks"));
    if runs() && pid.trim() != std::process::id().to_string() {
        run(Command::new("kill").args(["-TERM", pid.trim()]))?;
        let began = std::time::Instant::now();
        while runs() {
            ensure!(began.elapsed() < PATIENCE, "the demo (process {}) does not end; see {}", pid.trim(), folder.display());
            std::thread::sleep(Duration::from_millis(200));
        }
        println!("stopped the demo");
    }
    std::fs::remove_dir_all(&folder).context("remove the demo's folder")
}

fn example(name: &str) -> Result<String> {
    let path = crate::root().join("examples").join(name);
    std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

/// Fails where a part has ended.
fn ended<T>(what: &str, log: &std::path::Path) -> Result<T> {
    bail!("{what} ended; see {}", log.display())
}
