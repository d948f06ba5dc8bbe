//! Whether the pods of a stack run, and what keeps them from it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use serde_json::Value;

use super::storage;

/// One of the two programs of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Prometheus.
    Prometheus,
    /// Alertmanager.
    Alertmanager,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Prometheus, Self::Alertmanager];

    /// Its name in labels and in names of objects.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
        }
    }

    /// The kind of its object of the prometheus-operator.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Prometheus => "Prometheus",
            Self::Alertmanager => "Alertmanager",
        }
    }

    /// The StatefulSet that the prometheus-operator makes for the stack.
    #[must_use]
    pub fn stateful_set(self, stack: &str) -> String {
        format!("{}-{stack}", self.as_str())
    }
}

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not run or is not ready; why.
    Waits(String),
    /// Its pod is ready, at this address.
    Runs(Option<IpAddr>),
}

impl Default for State {
    fn default() -> Self {
        Self::Waits("nobody has looked yet".into())
    }
}

/// What the cluster says of a part.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Pods of the namespace that the prometheus-operator has made.
    pub pods: &'a [Pod],
    /// Events of the namespace.
    pub events: &'a [Event],
    /// Volume claims of the namespace.
    pub claims: &'a [PersistentVolumeClaim],
    /// Generation and status of the part's object of the prometheus-operator.
    pub object: Option<(Option<i64>, &'a Value)>,
}

/// How a part of the stack is.
#[must_use]
pub fn state(part: Part, stack: &str, seen: Seen<'_>) -> State {
    let owner = part.stateful_set(stack);
    let is_its = |pod: &&Pod| pod.owner_references().iter().any(|reference| reference.kind == "StatefulSet" && reference.name == owner);
    let mut pods = seen.pods.iter().filter(is_its).filter(|pod| pod.metadata.deletion_timestamp.is_none());
    match pods.next() {
        None => State::Waits(why_none(part, &owner, seen)),
        Some(pod) if is_ready(pod) => State::Runs(pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()?.parse().ok())),
        Some(pod) => {
            let why = format!("pod {} {}", pod.name_any(), why_not_ready(pod));
            let volume = storage::unbound(part, stack, (seen.claims, seen.events), &why).or_else(|| why_not_mounted(pod, seen.events));
            State::Waits(volume.unwrap_or(why))
        }
    }
}

/// Why a volume of a pod cannot be used, where none of its containers has begun for it.
fn why_not_mounted(pod: &Pod, events: &[Event]) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = || status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let has_begun = |container: &ContainerStatus| {
        container.started == Some(true)
            || container.restart_count > 0
            || container.state.as_ref().is_some_and(|state| state.waiting.is_none())
    };
    if containers().next().is_none() || containers().any(has_begun) {
        return None;
    }
    let name = pod.name_any();
    let is_of_volume = |event: &&Event| {
        let about = &event.involved_object;
        matches!(event.reason.as_deref(), Some("FailedMount" | "FailedAttachVolume"))
            && (about.kind.as_deref(), about.name.as_deref()) == (Some("Pod"), Some(name.as_str()))
    };
    let message = events.iter().rev().find(is_of_volume)?.message.as_deref()?;
    Some(format!("pod {name} cannot use a volume: {message}"))
}

/// Why there is no pod: what the controller of the StatefulSet says, else the prometheus-operator.
fn why_none(part: Part, owner: &str, seen: Seen<'_>) -> String {
    let is_its = |event: &&Event| {
        let about = &event.involved_object;
        event.type_.as_deref() == Some("Warning") && about.kind.as_deref() == Some("StatefulSet") && about.name.as_deref() == Some(owner)
    };
    if let Some(message) = seen.events.iter().rev().find(is_its).and_then(|event| event.message.clone()) {
        return format!("its pod cannot be made: {message}");
    }
    let kind = part.kind();
    let Some((generation, status)) = seen.object else {
        return format!("{kind} is not made yet");
    };
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !is_taken_up(generation, status) {
        return format!("the prometheus-operator has not taken up the object {kind}: does it run, and does it watch this namespace?");
    }
    let is_false = |condition: &&Value| condition["type"] == "Reconciled" && condition["status"] == "False";
    match conditions.iter().find(is_false).and_then(|condition| condition["message"].as_str()) {
        Some(message) => format!("the prometheus-operator says: {message}"),
        None => "its pod is not made yet".into(),
    }
}

/// Whether a prometheus-operator has read an object as it is, as its generation and status say.
#[must_use]
pub fn is_taken_up(generation: Option<i64>, status: &Value) -> bool {
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|condition| condition["observedGeneration"].as_i64() >= generation)
}

/// Why the prometheus-operator refused objects of its own kinds, by their names.
#[must_use]
pub fn refused(warnings: &[Event]) -> BTreeMap<String, String> {
    let of = |event: &Event| {
        let (about, message) = (&event.involved_object, event.message.clone()?);
        about.api_version.as_deref().is_some_and(|version| version.starts_with("monitoring.coreos.com/")).then_some(())?;
        Some((about.name.clone()?, message))
    };
    warnings.iter().filter_map(of).collect()
}

pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Why a pod is not ready: it has no node, a container cannot start, has ended, or is not ready yet. Without addresses, times and counts, which change by
/// themselves.
pub(super) fn why_not_ready(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let unscheduled = conditions.into_iter().flatten().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unscheduled {
        return format!("has no node: {}", condition.message.as_deref().unwrap_or("the scheduler gives no reason"));
    }
    let containers = || {
        let of = |list: Option<&Vec<ContainerStatus>>| list.cloned().unwrap_or_default();
        status
            .map(|status| [of(status.init_container_statuses.as_ref()), of(status.container_statuses.as_ref())].concat())
            .unwrap_or_default()
    };
    let containers = containers();
    if let Some(cause) = containers.iter().find_map(why_waits) {
        return cause;
    }
    match containers.iter().find(|container| !container.ready) {
        Some(container) => format!("is not ready: container {} is starting", container.name),
        None => "is not ready".into(),
    }
}

/// Words of the kubelet for a container that is on its way.
const STARTING: [&str; 2] = ["PodInitializing", "ContainerCreating"];

fn why_waits(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let name = &container.name;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().filter(|reason| !STARTING.contains(reason))?;
        let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
        let detail = match (reason, last) {
            // Its message counts seconds.
            ("CrashLoopBackOff", Some(last)) => {
                format!("it ended with {} ({})", last.exit_code, last.reason.as_deref().unwrap_or("no reason"))
            }
            ("ImagePullBackOff" | "ErrImagePull", _) => format!("image {}", container.image),
            _ => waiting.message.clone().unwrap_or_default(),
        };
        // The kubelet goes back and forth between the two.
        let reason = if reason == "ErrImagePull" { "ImagePullBackOff" } else { reason };
        return Some(format!("cannot start container {name}: {reason}: {detail}").trim_end_matches([':', ' ']).to_owned());
    }
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    Some(format!("ended container {name} with {} ({})", ended.exit_code, ended.reason.as_deref().unwrap_or("no reason")))
}

#[cfg(test)]
mod tests;
