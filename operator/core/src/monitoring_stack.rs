//! `MonitoringStack`: which objects of the prometheus-operator a client has, and what is said of them.

mod attendants;
mod hours;
mod loaded;
mod network;
mod objects;
mod outages;
pub mod page_test;
mod page_text;
mod pods;
mod prometheus_operator;
mod pull;
mod receivers;
mod rules;
mod shards;
mod status;
mod storage;
#[cfg(test)]
mod tests;
mod tiers;
mod watched;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use caretaker_api::MonitoringStack;
use caretaker_api::condition::{ConditionType, Reason};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

pub use attendants::{Attendants, Attended, PODS as ATTENDANTS};
pub use hours::faults as hours_faults;
pub use loaded::{AlertmanagerSays, Answer, Loaded, PrometheusSays, RuleSays};
pub use outages::{Outages, incident};
pub use page_test::{Counts, PAGE_TEST, Page};
pub use pods::{Part, Seen as PartSeen, State, is_taken_up, refused, state};
pub use pull::PullSecret;
pub use receivers::{Judged, keys_of, needs_secret};
pub use rules::{GROUP, HEARTBEAT, MACHINES_JOB, PAUSE_MINUTES, PUBLIC_JOB, WATCHDOG};
pub use status::{status, what_runs};
pub use storage::{CLAIMS, claim};
pub use tiers::{GROUP_BY, in_order as tiers_in_order, receivers as receivers_of};
pub use watched::{Target, Watch, Watched};

use crate::desired::Desired;
use crate::incident::outage::Due;
use crate::layout::MonitoringLayout;
use crate::outcome::{Fault, Wait};
use crate::ownership::{Kind, OWNED, PULL_SECRET};

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] =
    &[ConditionType::MonitoringReady, ConditionType::IncidentsRecorded, ConditionType::PagesProven, ConditionType::DataKept];
/// What is said of monitoring whose client has left.
pub const ENDED: &str =
    "ended with the exit and its transition: no machine is watched and nobody is paged; what was measured stays until it is erased";
/// Kinds without which no monitoring can be made.
pub const NEEDED_KINDS: [&str; 6] = ["Prometheus", "Alertmanager", "PrometheusRule", "Probe", "ScrapeConfig", "AlertmanagerConfig"];

/// Port of Prometheus.
pub const PROMETHEUS_PORT: u16 = 9090;
/// Port of Alertmanager.
pub const ALERTMANAGER_PORT: u16 = 9093;

/// Time between two looks. Nothing wakes a stack whose receiver was lost, and it is to be told within a minute.
const RESYNC: Duration = Duration::from_secs(60);
/// Time between two looks at pods that do not run yet.
const LOOK: Duration = Duration::from_secs(10);
/// How long the short time holds: what a person must cure is looked at as seldom as everything else.
const SOON: SignedDuration = SignedDuration::from_mins(5);
/// Wait for the prometheus-operator.
const PAUSE: Duration = Duration::from_secs(60);

/// Kinds that name targets.
const TARGET_KINDS: [&str; 2] = ["ScrapeConfig", "Probe"];

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The ManagedClient.
    pub client: String,
    /// Needed kinds that the cluster does not serve.
    pub missing_kinds: Vec<&'static str>,
    /// Accounts of the spec that do not exist.
    pub missing_accounts: Vec<(usize, String)>,
    /// Digests of the inventories, by account.
    pub inventories: BTreeMap<String, String>,
    /// What the inventories give to watch.
    pub watched: Watched,
    /// Inventories that the store has lost.
    pub lost: Vec<LostInventory>,
    /// Namespace of the operator, from which Prometheus and Alertmanager may be asked.
    pub operator_namespace: String,
    /// What this cluster asks of the pods.
    pub layout: MonitoringLayout,
    /// The Secret with which the images are pulled.
    pub pull_secret: PullSecret,
    /// Whether Prometheus or Alertmanager of the cluster name the copy of such a Secret.
    pub names_pull_secret: bool,
    /// Whether a prometheus-operator looks after the namespace.
    pub attended: Attended,
    /// How Prometheus is.
    pub prometheus: State,
    /// How Alertmanager is.
    pub alertmanager: State,
    /// What the two say that they have loaded; `None` where they are not asked.
    pub loaded: Option<Loaded>,
    /// What Prometheus knows of outages, or why it cannot be asked; `None` where it is not to be asked.
    pub outages: Option<Result<Outages, String>>,
    /// What Alertmanager says of its pages, where a page test asks for it.
    pub pages: Option<Answer<Counts>>,
    /// What the Secret of the receivers holds.
    pub receivers: Judged,
    /// The time of the look: hours and windows are worked out from its month on.
    pub now: Timestamp,
    /// Whether the client has left and is looked after no more: then nothing is watched, and nobody paged.
    pub has_left: bool,
    /// Volume claims of the namespace, other people's too: a quota counts them all.
    pub claims: Vec<PersistentVolumeClaim>,
    /// What the quota of the namespace allows; `None` before it is made.
    pub quota: Option<BTreeMap<String, Quantity>>,
    /// Why the prometheus-operator refused objects, by their names.
    pub refused: BTreeMap<String, String>,
}

/// An inventory that the store has lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostInventory {
    /// Name of the CloudAccount.
    pub account: String,
    /// Why it cannot be read.
    pub cause: String,
    /// Whether what it gave to watch is known all the same, out of an earlier visit: it is among [`Observed::watched`] then.
    pub is_remembered: bool,
}

impl Observed {
    /// Whether it is not known what there is to watch. The objects that name targets stay as they are then.
    fn is_blind(&self) -> bool {
        self.lost.iter().any(|lost| !lost.is_remembered)
    }
}

/// Faults of what the stack refers to.
#[must_use]
pub fn check(stack: &MonitoringStack, observed: &Observed) -> Vec<Fault> {
    let mut faults = hours::faults(&stack.spec.terms, "spec");
    let accounts = observed.missing_accounts.iter().map(|(index, name)| {
        let message = format!("CloudAccount {name} does not exist in this namespace: make it or remove the entry");
        Fault::outside(Reason::ReferenceMissing, format!("spec.accounts[{index}]"), message)
    });
    faults.extend(accounts);
    faults.extend(storage::fault(stack, observed));
    faults
}

/// What is to be in the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The objects.
    pub objects: Vec<Desired>,
    /// Kinds of which nothing else of the stack's may stay.
    pub prunes: Vec<&'static str>,
    /// Kind and name of objects of kinds that nobody watches, to be deleted before anything else.
    pub drops: Vec<(&'static str, &'static str)>,
    /// Outages that become incidents.
    pub incidents: Vec<Due>,
    /// What a page test sends, and where Alertmanager is.
    pub page: Option<(Page, SocketAddr)>,
}

/// The objects of a stack. While the prometheus-operator is missing nothing is made and nothing goes; while an inventory is lost, whatever names
/// targets stays as it is.
#[must_use]
pub fn plan(stack: &MonitoringStack, observed: &Observed) -> Plan {
    if !observed.missing_kinds.is_empty() {
        return Plan::default();
    }
    let is_blind = observed.is_blind();
    let targets = &observed.watched.targets;
    let had_targets = stack.status.as_ref().is_some_and(|status| status.targets > 0);
    let mut objects = objects::frame(stack, observed, !targets.is_empty() || is_blind && had_targets);
    if !is_blind {
        objects.extend(objects::of_targets(stack, targets));
    }
    let owned = OWNED.iter().filter(|owned| owned.owners.contains(&Kind::MonitoringStack)).map(|owned| owned.kind);
    // Before the objects that name it are written: an operator that dies in between still knows that there is something to delete.
    let is_left_over = observed.names_pull_secret && observed.layout.image_pull_secret.is_none();
    Plan {
        objects,
        // Incidents come from what Prometheus knows and end in the store: nothing here asks for them.
        prunes: owned.filter(|kind| !(is_blind && TARGET_KINDS.contains(kind) || *kind == "Incident")).collect(),
        incidents: observed.outages.iter().flatten().flat_map(Outages::fit).cloned().collect(),
        page: None,
        drops: is_left_over.then_some(("Secret", PULL_SECRET)).into_iter().collect(),
    }
}

/// What a visit did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Objects that were made or changed.
    pub changed: usize,
    /// Objects that others change again and again, with manager and field, and when they are put back.
    pub contested: Vec<Wait>,
    /// Why what a page test sends did not arrive at Alertmanager.
    pub page_failed: Option<String>,
}

fn name(stack: &MonitoringStack, part: &str) -> String {
    format!("{}-{part}", stack.name_any())
}
