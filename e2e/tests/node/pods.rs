//! A pod runs, finds others by name, is kept from others by policies, and keeps data.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use caretaker_e2e::node::shared;
use caretaker_testkit::cluster::{BUSYBOX, Cluster};
use serde_json::json;

/// A web server that answers with its pod's name.
const SERVE: &str = "mkdir /tmp/www && hostname > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www";
/// A pod to run commands in.
const WAIT: &[&str] = &["-c", "exec sleep 3600"];

/// What a pod gets from an address, within three seconds.
fn fetched(cluster: &Cluster, namespace: &str, pod: &str, url: &str) -> Result<String> {
    // `wget -T` of some releases of busybox dies.
    cluster.exec(namespace, pod, &["timeout", "3", "wget", "-qO-", url])
}

/// Waits until a check holds.
fn until(what: &str, mut check: impl FnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while !check() {
        ensure!(began.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}

fn service(namespace: &str, name: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
    .to_string()
}

#[test]
fn a_pod_is_a_process_on_this_machine_in_the_cgroup_of_the_node() -> Result<()> {
    let Some(cluster) = shared("a_pod_is_a_process_on_this_machine_in_the_cgroup_of_the_node")? else { return Ok(()) };
    cluster.namespace("first")?;
    cluster.run("first", "speaker", BUSYBOX, &["-c", "echo hello from $(hostname); exec sleep 3601"])?;
    ensure!(cluster.logs("first", "speaker")? == "hello from speaker\n", "{}", cluster.logs("first", "speaker")?);
    ensure!(cluster.exec("first", "speaker", &["hostname"])?.trim() == "speaker");
    // Found from outside: nothing of Kubernetes vouches for it.
    let pids = cluster.on_node(&["sh", "-c", "grep -alz '^3601$' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3"])?;
    let pid = pids.lines().next().context("the container's process is on the node")?;
    let cgroup = cluster.on_node(&["cat", &format!("/proc/{pid}/cgroup")])?;
    ensure!(cgroup.contains(&cluster.network.cgroup()), "{cgroup}");
    // The images that were not made known are not there, and nothing can be pulled.
    cluster.kubectl().run(&["run", "stranger", "-n", "first", "--image=localhost/nobody-made-this:1", "--restart=Never"])?;
    until("the word that an image cannot be had", || cluster.told("first").contains("ErrImagePull"))
}

#[test]
fn names_of_services_resolve_in_a_pod_and_others_do_not() -> Result<()> {
    let Some(cluster) = shared("names_of_services_resolve_in_a_pod_and_others_do_not")? else { return Ok(()) };
    cluster.namespace("names")?;
    cluster.kubectl().apply(&service("names", "web"))?;
    cluster.run("names", "web", BUSYBOX, &["-c", SERVE])?;
    cluster.run("names", "asker", BUSYBOX, WAIT)?;
    until("an answer by name", || {
        fetched(&cluster, "names", "asker", "http://web.names.svc.cluster.local/").is_ok_and(|said| said == "web\n")
    })?;
    // A busy machine may let a single try run out of its three seconds.
    until("an answer by the short name", || fetched(&cluster, "names", "asker", "http://web/").is_ok_and(|said| said == "web\n"))?;
    let told = cluster.exec("names", "asker", &["nslookup", "kubernetes.default.svc.cluster.local"])?;
    ensure!(told.contains(&cluster.network.service()), "{told}");
    ensure!(cluster.exec("names", "asker", &["nslookup", "example.com"]).is_err(), "a name outside the cluster resolved");
    Ok(())
}

#[test]
fn a_policy_that_denies_closes_and_one_that_allows_opens() -> Result<()> {
    let Some(cluster) = shared("a_policy_that_denies_closes_and_one_that_allows_opens")? else { return Ok(()) };
    cluster.namespace("guarded")?;
    cluster.namespace("others")?;
    cluster.run("guarded", "web", BUSYBOX, &["-c", SERVE])?;
    cluster.run("guarded", "friend", BUSYBOX, WAIT)?;
    cluster.run("others", "stranger", BUSYBOX, WAIT)?;
    let url = format!("http://{}:8080/", cluster.address("guarded", "web")?);
    let reaches = |namespace: &str, pod: &str| fetched(&cluster, namespace, pod, &url).is_ok_and(|said| said == "web\n");
    until("the way while there is no policy", || reaches("others", "stranger") && reaches("guarded", "friend"))?;
    let policy = |name: &str, ingress: serde_json::Value| {
        let spec = json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress});
        let metadata = json!({"name": name, "namespace": "guarded"});
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}).to_string()
    };
    cluster.kubectl().apply(&policy("deny", json!([])))?;
    until("the end of both ways", || !reaches("others", "stranger") && !reaches("guarded", "friend"))?;
    let friends = json!([{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"port": 8080}]}]);
    cluster.kubectl().apply(&policy("friends", friends))?;
    until("the way of the one that is allowed", || reaches("guarded", "friend"))?;
    ensure!(!reaches("others", "stranger"), "the other one has a way too");
    cluster.kubectl().run(&["delete", "networkpolicy", "--all", "-n", "guarded"])?;
    until("the way when there is no policy any more", || reaches("others", "stranger"))
}

#[test]
fn a_claim_gets_a_volume_whose_data_outlives_the_pod() -> Result<()> {
    let Some(cluster) = shared("a_claim_gets_a_volume_whose_data_outlives_the_pod")? else { return Ok(()) };
    cluster.namespace("data")?;
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "kept", "namespace": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    cluster.kubectl().apply(&claim.to_string())?;
    // Not root: the volume is written by the group that the pod names.
    let pod = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "data"},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "securityContext": {"runAsUser": 1234, "runAsGroup": 1234, "fsGroup": 1234},
                "containers": [{
                    "name": "main", "image": BUSYBOX, "imagePullPolicy": "IfNotPresent", "args": WAIT,
                    "volumeMounts": [{"name": "kept", "mountPath": "/kept"}],
                }],
                "volumes": [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}],
            },
        })
    };
    cluster.run_pod(&pod("writer"))?;
    cluster.exec("data", "writer", &["sh", "-c", "echo from the first > /kept/word"])?;
    let bound = cluster.kubectl().run(&["get", "pvc", "kept", "-n", "data", "-o", "jsonpath={.status.phase} {.spec.volumeName}"])?;
    let number = bound.strip_prefix("Bound volume-").with_context(|| format!("the claim is {bound}"))?.to_owned();
    ensure!(std::fs::read_to_string(cluster.volumes().join(number).join("word"))? == "from the first\n", "it is in another place");
    cluster.kubectl().run(&["delete", "pod", "writer", "-n", "data"])?;
    cluster.run_pod(&pod("reader"))?;
    ensure!(cluster.exec("data", "reader", &["cat", "/kept/word"])? == "from the first\n");
    Ok(())
}
