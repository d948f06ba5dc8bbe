//! The objects of one stack. A stack's Prometheus takes rules, probes and targets of its own stack in its own namespace, and nothing else.

use std::collections::BTreeMap;
use std::net::IpAddr;

use caretaker_api::MonitoringStack;
use caretaker_api::monitoring_stack::MonitoringTerms;
use caretaker_api::names;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    LocalObjectReference, PodSecurityContext, ResourceRequirements, SeccompProfile, Secret, SecretKeySelector, ServiceAccount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use serde::Serialize;
use serde_json::Value;

use super::prometheus_operator::{
    AlertmanagerSpec, MatcherStrategy, ProbeSpec, ProbeTargets, Prober, PrometheusSpec, ScrapeConfigSpec, Spec, StaticConfig, StaticProbes,
};
use super::{ALERTMANAGER_PORT, Observed, PROMETHEUS_PORT, Part, Target, name, network, rules, shards, storage, tiers};
use crate::desired::Desired;
use crate::layout::Ids;
use crate::ownership::{ALERTMANAGER_SECRET, Kind, PULL_SECRET};

/// The key of the Secret that says where alerts go.
const ALERTMANAGER_KEY: &str = "alertmanagers.yaml";

/// Everything but what names the targets themselves.
pub(super) fn frame(stack: &MonitoringStack, observed: &Observed, has_targets: bool) -> Vec<Desired> {
    let account = ServiceAccount { automount_service_account_token: Some(false), ..ServiceAccount::default() };
    let mut objects = vec![
        object(stack, "ServiceAccount", name(stack, "monitoring"), &account),
        object(stack, "Secret", ALERTMANAGER_SECRET.to_owned(), &alertmanager_address(stack)),
    ];
    objects.extend(observed.pull_secret.copy().map(|copy| object(stack, "Secret", PULL_SECRET.to_owned(), &copy)));
    objects.push(of_spec(stack, stack.name_any(), &alertmanager(stack, observed)));
    let configs = tiers::configs(&stack.spec.terms, &observed.receivers, observed.now);
    objects.extend(configs.iter().map(|(part, config)| of_spec(stack, name(stack, part), config)));
    objects.extend([
        of_spec(stack, name(stack, "rules"), &rules::rules(&stack.spec.terms, has_targets)),
        of_spec(stack, name(stack, "prometheus"), &itself()),
        of_spec(stack, stack.name_any(), &prometheus(stack, observed)),
    ]);
    objects.extend(network::policies(stack, observed).map(|(part, policy)| object(stack, "NetworkPolicy", name(stack, part), &policy)));
    objects
}

/// The objects that name targets.
pub(super) fn of_targets(stack: &MonitoringStack, targets: &[Target]) -> Vec<Desired> {
    let MonitoringTerms { exporter_port, prober, .. } = &stack.spec.terms;
    let mut objects = Vec::new();
    for (number, targets) in shards::shards(targets) {
        objects.push(of_spec(stack, name(stack, &format!("targets-{number}")), &scrape(&targets, *exporter_port)));
    }
    if let Some(prober) = prober {
        let public: Vec<&Target> = targets.iter().filter(|target| target.public.is_some()).collect();
        for (number, targets) in shards::shards(public) {
            objects.push(of_spec(stack, name(stack, &format!("public-{number}")), &probe(prober, &targets)));
        }
    }
    objects
}

fn of_spec<S: Spec>(stack: &MonitoringStack, name: String, spec: &S) -> Desired {
    #[derive(Serialize)]
    struct Body<'a, S> {
        spec: &'a S,
    }
    object(stack, S::KIND, name, &Body { spec })
}

/// An object with everything but what its type says of itself: the engine says that.
///
/// # Panics
/// Never: the types are structs with texts as keys, which are always JSON.
fn object<T: Serialize>(stack: &MonitoringStack, kind: &'static str, name: String, body: &T) -> Desired {
    let mut body = serde_json::to_value(body).expect("a struct with texts as keys is JSON");
    if let Value::Object(fields) = &mut body {
        fields.retain(|field, _| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata"));
    }
    Desired::new(kind, stack.namespace().unwrap_or_default(), name, body)
}

/// Labels that every object of the stack carries, and no other's.
fn own_objects(stack: &MonitoringStack) -> LabelSelector {
    let labels = [(names::OWNER_KIND_LABEL, Kind::MonitoringStack.label().to_owned()), (names::OWNER_NAME_LABEL, stack.name_any())];
    LabelSelector { match_labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()), ..LabelSelector::default() }
}

fn security(Ids { run_as_user, run_as_group, fs_group }: Ids) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user,
        run_as_group,
        fs_group,
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), ..SeccompProfile::default() }),
        ..PodSecurityContext::default()
    }
}

/// The copy, also while it is not there: a kubelet goes on without it, and says so.
fn pull_secrets(observed: &Observed) -> Vec<LocalObjectReference> {
    observed.layout.image_pull_secret.iter().map(|_| LocalObjectReference { name: PULL_SECRET.into() }).collect()
}

fn requests(cpu: &str, memory: &str) -> ResourceRequirements {
    let requests = [("cpu", cpu), ("memory", memory)].map(|(key, amount)| (key.to_owned(), Quantity(amount.to_owned())));
    ResourceRequirements { requests: Some(requests.into()), ..ResourceRequirements::default() }
}

/// Where Prometheus finds the one pod of its Alertmanager. A written address needs no token, no Role and no way to the API server, and holds while that one is
/// down.
fn alertmanager_address(stack: &MonitoringStack) -> Secret {
    let (name, namespace) = (stack.name_any(), stack.namespace().unwrap_or_default());
    let host = format!("alertmanager-{name}-0.alertmanager-operated.{namespace}.svc:{ALERTMANAGER_PORT}");
    let text = format!("- api_version: v2\n  static_configs:\n    - targets: [\"{host}\"]\n");
    Secret {
        data: Some([(ALERTMANAGER_KEY.to_owned(), ByteString(text.into_bytes()))].into()),
        type_: Some("Opaque".into()),
        ..Secret::default()
    }
}

/// Prometheus watches itself: else nothing tells that its rules fail.
fn itself() -> ScrapeConfigSpec {
    let targets = vec![format!("localhost:{PROMETHEUS_PORT}")];
    ScrapeConfigSpec {
        job_name: "prometheus",
        scrape_interval: "60s",
        static_configs: vec![StaticConfig { targets, labels: BTreeMap::new() }],
    }
}

fn prometheus(stack: &MonitoringStack, observed: &Observed) -> PrometheusSpec {
    PrometheusSpec {
        image: observed.layout.images.prometheus.clone(),
        image_pull_secrets: pull_secrets(observed),
        replicas: 1,
        retention: format!("{}d", stack.spec.terms.retention_days),
        retention_size: storage::retention_size(stack, observed),
        storage: storage::spec(stack, observed, Part::Prometheus),
        service_account_name: name(stack, "monitoring"),
        automount_service_account_token: false,
        external_labels: [("client".to_owned(), observed.client.clone())].into(),
        rule_selector: own_objects(stack),
        probe_selector: own_objects(stack),
        scrape_config_selector: own_objects(stack),
        additional_alert_manager_configs: SecretKeySelector {
            name: ALERTMANAGER_SECRET.into(),
            key: ALERTMANAGER_KEY.into(),
            optional: None,
        },
        security_context: security(observed.layout.pod_security_context),
        resources: requests("100m", "256Mi"),
    }
}

fn alertmanager(stack: &MonitoringStack, observed: &Observed) -> AlertmanagerSpec {
    AlertmanagerSpec {
        image: observed.layout.images.alertmanager.clone(),
        image_pull_secrets: pull_secrets(observed),
        replicas: 1,
        storage: storage::spec(stack, observed, Part::Alertmanager),
        service_account_name: name(stack, "monitoring"),
        automount_service_account_token: false,
        alertmanager_config_selector: own_objects(stack),
        // The alerts of a stack carry no namespace label, and nobody else's arrive here.
        alertmanager_config_matcher_strategy: MatcherStrategy { kind: "None" },
        // Beats are webhooks as pages are: a page test has to count without them.
        enable_features: if stack.spec.terms.heartbeat.is_some() { vec!["receiver-name-in-metrics"] } else { Vec::new() },
        security_context: security(observed.layout.pod_security_context),
        resources: requests("20m", "64Mi"),
    }
}

fn scrape(targets: &[&Target], port: u32) -> ScrapeConfigSpec {
    ScrapeConfigSpec {
        job_name: rules::MACHINES_JOB,
        scrape_interval: "60s",
        static_configs: targets
            .iter()
            .map(|target| StaticConfig { targets: vec![with_port(target.private, port)], labels: labels(target) })
            .collect(),
    }
}

fn labels(target: &Target) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::from([
        ("cloud", target.cloud.as_str().to_owned()),
        ("account", target.account.clone()),
        ("region", target.region.clone()),
        ("instance_id", target.id.clone()),
    ]);
    if !target.name.is_empty() {
        labels.insert("name", target.name.clone());
    }
    labels
}

fn with_port(ip: IpAddr, port: u32) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    }
}

fn probe(prober: &str, targets: &[&Target]) -> ProbeSpec {
    let addresses = targets.iter().filter_map(|target| target.public).map(|ip| ip.to_string()).collect();
    ProbeSpec {
        job_name: rules::PUBLIC_JOB,
        interval: "60s",
        module: "icmp",
        prober: Prober { url: prober.to_owned() },
        targets: ProbeTargets { static_config: StaticProbes { addresses } },
    }
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::Cloud;
    use serde_json::json;

    use super::super::{Observed, Watched};
    use super::*;

    fn all(stack: &MonitoringStack, observed: &Observed) -> Vec<Desired> {
        let targets = &observed.watched.targets;
        [frame(stack, observed, !targets.is_empty()), of_targets(stack, targets)].concat()
    }

    /// Whether the object names machines.
    fn names_machines(object: &Desired) -> bool {
        object.kind == "ScrapeConfig" && object.body["spec"]["jobName"] == rules::MACHINES_JOB
    }

    fn stack(prober: Option<&str>) -> MonitoringStack {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack", "metadata": {"name": "main", "namespace": "client-acme"},
            "spec": {"accounts": ["prod"], "prober": prober, "tiers": [
                {"name": "tier-1", "afterMinutes": 0, "webhookUrl": "https://desk.example/a"},
                {"name": "tier-2", "afterMinutes": 30, "webhookSecret": {"name": "lead", "key": "url"}},
            ]},
        }))
        .unwrap()
    }

    fn observed(count: usize) -> Observed {
        let target = |number: usize| Target {
            cloud: Cloud::Aws,
            account: "222222222222".into(),
            region: "eu-west-1".into(),
            id: format!("i-{number:05}"),
            name: if number == 0 { "a\"}\n{{ .Secret }} 日本".into() } else { String::new() },
            private: format!("10.0.{}.{}", number / 250, number % 250).parse().unwrap(),
            public: (number == 0).then(|| "203.0.113.7".parse().unwrap()),
        };
        let watched = Watched::of((0..count).map(target).collect());
        Observed { client: "acme".into(), watched, ..Observed::default() }
    }

    #[test]
    fn ten_thousand_targets_stay_far_below_what_etcd_takes() {
        let objects = all(&stack(None), &observed(10_000));
        assert_eq!(objects.iter().filter(|object| names_machines(object)).count(), 32);
        for object in &objects {
            assert!(serde_json::to_vec(&object.body).unwrap().len() < 500_000, "{}", object.describe());
        }
    }

    #[test]
    fn a_stack_selects_its_own_objects_only() {
        let objects = all(&stack(None), &observed(1));
        let prometheus = objects.iter().find(|object| object.kind == "Prometheus").unwrap();
        for selector in ["ruleSelector", "probeSelector", "scrapeConfigSelector"] {
            assert_eq!(prometheus.body["spec"][selector]["matchLabels"][names::OWNER_NAME_LABEL], "main", "{selector}");
        }
        for open in ["serviceMonitorSelector", "podMonitorSelector", "ruleNamespaceSelector"] {
            assert!(prometheus.body["spec"][open].is_null(), "{open} would reach beyond the stack");
        }
    }

    #[test]
    fn names_from_the_cloud_are_label_values_and_nothing_else() {
        let objects = all(&stack(Some("prober:9115")), &observed(2));
        for object in objects.iter().filter(|object| !names_machines(object)) {
            assert!(!object.body.to_string().contains("Secret }}"), "{}", object.describe());
        }
        assert_eq!(objects.iter().filter(|object| object.kind == "Probe").count(), 1);
    }

    #[test]
    fn a_stack_without_targets_has_no_scrape_config() {
        assert!(all(&stack(None), &observed(0)).iter().all(|object| !names_machines(object)));
    }

    /// What a stack of two machines has looked like since the first release, but for the label `job`, which no longer is the object's name.
    #[test]
    fn the_objects_are_the_ones_that_clients_have() {
        let objects = all(&stack(Some("prober:9115")), &observed(2));
        let made: Value = objects.iter().map(|object| (format!("{} {}", object.kind, object.name), object.body.clone())).collect();
        let expected: Value = serde_json::from_str(include_str!("objects.snapshot.json")).unwrap();
        assert_eq!(made, expected, "{}", serde_json::to_string_pretty(&made).unwrap());
    }

    #[test]
    fn ids_can_be_left_to_the_cluster_everywhere() {
        let layout = r#"{"podSecurityContext": {}}"#.parse().unwrap();
        let objects = all(&stack(None), &Observed { layout, ..observed(1) });
        for kind in ["Prometheus", "Alertmanager"] {
            let object = objects.iter().find(|object| object.kind == kind).unwrap();
            let expected = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
            assert_eq!(object.body["spec"]["securityContext"], expected, "{kind}");
        }
        assert!(objects.iter().all(|object| !object.body.to_string().contains("65534")));
    }

    #[test]
    fn machines_of_three_clouds_are_told_apart_by_their_labels() {
        let of = |cloud: Cloud, region: &str, private: &str| Target {
            cloud,
            account: format!("account of {cloud}"),
            region: region.into(),
            id: format!("id of {cloud}"),
            name: "web".into(),
            private: private.parse().unwrap(),
            public: None,
        };
        let targets = [
            of(Cloud::Aws, "eu-west-1", "10.0.0.1"),
            of(Cloud::Azure, "westeurope", "10.0.0.4"),
            of(Cloud::Gcp, "europe-west1", "fd20::1"),
        ];
        let watched = Watched::of(targets.to_vec());
        let objects = all(&stack(None), &Observed { watched, ..Observed::default() });
        let scrape = objects.iter().find(|object| names_machines(object)).unwrap();
        let configs = scrape.body["spec"]["staticConfigs"].as_array().unwrap();
        let expected =
            [("aws", "eu-west-1", "10.0.0.1:9100"), ("azure", "westeurope", "10.0.0.4:9100"), ("gcp", "europe-west1", "[fd20::1]:9100")];
        for (config, (cloud, region, target)) in configs.iter().zip(expected) {
            let labels = json!({
                "cloud": cloud, "account": format!("account of {cloud}"), "region": region, "instance_id": format!("id of {cloud}"), "name": "web",
            });
            assert_eq!((&config["labels"], &config["targets"]), (&labels, &json!([target])));
        }
        assert_eq!(configs.len(), 3);
    }

    #[test]
    fn one_machine_more_changes_no_label_of_another() {
        let labelled = |count: usize| {
            let mut found = BTreeMap::new();
            for object in all(&stack(None), &observed(count)).iter().filter(|object| names_machines(object)) {
                for config in object.body["spec"]["staticConfigs"].as_array().unwrap() {
                    let job = object.body["spec"]["jobName"].clone();
                    found.insert(config["targets"][0].to_string(), (job, config["labels"].clone()));
                }
            }
            found
        };
        for count in [499, 500, 501, 999, 1000] {
            let (before, after) = (labelled(count), labelled(count + 1));
            assert_eq!((before.len(), after.len()), (count, count + 1));
            assert!(before.iter().all(|(target, labels)| after[target] == *labels), "{count} machines and one more");
        }
    }
}
