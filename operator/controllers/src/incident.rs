//! `Incident`: reads what became of an outage, holds back pages of what somebody took, and moves what is closed to the store.

pub mod read;
pub mod silences;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caretaker_api::condition::ConditionType;
use caretaker_api::incident::{IncidentState, IncidentStatus};
use caretaker_api::{Incident, ManagedClient, MonitoringStack};
use caretaker_core::digest::sha256_hex;
use caretaker_core::incident::outage::{Key, file_name};
use caretaker_core::incident::{self as core, Done, Hold, IncidentsPlace, Observed, Plan, Record};
use caretaker_core::managed_client::CHILD_NAME;
use caretaker_core::monitoring_stack::{ALERTMANAGER_PORT, Answer, PROMETHEUS_PORT};
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use caretaker_store::incidents::Incidents as Records;
use jiff::Timestamp;
use kube::ResourceExt;

use crate::access::client_of;
use crate::context::Context;
use crate::monitoring_stack::running;
use caretaker_engine::apply;
use caretaker_engine::{Acted, CleanUp, Failure, Reconciler, Seen};

/// Why nothing is asked.
const NOT_ASKED: &str = "the operator is set up not to ask the clients' monitoring (monitoring.ask)";

/// The reconciler.
#[derive(Default)]
pub struct Incidents;

/// What was seen, with what the visit goes on with.
pub struct Sight {
    observed: Observed,
    alertmanager: Answer<SocketAddr>,
    /// The client's records in the store; `None` where there is no client any more.
    records: Option<Records>,
    /// The plan, once it is made: the status tells of it.
    plan: Mutex<Option<Plan>>,
}

/// The plan with what it needs.
pub struct Work {
    plan: Plan,
    alertmanager: Answer<SocketAddr>,
    records: Option<Records>,
}

#[async_trait]
impl Reconciler for Incidents {
    type Object = Incident;
    type Context = Context;
    type Observed = Sight;
    type Plan = Work;
    type Done = Done;
    const KIND: Kind = Kind::Incident;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, incident: &Incident) -> Result<Sight, Failure> {
        let namespace = incident.namespace().unwrap_or_default();
        let stack = ctx.find::<MonitoringStack>(&namespace, CHILD_NAME).await?;
        let mut observed = Observed {
            steps: stack.as_ref().map(|stack| core::steps(&stack.spec.terms)).unwrap_or_default(),
            newer_closed: newer_closed(ctx, incident, &namespace),
            lost: lost(ctx, incident).await?,
            ..Observed::default()
        };
        let (prometheus, alertmanager) = addresses(ctx, stack.as_ref()).await?;
        if incident.status.as_ref().is_none_or(|status| status.state != IncidentState::Closed) && stack.is_some() {
            look(ctx, incident, &prometheus, &mut observed).await;
        }
        let client = ctx.find::<ManagedClient>("", &client_of(incident)).await?;
        let records = client.map(|client| records(ctx, &client));
        Ok(Sight { observed, alertmanager, records, plan: Mutex::default() })
    }

    fn check(&self, _incident: &Incident, _sight: &Sight) -> Vec<Fault> {
        Vec::new()
    }

    fn plan(&self, incident: &Incident, sight: &Sight, now: Timestamp) -> Work {
        let plan = core::plan(incident, &sight.observed, now);
        *sight.plan.lock().expect("no panic while held") = Some(plan.clone());
        Work { plan, alertmanager: sight.alertmanager.clone(), records: sight.records.clone() }
    }

    async fn act(&self, ctx: &Context, incident: &Incident, work: Work) -> Acted<Done> {
        let mut done = Done::default();
        let failure = act(ctx, incident, work, &mut done).await.err();
        Acted { done, failure }
    }

    fn status(&self, incident: &Incident, seen: Seen<'_, Sight, Done>) -> (IncidentStatus, Outcome) {
        let plan = seen.observed.plan.lock().expect("no panic while held").clone();
        let plan = plan.unwrap_or_else(|| core::plan(incident, &seen.observed.observed, seen.now));
        let (status, outcome) = core::status(incident, &seen.observed.observed, (&plan, seen.done), seen.now);
        (status, seen.failure.map_or(outcome, Failure::outcome))
    }

    /// What is held back is let through, since nobody would look after it any more.
    async fn clean_up(&self, ctx: &Context, incident: &Incident) -> Result<CleanUp, Failure> {
        let namespace = incident.namespace().unwrap_or_default();
        if incident.status.as_ref().is_some_and(|status| status.pages_held_until.is_some()) {
            let stack = ctx.find::<MonitoringStack>(&namespace, CHILD_NAME).await?;
            if let (Some(pods), (_, Ok(at))) = (&ctx.pods, addresses(ctx, stack.as_ref()).await?) {
                // It ends by itself within an hour: an Alertmanager that does not answer keeps nothing from going.
                let _ = silences::release(pods, at, &core::comment(incident)).await;
            }
        }
        Ok(CleanUp::Done)
    }
}

/// A client's records in the store.
pub fn records(ctx: &Context, client: &ManagedClient) -> Records {
    let place = IncidentsPlace { client: client.name_any(), uid: client.uid().unwrap_or_default() };
    Records::new(ctx.store.clone(), place)
}

/// Where the client's Prometheus and Alertmanager are, or why they cannot be asked.
async fn addresses(ctx: &Context, stack: Option<&MonitoringStack>) -> Result<(Answer<SocketAddr>, Answer<SocketAddr>), Failure> {
    let Some(stack) = stack.filter(|_| ctx.pods.is_some()) else {
        let why = if ctx.pods.is_some() { "the client has no MonitoringStack" } else { NOT_ASKED };
        return Ok((Err(why.into()), Err(why.into())));
    };
    let (prometheus, alertmanager) = running::addresses(ctx, stack).await?;
    let at = |ip: Option<IpAddr>, port, name: &str| {
        ip.map(|ip| SocketAddr::new(ip, port)).ok_or_else(|| format!("{name} does not run; see MonitoringReady"))
    };
    Ok((at(prometheus, PROMETHEUS_PORT, "Prometheus"), at(alertmanager, ALERTMANAGER_PORT, "Alertmanager")))
}

async fn look(ctx: &Context, incident: &Incident, prometheus: &Answer<SocketAddr>, observed: &mut Observed) {
    let read_until = incident.status.as_ref().and_then(|status| status.read_until.as_ref());
    let from = read_until.unwrap_or(&incident.spec.opened_at).0.as_second();
    let key = Key::of(incident);
    let (pods, at) = match (&ctx.pods, prometheus) {
        (Some(pods), Ok(at)) => (pods, *at),
        (_, Err(why)) => return observed.reading = Some(Err(why.clone())),
        (None, _) => return observed.reading = Some(Err(NOT_ASKED.into())),
    };
    let reading = read::reading(pods, at, Some(&key), from, ctx.now()).await;
    if let (Ok(_), Some(first)) = (&reading, observed.steps.first()) {
        // An outage that pauses has none; it keeps those that it had.
        let members = read::members(pods, at, &key, &first.name, ctx.now()).await.ok();
        observed.members = members.filter(|members| !members.is_empty());
    }
    observed.reading = Some(reading.map(Arc::new));
}

fn newer_closed(ctx: &Context, incident: &Incident, namespace: &str) -> usize {
    let is_newer = |other: &&Incident| {
        other.spec.opened_at.0 > incident.spec.opened_at.0
            && other.status.as_ref().is_some_and(|status| status.state == IncidentState::Closed)
    };
    ctx.cache.list_typed::<Incident>(Some(namespace)).iter().filter(is_newer).count()
}

/// What is wrong with a record that is in the store.
async fn lost(ctx: &Context, incident: &Incident) -> Result<Option<String>, Failure> {
    let Some(stored) = incident.status.as_ref().and_then(|status| status.record.clone()) else { return Ok(None) };
    match ctx.store.get(&stored.address).await {
        Ok(bytes) if sha256_hex(&bytes) == stored.sha256 => Ok(None),
        Ok(_) => Ok(Some(format!("altered in the store: {}", stored.address))),
        Err(error) if error.is_loss() => Ok(Some(error.to_string())),
        Err(error) => Err(Failure::store(error)),
    }
}

async fn act(ctx: &Context, incident: &Incident, work: Work, done: &mut Done) -> Result<(), Failure> {
    let Work { plan, alertmanager, records } = work;
    done.held = match (&plan.hold, &ctx.pods, &alertmanager) {
        (Hold::No, ..) => None,
        (_, None, _) => Some(Err(NOT_ASKED.into())),
        (_, _, Err(why)) => Some(Err(why.clone())),
        (Hold::Release, Some(pods), Ok(at)) => Some(silences::release(pods, *at, &core::comment(incident)).await.map(|()| None)),
        (Hold::Until(silence, until), Some(pods), Ok(at)) => {
            Some(silences::hold(pods, *at, silence, *until, ctx.now()).await.map(|()| Some(*until)))
        }
    };
    if let Some(records) = records.filter(|_| plan.records) {
        let closed = Incident { status: Some(plan.status.clone()), ..incident.clone() };
        let record = Record::of(&client_of(incident), &closed);
        done.record = Some(records.keep(&file_name(incident), &record).await.map_err(Failure::store)?);
    }
    if plan.goes
        && let Some(object) = ctx.cache.get("Incident", &incident.namespace().unwrap_or_default(), &incident.name_any())
    {
        apply::delete_child(ctx, "Incident", &object).await?;
    }
    Ok(())
}
