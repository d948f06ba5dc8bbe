//! `ServiceReport`: reads each day that is over out of the client's Prometheus, keeps it, and makes the month's report of what is kept.

pub mod fetch;
mod make;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use caretaker_api::condition::ConditionType;
use caretaker_api::service_report::ServiceReportStatus;
use caretaker_api::{ManagedClient, MonitoringStack, ServiceReport};
use caretaker_core::digest::sha256_hex;
use caretaker_core::managed_client::CHILD_NAME;
use caretaker_core::monitoring_stack::PROMETHEUS_PORT;
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use caretaker_core::service_level::LevelsPlace;
use caretaker_core::service_report::{self as core, Done, Observed, Plan};
use caretaker_store::levels::Levels;
use jiff::Timestamp;
use kube::ResourceExt;

use crate::access::client_of;
use crate::context::Context;
use crate::monitoring_stack::running;
use caretaker_engine::Failure;
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};

/// The reconciler. Keeps the plan of the visit that lasts, since the status tells of it.
#[derive(Default)]
pub struct ServiceReports;

/// What was seen, with what the visit goes on with.
pub struct Sight {
    /// What is decided from.
    observed: Observed,
    /// The client's service levels in the store.
    levels: Option<Levels>,
    /// Where Prometheus is, or why it cannot be asked.
    prometheus: Result<SocketAddr, String>,
    /// The plan, once it is made.
    plan: Mutex<Plan>,
}

/// The plan with what it needs.
pub struct Work {
    plan: Plan,
    observed: Observed,
    levels: Option<Levels>,
    prometheus: Result<SocketAddr, String>,
}

#[async_trait]
impl Reconciler for ServiceReports {
    type Object = ServiceReport;
    type Context = Context;
    type Observed = Sight;
    type Plan = Work;
    type Done = Done;
    const KIND: Kind = Kind::ServiceReport;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, report: &ServiceReport) -> Result<Sight, Failure> {
        let namespace = report.namespace().unwrap_or_default();
        let client = ctx.find::<ManagedClient>("", &client_of(report)).await?;
        let stack = ctx.find::<MonitoringStack>(&namespace, CHILD_NAME).await?;
        let levels = client.as_ref().map(|client| {
            let place = LevelsPlace { client: client.name_any(), uid: client.uid().unwrap_or_default() };
            Levels::new(ctx.store.clone(), place)
        });
        let kept = match &levels {
            Some(levels) => levels.kept_days().await.map_err(Failure::store)?,
            None => BTreeSet::new(),
        };
        let agreed = || client.as_ref().and_then(|client| client.spec.service_levels.clone());
        let observed = Observed {
            has_client: client.is_some(),
            terms: report.spec.terms.clone().or_else(agreed),
            retention_days: stack.as_ref().map(|stack| stack.spec.terms.retention_days),
            kept,
            lost: lost(ctx, report).await?,
        };
        Ok(Sight { observed, levels, prometheus: prometheus(ctx, stack.as_ref()).await?, plan: Mutex::default() })
    }

    fn check(&self, report: &ServiceReport, sight: &Sight) -> Vec<Fault> {
        core::check(report, &sight.observed)
    }

    fn plan(&self, report: &ServiceReport, sight: &Sight, now: Timestamp) -> Work {
        let plan = core::plan(report, &sight.observed, now);
        *sight.plan.lock().expect("no panic while held") = plan.clone();
        Work { plan, observed: sight.observed.clone(), levels: sight.levels.clone(), prometheus: sight.prometheus.clone() }
    }

    async fn act(&self, ctx: &Context, report: &ServiceReport, work: Work) -> Acted<Done> {
        let mut done = Done::default();
        let failure = act(ctx, report, work, &mut done).await.err();
        Acted { done, failure }
    }

    fn status(&self, report: &ServiceReport, seen: Seen<'_, Sight, Done>) -> (ServiceReportStatus, Outcome) {
        let plan = seen.observed.plan.lock().expect("no panic while held").clone();
        let (status, outcome) = core::status(report, &seen.observed.observed, seen.faults, (&plan, seen.done), seen.now);
        (status, seen.failure.map_or(outcome, Failure::outcome))
    }

    /// What is in the store stays.
    async fn clean_up(&self, _ctx: &Context, _report: &ServiceReport) -> Result<CleanUp, Failure> {
        Ok(CleanUp::Done)
    }
}

/// What is wrong with a report that is in the store.
async fn lost(ctx: &Context, report: &ServiceReport) -> Result<Option<String>, Failure> {
    let Some(stored) = report.status.as_ref().and_then(|status| status.report.clone()) else { return Ok(None) };
    let address = make::json_of(&stored.address);
    match ctx.store.get(&address).await {
        Ok(bytes) if sha256_hex(&bytes) == stored.sha256 => Ok(None),
        Ok(_) => Ok(Some(format!("altered in the store: {address}"))),
        Err(error) if error.is_loss() => Ok(Some(error.to_string())),
        Err(error) => Err(Failure::store(error)),
    }
}

/// Where the client's Prometheus is, or why it cannot be asked.
async fn prometheus(ctx: &Context, stack: Option<&MonitoringStack>) -> Result<Result<SocketAddr, String>, Failure> {
    let Some(stack) = stack else { return Ok(Err("the client has no MonitoringStack".into())) };
    if ctx.pods.is_none() {
        return Ok(Err("the operator is set up not to ask the clients' monitoring".into()));
    }
    let found = running::prometheus(ctx, stack).await?;
    Ok(found.map(|ip| SocketAddr::new(ip, PROMETHEUS_PORT)).ok_or_else(|| "Prometheus does not run; see MonitoringReady".into()))
}

async fn act(ctx: &Context, report: &ServiceReport, work: Work, done: &mut Done) -> Result<(), Failure> {
    let Work { plan, observed, levels, prometheus } = work;
    let (Some(levels), Some(terms)) = (levels, &observed.terms) else { return Ok(()) };
    if plan.notes_terms {
        levels.note_terms(terms, ctx.now()).await.map_err(Failure::store)?;
    }
    let mut kept = observed.kept.clone();
    for date in &plan.fetch {
        let name = date.to_string();
        let read = match (&ctx.pods, &prometheus) {
            (Some(pods), Ok(at)) => {
                let before = match kept.range(..name.clone()).next_back() {
                    Some(before) => Some(levels.day(before).await.map_err(Failure::store)?.0),
                    None => None,
                };
                fetch::day(pods, *at, *date, before.as_ref(), ctx.now()).await
            }
            (_, Err(why)) => Err(why.clone()),
            (None, Ok(_)) => Err("the operator is set up not to ask the clients' monitoring".into()),
        };
        match read {
            Ok(day) => {
                levels.keep_day(&day).await.map_err(Failure::store)?;
                kept.insert(name);
            }
            Err(why) => {
                done.problem = Some(format!("{name} cannot be read: {why}"));
                break;
            }
        }
    }
    let is_whole = plan.fetch.iter().all(|date| kept.contains(&date.to_string()));
    done.kept = Some(kept.clone());
    if plan.makes_report && is_whole {
        make::report(&levels, report, terms, (&kept, &plan.gone), done).await?;
    }
    Ok(())
}

/// The days of a report that is made: those that are kept and in the month.
type Days<'a> = (&'a BTreeSet<String>, &'a BTreeMap<String, String>);
