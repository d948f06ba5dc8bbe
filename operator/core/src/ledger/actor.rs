//! Who asked for an exit, as far as the cluster knows.

use caretaker_api::Handover;
use caretaker_api::names::MANAGER;
use kube::ResourceExt;

use super::entry::Actor;

/// Field managers that wrote the spec, and the person who accepted. Which user a manager was is in the audit log of the API server alone.
#[must_use]
pub fn of(handover: &Handover) -> Actor {
    let others = handover.managed_fields().iter().filter(|entry| entry.subresource.is_none());
    let mut managers: Vec<String> =
        others.filter_map(|entry| entry.manager.clone()).filter(|manager| !manager.starts_with(MANAGER)).collect();
    managers.sort_unstable();
    managers.dedup();
    let accepted_by = handover.spec.acceptance.as_ref().map(|acceptance| acceptance.accepted_by.clone()).unwrap_or_default();
    Actor { managers, accepted_by, ..Actor::default() }
}
