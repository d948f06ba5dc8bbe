//! The volumes of a stack: what is asked for, what is there, and what they hold.
//!
//! A claim that was made keeps its size and its class whatever its template says later, so that what Prometheus may fill follows what is there, and what
//! differs is told with the command that cures it.

use caretaker_api::MonitoringStack;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::monitoring_stack::StorageTerms;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use super::prometheus_operator::{ClaimTemplate, StorageSpec};
use super::{Observed, Part};
use crate::conditions::{ConditionSet, Is};
use crate::drift::quantity::whole as bytes;
use crate::outcome::Fault;

/// The claims of the one stack of a client: the operator's right to delete claims ends at these names.
pub const CLAIMS: [&str; 2] = ["prometheus-main-db-prometheus-main-0", "alertmanager-main-db-alertmanager-main-0"];

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// Percent of a volume that blocks of samples may take.
/// Source: <https://prometheus.io/docs/prometheus/latest/storage/>, at most 80 to 85 % of the disk.
const BLOCKS: u64 = 80;
/// Bytes that a sample takes, at most.
/// Source: <https://prometheus.io/docs/prometheus/latest/storage/>, 1 to 2 bytes on average.
const SAMPLE: u64 = 2;
/// Series of the exporter of a machine: a node exporter with its usual collectors gives 500 to 1500.
const OF_MACHINE: u64 = 1000;
/// Series of a probe by ICMP, with those that Prometheus adds to each scrape.
const OF_PROBE: u64 = 20;
/// Series of Prometheus itself, with the alerts and rules of a stack.
const OF_ITSELF: u64 = 1500;
/// Seconds between two samples of a series.
const INTERVAL: u64 = 60;
/// Seconds of a day.
const DAY: u64 = 86_400;

/// Name of the claim of a part. The prometheus-operator names the template, the StatefulSet the claim.
#[must_use]
pub fn claim(part: Part, stack: &str) -> String {
    let set = part.stateful_set(stack);
    format!("{set}-db-{set}-0")
}

fn size(terms: &StorageTerms, part: Part) -> u64 {
    u64::from(match part {
        Part::Prometheus => terms.size_gib,
        Part::Alertmanager => terms.alertmanager_size_gib,
    })
}

/// Field of the terms that says the size.
const fn field(part: Part) -> &'static str {
    match part {
        Part::Prometheus => "storage.sizeGib",
        Part::Alertmanager => "storage.alertmanagerSizeGib",
    }
}

/// The class that is asked for; `None` for the cluster's default.
fn class<'a>(terms: &'a StorageTerms, observed: &'a Observed) -> Option<&'a str> {
    terms.storage_class_name.as_deref().or(observed.layout.storage_class_name.as_deref())
}

/// Where the data of a part is to lie.
pub(super) fn spec(stack: &MonitoringStack, observed: &Observed, part: Part) -> Option<StorageSpec> {
    let terms = stack.spec.terms.storage.as_ref()?;
    let requests = [("storage".to_owned(), Quantity(format!("{}Gi", size(terms, part))))];
    let spec = PersistentVolumeClaimSpec {
        access_modes: Some(vec!["ReadWriteOnce".into()]),
        storage_class_name: class(terms, observed).map(str::to_owned),
        resources: Some(VolumeResourceRequirements { requests: Some(requests.into()), limits: None }),
        ..PersistentVolumeClaimSpec::default()
    };
    Some(StorageSpec { volume_claim_template: ClaimTemplate { spec } })
}

fn found<'a>(claims: &'a [PersistentVolumeClaim], part: Part, stack: &str) -> Option<&'a PersistentVolumeClaim> {
    let name = claim(part, stack);
    claims.iter().find(|claim| claim.metadata.name.as_deref() == Some(&name))
}

fn requested(claim: &PersistentVolumeClaim) -> Option<u64> {
    bytes(claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage")?)
}

fn capacity(claim: &PersistentVolumeClaim) -> Option<u64> {
    bytes(claim.status.as_ref()?.capacity.as_ref()?.get("storage")?)
}

fn phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

fn class_of(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.spec.as_ref()?.storage_class_name.as_deref().filter(|class| !class.is_empty())
}

/// Bytes of the volume of Prometheus that may be counted on: what is asked for, or what is there where that is less.
fn usable(terms: &StorageTerms, stack: &MonitoringStack, observed: &Observed) -> u64 {
    let asked = size(terms, Part::Prometheus) * GIB;
    let there = found(&observed.claims, Part::Prometheus, &stack.name_any()).and_then(capacity);
    there.map_or(asked, |there| there.min(asked))
}

/// How much Prometheus may keep, with its units, which count by powers of two.
pub(super) fn retention_size(stack: &MonitoringStack, observed: &Observed) -> Option<String> {
    let terms = stack.spec.terms.storage.as_ref()?;
    Some(format!("{}MB", usable(terms, stack, observed) / MIB * BLOCKS / 100))
}

/// Bytes of samples that a day brings, by a rough figure.
fn daily(stack: &MonitoringStack, observed: &Observed) -> u64 {
    let targets = &observed.watched.targets;
    let probed = stack.spec.terms.prober.as_ref().map_or(0, |_| targets.iter().filter(|target| target.public.is_some()).count());
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let series = OF_ITSELF + count(targets.len()).saturating_mul(OF_MACHINE) + count(probed).saturating_mul(OF_PROBE);
    series.saturating_mul(DAY / INTERVAL).saturating_mul(SAMPLE)
}

/// Bytes as GiB with one decimal, rounded up.
fn gib(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10).div_ceil(u128::from(GIB));
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// A claim that is still to be made and that the quota has no room for. Told before anything is made: else a pod that runs would be taken for one that
/// cannot be made.
pub(super) fn fault(stack: &MonitoringStack, observed: &Observed) -> Option<Fault> {
    let terms = stack.spec.terms.storage.as_ref()?;
    let quota = observed.quota.as_ref()?;
    let missing: Vec<Part> = Part::ALL.into_iter().filter(|part| found(&observed.claims, *part, &stack.name_any()).is_none()).collect();
    if missing.is_empty() {
        return None;
    }
    let (held, asked): (u64, u64) =
        (observed.claims.iter().filter_map(requested).sum(), missing.iter().map(|part| size(terms, *part) * GIB).sum());
    let cure = "raise spec.quota of the ManagedClient, ask for less in spec.monitoring.storage, or delete claims that nobody needs";
    if let Some(hard) = quota.get("requests.storage").and_then(bytes)
        && held + asked > hard
    {
        let message = format!(
            "{} more are asked for, and the claims of the namespace hold {} of the {} that quota.storageGib allows: {cure}",
            gib(asked),
            gib(held),
            gib(hard)
        );
        return Some(Fault::outside(Reason::QuotaTooSmall, "spec.storage", message));
    }
    let count = u64::try_from(observed.claims.len() + missing.len()).unwrap_or(u64::MAX);
    let most = quota.get("persistentvolumeclaims").and_then(bytes).filter(|most| count > *most)?;
    let message = format!("{count} volume claims are more than the {most} that the quota of the namespace allows: {cure}");
    Some(Fault::outside(Reason::QuotaTooSmall, "spec.storage", message))
}

/// The claim of a part that has no volume, and why; `otherwise` says why where no event does.
pub(super) fn unbound(part: Part, stack: &str, (claims, events): (&[PersistentVolumeClaim], &[Event]), otherwise: &str) -> Option<String> {
    let claim = found(claims, part, stack)?;
    let name = claim.name_any();
    let class = match class_of(claim) {
        Some(class) => format!("storage class {class}"),
        None => "no storage class, for the cluster has no default one".into(),
    };
    match phase(claim) {
        "Bound" => None,
        "Lost" => Some(format!("volume claim {name} ({class}) has lost its volume: what it held has to come from a copy of the volume")),
        _ => {
            let is_its = |event: &&Event| {
                let about = &event.involved_object;
                (about.kind.as_deref(), about.name.as_deref()) == (Some("PersistentVolumeClaim"), Some(name.as_str()))
            };
            let told = events.iter().rev().find(is_its).and_then(|event| event.message.as_deref());
            Some(format!("volume claim {name} ({class}) is not bound: {}", told.unwrap_or(otherwise)))
        }
    }
}

/// Whether data outlives the pods.
pub(super) fn tell(set: &mut ConditionSet, stack: &MonitoringStack, observed: &Observed) {
    let (is, reason, message) = told(stack, observed);
    set.set(ConditionType::DataKept, is, reason, message);
}

fn told(stack: &MonitoringStack, observed: &Observed) -> (Is, Reason, String) {
    let name = stack.name_any();
    let Some(terms) = &stack.spec.terms.storage else { return (Is::Unknown, Reason::NotRequested, without(stack, observed)) };
    for part in Part::ALL {
        let Some(claim) = found(&observed.claims, part, &name) else {
            return (Is::Unknown, Reason::Pending, format!("volume claim {} is not made yet", claim(part, &name)));
        };
        if phase(claim) != "Bound" {
            let why = unbound(part, &name, (&observed.claims, &[]), "see MonitoringReady").unwrap_or_default();
            return (Is::False, Reason::VolumeNotBound, why);
        }
        if let Some(why) = differs(part, terms, observed, claim) {
            return (Is::False, Reason::VolumeNotAsAsked, why);
        }
    }
    fits(stack, terms, observed)
}

/// What is said where no volume is asked for. Claims of earlier are named: nobody would look for what they hold, or pay for them knowingly.
fn without(stack: &MonitoringStack, observed: &Observed) -> String {
    let left: Vec<String> =
        Part::ALL.into_iter().filter_map(|part| found(&observed.claims, part, &stack.name_any())).map(ResourceExt::name_any).collect();
    let now = "metrics and silences go with the pod that holds them: spec.monitoring.storage of the ManagedClient puts them on volumes";
    if left.is_empty() {
        return now.into();
    }
    let namespace = stack.namespace().unwrap_or_default();
    let left = left.join(" ");
    format!(
        "{now}. Nothing uses the claims of earlier any more, and they keep their data; to delete it: kubectl delete pvc -n {namespace} {left}"
    )
}

/// How a claim differs from what is asked for, with the cure.
fn differs(part: Part, terms: &StorageTerms, observed: &Observed, claim: &PersistentVolumeClaim) -> Option<String> {
    let (name, namespace, asked) = (claim.name_any(), claim.namespace().unwrap_or_default(), size(terms, part));
    let anew = format!(
        "kubectl delete pvc -n {namespace} {name} --wait=false && kubectl delete pod -n {namespace} {}",
        name.rsplit_once("-db-").map_or("", |(_, pod)| pod)
    );
    if let Some(class) = class(terms, observed)
        && class_of(claim) != Some(class)
    {
        let held = class_of(claim).unwrap_or("none");
        return Some(format!(
            "volume claim {name} has storage class {held}, and {class} is asked for: a claim keeps its class. Name {held} in storage.storageClassName; or, to \
             begin with an empty volume: {anew}"
        ));
    }
    let (requested, there) = (requested(claim).unwrap_or_default(), capacity(claim).unwrap_or_default());
    if requested < asked * GIB {
        return Some(format!(
            "volume claim {name} asks for {}, and {} is {asked}: a claim keeps its size. Where its storage class allows it to grow: kubectl patch pvc -n \
             {namespace} {name} --type=merge -p '{{\"spec\":{{\"resources\":{{\"requests\":{{\"storage\":\"{asked}Gi\"}}}}}}}}'; or, to begin with an empty \
             volume: {anew}",
            gib(requested),
            field(part)
        ));
    }
    (there < asked * GIB)
        .then(|| format!("the volume of claim {name} has {} of {asked} GiB: it is still growing, or cannot grow", gib(there)))
}

fn fits(stack: &MonitoringStack, terms: &StorageTerms, observed: &Observed) -> (Is, Reason, String) {
    let (days, daily, targets) = (stack.spec.terms.retention_days, daily(stack, observed), observed.watched.targets.len());
    let room = usable(terms, stack, observed) / 100 * BLOCKS;
    let needed = daily.saturating_mul(u64::from(days));
    let figure =
        format!("{days} days of {targets} targets need about {} (at 1000 series of a machine, and 2 bytes of a sample)", gib(needed));
    if needed > room {
        let enough = (u128::from(needed) * 100).div_ceil(u128::from(BLOCKS) * u128::from(GIB));
        let message = format!(
            "{figure}, and the volume of {} GiB has room for {}, which is {} days: what is older goes first. Raise storage.sizeGib to {enough}, or lower \
             retentionDays",
            terms.size_gib,
            gib(room),
            room / daily
        );
        return (Is::False, Reason::RetentionDoesNotFit, message);
    }
    let message = format!("the volumes of Prometheus and Alertmanager are bound; {figure}, and there is room for {}", gib(room));
    (Is::True, Reason::Settled, message)
}

#[cfg(test)]
mod tests;
