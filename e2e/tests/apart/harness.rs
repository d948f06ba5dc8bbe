//! The harness itself: however it ends, no process of it stays.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use caretaker_testkit::process::run;

/// Processes whose command line names a folder.
fn processes(folder: &Path) -> Result<Vec<String>> {
    let wanted = folder.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(line) = std::fs::read(path.join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&wanted) {
            found.push(line.chars().take(120).collect());
        }
    }
    Ok(found)
}

#[test]
fn neither_an_interrupt_nor_a_crash_leaves_a_process() -> Result<()> {
    for signal in ["-INT", "-KILL"] {
        let folder = tempfile::tempdir()?;
        // Whatever is started in the background of a script ignores interrupts, and so do its children, unless they are told not to.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT").arg(env!("CARGO_BIN_EXE_control-plane")).arg(folder.path());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let began = Instant::now();
        // The harness, etcd, three parts of Kubernetes, and kwok.
        while processes(folder.path())?.len() < 6 {
            ensure!(began.elapsed() < Duration::from_secs(90), "the control plane does not come up: {:?}", processes(folder.path())?);
            ensure!(child.try_wait()?.is_none(), "the harness ended by itself");
            std::thread::sleep(Duration::from_millis(200));
        }
        run(Command::new("kill").args([signal, &child.id().to_string()]))?;
        let began = Instant::now();
        while child.try_wait().context("the harness ends")?.is_none() {
            ensure!(began.elapsed() < Duration::from_secs(30), "{signal} does not end the harness");
            std::thread::sleep(Duration::from_millis(100));
        }
        while !processes(folder.path())?.is_empty() {
            ensure!(began.elapsed() < Duration::from_secs(10), "{signal} left {:?}", processes(folder.path())?);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}
