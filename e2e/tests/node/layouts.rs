//! A cluster as people have it: it gives out user ids, its images are pulled with a Secret, and its prometheus-operator is taken away and back.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use caretaker_e2e::Client;
use caretaker_e2e::in_pod::InPod;
use caretaker_e2e::node::turn;
use caretaker_testkit::cluster::Options;
use caretaker_testkit::operator::NAMESPACE;
use serde_json::{Value, json};

/// Time within which the README says that the loss and the return of the prometheus-operator, and of the Secret, are told.
const TOLD: Duration = Duration::from_secs(120);
/// The first id of the range.
const FIRST: &str = "1000660000";
const STACK: [&str; 4] = ["ms", "main", "-n", "client-acme"];

/// Ids as OpenShift's `restricted-v2` handles them: a pod that names none gets the first of the range, and one that names another is refused.
fn ranges() -> String {
    let selector = json!({"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [NAMESPACE, "client-acme"]},
    ]});
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]);
    let constraints = json!({"namespaceSelector": selector, "resourceRules": rules});
    let given =
        format!("Object{{spec: Object.spec{{securityContext: Object.spec.securityContext{{runAsUser: {FIRST}, fsGroup: {FIRST}}}}}}}");
    let unset = "!has(object.spec.securityContext) || !has(object.spec.securityContext.runAsUser)";
    let within = |id: &str| format!("object.spec.securityContext.{id} >= {FIRST} && object.spec.securityContext.{id} < 1000670000");
    let version = "admissionregistration.k8s.io/v1";
    let of = |kind: &str, spec: Value| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "ranges"}, "spec": spec});
    let binding = |kind: &str, rest: Value| {
        let mut spec = json!({"policyName": "ranges"});
        spec.as_object_mut().into_iter().for_each(|spec| spec.extend(rest.as_object().cloned().unwrap_or_default()));
        of(kind, spec)
    };
    let items = [
        of(
            "MutatingAdmissionPolicy",
            json!({
                "matchConstraints": constraints, "failurePolicy": "Fail", "reinvocationPolicy": "Never",
                "matchConditions": [{"name": "unset", "expression": unset}],
                "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": given}}],
            }),
        ),
        binding("MutatingAdmissionPolicyBinding", json!({})),
        of(
            "ValidatingAdmissionPolicy",
            json!({
                "matchConstraints": constraints, "failurePolicy": "Fail",
                "validations": [{"expression": format!("{} && {}", within("runAsUser"), within("fsGroup")), "message": "must be in the ranges"}],
            }),
        ),
        binding("ValidatingAdmissionPolicyBinding", json!({"validationActions": ["Deny"]})),
    ];
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// Waits for a condition of the stack and holds it to the time that is stated.
fn told(lab: &InPod, status: &str, reason: &str) -> Result<String> {
    let began = Instant::now();
    let message = lab.condition(&STACK, "MonitoringReady", status, reason)?;
    println!("{status} {reason} after {:.0} s: {message}", began.elapsed().as_secs_f64());
    ensure!(began.elapsed() < TOLD, "{status} {reason} took {:?}", began.elapsed());
    Ok(message)
}

#[test]
fn a_cluster_with_ranges_of_ids_a_pull_secret_and_a_prometheus_operator_that_goes() -> Result<()> {
    let _turn = turn();
    let test = "a_cluster_with_ranges_of_ids_a_pull_secret_and_a_prometheus_operator_that_goes";
    let Some(lab) = InPod::prepare(test, &Options { monitoring: true, ..Options::all() })? else { return Ok(()) };
    lab.cluster.kubectl().apply(&ranges())?;
    let ids = ["runAsUser", "runAsGroup", "fsGroup"]
        .map(|id| [format!("podSecurityContext.{id}=null"), format!("monitoring.podSecurityContext.{id}=null")]);
    let mut values = [lab.values(), ids.concat(), vec!["monitoring.imagePullSecret=registry".into()]].concat();
    lab.install(&values, &["--wait", "--timeout", "180s"])?;
    lab.introduce()?;
    let client = Client::new("acme", "200000000701", "eu-west-1");
    lab.cluster.kubectl().apply(&client.document().to_string())?;
    lab.grant(&client)?;

    pull_secret(&lab)?;
    for (pod, container) in [("prometheus-main-0", "prometheus"), ("alertmanager-main-0", "alertmanager")] {
        let of = lab.cluster.kubectl().get(&["pod", pod, "-n", "client-acme"])?;
        ensure!(
            of["spec"]["securityContext"]["runAsUser"] == json!(1_000_660_000)
                && of["spec"]["imagePullSecrets"][0]["name"] == "caretaker-pull",
            "{of}"
        );
        let running = lab.cluster.on_node(&[
            "sh",
            "-c",
            &format!("grep -l '^Uid:.{FIRST}' /proc/[0-9]*/status | xargs -n1 dirname | while read p; do cat $p/comm; done"),
        ])?;
        ensure!(running.contains(container), "no process {container} has the id of the range: {running}");
    }
    lost_and_found(&lab)?;
    // The value is taken back: the copy goes, and all is well without it.
    values.retain(|value| !value.starts_with("monitoring.imagePullSecret"));
    lab.install(&values, &["--wait", "--timeout", "180s"])?;
    lab.until("the end of the copy", || {
        let left = lab.cluster.kubectl().run(&["get", "secret", "-n", "client-acme", "-o", "name"])?;
        ensure!(!left.contains("caretaker-pull"), "{left}");
        Ok(())
    })?;
    told(&lab, "True", "Settled").map(drop)
}

/// The Secret is missing at first, comes, and changes.
fn pull_secret(lab: &InPod) -> Result<()> {
    let kubectl = lab.cluster.kubectl();
    let message = lab.condition(&STACK, "MonitoringReady", "False", "ReferenceMissing")?;
    ensure!(message.contains("kubectl create secret docker-registry registry -n caretaker-system"), "{message}");
    lab.condition(&["mc", "acme"], "MonitoringReady", "False", "ReferenceMissing")?;
    let make = |password: &str| {
        let text = json!({"auths": {"registry.example": {"username": "caretaker", "password": password}}}).to_string();
        kubectl.apply(
            &json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry", "namespace": NAMESPACE},
                "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": text},
            })
            .to_string(),
        )
    };
    make("pa55-of-the-registry")?;
    told(lab, "True", "Settled")?;
    lab.condition(&["mc", "acme"], "Ready", "True", "")?;
    let copied = || kubectl.get(&["secret", "caretaker-pull", "-n", "client-acme"]);
    let first = copied()?["data"].clone();
    make("another-pa55")?;
    let began = Instant::now();
    lab.until("the changed copy", || {
        ensure!(copied()?["data"] != first && copied()?["type"] == "kubernetes.io/dockerconfigjson", "as before");
        Ok(())
    })?;
    ensure!(began.elapsed() < TOLD, "the copy followed after {:?}", began.elapsed());
    // Nobody shows it: neither the log nor an event nor an object of ours.
    let shown = kubectl.run(&["logs", "-n", NAMESPACE, "deployment/caretaker", "--tail=-1"])?
        + &kubectl.run(&["get", "events,mc,ms,prometheus,alertmanager", "-A", "-o", "json"])?;
    ensure!(!shown.contains("pa55"), "the password is shown");
    Ok(())
}

/// The prometheus-operator is removed, comes back, watches another namespace, and this one again.
fn lost_and_found(lab: &InPod) -> Result<()> {
    let kubectl = lab.cluster.kubectl();
    let mut deployment = kubectl.get(&["deployment", "prometheus-operator", "-n", "default"])?;
    deployment["metadata"] = json!({"name": "prometheus-operator", "namespace": "default", "labels": deployment["metadata"]["labels"]});
    deployment.as_object_mut().into_iter().for_each(|fields| drop(fields.remove("status")));
    kubectl.run(&["delete", "deployment", "prometheus-operator", "-n", "default"])?;
    let message = told(lab, "False", "PrometheusOperatorMissing")?;
    ensure!(
        message.contains("does not run")
            && message.contains("pod default/prometheus-operator-")
            && message.contains("run on with what they have"),
        "{message}"
    );
    // Nothing else waits for it.
    let mut other = Client::new("other", "200000000702", "eu-west-1");
    other.allow = Vec::new();
    let mut document = other.document();
    document["spec"].as_object_mut().into_iter().for_each(|spec| drop((spec.remove("monitoring"), spec.remove("backups"))));
    let began = Instant::now();
    lab.onboard(&other, &document)?;
    println!("another client was Ready after {:.0} s", began.elapsed().as_secs_f64());
    ensure!(began.elapsed() < Duration::from_secs(60), "another client took {:?}", began.elapsed());
    kubectl.apply(&deployment.to_string())?;
    told(lab, "True", "Settled")?;

    let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"].clone();
    deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array_mut()
        .into_iter()
        .for_each(|args| args.push(json!("--namespaces=default")));
    kubectl.apply(&deployment.to_string())?;
    let message = told(lab, "False", "PrometheusOperatorMissing")?;
    ensure!(message.contains("--namespaces=default does not name client-acme"), "{message}");
    deployment["spec"]["template"]["spec"]["containers"][0]["args"] = args;
    kubectl.apply(&deployment.to_string())?;
    told(lab, "True", "Settled").map(drop)
}
