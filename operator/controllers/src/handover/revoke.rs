//! Carries out what `core` decides on the end of our own access: publishes the script that the client runs, does the steps where we may, and tries from
//! outside whether we are out.

use std::collections::BTreeMap;
use std::sync::Arc;

use caretaker_api::{CloudAccount, Handover};
use caretaker_cloud::{CloudLink, Presented, Purpose};
use caretaker_core::desired::Desired;
use caretaker_core::handover::advance::StepResult;
use caretaker_core::handover::attempts::{self, Attempts};
use caretaker_core::handover::excluded::excluded;
use caretaker_core::handover::revocation::{Answer, Ask, Revoking};
use caretaker_documents::handover::script;
use kube::ResourceExt;

use super::{Sight, owner};
use crate::access::{WayIn, enter};
use crate::context::Context;
use caretaker_engine::apply::{self, Applied};
use caretaker_engine::{Acted, Failure};

/// All accounts that an exit ends our access in.
fn accounts(sight: &Sight) -> Vec<CloudAccount> {
    sight.accounts.iter().cloned().chain(excluded(&sight.accounts)).collect()
}

/// Publishes the scripts, and revokes where we may. What was done before a failure is kept.
pub async fn revoke(ctx: &Context, handover: &Handover, sight: &Sight) -> Acted<StepResult> {
    if let Err(failure) = publish_scripts(ctx, handover, sight).await {
        return Acted { done: StepResult::Nothing, failure: Some(failure) };
    }
    let status = handover.status.clone().unwrap_or_default();
    let provider = sight.profile.as_ref().map(|profile| profile.spec.clone());
    let mut revoking = Revoking::new(accounts(sight), provider, status.frozen.as_ref(), status.revocations);
    let mut caller = Caller { ctx, way: None, link: None };
    let mut answer = None;
    while let Some((account, ask)) = revoking.next(answer.take()) {
        match caller.carry(account, ask).await {
            Ok(answered) => answer = Some(answered),
            Err(failure) => return Acted { done: StepResult::PartlyRevoked(revoking.into_done().0), failure: Some(failure) },
        }
    }
    match revoking.into_done() {
        (done, None) => Acted { done: StepResult::Revoked(done), failure: None },
        (done, Some(error)) => Acted { done: StepResult::PartlyRevoked(done), failure: Some(Failure::Cloud(error)) },
    }
}

/// The way to the cloud of the account that is worked on.
struct Caller<'a> {
    ctx: &'a Context,
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
                Answer::Performed(link.perform(&key, &step).await)
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

/// One fresh attempt for each account that is not proved yet. What was tried before a failure is kept.
pub async fn attempt(ctx: &Context, handover: &Handover, sight: &Sight) -> Acted<StepResult> {
    let revocations = handover.status.as_ref().map(|status| status.revocations.clone()).unwrap_or_default();
    let accounts = accounts(sight);
    let mut attempts = Attempts::new(&accounts, revocations);
    let (mut answer, mut failure) = (None, None);
    while let Some(account) = attempts.next(answer.take(), ctx.now()) {
        answer = match enter(ctx, account).await {
            Ok(Ok(Some(way))) => Some(attempts::Answer::Attempted(way.connector.attempt(&way.grant, Presented::Right).await)),
            Ok(Ok(None)) => Some(attempts::Answer::NoWayIn),
            Ok(Err(fault)) => Some(attempts::Answer::Fault(fault)),
            Err(failed) => {
                failure = Some(failed);
                break;
            }
        };
    }
    Acted { done: StepResult::Attempted(attempts.into_done()), failure }
}
