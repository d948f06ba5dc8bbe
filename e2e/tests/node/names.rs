//! Where a cluster resolves names differs; the network policies of a client's namespace open the way that the provider has set, and no other.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use caretaker_api::ManagedClient;
use caretaker_core::layout::Dns;
use caretaker_core::managed_client::{Observed, plan};
use caretaker_e2e::Client;
use caretaker_e2e::node::shared;
use caretaker_testkit::cluster::{BUSYBOX, Cluster};
use caretaker_testkit::source_root;
use serde_json::{Value, json};

const NAME: &str = "kubernetes.default.svc.cluster.local";
const NAMESPACE: &str = "client-names";

/// CoreDNS in another namespace, whose pods answer at 5353 behind a Service at 53, as OpenShift has it. Gives the Service's address.
fn elsewhere(cluster: &Cluster) -> Result<String> {
    cluster.namespace("openshift-dns")?;
    let usual = std::fs::read_to_string(source_root().join("operator/testkit/src/cluster/files/dns.yaml"))?;
    let documents = usual
        .replace("namespace: kube-system", "namespace: openshift-dns")
        .replace("metadata: {name: coredns}\nroleRef", "metadata: {name: openshift-dns}\nroleRef")
        .replace(".:53 {", ".:5353 {")
        .replace("containerPort: 53,", "containerPort: 5353,")
        .replace("port: 53, protocol", "port: 53, targetPort: 5353, protocol")
        .replace("  clusterIP: @DNS@\n", "");
    let kubectl = cluster.kubectl();
    kubectl.apply(&documents)?;
    kubectl.run(&["rollout", "status", "deployment/coredns", "-n", "openshift-dns", "--timeout=120s"])?;
    kubectl.run(&["get", "service", "kube-dns", "-n", "openshift-dns", "-o", "jsonpath={.spec.clusterIP}"])
}

/// Answers every question for an IPv4 address, at an address that belongs to no pod: so does a resolver in the host's network.
fn beyond_pods(host: &str) -> Result<()> {
    let socket = UdpSocket::bind((host, 53)).with_context(|| format!("listen at {host}:53"))?;
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = answer(&buffer[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    Ok(())
}

/// The answer to a question as RFC 1035 has it: 192.0.2.7 for a host address, nothing for the rest.
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let labels = question.get(12..)?.iter().position(|byte| *byte == 0)?;
    let end = 12 + labels + 5;
    let mut answer = question.get(..end)?.to_vec();
    let is_address = answer[end - 3] == 1;
    answer[2..12].copy_from_slice(&[0x85, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    if is_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 7]);
    }
    Some(answer)
}

/// Gives the namespace the network policies that the operator makes for a client where the provider has set this.
fn guard(cluster: &Cluster, dns: &Dns) -> Result<()> {
    let client: ManagedClient = serde_json::from_value(Client::new("names", "200000000601", "eu-west-1").document())?;
    let planned = plan(&client, &Observed { dns: dns.clone(), ..Observed::default() }, jiff::Timestamp::UNIX_EPOCH);
    let of = |name: &str, body: &Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": body["spec"],
        })
    };
    let items: Vec<Value> = planned.iter().filter(|made| made.kind == "NetworkPolicy").map(|made| of(&made.name, &made.body)).collect();
    ensure!(items.len() == 3, "{items:?}");
    cluster.kubectl().apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).map(drop)
}

#[test]
fn names_resolve_on_three_layouts_by_a_setting_and_not_without_it() -> Result<()> {
    let Some(cluster) = shared("names_resolve_on_three_layouts_by_a_setting_and_not_without_it")? else { return Ok(()) };
    let (usual, openshift, local) = (cluster.network.dns(), elsewhere(&cluster)?, cluster.network.host());
    beyond_pods(&local)?;
    cluster.namespace(NAMESPACE)?;
    cluster.run(NAMESPACE, "asker", BUSYBOX, &["-c", "exec sleep 3600"])?;
    let resolves = |server: &str| {
        let asked = cluster.exec(NAMESPACE, "asker", &["timeout", "3", "nslookup", "-type=a", NAME, server]);
        asked.is_ok_and(|said| said.contains(&cluster.network.service()) || said.contains("192.0.2.7"))
    };
    let found = || [&usual, &openshift, &local].map(|server| resolves(server));
    let until = |what: &str, expected: [bool; 3]| {
        let began = Instant::now();
        loop {
            let found = found();
            if found == expected {
                return Ok(());
            }
            ensure!(
                began.elapsed() < Duration::from_secs(60),
                "{what}: of kube-dns, openshift-dns and the resolver beyond pods answer {found:?}"
            );
        }
    };
    until("without policies", [true; 3])?;
    let layouts = [
        ("where nothing is set", Dns::default(), [true, false, false]),
        (
            "OpenShift",
            r#"[{"namespace": "openshift-dns", "podLabels": {"k8s-app": "kube-dns"}, "ports": [5353]}]"#.parse()?,
            [false, true, false],
        ),
        ("a resolver in the host's network", format!(r#"[{{"cidr": "{local}/32", "ports": [53]}}]"#).parse()?, [false, false, true]),
        ("the Service's port in place of the pod's", r#"[{"namespace": "openshift-dns", "ports": [53]}]"#.parse()?, [false; 3]),
    ];
    for (what, dns, expected) in layouts {
        guard(&cluster, &dns)?;
        until(what, expected)?;
    }
    Ok(())
}
