//! From a client's object to an alert at the receiver, with the operator in a pod: nothing between is pretended but the cloud.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use caretaker_e2e::Client;
use caretaker_e2e::in_pod::InPod;
use caretaker_e2e::node::turn;
use serde_json::{Value, json};

/// A receiver of webhooks: what it was sent, with the path.
struct Receiver {
    url: String,
    sent: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    fn start(host: &str) -> Result<Self> {
        let listener = TcpListener::bind((host, 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let sent = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let taken = sent.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let (mut path, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                        break;
                    }
                    if path.is_empty() {
                        path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                    }
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap_or(0);
                    }
                }
                let mut body = vec![0; length];
                let _ = reader.read_exact(&mut body);
                taken.lock().expect("no panic while held").push((path, serde_json::from_slice(&body).unwrap_or_default()));
                let _ = reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Ok(Self { url, sent })
    }

    /// Names of the alerts that came at a path.
    fn alerts(&self, path: &str) -> Vec<String> {
        let sent = self.sent.lock().expect("no panic while held");
        let at = sent.iter().filter(|(at, _)| at == path).filter_map(|(_, body)| body["alerts"].as_array());
        at.flatten().filter_map(|alert| alert["labels"]["alertname"].as_str()).map(str::to_owned).collect()
    }
}

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

#[test]
fn an_alert_of_a_client_reaches_its_tier_and_a_lost_receiver_is_told() -> Result<()> {
    let _turn = turn();
    let Some(lab) = InPod::start("an_alert_of_a_client_reaches_its_tier_and_a_lost_receiver_is_told")? else { return Ok(()) };
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
    Ok(())
}
