//! `MonitoringStack`: which objects of the prometheus-operator a client has, and what is said of them.

mod objects;
mod rules;

use std::collections::BTreeMap;
use std::time::Duration;

use caretaker_api::MonitoringStack;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::monitoring_stack::MonitoringStackStatus;
use caretaker_cloud::{Asset, AssetType};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::conditions::{ConditionSet, Is};
use crate::desired::Desired;
use crate::outcome::{Fault, Outcome, Wait, shortest};

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[ConditionType::MonitoringReady];
/// Kinds without which no monitoring can be made.
pub const NEEDED_KINDS: [&str; 6] = ["Prometheus", "Alertmanager", "PrometheusRule", "Probe", "ScrapeConfig", "AlertmanagerConfig"];

/// Time between two looks.
const RESYNC: Duration = Duration::from_secs(600);
/// Wait for the prometheus-operator.
const PAUSE: Duration = Duration::from_secs(60);

/// Something to watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// The cloud's id.
    pub id: String,
    /// Name as people gave it.
    pub name: String,
    /// Private address.
    pub private_ip: String,
    /// Public address; empty where there is none.
    pub public_ip: String,
}

/// The target that an asset gives: a running machine with an address.
#[must_use]
pub fn target(asset: &Asset) -> Option<Target> {
    let fact = |key: &str| asset.facts.get(key).cloned().unwrap_or_default();
    let running = asset.asset_type == AssetType::Instance && fact("state") == "running";
    let private_ip = fact("privateIp");
    (running && !private_ip.is_empty()).then(|| Target {
        account: asset.account.clone(),
        region: asset.region.clone(),
        id: asset.id.clone(),
        name: asset.name.clone(),
        private_ip,
        public_ip: fact("publicIp"),
    })
}

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
    /// Targets, sorted.
    pub targets: Vec<Target>,
}

/// Faults of what the stack refers to.
#[must_use]
pub fn check(observed: &Observed) -> Vec<Fault> {
    observed
        .missing_accounts
        .iter()
        .map(|(index, name)| {
            let message = format!("CloudAccount {name} does not exist in this namespace: make it or remove the entry");
            Fault::outside(Reason::ReferenceMissing, format!("spec.accounts[{index}]"), message)
        })
        .collect()
}

/// The objects of a stack; none while the prometheus-operator is missing.
#[must_use]
pub fn plan(stack: &MonitoringStack, observed: &Observed) -> Vec<Desired> {
    if !observed.missing_kinds.is_empty() {
        return Vec::new();
    }
    objects::all(stack, observed)
}

/// What a visit did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Objects that were made or changed.
    pub changed: usize,
    /// Objects that others change again and again, with manager and field, and when they are put back.
    pub contested: Vec<Wait>,
}

/// The new status and what the visit came to.
#[must_use]
pub fn status(
    stack: &MonitoringStack,
    observed: &Observed,
    faults: &[Fault],
    done: &Done,
    now: Timestamp,
) -> (MonitoringStackStatus, Outcome) {
    let mut status = stack.status.clone().unwrap_or_default();
    let kind = ConditionType::MonitoringReady;
    let mut set = ConditionSet::new(&status.conditions, CONDITIONS, stack.metadata.generation.unwrap_or_default(), now);
    let outcome = if let Some(fault) = faults.first() {
        set.set(kind, Is::False, fault.reason, &fault.message);
        Outcome::Refused(faults.to_vec())
    } else if !observed.missing_kinds.is_empty() {
        let message = format!(
            "the prometheus-operator's definitions are missing ({}); install it, such as with: helm install prometheus-operator prometheus-community/kube-prometheus-stack",
            observed.missing_kinds.join(", ")
        );
        set.set(kind, Is::False, Reason::PrometheusOperatorMissing, &message);
        Outcome::Waiting(Wait { reason: Reason::PrometheusOperatorMissing, message, after: PAUSE })
    } else {
        if let Some(wait) = done.contested.first() {
            set.set(kind, Is::False, wait.reason, &wait.message);
        } else {
            set.set(kind, Is::True, Reason::Settled, format!("{} targets", observed.targets.len()));
        }
        status.targets = u32::try_from(observed.targets.len()).unwrap_or(u32::MAX);
        status.inventories.clone_from(&observed.inventories);
        shortest(done.contested.iter().cloned()).map_or(Outcome::Settled(RESYNC), Outcome::Waiting)
    };
    if done.changed > 0 {
        status.changed_at = Some(Time(now));
    }
    status.conditions = set.finish();
    (status, outcome)
}

fn name(stack: &MonitoringStack, part: &str) -> String {
    format!("{}-{part}", stack.name_any())
}
