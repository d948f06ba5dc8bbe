//! Which permissions of the manifest are granted, by IAM's own simulation.

use aws_sdk_iam::types::PolicyEvaluationDecisionType;
use caretaker_cloud::budget::Work;
use caretaker_cloud::{ErrorClass, PermissionGap, Result, WantedPermission};

use crate::call::GLOBAL;
use crate::session::Session;

/// Actions in one question; IAM takes at most 100.
const CHUNK: usize = 50;

/// What is missing. Where the simulation itself is denied, nothing is known. Each question names the resource: a simulation without one asks
/// about `*`, which a permission for our own role only can never match.
pub async fn missing(session: &Session, wanted: &[WantedPermission]) -> Result<PermissionGap> {
    let client = aws_sdk_iam::Client::new(&session.config(None));
    let work = Work::once(&session.grant.account_id);
    let calls = session.calls(&work, GLOBAL);
    let mut gap = PermissionGap { missing: Vec::new(), known: true };
    // No question to IAM tells what a trust policy allows; the refusal did.
    if session.shared.unnamed.has(&session.grant) {
        gap.missing.push("sts:SetSourceIdentity".into());
    }
    let mut sorted = wanted.to_vec();
    sorted.sort();
    for same in sorted.chunk_by(|one, other| one.resource == other.resource) {
        for chunk in same.chunks(CHUNK) {
            let request = || {
                client
                    .simulate_principal_policy()
                    .policy_source_arn(&session.grant.role_arn)
                    .set_action_names(Some(chunk.iter().map(|wanted| wanted.action.clone()).collect()))
                    .resource_arns(&chunk[0].resource)
                    .send()
            };
            let answer = match calls.make("iam:SimulatePrincipalPolicy", request).await {
                Ok(answer) => answer,
                Err(error) if error.class == ErrorClass::Denied => {
                    gap.missing.retain(|missing| missing.starts_with("sts:"));
                    return Ok(PermissionGap { known: false, ..gap });
                }
                Err(error) => return Err(error),
            };
            let refused =
                answer.evaluation_results().iter().filter(|result| *result.eval_decision() != PolicyEvaluationDecisionType::Allowed);
            gap.missing.extend(refused.map(|result| result.eval_action_name().to_owned()));
        }
    }
    gap.missing.sort();
    // An action that two purposes need on different things is missing once.
    gap.missing.dedup();
    Ok(gap)
}
