//! The provider's way into Azure: its application, and the sessions that are made with its tokens.

use std::future::ready;
use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::budget::Budgets;
use caretaker_cloud::runtime::Sessions;
use caretaker_cloud::{AccessGrant, AzureGrant, CloudConnector, CloudError, CloudLink, ErrorClass, Identity, Presented, Purpose, Result};

use crate::config::AzureConfig;
use crate::session::shared::Shared;
use crate::session::{HeldToken, Session};
use crate::{entry, parent};

/// The provider's way into Azure.
pub struct AzureConnector {
    shared: Arc<Shared>,
    sessions: Sessions<AzureGrant, HeldToken>,
}

impl AzureConnector {
    /// Makes a connector. Nothing is called yet.
    ///
    /// # Errors
    /// An address is not one over TLS; the CA bundle cannot be read.
    pub fn new(config: &AzureConfig) -> Result<Self> {
        Self::with_budgets(config, Budgets::default())
    }

    /// The same under budgets that others use too.
    ///
    /// # Errors
    /// An address is not one over TLS; the CA bundle cannot be read.
    pub fn with_budgets(config: &AzureConfig, budgets: Budgets) -> Result<Self> {
        Ok(Self { shared: Arc::new(Shared::new(config, budgets)?), sessions: Sessions::default() })
    }
}

/// The grant in the form that is used everywhere inside: ids in lower case.
fn azure(grant: &AccessGrant) -> Result<AzureGrant> {
    let AccessGrant::Azure(grant) = grant else { return Err(CloudError::other_cloud()) };
    let subscription_id = grant.subscription_id.to_ascii_lowercase();
    // It becomes part of a path.
    if subscription_id.is_empty() || !subscription_id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Err(CloudError::new(ErrorClass::Invalid, "connect", format!("{subscription_id:?} is not the id of a subscription")));
    }
    Ok(AzureGrant {
        client: grant.client.clone(),
        subscription_id,
        home_tenant_id: grant.home_tenant_id.as_deref().map(str::to_ascii_lowercase),
    })
}

#[async_trait]
impl CloudConnector for AzureConnector {
    async fn base_identity(&self) -> Result<Identity> {
        Ok(self.shared.fresh_token(&self.shared.tenant_id).await?.identity)
    }

    async fn connect(&self, grant: &AccessGrant, purpose: Purpose) -> Result<Arc<dyn CloudLink>> {
        if let AccessGrant::AzureTenant(grant) = grant {
            let grant = parent::tenant(grant, &self.shared.tenant_id)?;
            return Ok(Arc::new(parent::TenantLink::open(&self.shared, grant).await?));
        }
        let grant = azure(grant)?;
        let key = (&grant, purpose);
        let open = async { Ok(HeldToken::new(self.shared.fresh_token(&grant.client).await?)) };
        // It renews itself: what is held is good for as long as the grant is.
        let held = self.sessions.get(key, |_| ready(true), open).await?;
        let session = Session::new(self.shared.clone(), grant.clone(), purpose, held.clone());
        if let Err(error) = session.prove().await {
            self.sessions.forget(key, &held).await;
            return Err(error);
        }
        Ok(Arc::new(session))
    }

    async fn attempt(&self, grant: &AccessGrant, presented: Presented) -> Result<Identity> {
        if let AccessGrant::AzureTenant(grant) = grant {
            return parent::attempt(&self.shared, &parent::tenant(grant, &self.shared.tenant_id)?, presented).await;
        }
        entry::attempt(&self.shared, &azure(grant)?, presented).await
    }
}
