//! 05: monitoring, to be applied as it is: `kubectl apply -n ANY -f objects.json`, in a cluster that has the prometheus-operator and nothing of Caretaker's.
//!
//! Labels, ServiceAccounts and the address of Alertmanager are made anew, since those of the client's namespace select and lead nowhere else. What is the
//! provider's own (receivers, the prober, images) is left out or a placeholder that loads.

mod receivers;

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::names;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{File, Gap, Part};
use crate::handover::contents::Inputs;
use crate::monitoring_stack::ALERTMANAGER_PORT;

pub(super) struct Monitoring;

const PATH: &str = "05-monitoring";
/// The file to apply.
pub const OBJECTS: &str = "05-monitoring/objects.json";
/// Host in every placeholder: no name below `.invalid` is ever found.
/// Source: RFC 2606, section 2.
const NOWHERE: &str = "replace-me.invalid";
/// Stands for the provider's prober.
pub(super) const PROBER: &str = "replace-me.invalid:9115";
/// The label by which the objects of one stack find each other.
const LABEL: &str = "handover.caretaker.dev/stack";
/// The key of the Secret that says where alerts go.
const ALERTMANAGER_KEY: &str = "alertmanagers.yaml";
/// Fields that select objects of the stack.
const SELECTORS: [&str; 4] = ["ruleSelector", "probeSelector", "scrapeConfigSelector", "alertmanagerConfigSelector"];
/// Fields with which the provider's cluster fetches images.
const IMAGES: [&str; 2] = ["image", "imagePullSecrets"];
/// Bytes of targets in one object: `kubectl apply` keeps a copy of the object in an annotation, and all annotations together may have 256 KiB.
/// Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/>, on client-side apply.
const MOST: usize = 100_000;

impl Part for Monitoring {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "rules, routes, targets and probes as objects of the prometheus-operator, and the list of what you must put in their place"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        if inputs.monitoring.is_empty() {
            return Vec::new();
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": export(inputs.monitoring)});
        vec![File::json(OBJECTS, &list), File::json("05-monitoring/placeholders.json", &placeholders(inputs))]
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        if inputs.monitoring.is_empty() {
            let reason = match inputs.client.spec.monitoring {
                Some(_) => "no monitoring object stands in the cluster",
                None => "no monitoring was agreed",
            };
            return vec![Gap::new(PATH, reason)];
        }
        let of = |placeholder: Placeholder| {
            let reason = format!("{} {}, field {}: {}", placeholder.kind, placeholder.name, placeholder.field, placeholder.meaning);
            Gap::new(PATH, reason)
        };
        let mut gaps: Vec<Gap> = placeholders(inputs).into_iter().map(of).collect();
        gaps.push(Gap::new(
            PATH,
            "metrics, silences and dashboards are not part of this release: ask the provider for them before they end",
        ));
        gaps
    }
}

/// Something of the provider's own that the receiver puts something in the place of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placeholder {
    kind: String,
    name: String,
    field: String,
    placeholder: String,
    meaning: String,
}

/// The placeholders of the objects.
#[must_use]
pub fn placeholders(inputs: &Inputs<'_>) -> Vec<Placeholder> {
    let mut found = Vec::new();
    for object in export(inputs.monitoring) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let mut take = |field: String, placeholder: String, meaning: String| {
            found.push(Placeholder { kind: kind.clone(), name: name.clone(), field, placeholder, meaning });
        };
        for (number, receiver) in object["spec"]["receivers"].as_array().into_iter().flatten().enumerate() {
            let (field, placeholder, meaning) = receivers::placeholder(number, receiver);
            take(field, placeholder, meaning);
        }
        if object["spec"]["storage"]["volumeClaimTemplate"].is_object() {
            let of = "the provider's storage class is left out, and your cluster's default is taken: name one of yours where there is none. The volume is empty \
                      at first, for what was measured and silenced before stays behind";
            take("spec.storage.volumeClaimTemplate.spec.storageClassName".into(), String::new(), of.into());
        }
        if kind == "Probe" {
            let of = "put the host and port of your own blackbox exporter here: the provider's is left out";
            take("spec.prober.url".into(), text(&object["spec"]["prober"]["url"]), of.into());
        }
    }
    found
}

/// The address that stands for a receiver of the provider's.
pub(super) fn receiver(name: &str) -> String {
    let path: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("http://{NOWHERE}/{path}")
}

/// The objects as anybody can apply them, those that others need first.
fn export(objects: &[Value]) -> Vec<Value> {
    let mut made: BTreeMap<(usize, String, String), Value> = BTreeMap::new();
    let mut accounts = BTreeSet::new();
    let mut keys: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for object in objects {
        let (kind, name) = (object["kind"].as_str().unwrap_or_default(), object["metadata"]["name"].as_str().unwrap_or_default());
        let stack = object["metadata"]["labels"][names::OWNER_NAME_LABEL].as_str().unwrap_or("main");
        accounts.extend(object["spec"]["serviceAccountName"].as_str().map(|account| (account.to_owned(), stack.to_owned())));
        if kind == "AlertmanagerConfig" {
            keys.entry(stack).or_default().extend(receivers::keys(&object["spec"]));
        }
        for (name, spec) in specs(kind, name, stack, &object["spec"]) {
            let head = Head { version: object["apiVersion"].as_str().unwrap_or_default(), kind, name: &name, stack };
            made.insert((2, kind.to_owned(), name.clone()), head.with(json!({"spec": spec})));
        }
        if kind == "Alertmanager" {
            let secret = alertmanager_secret(stack);
            let data = json!({"stringData": {ALERTMANAGER_KEY: alertmanager_address(name)}});
            let head = Head { version: "v1", kind: "Secret", name: &secret, stack };
            made.insert((1, "Secret".into(), secret.clone()), head.with(data));
        }
    }
    for (stack, keys) in keys.into_iter().filter(|(_, keys)| !keys.is_empty()) {
        let name = receivers::secret(stack);
        let head = Head { version: "v1", kind: "Secret", name: &name, stack };
        made.insert((1, "Secret".into(), name.clone()), head.with(json!({"stringData": keys})));
    }
    for (account, stack) in accounts {
        let head = Head { version: "v1", kind: "ServiceAccount", name: &account, stack: &stack };
        let made_anew = head.with(json!({"automountServiceAccountToken": false}));
        made.insert((0, "ServiceAccount".into(), account.clone()), made_anew);
    }
    made.into_values().collect()
}

/// What an object says of itself.
struct Head<'a> {
    version: &'a str,
    kind: &'a str,
    name: &'a str,
    stack: &'a str,
}

impl Head<'_> {
    fn with(&self, body: Value) -> Value {
        let mut object = json!({
            "apiVersion": self.version, "kind": self.kind, "metadata": {"name": self.name, "labels": {LABEL: self.stack}},
        });
        if let (Value::Object(object), Value::Object(body)) = (&mut object, body) {
            object.extend(body);
        }
        object
    }
}

fn alertmanager_secret(stack: &str) -> String {
    format!("{stack}-alertmanager")
}

/// Without a namespace: the resolver of a pod looks in the pod's own first.
fn alertmanager_address(name: &str) -> String {
    format!("- api_version: v2\n  static_configs:\n    - targets: [\"alertmanager-{name}-0.alertmanager-operated:{ALERTMANAGER_PORT}\"]\n")
}

/// Name and spec of the object, or of several in its place.
fn specs(kind: &str, name: &str, stack: &str, spec: &Value) -> Vec<(String, Value)> {
    let mut spec = spec.clone();
    if let Value::Object(fields) = &mut spec {
        match kind {
            "Prometheus" | "Alertmanager" => program(fields, stack),
            "AlertmanagerConfig" => receivers::replace(fields, stack),
            "Probe" => drop(fields.insert("prober".into(), json!({"url": PROBER}))),
            "ScrapeConfig" => return parts_of(name, fields),
            _ => {}
        }
    }
    vec![(name.to_owned(), spec)]
}

fn program(fields: &mut Map<String, Value>, stack: &str) {
    fields.retain(|field, _| !IMAGES.contains(&field.as_str()));
    for selector in SELECTORS {
        if let Some(held) = fields.get_mut(selector) {
            *held = json!({"matchLabels": {LABEL: stack}});
        }
    }
    // Of the claim only what any cluster can give: classes, volumes and labels are the provider's.
    if let Some(claim) = fields.get_mut("storage").and_then(|storage| storage.get_mut("volumeClaimTemplate")) {
        *claim = json!({"spec": {"accessModes": claim["spec"]["accessModes"], "resources": claim["spec"]["resources"]}});
    }
    if let Some(held) = fields.get_mut("additionalAlertManagerConfigs") {
        *held = json!({"name": alertmanager_secret(stack), "key": ALERTMANAGER_KEY});
    }
}

/// Targets in pieces that `kubectl apply` takes. The label `job` says the same in each.
fn parts_of(name: &str, fields: &Map<String, Value>) -> Vec<(String, Value)> {
    let held = fields.get("staticConfigs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut pieces: Vec<(usize, Vec<Value>)> = vec![(0, Vec::new())];
    for config in held {
        let size = config.to_string().len();
        match pieces.last_mut() {
            Some((total, piece)) if *total + size <= MOST => {
                *total += size;
                piece.push(config.clone());
            }
            _ => pieces.push((size, vec![config.clone()])),
        }
    }
    let is_one = pieces.len() == 1;
    let named = |(number, (_, piece)): (usize, (usize, Vec<Value>))| {
        let mut fields = fields.clone();
        if !held.is_empty() {
            fields.insert("staticConfigs".into(), Value::Array(piece));
        }
        (if is_one { name.to_owned() } else { format!("{name}-{number}") }, Value::Object(fields))
    };
    pieces.into_iter().enumerate().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, spec: Value) -> Value {
        let labels = json!({names::OWNER_NAME_LABEL: "main", names::MANAGED_BY: names::MANAGER});
        json!({"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec})
    }

    fn of<'a>(made: &'a [Value], kind: &str) -> Vec<&'a Value> {
        made.iter().filter(|object| object["kind"] == kind).collect()
    }

    #[test]
    fn a_stack_finds_itself_in_any_namespace() {
        let selector = json!({"matchLabels": {names::OWNER_NAME_LABEL: "main"}});
        let spec = json!({
            "serviceAccountName": "main-monitoring", "image": "mirror.example/prometheus", "imagePullSecrets": [{"name": "x"}], "ruleSelector": selector,
            "additionalAlertManagerConfigs": {"name": "caretaker-alertmanager", "key": "alertmanagers.yaml"},
        });
        let made =
            export(&[object("Prometheus", "main", spec), object("Alertmanager", "main", json!({"serviceAccountName": "main-monitoring"}))]);
        let kinds: Vec<&str> = made.iter().filter_map(|object| object["kind"].as_str()).collect();
        assert_eq!(kinds, ["ServiceAccount", "Secret", "Alertmanager", "Prometheus"], "what others need comes first");
        let prometheus = of(&made, "Prometheus")[0];
        assert_eq!(prometheus["spec"]["ruleSelector"]["matchLabels"], prometheus["metadata"]["labels"]);
        assert_eq!(prometheus["spec"]["additionalAlertManagerConfigs"]["name"], of(&made, "Secret")[0]["metadata"]["name"]);
        assert_eq!(prometheus["spec"]["serviceAccountName"], of(&made, "ServiceAccount")[0]["metadata"]["name"]);
        let all = json!(made).to_string();
        assert!(!all.contains("mirror.example") && !all.contains("imagePullSecrets") && !all.contains("client-"), "{all}");
        assert!(made.iter().all(|object| object["metadata"]["namespace"].is_null()), "{all}");
        assert!(!all.contains(names::MANAGED_BY), "another Caretaker would take it for its own: {all}");
    }

    #[test]
    fn a_volume_keeps_its_size_and_names_no_class_of_the_provider_s() {
        let claim =
            json!({"storageClassName": "provider-ssd", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}});
        let template = json!({"metadata": {"creationTimestamp": null}, "spec": claim, "status": {}});
        let spec = json!({"retentionSize": "16384MB", "storage": {"volumeClaimTemplate": template}});
        let made = export(&[object("Prometheus", "main", spec)]);
        let kept = json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}});
        assert_eq!(made[0]["spec"]["storage"]["volumeClaimTemplate"], kept);
        assert_eq!(made[0]["spec"]["retentionSize"], "16384MB");
        assert!(!json!(made).to_string().contains("provider-ssd"));
    }

    #[test]
    fn receivers_of_any_kind_become_placeholders_and_routes_stay() {
        let key = json!({"name": "caretaker-receivers", "key": "a"});
        let spec = json!({
            "route": {"receiver": "tier-1", "activeTimeIntervals": ["hours"]},
            "muteTimeIntervals": [{"name": "hours"}],
            "receivers": [
                {"name": "tier-1.slack", "slackConfigs": [{"apiURL": key, "title": "t", "httpConfig": {"proxyUrl": "http://u:hunter2@p"}}]},
                {"name": "a b", "webhookConfigs": [{"url": "https://u:hunter2@desk.example"}]},
                {"name": "pd", "pagerdutyConfigs": [{"routingKey": key, "severity": "critical", "url": "https://hunter2.example"}]},
                {"name": "mail", "emailConfigs": [{"to": "hunter2@x.example", "smarthost": "hunter2:25", "authUsername": "hunter2", "text": "x"}]},
                {"name": "teams", "msteamsv2Configs": [{"webhookURL": key, "text": "x"}]},
            ],
        });
        let made = export(&[object("AlertmanagerConfig", "main-tier-tier-1", spec)]);
        let (secret, spec, all) = (&made[0], &made[1]["spec"], json!(made).to_string());
        let receivers = &spec["receivers"];
        assert_eq!(receivers[1]["webhookConfigs"][0]["url"], "http://replace-me.invalid/a-b");
        let own = |name: &str| json!({"name": "main-receivers", "key": name});
        assert_eq!(receivers[0]["slackConfigs"], json!([{"apiURL": own("tier-1.slack"), "title": "t"}]));
        assert_eq!(receivers[2]["pagerdutyConfigs"], json!([{"routingKey": own("pd"), "severity": "critical"}]));
        assert_eq!(receivers[3]["emailConfigs"][0]["smarthost"], "replace-me.invalid:587");
        assert_eq!(receivers[4]["msteamsv2Configs"], json!([{"webhookURL": own("teams"), "text": "x"}]));
        let held = json!({"pd": "replace-me", "teams": "http://replace-me.invalid/teams", "tier-1.slack": "http://replace-me.invalid/tier-1-slack"});
        assert_eq!((&secret["metadata"]["name"], &secret["stringData"]), (&json!("main-receivers"), &held));
        assert_eq!((&spec["route"]["receiver"], &spec["muteTimeIntervals"][0]["name"]), (&json!("tier-1"), &json!("hours")));
        assert!(!all.contains("hunter2") && !all.contains("caretaker-receivers"), "{all}");
        let told = receivers.as_array().unwrap().iter().enumerate().map(|(number, held)| super::receivers::placeholder(number, held));
        let fields: Vec<String> = told.map(|(field, ..)| field).collect();
        assert_eq!(fields[0], "spec.receivers[0].slackConfigs[0].apiURL");
        assert_eq!(fields[3], "spec.receivers[3].emailConfigs[0]");
    }

    #[test]
    fn kubectl_takes_ten_thousand_targets() {
        let target = |number: usize| json!({"targets": [format!("10.0.0.1:{number}")], "labels": {"name": "n".repeat(250), "account": "a".repeat(36)}});
        for (count, objects) in [(0, 1), (1, 1), (200, 1), (1000, 4)] {
            let spec = json!({"jobName": "machines", "staticConfigs": (0..count).map(target).collect::<Vec<_>>()});
            let made = export(&[object("ScrapeConfig", "main-targets-0", spec)]);
            assert_eq!(made.len(), objects, "{count}");
            let targets = |object: &Value| object["spec"]["staticConfigs"].as_array().map_or(0, Vec::len);
            assert_eq!(made.iter().map(targets).sum::<usize>(), count);
            assert!(made.iter().all(|object| object.to_string().len() < 200_000 && object["spec"]["jobName"] == "machines"));
        }
    }
}
