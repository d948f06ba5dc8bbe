//! `ManagedClient`: reads the world around a client, lets `core` decide, applies and prunes.

mod contract;
mod erase;
mod isolation;
mod rehearsals;
mod units;

use async_trait::async_trait;
use caretaker_api::condition::ConditionType;
use caretaker_api::destination::Destination;
use caretaker_api::handover::{HandoverMode, HandoverSpec};
use caretaker_api::managed_client::ManagedClientStatus;
use caretaker_api::names::client_namespace;
use caretaker_api::{
    BackupPolicy, ChangeRequest, CloudAccount, ManagedClient, MonitoringStack, ProviderProfile, ServiceProfile, ServiceReport,
};
use caretaker_core::billing::{self, Due};
use caretaker_core::desired::Desired;
use caretaker_core::handover::ending::Ending;
use caretaker_core::handover::life::{Life, has_come_to, is_leaving};
use caretaker_core::isolation::{Step, step};
use caretaker_core::ledger::Decision;
use caretaker_core::managed_client::erasure::Erasing;
use caretaker_core::managed_client::lifecycle::baseline::Frozen;
use caretaker_core::managed_client::{self as core, Observed, Report, readiness};
use caretaker_core::outcome::{Fault, Outcome, Wait};
use caretaker_core::ownership::{Kind, owned};
use caretaker_core::service_profile::{self, Standing};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};

use crate::context::Context;
use crate::destination;
use crate::ledger;
use caretaker_engine::Failure;
use caretaker_engine::apply::{self, Applied, Owner, is_ours};
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};

/// The reconciler.
pub struct ManagedClients;

/// What a visit does.
pub struct Plan {
    objects: Vec<Desired>,
    prunes: Vec<&'static str>,
    isolation: Step,
    rehearsal: Option<String>,
    contract_end: Option<(String, HandoverSpec)>,
    erasing: Option<Erasing>,
    worn: Vec<String>,
    destination: Option<Destination>,
    decisions: Vec<Decision>,
    turned: bool,
    freeze: Option<Frozen>,
    billing: Option<Due>,
    /// Nothing of the rest is done: the client takes a revision of its profile, and is built with it from the next visit on.
    takes: bool,
}

impl Plan {
    /// The handovers that begin by themselves.
    fn begins(&self) -> Vec<(String, HandoverSpec)> {
        let rehearsal = |name: &String| (name.clone(), HandoverSpec { mode: HandoverMode::Rehearsal, ..HandoverSpec::default() });
        self.rehearsal.iter().map(rehearsal).chain(self.contract_end.clone()).collect()
    }
}

/// The owner that a client's objects name.
#[must_use]
pub fn owner(client: &ManagedClient) -> Owner {
    Owner {
        kind: Kind::ManagedClient,
        client: client.name_any(),
        namespace: String::new(),
        name: client.name_any(),
        uid: client.uid().unwrap_or_default(),
    }
}

/// A namespace that we did not make is found by asking, since only our own are watched.
async fn namespace_taken(ctx: &Context, client: &ManagedClient, namespace: &str) -> Result<bool, Failure> {
    let uid = client.uid().unwrap_or_default();
    if let Some(object) = ctx.cache.get("Namespace", "", namespace) {
        return Ok(!is_ours(&object, &uid));
    }
    let api: Api<Namespace> = Api::all(ctx.client.clone());
    let found = api.get_opt(namespace).await.map_err(Failure::kubernetes(format!("get Namespace {namespace}")))?;
    Ok(found.is_some_and(|found| !found.owner_references().iter().any(|reference| reference.uid == uid)))
}

/// How the client stands to its ServiceProfile. A profile of the same commit may come a moment later, and wakes it.
async fn standing(ctx: &Context, client: &ManagedClient) -> Result<Standing, Failure> {
    let profile = match &client.spec.profile {
        Some(choice) => ctx.find::<ServiceProfile>("", &choice.name).await?,
        None => None,
    };
    Ok(service_profile::standing(client, profile.as_ref(), ctx.now()))
}

fn recipient_faults(client: &ManagedClient) -> Vec<Fault> {
    caretaker_bundle::recipient_faults(&client.spec.exit.recipients)
        .into_iter()
        .map(|fault| Fault::spec(fault.field("spec.exit.recipients"), fault.problem.to_string()))
        .collect()
}

#[async_trait]
impl Reconciler for ManagedClients {
    type Object = ManagedClient;
    type Context = Context;
    type Observed = Observed;
    type Plan = Plan;
    type Done = Report;
    const KIND: Kind = Kind::ManagedClient;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, client: &ManagedClient) -> Result<Observed, Failure> {
        let namespace = client_namespace(&client.name_any());
        let within = Some(namespace.as_str());
        let handovers = ledger::handovers(ctx, &namespace).await?;
        let (isolation_stage, isolation) = isolation::see(ctx, client, is_leaving(&handovers)).await?;
        let profile = ctx.find::<ProviderProfile>("", &client.spec.provider_profile).await?;
        let standing = standing(ctx, client).await?;
        Ok(Observed {
            standing,
            isolation_stage,
            isolation,
            profile_exists: profile.is_some(),
            profile_refuses: profile.as_ref().is_some_and(|profile| !profile.spec.serves(&client.name_any())),
            profile_conditions: profile.and_then(|profile| profile.status).map(|status| status.conditions).unwrap_or_default(),
            namespace_taken: namespace_taken(ctx, client, &namespace).await?,
            accounts: ctx.cache.list_typed::<CloudAccount>(within),
            monitoring: ctx.cache.typed::<MonitoringStack>(&namespace, core::CHILD_NAME),
            backups: ctx.cache.typed::<BackupPolicy>(&namespace, core::CHILD_NAME),
            reports: ctx.cache.list_typed::<ServiceReport>(within),
            changes: ctx.cache.list_typed::<ChangeRequest>(within),
            decided: ledger::decided(ctx, client).await.ok(),
            baseline: ledger::baseline(ctx, client).await.ok().flatten(),
            ending: Ending::of(&handovers),
            leaving: is_leaving(&handovers),
            frozen: has_come_to(&handovers, Life::Frozen),
            dns: ctx.layout.dns.clone(),
            handovers,
            ledger: ledger::check(ctx, client).await.map(|verdict| (verdict.head, verdict.faults)),
            recipient_faults: recipient_faults(client),
        })
    }

    fn check(&self, client: &ManagedClient, observed: &Observed) -> Vec<Fault> {
        core::check(client, observed)
    }

    fn plan(&self, client: &ManagedClient, observed: &Observed, now: Timestamp) -> Plan {
        let prunes = |kind: &&str| core::may_prune(kind, observed);
        Plan {
            takes: matches!(observed.standing, Standing::Takes(_)),
            objects: [core::plan(client, observed, now), core::reports(client, observed, now)].concat(),
            prunes: apply::kinds_of(Kind::ManagedClient).into_iter().filter(prunes).collect(),
            isolation: step(client, &observed.isolation_stage, &observed.isolation, now),
            rehearsal: readiness::next_rehearsal(client, &observed.handovers, now),
            contract_end: core::deadlines::contract_handover(client, &observed.handovers, now),
            erasing: core::erasure::erasing(client, observed, now),
            worn: readiness::worn_rehearsals(&observed.handovers),
            decisions: core::delivery::owed(client, observed, now),
            turned: core::delivery::turned(client, observed, now),
            freeze: core::lifecycle::baseline::due(client, observed, now),
            billing: billing::due(client, observed, now),
            destination: core::destination::due(client, now).filter(|_| observed.ending.is_none()).cloned(),
        }
    }

    async fn act(&self, ctx: &Context, client: &ManagedClient, plan: Plan) -> Acted<Report> {
        if plan.takes {
            return Acted { done: Report::default(), failure: None };
        }
        let owner = owner(client);
        let (mut report, mut taken) = (Report::default(), None);
        if let Err(failure) = contract::act(ctx, client, &plan.decisions, (plan.turned, plan.freeze.as_ref())).await {
            report.failure = Some(failure.to_string());
            return Acted { done: report, failure: Some(failure) };
        }
        for desired in &plan.objects {
            match apply::apply(ctx, &owner, desired).await {
                Ok(Applied::Contested(wait)) => report.contested.push(wait),
                Ok(_) => {}
                // One name that is taken keeps nothing else from being made.
                Err(failure @ Failure::NameTaken(_)) => taken = taken.or(Some(failure)),
                Err(failure) => {
                    report.failure = Some(failure.to_string());
                    return Acted { done: report, failure: Some(failure) };
                }
            }
        }
        let failure = apply::prune(ctx, &owner, &plan.prunes, &plan.objects).await.err().or(taken);
        report.failure = failure.as_ref().map(ToString::to_string);
        report.namespace_ready = failure.is_none();
        if failure.is_none() {
            if let Err(failure) = rehearsals::act(ctx, client, plan.begins(), &plan.worn).await {
                return Acted { done: report, failure: Some(failure) };
            }
            if let Some(destination) = &plan.destination {
                match destination::attempt(ctx, client, destination).await {
                    Ok(tried) => report.destination = Some(tried),
                    Err(failure) => return Acted { done: report, failure: Some(failure) },
                }
            }
            if let Some(due) = plan.billing {
                let counted = units::act(ctx, client, &due).await;
                report.billing = Some((due, counted));
            }
            if let Some(erasing) = &plan.erasing {
                let failure;
                (report.erased, failure) = erase::act(ctx, client, erasing).await;
                if failure.is_some() {
                    return Acted { done: report, failure };
                }
            }
            match isolation::act(ctx, client, plan.isolation).await {
                Ok(began) => report.isolation = began,
                Err(failure) => return Acted { done: report, failure: Some(failure) },
            }
        }
        Acted { done: report, failure }
    }

    fn status(&self, client: &ManagedClient, seen: Seen<'_, Observed, Report>) -> (ManagedClientStatus, Outcome) {
        let (status, outcome) = core::status(client, seen.observed, seen.faults, seen.done, seen.now);
        (status, seen.failure.map_or(outcome, Failure::outcome))
    }

    /// Children first, then the namespace, then the client: what a child's clean-up needs outlives it. Nothing in a cloud is touched.
    async fn clean_up(&self, ctx: &Context, client: &ManagedClient) -> Result<CleanUp, Failure> {
        let owner = owner(client);
        let namespace = client_namespace(&client.name_any());
        let children = ["Handover", "ServiceReport", "ChangeRequest", "Incident", "BackupPolicy", "MonitoringStack", "CloudAccount"];
        let mut left = Vec::new();
        for kind in children {
            for object in ctx.cache.list(kind, Some(&namespace)) {
                left.push(format!("{kind} {}", object.name_any()));
                if object.metadata.deletion_timestamp.is_none() {
                    apply::delete_child(ctx, kind, &object).await?;
                }
            }
        }
        if !left.is_empty() {
            return Ok(waiting(&left));
        }
        let Some(object) = ctx.cache.get("Namespace", "", &namespace).filter(|object| is_ours(object, &owner.uid)) else {
            return Ok(CleanUp::Done);
        };
        if object.metadata.deletion_timestamp.is_none() {
            let namespaces = owned("Namespace").expect("the ownership table holds namespaces");
            apply::delete(ctx, namespaces, &object).await?;
        }
        Ok(waiting(&[format!("namespace {namespace}")]))
    }
}

fn waiting(left: &[String]) -> CleanUp {
    CleanUp::Waiting(Wait {
        reason: caretaker_api::condition::Reason::Deleting,
        message: format!("waits until these are gone: {}", left.join(", ")),
        after: std::time::Duration::from_secs(2),
    })
}
