//! `Handover`: does one step of an exit at each visit. The log in the status is written after each, so that a process that dies goes on where it was.

mod deliver;
mod revoke;
mod seal;

use async_trait::async_trait;
use caretaker_api::cloud_account::InventoryStatus;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::handover::{FinalReading, Frozen, HandoverStatus, HandoverStep};
use caretaker_api::{BackupPolicy, CloudAccount, Handover, ManagedClient, ProviderProfile, names};
use caretaker_cloud::Purpose;
use caretaker_core::digest::json_digest;
use caretaker_core::handover::advance::{StepResult, advance};
use caretaker_core::handover::{self as core, steps};
use caretaker_core::inventory::address::folder_of_manifest;
use caretaker_core::managed_client;
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::{Value, json};

use crate::access::{client_of, way_in};
use crate::context::Context;
use crate::discovery::{self, NotRead, Reading};
use caretaker_engine::Failure;
use caretaker_engine::apply::Owner;
use caretaker_engine::cache::api_resource;
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};

/// The reconciler.
pub struct Handovers;

/// Everything that a handover looks at, read from the API server: a watch that is behind must not make a bundle that lacks an account.
#[derive(Clone, Default)]
pub struct Sight {
    ended: bool,
    pub(crate) client: Option<ManagedClient>,
    pub(crate) profile: Option<ProviderProfile>,
    pub(crate) accounts: Vec<CloudAccount>,
    pub(crate) policies: Vec<BackupPolicy>,
    pub(crate) monitoring: Vec<Value>,
}

pub(crate) fn owner(handover: &Handover) -> Owner {
    Owner {
        kind: Kind::HANDOVER,
        client: client_of(handover),
        namespace: handover.namespace().unwrap_or_default(),
        name: handover.name_any(),
        uid: handover.uid().unwrap_or_default(),
    }
}

/// Monitoring objects as they are now, without what only this cluster knows. A kind whose definition is missing has none.
async fn monitoring(ctx: &Context, namespace: &str) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    for owned in Kind::MONITORING_STACK.makes.iter().filter(|owned| owned.group == "monitoring.coreos.com") {
        let api: Api<DynamicObject> = Api::namespaced_with(ctx.client.clone(), namespace, &api_resource(owned));
        let ours = ListParams::default().labels(&format!("{}={}", names::MANAGED_BY, names::MANAGER));
        let list = match api.list(&ours).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(Failure::kubernetes(format!("list {}", owned.plural))(error)),
        };
        found.extend(list.iter().map(|object| {
            let spec = &object.data["spec"];
            json!({"apiVersion": owned.api_version(), "kind": owned.kind, "metadata": {"name": object.name_any()}, "spec": spec})
        }));
    }
    Ok(found)
}

#[async_trait]
impl Reconciler for Handovers {
    type Object = Handover;
    type Context = Context;
    type Observed = Sight;
    type Plan = (Option<HandoverStep>, Sight);
    type Done = StepResult;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, handover: &Handover) -> Result<Sight, Failure> {
        let namespace = handover.namespace().unwrap_or_default();
        let Some(step) = steps::current(&handover.status.clone().unwrap_or_default()) else {
            return Ok(Sight { ended: true, ..Sight::default() });
        };
        let client = ctx.fetch::<ManagedClient>("", &client_of(handover)).await?;
        let profile = match &client {
            Some(client) => ctx.fetch::<ProviderProfile>("", &client.spec.provider_profile).await?,
            None => None,
        };
        Ok(Sight {
            ended: false,
            client,
            profile,
            accounts: ctx.fetch_all::<CloudAccount>(&namespace).await?,
            policies: ctx.fetch_all::<BackupPolicy>(&namespace).await?,
            monitoring: if matches!(step, HandoverStep::Build | HandoverStep::Seal) {
                monitoring(ctx, &namespace).await?
            } else {
                Vec::new()
            },
        })
    }

    fn check(&self, handover: &Handover, observed: &Sight) -> Vec<Fault> {
        if observed.ended {
            return Vec::new();
        }
        let Some(client) = &observed.client else {
            let message = format!(
                "namespace {} belongs to no ManagedClient: make the Handover in a client's namespace",
                handover.namespace().unwrap_or_default()
            );
            return vec![Fault::outside(Reason::ReferenceMissing, "metadata.namespace", message)];
        };
        if observed.profile.is_none() {
            let message = format!("ProviderProfile {} does not exist: the bundle cannot be signed", client.spec.provider_profile);
            return vec![Fault::outside(Reason::ReferenceMissing, "ManagedClient.spec.providerProfile", message)];
        }
        if handover.status.as_ref().is_some_and(|status| status.frozen.is_some()) {
            return Vec::new();
        }
        let is_made = |name: &str| observed.accounts.iter().any(|account| account.name_any() == name);
        let seen = managed_client::Observed { accounts: observed.accounts.clone(), ..managed_client::Observed::default() };
        let missing = managed_client::accounts(client, &seen).into_iter().filter(|account| !is_made(&account.name)).map(|account| {
            let message = format!("account {} is not made yet: without it the bundle would lack it", account.name);
            Fault::outside(Reason::ReferenceMissing, "ManagedClient.spec.accounts", message)
        });
        let recipients = caretaker_bundle::recipient_faults(&client.spec.exit.recipients)
            .into_iter()
            .map(|fault| Fault::outside(Reason::InvalidSpec, fault.field("ManagedClient.spec.exit.recipients"), fault.problem.to_string()));
        let missing: Vec<Fault> = missing.collect();
        missing.into_iter().chain(recipients).collect()
    }

    fn plan(&self, handover: &Handover, observed: &Sight, _now: Timestamp) -> Self::Plan {
        (steps::current(&handover.status.clone().unwrap_or_default()), observed.clone())
    }

    async fn act(&self, ctx: &Context, handover: &Handover, (step, sight): Self::Plan) -> Acted<StepResult> {
        let result = match step {
            None | Some(HandoverStep::Accept) => Ok(StepResult::Nothing),
            Some(HandoverStep::Freeze) => freeze(ctx, &sight).await,
            Some(HandoverStep::Discover) => discover(ctx, handover, &sight).await,
            Some(HandoverStep::Build) => seal::build(ctx, handover, &sight).await,
            Some(HandoverStep::Seal) => seal::seal(ctx, handover, &sight).await,
            Some(HandoverStep::Deliver) => deliver::deliver(ctx, handover).await,
            Some(HandoverStep::Verify) => deliver::verify(ctx, handover, &sight).await,
            Some(HandoverStep::Revoke) => revoke::revoke(ctx, handover, &sight).await,
            Some(HandoverStep::VerifyRefusal) => revoke::attempt(ctx, handover, &sight).await,
            Some(HandoverStep::Done) => Ok(StepResult::Done),
        };
        match result {
            Ok(done) => Acted { done, failure: None },
            Err(failure) => Acted { done: StepResult::Nothing, failure: Some(failure) },
        }
    }

    fn status(&self, handover: &Handover, seen: Seen<'_, Sight, StepResult>) -> (HandoverStatus, Outcome) {
        if let Some(failure) = seen.failure {
            return (handover.status.clone().unwrap_or_default(), failure.outcome());
        }
        advance(handover, seen.faults, seen.done, seen.now)
    }

    /// Neither a cloud nor a stored bundle is touched.
    async fn clean_up(&self, _ctx: &Context, handover: &Handover) -> Result<CleanUp, Failure> {
        seal::discard(handover);
        Ok(CleanUp::Done)
    }
}

async fn freeze(ctx: &Context, sight: &Sight) -> Result<StepResult, Failure> {
    let Some(client) = &sight.client else { return Ok(StepResult::Nothing) };
    let mut accounts = Vec::new();
    for account in &sight.accounts {
        if !revoke::is_others(&way_in(ctx, account).await?) {
            accounts.push(account.name_any());
        }
    }
    Ok(StepResult::Frozen(Frozen {
        client_generation: client.metadata.generation.unwrap_or_default(),
        recipients: client.spec.exit.recipients.iter().map(|recipient| caretaker_bundle::normalise(recipient).to_owned()).collect(),
        accounts,
        at: Some(Time(ctx.now())),
    }))
}

/// An account that cannot be read is a gap, not a stop: the client may have closed the door first.
async fn discover(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<StepResult, Failure> {
    let mut readings = Vec::new();
    // A parent holds nothing itself.
    for account in sight.accounts.iter().filter(|account| !account.spec.target.is_parent()) {
        let last = account.status.as_ref().and_then(|status| status.inventory.clone());
        let (inventory, gap) = match read(ctx, handover, account).await? {
            Ok(inventory) => (Some(inventory), String::new()),
            Err(why) if last.is_some() => (last, format!("not read at the end ({why}); the last inventory is delivered instead")),
            Err(why) => (None, format!("never read: {why}")),
        };
        readings.push(FinalReading { account: account.name_any(), inventory: inventory.map(slim), gap });
    }
    Ok(StepResult::Discovered(readings))
}

/// What a handover's status keeps of a reading. The store holds the rest: a client may have a thousand accounts, and etcd takes a megabyte and a half.
fn slim(mut inventory: InventoryStatus) -> InventoryStatus {
    if folder_of_manifest(&inventory.address).is_some() {
        inventory.coverage.gaps.clear();
        inventory.coverage.notes.clear();
    }
    InventoryStatus { since_previous: None, since_baseline: None, ..inventory }
}

async fn read(ctx: &Context, handover: &Handover, account: &CloudAccount) -> Result<Result<InventoryStatus, String>, Failure> {
    if let Some(member) = account.spec.member.as_ref().filter(|member| !member.is_live()) {
        return Ok(Err(format!("its parent {} calls it {:?}", member.parent, member.state)));
    }
    let way = match way_in(ctx, account).await? {
        Ok(Some(way)) => way,
        Ok(None) => return Ok(Err("the ExternalId was never made".into())),
        Err(fault) => return Ok(Err(fault.message)),
    };
    let link = match way.connector.connect(&way.grant, Purpose::Read).await {
        Ok(link) => link,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let (client, name) = (client_of(handover), account.name_any());
    let status = account.status.clone().unwrap_or_default();
    let identity = json_digest(&(handover.uid(), discovery::scope_digest(account)));
    let reading = Reading {
        client: &client,
        last: status.inventory.as_ref(),
        baseline: status.baseline.as_ref(),
        ..Reading::of(&ctx.store, account, &name, (identity, ctx.now()))
    };
    match discovery::run(link.as_ref(), &reading).await {
        Ok(taken) => Ok(Ok(taken.inventory)),
        Err(NotRead::Cloud(error)) => Ok(Err(error.to_string())),
        Err(NotRead::Failed(error)) => Err(Failure::store(error)),
    }
}
