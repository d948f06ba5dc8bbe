//! `ServiceProfile`: looks at the clients that name it, tells what a change of it would do, and lets it out in waves. It writes its own status and nothing else:
//! each client takes a revision by itself when its wave has come.

use std::time::Duration;

use async_trait::async_trait;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::service_profile::ServiceProfileStatus;
use caretaker_api::{ManagedClient, ServiceProfile};
use caretaker_core::outcome::{Fault, Outcome, Wait};
use caretaker_core::ownership::Kind;
use caretaker_core::service_profile as core;
use jiff::Timestamp;
use kube::ResourceExt;

use crate::context::Context;
use caretaker_engine::Failure;
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};

/// Clients that a message names.
const NAMED: usize = 10;
/// Wait before a profile that is being deleted is looked at again; its clients' changes wake it anyway.
const LEAVING: Duration = Duration::from_secs(10);

/// The reconciler.
pub struct ServiceProfiles;

/// The clients that name a profile.
fn clients(ctx: &Context, profile: &ServiceProfile) -> Vec<ManagedClient> {
    let name = profile.name_any();
    let mut all = ctx.cache.list_typed::<ManagedClient>(None);
    all.retain(|client| client.spec.profile.as_ref().is_some_and(|choice| choice.name == name));
    all
}

#[async_trait]
impl Reconciler for ServiceProfiles {
    type Object = ServiceProfile;
    type Context = Context;
    type Observed = Vec<ManagedClient>;
    type Plan = (u32, u32);
    type Done = ();
    const KIND: Kind = Kind::ServiceProfile;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, profile: &ServiceProfile) -> Result<Vec<ManagedClient>, Failure> {
        Ok(clients(ctx, profile))
    }

    fn check(&self, profile: &ServiceProfile, _clients: &Vec<ManagedClient>) -> Vec<Fault> {
        core::faults(&profile.spec)
    }

    fn plan(&self, profile: &ServiceProfile, clients: &Vec<ManagedClient>, _now: Timestamp) -> (u32, u32) {
        core::figures(profile, clients)
    }

    async fn act(&self, ctx: &Context, profile: &ServiceProfile, (deviations, behind): (u32, u32)) -> Acted<()> {
        ctx.metrics.profile(&profile.name_any(), deviations, behind);
        Acted { done: (), failure: None }
    }

    fn status(&self, profile: &ServiceProfile, seen: Seen<'_, Vec<ManagedClient>, ()>) -> (ServiceProfileStatus, Outcome) {
        core::status(profile, seen.observed, seen.faults, seen.now)
    }

    /// A profile that clients name stays: a client that is made again would find nothing to be built from.
    async fn clean_up(&self, ctx: &Context, profile: &ServiceProfile) -> Result<CleanUp, Failure> {
        let users: Vec<String> = clients(ctx, profile).iter().map(ResourceExt::name_any).take(NAMED).collect();
        if users.is_empty() {
            ctx.metrics.forget_profile(&profile.name_any());
            return Ok(CleanUp::Done);
        }
        let message = format!("named by the ManagedClients {}: name another profile in their spec.profile, or none", users.join(", "));
        Ok(CleanUp::Waiting(Wait { reason: Reason::Deleting, message, after: LEAVING }))
    }
}
