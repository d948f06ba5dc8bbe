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
    let answer = Calls::new(&work, shared.base_budget()).make("sts:AssumeRole", request).await;
    answer.map_err(|error| own_fault(error, shared.allows_tags, policy.is_some()))
}

/// Both ways out where the base credentials carry session tags that no client's role takes.
const TAGS_CURE: &str = "the provider's base credentials carry session tags, as those of EKS Pod Identity do, and AWS puts them on every assumption of a role:                          either set spec.aws.sessionTags of the ProviderProfile to Allow, so that the grant kits let the clients' roles take them, or use                          credentials without tags (aws eks update-pod-identity-association --disable-session-tags, or IAM roles for service accounts) and set                          it to Absent";

/// The way out where the tags alone are too large.
const SIZE_CURE: &str =
    "the session tags of the provider's base credentials alone are larger than AWS takes: use credentials with fewer tags or none";

/// Whether the session's policy, with the session tags of the base credentials, is larger than STS takes. The service's own model has the second word, its
/// answers have the first. Source: <https://github.com/aws-actions/configure-aws-credentials/issues/1898>
pub fn is_too_large(error: &CloudError) -> bool {
    matches!(error.code.as_str(), "PackedPolicyTooLarge" | "PackedPolicyTooLargeException")
}

/// Whether a refusal is one of a caller with session tags. It proves that there are some, and no more: AWS names `sts:TagSession` whatever it is that the
/// role's trust does not take of such a caller, a wrong ExternalId as well. Source: <https://github.com/grafana/grafana/issues/127716>
fn names_tags(error: &CloudError) -> bool {
    error.class == ErrorClass::Denied && error.message.contains("sts:TagSession")
}

/// Errors that speak of the base credentials, not of the role.
fn own_fault(mut error: CloudError, allows_tags: bool, has_policy: bool) -> CloudError {
    let code = error.code.as_str();
    if matches!(code, "InvalidClientTokenId" | "SignatureDoesNotMatch" | "ExpiredToken" | "UnrecognizedClientException") {
        error.class = ErrorClass::Credentials;
    } else if names_tags(&error) && !allows_tags {
        error.class = ErrorClass::Credentials;
        error.message = format!("{TAGS_CURE}; AWS says: {}", error.message);
    } else if is_too_large(&error) && !has_policy {
        error.class = ErrorClass::Credentials;
        error.message = format!("{SIZE_CURE}; AWS says: {}", error.message);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words are those of AWS. Sources: <https://github.com/aws/aws-cdk-cli/pull/762>, <https://github.com/aws/containers-roadmap/issues/2413>
    #[test]
    fn session_tags_are_a_matter_of_the_provider_until_the_kits_allow_them() {
        let denied = |action: &str| {
            let message = format!(
                "AccessDenied: User: arn:aws:sts::111111111111:assumed-role/caretaker/eks-x is not authorized to perform: {action} on resource: \
                 arn:aws:iam::222222222222:role/CaretakerAccess"
            );
            CloudError::new(ErrorClass::Denied, "sts:AssumeRole", message).with_code("AccessDenied")
        };
        let large = || {
            let message = "PackedPolicyTooLarge: Packed size of session tags consumes 112% of allotted space.";
            CloudError::new(ErrorClass::Invalid, "sts:AssumeRole", message).with_code("PackedPolicyTooLarge")
        };
        let key = CloudError::new(ErrorClass::Denied, "sts:AssumeRole", "no").with_code("InvalidClientTokenId");
        let (ours, theirs) = (ErrorClass::Credentials, ErrorClass::Denied);
        for (why, error, allows_tags, has_policy, class, says) in [
            ("the kits allow none", denied("sts:TagSession"), false, true, ours, "sessionTags"),
            ("the other way out", denied("sts:TagSession"), false, false, ours, "--disable-session-tags"),
            ("the client has not applied the kit that allows them", denied("sts:TagSession"), true, true, theirs, "TagSession"),
            ("no tags", denied("sts:AssumeRole"), false, true, theirs, "sts:AssumeRole"),
            ("a smaller policy may fit", large(), true, true, ErrorClass::Invalid, "112%"),
            ("there is nothing left to leave out", large(), true, false, ours, "fewer tags"),
            ("a wrong key", key, true, true, ours, "no"),
        ] {
            let told = own_fault(error, allows_tags, has_policy);
            assert_eq!(told.class, class, "{why}");
            assert!(told.message.contains(says), "{why}: {told}");
        }
    }
}
