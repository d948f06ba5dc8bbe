//! `cargo xtask`: looks for what a command needs, and then runs it. `cargo xtask prerequisites [--install]` looks for what the tests need.

use std::os::unix::process::CommandExt;
use std::process::{Command as Program, ExitCode};

use caretaker_prerequisites::decide::{self, Command, Facts};
use caretaker_prerequisites::{look, source_root};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["prerequisites"] => provided(Command::Test, false),
        ["prerequisites", "--install"] => provided(Command::Test, true),
        words => provided(Command::of(words), false).and_then(|()| Err(run(&args))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(lines) => {
            eprintln!("error: {lines}");
            ExitCode::FAILURE
        }
    }
}

/// Fails with what is missing; installs packages before where that is asked for.
fn provided(command: Command, may_install: bool) -> Result<(), String> {
    if command == Command::Compiler {
        return Ok(());
    }
    let root = source_root();
    let facts = look::facts(&root);
    let missing = decide::missing(command, &facts);
    if missing.is_nothing() {
        return Ok(());
    }
    match missing.install(&facts).filter(|_| may_install) {
        None => Err(missing.told(&facts).join("\n")),
        Some(line) => {
            install(&line, &facts)?;
            let facts = look::facts(&root);
            let missing = decide::missing(command, &facts);
            if missing.is_nothing() { Ok(()) } else { Err(missing.told(&facts).join("\n")) }
        }
    }
}

fn install(line: &[&str], facts: &Facts) -> Result<(), String> {
    let update: &[&str] = if facts.is_root { &["apt-get", "update", "-qq"] } else { &["sudo", "apt-get", "update", "-qq"] };
    for line in [update, line] {
        eprintln!("{}", line.join(" "));
        let (name, args) = line.split_first().ok_or("an empty command")?;
        let ended = Program::new(name).args(args).status().map_err(|error| format!("{name}: {error}"))?;
        if !ended.success() {
            return Err(format!("{} failed", line.join(" ")));
        }
    }
    Ok(())
}

/// Becomes the task. Returns only where that failed.
fn run(args: &[String]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = source_root().join("Cargo.toml");
    // `--bin` keeps the default selection of packages, so that the tasks share their dependencies with `cargo test`.
    let mut command = Program::new(cargo);
    command.args(["run", "--quiet", "--manifest-path"]).arg(manifest).args(["--bin", "tasks", "--"]).args(args);
    format!("cargo cannot be run: {}", command.exec())
}
