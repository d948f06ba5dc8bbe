//! `BackupPolicy`: carries out what `core` asks of the clients' accounts: reads what is there, and does the steps where writing is granted.

mod changes;
mod prove;
mod selected;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use caretaker_api::backup_policy::{BackupPolicyStatus, ProtectionStatus};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::contract::Domain;
use caretaker_api::names::REQUESTED_AT;
use caretaker_api::{BackupPolicy, CloudAccount, ManagedClient, ProviderProfile};
use caretaker_cloud::{CloudError, CloudLink, CloudStep, ErrorClass};
use caretaker_core::backup_policy::conversation::{Answer, Ask, Conversation};
use caretaker_core::backup_policy::protection::{inventories, is_due, news};
use caretaker_core::backup_policy::{self as core, AccountView, Done, Observed};
use caretaker_core::conditions::is_true_at;
use caretaker_core::contract::{Permit, Verdict, verdict};
use caretaker_core::handover::ending::Ending;
use caretaker_core::handover::life::{Life, has_come_to};
use caretaker_core::kit::backup_role_arn;
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use jiff::Timestamp;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};

use selected::Selections;

use crate::access::{client_of, enter};
use crate::context::Context;
use crate::ledger::{self, Scribe};
use caretaker_engine::Failure;
use caretaker_engine::{Acted, CleanUp, Reconciler, Seen};

/// Longest note of an event, in characters; the API takes 1,024 bytes.
const EVENT: usize = 250;

/// The reconciler. Keeps what each account's last inventory selects, so that a resync reads nothing again.
#[derive(Default)]
pub struct BackupPolicies {
    selections: Selections,
}

fn is_proven(account: &CloudAccount) -> bool {
    let conditions = account.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    is_true_at(conditions, ConditionType::AccessProven, account.metadata.generation)
}

async fn look((ctx, selections): (&Context, &Selections), policy: &BackupPolicy, account: &CloudAccount) -> Result<AccountView, Failure> {
    let profile = ctx.find::<ProviderProfile>("", &account.spec.provider_profile).await?;
    let provider = profile.and_then(|profile| profile.spec.aws);
    let backup_role = match (&account.spec.target.aws, &provider) {
        (Some(aws), Some(provider)) => backup_role_arn(aws, provider),
        _ => String::new(),
    };
    Ok(AccountView {
        name: account.name_any(),
        cloud: core::cloud_of(&account.spec.target),
        allow: account.spec.allow.clone(),
        backup_role,
        is_proven: is_proven(account),
        selected: selections.of(ctx, policy, account).await,
        state: None,
    })
}

#[async_trait]
impl Reconciler for BackupPolicies {
    type Object = BackupPolicy;
    type Context = Context;
    type Observed = Observed;
    type Plan = Conversation;
    type Done = Done;
    const KIND: Kind = Kind::BackupPolicy;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, policy: &BackupPolicy) -> Result<Observed, Failure> {
        let namespace = policy.namespace().unwrap_or_default();
        let handovers = ledger::handovers(ctx, &namespace).await?;
        let frozen = has_come_to(&handovers, Life::Frozen);
        let ending = Ending::of(&handovers).map(|ending| ending.of_all());
        let (mut accounts, mut found) = (Vec::new(), Vec::new());
        for name in &policy.spec.accounts {
            if let Some(account) = ctx.find::<CloudAccount>(&namespace, name).await? {
                accounts.push(look((ctx, &self.selections), policy, &account).await?);
                found.push(account);
            }
        }
        let (client, verdict) = contract(ctx, policy).await?;
        let changes = changes::look(ctx, policy, client.as_ref()).await?;
        Ok(Observed { accounts, frozen, ending, inventories: inventories(&found), verdict, changes })
    }

    fn check(&self, policy: &BackupPolicy, observed: &Observed) -> Vec<Fault> {
        core::check(policy, observed)
    }

    fn plan(&self, policy: &BackupPolicy, observed: &Observed, now: Timestamp) -> Conversation {
        let request = policy.annotations().get(REQUESTED_AT).map(String::as_str);
        let is_due = !observed.frozen && is_due(policy, &observed.inventories, (request, now));
        Conversation::new(&client_of(policy), policy, observed).watching(is_due)
    }

    async fn act(&self, ctx: &Context, policy: &BackupPolicy, mut conversation: Conversation) -> Acted<Done> {
        let mut caller = Caller { ctx, policy, link: None, approved: None };
        let (mut answer, mut failure) = (None, None);
        while let Some((account, ask)) = conversation.next(answer.take()) {
            match caller.carry(&account, ask).await {
                Ok(answered) => answer = Some(answered),
                Err(failed) => {
                    failure = Some(failed);
                    break;
                }
            }
        }
        let watches = failure.is_none() && conversation.watches();
        let mut done = conversation.into_done();
        if watches {
            match watch::watch(ctx, policy).await {
                Ok((found, restores)) => {
                    announce(ctx, policy, &found).await;
                    (done.protection, done.restore_tests) = (Some(found), restores);
                }
                Err(failed) => failure = Some(failed),
            }
        }
        if failure.is_none() {
            failure = changes::act(ctx, policy, &mut done).await.err();
        }
        for note in done.regions.iter().filter_map(core::repaired) {
            tracing::info!("{note}");
            tell(ctx, policy, note).await;
        }
        Acted { done, failure }
    }

    fn status(&self, policy: &BackupPolicy, seen: Seen<'_, Observed, Done>) -> (BackupPolicyStatus, Outcome) {
        match seen.failure {
            // What was read before a failure of the cluster's is read again: nothing is said of accounts that were not come to.
            Some(failure) => (policy.status.clone().unwrap_or_default(), failure.outcome()),
            None => core::status(policy, seen.observed, seen.faults, seen.done, seen.now),
        }
    }

    /// Vaults, plans and recovery points stay: they are the client's.
    async fn clean_up(&self, ctx: &Context, policy: &BackupPolicy) -> Result<CleanUp, Failure> {
        ctx.metrics.forget_backups(&policy.uid().unwrap_or_default());
        Ok(CleanUp::Done)
    }
}

/// The client, and what becomes of a planned write of the policy's. What belongs to no client is never written for.
async fn contract(ctx: &Context, policy: &BackupPolicy) -> Result<(Option<ManagedClient>, Verdict), Failure> {
    let name = client_of(policy);
    let client = ctx.find::<ManagedClient>("", &name).await?;
    let verdict = match &client {
        Some(client) => verdict(&client.spec, Domain::Backup, ctx.now()),
        None => Verdict::Never(format!("there is no ManagedClient {name}")),
    };
    Ok((client, verdict))
}

/// An event says once what was put back; the condition speaks of now.
async fn tell(ctx: &Context, policy: &BackupPolicy, note: String) {
    let reason = Reason::DriftRepaired.as_str().into();
    let event = Event { type_: EventType::Normal, reason, note: Some(note), action: "Repair".into(), secondary: None };
    ctx.events.publish(&event, &policy.object_ref(&())).await;
}

/// The figures, and an event at the moment in which protection is lost or comes back.
async fn announce(ctx: &Context, policy: &BackupPolicy, found: &ProtectionStatus) {
    let figures = [
        ("protected", found.protected),
        ("waiting", found.waiting),
        ("unprotected", found.unprotected),
        ("stale", found.stale),
        ("failing", found.failing),
        ("unknown", found.unknown),
    ];
    ctx.metrics.backups(&policy.uid().unwrap_or_default(), &figures);
    let Some((is_good, note)) = news(&policy.spec.terms, policy.status.as_ref(), found) else { return };
    let (type_, reason) = if is_good { (EventType::Normal, Reason::Settled) } else { (EventType::Warning, Reason::NotAllProtected) };
    let note = Some(note.chars().take(EVENT).collect());
    let event = Event { type_, reason: reason.as_str().into(), note, action: "Watch".into(), secondary: None };
    ctx.events.publish(&event, &policy.object_ref(&())).await;
}

/// One visit's way to the clouds.
struct Caller<'a> {
    ctx: &'a Context,
    policy: &'a BackupPolicy,
    link: Option<Arc<dyn CloudLink>>,
    /// The client's yes to the change that is worked on.
    approved: Option<Permit>,
}

impl Caller<'_> {
    /// Carries one question out.
    async fn carry(&mut self, account: &str, ask: Ask) -> Result<Answer, Failure> {
        Ok(match ask {
            Ask::Connect(purpose) => {
                self.link = None;
                let namespace = self.policy.namespace().unwrap_or_default();
                let Some(account) = self.ctx.find::<CloudAccount>(&namespace, account).await? else {
                    return Ok(Answer::Connected(Ok(false)));
                };
                match enter(self.ctx, &account).await? {
                    Ok(Some(way)) => Answer::Connected(way.connector.connect(&way.grant, purpose).await.map(|link| {
                        self.link = Some(link);
                        true
                    })),
                    Ok(None) | Err(_) => Answer::Connected(Ok(false)),
                }
            }
            Ask::Protection(intent) => Answer::Protection(self.link()?.protection(&intent).await),
            Ask::Begin(name) => {
                self.approved = changes::begin(self.ctx, self.policy, &name).await?;
                Answer::Begun(self.approved.is_some())
            }
            Ask::Perform(key, step) => Answer::Performed(self.perform(account, (&key, &step)).await?),
        })
    }

    /// Who decides is asked again right before each write: an emergency can have ended since the visit began, or the client have taken the domain back.
    async fn perform(
        &self,
        account: &str,
        (key, step): (&str, &CloudStep),
    ) -> Result<caretaker_cloud::Result<caretaker_cloud::Receipt>, Failure> {
        let (client, verdict) = contract(self.ctx, self.policy).await?;
        let client = client.ok_or_else(|| Failure::local("write to the ledger", verdict.shown(Domain::Backup).because))?;
        let permit = match (&self.approved, &verdict) {
            (Some(approved), Verdict::Propose) => Some(approved.clone()),
            (Some(_), _) => None,
            (None, verdict) => verdict.permit(),
        };
        let Some(permit) = permit else {
            let why = format!("not written: meanwhile it is so that {}", verdict.shown(Domain::Backup).because);
            return Ok(Err(CloudError::new(ErrorClass::Conflict, "perform", why)));
        };
        let scribe = Scribe::new(self.ctx, &client, Kind::BackupPolicy, self.policy);
        scribe.perform(&permit, (account, self.link()?), (key, step)).await
    }

    /// The session; a conversation asks nothing of it before it has connected.
    fn link(&self) -> Result<&dyn CloudLink, Failure> {
        self.link.as_deref().ok_or_else(|| Failure::local("talk with the cloud", "there is no session"))
    }
}
