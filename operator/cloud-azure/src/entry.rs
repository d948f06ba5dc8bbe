//! Attempts to get in, each with a fresh token or with none that is good; what is read is thrown away.

use caretaker_cloud::budget::Work;
use caretaker_cloud::{AzureGrant, CloudError, ErrorClass, Identity, Presented, Result};

use crate::proof;
use crate::session::shared::Shared;
use crate::session::still_expired;

/// What is presented where a wrong token is asked for. It is no token at all, so it can never be a right one.
pub const WRONG: &str = "caretaker-negative-test";

/// Tries to read the subscription. Whose it is, is what the answer says.
pub async fn attempt(shared: &Shared, grant: &AzureGrant, presented: Presented) -> Result<Identity> {
    let (call, work) = (proof::read(grant), Work::once(&grant.client));
    let about = (grant.subscription_id.as_str(), &call);
    let bearer = match presented {
        Presented::Right | Presented::Stolen => {
            let token = shared.fresh_token(&grant.client).await?;
            let answer = shared.send(&work, about, Some(token.secret.secret())).await.map_err(still_expired)?;
            if presented == Presented::Right {
                proof::prove(&answer.body, grant, &shared.tenant_id)?;
            } else {
                proof::shown(&answer.body, grant)?;
            }
            return Ok(Identity { account: grant.subscription_id.clone(), principal: token.identity.principal });
        }
        Presented::Wrong => Some(WRONG),
        Presented::Nothing => None,
    };
    shared.send(&work, about, bearer).await.map_err(refusal)?;
    Ok(Identity { account: grant.subscription_id.clone(), principal: "nobody".into() })
}

/// Of a token that is none, Azure's "not a valid token" is the refusal that was expected.
pub fn refusal(error: CloudError) -> CloudError {
    if error.class != ErrorClass::Expired {
        return error;
    }
    CloudError::new(ErrorClass::Denied, error.operation, error.message).with_code(error.code)
}
