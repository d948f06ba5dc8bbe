//! Project tasks: `cargo xtask --help`.

mod bench;
mod bench_bundle;
mod bench_clouds;
mod check;
mod circles;
mod clouds;
mod demo;
mod generate;
mod image;
mod links;
mod release;
mod supply;
mod test;
mod tracked;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Tasks of the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set up all that is needed and run the main job: onboard a client, hand it over, prove that we are out.
    Demo(demo::Args),
    /// Run every test on real parts. The last line counts passed, failed and skipped.
    Test(test::Args),
    /// Start control plane and emulator for single tests, until Ctrl-C.
    Up,
    /// Start the simulated clouds by themselves and print their addresses, until Ctrl-C.
    Clouds,
    /// Measure speed and memory, and judge them by their goals.
    Bench(bench::Args),
    /// Build the tools that are missing: control plane, Helm, judges, and a node where this machine can have one.
    Tools,
    /// Prove the layering, file lengths, that no file is a link or names a path of one machine, that no files of an adapter import each other in a
    /// circle, and that generated files are up to date.
    Check,
    /// Build the operator's image as an OCI archive, without a container engine. The last line is its digest.
    Image(image::Args),
    /// Collect all that is published of a version into one folder: binaries, plugin, chart, image, definitions, list of contents, checksums, signatures.
    Release(release::Args),
    /// Write the files that are made from code: CRDs, RBAC.
    Generate {
        /// Only say what differs.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": "));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Demo(args) => demo::demo(&args),
        Task::Test(args) => test::test(&args),
        Task::Up => test::up(),
        Task::Clouds => clouds::stand(),
        Task::Bench(args) => bench::run(&args),
        Task::Tools => caretaker_testkit::tools::build(&caretaker_testkit::tools::for_tests()),
        Task::Check => check::run(),
        Task::Image(args) => image::run(&args),
        Task::Release(args) => release::run(&args),
        Task::Generate { check } => generate::run(check),
    }
}

/// Root of the source tree.
pub fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).map(PathBuf::from).unwrap_or_default()
}
