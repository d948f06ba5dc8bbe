//! What admission cannot know: whether a control is on the list; and the status and the condition that come of it.

use caretaker_api::ManagedClient;
use caretaker_api::compliance::{ControlOverride, Framework, FrameworkCount, ResponsibilityStatus, Responsible};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::contract::DeliveryModel;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Held, Matrix, compile, lists};
use crate::conditions::{ConditionSet, Is};
use crate::digest::json_digest;
use crate::outcome::Fault;

fn overrides(client: &ManagedClient) -> &[ControlOverride] {
    client.spec.compliance.as_ref().map(|terms| terms.overrides.as_slice()).unwrap_or_default()
}

fn key(given: &ControlOverride) -> String {
    format!("{} {}", given.framework.as_str(), given.control)
}

fn is_known(given: &ControlOverride) -> bool {
    lists::of(given.framework).controls.iter().any(|control| control.id == given.control)
}

/// Whether it held before: then a list of another release has dropped its control, and nobody wrote anything wrong.
fn held_before(client: &ManagedClient, given: &ControlOverride) -> bool {
    let status = client.status.as_ref().and_then(|status| status.responsibility.as_ref());
    status.is_some_and(|status| status.overrides.contains(&key(given)))
}

/// Overrides of controls that the lists do not have. What admission refuses too is refused again: a definition in the cluster can be older than this
/// release.
#[must_use]
pub fn faults(client: &ManagedClient) -> Vec<Fault> {
    let mut faults = Vec::new();
    let frameworks = client.spec.compliance.iter().flat_map(|terms| &terms.frameworks).copied().collect::<Vec<Framework>>();
    let given = overrides(client);
    for (index, one) in given.iter().enumerate() {
        let mut fault = |field: &str, message: String| {
            faults.push(Fault::spec(format!("spec.compliance.overrides[{index}].{field}"), message));
        };
        let (name, title) = (one.framework.as_str(), lists::of(one.framework).title);
        if !frameworks.contains(&one.framework) {
            fault("framework", format!("spec.compliance.frameworks does not name {name}: add it, or take the override out"));
        }
        if !is_known(one) && !held_before(client, one) {
            let near = lists::of(one.framework).nearest(&one.control).join(", ");
            fault("control", format!("{title} has no {}; most like it are {near}: name one of the list", one.control));
        }
        if given[..index].iter().any(|other| other.framework == one.framework && other.control == one.control) {
            fault("control", format!("{} of {title} has two overrides: take one out", one.control));
        }
        let is_of_provider = matches!(one.responsible, Responsible::Provider | Responsible::Joint);
        if is_of_provider && client.spec.delivery_model == DeliveryModel::StaffAugmentation {
            let message =
                "with staff augmentation the provider is responsible for nothing: name Client or Cloud, or choose another deliveryModel";
            fault("responsible", message.into());
        }
    }
    faults
}

fn count(matrix: &Matrix) -> FrameworkCount {
    FrameworkCount {
        name: matrix.list.framework,
        controls: u32::try_from(matrix.rows.len()).unwrap_or(u32::MAX),
        provider: matrix.count(Responsible::Provider),
        client: matrix.count(Responsible::Client),
        cloud: matrix.count(Responsible::Cloud),
        joint: matrix.count(Responsible::Joint),
    }
}

/// Who does what, without where the bundle tells of it, which moves with every outage and every backup.
fn digest(matrices: &[Matrix]) -> String {
    let rows = matrices.iter().flat_map(|matrix| &matrix.rows);
    json_digest(&rows.map(|row| (row.framework, row.control, row.work, row.done_by(), row.decides, &row.by, &row.note)).collect::<Vec<_>>())
}

/// The status and the condition `ResponsibilityAssigned`; no status where no framework was asked for.
pub fn settle(client: &ManagedClient, set: &mut ConditionSet, now: Timestamp) -> Option<ResponsibilityStatus> {
    let kind = ConditionType::ResponsibilityAssigned;
    let last = client.status.as_ref().and_then(|status| status.responsibility.as_ref());
    if client.spec.compliance.is_none() {
        set.set(kind, Is::Unknown, Reason::NotRequested, "spec.compliance names no framework: the bundle says who does what by domain");
        return None;
    }
    if set.is_true(ConditionType::HandedOver) {
        set.set(kind, Is::Unknown, Reason::HandedOver, "the contract has ended: nothing is done for this client any more");
        return last.cloned();
    }
    let matrices = compile(&client.spec, &Held::default());
    let is_kept = |given: &&ControlOverride| is_known(given) || held_before(client, given);
    let void: Vec<String> = overrides(client).iter().filter(|given| !is_known(given)).map(told_void).collect();
    if void.is_empty() {
        let told = matrices.iter().map(|matrix| format!("{} controls of {}", matrix.rows.len(), matrix.list.title)).collect::<Vec<_>>();
        set.set(kind, Is::True, Reason::Settled, format!("each has somebody who does it: {}", told.join(", ")));
    } else {
        set.set(kind, Is::False, Reason::OverrideVoid, format!("{}: name another control, or take the override out", void.join("; ")));
    }
    let digest = digest(&matrices);
    let same_since = last.filter(|last| last.digest == digest).and_then(|last| last.changed_at.clone());
    Some(ResponsibilityStatus {
        frameworks: matrices.iter().map(count).collect(),
        overrides: overrides(client).iter().filter(is_kept).map(key).collect(),
        digest,
        changed_at: Some(same_since.unwrap_or(Time(now))),
    })
}

fn told_void(given: &ControlOverride) -> String {
    let list = lists::of(given.framework);
    let near = list.nearest(&given.control).join(", ");
    format!("{} has no {} in this release, and its override says nothing; most like it are {near}", list.title, given.control)
}
