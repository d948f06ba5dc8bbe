//! `ChangeRequest`: tells how far a change is, and writes into the ledger how it ended where nobody else does:
//! rejected, expired, applied.

use async_trait::async_trait;
use caretaker_api::change_request::ChangeRequestStatus;
use caretaker_api::condition::ConditionType;
use caretaker_api::{ChangeRequest, ManagedClient};
use caretaker_core::change_request::{self as core, Change, Standing, standing};
use caretaker_core::ledger::Decision;
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use caretaker_engine::{Acted, CleanUp, Failure, Reconciler, Seen};
use jiff::Timestamp;
use kube::ResourceExt;

use crate::access::client_of;
use crate::context::Context;
use crate::ledger::{self, Scribe};

/// The reconciler.
pub struct ChangeRequests;

/// A change with what the ledger tells of it. Without a client nothing is known.
///
/// # Errors
/// The store does not answer.
pub async fn change_of(ctx: &Context, client: Option<&ManagedClient>, object: &ChangeRequest) -> Result<Change, Failure> {
    let (name, uid) = (object.name_any(), object.uid().unwrap_or_default());
    let progress = match client {
        Some(client) => ledger::change(ctx, client, &uid).await?,
        None => core::Progress::default(),
    };
    let standing = standing((&name, &uid), &object.spec, &progress, ctx.now());
    Ok(Change { name, uid, spec: object.spec.clone(), progress, standing })
}

#[async_trait]
impl Reconciler for ChangeRequests {
    type Object = ChangeRequest;
    type Context = Context;
    type Observed = (Change, Option<ManagedClient>);
    type Plan = Option<(Decision, ManagedClient)>;
    type Done = ();
    const KIND: Kind = Kind::ChangeRequest;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, object: &ChangeRequest) -> Result<Self::Observed, Failure> {
        let client = ctx.find::<ManagedClient>("", &client_of(object)).await?;
        Ok((change_of(ctx, client.as_ref(), object).await?, client))
    }

    fn check(&self, _object: &ChangeRequest, _observed: &Self::Observed) -> Vec<Fault> {
        Vec::new()
    }

    /// The end that the ledger does not have yet.
    fn plan(&self, _object: &ChangeRequest, (change, client): &Self::Observed, _now: Timestamp) -> Self::Plan {
        match &change.standing {
            Standing::Over(end) if change.progress.ended.is_none() => client.clone().map(|client| (end.clone(), client)),
            _ => None,
        }
    }

    async fn act(&self, ctx: &Context, object: &ChangeRequest, plan: Self::Plan) -> Acted<()> {
        let mut failure = None;
        if let Some((end, client)) = plan {
            failure = Scribe::new(ctx, &client, Kind::ChangeRequest, object).decide(&end).await.err();
        }
        Acted { done: (), failure }
    }

    fn status(&self, object: &ChangeRequest, seen: Seen<'_, Self::Observed, ()>) -> (ChangeRequestStatus, Outcome) {
        match seen.failure {
            Some(failure) => (object.status.clone().unwrap_or_default(), failure.outcome()),
            None => core::status(object, &seen.observed.0, seen.now),
        }
    }

    /// The ledger keeps what was decided and done.
    async fn clean_up(&self, _ctx: &Context, _object: &ChangeRequest) -> Result<CleanUp, Failure> {
        Ok(CleanUp::Done)
    }
}
