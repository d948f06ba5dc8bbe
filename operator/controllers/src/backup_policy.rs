//! `BackupPolicy`: reads what is in the clients' accounts and does the steps that `core` plans, where writing is granted.

use async_trait::async_trait;
use caretaker_api::backup_policy::BackupPolicyStatus;
use caretaker_api::cloud_account::CloudTarget;
use caretaker_api::condition::ConditionType;
use caretaker_api::handover::HandoverMode;
use caretaker_api::{BackupPolicy, CloudAccount, Handover, ProviderProfile};
use caretaker_cloud::{CloudError, Purpose};
use caretaker_core::backup_policy::{self as core, AccountView, RegionDone, RegionPlan};
use caretaker_core::conditions::is_true_at;
use caretaker_core::kit::backup_role_arn;
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use jiff::Timestamp;
use kube::ResourceExt;

use crate::access::{WayIn, client_of, way_in};
use crate::context::Context;
use caretaker_engine::Failure;
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};

/// The reconciler.
pub struct BackupPolicies;

/// What was seen, and the ways in.
pub struct Sight {
    accounts: Vec<AccountView>,
    ways: Vec<(String, WayIn)>,
    frozen: bool,
}

fn is_proven(account: &CloudAccount) -> bool {
    let conditions = account.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    is_true_at(conditions, ConditionType::AccessProven, account.metadata.generation)
}

/// A final handover freezes all writes in the client's clouds from its first step.
fn freezes(handover: &Handover) -> bool {
    handover.spec.mode == HandoverMode::Final
}

async fn look(ctx: &Context, policy: &BackupPolicy, account: &CloudAccount) -> Result<(AccountView, Option<WayIn>), Failure> {
    let profile = ctx.find::<ProviderProfile>("", &account.spec.provider_profile).await?;
    let provider = profile.and_then(|profile| profile.spec.aws);
    let backup_role = match (&account.spec.target, &provider) {
        (CloudTarget::Aws(aws), Some(provider)) => backup_role_arn(aws, provider),
        _ => String::new(),
    };
    let mut view = AccountView { name: account.name_any(), allow: account.spec.allow.clone(), backup_role, state: None };
    if !is_proven(account) {
        return Ok((view, None));
    }
    let Ok(Some(way)) = way_in(ctx, account).await? else { return Ok((view, None)) };
    let prefix = core::object_name(&client_of(policy), &policy.name_any());
    view.state = Some(match way.connector.connect(&way.grant, Purpose::Read).await {
        Ok(link) => link.protection(&policy.spec.terms.regions, &prefix).await,
        Err(error) => Err(error),
    });
    Ok((view, Some(way)))
}

#[async_trait]
impl Reconciler for BackupPolicies {
    type Object = BackupPolicy;
    type Context = Context;
    type Observed = Sight;
    type Plan = (Vec<RegionPlan>, Vec<(String, WayIn)>);
    type Done = Vec<RegionDone>;
    const KIND: Kind = Kind::BackupPolicy;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, policy: &BackupPolicy) -> Result<Sight, Failure> {
        let namespace = policy.namespace().unwrap_or_default();
        let frozen = ctx.cache.list_typed::<Handover>(Some(&namespace)).iter().any(freezes);
        let mut sight = Sight { accounts: Vec::new(), ways: Vec::new(), frozen };
        for name in &policy.spec.accounts {
            let Some(account) = ctx.find::<CloudAccount>(&namespace, name).await? else { continue };
            let (mut view, way) = if frozen {
                (AccountView { name: name.clone(), allow: Vec::new(), backup_role: String::new(), state: None }, None)
            } else {
                look(ctx, policy, &account).await?
            };
            if frozen {
                view.state = Some(Ok(caretaker_cloud::ProtectionState::default()));
            }
            sight.accounts.push(view);
            sight.ways.extend(way.map(|way| (name.clone(), way)));
        }
        Ok(sight)
    }

    fn check(&self, policy: &BackupPolicy, observed: &Sight) -> Vec<Fault> {
        core::check(policy, &observed.accounts)
    }

    fn plan(&self, policy: &BackupPolicy, observed: &Sight, _now: Timestamp) -> Self::Plan {
        if observed.frozen {
            return (Vec::new(), Vec::new());
        }
        (core::plan(&client_of(policy), policy, &observed.accounts), observed.ways.clone())
    }

    async fn act(&self, _ctx: &Context, policy: &BackupPolicy, (plans, ways): Self::Plan) -> Acted<Vec<RegionDone>> {
        let mut done = Vec::new();
        for plan in plans {
            let way = ways.iter().find(|(name, _)| *name == plan.account).map(|(_, way)| way);
            let result = match way {
                Some(way) if plan.may_write && !plan.steps.is_empty() => perform(policy, &plan, way).await,
                _ => Ok(None),
            };
            let (plan_id, error) = match result {
                Ok(plan_id) => (plan_id, None),
                Err(error) => (None, Some(error)),
            };
            done.push(RegionDone { plan, error, plan_id });
        }
        Acted { done, failure: None }
    }

    fn status(&self, policy: &BackupPolicy, seen: Seen<'_, Sight, Vec<RegionDone>>) -> (BackupPolicyStatus, Outcome) {
        if seen.observed.frozen {
            let status = policy.status.clone().unwrap_or_default();
            return (status, Outcome::Settled(std::time::Duration::from_secs(3600)));
        }
        core::status(policy, &seen.observed.accounts, seen.faults, seen.done, seen.now)
    }

    /// Vaults, plans and recovery points stay: they are the client's.
    async fn clean_up(&self, _ctx: &Context, _policy: &BackupPolicy) -> Result<CleanUp, Failure> {
        Ok(CleanUp::Done)
    }
}

/// Does the steps in order; the id of the plan where one was made. The key names object, generation and step, so that a repeat after a crash is the same
/// request for the cloud.
async fn perform(policy: &BackupPolicy, plan: &RegionPlan, way: &WayIn) -> Result<Option<String>, CloudError> {
    let link = way.connector.connect(&way.grant, Purpose::Backup).await?;
    let mut plan_id = None;
    for step in &plan.steps {
        let key = format!("{}-{}", policy.uid().unwrap_or_default(), &caretaker_core::digest::json_digest(step)[..12]);
        let receipt = link.perform(&key, step).await?;
        if matches!(step, caretaker_cloud::CloudStep::CreatePlan { .. }) {
            plan_id = receipt.id;
        }
    }
    Ok(plan_id)
}
