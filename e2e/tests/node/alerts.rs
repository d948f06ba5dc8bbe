//! From a client's object to an alert at the receiver, with the operator in a pod: nothing between is pretended but the cloud.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::Client;
use caretaker_e2e::in_pod::InPod;
use caretaker_testkit::receiver::Receiver;
use serde_json::{Value, json};

/// A rule that fires at once, for one tier. It stands in for an outage, whose rules wait five minutes.
fn firing(name: &str, tier: &str) -> Value {
    let labels = json!({"caretaker.dev/owner-kind": "monitoringstack", "caretaker.dev/owner-name": "main"});
    let rule = json!({"alert": name, "expr": "vector(1)", "labels": {"tier": tier}});
    json!({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
        "metadata": {"name": name.to_lowercase(), "namespace": "client-acme", "labels": labels},
        "spec": {"groups": [{"name": name, "rules": [rule]}]},
    })
}

/// From `acme` to its receivers.
pub fn reach_their_tier_and_a_lost_receiver_is_told(lab: &InPod) -> Result<()> {
    let receiver = Receiver::start(&lab.cluster.network.host())?;
    let client = Client::new("acme", "200000000501", "eu-west-1");
    lab.cloud.call(&["instances", &client.account, "eu-west-1", "2"], "")?;
    let mut document = client.document();
    document["spec"]["monitoring"]["tiers"] = json!([
        {"name": "desk", "afterMinutes": 0, "webhookUrl": format!("{}/desk", receiver.url)},
        {"name": "lead", "afterMinutes": 30, "webhookUrl": format!("{}/lead", receiver.url)},
    ]);
    lab.onboard(&client, &document)?;
    let stack = ["ms", "main", "-n", "client-acme"];
    let message = lab.condition(&stack, "MonitoringReady", "True", "Settled")?;
    ensure!(message.contains("2 targets") && message.contains("alerts arrive"), "{message}");

    lab.cluster.kubectl().apply(&firing("DeskOnly", "desk").to_string())?;
    lab.until("the alert at the receiver", || {
        receiver.alerts("/desk").contains(&"DeskOnly".to_owned()).then_some(()).with_context(|| format!("{:?}", receiver.alerts("/desk")))
    })?;
    ensure!(receiver.alerts("/lead").is_empty(), "the other tier was told: {:?}", receiver.alerts("/lead"));
    ensure!(!receiver.alerts("/desk").contains(&"Watchdog".to_owned()), "Watchdog is for nobody");

    // The second tier's Secret is missing: the first is told as before, and the condition names Secret and key.
    document["spec"]["monitoring"]["tiers"][1] =
        json!({"name": "lead", "afterMinutes": 30, "webhookSecret": {"name": "pager", "key": "url"}});
    lab.cluster.kubectl().apply(&document.to_string())?;
    let message = lab.condition(&stack, "MonitoringReady", "False", "NotLoaded")?;
    ensure!(message.contains("lead is told nothing") && message.contains("Secret pager has the key url"), "{message}");
    lab.condition(&["mc", "acme"], "MonitoringReady", "False", "NotLoaded")?;
    lab.cluster.kubectl().apply(&firing("StillTold", "desk").to_string())?;
    lab.until("the alert beside a lost receiver", || {
        receiver.alerts("/desk").contains(&"StillTold".to_owned()).then_some(()).with_context(|| format!("{:?}", receiver.alerts("/desk")))
    })?;

    // With the Secret all is well again, unaided.
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pager", "namespace": "client-acme"},
        "stringData": {"url": format!("{}/lead", receiver.url)},
    });
    lab.cluster.kubectl().apply(&secret.to_string())?;
    lab.condition(&stack, "MonitoringReady", "True", "Settled")?;

    // Alertmanager is taken away: that is told, and it is put back.
    lab.cluster.kubectl().run(&["delete", "pod", "alertmanager-main-0", "-n", "client-acme", "--wait=false"])?;
    lab.condition(&stack, "MonitoringReady", "False", "")?;
    lab.condition(&stack, "MonitoringReady", "True", "Settled")?;

    // A quota that is too small is named.
    let kubectl = lab.cluster.kubectl();
    kubectl.run(&["create", "quota", "full", "--hard=pods=1", "-n", "client-acme"])?;
    kubectl.run(&["delete", "pod", "prometheus-main-0", "-n", "client-acme", "--wait=false"])?;
    lab.until("the word about the quota", || {
        let message = lab.condition(&stack, "MonitoringReady", "False", "PodsNotReady")?;
        ensure!(message.contains("Prometheus: its pod cannot be made") && message.contains("exceeded quota: full"), "{message}");
        Ok(())
    })?;
    kubectl.run(&["delete", "quota", "full", "-n", "client-acme"])?;
    lab.condition(&stack, "MonitoringReady", "True", "Settled")?;
    Ok(())
}
