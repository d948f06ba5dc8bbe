//! Events about repairs, at the object whose controller made them.

use caretaker_api::condition::Reason;
use caretaker_core::drift::Difference;
use caretaker_core::outcome::Wait;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};

use super::owner::Owner;
use crate::context::Context;

/// Most fields that one event names.
const MAX_FIELDS: usize = 5;

/// One event for what was put back: of which object, which field, by whom it had been changed, and when.
pub(super) async fn repaired(ctx: &Context, owner: &Owner, object: &str, differences: &[Difference]) {
    let mut fields: Vec<String> = differences.iter().take(MAX_FIELDS).map(describe).collect();
    if differences.len() > MAX_FIELDS {
        fields.push(format!("{} more", differences.len() - MAX_FIELDS));
    }
    publish(ctx, owner, (EventType::Normal, Reason::DriftRepaired), format!("put back {object}: {}", fields.join("; "))).await;
}

/// One event for a war over a field, at each of its pauses.
pub(super) async fn contested(ctx: &Context, owner: &Owner, wait: &Wait) {
    publish(ctx, owner, (EventType::Warning, Reason::Contested), wait.message.clone()).await;
}

fn describe(difference: &Difference) -> String {
    let by = difference.manager.as_deref().map(|manager| format!(" by {manager}")).unwrap_or_default();
    let at = difference.time.as_deref().map(|time| format!(" at {time}")).unwrap_or_default();
    format!("{} had been changed{by}{at}", difference.field)
}

async fn publish(ctx: &Context, owner: &Owner, (type_, reason): (EventType, Reason), note: String) {
    let reference = ObjectReference {
        api_version: Some(format!("{}/{}", caretaker_api::GROUP, caretaker_api::VERSION)),
        kind: Some(owner.kind.as_str().into()),
        namespace: Some(owner.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        name: Some(owner.name.clone()),
        uid: Some(owner.uid.clone()),
        ..ObjectReference::default()
    };
    let event = Event { type_, reason: reason.as_str().into(), note: Some(note), action: "Repair".into(), secondary: None };
    ctx.events.publish(&event, &reference).await;
}
