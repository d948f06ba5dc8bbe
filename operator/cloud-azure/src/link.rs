//! A session in one subscription.

use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::budget::Work;
use caretaker_cloud::{
    Asset, AssetSink, AzureGrant, CloudError, CloudLink, CloudStep, ErrorClass, ExcessReport, Identity, Member, PermissionGap, Presence,
    ProtectionState, Purpose, Receipt, Register, Result, Scope, WantedPermission,
};
use tokio::sync::Mutex;

use crate::arm::{Answer, Call};
use crate::presence::{self, Versions};
use crate::token::Token;
use crate::{Shared, access, client, discover, permissions, register, revoke};

/// The token of one grant and purpose, renewed in place.
pub struct Session {
    token: Mutex<Arc<Token>>,
}

impl Session {
    /// A session with this token.
    pub fn new(token: Token) -> Self {
        Self { token: Mutex::new(Arc::new(token)) }
    }
}

/// A session in the grant's subscription.
pub struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) grant: AzureGrant,
    purpose: Purpose,
    session: Arc<Session>,
    pub(crate) versions: Versions,
}

impl Link {
    pub(crate) fn new(shared: Arc<Shared>, grant: AzureGrant, purpose: Purpose, session: Arc<Session>) -> Self {
        Self { shared, grant, purpose, session, versions: Versions::default() }
    }

    /// Id of the subscription, in lower case.
    pub fn subscription(&self) -> &str {
        &self.grant.subscription_id
    }

    /// Makes one call.
    pub async fn call(&self, call: &Call) -> Result<Answer> {
        self.call_for(&Work::once(client(&self.grant)), call).await
    }

    /// Makes one call as part of a piece of work. Where Azure says that the token has ended, the same call is made once more under a
    /// new one: page tokens outlive it.
    pub async fn call_for(&self, work: &Work, call: &Call) -> Result<Answer> {
        let token = self.token(None).await?;
        let answer = self.shared.send(work, (self.subscription(), call), Some(token.secret.secret())).await;
        if !answer.as_ref().is_err_and(|error| error.class == ErrorClass::Expired) {
            return answer;
        }
        tracing::debug!(
            subscription = self.subscription(),
            operation = call.operation,
            "Azure says that the token has ended; taking a new one"
        );
        let token = self.token(Some(&token)).await?;
        self.shared.send(work, (self.subscription(), call), Some(token.secret.secret())).await.map_err(still_expired)
    }

    /// Reads the subscription and proves again whose it is.
    pub async fn prove(&self) -> Result<()> {
        let answer = self.call(&access::read(&self.grant)).await?;
        access::prove(&answer.body, &self.grant, &self.shared.tenant_id)
    }

    /// The token, renewed where it is near its end or is `ended`, the one that Azure refused.
    async fn token(&self, ended: Option<&Arc<Token>>) -> Result<Arc<Token>> {
        let mut held = self.session.token.lock().await;
        if !held.is_fresh() || ended.is_some_and(|ended| Arc::ptr_eq(ended, &held)) {
            *held = Arc::new(self.shared.fresh_token(client(&self.grant)).await?);
        }
        Ok(held.clone())
    }
}

/// A token that was made just now and counts as ended is our own fault, such as a wrong clock: the client has refused nothing.
pub fn still_expired(error: CloudError) -> CloudError {
    if error.class != ErrorClass::Expired {
        return error;
    }
    let message = format!("a fresh token is refused as well: check the audience and the clocks ({})", error.message);
    CloudError::new(ErrorClass::Credentials, error.operation, message).with_code(error.code)
}

#[async_trait]
impl CloudLink for Link {
    async fn identity(&self) -> Result<Identity> {
        self.prove().await?;
        let token = self.token(None).await?;
        Ok(Identity { account: self.grant.subscription_id.clone(), principal: token.identity.principal.clone() })
    }

    async fn permissions(&self, wanted: &[WantedPermission]) -> Result<PermissionGap> {
        permissions::gap(self, wanted).await
    }

    async fn excess(&self, wanted: &[WantedPermission]) -> Result<ExcessReport> {
        register::excess(self, wanted).await
    }

    async fn ways_in(&self) -> Result<Register> {
        register::ways_in(self).await
    }

    async fn discover(&self, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
        discover::discover(self, scope, sink).await
    }

    fn reads_an_index(&self, _service: &str) -> bool {
        true
    }

    async fn exists(&self, asset: &Asset) -> Result<Presence> {
        presence::exists(self, asset).await
    }

    async fn protection(&self, _regions: &[String], _prefix: &str) -> Result<ProtectionState> {
        Err(CloudError::new(ErrorClass::Unsupported, "Microsoft.RecoveryServices/vaults/read", "backups on Azure are not supported yet"))
    }

    async fn members(&self) -> Result<Vec<Member>> {
        Err(CloudError::not_a_parent())
    }

    async fn perform(&self, _key: &str, step: &CloudStep) -> Result<Receipt> {
        match step {
            // Azure cannot narrow a token to a purpose, so this is where it is kept.
            CloudStep::DeleteDelegation { .. } if self.purpose != Purpose::Revoke => {
                let message = "the session was not opened for removing our own access";
                Err(CloudError::new(ErrorClass::Invalid, revoke::DELETE, message))
            }
            CloudStep::DeleteDelegation { subscription_id } => revoke::delete_delegation(self, subscription_id).await,
            other => Err(CloudError::new(ErrorClass::Unsupported, "perform", format!("Azure cannot do this yet: {}", other.describe()))),
        }
    }
}
