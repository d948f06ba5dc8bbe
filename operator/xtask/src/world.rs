//! A whole world on this machine: control plane, emulator, installed chart, provider. Shared by `demo`, `up` and `test`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use caretaker_testkit::control_plane::ControlPlane;
use caretaker_testkit::emulator::Emulator;
use caretaker_testkit::{python, tools};

/// Prints a line of progress with the time since the start.
pub struct Progress {
    began: Instant,
}

impl Progress {
    /// The clock starts.
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// One line.
    pub fn say(&self, text: impl AsRef<str>) {
        println!("[{:>4} s] {}", self.began.elapsed().as_secs(), text.as_ref());
    }
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from)
}

/// The binary of the operator.
pub fn binary() -> PathBuf {
    target().join("debug/caretaker")
}

/// Whether this machine can have a real node with its data in a folder, or why it cannot.
pub fn node_or_why(folder: &Path) -> Result<(), String> {
    caretaker_testkit::cluster::probe::probe(folder)
}

/// What is built besides the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tools {
    /// A control plane.
    ControlPlane,
    /// What the demo uses where there is no real node.
    Demo,
    /// What the demo uses on a real node.
    DemoOnNode,
    /// Everything that the tests use on this machine.
    Tests,
}

/// Builds tools and environments in the background, in the order in which they are needed.
pub fn prepare(wanted: Tools) -> JoinHandle<Result<()>> {
    std::thread::spawn(move || {
        // Fetching takes no processor: it goes on beside the compilers.
        let environments = std::thread::spawn(move || -> Result<()> {
            for name in if wanted == Tools::Tests {
                &["ministack", "google", "aws", "judges", "oscal"][..]
            } else {
                &["ministack", "google", "aws"]
            } {
                python::environment(name)?;
            }
            Ok(())
        });
        tools::build(&match wanted {
            Tools::ControlPlane => tools::CONTROL_PLANE.to_vec(),
            Tools::Demo => [tools::CONTROL_PLANE, tools::TOFU].concat(),
            Tools::DemoOnNode => [tools::CONTROL_PLANE, tools::NODE, tools::TOFU].concat(),
            Tools::Tests => tools::for_tests(),
        })?;
        environments.join().map_err(|_| anyhow::anyhow!("the making of the Python environments panicked"))?
    })
}

/// Builds the operator with cargo while the tools of a control plane are built.
pub fn build(progress: &Progress, cargo_args: &[&str], wanted: Tools) -> Result<()> {
    let cold = if wanted == Tools::DemoOnNode { "three quarters of an hour" } else { "half an hour" };
    progress.say(format!("building the operator, and the tools that are missing (cold: about {cold} on two cores)"));
    let aside = prepare(wanted);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(cargo_args).current_dir(crate::root()).status().context("run cargo")?;
    let aside = aside.join().map_err(|_| anyhow::anyhow!("the building of the tools panicked"))?;
    ensure!(status.success(), "cargo {} failed", cargo_args.join(" "));
    aside
}

/// Control plane and emulator.
pub struct World {
    /// The control plane.
    pub plane: ControlPlane,
    /// The emulator.
    pub emulator: Emulator,
}

impl World {
    /// Starts both, with everything in `folder`.
    pub fn start(progress: &Progress, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        progress.say("starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok");
        let mut plane = ControlPlane::start(&folder.join("control-plane"))?;
        progress.say("starting prometheus-operator");
        plane.start_prometheus_operator()?;
        progress.say("starting the AWS emulator, and proving that it refuses what AWS refuses");
        let emulator = Emulator::start(&folder.join("ministack.log"))?;
        Ok(Self { plane, emulator })
    }
}
