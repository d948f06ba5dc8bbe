//! Carries out what `core` decides on the end of our own access: publishes the script that the client runs, does the steps where we may, and tries from
//! outside whether we are out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use caretaker_api::cloud_account::Cloud;
use caretaker_api::handover::RevocationStatus;
use caretaker_api::words::RevokedBy;
use caretaker_api::{CloudAccount, Handover, ProviderProfile};
use caretaker_cloud::{CloudLink, Presented, Purpose};
use caretaker_core::contract::Permit;
use caretaker_core::desired::Desired;
use caretaker_core::handover::advance::StepResult;
use caretaker_core::handover::attempts::{self, Attempts};
use caretaker_core::handover::control::{self, Control};
use caretaker_core::handover::excluded::excluded;
use caretaker_core::handover::revocation::{Answer, Ask, Revoking};
use caretaker_core::visit_request::is_asked;
use caretaker_documents::handover::script;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::visit::Visit;
use super::{Sight, owner};
use crate::access::{WayIn, enter};
use crate::context::Context;
use crate::ledger::Scribe;
use caretaker_engine::apply::{self, Applied};
use caretaker_engine::{Acted, Failure};

/// All accounts that an exit ends our access in.
fn accounts(sight: &Sight) -> Vec<CloudAccount> {
    sight.accounts.iter().cloned().chain(excluded(&sight.accounts)).collect()
}

/// Publishes the scripts, and revokes where we may, as far as one visit comes. What was done before a failure is kept. A script
/// that cannot be put in its place keeps nobody's access from ending: the step after this one tells it, and tries again.
pub async fn revoke(ctx: &Context, handover: &Handover, sight: &Sight) -> Acted<StepResult> {
    if let Err(failure) = publish_scripts(ctx, handover, sight).await {
        tracing::warn!("the revocation scripts could not be put in their place: {failure}");
    }
    let status = handover.status.clone().unwrap_or_default();
    let provider = sight.profile.as_ref().map(|profile| profile.spec.clone());
    let mut revoking = Revoking::new(accounts(sight), provider, status.frozen.as_ref(), status.revocations);
    let mut caller = Caller { ctx, scribe: sight.client.as_ref().map(|client| Scribe::of(ctx, client, handover)), way: None, link: None };
    let (mut visit, mut answer, mut is_cut) = (Visit::begin(), None, false);
    while let Some((account, ask)) = revoking.next(answer.take()) {
        is_cut = visit.ends_before(&account.name_any());
        if is_cut {
            break;
        }
        match caller.carry(account, ask).await {
            Ok(answered) => answer = Some(answered),
            Err(failure) => return Acted { done: StepResult::PartlyRevoked(revoking.into_done().0), failure: Some(failure) },
        }
    }
    match revoking.into_done() {
        (done, None) if is_cut => Acted { done: StepResult::PartlyRevoked(done), failure: None },
        (done, None) => Acted { done: StepResult::Revoked(done), failure: None },
        (done, Some(error)) => Acted { done: StepResult::PartlyRevoked(done), failure: Some(Failure::Cloud(error)) },
    }
}

/// The way to the cloud of the account that is worked on.
struct Caller<'a> {
    ctx: &'a Context,
    scribe: Option<Scribe<'a>>,
    way: Option<WayIn>,
    link: Option<Arc<dyn CloudLink>>,
}

impl Caller<'_> {
    /// Carries one question out.
    async fn carry(&mut self, account: &CloudAccount, ask: Ask) -> Result<Answer, Failure> {
        let lacking = |what: &str| Failure::local("revoke our access", format!("there is no {what}"));
        Ok(match ask {
            Ask::WayIn => Answer::WayIn(enter(self.ctx, account).await?.map(|way| {
                self.way = way;
                self.way.is_some()
            })),
            Ask::Connect => {
                let way = self.way.as_ref().ok_or_else(|| lacking("way in"))?;
                Answer::Connected(way.connector.connect(&way.grant, Purpose::Revoke).await.map(|link| self.link = Some(link)))
            }
            Ask::Perform(key, step) => {
                let link = self.link.as_ref().ok_or_else(|| lacking("session"))?;
                let scribe = self.scribe.as_ref().ok_or_else(|| lacking("ManagedClient"))?;
                Answer::Performed(scribe.perform(&Permit::own_access(), (&account.name_any(), link.as_ref()), (&key, &step)).await?)
            }
        })
    }
}

/// Most bytes of scripts in one ConfigMap, which takes a megabyte in all.
const MOST_OF_SCRIPTS: usize = 500_000;

/// One ConfigMap, or where the scripts are too long for one, further ones with a number behind the name.
async fn publish_scripts(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<(), Failure> {
    let (mut parts, mut size) = (vec![BTreeMap::<String, String>::new()], 0);
    for (account, profile) in
        sight.accounts.iter().chain(&excluded(&sight.accounts)).filter_map(|account| Some((account, sight.profile.as_ref()?)))
    {
        let (name, text) = script::of(&account.spec.target, &profile.spec);
        size += name.len() + text.len();
        if size > MOST_OF_SCRIPTS {
            parts.push(BTreeMap::new());
            size = name.len() + text.len();
        }
        parts.last_mut().expect("there is a first part").insert(name, text);
    }
    for (index, data) in parts.into_iter().enumerate() {
        let number = if index == 0 { String::new() } else { format!("-{}", index + 1) };
        let name = format!("{}-revocation{number}", handover.name_any());
        let scripts = Desired::config_map(handover.namespace().unwrap_or_default(), name, data);
        if let Applied::Contested(wait) = apply::apply(ctx, &owner(handover), &scripts).await? {
            return Err(Failure::local("put the revocation scripts in their place", wait.message));
        }
    }
    Ok(())
}

/// One fresh attempt for each account that is not proved yet, as far as one visit comes. What was tried before a failure is kept. As long as the client is
/// told to run a script, what stands in the ConfigMap is ours: their administrator will run it.
pub async fn attempt(ctx: &Context, handover: &Handover, sight: &Sight) -> Acted<StepResult> {
    let status = handover.status.clone().unwrap_or_default();
    let asked = is_asked(&handover.metadata, status.last_handled_request.as_ref());
    let pace = (attempts::since(&status, ctx.now()), asked);
    let revocations = status.revocations;
    let waits_for_client = |all: &[RevocationStatus]| all.iter().any(|one| one.by == RevokedBy::Client && one.verified_at.is_none());
    let mut script = None;
    if waits_for_client(&revocations) {
        script = publish_scripts(ctx, handover, sight).await.err();
    }
    let accounts = accounts(sight);
    let mut attempts = Attempts::new(&accounts, revocations, pace);
    let mut controls = Controls { ctx, last: HashMap::new() };
    let (mut visit, mut answer, mut failure) = (Visit::begin(), None, None);
    while let Some(account) = attempts.next(answer.take(), ctx.now()) {
        if visit.ends_before(&account.name_any()) {
            break;
        }
        answer = match one_attempt(ctx, account, &mut controls).await {
            Ok(answer) => Some(answer),
            Err(failed) => {
                failure = Some(failed);
                break;
            }
        };
    }
    let done = attempts.into_done();
    // Nobody needs the script of a door that is closed.
    let script = script.filter(|_| waits_for_client(&done));
    Acted { done: StepResult::Attempted(done), failure: failure.or(script) }
}

async fn one_attempt(ctx: &Context, account: &CloudAccount, controls: &mut Controls<'_>) -> Result<attempts::Answer, Failure> {
    Ok(match enter(ctx, account).await? {
        Ok(Some(way)) => {
            let answer = way.connector.attempt(&way.grant, Presented::Right).await;
            let control = match &answer {
                Err(error) if error.is_refusal() => Some(controls.of(account).await?),
                _ => None,
            };
            attempts::Answer::Attempted(answer, control)
        }
        Ok(None) => attempts::Answer::NoWayIn,
        Err(fault) => attempts::Answer::Fault(fault),
    })
}

/// A control is good for refusals of the same minute.
const SAME_MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// The controls of one round, by cloud and profile: an exit of many accounts asks for one a minute.
struct Controls<'a> {
    ctx: &'a Context,
    last: HashMap<(Cloud, String), (Timestamp, Control)>,
}

impl Controls<'_> {
    async fn of(&mut self, account: &CloudAccount) -> Result<Control, Failure> {
        let key = (account.spec.target.cloud(), account.spec.provider_profile.clone());
        let now = self.ctx.now();
        if let Some((at, control)) = self.last.get(&key)
            && now.duration_since(*at) < SAME_MINUTE
        {
            return Ok(control.clone());
        }
        let control = self.make(account).await?;
        self.last.insert(key, (now, control.clone()));
        Ok(control)
    }

    /// Knocks at one account after the other until one lets us in.
    async fn make(&self, account: &CloudAccount) -> Result<Control, Failure> {
        let profile = self.ctx.find::<ProviderProfile>("", &account.spec.provider_profile).await?;
        let named = profile.and_then(|profile| profile.spec.control_client);
        let all = self.ctx.cache.list_typed::<CloudAccount>(None);
        let mut last = control::missing(account);
        for candidate in control::candidates(account, &all, named.as_deref()) {
            last = match enter(self.ctx, candidate).await? {
                Ok(Some(way)) => {
                    let answer = way.connector.attempt(&way.grant, Presented::Right).await;
                    control::answered(candidate, named.as_deref(), &answer)
                }
                Ok(None) => continue,
                Err(fault) => Control::NotLetIn(fault.message),
            };
            if matches!(last, Control::LetIn(_)) {
                break;
            }
        }
        Ok(last)
    }
}
