//! Attempts to get in, each with a fresh token of the client's service account, which is thrown away.

use caretaker_cloud::{ErrorClass, GcpGrant, Identity, Presented, Result};

use crate::config::Secret;
use crate::session::shared::Shared;
use crate::session::{Reach, generate, generate_as_base, project};

/// What is presented where a wrong token is asked for. It is no token at all, so it can never be a right one.
const WRONG: &str = "caretaker-negative-test";

/// Tries to get in. A token of the client's service account is the way in: whoever gets one was let in.
pub async fn attempt(shared: &Shared, grant: &GcpGrant, presented: Presented) -> Result<Identity> {
    let ours = match presented {
        Presented::Right => {
            let held = generate_as_base(shared, grant, Reach::Read).await?;
            let (account, _) = project(shared, grant, &held.token).await?;
            return Ok(Identity { account, principal: grant.service_account.clone() });
        }
        Presented::Stolen => {
            generate_as_base(shared, grant, Reach::Read).await?;
            return Ok(Identity { account: grant.project_id.clone(), principal: grant.service_account.clone() });
        }
        Presented::Wrong => Some(Secret::new(WRONG)),
        Presented::Nothing => None,
    };
    generate(shared, grant, Reach::Read, ours.as_ref()).await.map_err(|mut error| {
        // "Not authenticated" is the refusal that this attempt is to bring.
        if error.class == ErrorClass::Expired {
            error.class = ErrorClass::Denied;
        }
        error
    })?;
    Ok(Identity { account: grant.project_id.clone(), principal: grant.service_account.clone() })
}
