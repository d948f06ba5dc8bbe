//! A control plane of its own for each half, so that neither works on what the other left.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use caretaker_e2e::bench;
use caretaker_testkit::control_plane::ControlPlane;
use caretaker_testkit::operator::{self, Installed, Operator};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// Longest wait for the provider.
const PATIENCE: Duration = Duration::from_secs(60);

/// A control plane with the chart installed, and the administrator's client.
pub struct Plane {
    /// The administrator's client.
    pub client: Client,
    plane: ControlPlane,
    installed: Installed,
}

impl Plane {
    /// Starts it with prometheus-operator: a stack is Ready when its pods are.
    pub async fn start(folder: &Path, binary: &Path) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        let mut plane = ControlPlane::start(&folder.join("control-plane"))?;
        plane.start_prometheus_operator()?;
        let values = ["log.format=text".to_owned(), "log.level=info".to_owned()];
        let installed = operator::install(&plane.kubectl(), &folder.join("operator"), binary, &values)?;
        let mut config = Config::from_custom_kubeconfig(Kubeconfig::read_from(plane.kubeconfig())?, &KubeConfigOptions::default()).await?;
        config.default_retry = false;
        Ok(Self { client: Client::try_from(config)?, plane, installed })
    }

    /// Starts the operator and waits until it has proved its own identity.
    pub async fn start_operator(&mut self, clients: usize) -> Result<Operator> {
        self.plane.kubectl().apply(&bench::provider().to_string())?;
        let operator = self.installed.start("caretaker-0", &[(bench::CLIENTS, &clients.to_string())])?;
        let log = operator.process.log().to_owned();
        self.plane
            .kubectl()
            .wait(&["pprof/default"], "condition=Ready", PATIENCE)
            .with_context(|| format!("the operator did not start:\n{}", caretaker_testkit::process::tail(&log, 15)))?;
        Ok(operator)
    }
}
