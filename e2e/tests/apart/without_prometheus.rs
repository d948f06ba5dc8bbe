//! A cluster without the prometheus-operator's definitions: that is said, with the cure, and everything else works on.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use caretaker_e2e::{Client, Lab, PATIENCE};

#[test]
fn without_its_definitions_monitoring_says_so_and_the_rest_works() -> Result<()> {
    let mut lab = Lab::alone("without-prometheus", false)?;
    lab.start(&[])?;
    let client = Client::new("bare", "200000000301", "eu-west-1");
    lab.cloud.call(&["instances", &client.account, "eu-west-1", "2"], "")?;
    lab.kubectl.apply(&client.document().to_string())?;
    lab.grant(&client)?;
    let message = lab.condition(&["ms", "main", "-n", "client-bare"], "MonitoringReady", "False", "PrometheusOperatorMissing")?;
    ensure!(message.contains("helm ") || message.contains("kubectl "), "the message must name the command: {message}");
    lab.condition(&["mc", "bare"], "MonitoringReady", "False", "PrometheusOperatorMissing")?;
    for (kind, name, condition) in [("ca", "prod", "InventoryComplete"), ("bp", "main", "BackupsReady")] {
        lab.condition(&[kind, name, "-n", "client-bare"], condition, "True", "")?;
    }
    lab.condition(&["mc", "bare"], "NamespaceReady", "True", "")?;
    // A rehearsal works without them too.
    lab.plugin(&["exit", "bare", "--wait"])?;
    let process = lab.with_operator(|operator| operator.process.id());
    // Its definitions alone make no pod.
    lab.plane().install_prometheus_definitions()?;
    lab.until("the word about the prometheus-operator", || {
        let message = lab.condition(&["ms", "main", "-n", "client-bare"], "MonitoringReady", "False", "PodsNotReady")?;
        ensure!(message.contains("the prometheus-operator has not taken up the object Prometheus"), "{message}");
        Ok(())
    })?;
    lab.plane_mut().start_prometheus_operator()?;
    lab.kubectl.wait(&["mc/bare"], "condition=Ready", PATIENCE)?;
    removed_while_all_runs(&mut lab)?;
    ensure!(lab.with_operator(|operator| operator.process.id()) == process, "a restart was needed");
    Ok(())
}

/// Its definitions go, and all that was made of them: that is told at once, others do not wait, and with them all comes back.
fn removed_while_all_runs(lab: &mut Lab) -> Result<()> {
    let names = lab.kubectl.run(&["get", "crd", "-o", "name"])?;
    let theirs: Vec<&str> = names.lines().filter(|name| name.ends_with(".monitoring.coreos.com")).collect();
    lab.kubectl.run(&[&["delete"], theirs.as_slice()].concat())?;
    let began = Instant::now();
    lab.condition(&["ms", "main", "-n", "client-bare"], "MonitoringReady", "False", "PrometheusOperatorMissing")?;
    lab.condition(&["mc", "bare"], "MonitoringReady", "False", "PrometheusOperatorMissing")?;
    println!("told {:.0} s after the definitions had gone", began.elapsed().as_secs_f64());
    let other = Client::new("beside", "200000000302", "eu-west-1");
    lab.kubectl.apply(&other.document().to_string())?;
    lab.grant(&other)?;
    let began = Instant::now();
    for (kind, name, condition) in [("ca", "prod", "InventoryComplete"), ("bp", "main", "BackupsReady")] {
        lab.condition(&[kind, name, "-n", "client-beside"], condition, "True", "")?;
    }
    ensure!(began.elapsed() < Duration::from_secs(30), "another client waited {:?}", began.elapsed());
    lab.plane().install_prometheus_definitions()?;
    let began = Instant::now();
    for client in ["mc/bare", "mc/beside"] {
        lab.kubectl.wait(&[client], "condition=Ready", PATIENCE)?;
    }
    println!("Ready {:.0} s after the definitions had come back", began.elapsed().as_secs_f64());
    Ok(())
}
