//! Which permissions of the manifest are granted, by IAM's own simulation.

use aws_sdk_iam::types::PolicyEvaluationDecisionType;
use caretaker_cloud::{ErrorClass, PermissionGap, Result};

use crate::errors::classify;
use crate::session::Link;

/// Actions in one question; IAM takes at most 100.
const CHUNK: usize = 50;

/// What is missing. Where the simulation itself is denied, nothing is known.
pub async fn missing(link: &Link, wanted: &[String]) -> Result<PermissionGap> {
    let client = aws_sdk_iam::Client::new(&link.config(None).await);
    let mut gap = PermissionGap { missing: Vec::new(), known: true };
    for actions in wanted.chunks(CHUNK) {
        link.shared.place(&link.grant.account_id, "global").await;
        let request = client.simulate_principal_policy().policy_source_arn(&link.grant.role_arn).set_action_names(Some(actions.to_vec()));
        let answer = match request.send().await.map_err(|error| classify("iam:SimulatePrincipalPolicy", &error)) {
            Ok(answer) => answer,
            Err(error) if error.class == ErrorClass::Denied => return Ok(PermissionGap { missing: Vec::new(), known: false }),
            Err(error) => return Err(error),
        };
        let refused = answer.evaluation_results().iter().filter(|result| *result.eval_decision() != PolicyEvaluationDecisionType::Allowed);
        gap.missing.extend(refused.map(|result| result.eval_action_name().to_owned()));
    }
    gap.missing.sort();
    Ok(gap)
}
