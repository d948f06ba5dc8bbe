//! A session in one subscription: its token, and the calls that are made with it. It calls no verb of the port: those are in files of their own and take a
//! session.

use std::collections::HashMap;
use std::sync::Arc;

use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::{Listing, once_renewed};
use caretaker_cloud::{AzureGrant, CloudError, ErrorClass, Identity, Purpose, Result};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::call::{Answer, Call};
use crate::proof;
use crate::session::shared::Shared;
use crate::token::Token;

pub mod shared;

/// Pages after which a list of delegations, permissions or providers is taken for endless.
const MOST_PAGES: usize = 100;

/// The token of one grant and purpose, renewed in place.
pub struct HeldToken {
    token: Mutex<Arc<Token>>,
}

impl HeldToken {
    /// Holds this token.
    pub fn new(token: Token) -> Self {
        Self { token: Mutex::new(Arc::new(token)) }
    }
}

/// A session in the grant's subscription.
pub struct Session {
    pub shared: Arc<Shared>,
    pub grant: AzureGrant,
    /// What the session is for. Azure cannot narrow a token to it, so whoever writes looks at it.
    pub purpose: Purpose,
    held: Arc<HeldToken>,
    /// Versions of the services by type, in lower case with the provider in it; learnt once.
    pub versions: Mutex<Option<HashMap<String, String>>>,
}

impl Session {
    /// A session with this token.
    pub fn new(shared: Arc<Shared>, grant: AzureGrant, purpose: Purpose, held: Arc<HeldToken>) -> Self {
        Self { shared, grant, purpose, held, versions: Mutex::default() }
    }

    /// Id of the subscription, in lower case.
    pub fn subscription(&self) -> &str {
        &self.grant.subscription_id
    }

    /// Makes one call.
    pub async fn call(&self, call: &Call) -> Result<Answer> {
        self.call_for(&Work::once(&self.grant.client), call).await
    }

    /// Makes one call as part of a piece of work. Where Azure says that the token has ended, the same call is made once more under a
    /// new one: page tokens outlive it.
    pub async fn call_for(&self, work: &Work, call: &Call) -> Result<Answer> {
        let send =
            |token: Arc<Token>| async move { self.shared.send(work, (self.subscription(), call), Some(token.secret.secret())).await };
        let renew = |ended: Arc<Token>| async move {
            tracing::debug!(
                subscription = self.subscription(),
                operation = call.operation,
                "Azure says that the token has ended; taking a new one"
            );
            self.token(Some(&ended)).await
        };
        once_renewed(self.token(None).await?, send, renew).await.map_err(still_expired)
    }

    /// Takes every page of a list whose pages name the next one by a link.
    pub async fn each_page(&self, first: Call, mut take: impl FnMut(&Value) -> Result<()>) -> Result<()> {
        let mut listing = Listing::of(first.operation).at_most(MOST_PAGES);
        let mut call = first;
        loop {
            let page = self.call(&call).await?.body;
            take(&page)?;
            match listing.after(page["nextLink"].as_str())? {
                None => return Ok(()),
                Some(next) => call = Call::get(call.operation, next),
            }
        }
    }

    /// Reads the subscription and proves again whose it is.
    pub async fn prove(&self) -> Result<()> {
        let answer = self.call(&proof::read(&self.grant)).await?;
        proof::prove(&answer.body, &self.grant, &self.shared.tenant_id)
    }

    /// Who the session is, asked of Azure.
    pub async fn identity(&self) -> Result<Identity> {
        self.prove().await?;
        let token = self.token(None).await?;
        Ok(Identity { account: self.grant.subscription_id.clone(), principal: token.identity.principal.clone() })
    }

    /// The token, renewed where it is near its end or is `ended`, the one that Azure refused.
    async fn token(&self, ended: Option<&Arc<Token>>) -> Result<Arc<Token>> {
        let mut held = self.held.token.lock().await;
        if !held.is_fresh() || ended.is_some_and(|ended| Arc::ptr_eq(ended, &held)) {
            *held = Arc::new(self.shared.fresh_token(&self.grant.client).await?);
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
