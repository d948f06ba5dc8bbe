//! `MonitoringStack`: reads the inventories, lets `core` make the objects, applies and prunes.

mod around;
mod ask;
mod outages;
pub mod pages;
pub(crate) mod running;

pub use ask::Pods;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caretaker_api::cloud_account::InventoryStatus;
use caretaker_api::condition::ConditionType;
use caretaker_api::escalation::RECEIVERS_SECRET;
use caretaker_api::monitoring_stack::MonitoringStackStatus;
use caretaker_api::{CloudAccount, ManagedClient, MonitoringStack};
use caretaker_core::inventory::Line;
use caretaker_core::monitoring_stack::{self as core, Done, Judged, LostInventory, Observed, Plan, Watched};
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::Api;

use crate::access::client_of;
use crate::context::Context;
use caretaker_engine::Failure;
use caretaker_engine::apply::{self, Applied, Owner};
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};
use caretaker_store::inventory::read;

use around::Around;

/// The reconciler. Keeps what each account's last inventory gives to watch, so that a resync reads nothing again.
#[derive(Default)]
pub struct MonitoringStacks {
    watched: Mutex<HashMap<AccountKey, Known>>,
    around: Around,
    begun: outages::Begun,
}

/// Namespace and name of a CloudAccount.
type AccountKey = (String, String);

/// What an inventory gives to watch.
#[derive(Clone)]
struct Known {
    digest: String,
    watched: Arc<Watched>,
}

/// What came of an inventory.
enum Read {
    /// It was read, now or before.
    Known(Arc<Watched>),
    /// The store has lost it. What the one before it gave is known where this process has read that.
    Lost { cause: String, before: Option<Arc<Watched>> },
}

impl MonitoringStacks {
    async fn read(&self, ctx: &Context, account: AccountKey, inventory: &InventoryStatus) -> Result<Read, Failure> {
        let held = self.watched.lock().expect("no panic while held").get(&account).cloned();
        if let Some(known) = &held
            && known.digest == inventory.digest
        {
            return Ok(Read::Known(known.watched.clone()));
        }
        let mut watched = Watched::default();
        let take = |line: Line| {
            watched.take(&line);
            Ok(())
        };
        match read(&ctx.store, inventory, take).await {
            Ok(()) => {}
            Err(error) if error.is_loss() => return Ok(Read::Lost { cause: error.to_string(), before: held.map(|known| known.watched) }),
            Err(error) => return Err(Failure::store(error)),
        }
        let watched = Arc::new(watched);
        let known = Known { digest: inventory.digest.clone(), watched: watched.clone() };
        self.watched.lock().expect("no panic while held").insert(account, known);
        Ok(Read::Known(watched))
    }
}

/// Looks at the Secret of the receivers where one is needed. Its values stay here.
async fn receivers(ctx: &Context, stack: &MonitoringStack) -> Result<Judged, Failure> {
    if !core::needs_secret(&stack.spec.terms) {
        return Ok(Judged::default());
    }
    let namespace = stack.namespace().unwrap_or_default();
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &namespace);
    let secret = api.get_opt(RECEIVERS_SECRET).await.map_err(Failure::kubernetes(format!("get Secret {namespace}/{RECEIVERS_SECRET}")))?;
    Ok(Judged::of(&stack.spec.terms, secret.as_ref()))
}

/// Whether the client has left and its stack is given nothing more to watch.
async fn has_left(ctx: &Context, stack: &MonitoringStack) -> Result<bool, Failure> {
    if !stack.spec.accounts.is_empty() {
        return Ok(false);
    }
    let client = ctx.find::<ManagedClient>("", &client_of(stack)).await?;
    Ok(client.and_then(|client| client.status?.handed_over_by).is_some())
}

fn owner(stack: &MonitoringStack) -> Owner {
    Owner {
        kind: Kind::MonitoringStack,
        client: client_of(stack),
        namespace: stack.namespace().unwrap_or_default(),
        name: stack.name_any(),
        uid: stack.uid().unwrap_or_default(),
    }
}

#[async_trait]
impl Reconciler for MonitoringStacks {
    type Object = MonitoringStack;
    type Context = Context;
    type Observed = Observed;
    type Plan = Plan;
    type Done = Done;
    const KIND: Kind = Kind::MonitoringStack;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, stack: &MonitoringStack) -> Result<Observed, Failure> {
        let namespace = stack.namespace().unwrap_or_default();
        let mut observed = Observed {
            client: client_of(stack),
            operator_namespace: ctx.namespace.clone(),
            layout: ctx.layout.monitoring.clone(),
            receivers: receivers(ctx, stack).await?,
            now: ctx.now(),
            has_left: has_left(ctx, stack).await?,
            missing_kinds: core::NEEDED_KINDS.into_iter().filter(|kind| !ctx.cache.has_kind(kind)).collect(),
            ..Observed::default()
        };
        for (index, name) in stack.spec.accounts.iter().enumerate() {
            let Some(account) = ctx.find::<CloudAccount>(&namespace, name).await? else {
                observed.missing_accounts.push((index, name.clone()));
                continue;
            };
            let Some(inventory) = account.status.and_then(|status| status.inventory) else { continue };
            let (watched, cause) = match self.read(ctx, (namespace.clone(), name.clone()), &inventory).await? {
                Read::Known(watched) => (Some(watched), None),
                Read::Lost { cause, before } => (before, Some(cause)),
            };
            let is_remembered = watched.is_some();
            watched.iter().for_each(|watched| observed.watched.add(watched));
            match cause {
                None => drop(observed.inventories.insert(name.clone(), inventory.digest)),
                Some(cause) => observed.lost.push(LostInventory { account: name.clone(), cause, is_remembered }),
            }
        }
        observed.pull_secret = self.around.pull_secret(ctx).await?;
        observed.names_pull_secret = running::names_pull_secret(ctx, stack);
        if observed.missing_kinds.is_empty() {
            observed.attended = self.around.attended(ctx, stack).await?;
            running::look(ctx, stack, &mut observed).await?;
            outages::look(ctx, &self.begun, stack, &mut observed).await?;
            if core::page_test::is_due(stack) {
                pages::look(ctx.pods.as_ref(), &mut observed).await;
            }
        }
        Ok(observed)
    }

    fn check(&self, stack: &MonitoringStack, observed: &Observed) -> Vec<Fault> {
        core::check(stack, observed)
    }

    fn plan(&self, stack: &MonitoringStack, observed: &Observed, now: Timestamp) -> Plan {
        let page = core::page_test::next(stack, observed, now).1;
        let page = page.and_then(|page| Some((page, pages::address(observed).ok()?)));
        Plan { page, ..core::plan(stack, observed) }
    }

    async fn act(&self, ctx: &Context, stack: &MonitoringStack, plan: Plan) -> Acted<Done> {
        let mut done = Done::default();
        let failure = act(ctx, stack, &plan, &mut done).await.err();
        Acted { done, failure }
    }

    fn status(&self, stack: &MonitoringStack, seen: Seen<'_, Observed, Done>) -> (MonitoringStackStatus, Outcome) {
        let (status, outcome) = core::status(stack, seen.observed, seen.faults, seen.done, seen.now);
        (status, seen.failure.map_or(outcome, Failure::outcome))
    }

    /// Everything it made names it as its owner, and goes with it.
    async fn clean_up(&self, _ctx: &Context, stack: &MonitoringStack) -> Result<CleanUp, Failure> {
        let namespace = stack.namespace().unwrap_or_default();
        self.watched.lock().expect("no panic while held").retain(|(held, _), _| *held != namespace);
        self.begun.forget(&namespace);
        Ok(CleanUp::Done)
    }
}

async fn act(ctx: &Context, stack: &MonitoringStack, plan: &Plan, done: &mut Done) -> Result<(), Failure> {
    outages::open(ctx, stack, &plan.incidents).await?;
    if let (Some((page, at)), Some(pods)) = (&plan.page, &ctx.pods) {
        done.page_failed = pages::send(pods, *at, page, ctx.now()).await.err();
    }
    let owner = owner(stack);
    for (kind, name) in &plan.drops {
        apply::delete_named(ctx, &owner, kind, name).await?;
    }
    for desired in &plan.objects {
        match apply::apply(ctx, &owner, desired).await? {
            Applied::Unchanged => {}
            Applied::Contested(wait) => done.contested.push(wait),
            Applied::Created | Applied::Updated | Applied::Repaired => done.changed += 1,
        }
    }
    done.changed += apply::prune(ctx, &owner, &plan.prunes, &plan.objects).await?.len();
    Ok(())
}
