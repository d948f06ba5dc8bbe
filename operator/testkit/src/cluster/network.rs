//! What a node has of the machine: a range of addresses, a pair of interfaces, routes and cgroups, all under one number.
//!
//! Numbers are given out by abstract sockets, which are as wide as the interfaces are and end with the process that holds them, however it ends. So a
//! number that is free and still has an interface was a crashed process's, and what that one left is removed.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::run;

/// As many ranges as there are: four times 256 addresses each.
const NUMBERS: u8 = 64;
/// Folder of the control groups.
const CGROUPS: &str = "/sys/fs/cgroup";
/// Of the route that keeps a range from leaving the machine while its interfaces are not there.
const METRIC: &str = "9999";

/// The place of one node. Dropping it removes all of it.
#[derive(Debug)]
pub struct Network {
    number: u8,
    _held: UnixListener,
}

impl Network {
    /// Takes a free number after removing what crashed processes have left, and makes interfaces, routes and cgroups.
    ///
    /// # Errors
    /// Every number is taken, or something cannot be made.
    pub fn claim() -> Result<Self> {
        // Asked once: there are many numbers, and hardly ever something left.
        let routes = run(Command::new("ip").args(["-4", "route", "show"]))?;
        let mut own = None;
        for number in 0..NUMBERS {
            let Some(held) = hold(number) else { continue };
            let is_clean = !routes.contains(&range(number)) && here(number).is_empty();
            match if is_clean { Ok(()) } else { remove(number) } {
                Ok(()) if own.is_none() => own = Some(Self { number, _held: held }),
                Ok(()) => {}
                // Then it is not to be used; another one is.
                Err(error) => eprintln!("what a crashed process has left stays: {error:#}"),
            }
        }
        let network = own.with_context(|| format!("all {NUMBERS} ranges of addresses are in use"))?;
        network.make().context("make the interfaces of a node")?;
        Ok(network)
    }

    fn make(&self) -> Result<()> {
        for folder in cgroups(self.number) {
            std::fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
            // A new group of a v1 hierarchy has no processor and no memory, and no process may enter it.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let parent = folder.with_file_name(file);
                if parent.exists() {
                    std::fs::write(folder.join(file), std::fs::read(&parent)?)?;
                }
            }
        }
        let (outside, inside) = (self.outside(), self.inside());
        ip(&["route", "add", "unreachable", &range(self.number), "metric", METRIC])?;
        ip(&["link", "add", &outside, "type", "veth", "peer", "name", &inside])?;
        ip(&["addr", "add", &format!("{}/30", self.host()), "dev", &outside])?;
        ip(&["link", "set", &outside, "up"])
    }

    /// Moves the inner interface to the node that has this process, and leads the range there.
    ///
    /// # Errors
    /// The process has ended.
    pub fn connect(&self, process: u32) -> Result<()> {
        ip(&["link", "set", &self.inside(), "netns", &process.to_string()])?;
        ip(&["route", "add", &range(self.number), "via", &self.node()])
    }

    fn address(&self, block: u8, last: u8) -> String {
        format!("10.231.{}.{last}", self.number * 4 + block)
    }

    /// The machine's end: here the API server listens, and whatever else pods may call.
    #[must_use]
    pub fn host(&self) -> String {
        self.address(0, 1)
    }

    /// The node's end.
    #[must_use]
    pub fn node(&self) -> String {
        self.address(0, 2)
    }

    /// Range of the pods.
    #[must_use]
    pub fn pods(&self) -> String {
        format!("{}/24", self.address(1, 0))
    }

    /// Range of the Services.
    #[must_use]
    pub fn services(&self) -> String {
        format!("{}/24", self.address(2, 0))
    }

    /// The Service of the API server.
    #[must_use]
    pub fn service(&self) -> String {
        self.address(2, 1)
    }

    /// The Service of the DNS.
    #[must_use]
    pub fn dns(&self) -> String {
        self.address(2, 10)
    }

    /// Name of the interface on the machine.
    #[must_use]
    pub fn outside(&self) -> String {
        outside(self.number)
    }

    /// Name of the interface that the node gets.
    #[must_use]
    pub fn inside(&self) -> String {
        format!("ct-n{}", self.number)
    }

    /// Name of the cgroup.
    #[must_use]
    pub fn cgroup(&self) -> String {
        cgroup(self.number)
    }

    /// What of it is on the machine now; nothing after a stop.
    ///
    /// # Errors
    /// See [`traces`].
    pub fn traces(&self) -> Result<Vec<String>> {
        traces(self.number)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(error) = remove(self.number) {
            eprintln!("a node left something behind, which the next start removes: {error:#}");
        }
    }
}

/// `None` while another process has it.
fn hold(number: u8) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("caretaker-node-{number}")).ok()?;
    UnixListener::bind_addr(&name).ok()
}

fn outside(number: u8) -> String {
    format!("ct-h{number}")
}

fn cgroup(number: u8) -> String {
    format!("ct-node{number}")
}

fn range(number: u8) -> String {
    format!("10.231.{}.0/22", number * 4)
}

/// The group of a number in each hierarchy, or in the only one.
fn cgroups(number: u8) -> Vec<PathBuf> {
    let root = Path::new(CGROUPS);
    if root.join("cgroup.controllers").exists() {
        return vec![root.join(cgroup(number))];
    }
    let hierarchies = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    // A link is a second name of a hierarchy.
    hierarchies.filter(|path| path.is_dir() && !path.is_symlink()).map(|path| path.join(cgroup(number))).collect()
}

/// What is on the machine under a number: interface, cgroups, routes.
///
/// # Errors
/// The machine does not tell its routes.
pub fn traces(number: u8) -> Result<Vec<String>> {
    let routes = run(Command::new("ip").args(["-4", "route", "show", "root", &range(number)]))?;
    Ok(here(number).into_iter().chain(routes.lines().map(|route| format!("route {}", route.trim()))).collect())
}

/// Its interface and cgroups.
fn here(number: u8) -> Vec<String> {
    let interface = Path::new("/sys/class/net").join(outside(number));
    let all = std::iter::once(interface).chain(cgroups(number));
    all.filter(|path| path.exists()).map(|path| path.display().to_string()).collect()
}

/// Removes all of it. What has just been killed may take a moment to end, and holds its cgroups until then.
fn remove(number: u8) -> Result<()> {
    let began = Instant::now();
    loop {
        for folder in cgroups(number) {
            remove_empty(&folder);
        }
        let left = traces(number)?;
        if left.is_empty() {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(20) {
            bail!("{} cannot be removed", left.join(", "));
        }
        // Each may be gone by itself meanwhile: the kernel takes the interfaces of a namespace that has ended.
        let _ = ip(&["link", "del", &outside(number)]);
        let _ = ip(&["route", "del", "unreachable", &range(number), "metric", METRIC]);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Groups are removed from the innermost on; one with processes stays.
fn remove_empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_empty(&entry.path());
        }
    }
    let _ = std::fs::remove_dir(folder);
}

fn ip(args: &[&str]) -> Result<()> {
    run(Command::new("ip").args(args)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_held_by_one_at_a_time_and_free_after_it() {
        let number = NUMBERS - 1;
        let Some(first) = hold(number) else { return };
        assert!(hold(number).is_none(), "two have it");
        drop(first);
        assert!(hold(number).is_some(), "it is not free again");
    }

    #[test]
    fn ranges_do_not_meet() {
        assert_eq!((range(0), range(1), range(63)), ("10.231.0.0/22".into(), "10.231.4.0/22".into(), "10.231.252.0/22".into()));
        assert!(outside(63).len() < 16, "the longest name of an interface");
    }
}
