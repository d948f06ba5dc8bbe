//! Flux and Argo CD as processes beside a control plane, as their users have them: with the rights of an administrator, at their own defaults but for waits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::control_plane::Kubectl;
use crate::process::{Process, free_port};
use crate::tools;

/// Longest wait for a part.
const PATIENCE: Duration = Duration::from_secs(60);

/// Processes of one tool, with their folder.
struct Parts {
    kubectl: Kubectl,
    folder: PathBuf,
    running: Vec<Process>,
}

impl Parts {
    fn start(&mut self, binary: &str, name: &str, args: &[String], env: &[(&str, String)]) -> Result<()> {
        let mut env: Vec<(String, String)> = env.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        env.push(("KUBECONFIG".into(), self.kubectl.kubeconfig.display().to_string()));
        env.push(("HOME".into(), self.folder.display().to_string()));
        self.running.push(Process::start(name, &tools::path(binary)?, args, &env, &self.folder.join(format!("{name}.log")))?);
        Ok(())
    }

    /// Starts a part of Argo CD, which is one binary that asks its environment what it is.
    fn argo_cd(&mut self, name: &str, args: &[String]) -> Result<()> {
        let folder = |part: &str| -> Result<String> {
            let folder = self.folder.join(part);
            std::fs::create_dir_all(&folder)?;
            Ok(folder.display().to_string())
        };
        let tools = [tools::folder("helm")?, tools::folder("kustomize")?];
        let path = std::env::join_paths(tools.into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())))?;
        let env = [
            ("ARGOCD_BINARY_NAME", name.to_owned()),
            // The cluster beside which it runs is reached by the kubeconfig; it is no pod.
            ("ARGOCD_FAKE_IN_CLUSTER", "true".to_owned()),
            ("ARGOCD_GPG_ENABLED", "false".to_owned()),
            ("ARGOCD_TLS_DATA_PATH", folder("tls")?),
            ("ARGOCD_SSH_DATA_PATH", folder("ssh")?),
            ("ARGOCD_PLUGINSOCKFILEPATH", folder("plugins")?),
            ("TMPDIR", folder("temporary")?),
            ("PATH", path.to_string_lossy().into_owned()),
        ];
        self.start("argocd", name, args, &env)
    }

    /// Waits until the last part listens.
    fn listens(&mut self, port: u16) -> Result<()> {
        let part = self.running.last_mut().context("a part was just started")?;
        part.wait_until("its port", PATIENCE, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
    }
}

fn parts(kubectl: &Kubectl, folder: &Path, namespace: &str, definitions: &[&str]) -> Result<Parts> {
    std::fs::create_dir_all(folder)?;
    for binary in definitions {
        for entry in std::fs::read_dir(tools::assets(binary)?.join("crds"))? {
            let file = entry?.path();
            // It lists the files beside it, and is no object.
            if !file.ends_with("kustomization.yaml") {
                kubectl.run(&["apply", "--server-side", "-f", &file.display().to_string()])?;
            }
        }
    }
    kubectl.run(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?;
    kubectl.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}).to_string())?;
    Ok(Parts { kubectl: kubectl.clone(), folder: folder.to_path_buf(), running: Vec::new() })
}

/// Flux: its source-controller and its kustomize-controller. Dropping it stops them.
pub struct Flux(Parts);

impl Flux {
    /// Installs the definitions and starts the controllers, with data and logs in a folder.
    ///
    /// # Errors
    /// A tool cannot be built, or a part does not come up.
    pub fn start(kubectl: &Kubectl, folder: &Path) -> Result<Self> {
        let mut parts = parts(kubectl, folder, "flux-system", &["source-controller", "kustomize-controller"])?;
        let port = free_port()?;
        let artifacts = parts.folder.join("artifacts");
        std::fs::create_dir_all(&artifacts)?;
        let common = || vec!["--metrics-addr=0".to_owned(), "--health-addr=0".to_owned(), "--log-encoding=console".to_owned()];
        let mut args = common();
        args.push(format!("--storage-path={}", artifacts.display()));
        args.push(format!("--storage-addr=127.0.0.1:{port}"));
        args.push(format!("--storage-adv-addr=127.0.0.1:{port}"));
        let namespace = || [("RUNTIME_NAMESPACE", "flux-system".to_owned())];
        parts.start("source-controller", "source-controller", &args, &namespace())?;
        parts.listens(port)?;
        parts.start("kustomize-controller", "kustomize-controller", &common(), &namespace())?;
        Ok(Self(parts))
    }

    /// What a controller wrote last.
    #[must_use]
    pub fn log(&self, part: &str) -> String {
        crate::process::tail(&self.0.folder.join(format!("{part}.log")), 30)
    }
}

/// Argo CD without its web page: application controller, controller of application sets, repository server and cache. Dropping it stops them.
pub struct ArgoCd(Parts);

impl ArgoCd {
    /// Installs definitions and settings and starts the parts, with data and logs in a folder.
    ///
    /// # Errors
    /// A tool cannot be built, or a part does not come up.
    pub fn start(kubectl: &Kubectl, folder: &Path) -> Result<Self> {
        let mut parts = parts(kubectl, folder, "argocd", &["argocd"])?;
        kubectl.apply(&settings().to_string())?;
        let (redis_port, repository) = (free_port()?, free_port()?);
        let redis = format!("127.0.0.1:{redis_port}");
        parts.start("miniredis", "redis", std::slice::from_ref(&redis), &[])?;
        parts.listens(redis_port)?;
        let own = [
            "--address=127.0.0.1".to_owned(),
            "--metrics-address=127.0.0.1".to_owned(),
            "--disable-tls".to_owned(),
            format!("--port={repository}"),
            format!("--metrics-port={}", free_port()?),
            format!("--redis={redis}"),
        ];
        parts.argo_cd("argocd-repo-server", &own)?;
        parts.listens(repository)?;
        let common = ["--namespace=argocd".to_owned(), "--repo-server-plaintext".to_owned()];
        let own = [format!("--repo-server=127.0.0.1:{repository}"), format!("--redis={redis}"), format!("--metrics-port={}", free_port()?)];
        parts.argo_cd("argocd-application-controller", &[&common[..], &own].concat())?;
        let own = [
            format!("--argocd-repo-server=127.0.0.1:{repository}"),
            "--metrics-addr=0".to_owned(),
            "--probe-addr=0".to_owned(),
            format!("--webhook-addr=127.0.0.1:{}", free_port()?),
        ];
        parts.argo_cd("argocd-applicationset-controller", &[&common[..], &own].concat())?;
        Ok(Self(parts))
    }

    /// What a part wrote last.
    #[must_use]
    pub fn log(&self, part: &str) -> String {
        crate::process::tail(&self.0.folder.join(format!("{part}.log")), 30)
    }
}

/// What Argo CD's own manifests bring besides definitions and processes.
fn settings() -> serde_json::Value {
    let labels = json!({"app.kubernetes.io/part-of": "argocd"});
    let named = |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "argocd", "labels": labels}});
    let anything = json!([{"group": "*", "kind": "*"}]);
    let mut secret = named("Secret", "argocd-secret");
    // Made by the web server where there is one; nothing is signed with it here.
    secret["stringData"] = json!({"server.secretkey": "nobody-signs-in"});
    json!({"apiVersion": "v1", "kind": "List", "items": [
        named("ConfigMap", "argocd-cm"),
        named("ConfigMap", "argocd-rbac-cm"),
        secret,
        {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "default", "namespace": "argocd"},
            "spec": {"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}], "clusterResourceWhitelist": anything},
        },
    ]})
}
