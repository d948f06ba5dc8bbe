//! The provider's way into Google Cloud: its base identity, and the sessions that are made with it.

use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::budget::Budgets;
use caretaker_cloud::runtime::Sessions;
use caretaker_cloud::{AccessGrant, CloudConnector, CloudError, CloudLink, GcpGrant, Identity, Presented, Purpose, Result};

use crate::config::GcpConfig;
use crate::session::shared::Shared;
use crate::session::{self, Session};
use crate::{entry, parent};

/// The provider's way into Google Cloud.
pub struct GcpConnector {
    shared: Arc<Shared>,
    sessions: Sessions<GcpGrant, Session>,
}

impl GcpConnector {
    /// Makes a connector. Nothing is called yet.
    ///
    /// # Errors
    /// The CA bundle cannot be read.
    pub fn new(config: GcpConfig) -> Result<Self> {
        Self::with_budgets(config, Budgets::default())
    }

    /// The same under budgets that others use too.
    ///
    /// # Errors
    /// The CA bundle cannot be read.
    pub fn with_budgets(config: GcpConfig, budgets: Budgets) -> Result<Self> {
        Ok(Self { shared: Arc::new(Shared::new(config, budgets)?), sessions: Sessions::default() })
    }
}

#[async_trait]
impl CloudConnector for GcpConnector {
    async fn base_identity(&self) -> Result<Identity> {
        self.shared.base.identity(&self.shared.services).await
    }

    async fn connect(&self, grant: &AccessGrant, purpose: Purpose) -> Result<Arc<dyn CloudLink>> {
        if let AccessGrant::GcpFolder(grant) = grant {
            session::check_grant(&self.shared, &parent::way(grant)?).await?;
            self.shared.prove_base().await?;
            return Ok(Arc::new(parent::open(self.shared.clone(), grant, purpose).await?));
        }
        let AccessGrant::Gcp(grant) = grant else { return Err(CloudError::other_cloud()) };
        session::check_grant(&self.shared, grant).await?;
        self.shared.prove_base().await?;
        let open = Session::open(self.shared.clone(), grant.clone(), purpose);
        Ok(self.sessions.get((grant, purpose), |session| async move { session.is_fresh().await }, open).await?)
    }

    async fn attempt(&self, grant: &AccessGrant, presented: Presented) -> Result<Identity> {
        if let AccessGrant::GcpFolder(grant) = grant {
            session::check_grant(&self.shared, &parent::way(grant)?).await?;
            self.shared.prove_base().await?;
            return parent::attempt(&self.shared, grant, presented).await;
        }
        let AccessGrant::Gcp(grant) = grant else { return Err(CloudError::other_cloud()) };
        session::check_grant(&self.shared, grant).await?;
        self.shared.prove_base().await?;
        entry::attempt(&self.shared, grant, presented).await
    }
}
