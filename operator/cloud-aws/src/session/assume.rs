//! The assumption of a client's role, with the SourceIdentity that tells the client's audit log which object of ours acts.

use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use caretaker_cloud::budget::Work;
use caretaker_cloud::{AwsGrant, CloudError, ErrorClass, Result};

use crate::call::Calls;
use crate::session::shared::Shared;

/// Length of a session: the longest that role chaining allows.
pub const SESSION_SECONDS: i32 = 3600;

/// Gets in with the grant's own ExternalId. Where the role refuses the SourceIdentity, it is tried without.
///
/// The role may have been made, or its trust changed, between the two attempts. So a role counts as one that takes no SourceIdentity, for a day, only
/// where it refuses one again right after it has let us in without.
pub async fn enter(shared: &Shared, grant: &AwsGrant, policy: Option<&str>) -> Result<AssumeRoleOutput> {
    let id = Some(grant.external_id.as_str());
    if shared.unnamed.has(grant) {
        return assume(shared, grant, id, (policy, false)).await;
    }
    match assume(shared, grant, id, (policy, true)).await {
        Err(error) if error.is_refusal() => {}
        other => return other,
    }
    let unnamed = assume(shared, grant, id, (policy, false)).await?;
    match assume(shared, grant, id, (policy, true)).await {
        Ok(named) => Ok(named),
        Err(error) if error.is_refusal() => {
            tracing::warn!(role = grant.role_arn, "the role takes no SourceIdentity: let the client apply the grant kit again");
            shared.unnamed.put(grant);
            Ok(unnamed)
        }
        // No answer says nothing of the role; the next session asks again.
        Err(_) => Ok(unnamed),
    }
}

/// Tries to get in with an ExternalId that must be refused. A refusal must come from the ExternalId alone, so every way is tried in which the right one could
/// be let in: without a SourceIdentity, which older roles do not take, and with one, which a role may demand.
pub async fn trespass(shared: &Shared, grant: &AwsGrant, external_id: Option<&str>) -> Result<AssumeRoleOutput> {
    match assume(shared, grant, external_id, (None, false)).await {
        Err(error) if error.is_refusal() && !shared.unnamed.has(grant) => assume(shared, grant, external_id, (None, true)).await,
        other => other,
    }
}

/// One `sts:AssumeRole` with the base credentials.
async fn assume(
    shared: &Shared,
    grant: &AwsGrant,
    external_id: Option<&str>,
    (policy, named): (Option<&str>, bool),
) -> Result<AssumeRoleOutput> {
    let (sts, work) = (aws_sdk_sts::Client::new(&shared.base), Work::once(&grant.account_id));
    let request = || {
        sts.assume_role()
            .role_arn(&grant.role_arn)
            .role_session_name(&grant.session_name)
            .set_source_identity(named.then(|| grant.source_identity.clone()))
            .set_external_id(external_id.map(str::to_owned))
            .set_policy(policy.map(str::to_owned))
            .duration_seconds(SESSION_SECONDS)
            .send()
    };
    Calls::new(&work, shared.base_budget()).make("sts:AssumeRole", request).await.map_err(own_key_fault)
}

/// These codes speak of the base key, not of the role.
fn own_key_fault(mut error: CloudError) -> CloudError {
    if matches!(error.code.as_str(), "InvalidClientTokenId" | "SignatureDoesNotMatch" | "ExpiredToken" | "UnrecognizedClientException") {
        error.class = ErrorClass::Credentials;
    }
    error
}
