//! From a `CloudAccount` and its provider to the grant that a cloud adapter takes.

use caretaker_api::cloud_account::{AwsAccount, CloudAccountSpec};
use caretaker_api::provider_profile::AwsProvider;
use caretaker_cloud::{AccessGrant, AwsGrant};

/// Longest name of an AWS session, in characters.
const MAX_SESSION_NAME: usize = 64;

/// ARN of the role in the client's account. The partition is the provider's.
#[must_use]
pub fn role_arn(account: &AwsAccount, provider: &AwsProvider) -> String {
    format!("arn:{}:iam::{}:role/{}", partition(&provider.principal_arn), account.account_id, account.role_name)
}

/// The partition of an ARN: `aws`, `aws-cn`, `aws-us-gov`.
#[must_use]
pub fn partition(arn: &str) -> &str {
    arn.split(':').nth(1).unwrap_or("aws")
}

/// The account id in an ARN; empty where it has none.
#[must_use]
pub fn account_of_arn(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// The grant of an account. `None` until the ExternalId is made: without one nothing is tried.
#[must_use]
pub fn grant(client: &str, name: &str, spec: &CloudAccountSpec, provider: Option<&AwsProvider>) -> Option<AccessGrant> {
    let account = spec.target.aws.as_ref()?;
    let external_id = account.external_id.clone()?;
    let role_arn = role_arn(account, provider?);
    Some(AccessGrant::Aws(AwsGrant {
        account_id: account.account_id.clone(),
        role_arn,
        external_id,
        session_name: session_name(client, name),
    }))
}

/// The name under which our calls stand in the client's audit log.
#[must_use]
pub fn session_name(client: &str, account: &str) -> String {
    let mut name = format!("caretaker-{client}-{account}");
    name.truncate(MAX_SESSION_NAME);
    name
}
