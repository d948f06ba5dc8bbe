//! What is said of a client that was handed over.

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::managed_client::ManagedClientStatus;

use crate::conditions::{ConditionSet, Is, find};
use crate::monitoring_stack::ENDED;

/// The end and its proof as an earlier visit told them: the Handover may be gone by now.
pub(super) fn told_before(last: &ManagedClientStatus, by: &str) -> String {
    let told = find(&last.conditions, ConditionType::HandedOver).filter(|told| Is::of(told) == Is::True);
    told.map_or_else(|| format!("handed over by {by}; our access is revoked"), |told| told.message.clone())
}

/// Of the client's clouds nothing else is said than that our access has ended: nobody may look any more. What was not asked for stays so.
pub(super) fn end(set: &mut ConditionSet, message: &str) {
    set.set(ConditionType::HandedOver, Is::True, Reason::HandedOver, message);
    set.set(ConditionType::AccessProven, Is::False, Reason::HandedOver, message);
    for kind in [
        ConditionType::MembersListed,
        ConditionType::InventoryComplete,
        ConditionType::ScopeAmbiguous,
        ConditionType::BackupsReady,
        ConditionType::BackupsProtected,
        ConditionType::LevelsCollected,
        ConditionType::ExitReady,
    ] {
        if set.get(kind).is_none_or(|condition| condition.reason != Reason::NotRequested.as_str()) {
            set.set(kind, Is::Unknown, Reason::HandedOver, message);
        }
    }
}

/// Of a client that is looked after no more.
pub(super) fn end_monitoring(set: &mut ConditionSet) {
    if set.get(ConditionType::MonitoringReady).is_none_or(|condition| condition.reason != Reason::NotRequested.as_str()) {
        set.set(ConditionType::MonitoringReady, Is::Unknown, Reason::HandedOver, ENDED);
    }
}
