//! The chart without a cluster: lint, what it renders, and what its schema refuses.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_core::layout::{Dns, MonitoringLayout};
use caretaker_testkit::process::run;
use caretaker_testkit::{source_root, tools};

fn helm(args: &[&str]) -> Result<String> {
    let home = tempfile::tempdir()?;
    let mut command = Command::new(tools::path("helm")?);
    command.args(args).arg(source_root().join("charts/caretaker"));
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(name, home.path());
    }
    run(&mut command)
}

/// The rendered documents of a kind.
fn documents<'a>(rendered: &'a str, kind: &str) -> Vec<&'a str> {
    rendered.split("\n---").filter(|document| document.lines().any(|line| line == format!("kind: {kind}"))).collect()
}

const EVERYTHING: [&str; 10] = [
    "--set",
    "metrics.serviceMonitor=true",
    "--set",
    "metrics.rules=true",
    "--set",
    "metrics.dashboard=true",
    "--set",
    "replicas=2",
    "--set",
    "store.url=s3://bucket/prefix",
];

#[test]
fn the_linter_has_nothing_to_say() -> Result<()> {
    helm(&["lint", "--strict"])?;
    helm(&[&["lint", "--strict"], EVERYTHING.as_slice()].concat()).map(drop)
}

#[test]
fn it_renders_what_it_promises() -> Result<()> {
    let rendered = helm(&["template", "caretaker", "--namespace", "caretaker-system"])?;
    for (kind, count) in [
        ("CustomResourceDefinition", 10),
        ("Deployment", 1),
        ("Service", 1),
        ("NetworkPolicy", 1),
        ("PodDisruptionBudget", 1),
        ("PersistentVolumeClaim", 1),
        ("ServiceAccount", 1),
    ] {
        ensure!(documents(&rendered, kind).len() == count, "{count} of {kind}, not {}", documents(&rendered, kind).len());
    }
    ensure!(documents(&rendered, "ValidatingAdmissionPolicy").len() >= 2, "the admission policies");
    ensure!(documents(&rendered, "ServiceMonitor").is_empty(), "needs definitions that may be missing");
    let deployment = documents(&rendered, "Deployment")[0];
    for part in [
        "runAsNonRoot: true",
        "readOnlyRootFilesystem: true",
        "allowPrivilegeEscalation: false",
        "persistentVolumeClaim:",
        "livenessProbe:",
        "readinessProbe:",
    ] {
        ensure!(deployment.contains(part), "the Deployment lacks {part}");
    }
    for role in documents(&rendered, "ClusterRole") {
        ensure!(!role.contains("\"*\"") && !role.contains("- '*'"), "a role that may do everything:\n{role}");
    }
    Ok(())
}

#[test]
fn with_everything_on_it_renders_rules_that_promtool_takes() -> Result<()> {
    let rendered = helm(&[&["template", "caretaker", "--namespace", "caretaker-system"], EVERYTHING.as_slice()].concat())?;
    ensure!(documents(&rendered, "ServiceMonitor").len() == 1, "the ServiceMonitor");
    let rules = documents(&rendered, "PrometheusRule").first().copied().context("the rules")?;
    let spec = rules.split_once("\nspec:\n").context("rules have a spec")?.1;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), spec.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect::<String>())?;
    run(Command::new(tools::path("promtool")?).args(["check", "rules"]).arg(file.path())).map(drop)
}

/// Names of Services and of everything else that is made from the release's name.
#[test]
fn a_release_may_have_any_name_that_helm_takes() -> Result<()> {
    let longest = "a".repeat(53);
    for release in ["caretaker", "msp.caretaker", "1caretaker", "7.west", &longest, "caretaker-9"] {
        let rendered = helm(&["template", release, "--namespace", "caretaker-system"])?;
        for kind in ["Service", "Deployment", "ServiceAccount", "PersistentVolumeClaim", "ClusterRole"] {
            let document = documents(&rendered, kind).first().copied().with_context(|| format!("no {kind}"))?;
            let name = document.lines().find_map(|line| line.strip_prefix("  name: ")).context("it has a name")?;
            let is_label = name.len() <= 63 && name.starts_with(|first: char| first.is_ascii_lowercase()) && !name.ends_with('-');
            ensure!(is_label && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'), "{release}: {kind} {name}");
        }
    }
    Ok(())
}

#[test]
fn what_a_cluster_needs_beyond_the_usual_is_a_value() -> Result<()> {
    let template = |values: &[&str]| helm(&[&["template", "caretaker", "--namespace", "caretaker-system"], values].concat());
    let deployment = |values: &[&str]| Ok::<_, anyhow::Error>(documents(&template(values)?, "Deployment")[0].to_owned());
    let digest = format!("image.repository=registry.example/caretaker@sha256:{}", "0".repeat(64));
    ensure!(deployment(&["--set", &digest])?.contains(&format!("caretaker@sha256:{}\"", "0".repeat(64))), "a digest takes no tag");
    let followed = deployment(&["--set", &format!("image.tag=sha256:{}", "0".repeat(64))])?;
    ensure!(followed.contains(&format!("\"caretaker@sha256:{}\"", "0".repeat(64))), "a digest for a tag:\n{followed}");
    let placed = [
        "--set-json",
        r#"topologySpreadConstraints=[{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]"#,
        "--set-json",
        r#"dnsConfig={"options": [{"name": "ndots", "value": "2"}]}"#,
        "--set",
        "priorityClassName=important,dnsPolicy=Default",
    ];
    let with = deployment(&placed)?;
    for part in ["topologyKey: zone", "name: ndots", "priorityClassName: important", "dnsPolicy: Default"] {
        ensure!(with.contains(part), "{part}:\n{with}");
    }
    let labels = ["--set", "metrics.serviceMonitor=true,metrics.rules=true,metrics.labels.release=kube-prometheus-stack"];
    let labelled = template(&labels)?;
    for kind in ["ServiceMonitor", "PrometheusRule"] {
        ensure!(documents(&labelled, kind)[0].contains("    release: kube-prometheus-stack"), "{kind} is not found by its Prometheus");
    }
    let authority = [
        "--set-json",
        r#"volumes=[{"name": "authority", "configMap": {"name": "authority"}}]"#,
        "--set-json",
        r#"volumeMounts=[{"name": "authority", "mountPath": "/authority", "readOnly": true}]"#,
        "--set-json",
        r#"podLabels={"azure.workload.identity/use": "true"}"#,
    ];
    let with = deployment(&authority)?;
    for part in ["mountPath: /authority", "azure.workload.identity/use: \"true\"", "name: authority"] {
        ensure!(with.contains(part), "{part}:\n{with}");
    }
    for (value, part) in [("storageClassName=encrypted", "storageClassName: encrypted"), ("medium=Memory", "medium: Memory")] {
        let with = deployment(&["--set", &format!("temporary.{value}")])?;
        ensure!(with.contains(part), "{part}:\n{with}");
    }
    let both = template(&["--set", "temporary.storageClassName=encrypted,temporary.medium=Memory"]);
    ensure!(both.is_err_and(|error| error.to_string().contains("exclude each other")), "a volume cannot be both");
    let refused = template(&["--set", "replicas=2"]).err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(refused.contains("store.url") && refused.contains("replicas"), "two pods cannot mount one volume: {refused}");
    Ok(())
}

/// The example for OpenShift: no id of ours is left anywhere, and names are asked for where OpenShift resolves them, by the operator and by clients.
#[test]
fn on_openshift_no_id_is_named_and_names_resolve() -> Result<()> {
    let values = source_root().join("examples/values-openshift.yaml").display().to_string();
    let egress = "networkPolicy.egress.enabled=true";
    let rendered = helm(&["template", "caretaker", "--namespace", "caretaker-system", "--values", &values, "--set", egress])?;
    let deployment = documents(&rendered, "Deployment")[0];
    ensure!(!deployment.contains("6553") && deployment.contains("runAsNonRoot: true"), "OpenShift chooses the ids:\n{deployment}");
    let set = |name: &str| -> Result<String> {
        let line = deployment
            .lines()
            .skip_while(|line| !line.ends_with(name))
            .nth(1)
            .with_context(|| format!("the operator is not told {name}"))?;
        Ok(serde_json::from_str(line.trim().trim_start_matches("value: "))?)
    };
    let monitoring: MonitoringLayout = set("CARETAKER_MONITORING")?.parse()?;
    let ids = monitoring.pod_security_context;
    ensure!((ids.run_as_user, ids.run_as_group, ids.fs_group) == (None, None, None), "an id is named for clients' monitoring: {ids:?}");
    let dns: Dns = set("CARETAKER_DNS")?.parse()?;
    let told = serde_json::to_string(&dns.egress())?;
    ensure!(told.contains("openshift-dns") && told.contains("5353") && !told.contains("kube-system"), "{told}");
    let policy = documents(&rendered, "NetworkPolicy")[0];
    for part in ["\"Egress\"", "kubernetes.io/metadata.name: openshift-dns", "port: 5353", "port: 6443", "port: 9093"] {
        ensure!(policy.contains(part), "{part}:\n{policy}");
    }
    Ok(())
}

/// `helm upgrade --reuse-values` renders this chart with the values of the one before, which know nothing of what is new.
#[test]
fn values_of_a_release_before_this_one_still_render() -> Result<()> {
    let unknown = ["--set", "monitoring=null,dns=null,networkPolicy.egress=null"];
    let rendered = helm(&[&["template", "caretaker", "--namespace", "caretaker-system"][..], &unknown].concat())?;
    let deployment = documents(&rendered, "Deployment")[0];
    ensure!(
        deployment.contains("value: \"{}\"") && !deployment.contains("CARETAKER_DNS"),
        "the operator's own defaults hold:\n{deployment}"
    );
    Ok(())
}

#[test]
fn unknown_and_malformed_values_are_refused_by_name() -> Result<()> {
    for (value, told) in [
        ("replica=2", "replica"),
        ("store.uri=s3://x", "uri"),
        ("metrics.serviceMonitors=true", "serviceMonitors"),
        ("replicas=none", "replicas"),
        ("log.format=xml", "format"),
        ("store.url=file://relative/x", "url"),
        ("store.url=file:///", "url"),
        ("monitoring.podSecurityContext.runAsUsr=1", "runAsUsr"),
        ("temporary.medium=Disk", "medium"),
        ("dns[0].ports={53}", "namespace"),
        ("dns[0].namespace=kube-system", "ports"),
        ("dns[0].cidr=169.254.20.10,dns[0].ports={53}", "cidr"),
    ] {
        let refused = helm(&["template", "caretaker", "--set", value]);
        ensure!(refused.as_ref().is_err_and(|error| error.to_string().contains(told)), "{value}: {refused:?}");
    }
    Ok(())
}
