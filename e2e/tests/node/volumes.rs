//! Metrics and silences on volumes: they outlive the pods, and a volume that cannot be had is told.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use caretaker_e2e::in_pod::InPod;
use caretaker_e2e::{Client, runtime};
use serde_json::{Value, json};

const NAMESPACE: &str = "client-vault";

/// A request to a program of the stack, at its pod.
fn asked(lab: &InPod, pod: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let port = if pod.starts_with("prometheus") { 9090 } else { 9093 };
    let url = format!("http://{}:{port}{path}", lab.cluster.address(NAMESPACE, pod)?);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let request = match body {
        Some(body) => client.post(url).json(body),
        None => client.get(url),
    };
    runtime().block_on(async { Ok(request.send().await?.error_for_status()?.json().await?) })
}

/// Times of the samples that Prometheus has of itself in the last hour, the first of them first.
fn samples(lab: &InPod) -> Result<Vec<f64>> {
    let answer = asked(lab, "prometheus-main-0", "/api/v1/query?query=up%7Bjob%3D%22prometheus%22%7D%5B1h%5D", None)?;
    let values = answer["data"]["result"][0]["values"].as_array().context("it has no sample yet")?;
    Ok(values.iter().filter_map(|value| value[0].as_f64()).collect())
}

/// Of two clients of their own.
pub fn hold_what_was_measured_and_silenced(lab: &InPod) -> Result<()> {
    let (kubectl, stack) = (lab.cluster.kubectl(), ["ms", "main", "-n", NAMESPACE]);
    let client = Client::new("vault", "200000000507", "eu-west-1");
    lab.cloud.call(&["instances", &client.account, "eu-west-1", "1"], "")?;
    let mut document = client.document();
    document["spec"]["monitoring"]["storage"] = json!({"sizeGib": 2, "storageClassName": "standard"});
    lab.onboard(&client, &document)?;
    let message = lab.condition(&stack, "DataKept", "True", "Settled")?;
    ensure!(message.contains("are bound") && message.contains("1 targets"), "{message}");
    let set = kubectl.get(&["prometheus", "main", "-n", NAMESPACE])?;
    ensure!(set["spec"]["retentionSize"] == "1638MB", "{}", set["spec"]);

    let now = jiff::Timestamp::now();
    let matcher = json!([{"name": "alertname", "value": "InstanceDown", "isRegex": false, "isEqual": true}]);
    let ends = now + jiff::SignedDuration::from_hours(4);
    let silence = json!({
        "matchers": matcher, "startsAt": now.to_string(), "endsAt": ends.to_string(), "createdBy": "a test", "comment": "outlives the pod",
    });
    let id = asked(lab, "alertmanager-main-0", "/api/v2/silences", Some(&silence))?["silenceID"].as_str().context("an id")?.to_owned();
    let before = lab.until("a sample", || Ok(*samples(lab)?.first().context("none")?))?;

    kubectl.run(&["delete", "pod", "prometheus-main-0", "alertmanager-main-0", "-n", NAMESPACE, "--wait=true"])?;
    lab.until("the pods' return", || {
        let kept = asked(lab, "alertmanager-main-0", &format!("/api/v2/silence/{id}"), None)?;
        ensure!(kept["comment"] == "outlives the pod" && kept["status"]["state"] == "active", "{kept}");
        let first = *samples(lab)?.first().context("none")?;
        ensure!((first - before).abs() < 1.0, "the first sample is of {first}, and was of {before}");
        Ok(())
    })?;
    lab.condition(&stack, "MonitoringReady", "True", "Settled")?;

    // More than the claim has: told with the command, and what Prometheus may fill stays below the volume.
    document["spec"]["monitoring"]["storage"]["sizeGib"] = json!(3);
    kubectl.apply(&document.to_string())?;
    let message = lab.condition(&stack, "DataKept", "False", "VolumeNotAsAsked")?;
    ensure!(message.contains("kubectl patch pvc -n client-vault prometheus-main-db-prometheus-main-0"), "{message}");

    // More than the quota: refused by the API server, with both fields.
    document["spec"]["monitoring"]["storage"]["sizeGib"] = json!(100);
    let refused = kubectl.apply(&document.to_string()).err().context("it was let in")?.to_string();
    ensure!(refused.contains("sizeGib") && refused.contains("spec.quota.storageGib"), "{refused}");
    a_class_that_does_not_exist_is_named(lab)
}

/// The prometheus-operator refuses a class that does not exist, and makes nothing; a class that nobody serves leaves a claim without a volume.
fn a_class_that_does_not_exist_is_named(lab: &InPod) -> Result<()> {
    let (kubectl, client) = (lab.cluster.kubectl(), Client::new("classless", "200000000508", "eu-west-1"));
    let stack = ["ms", "main", "-n", "client-classless"];
    let mut document = client.document();
    document["spec"]["monitoring"]["storage"] = json!({"sizeGib": 2, "storageClassName": "nobody-made-this"});
    kubectl.apply(&document.to_string())?;
    lab.grant(&client)?;
    told_within_a_minute(lab, &["storage class \"nobody-made-this\" does not exist"])?;
    lab.condition(&stack, "DataKept", "Unknown", "Pending")?;

    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "nobody-serves-this"}, "provisioner": "example.com/nobody",
    });
    kubectl.apply(&class.to_string())?;
    document["spec"]["monitoring"]["storage"]["storageClassName"] = json!("nobody-serves-this");
    kubectl.apply(&document.to_string())?;
    let claim = "volume claim prometheus-main-db-prometheus-main-0 (storage class nobody-serves-this) is not bound";
    told_within_a_minute(lab, &[claim, "unbound immediate PersistentVolumeClaims"])?;
    lab.condition(&stack, "DataKept", "False", "VolumeNotBound").map(drop)
}

fn told_within_a_minute(lab: &InPod, words: &[&str]) -> Result<()> {
    let began = Instant::now();
    lab.until("the word about the storage class", || {
        let stack = lab.cluster.kubectl().get(&["ms", "main", "-n", "client-classless"])?;
        let told = stack["status"]["conditions"].as_array().into_iter().flatten().find(|found| found["type"] == "MonitoringReady").cloned();
        let told = told.context("MonitoringReady is not told yet")?;
        let message = told["message"].as_str().unwrap_or_default();
        ensure!(
            told["status"] == "False" && told["reason"] == "PodsNotReady" && words.iter().all(|words| message.contains(words)),
            "{told}"
        );
        Ok(())
    })?;
    ensure!(began.elapsed() < Duration::from_secs(60), "it took {:?}", began.elapsed());
    Ok(())
}
