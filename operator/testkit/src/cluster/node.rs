//! The node: one process in namespaces of its own, and what runs below it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::PATIENCE;
use super::image::Image;
use super::network::Network;
use crate::control_plane::NODE;
use crate::process::{Process, run};
use crate::tools;

/// containerd's socket within the node.
const SOCKET: &str = "/run/containerd/containerd.sock";

/// A node. Dropping it ends everything on it.
pub(super) struct Node {
    folder: PathBuf,
    unshare: Process,
    /// Process 1 of its namespaces, as the machine numbers it.
    first: u32,
}

impl Node {
    /// Starts the node without its kubelet, which waits for [`Node::join`].
    pub fn start(folder: &Path, network: &Network, policies: bool) -> Result<Self> {
        std::fs::create_dir_all(folder.join("logs"))?;
        std::fs::create_dir_all(folder.join("cni"))?;
        std::fs::write(folder.join("resolv.conf"), "")?;
        for (name, template) in [
            ("node.sh", include_str!("files/node.sh")),
            ("containerd.toml", &containerd()?),
            ("kubelet.yaml", include_str!("files/kubelet.yaml")),
            ("proxy.yaml", include_str!("files/proxy.yaml")),
            ("cni/network.conflist", include_str!("files/network.conflist")),
        ] {
            std::fs::write(folder.join(name), filled(template, network, folder))?;
        }
        let args = ["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "bash"].map(str::to_owned);
        let args = [&args[..], &[folder.join("node.sh").display().to_string()]].concat();
        let environment = environment(folder, network, policies)?;
        let log = folder.join("logs/node.log");
        let mut unshare = Process::start("the node", Path::new("unshare"), &args, &environment, &log)?;
        let first = first(&mut unshare)?;
        network.connect(first)?;
        Ok(Self { folder: folder.to_path_buf(), unshare, first })
    }

    /// Has kubelet and kube-proxy start: the API server answers, and their kubeconfigs are there.
    pub fn join(&mut self) -> Result<()> {
        ensure!(self.unshare.is_running(), "the node has ended: {}", self.log());
        std::fs::write(self.folder.join("go"), "")?;
        Ok(())
    }

    /// Makes an archive of an image and imports it.
    pub fn add(&self, image: &Image) -> Result<()> {
        let file = tempfile::Builder::new().prefix("image-").suffix(".tar").tempfile_in(&self.folder)?;
        image.write(file.path())?;
        self.import(file.path()).with_context(|| format!("import {}", image.name))
    }

    /// Imports an archive, which containerd need not see yet.
    pub fn import(&self, archive: &Path) -> Result<()> {
        let ctr = tools::path("ctr")?.display().to_string();
        let began = Instant::now();
        while self.run(&[&ctr, "-a", SOCKET, "version"]).is_err() {
            ensure!(began.elapsed() < PATIENCE, "containerd does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        let archive = std::fs::canonicalize(archive)?.display().to_string();
        self.run(&[&ctr, "-a", SOCKET, "-n", "k8s.io", "images", "import", &archive]).map(drop)
    }

    /// Runs a command within the node.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        let first = self.first.to_string();
        run(Command::new("nsenter").args(["-t", &first, "-m", "-n", "-p", "-u", "-i", "--"]).args(command))
    }

    pub fn process(&self) -> u32 {
        self.first
    }

    pub fn volumes(&self) -> PathBuf {
        self.folder.join("volumes")
    }

    /// The last lines that its parts have written.
    pub fn log(&self) -> String {
        let mut said = String::new();
        for name in ["node", "containerd", "kubelet", "kube-proxy"] {
            let text = std::fs::read_to_string(self.folder.join(format!("logs/{name}.log"))).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            said += &format!("---- {name}\n{}\n", lines[lines.len().saturating_sub(10)..].join("\n"));
        }
        said
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.unshare.kill();
        // unshare takes process 1 with it, and the kernel everything else; process 1 is gone only when all of it is.
        let began = Instant::now();
        while Path::new("/proc").join(self.first.to_string()).exists() && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The child of `unshare`, which is process 1 in there.
fn first(unshare: &mut Process) -> Result<u32> {
    let children = format!("/proc/{0}/task/{0}/children", unshare.id());
    let began = Instant::now();
    loop {
        let told = std::fs::read_to_string(&children).unwrap_or_default();
        if let Some(child) = told.split_whitespace().next() {
            return child.parse().context("a process has a number");
        }
        if !unshare.is_running() || began.elapsed() > Duration::from_secs(10) {
            bail!("the namespaces of the node are not made: {}", std::fs::read_to_string(unshare.log()).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Settings of containerd with the paths of what it runs.
fn containerd() -> Result<String> {
    let (runc, plugins) = (tools::path("runc")?, tools::folder("ptp")?);
    let text = include_str!("files/containerd.toml").replace("@RUNC@", &runc.display().to_string());
    Ok(text.replace("@PLUGINS@", &plugins.display().to_string()))
}

/// A file with the names and addresses of a cluster.
pub(super) fn filled(template: &str, network: &Network, folder: &Path) -> String {
    let (node, pods, dns, cgroup, folder) = (network.node(), network.pods(), network.dns(), network.cgroup(), folder.display().to_string());
    let values =
        [("@NODE@", &node), ("@PODS@", &pods), ("@DNS@", &dns), ("@CGROUP@", &cgroup), ("@S@", &folder), ("@NAME@", &NODE.to_owned())]
            .map(|(key, value)| (key, value.clone()));
    values.iter().fold(template.to_owned(), |text, (key, value)| text.replace(key, value))
}

/// What process 1 is given.
fn environment(folder: &Path, network: &Network, policies: bool) -> Result<Vec<(String, String)>> {
    let containerd = tools::path("containerd")?;
    // containerd looks for its shim in PATH, kube-proxy for nft, which is where only root looks.
    let shims = containerd.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let path = format!("{shims}:{}:/usr/sbin:/usr/bin:/sbin:/bin", std::env::var("PATH").unwrap_or_default());
    let of = |key: &str, value: String| (key.to_owned(), value);
    Ok(vec![
        of("PATH", path),
        of("S", folder.display().to_string()),
        of("NAME", NODE.to_owned()),
        of("PEER", network.inside()),
        of("NODE", network.node()),
        of("HOST", network.host()),
        of("PODS", network.pods()),
        of("SERVICES", network.services()),
        of("POLICIES", if policies { "yes" } else { "no" }.to_owned()),
        of("CONTAINERD", containerd.display().to_string()),
        of("KUBELET", tools::path("kubelet")?.display().to_string()),
        of("PROXY", tools::path("kube-proxy")?.display().to_string()),
    ])
}
