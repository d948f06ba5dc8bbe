//! `CloudAccount`: makes the ExternalId and the kit, proves access, reads the inventory.

use std::collections::{BTreeSet, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use caretaker_api::cloud_account::{CloudAccountStatus, InventoryStatus, KitStatus};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::handover::{HandoverMode, HandoverStep};
use caretaker_api::{CloudAccount, Handover, ProviderProfile, names};
use caretaker_cloud::{CloudError, CloudLink, ErrorClass, Member, Presented, Purpose};
use caretaker_core::cloud_account::cross_client_probe::{self, Tried};
use caretaker_core::cloud_account::intrusion_probe::Refusal;
use caretaker_core::cloud_account::{self as core, Done, Listing, Observed, Plan};
use caretaker_core::desired::Desired;
use caretaker_core::digest::json_digest;
use caretaker_core::inventory::address::folder;
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use caretaker_core::visit_request::is_asked;
use caretaker_core::{grant, handover, kit};
use futures::future::join_all;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use crate::access::{WayIn, client_of, connector, way_in};
use crate::claim;
use crate::context::Context;
use crate::discovery::{self, NotRead, Reading};
use caretaker_engine::Failure;
use caretaker_engine::apply::{self, Owner};
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};
use caretaker_store::StoreError;
use caretaker_store::inventory;

/// Longest wait for an attempt that must be refused, of a principal that leads into other clients' accounts.
const PATIENCE: Duration = Duration::from_secs(30);

/// The reconciler.
pub struct CloudAccounts;

/// What was seen, and the way in.
pub struct Sight {
    seen: Observed,
    way_in: Option<WayIn>,
}

/// The owner that an account's objects name.
#[must_use]
pub fn owner(account: &CloudAccount) -> Owner {
    Owner {
        kind: Kind::CloudAccount,
        client: client_of(account),
        namespace: account.namespace().unwrap_or_default(),
        name: account.name_any(),
        uid: account.uid().unwrap_or_default(),
    }
}

/// From the moment that a final handover revokes, nobody but the handover knocks.
fn is_revoking(handover: &Handover) -> bool {
    let step = handover.status.as_ref().and_then(|status| status.step);
    handover.spec.mode == HandoverMode::Final && step >= Some(HandoverStep::Revoke)
}

#[async_trait]
impl Reconciler for CloudAccounts {
    type Object = CloudAccount;
    type Context = Context;
    type Observed = Sight;
    type Plan = (Plan, Option<WayIn>, Option<Desired>, String);
    type Done = Done;
    const KIND: Kind = Kind::CloudAccount;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, account: &CloudAccount) -> Result<Sight, Failure> {
        let namespace = account.namespace().unwrap_or_default();
        let profile = ctx.find::<ProviderProfile>("", &account.spec.provider_profile).await?;
        let claimed_by_other = !claim::hold(ctx, account).await?;
        let handed_over = ctx.cache.list_typed::<Handover>(Some(&namespace)).iter().any(is_revoking);
        let mut seen = Observed { provider: profile.map(|profile| profile.spec), way_fault: None, claimed_by_other, handed_over };
        let way_in = if claimed_by_other || handed_over || !account.spec.is_live() {
            None
        } else {
            match way_in(ctx, account).await? {
                Ok(way_in) => way_in,
                Err(fault) => {
                    seen.way_fault = Some(fault);
                    None
                }
            }
        };
        Ok(Sight { seen, way_in })
    }

    fn check(&self, account: &CloudAccount, observed: &Sight) -> Vec<Fault> {
        core::check(account, &observed.seen)
    }

    fn plan(&self, account: &CloudAccount, observed: &Sight, now: Timestamp) -> Self::Plan {
        let plan = core::plan(account, &observed.seen, now);
        let provider = observed.seen.provider.as_ref();
        let files = provider.and_then(|provider| kit::files((&client_of(account), &account.name_any()), &account.spec, provider));
        let kit = files.map(|files| {
            let name = format!("{}-grant-kit", account.name_any());
            Desired::config_map(account.namespace().unwrap_or_default(), name, files)
        });
        let principal = provider.map(|provider| grant::principal(&account.spec, provider)).unwrap_or_default();
        (plan, observed.way_in.clone(), kit, principal)
    }

    async fn act(&self, ctx: &Context, account: &CloudAccount, (plan, way_in, kit, principal): Self::Plan) -> Acted<Done> {
        let mut done = Done { principal, ..Done::default() };
        let failure = act(ctx, account, (plan, way_in, kit), &mut done).await.err();
        Acted { done, failure }
    }

    fn status(&self, account: &CloudAccount, seen: Seen<'_, Sight, Done>) -> (CloudAccountStatus, Outcome) {
        let (status, outcome) = core::status(account, &seen.observed.seen, seen.faults, seen.done, seen.now);
        (status, seen.failure.map_or(outcome, Failure::outcome))
    }

    /// Nothing is removed in the client's cloud, and nobody is asked there: what does not answer must not hold the object. The claim goes last.
    async fn clean_up(&self, ctx: &Context, account: &CloudAccount) -> Result<CleanUp, Failure> {
        let event = Event {
            type_: EventType::Normal,
            reason: Reason::Deleting.as_str().into(),
            note: Some(core::farewell(account)),
            action: "CleanUp".into(),
            secondary: None,
        };
        if let Err(error) = ctx.recorder.publish(&event, &account.object_ref(&())).await {
            tracing::debug!(%error, "an event was not published");
        }
        claim::release(ctx, account).await?;
        Ok(CleanUp::Done)
    }
}

async fn act(
    ctx: &Context,
    account: &CloudAccount,
    (plan, way_in, kit): (Plan, Option<WayIn>, Option<Desired>),
    done: &mut Done,
) -> Result<(), Failure> {
    if plan.make_external_id {
        make_external_id(ctx, account).await?;
        done.made_external_id = true;
        return Ok(());
    }
    if let Some(kit) = kit {
        apply::apply(ctx, &owner(account), &kit).await?;
        done.kit = Some(KitStatus { config_map: kit.name.clone(), digest: json_digest(&kit.body) });
    }
    let Some(way_in) = way_in else { return Ok(()) };
    if !plan.prove && !plan.discover && !plan.list_members {
        return Ok(());
    }
    let purpose = if account.spec.target.is_parent() { Purpose::Members } else { Purpose::Read };
    let link = match way_in.connector.connect(&way_in.grant, purpose).await {
        Ok(link) => link,
        Err(error) => {
            done.proof = Some(Err(error));
            return Ok(());
        }
    };
    // Before the proof: where nothing is delegated yet, what the client has named waits, and each needs a kit of its own.
    if plan.list_members {
        done.members = Some(link.members().await.map(|listed| {
            let of_others = held_by_others(ctx, account, &listed);
            Listing { listed, of_others }
        }));
    }
    if plan.prove {
        // A held session proves nothing of now: the role may have been closed meanwhile.
        done.proof = Some(way_in.connector.attempt(&way_in.grant, Presented::Right).await);
        if matches!(done.proof, Some(Err(_))) {
            return Ok(());
        }
        prove(account, plan, (&way_in, link.as_ref()), done).await;
    }
    if plan.discover {
        discover(ctx, account, link.as_ref(), done).await?;
    }
    // Last: what other clients' principals wait for must not keep this client waiting.
    if plan.prove {
        done.others = separate(ctx, account, &way_in).await;
    }
    Ok(())
}

/// What is asked once the right way in was let in.
async fn prove(account: &CloudAccount, plan: Plan, (way_in, link): (&WayIn, &dyn CloudLink), done: &mut Done) {
    if plan.prove_refusals {
        for presented in [Presented::Nothing, Presented::Wrong] {
            done.refusals.push(Refusal::from_answer(&way_in.connector.attempt(&way_in.grant, presented).await));
        }
    }
    let wanted = kit::parents::wanted(&account.spec, &way_in.grant);
    done.gap = Some(link.permissions(&wanted).await);
    // A parent's own role is asked for what it lacks; what is too much, and who gets in, is asked of each of its accounts.
    if account.spec.target.is_parent() {
        return;
    }
    done.excess = Some(link.excess(&wanted).await);
    if plan.register {
        done.register = Some(link.ways_in().await);
    }
}

/// Has principals that lead into other clients' accounts try this one's way in, with the right secret, where that is due.
async fn separate(ctx: &Context, account: &CloudAccount, way_in: &WayIn) -> Option<Tried> {
    let (now, last) = (ctx.now(), account.status.as_ref().and_then(|status| status.last_handled_request.as_ref()));
    let profiles = ctx.cache.list_typed::<ProviderProfile>(None);
    let own = (account, &way_in.provider);
    if !cross_client_probe::is_due(own, &profiles, is_asked(&account.metadata, last), now) {
        return None;
    }
    let round = cross_client_probe::round(own, &ctx.cache.list_typed(None), &profiles, now);
    let attempts = round.others.iter().map(|other| async {
        let profile = profiles.iter().find(|profile| profile.name_any() == other.profile)?;
        Some(match tokio::time::timeout(PATIENCE, trespass(ctx, profile, (account, way_in))).await {
            Ok(refusal) => refusal,
            Err(_) => Refusal::Unknown(format!("no answer within {} s", PATIENCE.as_secs())),
        })
    });
    let answers: Vec<Refusal> = join_all(attempts).await.into_iter().flatten().collect();
    for (other, _) in round.others.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Refusal::LetIn)) {
        let (namespace, name) = (account.namespace().unwrap_or_default(), account.name_any());
        tracing::warn!(namespace, name, profile = other.profile, digest = other.mark, "another client's principal was let in");
    }
    Some(Tried { round, answers })
}

/// One attempt of another profile's principal. The names of what it works with are none of this client's business.
async fn trespass(ctx: &Context, profile: &ProviderProfile, (account, way_in): (&CloudAccount, &WayIn)) -> Refusal {
    let unable = |what: &str, cause: &dyn std::fmt::Display| {
        let (namespace, name) = (account.namespace().unwrap_or_default(), account.name_any());
        tracing::info!(namespace, name, profile = profile.name_any(), %cause, "another client's principal could not try to get in");
        Refusal::Unknown(what.to_owned())
    };
    let connector = match connector(ctx, profile, account.spec.target.cloud()).await {
        Ok(Ok(connector)) => connector,
        Ok(Err(fault)) => return unable("its ProviderProfile has a fault, which its own status tells", &fault.message),
        Err(failure) => return unable("its ProviderProfile's Secret could not be read", &failure),
    };
    match connector.attempt(&way_in.grant, Presented::Stolen).await {
        Err(error) if !error.is_refusal() => {
            let what = match error.class {
                ErrorClass::Credentials | ErrorClass::Expired => "its own credentials do not work, which its ProviderProfile tells",
                ErrorClass::Throttled(_) => "the cloud asked to wait",
                ErrorClass::Unreachable => "the cloud did not answer",
                _ => "the cloud gave an answer that says nothing of it",
            };
            unable(what, &error)
        }
        answer => Refusal::from_answer(&answer),
    }
}

/// Accounts of the list that another client's object is for: this client is told neither their names nor their states.
fn held_by_others(ctx: &Context, parent: &CloudAccount, listed: &[Member]) -> Vec<String> {
    let cloud = parent.spec.target.cloud();
    let of_others: HashSet<String> = ctx
        .cache
        .list_typed::<CloudAccount>(None)
        .into_iter()
        .filter(|other| other.namespace() != parent.namespace() && other.spec.is_live())
        .filter(|other| other.spec.target.cloud() == cloud && !other.spec.target.is_parent())
        .map(|other| other.spec.target.id())
        .collect();
    listed.iter().map(|member| member.id.clone()).filter(|id| of_others.contains(id)).collect()
}

async fn discover(ctx: &Context, account: &CloudAccount, link: &dyn CloudLink, done: &mut Done) -> Result<(), Failure> {
    let (client, name, now) = (client_of(account), account.name_any(), ctx.now());
    let status = account.status.clone().unwrap_or_default();
    let request = account.annotations().get(names::REQUESTED_AT);
    let identity = json_digest(&(account.metadata.generation, request, discovery::scope_digest(account)));
    let used = Mutex::new(None);
    let reading = Reading {
        client: &client,
        used: Some(&used),
        last: status.inventory.as_ref(),
        baseline: status.baseline.as_ref(),
        ..Reading::of(&ctx.store, account, &name, (identity, now))
    };
    if core::store_took_nothing(&status.conditions)
        && let Err(error) = ctx.store.probe(&folder(&client, &name)).await
    {
        done.store_fault = Some(store_fault(&error));
        return Ok(());
    }
    let read = discovery::run(link, &reading).await;
    done.usage = used.into_inner().ok().flatten().map(|usage| (usage, ctx.now()));
    match read {
        Ok(taken) => {
            let keep = needed(ctx, account, &taken.inventory);
            inventory::clean(&ctx.store, &folder(&client, &name), &keep, (account.spec.inventory_retention_days, now)).await;
            done.inventory = Some(Ok(taken));
        }
        Err(NotRead::Cloud(error)) => done.inventory = Some(Err(error)),
        Err(NotRead::Failed(error @ StoreError::Local { .. })) => return Err(Failure::store(error)),
        Err(NotRead::Failed(error)) => done.store_fault = Some(store_fault(&error)),
    }
    if let Some(Err(error @ CloudError { class: ErrorClass::Throttled(_), .. })) = &done.inventory {
        done.proof = Some(Err(error.clone()));
    }
    Ok(())
}

/// Addresses that must stay in the store however old they are: those of this status, before and after, and what an unfinished handover delivers.
fn needed(ctx: &Context, account: &CloudAccount, new: &InventoryStatus) -> BTreeSet<String> {
    let status = account.status.clone().unwrap_or_default();
    let of = |inventory: &InventoryStatus| {
        let diffs = [&inventory.since_previous, &inventory.since_baseline].into_iter().flatten().map(|diff| diff.address.clone());
        std::iter::once(inventory.address.clone()).chain(diffs).collect::<Vec<_>>()
    };
    let mut needed: BTreeSet<String> = [Some(new), status.inventory.as_ref()].into_iter().flatten().flat_map(of).collect();
    needed.extend(status.baseline.map(|baseline| baseline.address));
    for handover in ctx.cache.list_typed::<Handover>(account.namespace().as_deref()) {
        let status = handover.status.unwrap_or_default();
        if handover::steps::current(&status).is_some() {
            needed.extend(status.readings.iter().filter_map(|reading| reading.inventory.as_ref()).flat_map(of));
        }
    }
    needed
}

/// The condition's reason for a fault of the store.
#[must_use]
pub fn store_fault(error: &StoreError) -> (Reason, String) {
    let reason = match error {
        StoreError::Full(_) => Reason::StoreFull,
        StoreError::ReadOnly(_) => Reason::StoreReadOnly,
        StoreError::NotFound(_) | StoreError::Damaged(_) | StoreError::Unreachable(_) | StoreError::Local { .. } => {
            Reason::StoreUnreachable
        }
    };
    (reason, error.to_string())
}

/// 128 random bits in hexadecimal: not to be guessed, and never chosen by the client. The rule of the CRD refuses a second one.
async fn make_external_id(ctx: &Context, account: &CloudAccount) -> Result<(), Failure> {
    let external_id = hex::encode(rand::random::<[u8; 16]>());
    let field = if account.spec.target.is_parent() { "awsOrganization" } else { "aws" };
    let api: Api<CloudAccount> = Api::namespaced(ctx.client.clone(), &account.namespace().unwrap_or_default());
    let patch = json!({
        "metadata": {"resourceVersion": account.resource_version(), "uid": account.uid()},
        "spec": {field: {"externalId": external_id}},
    });
    api.patch(&account.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .map_err(Failure::kubernetes(format!("set the ExternalId of CloudAccount {}", account.name_any())))?;
    ctx.metrics.write("CloudAccount", "external-id");
    Ok(())
}
