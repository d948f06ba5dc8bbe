//! The operator as the chart would run it: Helm installs the chart, its Deployment's command, environment and mounts are read from the API, and the binary
//! runs as a process with a token of the chart's ServiceAccount. What the chart's RBAC forbids fails here too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::control_plane::Kubectl;
use crate::process::{Process, free_port, run};
use crate::tools;

/// Namespace of the release.
pub const NAMESPACE: &str = "caretaker-system";
/// Name of the release, and of its Deployment and ServiceAccount.
pub const RELEASE: &str = "caretaker";

/// Longest end of an operator that is asked to: what the chart's `terminationGracePeriodSeconds` gives it. It waits for visits in flight.
pub const ENDS_WITHIN: Duration = Duration::from_secs(40);

/// An installed chart, and what is needed to run its pod as a process.
pub struct Installed {
    kubectl: Kubectl,
    folder: PathBuf,
    binary: PathBuf,
}

/// The operator as a process. Dropping it kills it.
pub struct Operator {
    /// The process.
    pub process: Process,
    /// Address of `/healthz` and `/readyz`.
    pub health: String,
    /// Address of `/metrics`.
    pub metrics: String,
}

/// Installs the chart with Helm.
///
/// # Errors
/// Helm failed; the error holds what it wrote.
pub fn install(kubectl: &Kubectl, folder: &Path, binary: &Path, values: &[String]) -> Result<Installed> {
    helm(kubectl, folder, values, &[])?;
    for crd in [
        "managedclients",
        "cloudaccounts",
        "providerprofiles",
        "handovers",
        "backuppolicies",
        "monitoringstacks",
        "servicereports",
        "incidents",
        "changerequests",
    ] {
        kubectl.wait(&[&format!("crd/{crd}.caretaker.dev")], "condition=Established", Duration::from_secs(30))?;
    }
    std::fs::create_dir_all(folder)?;
    Ok(Installed { kubectl: kubectl.clone(), folder: folder.to_path_buf(), binary: binary.to_path_buf() })
}

/// Installs or upgrades the release with Helm, with further arguments such as `--wait`.
///
/// # Errors
/// Helm failed; the error holds what it wrote.
pub fn helm(kubectl: &Kubectl, folder: &Path, values: &[String], further: &[&str]) -> Result<()> {
    helm_of(&crate::source_root().join("charts/caretaker"), kubectl, folder, values, further)
}

/// The same with a chart of choice.
///
/// # Errors
/// As above.
pub fn helm_of(chart: &Path, kubectl: &Kubectl, folder: &Path, values: &[String], further: &[&str]) -> Result<()> {
    let mut helm = Command::new(tools::path("helm")?);
    helm.args(["upgrade", "--install", RELEASE]).arg(chart).args(["--namespace", NAMESPACE, "--create-namespace", "--kubeconfig"]);
    helm.arg(&kubectl.kubeconfig);
    helm.env("HELM_CACHE_HOME", folder.join("helm"))
        .env("HELM_CONFIG_HOME", folder.join("helm"))
        .env("HELM_DATA_HOME", folder.join("helm"));
    for value in values {
        helm.arg("--set").arg(value);
    }
    run(helm.args(further)).map(drop)
}

impl Installed {
    /// Folder that stands for the pod's volume of a name.
    #[must_use]
    pub fn volume(&self, name: &str) -> PathBuf {
        self.folder.join("volumes").join(name)
    }

    /// Starts the operator under a pod name of its own, with further environment.
    ///
    /// # Errors
    /// The Deployment cannot be read or the process not started.
    pub fn start(&self, pod: &str, extra: &[(&str, &str)]) -> Result<Operator> {
        self.start_after(pod, extra, "")
    }

    /// The same in a mount namespace of its own, after a shell command that prepares it.
    ///
    /// # Errors
    /// As above; a machine that lets nobody make namespaces shows in the process's log.
    pub fn start_after(&self, pod: &str, extra: &[(&str, &str)], prepare: &str) -> Result<Operator> {
        let deployment = self.kubectl.get(&["deployment", RELEASE, "-n", NAMESPACE])?;
        let pod_spec = &deployment["spec"]["template"]["spec"];
        let given = pod_spec["terminationGracePeriodSeconds"].as_u64();
        ensure!(given == Some(ENDS_WITHIN.as_secs()), "the chart gives the pod {given:?} s to end, and the harness {ENDS_WITHIN:?}");
        let container = &pod_spec["containers"][0];
        let mounts = self.mounts(pod_spec, container)?;
        let mut env = self.environment(container, pod)?;
        for value in env.values_mut() {
            for (from, to) in &mounts {
                if value.contains(from.as_str()) {
                    *value = value.replace(from.as_str(), &to.display().to_string());
                }
            }
        }
        let (health, metrics) = (format!("127.0.0.1:{}", free_port()?), format!("127.0.0.1:{}", free_port()?));
        env.insert("CARETAKER_HEALTH_ADDR".into(), health.clone());
        env.insert("CARETAKER_METRICS_ADDR".into(), metrics.clone());
        // Where kwok says that pods are ready there is nobody to ask.
        env.insert("CARETAKER_ASK_MONITORING".into(), "false".into());
        // Where kwok says that pods run, none ever tells what it tried.
        env.insert("CARETAKER_ISOLATION_IMAGE".into(), String::new());
        env.insert("KUBECONFIG".into(), self.token_kubeconfig()?.display().to_string());
        for (key, value) in extra {
            env.insert((*key).to_owned(), (*value).to_owned());
        }
        let command: Vec<&str> =
            container["command"].as_array().context("the container has a command")?.iter().filter_map(Value::as_str).collect();
        let args: Vec<String> = command.iter().skip(1).map(|arg| (*arg).to_owned()).collect();
        let log = self.folder.join(format!("{pod}.log"));
        let env: Vec<(String, String)> = env.into_iter().collect();
        let process = if prepare.is_empty() {
            Process::start("caretaker", &self.binary, &args, &env, &log)?
        } else {
            // The new namespace takes the parent's death signal away; it is set again inside.
            let script = format!("{prepare} && exec setpriv --pdeathsig KILL -- \"$@\"");
            let mut all: Vec<String> = ["-rm", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
            all.push(self.binary.display().to_string());
            all.extend(args);
            Process::start("caretaker", Path::new("unshare"), &all, &env, &log)?
        };
        Ok(Operator { process, health: format!("http://{health}"), metrics: format!("http://{metrics}/metrics") })
    }

    /// The pod's volumes as folders: mount path and folder.
    fn mounts(&self, pod: &Value, container: &Value) -> Result<Vec<(String, PathBuf)>> {
        let mut mounts = Vec::new();
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let name = mount["name"].as_str().unwrap_or_default();
            let volume =
                pod["volumes"].as_array().into_iter().flatten().find(|volume| volume["name"] == name).context("a mount has a volume")?;
            let folder = self.volume(name);
            std::fs::create_dir_all(&folder)?;
            if let Some(kind) = ["configMap", "secret"].iter().find(|kind| volume[**kind].is_object()) {
                bail!("the harness does not know mounts of kind {kind} yet");
            }
            mounts.push((mount["mountPath"].as_str().unwrap_or_default().to_owned(), folder));
        }
        Ok(mounts)
    }

    fn environment(&self, container: &Value, pod: &str) -> Result<BTreeMap<String, String>> {
        let mut env = BTreeMap::new();
        for entry in container["env"].as_array().into_iter().flatten() {
            let name = entry["name"].as_str().context("an environment entry has a name")?;
            let value = match (entry["value"].as_str(), entry["valueFrom"]["fieldRef"]["fieldPath"].as_str()) {
                (Some(value), _) => value.to_owned(),
                (None, Some("metadata.namespace")) => NAMESPACE.to_owned(),
                (None, Some("metadata.name")) => pod.to_owned(),
                _ => bail!("the harness does not know the source of {name}: {entry}"),
            };
            env.insert(name.to_owned(), value);
        }
        Ok(env)
    }

    /// A kubeconfig with a token of the chart's ServiceAccount, good for twelve hours: longer than any run, so that each start uses the same one.
    ///
    /// # Errors
    /// No token is given.
    pub fn token_kubeconfig(&self) -> Result<PathBuf> {
        let path = self.folder.join("operator.kubeconfig");
        if path.exists() {
            return Ok(path);
        }
        let token = self.kubectl.run(&["create", "token", RELEASE, "-n", NAMESPACE, "--duration=12h"])?;
        let admin: Value = serde_json::from_str(&std::fs::read_to_string(&self.kubectl.kubeconfig)?)?;
        let token_file = self.folder.join("token");
        std::fs::write(&token_file, token.trim())?;
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "operator",
            "clusters": admin["clusters"],
            "users": [{"name": "operator", "user": {"tokenFile": token_file}}],
            "contexts": [{"name": "operator", "context": {"cluster": admin["clusters"][0]["name"], "user": "operator"}}],
        });
        std::fs::write(&path, serde_json::to_string_pretty(&config)?)?;
        Ok(path)
    }
}
