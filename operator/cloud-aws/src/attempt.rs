//! Attempts to get in, each a fresh `sts:AssumeRole`; the session is thrown away.

use caretaker_cloud::{AwsGrant, Identity, Presented, Result};

use crate::Shared;
use crate::session::assume;

/// What is presented where a wrong ExternalId is asked for. It can never be a right one: those are made of hexadecimal digits.
const WRONG: &str = "caretaker-negative-test";

/// Tries to get in. A success is told by the role's own ARN.
pub async fn attempt(shared: &Shared, grant: &AwsGrant, presented: Presented) -> Result<Identity> {
    let external_id = match presented {
        Presented::Right => Some(grant.external_id.as_str()),
        Presented::Wrong => Some(WRONG),
        Presented::Nothing => None,
    };
    assume(shared, grant, external_id, None).await?;
    Ok(Identity { account: grant.account_id.clone(), principal: grant.role_arn.clone() })
}
