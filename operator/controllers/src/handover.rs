//! `Handover`: does one step of an exit at each visit. The log in the status is written after each, so that a process that dies goes on where it was.

mod deliver;
mod incidents;
mod levels;
mod revoke;
mod seal;
mod visit;

use std::sync::Arc;

use async_trait::async_trait;
use caretaker_api::condition::ConditionType;
use caretaker_api::handover::{HandoverStatus, HandoverStep};
use caretaker_api::{BackupPolicy, CloudAccount, Handover, ManagedClient, ProviderProfile, names};
use caretaker_cloud::{CloudLink, Purpose};
use caretaker_core::digest::json_digest;
use caretaker_core::handover::advance::{StepResult, advance, is_called_off, keep};
use caretaker_core::handover::check::{self, Surroundings};
use caretaker_core::handover::last_reading::{Answer, Ask, LastReadings};
use caretaker_core::handover::shown::shown;
use caretaker_core::handover::{self as core, steps};
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::{Kind, OWNED};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::{Value, json};

use crate::access::{WayIn, client_of, enter};
use crate::claim;
use crate::context::Context;
use crate::discovery::{self, NotRead, Reading};
use crate::ledger::{self, Scribe};
use caretaker_engine::Failure;
use caretaker_engine::apply::Owner;
use caretaker_engine::cache::api_resource;
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};

use visit::Visit;

/// The reconciler.
pub struct Handovers;

/// Everything that a handover looks at, read from the API server: a watch that is behind must not make a bundle that lacks an account.
#[derive(Clone, Default)]
pub struct Sight {
    pub(crate) client: Option<ManagedClient>,
    pub(crate) profile: Option<ProviderProfile>,
    pub(crate) accounts: Vec<CloudAccount>,
    pub(crate) policies: Vec<BackupPolicy>,
    pub(crate) monitoring: Vec<Value>,
    /// The handover with its whole state, which the ledger tells.
    pub(crate) whole: Option<Handover>,
}

/// What a visit came to, once the ledger has it.
#[derive(Clone, Default)]
pub struct Told {
    state: HandoverStatus,
    outcome: Option<Outcome>,
}

pub(crate) fn owner(handover: &Handover) -> Owner {
    Owner {
        kind: Kind::Handover,
        client: client_of(handover),
        namespace: handover.namespace().unwrap_or_default(),
        name: handover.name_any(),
        uid: handover.uid().unwrap_or_default(),
    }
}

/// Monitoring objects as they are now, without what only this cluster knows. A kind whose definition is missing has none.
async fn monitoring(ctx: &Context, namespace: &str) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    for owned in OWNED.iter().filter(|owned| owned.group == "monitoring.coreos.com") {
        let api: Api<DynamicObject> = Api::namespaced_with(ctx.client.clone(), namespace, &api_resource(owned));
        let ours = ListParams::default().labels(&format!("{}={}", names::MANAGED_BY, names::MANAGER));
        let list = match api.list(&ours).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(Failure::kubernetes(format!("list {}", owned.plural))(error)),
        };
        // A label is anybody's to give; what our stack has made names it as its owner.
        let made = |object: &&DynamicObject| {
            let group = format!("{}/", caretaker_api::GROUP);
            object
                .owner_references()
                .iter()
                .any(|owner| owner.kind == Kind::MonitoringStack.as_str() && owner.api_version.starts_with(&group))
        };
        found.extend(list.iter().filter(made).map(|object| {
            let (spec, metadata) = (&object.data["spec"], json!({"name": object.name_any(), "labels": object.labels()}));
            json!({"apiVersion": owned.api_version(), "kind": owned.kind, "metadata": metadata, "spec": spec})
        }));
    }
    Ok(found)
}

#[async_trait]
impl Reconciler for Handovers {
    type Object = Handover;
    type Context = Context;
    type Observed = Sight;
    type Plan = Sight;
    type Done = Told;
    const KIND: Kind = Kind::Handover;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, handover: &Handover) -> Result<Sight, Failure> {
        let namespace = handover.namespace().unwrap_or_default();
        let Some(shown) = steps::current(&handover.status.clone().unwrap_or_default()) else {
            return Ok(Sight::default());
        };
        let client = ctx.fetch::<ManagedClient>("", &client_of(handover)).await?;
        let mut whole = handover.clone();
        if let Some(client) = &client {
            whole.status = Some(ledger::whole(ctx, client, handover).await?);
        }
        let step = whole.status.as_ref().and_then(steps::current).unwrap_or(shown);
        let profile = match &client {
            Some(client) => ctx.fetch::<ProviderProfile>("", &client.spec.provider_profile).await?,
            None => None,
        };
        Ok(Sight {
            client,
            profile,
            accounts: ctx.fetch_all::<CloudAccount>(&namespace).await?,
            policies: ctx.fetch_all::<BackupPolicy>(&namespace).await?,
            monitoring: if matches!(step, HandoverStep::Build | HandoverStep::Seal) {
                monitoring(ctx, &namespace).await?
            } else {
                Vec::new()
            },
            whole: Some(whole),
        })
    }

    fn check(&self, handover: &Handover, observed: &Sight) -> Vec<Fault> {
        let recipients = observed.client.as_ref().map(|client| client.spec.exit.recipients.as_slice()).unwrap_or_default();
        let faults = caretaker_bundle::recipient_faults(recipients).into_iter();
        let recipient_faults = faults.map(|fault| (fault.field("ManagedClient.spec.exit.recipients"), fault.problem.to_string())).collect();
        let (client, has_profile) = (observed.client.as_ref(), observed.profile.is_some());
        let whole = observed.whole.as_ref().unwrap_or(handover);
        if is_called_off(whole) {
            return Vec::new();
        }
        check::check(whole, &Surroundings { client, has_profile, accounts: &observed.accounts, recipient_faults })
    }

    fn plan(&self, _handover: &Handover, observed: &Sight, _now: Timestamp) -> Sight {
        observed.clone()
    }

    /// One step; then the ledger is told what came of it, before the object shows it.
    async fn act(&self, ctx: &Context, handover: &Handover, sight: Sight) -> Acted<Told> {
        let Some(whole) = &sight.whole else {
            let (state, outcome) = advance(handover, &[], &StepResult::Nothing, ctx.now());
            return Acted { done: Told { state, outcome: Some(outcome) }, failure: None };
        };
        // What is called off gets no further step.
        let Acted { done, failure } = if is_called_off(whole) {
            seal::discard(handover);
            Acted { done: StepResult::Nothing, failure: None }
        } else {
            step(ctx, whole, &sight).await
        };
        let (mut state, outcome) = match &failure {
            Some(_) => (keep(whole, &done), None),
            None => {
                let (state, outcome) = advance(whole, &[], &done, ctx.now());
                (state, Some(outcome))
            }
        };
        if let Some(client) = &sight.client {
            match Scribe::of(ctx, client, whole).tell(&state).await {
                Ok(head) => state.ledger = Some(head),
                Err(untold) => {
                    let state = whole.status.clone().unwrap_or_default();
                    return Acted { done: Told { state, outcome: None }, failure: failure.or(Some(untold)) };
                }
            }
        }
        Acted { done: Told { state, outcome }, failure }
    }

    fn status(&self, handover: &Handover, seen: Seen<'_, Sight, Told>) -> (HandoverStatus, Outcome) {
        let whole = seen.observed.whole.as_ref().unwrap_or(handover);
        let (state, outcome) = match (seen.failure, &seen.done.outcome) {
            (Some(failure), _) => (seen.done.state.clone(), failure.outcome()),
            (None, Some(outcome)) => (seen.done.state.clone(), outcome.clone()),
            (None, None) => advance(whole, seen.faults, &StepResult::Nothing, seen.now),
        };
        (if seen.observed.whole.is_some() { shown(&state) } else { state }, outcome)
    }

    /// Neither a cloud nor a stored bundle is touched.
    async fn clean_up(&self, _ctx: &Context, handover: &Handover) -> Result<CleanUp, Failure> {
        seal::discard(handover);
        Ok(CleanUp::Done)
    }
}

/// The step that is due, as far as it comes.
async fn step(ctx: &Context, handover: &Handover, sight: &Sight) -> Acted<StepResult> {
    let result = match steps::current(&handover.status.clone().unwrap_or_default()) {
        // These keep what they did before a failure.
        Some(HandoverStep::Discover) => return discover(ctx, handover, sight).await,
        Some(HandoverStep::Revoke) => return revoke::revoke(ctx, handover, sight).await,
        Some(HandoverStep::VerifyRefusal) => return revoke::attempt(ctx, handover, sight).await,
        None | Some(HandoverStep::Accept) => Ok(StepResult::Nothing),
        Some(HandoverStep::Freeze) => freeze(ctx, handover, sight).await,
        Some(HandoverStep::Build) => seal::build(ctx, handover, sight).await,
        Some(HandoverStep::Seal) => seal::seal(ctx, handover, sight).await,
        Some(HandoverStep::Deliver) => deliver::deliver(ctx, handover, sight).await,
        Some(HandoverStep::Verify) => deliver::verify(ctx, handover, sight).await,
        Some(HandoverStep::Done) => Ok(StepResult::Done),
    };
    match result {
        Ok(done) => Acted { done, failure: None },
        Err(failure) => Acted { done: StepResult::Nothing, failure: Some(failure) },
    }
}

async fn freeze(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<StepResult, Failure> {
    let Some(client) = &sight.client else { return Ok(StepResult::Nothing) };
    let mut claimed = Vec::new();
    for account in &sight.accounts {
        claimed.push((account, claim::look(ctx, account).await?.fault_before_proof(account)));
    }
    let recipients = client.spec.exit.recipients.iter().map(|recipient| caretaker_bundle::normalise(recipient).to_owned()).collect();
    Ok(StepResult::Frozen(check::freeze((client, handover), &claimed, recipients, ctx.now())))
}

/// The last readings, as far as one visit comes. What was read before a failure is kept.
async fn discover(ctx: &Context, handover: &Handover, sight: &Sight) -> Acted<StepResult> {
    let status = handover.status.clone().unwrap_or_default();
    let is_emergency = status.frozen.is_some_and(|frozen| frozen.is_emergency);
    let mut readings = LastReadings::new(&sight.accounts, status.readings, is_emergency);
    let mut caller = Caller { ctx, handover, way: None, link: None };
    let (mut visit, mut answer) = (Visit::begin(), None);
    while let Some((account, ask)) = readings.next(answer.take()) {
        if visit.ends_before(&account.name_any()) {
            return Acted { done: StepResult::PartlyDiscovered(readings.into_done()), failure: None };
        }
        match caller.carry(account, ask).await {
            Ok(answered) => answer = Some(answered),
            Err(failure) => return Acted { done: StepResult::PartlyDiscovered(readings.into_done()), failure: Some(failure) },
        }
    }
    Acted { done: StepResult::Discovered(readings.into_done()), failure: None }
}

/// The way to the cloud of the account that is read.
struct Caller<'a> {
    ctx: &'a Context,
    handover: &'a Handover,
    way: Option<WayIn>,
    link: Option<Arc<dyn CloudLink>>,
}

impl Caller<'_> {
    /// Carries one question out.
    async fn carry(&mut self, account: &CloudAccount, ask: Ask) -> Result<Answer, Failure> {
        let lacking = |what: &str| Failure::local("read an account", format!("there is no {what}"));
        Ok(match ask {
            Ask::WayIn => Answer::WayIn(enter(self.ctx, account).await?.map(|way| {
                self.way = way;
                self.way.is_some()
            })),
            Ask::Connect => {
                let way = self.way.as_ref().ok_or_else(|| lacking("way in"))?;
                Answer::Connected(way.connector.connect(&way.grant, Purpose::Read).await.map(|link| self.link = Some(link)))
            }
            Ask::Read => {
                let link = self.link.take().ok_or_else(|| lacking("session"))?;
                read(self.ctx, self.handover, (account, link.as_ref())).await?
            }
        })
    }
}

async fn read(ctx: &Context, handover: &Handover, (account, link): (&CloudAccount, &dyn CloudLink)) -> Result<Answer, Failure> {
    let (client, name) = (client_of(handover), account.name_any());
    let status = account.status.clone().unwrap_or_default();
    let identity = json_digest(&(handover.uid(), discovery::scope_digest(account)));
    let reading = Reading {
        client: &client,
        last: status.inventory.as_ref(),
        baseline: status.baseline.as_ref(),
        ..Reading::of(&ctx.store, account, &name, (identity, ctx.now()))
    };
    match discovery::run(link, &reading).await {
        Ok(taken) => Ok(Answer::Read(Ok(Box::new(taken.inventory)))),
        Err(NotRead::Cloud(error)) => Ok(Answer::Read(Err(error))),
        Err(NotRead::Failed(error)) => Err(Failure::store(error)),
    }
}
