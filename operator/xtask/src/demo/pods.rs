//! The part of the demo that needs pods that run: the operator from its image, a page that arrives, and the isolation test.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use caretaker_testkit::cluster::Cluster;
use caretaker_testkit::operator::{self, NAMESPACE};
use serde_json::{Value, json};

use super::PATIENCE;
use super::stage::Stage;
use crate::clouds::Clouds;
use crate::image::{self, Profile};
use crate::world::Progress;

/// Name of the image on the node.
const REPOSITORY: &str = "localhost/caretaker";
/// Where the pod has the simulators' certificate authority.
const AUTHORITY: &str = "/clouds-ca/ca.pem";
/// Name of the alert that stands in for an outage.
const ALERT: &str = "DemoOutage";

/// Builds the operator's image, and installs the chart so that its pod runs it.
pub(super) fn install(progress: &Progress, cluster: &Cluster, clouds: &Clouds, folder: &Path) -> Result<()> {
    let archive = folder.join("caretaker.oci.tar");
    image::to(&archive, Profile::Dev, &format!("{REPOSITORY}:demo"), progress)?;
    progress.say("importing the image into the node");
    cluster.import(&archive)?;
    cluster.namespace(NAMESPACE)?;
    let kubectl = cluster.kubectl();
    kubectl.run(&["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"])?;
    let environment = clouds.environment();
    let authority = environment.iter().find(|(name, _)| name == "CARETAKER_CA_BUNDLE").context("the simulators have a CA")?;
    let authority = std::fs::read_to_string(&authority.1)?;
    let metadata = json!({"name": "clouds-ca", "namespace": NAMESPACE});
    kubectl.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.pem": authority}}).to_string())?;
    progress.say("installing the chart: helm install --wait, the operator is a pod under PodSecurity restricted");
    let values = folder.join("values.json");
    std::fs::write(&values, values_of(clouds, &environment)?.to_string())?;
    operator::helm(&kubectl, folder, &[], &["-f", &values.display().to_string(), "--wait", "--timeout", "180s"])
}

/// Values of the chart, as a provider with a private certificate authority would give them.
fn values_of(clouds: &Clouds, environment: &[(String, String)]) -> Result<Value> {
    let variable = |(name, value): &(String, String)| {
        let value = if name == "CARETAKER_CA_BUNDLE" { AUTHORITY } else { value };
        json!({"name": name, "value": value})
    };
    Ok(json!({
        "image": {"repository": REPOSITORY, "tag": "demo"},
        "aws": {"endpointUrl": clouds.told["aws"]["endpoint"].as_str().context("the shim has an address")?},
        "insecureEndpoints": true,
        "log": {"format": "text"},
        "env": environment.iter().map(variable).collect::<Vec<_>>(),
        "volumes": [{"name": "clouds-ca", "configMap": {"name": "clouds-ca"}}],
        "volumeMounts": [{"name": "clouds-ca", "mountPath": "/clouds-ca", "readOnly": true}],
    }))
}

/// Folder of the operator's volume.
pub(super) fn store(cluster: &Cluster) -> Result<PathBuf> {
    let claim = cluster.kubectl().get(&["pvc", "caretaker-store", "-n", NAMESPACE])?;
    let volume = claim["spec"]["volumeName"].as_str().and_then(|name| name.strip_prefix("volume-")).context("the claim is bound")?;
    Ok(cluster.volumes().join(volume))
}

/// Pods that run, a page that arrives, and the isolation test.
pub(super) fn show(progress: &Progress, stage: &Stage) -> Result<()> {
    progress.say("the client's monitoring runs: kubectl get pods -n client-acme");
    print!("{}", stage.kubectl.run(&["get", "pods", "-n", "client-acme"])?);
    progress.say(format!("a rule that fires at once, {ALERT}, stands in for an outage, whose rules wait five minutes"));
    let labels = json!({"caretaker.dev/owner-kind": "monitoringstack", "caretaker.dev/owner-name": "main"});
    let rule = json!({"alert": ALERT, "expr": "vector(1)", "labels": {"tier": "tier-1"}});
    stage.kubectl.apply(
        &json!({
            "apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
            "metadata": {"name": "demo-outage", "namespace": "client-acme", "labels": labels},
            "spec": {"groups": [{"name": "demo", "rules": [rule]}]},
        })
        .to_string(),
    )?;
    let began = Instant::now();
    while !stage.receiver.alerts("/tier-1").iter().any(|alert| alert == ALERT) {
        ensure!(began.elapsed() < PATIENCE, "the page did not arrive at {}/tier-1", stage.receiver.url);
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let seconds = began.elapsed().as_secs();
    progress.say(format!("its page has arrived at the receiver of tier-1, {seconds} s after the rule"));
    stage.kubectl.run(&["delete", "prometheusrule", "demo-outage", "-n", "client-acme"])?;
    progress.say("can a pod of the client get out of its namespace? kubectl caretaker isolation acme --run");
    stage.plugin(&["isolation", "acme", "--run"])?;
    let isolated = stage.kubectl.run(&["get", "mc", "acme", "-o", "jsonpath={.status.conditions[?(@.type==\"Isolated\")].status}"])?;
    ensure!(isolated == "True", "the isolation test did not find everything closed");
    Ok(())
}
