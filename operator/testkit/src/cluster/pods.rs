//! What a test does with pods.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::image::Image;
use super::{Cluster, PATIENCE};
use crate::control_plane::NODE;
use crate::tools;

/// Version of Prometheus that prometheus-operator 0.85.0 asks for where an object names none.
/// Source: <https://github.com/prometheus-operator/prometheus-operator/blob/v0.85.0/pkg/operator/defaults.go>
const PROMETHEUS: &str = "localhost/prometheus:v3.5.0";
/// The same of Alertmanager.
const ALERTMANAGER: &str = "localhost/alertmanager:v0.28.1";
const RELOADER: &str = "localhost/prometheus-config-reloader:1";
const OPERATOR: &str = "localhost/prometheus-operator:1";

/// Images of prometheus-operator and of what it starts.
pub(super) fn monitoring_images() -> Result<Vec<Image>> {
    let named = [
        (OPERATOR, "prometheus-operator"),
        (RELOADER, "prometheus-config-reloader"),
        (PROMETHEUS, "prometheus"),
        (ALERTMANAGER, "alertmanager"),
    ];
    named.iter().map(|(name, binary)| Image::of_tool(name, binary)).collect()
}

impl Cluster {
    /// Makes a namespace and waits until pods can be made in it.
    ///
    /// # Errors
    /// It is there already.
    pub fn namespace(&self, name: &str) -> Result<()> {
        let kubectl = self.kubectl();
        kubectl.run(&["create", "namespace", name])?;
        kubectl.wait(&["serviceaccount/default", "-n", name], "create", PATIENCE)?;
        Ok(())
    }

    /// Makes a pod of one container with the label `app` of its name, and waits until it is Ready. Without arguments it runs what the image says.
    ///
    /// # Errors
    /// It does not become Ready; the error holds what is known of it.
    pub fn run(&self, namespace: &str, name: &str, image: &str, args: &[&str]) -> Result<()> {
        self.run_pod(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false,
                "containers": [{"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "args": args}],
            },
        }))
    }

    /// Makes a pod and waits until it is Ready.
    ///
    /// # Errors
    /// As above.
    pub fn run_pod(&self, pod: &Value) -> Result<()> {
        let text = |key: &str| pod["metadata"][key].as_str().with_context(|| format!("a pod has a {key}"));
        self.kubectl().apply(&pod.to_string())?;
        self.ready(text("namespace")?, &format!("pod/{}", text("name")?), PATIENCE)
    }

    /// Waits until something is Ready: `pod/NAME`, or all of `pod -l LABEL`.
    ///
    /// # Errors
    /// It is not in time; the error holds the pods and events of the namespace.
    pub fn ready(&self, namespace: &str, what: &str, within: Duration) -> Result<()> {
        let kubectl = self.kubectl();
        let what: Vec<&str> = what.split(' ').chain(["-n", namespace]).collect();
        let began = Instant::now();
        // A label means nothing as long as no pod has it.
        while what.contains(&"-l") && kubectl.run(&[&["get", "-o", "name"], &what[..]].concat())?.trim().is_empty() {
            ensure!(began.elapsed() < within, "there is no {}", what.join(" "));
            std::thread::sleep(Duration::from_millis(200));
        }
        let left = within.saturating_sub(began.elapsed());
        kubectl.wait(&what, "condition=Ready", left).map(drop).with_context(|| self.told(namespace))
    }

    /// Pods and events of a namespace.
    #[must_use]
    pub fn told(&self, namespace: &str) -> String {
        let kubectl = self.kubectl();
        let pods = kubectl.run(&["get", "pods", "-o", "wide", "-n", namespace]).unwrap_or_default();
        let events = kubectl.run(&["get", "events", "-n", namespace, "--sort-by=.lastTimestamp"]).unwrap_or_default();
        format!("{pods}\n{events}")
    }

    /// Runs a command in the first container of a pod and gives what it says.
    ///
    /// # Errors
    /// It failed; the error holds what it wrote.
    pub fn exec(&self, namespace: &str, pod: &str, command: &[&str]) -> Result<String> {
        self.kubectl().run(&[&["exec", "-n", namespace, pod, "--"], command].concat())
    }

    /// What the containers of a pod have written.
    ///
    /// # Errors
    /// The pod is not there, or has not started.
    pub fn logs(&self, namespace: &str, pod: &str) -> Result<String> {
        self.kubectl().run(&["logs", "-n", namespace, pod, "--all-containers", "--tail=-1"])
    }

    /// Address of a pod, which the machine reaches too.
    ///
    /// # Errors
    /// It has none yet.
    pub fn address(&self, namespace: &str, pod: &str) -> Result<String> {
        let found = self.kubectl().run(&["get", "pod", pod, "-n", namespace, "-o", "jsonpath={.status.podIP}"])?;
        ensure!(!found.is_empty(), "{pod} has no address yet");
        Ok(found)
    }

    /// Makes a volume of a folder of the node, and with the first one the class of them.
    pub(super) fn volume(&self, number: u8) -> Result<()> {
        std::fs::create_dir_all(self.volumes().join(number.to_string()))?;
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer",
        });
        let of_node = json!([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}]}]);
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("volume-{number}")},
            "spec": {
                "capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
                "persistentVolumeReclaimPolicy": "Retain", "local": {"path": format!("/var/lib/volumes/{number}")},
                "nodeAffinity": {"required": {"nodeSelectorTerms": of_node}},
            },
        });
        let items = if number == 0 { json!([class, volume]) } else { json!([volume]) };
        self.kubectl().apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).map(drop)
    }

    /// Starts prometheus-operator as its own manifest does, from images of ours.
    pub(super) fn start_prometheus_operator(&self) -> Result<()> {
        self.plane.install_prometheus_definitions()?;
        let bundle = std::fs::read_to_string(tools::assets("prometheus-operator")?.join("bundle.yaml"))?;
        let documents = bundle.split("\n---\n").filter(|document| !document.contains("\nkind: CustomResourceDefinition\n"));
        self.kubectl().apply(&documents.map(of_ours).collect::<Vec<_>>().join("\n---\n")).map(drop)
    }
}

/// A manifest of prometheus-operator that names our images, also for the pods that it makes.
fn of_ours(document: &str) -> String {
    let line = |line: &str| {
        let indent = &line[..line.len() - line.trim_start().len()];
        match line.trim_start() {
            text if text.starts_with("image:") => format!("{indent}image: {OPERATOR}"),
            text if text.starts_with("- --prometheus-config-reloader=") => {
                let base = |image: &'static str| image.split_once(':').map_or(image, |(base, _)| base);
                format!(
                    "{indent}- --prometheus-config-reloader={RELOADER}\n{indent}- --prometheus-default-base-image={}\n\
                     {indent}- --alertmanager-default-base-image={}",
                    base(PROMETHEUS),
                    base(ALERTMANAGER)
                )
            }
            _ => line.to_owned(),
        }
    };
    document.lines().map(line).collect::<Vec<_>>().join("\n")
}
