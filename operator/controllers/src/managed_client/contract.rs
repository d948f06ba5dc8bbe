//! What the contract says is told: emergencies to the ledger and in an event, to the policies that who decides has
//! changed, and to the ledger the inventory at the beginning of Active.

use caretaker_api::condition::Reason;
use caretaker_api::names::client_namespace;
use caretaker_api::{BackupPolicy, ManagedClient};
use caretaker_core::ledger::{Decided, Decision};
use caretaker_core::managed_client::lifecycle::baseline::Frozen;
use caretaker_core::ownership::Kind;
use caretaker_engine::Failure;
use caretaker_engine::cache::Wake;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};

use crate::context::Context;
use crate::ledger::Scribe;

/// Tells all. `turned` says that another answer holds in a domain than the status shows.
pub(super) async fn act(
    ctx: &Context,
    client: &ManagedClient,
    decisions: &[Decision],
    (turned, freeze): (bool, Option<&Frozen>),
) -> Result<(), Failure> {
    let scribe = Scribe::new(ctx, client, Kind::ManagedClient, client);
    if let Some(frozen) = freeze {
        scribe.freeze(frozen).await?;
    }
    for decision in decisions {
        scribe.decide(decision).await?;
        let is_open = decision.decided == Decided::EmergencyOpened;
        let (type_, word) = if is_open { (EventType::Warning, "began") } else { (EventType::Normal, "ended") };
        let note = Some(format!("an emergency {word}: {} {}", decision.by, decision.text).chars().take(250).collect());
        let reason = Reason::BreakGlass.as_str().into();
        let event = Event { type_, reason, note, action: "Decide".into(), secondary: None };
        ctx.events.publish(&event, &client.object_ref(&())).await;
    }
    if turned {
        let namespace = client_namespace(&client.name_any());
        for policy in ctx.cache.list_typed::<BackupPolicy>(Some(&namespace)) {
            ctx.cache.wake(Wake { kind: Kind::BackupPolicy, namespace: namespace.clone(), name: policy.name_any() });
        }
    }
    Ok(())
}
