//! prometheus-operator as a pod, and what it makes.

use std::time::Duration;

use anyhow::{Result, ensure};
use caretaker_e2e::node::{Real, turn};
use caretaker_testkit::cluster::Options;
use serde_json::json;

#[test]
fn prometheus_and_alertmanager_of_the_operator_run() -> Result<()> {
    let _turn = turn();
    let options = Options { monitoring: true, ..Options::default() };
    let Some(cluster) = Real::start("prometheus_and_alertmanager_of_the_operator_run", &options)? else { return Ok(()) };
    cluster.namespace("watch")?;
    let of = |kind: &str| {
        let spec = json!({"replicas": 1, "resources": {"requests": {"memory": "64Mi"}}});
        let metadata = json!({"name": "main", "namespace": "watch"});
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": metadata, "spec": spec})
    };
    let items = [of("Prometheus"), of("Alertmanager")];
    cluster.kubectl().apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())?;
    for (pod, program) in [("prometheus-main-0", "prometheus"), ("alertmanager-main-0", "alertmanager")] {
        cluster.ready("watch", &format!("pod -l statefulset.kubernetes.io/pod-name={pod}"), Duration::from_secs(120))?;
        let said = cluster.logs("watch", pod)?;
        ensure!(said.contains(program), "{said}");
    }
    Ok(())
}
