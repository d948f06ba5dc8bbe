//! Which prometheus-operators run, and whether one watches a client's namespace. They are told by the labels that their own manifests and charts give them;
//! of one with other labels nothing is known, and nothing is claimed.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::pods::{is_ready, why_not_ready};

/// Selects the pods of prometheus-operators, and some of other controllers.
/// Source: the labels in <https://github.com/prometheus-operator/prometheus-operator/blob/v0.85.0/bundle.yaml> and in
/// <https://github.com/prometheus-community/helm-charts/blob/main/charts/kube-prometheus-stack/templates/prometheus-operator/_prometheus-operator.tpl>.
pub const PODS: &str = "app.kubernetes.io/component in (controller,prometheus-operator)";
/// How long none may run before it is told: a pod that moves to another node is away for a while.
const GRACE: SignedDuration = SignedDuration::from_secs(20);
/// Most of those that ran before that are remembered.
const MAX_REMEMBERED: usize = 16;

/// Whether a prometheus-operator looks after a client's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Attended {
    /// None was seen that can be told by its labels: it may run all the same.
    #[default]
    Unknown,
    /// One does.
    Yes,
    /// None does at the moment, as when a pod moves to another node: to be looked at again soon.
    Missed,
    /// None does, and why.
    No(String),
}

/// What is known of the prometheus-operators of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Attendants {
    running: Vec<Seen>,
    /// Pods that do not run, and why.
    troubled: Vec<String>,
    /// Those that ran at any look before.
    past: Vec<Seen>,
    none_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    /// Namespace and name of the pod.
    pod: String,
    scope: Scope,
}

impl Attendants {
    /// Takes what a look at the pods found.
    pub fn look(&mut self, pods: &[Pod], now: Timestamp) {
        let is_one = |pod: &&Pod| {
            pod.labels().get("app.kubernetes.io/name").is_some_and(|name| name.ends_with("prometheus-operator"))
                && pod.metadata.deletion_timestamp.is_none()
        };
        (self.running, self.troubled) = (Vec::new(), Vec::new());
        for pod in pods.iter().filter(is_one) {
            let name = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
            if is_ready(pod) {
                self.running.push(Seen { pod: name, scope: Scope::of(pod) });
            } else {
                self.troubled.push(format!("its pod {name} {}", why_not_ready(pod)));
            }
        }
        for seen in &self.running {
            if !self.past.iter().any(|past| past.scope == seen.scope) {
                self.past.push(seen.clone());
            }
        }
        let from = self.past.len().saturating_sub(MAX_REMEMBERED);
        self.past.drain(..from);
        self.none_since = if self.running.is_empty() { self.none_since.or(Some(now)) } else { None };
    }

    /// Whether one looks after a namespace. `is_taken_up` tells that one has read the objects there as they are.
    #[must_use]
    pub fn of(&self, namespace: &str, is_taken_up: bool, now: Timestamp) -> Attended {
        let watches = |seen: &&Seen| seen.scope.fault(namespace).is_none();
        if self.running.iter().any(|seen| watches(&seen)) {
            return Attended::Yes;
        }
        let before = self.past.iter().rev().find(watches);
        // Another one, which no label tells, may look after the namespace.
        if before.is_none() && is_taken_up {
            return Attended::Unknown;
        }
        let excluded = self.running.iter().find_map(|seen| Some((&seen.pod, seen.scope.fault(namespace)?)));
        if let Some((pod, fault)) = excluded {
            return Attended::No(format!("the prometheus-operator (pod {pod}) does not watch this namespace: {fault}"));
        }
        let Some(since) = self.none_since else { return Attended::Unknown };
        let why = match (self.troubled.first(), before) {
            (Some(trouble), _) => trouble.clone(),
            (None, Some(seen)) => {
                format!("its pod {} is gone and no other has come; start it again (kubectl get deployment -A | grep prometheus)", seen.pod)
            }
            (None, None) => return Attended::Unknown,
        };
        if now.duration_since(since) < GRACE {
            return Attended::Missed;
        }
        Attended::No(format!("the prometheus-operator does not run: {why}"))
    }
}

/// Which namespaces a prometheus-operator watches, as its flags say.
/// Source: <https://prometheus-operator.dev/docs/platform/operator/>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Scope {
    allow: Vec<String>,
    deny: Vec<String>,
    prometheus: Vec<String>,
    alertmanager: Vec<String>,
}

impl Scope {
    fn of(pod: &Pod) -> Self {
        let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
        let words: Vec<&String> =
            containers.iter().flat_map(|container| container.command.iter().flatten().chain(container.args.iter().flatten())).collect();
        let mut scope = Self::default();
        for (number, word) in words.iter().enumerate() {
            let flag = word.trim_start_matches('-');
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, value),
                None => (flag, words.get(number + 1).map(|next| next.as_str()).unwrap_or_default()),
            };
            // A value out of the environment is not known here.
            if flag.len() == word.len() || value.contains("$(") {
                continue;
            }
            let list = || value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            match name {
                "namespaces" => scope.allow = list(),
                "deny-namespaces" => scope.deny = list(),
                "prometheus-instance-namespaces" => scope.prometheus = list(),
                "alertmanager-instance-namespaces" => scope.alertmanager = list(),
                _ => {}
            }
        }
        scope
    }

    /// Why a namespace is not watched.
    fn fault(&self, namespace: &str) -> Option<String> {
        if self.deny.iter().any(|name| name == namespace) {
            return Some(format!("--deny-namespaces names {namespace}"));
        }
        let lists = [
            ("--namespaces", &self.allow),
            ("--prometheus-instance-namespaces", &self.prometheus),
            ("--alertmanager-instance-namespaces", &self.alertmanager),
        ];
        // An empty name stands for all namespaces.
        let is_left_out = |list: &[String]| !list.is_empty() && !list.iter().any(|name| name == namespace);
        let (flag, list) = lists.into_iter().find(|(_, list)| is_left_out(list))?;
        Some(format!("{flag}={} does not name {namespace}; add it, or leave the flag out", list.join(",")))
    }
}

#[cfg(test)]
mod tests;
