//! A cluster whose pods really run: a control plane, and beside it a node of containerd, runc, kubelet and kube-proxy in namespaces of its own, with DNS,
//! enforced NetworkPolicies, volumes, and prometheus-operator as a pod, as far as a test asks for them.
//!
//! The machine has one end of a pair of interfaces and the node the other; the node has no default route, so no packet leaves the machine. Several run
//! side by side. Everything ends with the process that started it, and what a crash leaves is removed by the next start.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use caretaker_testkit::cluster::{Cluster, Options, image::Image, probe};
//!
//! # fn main() -> anyhow::Result<()> {
//! let folder = tempfile::tempdir()?;
//! if let Err(reason) = probe::probe(folder.path()) {
//!     // `caretaker_e2e::skip` notes it for the end of the run.
//!     println!("skipped: {reason}");
//!     return Ok(());
//! }
//! let receiver = Image::of("localhost/receiver:1", "target/debug/receiver".as_ref())?;
//! let cluster = Cluster::start(folder.path(), &Options { monitoring: true, images: vec![receiver], ..Options::all() })?;
//! cluster.namespace("desk")?;
//! cluster.run("desk", "receiver", "localhost/receiver:1", &[])?;
//! cluster.ready("desk", "pod/receiver", Duration::from_secs(30))?;
//! println!("{}", cluster.logs("desk", "receiver")?);
//! println!("{}", cluster.exec("desk", "receiver", &["/bin/receiver", "--version"])?);
//! // What the test itself serves at this address, pods can call.
//! let server = std::net::TcpListener::bind((cluster.network.host(), 0))?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```

pub mod image;
pub mod network;
mod node;
mod pods;
pub mod probe;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use self::image::Image;
use self::network::Network;
use self::node::Node;
use crate::control_plane::{ControlPlane, Kubectl, Site};

/// Longest wait for a part.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a cluster has. Each costs time and memory: ask for what a test uses.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// CoreDNS: names of Services resolve. No name outside the cluster does.
    pub dns: bool,
    /// NetworkPolicies are enforced.
    pub policies: bool,
    /// As many volumes, of the class `standard`, which claims get by default.
    pub volumes: u8,
    /// prometheus-operator with its definitions, and images of Prometheus, Alertmanager and the reloader under the names that it gives to its pods.
    pub monitoring: bool,
    /// Further images. busybox is always there, as [`BUSYBOX`].
    pub images: Vec<Image>,
}

impl Options {
    /// DNS, policies and four volumes.
    #[must_use]
    pub fn all() -> Self {
        Self { dns: true, policies: true, volumes: 4, ..Self::default() }
    }
}

/// Image with a shell.
pub const BUSYBOX: &str = "localhost/busybox:1";

/// A running cluster. Dropping it stops everything, and leaves nothing but its folder.
// Fields are dropped in this order: the addresses last.
pub struct Cluster {
    node: Node,
    /// The control plane.
    pub plane: ControlPlane,
    /// Its addresses.
    pub network: Network,
}

impl Cluster {
    /// Starts it with its data and logs in a folder; returns when the node is Ready and what was asked for runs.
    ///
    /// # Errors
    /// A tool cannot be built, or a part does not come up; the error holds the end of its log. A machine that cannot have a node is told by
    /// [`probe::probe`] beforehand.
    pub fn start(folder: &Path, options: &Options) -> Result<Self> {
        let network = Network::claim()?;
        let mut node = Node::start(folder, &network, options.policies)?;
        // containerd takes the images while the API server starts.
        let (plane, images) = std::thread::scope(|scope| {
            let plane = scope.spawn(|| ControlPlane::start_at(folder, site(&network)));
            let images = import(&node, folder, options);
            (plane.join().map_err(|_| anyhow!("the start of the control plane panicked")), images)
        });
        let plane = plane??;
        images?;
        node.join()?;
        let cluster = Self { node, plane, network };
        cluster.settle(options).with_context(|| cluster.node.log())?;
        Ok(cluster)
    }

    fn settle(&self, options: &Options) -> Result<()> {
        self.ready_node()?;
        if options.policies {
            self.apply(include_str!("cluster/files/policies.yaml"))?;
        }
        if options.dns {
            self.apply(include_str!("cluster/files/dns.yaml"))?;
        }
        for number in 0..options.volumes {
            self.volume(number)?;
        }
        if options.monitoring {
            self.start_prometheus_operator()?;
        }
        let kubectl = self.kubectl();
        let rolled = |kind: &str| kubectl.run(&["rollout", "status", kind, "-n", "kube-system", "--timeout=120s"]).map(drop);
        if options.policies {
            rolled("daemonset/kube-network-policies")?;
        }
        if options.dns {
            rolled("deployment/coredns")?;
        }
        if options.monitoring {
            kubectl.run(&["rollout", "status", "deployment/prometheus-operator", "--timeout=120s"])?;
        }
        Ok(())
    }

    fn ready_node(&self) -> Result<()> {
        self.kubectl().wait(&[&format!("node/{}", crate::control_plane::NODE)], "condition=Ready", PATIENCE)?;
        Ok(())
    }

    /// kubectl as the administrator.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        self.plane.kubectl()
    }

    /// Makes an image known to the node.
    ///
    /// # Errors
    /// The archive cannot be made or imported.
    pub fn add(&self, image: &Image) -> Result<()> {
        self.node.add(image)
    }

    /// Imports an OCI archive.
    ///
    /// # Errors
    /// containerd refuses it.
    pub fn import(&self, archive: &Path) -> Result<()> {
        self.node.import(archive)
    }

    /// Runs a command within the namespaces of the node, as root, and gives what it says.
    ///
    /// # Errors
    /// It failed.
    pub fn on_node(&self, command: &[&str]) -> Result<String> {
        self.node.run(command)
    }

    /// Process 1 of the node, as the machine numbers it.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.node.process()
    }

    /// Folder on the machine that holds the data of the volumes `volume-0` and so on.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.node.volumes()
    }

    fn apply(&self, template: &str) -> Result<()> {
        self.kubectl().apply(&node::filled(template, &self.network, self.plane.folder())).map(drop)
    }
}

/// Where the control plane is for the node to see it. The address is the cluster's own, so the port can be the usual one.
fn site(network: &Network) -> Site {
    Site { address: network.host(), port: 6443, services: network.services(), service: network.service(), node: Some(network.node()) }
}

/// Imports what the options ask for.
fn import(node: &Node, folder: &Path, options: &Options) -> Result<()> {
    let mut images = vec![Image::pause(folder)?, Image::busybox()?];
    if options.dns {
        images.push(Image::of_tool("localhost/coredns:1", "coredns")?);
    }
    if options.policies {
        images.push(Image::of_tool("localhost/kube-network-policies:1", "kube-network-policies")?);
    }
    if options.monitoring {
        images.extend(pods::monitoring_images()?);
    }
    images.iter().chain(&options.images).try_for_each(|image| node.add(image))
}
