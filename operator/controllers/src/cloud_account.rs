//! `CloudAccount`: makes the ExternalId and the kit, proves access, reads the inventory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use caretaker_api::cloud_account::{CloudAccountStatus, KitStatus};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::{CloudAccount, ProviderProfile, names};
use caretaker_cloud::{CloudLink, Presented};
use caretaker_core::cloud_account::claim::{Claims, Take, takes_external_id};
use caretaker_core::cloud_account::conversation::{Answer, Ask, Conversation, Unread};
use caretaker_core::cloud_account::cross_client_probe::{self, Tried};
use caretaker_core::cloud_account::intrusion_probe::Refusal;
use caretaker_core::cloud_account::roster::of_others;
use caretaker_core::cloud_account::{self as core, Done, Observed, Plan};
use caretaker_core::desired::Desired;
use caretaker_core::digest::json_digest;
use caretaker_core::handover::ending::Ending;
use caretaker_core::inventory::address::folder;
use caretaker_core::inventory::history::needed;
use caretaker_core::outcome::{FailureClass, Fault, Outcome};
use caretaker_core::ownership::Kind;
use caretaker_core::{grant, kit};
use caretaker_documents as documents;
use caretaker_documents::kit::Subject;
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
use crate::ledger;
use caretaker_engine::Failure;
use caretaker_engine::apply::{self, Applied, Owner};
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
    claims: Claims,
    way_in: Option<WayIn>,
}

/// All that a visit writes, and the way to the cloud that it talks with.
pub struct Work {
    plan: Plan,
    /// Whether a reading follows, once what comes of this is told.
    reads_next: bool,
    takes: Vec<Take>,
    /// Whether the claims wait for the proof.
    is_contested: bool,
    kit: Option<Desired>,
    principal: String,
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

#[async_trait]
impl Reconciler for CloudAccounts {
    type Object = CloudAccount;
    type Context = Context;
    type Observed = Sight;
    type Plan = Work;
    type Done = Done;
    const KIND: Kind = Kind::CloudAccount;
    const CONDITIONS: &'static [ConditionType] = core::CONDITIONS;

    async fn observe(&self, ctx: &Context, account: &CloudAccount) -> Result<Sight, Failure> {
        let namespace = account.namespace().unwrap_or_default();
        let profile = ctx.find::<ProviderProfile>("", &account.spec.provider_profile).await?;
        let claims = claim::look(ctx, account).await?;
        let claimed_by_other = claims.is_account_refused();
        let ending = Ending::of(&ledger::handovers(ctx, &namespace).await?);
        let ending = ending.map(|ending| ending.of_account(&account.name_any()));
        let has_ended = ending.is_some();
        let external_id_taken = takes_external_id(account, || ctx.cache.list_typed(None));
        let provider = profile.map(|profile| profile.spec);
        let mut seen = Observed { provider, way_fault: None, claimed_by_other, external_id_taken, ending };
        let way_in = if claimed_by_other || has_ended || !account.spec.is_live() {
            None
        } else {
            match way_in(ctx, account, &claims).await? {
                Ok(way_in) => way_in,
                Err(fault) => {
                    seen.way_fault = Some(fault);
                    None
                }
            }
        };
        Ok(Sight { seen, claims, way_in })
    }

    fn check(&self, account: &CloudAccount, observed: &Sight) -> Vec<Fault> {
        core::check(account, &observed.seen)
    }

    fn plan(&self, account: &CloudAccount, observed: &Sight, now: Timestamp) -> Work {
        let (plan, rest) = core::plan(account, &observed.seen, now).divided();
        let provider = observed.seen.provider.as_ref();
        let files = provider.and_then(|provider| {
            documents::kit::files(&Subject { client: &client_of(account), account: &account.name_any(), spec: &account.spec, provider })
        });
        let kit = files.map(|files| {
            let name = format!("{}-grant-kit", account.name_any());
            Desired::config_map(account.namespace().unwrap_or_default(), name, files)
        });
        let principal = provider.map(|provider| grant::principal(&account.spec, provider)).unwrap_or_default();
        let reads_next = rest.is_some() && observed.way_in.is_some();
        let Claims { takes, is_contested, .. } = observed.claims.clone();
        Work { plan, reads_next, takes, is_contested, kit, principal, way_in: observed.way_in.clone() }
    }

    async fn act(&self, ctx: &Context, account: &CloudAccount, mut work: Work) -> Acted<Done> {
        let mut done = Done { principal: std::mem::take(&mut work.principal), ..Done::default() };
        if let Err(failure) = prepare(ctx, account, &work, &mut done).await {
            return Acted { done, failure: Some(failure) };
        }
        let mut acted = match &work.way_in {
            Some(way_in) if !done.made_external_id => {
                talk(Caller::new(ctx, account, way_in, work.is_contested), Conversation::new(account, work.plan, done)).await
            }
            _ => Acted { done, failure: None },
        };
        acted.done.reads_next = work.reads_next && acted.failure.is_none() && acted.done.lets_read();
        acted
    }

    fn rest(&self, account: &CloudAccount, seen: &Seen<'_, Sight, Done>) -> Option<Work> {
        let (_, rest) = core::plan(account, &seen.observed.seen, seen.now).divided();
        let plan = rest.filter(|_| seen.done.reads_next)?;
        let (principal, way_in) = (seen.done.principal.clone(), seen.observed.way_in.clone());
        let is_contested = seen.observed.claims.is_contested;
        Some(Work { plan, reads_next: false, takes: Vec::new(), is_contested, kit: None, principal, way_in })
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
        ctx.events.publish(&event, &account.object_ref(&())).await;
        claim::release(ctx, account).await?;
        Ok(CleanUp::Done)
    }
}

/// The writes that stay in the cluster: claims, the ExternalId, the kit.
async fn prepare(ctx: &Context, account: &CloudAccount, work: &Work, done: &mut Done) -> Result<(), Failure> {
    if !work.is_contested {
        claim::take(ctx, &work.takes).await?;
    }
    if work.plan.make_external_id {
        make_external_id(ctx, account).await?;
        done.made_external_id = true;
        return Ok(());
    }
    if let Some(kit) = &work.kit {
        publish_kit(ctx, account, kit, done).await?;
    }
    Ok(())
}

/// Nothing else waits for the kit: why it could not be put in its place is told in a condition.
async fn publish_kit(ctx: &Context, account: &CloudAccount, kit: &Desired, done: &mut Done) -> Result<(), Failure> {
    match apply::apply(ctx, &owner(account), kit).await {
        Ok(Applied::Contested(wait)) => done.kit_fault = Some((wait.reason, wait.message)),
        Ok(_) => done.kit = Some(KitStatus { config_map: kit.name.clone(), digest: json_digest(&kit.body) }),
        Err(failure) if failure.class() == FailureClass::Conflict => return Err(failure),
        Err(failure @ Failure::NameTaken(_)) => done.kit_fault = Some((Reason::NameTaken, failure.to_string())),
        Err(failure) => {
            tracing::warn!("the kit could not be put in its place: {failure}");
            done.kit_fault = Some((Reason::Failed, failure.to_string()));
        }
    }
    Ok(())
}

/// Carries the questions of a conversation out, each in its turn.
async fn talk(mut caller: Caller<'_>, mut conversation: Conversation) -> Acted<Done> {
    let mut answer = None;
    while let Some(ask) = conversation.next(answer.take()) {
        match caller.carry(ask).await {
            Ok(answered) => answer = Some(answered),
            Err(failure) => return Acted { done: conversation.into_done(), failure: Some(failure) },
        }
    }
    Acted { done: conversation.into_done(), failure: None }
}

/// One visit's way to the cloud.
struct Caller<'a> {
    ctx: &'a Context,
    account: &'a CloudAccount,
    way_in: &'a WayIn,
    link: Option<Arc<dyn CloudLink>>,
    is_contested: bool,
}

impl<'a> Caller<'a> {
    const fn new(ctx: &'a Context, account: &'a CloudAccount, way_in: &'a WayIn, is_contested: bool) -> Self {
        Self { ctx, account, way_in, link: None, is_contested }
    }

    /// Somebody else names the account, and was never let in. We were: the claims are ours before anything is asked of what is in the account.
    async fn settle_claims(&mut self, ask: Ask) -> Result<(), Failure> {
        if !self.is_contested || matches!(ask, Ask::Connect(_) | Ask::Attempt(_)) {
            return Ok(());
        }
        let claims = claim::look(self.ctx, self.account).await?;
        if let Some(fault) = claims.fault(self.account) {
            return Err(Failure::local("claim the account", fault.message));
        }
        claim::take(self.ctx, &claims.takes).await?;
        self.is_contested = false;
        Ok(())
    }

    /// Carries one question out.
    async fn carry(&mut self, ask: Ask) -> Result<Answer, Failure> {
        self.settle_claims(ask).await?;
        let WayIn { connector, grant, .. } = self.way_in;
        let wanted = || kit::parents::wanted(&self.account.spec, grant);
        Ok(match ask {
            Ask::Connect(purpose) => {
                Answer::Connected(connector.connect(grant, purpose).await.map(|link| self.link.insert(link).narrowing()))
            }
            Ask::Attempt(presented) => Answer::Attempted(connector.attempt(grant, presented).await),
            Ask::ListMembers => {
                let listed = self.link()?.members().await;
                Answer::Members(listed, of_others(self.account, &self.ctx.cache.list_typed(None)))
            }
            Ask::Permissions => Answer::Permissions(self.link()?.permissions(&wanted()).await),
            Ask::Excess => Answer::Excess(self.link()?.excess(&wanted()).await),
            Ask::WaysIn => Answer::WaysIn(self.link()?.ways_in().await),
            Ask::TryStore => {
                let folder = folder(&client_of(self.account), &self.account.name_any());
                Answer::Store(self.ctx.store.probe(&folder).await.map_err(|error| store_fault(&error)))
            }
            Ask::Discover => discover(self.ctx, self.account, self.link()?).await?,
            Ask::Separate => Answer::Separated(separate(self.ctx, self.account, self.way_in).await),
        })
    }

    /// The session; a conversation asks nothing of it before it has connected.
    fn link(&self) -> Result<&dyn CloudLink, Failure> {
        self.link.as_deref().ok_or_else(|| Failure::local("talk with the cloud", "there is no session"))
    }
}

/// Has principals that lead into other clients' accounts try this one's way in, with the right secret, where that is due.
async fn separate(ctx: &Context, account: &CloudAccount, way_in: &WayIn) -> Option<Tried> {
    let profiles = ctx.cache.list_typed::<ProviderProfile>(None);
    let round = cross_client_probe::due_round((account, &way_in.provider), &profiles, || ctx.cache.list_typed(None), ctx.now())?;
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

/// One attempt of another profile's principal. The names of what it works with are none of this client's business: only the log has them.
async fn trespass(ctx: &Context, profile: &ProviderProfile, (account, way_in): (&CloudAccount, &WayIn)) -> Refusal {
    let log = |cause: &dyn std::fmt::Display| {
        let (namespace, name) = (account.namespace().unwrap_or_default(), account.name_any());
        tracing::info!(namespace, name, profile = profile.name_any(), %cause, "another client's principal could not get in");
    };
    let connector = match connector(ctx, profile, account.spec.target.cloud()).await {
        Ok(Ok(connector)) => connector,
        Ok(Err(fault)) => {
            log(&fault.message);
            return Refusal::Unknown("its ProviderProfile has a fault, which its own status tells".to_owned());
        }
        Err(failure) => {
            log(&failure);
            return Refusal::Unknown("its ProviderProfile's Secret could not be read".to_owned());
        }
    };
    let answer = connector.attempt(&way_in.grant, Presented::Stolen).await;
    answer.as_ref().err().into_iter().for_each(|error| log(error));
    Refusal::of_stranger(&answer)
}

/// Reads the inventory into the store, which is then rid of what has had its time.
async fn discover(ctx: &Context, account: &CloudAccount, link: &dyn CloudLink) -> Result<Answer, Failure> {
    let (client, name, now) = (client_of(account), account.name_any(), ctx.now());
    let status = account.status.clone().unwrap_or_default();
    let request = account.annotations().get(names::REQUESTED_AT);
    // The object, not its name: another one of the name may be of another account.
    let object = (account.uid(), account.spec.target.id());
    let identity = json_digest(&(object, account.metadata.generation, request, discovery::scope_digest(account)));
    let used = Mutex::new(None);
    let reading = Reading {
        client: &client,
        used: Some(&used),
        last: status.inventory.as_ref(),
        baseline: status.baseline.as_ref(),
        ..Reading::of(&ctx.store, account, &name, (identity, now))
    };
    let read = discovery::run(link, &reading).await;
    let usage = used.into_inner().ok().flatten().map(|usage| (usage, ctx.now()));
    let read = match read {
        Ok(taken) => {
            let handovers = ledger::handovers(ctx, &account.namespace().unwrap_or_default()).await?;
            let handovers: Vec<_> = handovers.into_iter().map(|handover| handover.status.unwrap_or_default()).collect();
            let keep = needed(&status, &taken.inventory, &handovers);
            inventory::clean(&ctx.store, &folder(&client, &name), &keep, (account.spec.inventory_retention_days, now)).await;
            Ok(Box::new(taken))
        }
        Err(NotRead::Cloud(error)) => Err(Unread::Cloud(error)),
        Err(NotRead::Failed(error @ (StoreError::Local { .. } | StoreError::Closed(_)))) => return Err(Failure::store(error)),
        Err(NotRead::Failed(error)) => {
            let (reason, message) = store_fault(&error);
            Err(Unread::Store(reason, message))
        }
    };
    Ok(Answer::Read(read, usage))
}

/// The condition's reason for a fault of the store.
#[must_use]
pub fn store_fault(error: &StoreError) -> (Reason, String) {
    let reason = match error {
        StoreError::Full(_) => Reason::StoreFull,
        StoreError::ReadOnly(_) => Reason::StoreReadOnly,
        StoreError::NotFound(_)
        | StoreError::Damaged(_)
        | StoreError::Unreachable(_)
        | StoreError::Closed(_)
        | StoreError::Local { .. } => Reason::StoreUnreachable,
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
