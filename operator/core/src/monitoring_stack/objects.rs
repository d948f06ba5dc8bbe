//! The objects of one stack. A stack's Prometheus takes rules, probes and targets of its own stack in its own namespace, and nothing else.

use caretaker_api::MonitoringStack;
use caretaker_api::monitoring_stack::Tier;
use caretaker_api::names;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{Observed, Target, name, rules};
use crate::desired::Desired;
use crate::ownership::Kind;

/// Targets in one ScrapeConfig or Probe: an object stays far below what etcd takes.
const SHARD: usize = 500;

pub(super) fn all(stack: &MonitoringStack, observed: &Observed) -> Vec<Desired> {
    let namespace = stack.namespace().unwrap_or_default();
    let make = |kind: &'static str, name: String, body: Value| Desired::new(kind, &namespace, name, body);
    let mut objects = vec![
        make("ServiceAccount", name(stack, "monitoring"), json!({"automountServiceAccountToken": false})),
        make("Alertmanager", stack.name_any(), json!({"spec": alertmanager(stack)})),
        make("AlertmanagerConfig", name(stack, "tiers"), json!({"spec": routes(&stack.spec.terms.tiers)})),
        make("PrometheusRule", name(stack, "rules"), json!({"spec": rules::rules(&stack.spec.terms, &observed.targets)})),
        make("Prometheus", stack.name_any(), json!({"spec": prometheus(stack, observed)})),
        make("NetworkPolicy", name(stack, "monitoring"), json!({"spec": egress(stack)})),
    ];
    for (number, targets) in observed.targets.chunks(SHARD).enumerate() {
        let body = json!({"spec": scrape(targets, stack.spec.terms.exporter_port)});
        objects.push(make("ScrapeConfig", name(stack, &format!("targets-{number}")), body));
    }
    if let Some(prober) = &stack.spec.terms.prober {
        let public: Vec<&Target> = observed.targets.iter().filter(|target| !target.public_ip.is_empty()).collect();
        for (number, targets) in public.chunks(SHARD).enumerate() {
            objects.push(make("Probe", name(stack, &format!("public-{number}")), json!({"spec": probe(prober, targets)})));
        }
    }
    objects
}

/// Labels that every object of the stack carries, and no other's.
fn own_objects(stack: &MonitoringStack) -> Value {
    json!({"matchLabels": {
        (names::OWNER_KIND_LABEL): Kind::MONITORING_STACK.label(),
        (names::OWNER_NAME_LABEL): stack.name_any(),
    }})
}

fn security() -> Value {
    json!({"runAsNonRoot": true, "runAsUser": 65534, "runAsGroup": 65534, "fsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"}})
}

fn prometheus(stack: &MonitoringStack, observed: &Observed) -> Value {
    json!({
        "replicas": 1,
        "retention": format!("{}d", stack.spec.terms.retention_days),
        "serviceAccountName": name(stack, "monitoring"),
        "automountServiceAccountToken": false,
        "externalLabels": {"client": observed.client},
        "ruleSelector": own_objects(stack),
        "probeSelector": own_objects(stack),
        "scrapeConfigSelector": own_objects(stack),
        "alerting": {"alertmanagers": [{"namespace": stack.namespace(), "name": "alertmanager-operated", "port": "web"}]},
        "securityContext": security(),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
    })
}

fn alertmanager(stack: &MonitoringStack) -> Value {
    json!({
        "replicas": 1,
        "serviceAccountName": name(stack, "monitoring"),
        "automountServiceAccountToken": false,
        "alertmanagerConfigSelector": own_objects(stack),
        // The alerts of a stack carry no namespace label, and nobody else's arrive here.
        "alertmanagerConfigMatcherStrategy": {"type": "None"},
        "securityContext": security(),
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
    })
}

/// One receiver and one route for each tier. What carries no tier goes to the first.
fn routes(tiers: &[Tier]) -> Value {
    let receivers: Vec<Value> = tiers
        .iter()
        .map(|tier| {
            let mut webhook = json!({"sendResolved": true});
            if let Some(secret) = &tier.webhook_secret {
                webhook["urlSecret"] = json!({"name": secret.name, "key": secret.key});
            } else if let Some(url) = &tier.webhook_url {
                webhook["url"] = json!(url);
            }
            json!({"name": tier.name, "webhookConfigs": [webhook]})
        })
        .collect();
    let routes: Vec<Value> = tiers
        .iter()
        .map(|tier| json!({"receiver": tier.name, "matchers": [{"name": "tier", "value": tier.name, "matchType": "="}]}))
        .collect();
    let first = tiers.first().map(|tier| tier.name.clone()).unwrap_or_default();
    json!({
        "route": {"receiver": first, "groupBy": ["alertname", "account", "region"], "groupWait": "30s", "groupInterval": "5m", "repeatInterval": "4h", "routes": routes},
        "receivers": receivers,
    })
}

fn scrape(targets: &[Target], port: u32) -> Value {
    let configs: Vec<Value> = targets
        .iter()
        .map(|target| {
            let mut labels = json!({"cloud": "aws", "account": target.account, "region": target.region, "instance_id": target.id});
            if !target.name.is_empty() {
                labels["name"] = json!(target.name);
            }
            json!({"targets": [format!("{}:{port}", target.private_ip)], "labels": labels})
        })
        .collect();
    json!({"scrapeInterval": "60s", "staticConfigs": configs})
}

fn probe(prober: &str, targets: &[&Target]) -> Value {
    let addresses: Vec<&str> = targets.iter().map(|target| target.public_ip.as_str()).collect();
    json!({
        "interval": "60s",
        "module": "icmp",
        "prober": {"url": prober},
        "targets": {"staticConfig": {"static": addresses}},
    })
}

/// What the stack needs beyond its namespace: exporters, the prober, and the receivers of alerts.
fn egress(stack: &MonitoringStack) -> Value {
    json!({
        "podSelector": {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "In", "values": ["prometheus", "alertmanager"]}]},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [
            {"protocol": "TCP", "port": stack.spec.terms.exporter_port},
            {"protocol": "TCP", "port": 443},
            {"protocol": "TCP", "port": 80},
            {"protocol": "TCP", "port": 9115},
        ]}],
    })
}

#[cfg(test)]
mod tests {
    use super::super::Observed;
    use super::*;

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
            account: "222222222222".into(),
            region: "eu-west-1".into(),
            id: format!("i-{number:05}"),
            name: if number == 0 { "a\"}\n{{ .Secret }} 日本".into() } else { String::new() },
            private_ip: format!("10.0.{}.{}", number / 250, number % 250),
            public_ip: if number == 0 { "203.0.113.7".into() } else { String::new() },
        };
        Observed { client: "acme".into(), targets: (0..count).map(target).collect(), ..Observed::default() }
    }

    #[test]
    fn ten_thousand_targets_stay_far_below_what_etcd_takes() {
        let objects = all(&stack(None), &observed(10_000));
        assert_eq!(objects.iter().filter(|object| object.kind == "ScrapeConfig").count(), 20);
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
        for object in objects.iter().filter(|object| object.kind != "ScrapeConfig") {
            assert!(!object.body.to_string().contains("Secret }}"), "{}", object.describe());
        }
        assert_eq!(objects.iter().filter(|object| object.kind == "Probe").count(), 1);
    }

    #[test]
    fn a_stack_without_targets_has_no_scrape_config() {
        assert!(all(&stack(None), &observed(0)).iter().all(|object| object.kind != "ScrapeConfig"));
    }
}
