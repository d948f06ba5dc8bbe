//! The isolation test of a client's namespace, on a network that enforces policies: what is closed is told closed, and an opening is named.

use anyhow::{Context, Result, ensure};
use caretaker_e2e::Client;
use caretaker_e2e::in_pod::InPod;
use caretaker_testkit::cluster::BUSYBOX;
use serde_json::{Value, json};

/// Address of the metadata of clouds.
const METADATA: &str = "169.254.169.254";

/// Asks for a test, and waits until it has ended.
fn tested(lab: &InPod, client: &str, request: &str) -> Result<Value> {
    let annotation = format!("caretaker.dev/isolation-test-at={request}");
    lab.cluster.kubectl().run(&["annotate", "--overwrite", "mc", client, &annotation])?;
    lab.until(&format!("the end of isolation test {request}"), || {
        let isolation = lab.cluster.kubectl().get(&["mc", client])?["status"]["isolation"].clone();
        ensure!(isolation["lastHandledRequest"] == request && isolation["running"].is_null(), "{isolation}");
        Ok(isolation)
    })
}

/// A policy of somebody who may edit the namespace: everything in, everything out.
fn opened(namespace: &str) -> Value {
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "open", "namespace": namespace}, "spec": spec})
}

/// A machine beside the node answers at the address of the metadata: a pod that has it, with a route to it on the node. An address of the node itself would not
/// do, since networks need not keep pods from those. Source: <https://kubernetes.io/docs/concepts/services-networking/network-policies/>.
fn metadata(lab: &InPod) -> Result<()> {
    lab.cluster.namespace("machine")?;
    let serve = format!(
        "ip address add {METADATA}/32 dev lo && mkdir -p /tmp/www && echo role > /tmp/www/index.html && exec httpd -f -p 80 -h /tmp/www"
    );
    lab.cluster.run_pod(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "metadata", "namespace": "machine"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "main", "image": BUSYBOX, "imagePullPolicy": "IfNotPresent", "args": ["-c", serve],
                "securityContext": {"runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}},
            }],
        },
    }))?;
    let address = lab.cluster.address("machine", "metadata")?;
    lab.cluster.on_node(&["ip", "route", "replace", &format!("{METADATA}/32"), "via", &address])?;
    // A pod that no policy keeps from it gets there: else a refusal would prove nothing.
    lab.cluster.run("machine", "witness", BUSYBOX, &["-c", "exec sleep 3600"])?;
    lab.until("the metadata for a pod without policies", || {
        lab.cluster.exec("machine", "witness", &["timeout", "5", "wget", "-qO-", &format!("http://{METADATA}/")]).map(drop)
    })
}

/// The test of `acme`, with another client beside it.
pub fn openings_are_named(lab: &InPod) -> Result<()> {
    let kubectl = lab.cluster.kubectl();
    let other = Client::new("beta", "200000000502", "eu-west-1");
    lab.cloud.call(&["instances", &other.account, "eu-west-1", "1"], "")?;
    lab.onboard(&other, &other.document())?;
    // The first test comes by itself.
    lab.condition(&["mc", "acme"], "Isolated", "True", "Proven")?;
    metadata(lab)?;

    let told = tested(lab, "acme", "closed")?;
    let message = lab.condition(&["mc", "acme"], "Isolated", "True", "Proven")?;
    let attempts = told["attempts"].as_array().context("there are attempts")?;
    let of = |part: &str| attempts.iter().find(|attempt| attempt["what"].as_str().is_some_and(|what| what.contains(part)));
    for (part, expected) in [
        ("names of Services", "Works"),
        ("the client's own Prometheus", "Works"),
        (METADATA, "Refused"),
        ("a pod of another client", "Refused"),
        ("Secrets of all namespaces", "Refused"),
        ("a privileged pod", "Refused"),
        ("beyond the quota", "Refused"),
    ] {
        let attempt = of(part).with_context(|| format!("{part} was not tried: {told}"))?;
        ensure!(attempt["expected"] == expected && attempt["asExpected"] == true, "{attempt}");
    }
    let words = |part: &str| of(part).and_then(|attempt| attempt["seen"].as_str()).unwrap_or_default().to_owned();
    ensure!(words("a privileged pod").contains("violates PodSecurity"), "{told}");
    ensure!(words("beyond the quota").contains("exceeded quota"), "{told}");
    ensure!(message.starts_with("a pod in the namespace was refused"), "{message}");
    ensure!(!told.to_string().contains("beta"), "the other client is named: {told}");
    lab.until("the end of the test's pod", || {
        let gone = kubectl.run(&["get", "pod", "caretaker-isolation-test", "-n", "client-acme"]).is_err();
        gone.then_some(()).context("the pod of the test is still there")
    })?;

    // People who may edit both namespaces open them, and let the pods' own account read Secrets.
    kubectl.apply(&opened("client-acme").to_string())?;
    kubectl.apply(&opened("client-beta").to_string())?;
    kubectl.run(&["create", "role", "secrets", "--verb=get,list", "--resource=secrets", "-n", "client-acme"])?;
    kubectl.run(&["create", "rolebinding", "secrets", "--role=secrets", "--serviceaccount=client-acme:default", "-n", "client-acme"])?;
    let told = tested(lab, "acme", "open")?;
    let message = lab.condition(&["mc", "acme"], "Isolated", "False", "WayOpen")?;
    for part in [METADATA, "a pod of another client", "Secrets of this namespace (they were given out)"] {
        ensure!(message.contains(part), "{part} is not named: {message}\n{told}");
    }
    ensure!(!message.contains("Secrets of all namespaces"), "{message}");
    let ready = lab.condition(&["mc", "acme"], "Ready", "False", "WayOpen")?;
    ensure!(ready == message, "{ready}");

    for (kind, name) in [("networkpolicy", "open"), ("rolebinding", "secrets"), ("role", "secrets")] {
        kubectl.run(&["delete", kind, name, "-n", "client-acme"])?;
    }
    tested(lab, "acme", "closed-again")?;
    lab.condition(&["mc", "acme"], "Isolated", "True", "Proven")?;
    lab.condition(&["mc", "acme"], "Ready", "True", "")?;
    Ok(())
}
