//! The operator as people run it: its image in a pod on a real node, installed by Helm, beside an emulated cloud.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use caretaker_aws_shim::Watch;
use caretaker_testkit::cluster::Options;
use caretaker_testkit::emulator::{Cloud, Emulator};
use caretaker_testkit::operator::{self, NAMESPACE};
use caretaker_testkit::process::run;
use serde_json::Value;

use crate::node::Real;
use crate::{Client, provider, runtime};

/// Longest wait for something that a pod does.
const PATIENCE: Duration = Duration::from_secs(180);

/// A cluster with the operator in a pod.
pub struct InPod {
    /// The cluster.
    pub cluster: Real,
    /// Seeds the emulated cloud.
    pub cloud: Cloud,
    /// What is called in the emulated cloud.
    pub watch: Watch,
    /// URL at which pods reach the emulated cloud.
    pub endpoint: String,
    _emulator: Emulator,
}

/// Builds the operator's image as a release does, of the program as the tests have it.
fn image(folder: &Path) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| caretaker_testkit::source_root().join("target"), PathBuf::from);
    let archive = folder.join("caretaker.oci.tar");
    let mut command = Command::new(target.join("debug/tasks"));
    command.args(["image", "--profile", "dev", "--name", "localhost/caretaker:test", "--output"]).arg(&archive);
    run(command.current_dir(caretaker_testkit::source_root()))?;
    Ok(archive)
}

impl InPod {
    /// Starts all of it; `None`, and a note of it, where this machine cannot have a node.
    ///
    /// # Errors
    /// The machine can, and a part does not start.
    pub fn start(test: &str) -> Result<Option<Self>> {
        let Some(in_pod) = Self::prepare(test, &Options { monitoring: true, ..Options::all() })? else { return Ok(None) };
        in_pod.install(&in_pod.values(), &["--wait", "--timeout", "180s"])?;
        in_pod.introduce()?;
        Ok(Some(in_pod))
    }

    /// The same without the operator: its image is known to the node, and its namespace is there.
    ///
    /// # Errors
    /// As above.
    pub fn prepare(test: &str, options: &Options) -> Result<Option<Self>> {
        let Some(cluster) = Real::start(test, options)? else { return Ok(None) };
        let folder = cluster.plane.folder().to_owned();
        cluster.import(&image(&folder)?)?;
        let emulator = Emulator::start(&folder.join("ministack.log"))?;
        let cloud = emulator.cloud.clone();
        let watch = Watch::default();
        let endpoint = runtime().block_on(caretaker_aws_shim::start_at(&cloud.endpoint, watch.clone(), cluster.network.host().parse()?))?;
        cluster.namespace(NAMESPACE)?;
        let restricted = ["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"];
        cluster.kubectl().run(&restricted)?;
        Ok(Some(Self { cluster, cloud, watch, endpoint, _emulator: emulator }))
    }

    /// The chart's values for this cluster. The ways out of the operator's pod are closed but for those that it needs.
    #[must_use]
    pub fn values(&self) -> Vec<String> {
        let port = self.endpoint.rsplit(':').next().unwrap_or_default();
        vec![
            "image.repository=localhost/caretaker".to_owned(),
            "image.tag=test".into(),
            format!("aws.endpointUrl={}", self.endpoint),
            "insecureEndpoints=true".into(),
            "log.format=text".into(),
            "networkPolicy.egress.enabled=true".into(),
            format!("networkPolicy.egress.ports={{443,6443,{port}}}"),
        ]
    }

    /// Installs or upgrades the operator.
    ///
    /// # Errors
    /// Helm failed; the error holds the operator's log.
    pub fn install(&self, values: &[String], further: &[&str]) -> Result<()> {
        operator::helm(&self.cluster.kubectl(), self.cluster.plane.folder(), values, further).with_context(|| self.log())
    }

    /// Makes the provider known.
    ///
    /// # Errors
    /// Its identity is not proved.
    pub fn introduce(&self) -> Result<()> {
        let (documents, _) = provider(&self.cloud, "in-pod")?;
        self.cluster.kubectl().apply(&documents.to_string())?;
        self.condition(&["pprof", "default"], "Ready", "True", "").map(drop)
    }

    /// What the operator has logged, and how the pods are.
    #[must_use]
    pub fn log(&self) -> String {
        let kubectl = self.cluster.kubectl();
        let said = kubectl.run(&["logs", "-n", NAMESPACE, "deployment/caretaker", "--tail=40"]).unwrap_or_else(|error| error.to_string());
        let pods = kubectl.run(&["get", "pods", "-A"]).unwrap_or_default();
        let events = kubectl.run(&["get", "events", "-n", NAMESPACE]).unwrap_or_default();
        format!("{said}\n{pods}\n{events}")
    }

    /// Applies a client, and does the client's part.
    ///
    /// # Errors
    /// There is no kit, or it does not become Ready.
    pub fn onboard(&self, client: &Client, document: &Value) -> Result<()> {
        self.cluster.kubectl().apply(&document.to_string())?;
        self.grant(client)?;
        self.condition(&["mc", &client.name], "Ready", "True", "")?;
        Ok(())
    }

    /// The client applies the grant kit.
    ///
    /// # Errors
    /// There is no kit.
    pub fn grant(&self, client: &Client) -> Result<()> {
        let (kubectl, namespace) = (self.cluster.kubectl(), format!("client-{}", client.name));
        let template = self.until("the grant kit", || {
            let kit = kubectl.get(&["configmap", "prod-grant-kit", "-n", &namespace])?;
            Ok(kit["data"]["caretaker-access.cfn.json"].as_str().context("the kit has a template")?.to_owned())
        })?;
        self.cloud.call(&["apply-kit", &client.account], &template)?;
        kubectl.run(&["annotate", "ca", "prod", "-n", &namespace, "caretaker.dev/requested-at=1"]).map(drop)
    }

    /// Waits for something.
    ///
    /// # Errors
    /// It does not come; the error holds the operator's log.
    pub fn until<T>(&self, what: &str, mut check: impl FnMut() -> Result<T>) -> Result<T> {
        let began = Instant::now();
        loop {
            match check() {
                Ok(found) => return Ok(found),
                Err(error) if began.elapsed() > PATIENCE => return Err(error.context(format!("{what} did not come\n{}", self.log()))),
                Err(_) => std::thread::sleep(Duration::from_millis(500)),
            }
        }
    }

    /// Waits until a condition of an object has a status and reason, and gives its message.
    ///
    /// # Errors
    /// As above.
    pub fn condition(&self, object: &[&str], kind: &str, status: &str, reason: &str) -> Result<String> {
        self.until(&format!("{object:?} {kind}={status} {reason}"), || {
            let found = self.cluster.kubectl().get(object)?;
            let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let condition = conditions.into_iter().find(|condition| condition["type"] == kind).context("no such condition yet")?;
            let is_current = condition["observedGeneration"] == found["metadata"]["generation"];
            if is_current && condition["status"] == status && (reason.is_empty() || condition["reason"] == reason) {
                return Ok(condition["message"].as_str().unwrap_or_default().to_owned());
            }
            bail!("{condition}")
        })
    }
}
