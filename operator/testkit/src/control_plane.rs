//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok and prometheus-operator, as processes: on 127.0.0.1, or where a real node sees them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::certs::Authority;
use crate::process::{Process, free_port, mortal, run};
use crate::tools;

/// Longest wait for a part.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where a control plane is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Address at which the API server listens.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Range of the Services.
    pub services: String,
    /// First address of that range: the API server's own Service.
    pub service: String,
    /// Address of a real node beside it. Without one kwok says that pods are Ready.
    pub node: Option<String>,
}

impl Site {
    /// On 127.0.0.1, without a real node.
    ///
    /// # Errors
    /// There is no free port.
    pub fn local() -> Result<Self> {
        let (address, services, service) = ("127.0.0.1".into(), "10.0.0.0/24".into(), "10.0.0.1".into());
        Ok(Self { address, port: free_port()?, services, service, node: None })
    }
}

/// Name of the one node, real or not.
pub const NODE: &str = "node-1";

/// A running control plane. Dropping it stops everything.
pub struct ControlPlane {
    folder: PathBuf,
    site: Site,
    parts: Vec<Process>,
}

impl ControlPlane {
    /// Starts the control plane with its data and logs in `folder`.
    ///
    /// # Errors
    /// A tool cannot be built, or a part does not come up; the error holds the end of its log.
    pub fn start(folder: &Path) -> Result<Self> {
        let mut plane = Self::start_at(folder, Site::local()?)?;
        plane.start_kwok()?;
        Ok(plane)
    }

    /// Starts it at a place of choice, without anything that makes a pod Ready.
    ///
    /// # Errors
    /// As above.
    pub fn start_at(folder: &Path, site: Site) -> Result<Self> {
        std::fs::create_dir_all(folder.join("logs"))?;
        let authority = Authority::make(folder)?;
        authority.server(&[site.address.clone(), site.service.clone()])?;
        authority.client("admin", "admin", Some("system:masters"))?;
        authority.client("controller-manager", "system:kube-controller-manager", None)?;
        authority.client("scheduler", "system:kube-scheduler", None)?;
        let mut plane = Self { folder: folder.to_path_buf(), site, parts: Vec::new() };
        let mut callers = vec!["admin", "controller-manager", "scheduler"];
        if let Some(address) = &plane.site.node {
            authority.node(NODE, address)?;
            authority.client("kube-proxy", "system:kube-proxy", None)?;
            // With this the API server calls the node: for logs, and to run what `kubectl exec` asks for.
            authority.client("to-node", "kube-apiserver", Some("system:masters"))?;
            callers.extend([NODE, "kube-proxy"]);
        }
        for name in callers {
            plane.write_kubeconfig(name)?;
        }
        let etcd = plane.start_etcd()?;
        plane.start_api_server(&etcd)?;
        plane.start_controllers()?;
        Ok(plane)
    }

    /// Log of a part that is no longer running.
    pub fn ended(&mut self) -> Option<PathBuf> {
        self.parts.iter_mut().find_map(|part| (!part.is_running()).then(|| part.log().to_path_buf()))
    }

    /// Kubeconfig of the administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// Folder with certificates, data and logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// URL of the API server.
    #[must_use]
    pub fn server(&self) -> String {
        format!("https://{}:{}", self.site.address, self.site.port)
    }

    /// Where the API server of a real node writes down the writes of the operator's ServiceAccount, one JSON document a line.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.folder.join("logs/audit.log")
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    fn write_kubeconfig(&self, name: &str) -> Result<()> {
        let text = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "caretaker",
            "clusters": [{"name": "caretaker", "cluster": {"server": self.server(), "certificate-authority": self.file("ca.crt")}}],
            "users": [{"name": name, "user": {
                "client-certificate": self.file(&format!("{name}.crt")), "client-key": self.file(&format!("{name}.key")),
            }}],
            "contexts": [{"name": "caretaker", "context": {"cluster": "caretaker", "user": name}}],
        });
        std::fs::write(self.folder.join(format!("{name}.kubeconfig")), serde_json::to_string_pretty(&text)?)?;
        Ok(())
    }

    fn start_part(&mut self, binary: &str, args: Vec<String>) -> Result<&mut Process> {
        let process = Process::start(binary, &tools::path(binary)?, &args, &[], &self.log(binary))?;
        self.parts.push(process);
        self.parts.last_mut().context("a part was just started")
    }

    fn start_etcd(&mut self) -> Result<String> {
        let (clients, peers) = (format!("http://127.0.0.1:{}", free_port()?), format!("http://127.0.0.1:{}", free_port()?));
        let args = vec![
            format!("--data-dir={}", self.file("etcd")),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=default={peers}"),
            "--unsafe-no-fsync".into(),
            "--log-level=warn".into(),
        ];
        self.start_part("etcd", args)?;
        Ok(clients)
    }

    fn start_api_server(&mut self, etcd: &str) -> Result<()> {
        let Site { address, port, services, .. } = &self.site;
        let mut args = vec![
            format!("--etcd-servers={etcd}"),
            format!("--secure-port={port}"),
            format!("--bind-address={address}"),
            format!("--tls-cert-file={}", self.file("server.crt")),
            format!("--tls-private-key-file={}", self.file("server.key")),
            format!("--client-ca-file={}", self.file("ca.crt")),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", self.file("sa.pub")),
            format!("--service-account-signing-key-file={}", self.file("sa.key")),
            format!("--service-cluster-ip-range={services}"),
            "--authorization-mode=Node,RBAC".into(),
            "--allow-privileged=true".into(),
        ];
        if self.site.node.is_some() {
            args.push(format!("--advertise-address={address}"));
            args.push("--enable-admission-plugins=NodeRestriction".into());
            args.push("--kubelet-preferred-address-types=InternalIP".into());
            args.push(format!("--kubelet-certificate-authority={}", self.file("ca.crt")));
            args.push(format!("--kubelet-client-certificate={}", self.file("to-node.crt")));
            args.push(format!("--kubelet-client-key={}", self.file("to-node.key")));
            std::fs::write(self.folder.join("audit.yaml"), include_str!("cluster/files/audit.yaml"))?;
            args.push(format!("--audit-policy-file={}", self.file("audit.yaml")));
            args.push(format!("--audit-log-path={}", self.audit().display()));
        }
        let probe = Kubectl { kubeconfig: self.kubeconfig() };
        let api = self.start_part("kube-apiserver", args)?;
        api.wait_until("/readyz", PATIENCE, || probe.run(&["get", "--raw", "/readyz"]).is_ok())
    }

    fn start_controllers(&mut self) -> Result<()> {
        let common = |name: &str| {
            let config = self.file(&format!("{name}.kubeconfig"));
            vec![
                format!("--kubeconfig={config}"),
                format!("--authentication-kubeconfig={config}"),
                format!("--authorization-kubeconfig={config}"),
                "--leader-elect=false".to_owned(),
                "--bind-address=127.0.0.1".to_owned(),
            ]
        };
        let mut manager = common("controller-manager");
        manager.push(format!("--secure-port={}", free_port()?));
        manager.push(format!("--service-account-private-key-file={}", self.file("sa.key")));
        manager.push(format!("--root-ca-file={}", self.file("ca.crt")));
        manager.push("--use-service-account-credentials=true".into());
        let mut scheduler = common("scheduler");
        scheduler.push(format!("--secure-port={}", free_port()?));
        self.start_part("kube-scheduler", scheduler)?;
        let probe = Kubectl { kubeconfig: self.kubeconfig() };
        let manager = self.start_part("kube-controller-manager", manager)?;
        manager.wait_until("the default ServiceAccount", PATIENCE, || probe.run(&["get", "serviceaccount", "default"]).is_ok())
    }

    fn start_kwok(&mut self) -> Result<()> {
        let assets = tools::assets("kwok")?;
        let mut stages = Vec::new();
        for number in 1..=5 {
            stages.push(std::fs::read_to_string(assets.join(format!("stage-{number}.yaml")))?);
        }
        std::fs::write(self.folder.join("stages.yaml"), stages.join("\n---\n"))?;
        let args = vec![
            format!("--kubeconfig={}", self.kubeconfig().display()),
            "--manage-all-nodes".into(),
            "--node-lease-duration-seconds=40".into(),
            format!("--config={}", self.file("stages.yaml")),
        ];
        self.start_part("kwok", args)?;
        let node = serde_json::json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": {"kubernetes.io/os": "linux"}},
            "status": {"allocatable": {"cpu": "64", "memory": "256Gi", "pods": "2000"}, "capacity": {"cpu": "64", "memory": "256Gi", "pods": "2000"}},
        });
        self.kubectl().apply(&node.to_string())?;
        Ok(())
    }

    /// Installs prometheus-operator's definitions.
    ///
    /// # Errors
    /// A definition is refused.
    pub fn install_prometheus_definitions(&self) -> Result<()> {
        let crds = tools::assets("prometheus-operator")?.join("crds");
        // Larger than what client-side apply can keep in an annotation.
        self.kubectl().run(&["apply", "--server-side", "-f", &crds.display().to_string()])?;
        // prometheus-operator looks once, at its start, for the kinds that are served; what is not yet there it leaves alone for ever.
        self.kubectl().run(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"])?;
        Ok(())
    }

    /// Installs prometheus-operator's definitions and starts it.
    ///
    /// # Errors
    /// A definition is refused, or the process does not come up.
    pub fn start_prometheus_operator(&mut self) -> Result<()> {
        self.install_prometheus_definitions()?;
        let args = vec![
            format!("-apiserver={}", self.server()),
            format!("-cert-file={}", self.file("admin.crt")),
            format!("-key-file={}", self.file("admin.key")),
            format!("-ca-file={}", self.file("ca.crt")),
            format!("-web.listen-address=127.0.0.1:{}", free_port()?),
        ];
        self.start_part("prometheus-operator", args)?;
        Ok(())
    }

    /// kubectl as the administrator.
    #[must_use]
    pub fn kubectl(&self) -> Kubectl {
        Kubectl { kubeconfig: self.kubeconfig() }
    }
}

/// kubectl with a kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    /// The kubeconfig.
    pub kubeconfig: PathBuf,
}

impl Kubectl {
    /// Runs kubectl to its end.
    ///
    /// # Errors
    /// It failed; the error holds what it wrote.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        run(mortal(tools::path("kubectl")?).arg("--kubeconfig").arg(&self.kubeconfig).args(args))
    }

    /// Applies documents.
    ///
    /// # Errors
    /// They were refused.
    pub fn apply(&self, documents: &str) -> Result<String> {
        let mut file = tempfile::NamedTempFile::new()?;
        std::io::Write::write_all(&mut file, documents.as_bytes())?;
        self.run(&["apply", "-f", &file.path().display().to_string()])
    }

    /// Waits for a condition, also of an object that is not there yet.
    ///
    /// # Errors
    /// It did not come in time.
    pub fn wait(&self, what: &[&str], condition: &str, within: Duration) -> Result<String> {
        let began = std::time::Instant::now();
        let condition = format!("--for={condition}");
        loop {
            let left = within.saturating_sub(began.elapsed()).as_secs().max(1);
            let timeout = format!("--timeout={left}s");
            match self.run(&[&["wait", &timeout, &condition], what].concat()) {
                Err(error) if error.to_string().contains("NotFound") && began.elapsed() < within => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                other => return other,
            }
        }
    }

    /// One object as JSON.
    ///
    /// # Errors
    /// It is not there.
    pub fn get(&self, what: &[&str]) -> Result<serde_json::Value> {
        if let Some(found) = crate::read::object(&self.kubeconfig, what)? {
            return Ok(found);
        }
        let text = self.run(&[&["get", "-o", "json"], what].concat())?;
        Ok(serde_json::from_str(&text)?)
    }
}
