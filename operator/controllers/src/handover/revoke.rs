//! Revoke our own access, or hand the client the script that does, and prove from outside that we are out.

use std::collections::BTreeMap;

use caretaker_api::cloud_account::{Capability, CloudTarget, TargetKind};
use caretaker_api::condition::Reason;
use caretaker_api::handover::RevocationStatus;
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_api::words::RevokedBy;
use caretaker_api::{CloudAccount, Handover};
use caretaker_cloud::{CloudError, CloudStep, Presented, Purpose};
use caretaker_core::desired::Desired;
use caretaker_core::handover::advance::StepResult;
use caretaker_core::handover::excluded::excluded;
use caretaker_core::handover::{is_due, script, take_attempt};
use caretaker_core::kit::parents::STACK_SET;
use caretaker_core::kit::policy_name;
use caretaker_core::outcome::Fault;
use caretaker_core::{grant, kit_gcp};
use kube::ResourceExt;

use super::{Sight, owner};
use crate::access::{WayIn, way_in};
use crate::context::Context;
use caretaker_engine::Failure;
use caretaker_engine::apply;

/// Revokes where we may; elsewhere publishes the script. Nothing here is tried blindly again: what is refused is settled by the attempts that follow.
pub async fn revoke(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<StepResult, Failure> {
    publish_scripts(ctx, handover, sight).await?;
    let mut revocations = Vec::new();
    for account in sight.accounts.iter().chain(&excluded(&sight.accounts)) {
        let way = way_in(ctx, account).await?;
        if is_others(&way) {
            continue;
        }
        let target = &account.spec.target;
        let provider = sight.profile.as_ref().map(|profile| &profile.spec);
        let principal = match target.aws_role() {
            Some(aws) => format!("role {} in account {}", aws.role_name, aws.account_id),
            None => provider.map(|provider| grant::principal(&account.spec, provider)).unwrap_or_default(),
        };
        let mut revocation =
            RevocationStatus { account: account.name_any(), principal, by: RevokedBy::Client, ..RevocationStatus::default() };
        if account.spec.allow.contains(&Capability::Revoke) {
            revocation.by = RevokedBy::Operator;
            match way {
                Ok(Some(way)) => close(&way, account, (plan(account, provider), &mut revocation)).await?,
                Ok(None) => revocation.last_answer = "there never was a way in".into(),
                Err(fault) => revocation.last_answer = fault.message,
            }
        }
        revocations.push(revocation);
    }
    let frozen = handover.status.as_ref().and_then(|status| status.frozen.as_ref());
    for name in frozen.iter().flat_map(|frozen| &frozen.accounts) {
        if !revocations.iter().any(|revocation| revocation.account == *name) {
            revocations.push(RevocationStatus { account: name.clone(), by: RevokedBy::Client, ..RevocationStatus::default() });
        }
    }
    Ok(StepResult::Revoked(revocations))
}

/// Whether another object holds the account: it was never this client's, and nothing of ours in it is to be ended here.
pub fn is_others<T>(way: &Result<T, Fault>) -> bool {
    way.as_ref().is_err_and(|fault| fault.reason == Reason::AccountClaimed)
}

/// The steps that end our access, and what they leave behind.
///
/// On AWS the role is stripped, closed, and drops its last permission. A process that dies after the closing finds the door closed, which is the end that
/// was wanted; then at most the last permission remains, on a role that nobody can assume.
fn plan(account: &CloudAccount, provider: Option<&ProviderProfileSpec>) -> (Vec<CloudStep>, String) {
    let target = &account.spec.target;
    if let Some(aws) = target.aws_role() {
        let (role, last) = (aws.role_name.clone(), policy_name(Purpose::Revoke).to_owned());
        let steps = vec![
            CloudStep::StripOwnRole { role: role.clone(), last: last.clone() },
            CloudStep::CloseOwnRole { role: role.clone() },
            CloudStep::DropLastPolicy { role, last },
        ];
        let left = format!("the role {}, without policies and closed to everybody", aws.role_name);
        if target.kind() == TargetKind::Aws {
            return (steps, left);
        }
        let stack_set = format!(
            "the StackSet {STACK_SET}, which gives our role to accounts that come later: delete it first, by the revocation script"
        );
        return (steps, format!("{left}; {stack_set}"));
    }
    if target.kind() == TargetKind::Azure {
        return (vec![CloudStep::DeleteDelegation { subscription_id: target.id() }], String::new());
    }
    // The project that the session is in, or that the folder's service account is in.
    let place = match target {
        // One service account leads into all projects of a folder: it is closed once, with the folder.
        CloudTarget::Gcp(gcp) if account.spec.member.is_none() => {
            (gcp.project_id.clone(), &gcp.service_account_name, gcp.service_account_project())
        }
        CloudTarget::GcpFolder(folder) => {
            let project = &folder.service_account_project_id;
            (project.clone(), &folder.service_account_name, project.as_str())
        }
        // Each subscription of a tenant ends its own delegation.
        _ => return (Vec::new(), String::new()),
    };
    let (project_id, name, home) = place;
    let member = provider.and_then(|provider| provider.gcp.as_ref()).map(|gcp| kit_gcp::member(&gcp.principal)).unwrap_or_default();
    let email = kit_gcp::service_account(name, home);
    let step = CloudStep::RemoveBinding { project_id, member };
    (vec![step], format!("the service account {email}, which nobody of the provider's can use any more"))
}

/// Takes the steps.
async fn close(
    way: &WayIn,
    account: &CloudAccount,
    ((steps, left), revocation): ((Vec<CloudStep>, String), &mut RevocationStatus),
) -> Result<(), Failure> {
    if steps.is_empty() {
        return Ok(());
    }
    let link = match way.connector.connect(&way.grant, Purpose::Revoke).await {
        Ok(link) => link,
        Err(error) => {
            let left = format!("{}, closed to us; what it still holds we cannot see", revocation.principal);
            return settle(revocation, error, left);
        }
    };
    for step in steps {
        let key = format!("{}-revoke", account.uid().unwrap_or_default());
        match link.perform(&key, &step).await {
            Ok(receipt) => revocation.steps.push(format!("{}: {}", step.describe(), receipt.calls.join(", "))),
            Err(error) => {
                let left = format!("{}: we could not {}; the revocation script ends it", revocation.principal, step.describe());
                return settle(revocation, error, left);
            }
        }
    }
    revocation.left = left;
    Ok(())
}

/// A refusal is settled by looking: the fresh attempts prove that we are out, or show that we are not. Anything else is tried again.
fn settle(revocation: &mut RevocationStatus, error: CloudError, left: String) -> Result<(), Failure> {
    if error.is_refusal() {
        revocation.last_answer = error.to_string();
        revocation.left = left;
        return Ok(());
    }
    Err(Failure::Cloud(error))
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
        apply::apply(ctx, &owner(handover), &scripts).await?;
    }
    Ok(())
}

/// One fresh attempt for each account that is not proved yet.
pub async fn attempt(ctx: &Context, handover: &Handover, sight: &Sight) -> Result<StepResult, Failure> {
    let mut revocations = handover.status.as_ref().map(|status| status.revocations.clone()).unwrap_or_default();
    let excluded = excluded(&sight.accounts);
    for revocation in revocations.iter_mut().filter(|revocation| is_due(revocation, ctx.now())) {
        let Some(account) = sight.accounts.iter().chain(&excluded).find(|account| account.name_any() == revocation.account) else {
            revocation.last_answer =
                "the CloudAccount is gone: make it again with the same ExternalId, so that the refusal can be proved".into();
            continue;
        };
        match way_in(ctx, account).await? {
            Ok(Some(way)) => take_attempt(revocation, &way.connector.attempt(&way.grant, Presented::Right).await, ctx.now()),
            Ok(None) => revocation.last_answer = "there never was a way in".into(),
            Err(fault) => revocation.last_answer = fault.message,
        }
    }
    Ok(StepResult::Attempted(revocations))
}
