//! `MonitoringStack`: reads the inventories, lets `core` make the objects, applies and prunes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caretaker_api::cloud_account::InventoryStatus;
use caretaker_api::condition::ConditionType;
use caretaker_api::monitoring_stack::MonitoringStackStatus;
use caretaker_api::{CloudAccount, MonitoringStack};
use caretaker_core::desired::Desired;
use caretaker_core::inventory::Line;
use caretaker_core::inventory::scope::ScopeVerdict;
use caretaker_core::monitoring_stack::{self as core, Done, Observed, Target};
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use jiff::Timestamp;
use kube::ResourceExt;

use crate::access::client_of;
use crate::context::Context;
use caretaker_engine::Failure;
use caretaker_engine::apply::{self, Applied, Owner};
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};
use caretaker_store::inventory::read;

/// The reconciler. Keeps the targets of each account's last inventory, so that a resync reads nothing again.
#[derive(Default)]
pub struct MonitoringStacks {
    targets: Mutex<HashMap<AccountKey, Known>>,
}

/// Namespace and name of a CloudAccount.
type AccountKey = (String, String);
/// Digest of an inventory, and its targets.
type Known = (String, Arc<Vec<Target>>);

impl MonitoringStacks {
    /// The targets of an inventory. One that the store has lost gives none; the next reading brings another.
    async fn targets_of(&self, ctx: &Context, account: AccountKey, inventory: &InventoryStatus) -> Result<Arc<Vec<Target>>, Failure> {
        if let Some((digest, held)) = self.targets.lock().expect("no panic while held").get(&account)
            && *digest == inventory.digest
        {
            return Ok(held.clone());
        }
        let mut targets = Vec::new();
        let take = |line: Line| {
            // What is not covered is nobody's to watch.
            targets.extend(Some(line).filter(|line| line.verdict == ScopeVerdict::Covered).and_then(|line| core::target(&line.asset)));
            Ok(())
        };
        match read(&ctx.store, inventory, take).await {
            Ok(()) => {}
            Err(error) if error.is_loss() => return Ok(Arc::default()),
            Err(error) => return Err(Failure::store(error)),
        }
        targets.sort();
        let targets = Arc::new(targets);
        self.targets.lock().expect("no panic while held").insert(account, (inventory.digest.clone(), targets.clone()));
        Ok(targets)
    }
}

fn owner(stack: &MonitoringStack) -> Owner {
    Owner {
        kind: Kind::MONITORING_STACK,
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
    type Plan = Vec<Desired>;
    type Done = Done;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, stack: &MonitoringStack) -> Result<Observed, Failure> {
        let namespace = stack.namespace().unwrap_or_default();
        let mut observed = Observed {
            client: client_of(stack),
            missing_kinds: core::NEEDED_KINDS.into_iter().filter(|kind| !ctx.cache.has_kind(kind)).collect(),
            ..Observed::default()
        };
        for (index, name) in stack.spec.accounts.iter().enumerate() {
            let Some(account) = ctx.find::<CloudAccount>(&namespace, name).await? else {
                observed.missing_accounts.push((index, name.clone()));
                continue;
            };
            let Some(inventory) = account.status.and_then(|status| status.inventory) else { continue };
            observed.targets.extend(self.targets_of(ctx, (namespace.clone(), name.clone()), &inventory).await?.iter().cloned());
            observed.inventories.insert(name.clone(), inventory.digest);
        }
        Ok(observed)
    }

    fn check(&self, _stack: &MonitoringStack, observed: &Observed) -> Vec<Fault> {
        core::check(observed)
    }

    fn plan(&self, stack: &MonitoringStack, observed: &Observed, _now: Timestamp) -> Vec<Desired> {
        core::plan(stack, observed)
    }

    async fn act(&self, ctx: &Context, stack: &MonitoringStack, plan: Vec<Desired>) -> Acted<Done> {
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
        self.targets.lock().expect("no panic while held").retain(|(held, _), _| *held != namespace);
        Ok(CleanUp::Done)
    }
}

async fn act(ctx: &Context, stack: &MonitoringStack, plan: &[Desired], done: &mut Done) -> Result<(), Failure> {
    // An empty plan means that the definitions are missing: nothing is removed then.
    if plan.is_empty() {
        return Ok(());
    }
    let owner = owner(stack);
    for desired in plan {
        match apply::apply(ctx, &owner, desired).await? {
            Applied::Unchanged => {}
            Applied::Repaired => {
                done.changed += 1;
                done.repaired.push(desired.describe());
            }
            Applied::Created | Applied::Updated => done.changed += 1,
        }
    }
    done.changed += apply::prune(ctx, &owner, &apply::kinds_of(Kind::MONITORING_STACK), plan).await?.len();
    Ok(())
}
