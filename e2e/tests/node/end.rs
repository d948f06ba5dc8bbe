//! However a cluster ends, nothing of it stays.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use caretaker_e2e::node::{Real, folder, turn};
use caretaker_testkit::cluster::network::{Network, traces};
use caretaker_testkit::cluster::{BUSYBOX, Options};
use caretaker_testkit::process::run;

/// What a machine has that a node could leave, but for what is named after other clusters.
fn machine(of: &Path) -> Result<Vec<String>> {
    let said = |command: &mut Command| run(command).unwrap_or_default();
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let rules = [said(Command::new("nft").args(["list", "tables"])), said(Command::new("iptables-nft").args(["-t", "mangle", "-S"]))];
    let settings = ["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"];
    let settings = settings.map(|name| format!("{name} {}", std::fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default()));
    let mut found: Vec<String> = rules.iter().flat_map(|text| text.lines().map(str::to_owned)).chain(settings).collect();
    found.push(format!("{} mounts", mounts.lines().count()));
    found.extend(mounts.lines().filter(|line| line.contains(&of.display().to_string())).map(str::to_owned));
    Ok(found)
}

/// Processes whose command line names a folder, or that are in a cgroup.
fn processes(folder: &Path, cgroup: &str) -> Result<Vec<String>> {
    let wanted = folder.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let text = |name: &str| std::fs::read(path.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
        let (Ok(line), Ok(groups)) = (text("cmdline"), text("cgroup")) else { continue };
        if line.contains(&wanted) || groups.lines().any(|group| group.split('/').any(|part| part == cgroup)) {
            found.push(line.chars().take(120).collect());
        }
    }
    Ok(found)
}

/// What a number has on the machine, each with what tells it from a thing of the same name that a later cluster has.
fn marks(number: u8) -> Result<Vec<(String, u64)>> {
    let found = traces(number)?.into_iter().map(|name| {
        let inode = std::fs::metadata(&name).map(|metadata| metadata.ino()).unwrap_or_default();
        (name, inode)
    });
    Ok(found.collect())
}

fn number(interface: &str) -> Result<u8> {
    Ok(interface.trim_start_matches("ct-h").parse()?)
}

#[test]
fn a_stop_leaves_nothing() -> Result<()> {
    let _turn = turn();
    let Some(place) = folder("a_stop_leaves_nothing")? else { return Ok(()) };
    let before = machine(place.path())?;
    let Some(cluster) = Real::start("a_stop_leaves_nothing", &Options { policies: true, ..Options::default() })? else { return Ok(()) };
    cluster.run("default", "sleeper", BUSYBOX, &["-c", "sleep 3600"])?;
    let (number, cgroup) = (number(&cluster.network.outside())?, cluster.network.cgroup());
    let had = marks(number)?;
    ensure!(had.iter().any(|(name, _)| name.starts_with("route")) && had.len() > 3, "the test does not see what a cluster has: {had:?}");
    let began = Instant::now();
    let folder = cluster.stop();
    println!("stopped in {:.1} s", began.elapsed().as_secs_f64());
    let left = processes(folder.path(), &cgroup)?;
    ensure!(left.is_empty(), "left: {left:?}");
    // Another cluster may have the number by now: what it has is of other inodes, and its routes are not told apart.
    let there = marks(number)?;
    let is_taken = there.iter().any(|(_, inode)| *inode != 0);
    let left: Vec<_> = there.iter().filter(|mark| had.contains(mark) && (mark.1 != 0 || !is_taken)).collect();
    ensure!(left.is_empty(), "left: {left:?}");
    ensure!(machine(place.path())? == before, "before {before:?}, after {:?}", machine(place.path())?);
    Ok(())
}

#[test]
fn a_starter_that_is_killed_leaves_no_process_and_the_next_start_removes_the_rest() -> Result<()> {
    let _turn = turn();
    let test = "a_starter_that_is_killed_leaves_no_process_and_the_next_start_removes_the_rest";
    let Some(folder) = folder(test)? else { return Ok(()) };
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
    let log = std::fs::File::create(folder.path().join("log"))?;
    let mut starter = command.arg(folder.path()).stdout(Stdio::null()).stderr(log).spawn()?;
    let began = Instant::now();
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    while !folder.path().join("up").exists() {
        let is_over = starter.try_wait()?.is_some() || began.elapsed() > Duration::from_secs(120);
        ensure!(!is_over, "the cluster does not come up: {}", log());
        std::thread::sleep(Duration::from_millis(200));
    }
    let told = std::fs::read_to_string(folder.path().join("up"))?;
    let (interface, cgroup) = told.trim().split_once('\n').context("interface and cgroup")?;
    let number = number(interface)?;
    let had: Vec<_> = marks(number)?.into_iter().filter(|(_, inode)| *inode != 0).collect();
    ensure!(had.len() > 1, "the test does not see what a cluster has: {had:?}");
    ensure!(processes(folder.path(), cgroup)?.len() > 8, "the test does not see what runs: {:?}", processes(folder.path(), cgroup)?);
    starter.kill()?;
    starter.wait()?;
    let killed = Instant::now();
    while !processes(folder.path(), cgroup)?.is_empty() {
        ensure!(killed.elapsed() < Duration::from_secs(15), "these live on: {:?}", processes(folder.path(), cgroup)?);
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("no process {:.1} s after the kill", killed.elapsed().as_secs_f64());
    // Whatever number it takes itself, a start removes it.
    drop(Network::claim()?);
    let left: Vec<_> = marks(number)?.into_iter().filter(|mark| had.contains(mark)).collect();
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}
