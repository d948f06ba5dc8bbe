//! Attempts to get in, each a fresh `sts:AssumeRole`; the session is thrown away.

use caretaker_cloud::{AwsGrant, CloudError, ErrorClass, Identity, Presented, Result};

use crate::session::assume::{enter, trespass};
use crate::session::shared::Shared;

/// What is presented where a wrong ExternalId is asked for. It can never be a right one: those are made of hexadecimal digits.
const WRONG: &str = "caretaker-negative-test";

/// Tries to get in. Whose session it is, is what the answer says.
pub async fn attempt(shared: &Shared, grant: &AwsGrant, presented: Presented) -> Result<Identity> {
    let answer = match presented {
        Presented::Right => enter(shared, grant, None).await?,
        Presented::Wrong => trespass(shared, grant, Some(WRONG)).await?,
        Presented::Nothing => trespass(shared, grant, None).await?,
        Presented::Stolen => trespass(shared, grant, Some(&grant.external_id)).await?,
    };
    let principal = answer.assumed_role_user().map(|user| user.arn().to_owned()).unwrap_or_default();
    let account = principal.split(':').nth(4).unwrap_or_default().to_owned();
    if account != grant.account_id && presented != Presented::Stolen {
        let message = format!("the role {} leads to account {account}, not {}", grant.role_arn, grant.account_id);
        return Err(CloudError::new(ErrorClass::WrongAccount, "sts:AssumeRole", message));
    }
    Ok(Identity { account, principal })
}
