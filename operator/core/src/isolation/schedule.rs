//! When a test is due, what is done next, and what the status says.

use std::net::SocketAddr;
use std::time::Duration;

use caretaker_api::ManagedClient;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::isolation::{IsolationAttempt, IsolationRun, IsolationStatus};
use caretaker_api::names::ISOLATION_TEST_AT;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::Value;

use super::attempts::{Attempt, attempts};
use super::judge::{Verdict, judge, read};
use super::pod::{ATTEMPTS, NAME, PodTerms, pod};
use crate::conditions::{ConditionSet, Is, find, is_true_at};
use crate::jitter::jittered;

/// Time between two tests of a client whose last one found everything closed.
const DAILY: SignedDuration = SignedDuration::from_hours(24);
/// Time to the next test where the last one found something else: what was cured is seen soon.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// Time that a client's monitoring is waited for before the first test; the test is made without it then.
const MONITORING_WAIT: SignedDuration = SignedDuration::from_mins(10);
/// Longest test: the image may have to be pulled.
const LONGEST: SignedDuration = SignedDuration::from_mins(4);
/// Time after which a container that the kubelet cannot start is told; it may have tried twice by then.
const STUCK: SignedDuration = SignedDuration::from_secs(45);
/// What the kubelet says of containers that do not start by waiting. Source: pkg/kubelet/images/types.go and pkg/kubelet/kuberuntime of Kubernetes.
const STUCK_REASONS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];
/// Time between two looks at a test that runs.
const LOOK: Duration = Duration::from_secs(5);

/// Where a client's test is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Tests are switched off.
    #[default]
    Off,
    /// The client has left, or is leaving.
    Ended,
    /// The namespace is not ready.
    Early,
    /// The time has not come.
    Waits(Duration),
    /// A test is due.
    Due,
    /// A test runs.
    Runs,
}

/// What was seen for a test.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How pods are made; `None` where tests are switched off.
    pub terms: Option<PodTerms>,
    /// The pod of the name, where a test is due or runs.
    pub pod: Option<Pod>,
    /// Where pods of other clients answer, where a test is due.
    pub others: Vec<SocketAddr>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing.
    None,
    /// Try the pods that must not come to be, then make this one.
    Begin(Box<Value>),
    /// Delete the pod of the name if it has this UID.
    Delete(String),
}

/// What came of [`Step::Begin`].
#[derive(Clone, Debug, PartialEq)]
pub struct Began {
    /// UID of the pod, or why there is none.
    pub pod_uid: Result<String, String>,
    /// The attempts that were made beside it.
    pub attempts: Vec<IsolationAttempt>,
}

/// Whether the pod of the name is to be looked for: a test is due, runs, or ran until tests were ended.
#[must_use]
pub fn looks(client: &ManagedClient, stage: &Stage) -> bool {
    let runs = || client.status.as_ref().and_then(|status| status.isolation.as_ref()).is_some_and(|last| last.running.is_some());
    match stage {
        Stage::Due | Stage::Runs => true,
        Stage::Off | Stage::Ended => runs(),
        Stage::Early | Stage::Waits(_) => false,
    }
}

/// Where a client's test is, by its own object alone.
#[must_use]
pub fn stage(client: &ManagedClient, is_on: bool, is_leaving: bool, now: Timestamp) -> Stage {
    let status = client.status.clone().unwrap_or_default();
    if is_leaving || status.handed_over_by.is_some() {
        return Stage::Ended;
    }
    if !is_on {
        return Stage::Off;
    }
    let last = status.isolation.unwrap_or_default();
    if last.running.is_some() {
        return Stage::Runs;
    }
    let is_true = |kind| is_true_at(&status.conditions, kind, client.metadata.generation);
    if !is_true(ConditionType::NamespaceReady) {
        return Stage::Early;
    }
    if request(client).is_some_and(|asked| Some(asked) != last.last_handled_request.as_ref()) {
        return Stage::Due;
    }
    let due = match &last.last_test {
        None if is_true(ConditionType::MonitoringReady) => return Stage::Due,
        None => client.metadata.creation_timestamp.as_ref().map_or(now, |made| made.0 + MONITORING_WAIT),
        Some(last) => last.0 + interval(client),
    };
    match Duration::try_from(due.duration_since(now)) {
        Ok(left) if !left.is_zero() => Stage::Waits(left),
        _ => Stage::Due,
    }
}

fn request(client: &ManagedClient) -> Option<&String> {
    client.annotations().get(ISOLATION_TEST_AT)
}

fn interval(client: &ManagedClient) -> SignedDuration {
    let conditions = client.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    if find(conditions, ConditionType::Isolated).is_some_and(|found| Is::of(found) == Is::True) {
        jittered(DAILY, &client.uid().unwrap_or_default(), "isolation")
    } else {
        AGAIN
    }
}

/// What is done next.
#[must_use]
pub fn step(client: &ManagedClient, stage: &Stage, seen: &Seen, now: Timestamp) -> Step {
    let held = seen.pod.as_ref().map(|pod| pod.uid().unwrap_or_default());
    match (stage, held) {
        (Stage::Due, None) => {
            let Some(terms) = &seen.terms else { return Step::None };
            let conditions = client.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
            let has_monitoring = client.spec.monitoring.is_some()
                && find(conditions, ConditionType::MonitoringReady).is_some_and(|found| Is::of(found) == Is::True);
            let namespace = caretaker_api::names::client_namespace(&client.name_any());
            Step::Begin(Box::new(pod(client, terms, &attempts(&namespace, has_monitoring, &seen.others))))
        }
        // Left by an operator that was killed, or somebody else's: a test has a pod of its own.
        (Stage::Due, Some(uid)) => Step::Delete(uid),
        (Stage::Runs, Some(uid)) if told(client, seen, now).is_some() => Step::Delete(uid),
        // Nobody waits for its end any more.
        (Stage::Off | Stage::Ended, Some(uid)) => Step::Delete(uid),
        _ => Step::None,
    }
}

/// What the test that runs has come to; `None` while it goes on.
fn told(client: &ManagedClient, seen: &Seen, now: Timestamp) -> Option<Result<Vec<IsolationAttempt>, String>> {
    let run = client.status.as_ref()?.isolation.as_ref()?.running.as_ref()?;
    let Some(pod) = &seen.pod else { return Some(Err("its pod was deleted before it had ended".into())) };
    if pod.uid().as_ref() != Some(&run.pod_uid) {
        return Some(Err("another pod has taken its name".into()));
    }
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    // An image can be changed while a pod runs.
    if container.and_then(|container| container.image.as_ref()) != seen.terms.as_ref().map(|terms| &terms.image) {
        return Some(Err("its pod has another image than the operator".into()));
    }
    let states = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()).and_then(|all| all.first());
    let state = states.and_then(|status| status.state.as_ref());
    if let Some(ended) = state.and_then(|state| state.terminated.as_ref()) {
        let asked = container.and_then(|container| container.env.as_ref()?.iter().find(|entry| entry.name == ATTEMPTS)?.value.clone());
        let asked: Vec<Attempt> = asked.and_then(|asked| serde_json::from_str(&asked).ok()).unwrap_or_default();
        let words = ended.message.as_deref().unwrap_or_default();
        return Some(match read(&asked, words) {
            Ok(rows) => Ok([rows, run.attempts.clone()].concat()),
            Err(_) if ended.exit_code != 0 => {
                Err(format!("its pod ended with {} ({})", ended.exit_code, ended.reason.as_deref().unwrap_or("no reason")))
            }
            Err(why) => Err(why),
        });
    }
    let (waiting, since) = (state.and_then(|state| state.waiting.as_ref()), now.duration_since(run.started_at.0));
    let is_stuck = waiting.and_then(|waiting| waiting.reason.as_deref()).is_some_and(|reason| STUCK_REASONS.contains(&reason));
    if since < if is_stuck { STUCK } else { LONGEST } {
        return None;
    }
    let why =
        waiting.map(|waiting| format!("{} {}", waiting.reason.as_deref().unwrap_or("it waits"), waiting.message.as_deref().unwrap_or("")));
    let unscheduled = || {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?.message.clone()
    };
    let why = unscheduled().or(why).unwrap_or_else(|| "no reason is known".into());
    Some(Err(format!("its pod has not come to its end: {}", why.trim())))
}

/// The new status, the condition, and when to look again.
pub fn settle(
    client: &ManagedClient,
    (stage, seen): (&Stage, &Seen),
    began: Option<&Began>,
    set: &mut ConditionSet,
    now: Timestamp,
) -> (Option<IsolationStatus>, Option<Duration>) {
    let kind = ConditionType::Isolated;
    let held = client.status.as_ref().and_then(|status| status.isolation.clone());
    let last = held.clone().unwrap_or_default();
    match stage {
        Stage::Off => {
            set.set(kind, Is::Unknown, Reason::NotRequested, "the isolation test is switched off: chart value isolationTest.enabled");
            (held.map(|held| IsolationStatus { running: None, ..held }), None)
        }
        Stage::Ended => {
            set.set(kind, Is::Unknown, Reason::HandedOver, "no longer tested: the contract ends");
            (held.map(|held| IsolationStatus { running: None, ..held }), None)
        }
        Stage::Early | Stage::Waits(_) => {
            if last.last_test.is_none() {
                set.set(kind, Is::Unknown, Reason::Pending, "not tested yet: the test follows when namespace and monitoring are ready");
            } else {
                set.keep(kind);
            }
            // The stage is of the last visit's word; by this one's the first test may be due.
            let is_ready = [ConditionType::NamespaceReady, ConditionType::MonitoringReady].into_iter().all(|kind| set.is_true(kind));
            let look = match stage {
                _ if last.last_test.is_none() && is_ready => Some(LOOK),
                Stage::Waits(left) => Some(*left),
                _ => None,
            };
            (held, look)
        }
        Stage::Due => match began {
            Some(Began { pod_uid: Ok(uid), attempts }) => {
                if last.last_test.is_none() {
                    set.set(kind, Is::Unknown, Reason::Progressing, "the first isolation test runs");
                } else {
                    set.keep(kind);
                }
                let running = IsolationRun { started_at: Time(now), pod_uid: uid.clone(), attempts: attempts.clone() };
                (Some(IsolationStatus { running: Some(running), last_handled_request: request(client).cloned(), ..last }), Some(LOOK))
            }
            Some(Began { pod_uid: Err(why), attempts }) => {
                let why = Err(format!("its pod cannot be made: {why}"));
                // What was let in without the pod is an opening all the same.
                let open = attempts.iter().any(|attempt| !attempt.as_expected);
                let told = if open { Ok(attempts.clone()) } else { why };
                let last = IsolationStatus { last_handled_request: request(client).cloned(), ..last };
                (Some(ended(told, last, set, now)), None)
            }
            None => {
                set.keep(kind);
                (held, Some(LOOK))
            }
        },
        Stage::Runs => match told(client, seen, now) {
            Some(told) => (Some(ended(told, last, set, now)), None),
            None => {
                if last.last_test.is_some() {
                    set.keep(kind);
                }
                (held, Some(LOOK))
            }
        },
    }
}

fn ended(told: Result<Vec<IsolationAttempt>, String>, last: IsolationStatus, set: &mut ConditionSet, now: Timestamp) -> IsolationStatus {
    let verdict = told.as_deref().map_or_else(|why| Verdict::Untold(why.clone()), judge);
    let kind = ConditionType::Isolated;
    match &verdict {
        Verdict::Isolated(message) => set.set(kind, Is::True, Reason::Proven, message),
        Verdict::Open(message) => set.set(kind, Is::False, Reason::WayOpen, message),
        Verdict::ControlFailed(message) => set.set(kind, Is::Unknown, Reason::ControlFailed, message),
        Verdict::Untold(why) => {
            set.set(kind, Is::Unknown, Reason::TestFailed, format!("the isolation test by pod {NAME} told nothing: {why}"))
        }
    }
    let attempts = told.unwrap_or_default();
    IsolationStatus { last_test: Some(Time(now)), attempts, running: None, ..last }
}

#[cfg(test)]
mod tests;
