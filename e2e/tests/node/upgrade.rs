//! `helm upgrade` of two replicas with clients in every phase, while the leader is killed and the node is drained: nothing is lost, and nothing is written twice.
//!
//! There is no release before this one: the chart before is this chart under an earlier version, and its image is this image under an earlier tag. So this
//! shows that the change of pods is safe, and nothing of an earlier release's data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use caretaker_e2e::Client;
use caretaker_e2e::in_pod::InPod;
use caretaker_e2e::node::turn;
use caretaker_testkit::cluster::Options;
use caretaker_testkit::operator::{NAMESPACE, helm_of};
use caretaker_testkit::process::run;
use caretaker_testkit::{source_root, tools};
use serde_json::{Value, json};

/// Version of the chart before, and tag of its image.
const BEFORE: &str = "0.0.9";
/// The API server's own word for the pod whose token was used.
/// Source: <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#additional-metadata-in-pod-bound-tokens>
const POD: &str = "authentication.kubernetes.io/pod-name";

/// A client without monitoring: pods of its own are no part of this.
fn client(name: &str, number: u32) -> (Client, Value) {
    let client = Client::new(name, &format!("2000000008{number:02}"), "eu-west-1");
    let mut document = client.document();
    document["spec"].as_object_mut().into_iter().for_each(|spec| drop(spec.remove("monitoring")));
    (client, document)
}

/// The chart under the version before.
fn chart_before(folder: &Path) -> Result<PathBuf> {
    let chart = folder.join("chart-before");
    run(Command::new("cp").arg("-r").arg(source_root().join("charts/caretaker")).arg(&chart))?;
    let file = chart.join("Chart.yaml");
    let text = std::fs::read_to_string(&file)?;
    let line = |line: &str| match line.split_once(':') {
        Some((key @ ("version" | "appVersion"), _)) => format!("{key}: \"{BEFORE}\""),
        _ => line.to_owned(),
    };
    std::fs::write(&file, text.lines().map(line).collect::<Vec<_>>().join("\n"))?;
    Ok(chart)
}

/// Values for two replicas, whose store is a bucket.
fn values(lab: &InPod) -> Result<(Vec<String>, String)> {
    let keys = lab.cloud.call(&["bucket", "300000000001", "caretaker-store"], "")?;
    let env = [
        ("AWS_ENDPOINT", lab.endpoint.clone()),
        ("AWS_ALLOW_HTTP", "true".into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_ACCESS_KEY_ID", keys["accessKeyId"].as_str().context("a key")?.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", keys["secretAccessKey"].as_str().context("a key")?.to_owned()),
    ];
    let env: Vec<Value> = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    // The tests of isolation come and go by the clock: no two clients have as many.
    let own = ["replicas=2", "store.url=s3://caretaker-store/one", "isolationTest.enabled=false"].map(str::to_owned);
    let values = [lab.values(), own.to_vec()].concat();
    Ok((values, format!("env={}", json!(env))))
}

/// Pod that has the lease.
fn leader(lab: &InPod) -> Result<String> {
    lab.until("a leader", || {
        let lease = lab.cluster.kubectl().get(&["lease", "caretaker", "-n", NAMESPACE])?;
        let holder = lease["spec"]["holderIdentity"].as_str().and_then(|holder| holder.split_once('_')).context("nobody")?;
        Ok(holder.0.to_owned())
    })
}

/// Ends the process of a pod as a crash does.
fn kill(lab: &InPod, pod: &str) -> Result<()> {
    let find = format!(
        "for p in /proc/[0-9]*; do if grep -qz '^POD_NAME={pod}$' $p/environ 2>/dev/null; then kill -9 ${{p#/proc/}} && echo killed; fi; done"
    );
    let said = lab.cluster.on_node(&["sh", "-c", &find])?;
    ensure!(said.contains("killed"), "{pod} has no process");
    Ok(())
}

/// Name and version of everything that a client has.
fn versions(lab: &InPod, name: &str) -> Result<BTreeMap<String, String>> {
    let kinds = "configmaps,resourcequotas,limitranges,networkpolicies,rolebindings,cloudaccounts,backuppolicies,handovers";
    let kubectl = lab.cluster.kubectl();
    let path = r#"jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}"#;
    let mut text = kubectl.run(&["get", kinds, "-n", &format!("client-{name}"), "-o", path])?;
    text += &kubectl.run(&["get", "mc", name, "-o", r#"jsonpath={.kind} {.metadata.resourceVersion}"#])?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(object, _)| !object.contains("kube-root-ca"))
        .map(|(object, version)| (object.to_owned(), version.to_owned()))
        .collect())
}

/// Calls that change something in a client's account, with how often each was made.
fn cloud_writes(lab: &InPod, client: &Client) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in lab.watch.writes() {
        let mut words = call.split(' ');
        let (action, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if lab.watch.account_of(key).as_deref() == Some(&client.account) {
            let word = |word: &str| if is_id(word) { "ID".to_owned() } else { word.replace(&client.name, "NAME") };
            *counts.entry(action.split(':').map(word).collect::<Vec<_>>().join(":")).or_default() += 1;
        }
    }
    counts
}

/// Whether a word is one that the cloud has made up.
fn is_id(word: &str) -> bool {
    word.len() == 36 && word.bytes().filter(|byte| *byte == b'-').count() == 4
}

fn exit(lab: &InPod, name: &str) -> Result<()> {
    let handover = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "final", "namespace": format!("client-{name}")},
        "spec": {"mode": "Final", "client": name},
    });
    lab.cluster.kubectl().apply(&handover.to_string()).map(drop)
}

fn accept(lab: &InPod, client: &Client) -> Result<()> {
    let name = client.name.as_str();
    let kubectl = lab.cluster.kubectl();
    let handover = kubectl.get(&["handover", "final", "-n", &format!("client-{name}")])?;
    let profile = kubectl.get(&["pprof", "default"])?;
    let address = handover["status"]["bundle"]["address"].as_str().context("an address")?;
    let folder = tempfile::tempdir()?;
    let bundle = folder.path().join(address.rsplit('/').next().unwrap_or(address));
    for end in ["", ".minisig"] {
        let content = lab.cloud.call(&["content", "300000000001", "caretaker-store", &format!("one/{address}{end}")], "")?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(content.as_str().context("the object")?)?;
        std::fs::write(format!("{}{end}", bundle.display()), bytes)?;
    }
    let code = client.code(&bundle, profile["status"]["signing"]["publicKey"].as_str().context("a public key")?)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source_root().join("target"), PathBuf::from);
    let mut command = Command::new(target.join("debug/caretaker"));
    let digest = handover["status"]["bundle"]["sha256"].as_str().context("a digest")?;
    command
        .args(["accept", name, "--by", "Jo Doe", "--digest", digest, "--code", &code])
        .env("KUBECONFIG", &lab.cluster.kubectl().kubeconfig);
    run(&mut command).map(drop)
}

/// What the API server has written down of the operator's writes, in the order in which they came.
fn audit(lab: &InPod) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(lab.cluster.plane.audit())?;
    let mut events: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    events.sort_by_key(|event| event["requestReceivedTimestamp"].as_str().unwrap_or_default().to_owned());
    Ok(events)
}

fn is_done(event: &Value) -> bool {
    event["responseStatus"]["code"].as_i64().is_some_and(|code| code < 300)
}

/// Every write is of the pod that had the lease when it came, and no object was made twice. Gives who had the lease, one after the other, with how much
/// they wrote: pod and process.
fn one_at_a_time(events: &[Value]) -> Result<Vec<(String, usize)>> {
    let (mut leads, mut made): (Vec<(String, usize)>, _) = (Vec::new(), BTreeSet::new());
    for event in events.iter().filter(|event| is_done(event)) {
        let pod = event["user"]["extra"][POD][0].as_str().context("a token of a pod")?.to_owned();
        let object = &event["objectRef"];
        if object["resource"] == "leases" {
            let told = event["requestObject"]["spec"]["holderIdentity"].as_str().unwrap_or_default();
            // One that gives the lease back names nobody.
            if !told.is_empty() && leads.last().is_none_or(|(last, _)| last != told) {
                leads.push((told.to_owned(), 0));
            }
            continue;
        }
        let (holder, count) = leads.last_mut().context("somebody has the lease")?;
        ensure!(holder.split('_').next() == Some(pod.as_str()), "{pod} wrote while {holder} had the lease: {event}");
        *count += 1;
        let name = format!("{} {}/{}", object["resource"], object["namespace"], object["name"]);
        let is_new = event["responseStatus"]["code"] == 201 && object["subresource"].is_null() && object["resource"] != "events";
        ensure!(!is_new || made.insert(name.clone()), "{name} was made twice: {event}");
    }
    Ok(leads)
}

/// How often each kind of object of a client was written, its status not counted.
fn object_writes(events: &[Value], name: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events.iter().filter(|event| is_done(event) && event["objectRef"]["subresource"].is_null()) {
        let object = &event["objectRef"];
        let is_its = object["namespace"] == format!("client-{name}").as_str() || object["name"] == format!("client-{name}").as_str();
        if is_its && object["resource"] != "events" {
            *counts.entry(format!("{} {}", object["resource"], object["name"]).replace(name, "NAME")).or_default() += 1;
        }
    }
    counts
}

#[test]
fn an_upgrade_with_clients_in_every_phase_loses_nothing_and_writes_nothing_twice() -> Result<()> {
    let _turn = turn();
    let test = "an_upgrade_with_clients_in_every_phase_loses_nothing_and_writes_nothing_twice";
    let Some(lab) = InPod::prepare(test, &Options::all())? else { return Ok(()) };
    let kubectl = lab.cluster.kubectl();
    let ctr = tools::path("ctr")?.display().to_string();
    let tag = |name: &str| format!("localhost/caretaker:{name}");
    lab.cluster.on_node(&[&ctr, "-a", "/run/containerd/containerd.sock", "-n", "k8s.io", "images", "tag", &tag("test"), &tag(BEFORE)])?;
    let folder = lab.cluster.plane.folder().to_owned();
    let (mut values, env) = values(&lab)?;
    values.iter_mut().filter(|value| value.starts_with("image.tag")).for_each(|value| *value = "image.tag=".into());
    let further = ["--set-json", &env, "--timeout", "180s", "--wait"];
    helm_of(&chart_before(&folder)?, &kubectl, &folder, &values, &further).with_context(|| lab.log())?;
    lab.introduce()?;

    let phases = in_every_phase(&lab)?;
    let still = ["calm", "left", "paused", "refused"];
    let before: Vec<_> = still.iter().map(|name| versions(&lab, name)).collect::<Result<_>>()?;
    let first = leader(&lab)?;

    // The upgrade begins; the leader is killed in the middle of what has just come to do.
    values.push("image.tag=test".into());
    lab.install(&values, &further[..4])?;
    let (fresh, document) = client("fresh", 6);
    kubectl.apply(&document.to_string())?;
    accept(&lab, &phases.leaving)?;
    lab.grant(&phases.asked)?;
    kill(&lab, &leader(&lab)?)?;
    kubectl.run(&["rollout", "status", "deployment/caretaker", "-n", NAMESPACE, "--timeout=180s"]).with_context(|| lab.log())?;
    drained(&lab)?;
    kubectl.run(&["rollout", "status", "deployment/caretaker", "-n", NAMESPACE, "--timeout=180s"]).with_context(|| lab.log())?;

    // Whoever leads now is of the new version and goes in peace; the next one goes on with what the old version has begun.
    kubectl.run(&["delete", "pod", &leader(&lab)?, "-n", NAMESPACE])?;
    lab.grant(&fresh)?;
    for name in ["calm", "asked", "fresh"] {
        lab.condition(&["mc", name], "Ready", "True", "")?;
    }
    lab.condition(&["mc", "leaving"], "HandedOver", "True", "")?;
    lab.condition(&["mc", "left"], "HandedOver", "True", "")?;
    for (name, before) in still.iter().zip(before) {
        ensure!(versions(&lab, name)? == before, "{name} was written: before {before:?}, after {:?}", versions(&lab, name)?);
    }
    let events = audit(&lab)?;
    let leads = one_at_a_time(&events)?;
    println!("leads, with writes: {leads:?}");
    let of_first = |(holder, count): &(String, usize)| holder.starts_with(&first) && *count > 0;
    let is_last_new = leads.last().is_some_and(|(holder, count)| !holder.starts_with(&first) && *count > 0);
    ensure!(leads.first().is_some_and(of_first) && is_last_new && leads.len() >= 3, "killed and upgraded, and the lead went {leads:?}");
    let calm = object_writes(&events, "calm");
    for name in ["asked", "fresh"] {
        ensure!(object_writes(&events, name) == calm, "{name}: {:?}; undisturbed: {calm:?}", object_writes(&events, name));
    }
    let calm = cloud_writes(&lab, &phases.calm);
    ensure!(!calm.is_empty(), "the test does not see what is written in a cloud");
    for client in [&phases.asked, &fresh] {
        ensure!(cloud_writes(&lab, client) == calm, "{}: {:?}; undisturbed: {calm:?}", client.name, cloud_writes(&lab, client));
    }
    let (leaving, left) = (cloud_writes(&lab, &phases.leaving), cloud_writes(&lab, &phases.left));
    ensure!(leaving == left, "leaving during the upgrade: {leaving:?}, before it: {left:?}");
    let bundles = lab.cloud.call(&["objects", "300000000001", "caretaker-store"], "")?;
    let of = |name: &str| {
        bundles.as_array().into_iter().flatten().filter_map(Value::as_str).filter(|key| key.contains(name) && key.ends_with(".age")).count()
    };
    ensure!((of("leaving"), of("left")) == (1, 1), "one bundle each: {bundles}");
    Ok(())
}

/// Clients that the test goes on with.
struct Phases {
    calm: Client,
    asked: Client,
    leaving: Client,
    left: Client,
}

/// Ready, asked for their grant, before acceptance, handed over, paused, and refused.
fn in_every_phase(lab: &InPod) -> Result<Phases> {
    let kubectl = lab.cluster.kubectl();
    let ready = [("calm", 1), ("paused", 2), ("left", 5), ("leaving", 7)].map(|(name, number)| client(name, number));
    for (_, document) in &ready {
        kubectl.apply(&document.to_string())?;
    }
    for (client, _) in &ready {
        lab.grant(client)?;
    }
    let (bad, mut document) = client("refused", 3);
    // A recipient with one wrong letter, which only its check sum tells.
    let (rest, last) = bad.recipient.split_at(bad.recipient.len() - 1);
    document["spec"]["exit"]["recipients"] = json!([format!("{rest}{}", if last == "q" { "p" } else { "q" })]);
    kubectl.apply(&document.to_string())?;
    let (asked, document) = client("asked", 4);
    kubectl.apply(&document.to_string())?;
    for (client, _) in &ready {
        lab.condition(&["mc", &client.name], "Ready", "True", "")?;
    }
    let [(calm, _), (_, mut paused), (left, _), (leaving, _)] = ready;
    paused["metadata"]["annotations"] = json!({"caretaker.dev/paused": "true"});
    kubectl.apply(&paused.to_string())?;
    for name in ["left", "leaving"] {
        exit(lab, name)?;
    }
    for name in ["left", "leaving"] {
        lab.condition(&["handover", "final", "-n", &format!("client-{name}")], "BundleDelivered", "True", "")?;
    }
    accept(lab, &left)?;
    lab.condition(&["mc", "left"], "HandedOver", "True", "")?;
    lab.condition(&["mc", "paused"], "Stalled", "True", "Paused")?;
    lab.condition(&["mc", "refused"], "Stalled", "True", "InvalidSpec")?;
    lab.condition(&["ca", "prod", "-n", "client-asked"], "AccessProven", "False", "WaitingForGrant")?;
    Ok(Phases { calm, asked, leaving, left })
}

/// The node is drained of the operator: its budget lets one pod go, and the other only when a new one is there, for which the node must be open again.
fn drained(lab: &InPod) -> Result<()> {
    let kubectl = lab.cluster.kubectl();
    let only = "--pod-selector=app.kubernetes.io/name=caretaker";
    let refused = kubectl.run(&["drain", "node-1", only, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=20s"]);
    kubectl.run(&["uncordon", "node-1"])?;
    let told = refused.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(told.contains("caretaker"), "both pods were taken at once, or none had to go: {told}");
    Ok(())
}

#[test]
fn two_that_write_and_an_object_that_is_made_twice_are_seen() -> Result<()> {
    let event = |pod: &str, object: Value, code: u16, holder: &str| {
        json!({
            "user": {"extra": {POD: [pod]}}, "objectRef": object, "responseStatus": {"code": code}, "requestObject": {"spec": {"holderIdentity": holder}},
        })
    };
    let lease = |pod: &str, code: u16| event(pod, json!({"resource": "leases", "name": "caretaker"}), code, &format!("{pod}_1"));
    let write = |pod: &str, code: u16| event(pod, json!({"resource": "configmaps", "namespace": "client-fresh", "name": "kit"}), code, "");
    let fine = [lease("a", 200), write("a", 201), lease("b", 409), write("a", 200), lease("b", 200), write("b", 200), write("a", 409)];
    ensure!(one_at_a_time(&fine)? == [("a_1".to_owned(), 2), ("b_1".to_owned(), 1)]);
    ensure!(object_writes(&fine, "fresh") == [("\"configmaps\" \"kit\"".to_owned(), 3)].into(), "{:?}", object_writes(&fine, "fresh"));
    for (events, told) in [
        (vec![lease("a", 200), lease("b", 200), write("a", 200)], "a wrote while b_1 had the lease"),
        (vec![lease("a", 200), write("a", 201), lease("b", 200), write("b", 201)], "was made twice"),
    ] {
        let refused = one_at_a_time(&events);
        ensure!(refused.as_ref().is_err_and(|error| error.to_string().contains(told)), "{told}: {refused:?}");
    }
    Ok(())
}
