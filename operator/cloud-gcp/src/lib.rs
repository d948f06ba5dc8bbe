//! The cloud port on Google Cloud: a thin REST client with a token exchange of its own.
//!
//! Two facts of Google's own descriptions shape it. Cloud Asset and the policies of service accounts take tokens of the whole scope
//! `cloud-platform` only, reading included; every other call of a session for reading is made with a read-only token. And a filter over
//! asset types cannot say "all but these", so the cell of the other services reads everything and passes over what the other cells show.

mod asset;
mod attempt;
mod config;
mod discover;
mod errors;
mod groups;
mod http;
mod jwt;
mod pace;
mod pages;
mod permissions;
mod register;
mod revoke;
mod session;
mod token;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::{AccessGrant, CloudConnector, CloudError, CloudLink, ErrorClass, GcpGrant, Identity, Presented, Purpose, Result};
use tokio::sync::Mutex;

pub use crate::config::{BaseCredentials, CALLS_PER_MINUTE, Endpoints, GcpConfig, Secret, ServiceAccountKey};
pub use crate::revoke::TOKEN_CREATOR;

use crate::pace::Pacer;
use crate::session::Session;
use crate::token::Base;

/// How services are reached, and who pays.
pub(crate) struct Services {
    pub http: reqwest::Client,
    pub endpoints: Endpoints,
    pub provider_project: String,
    pub quota_project: Option<String>,
    calls_per_minute: u32,
    pacers: std::sync::Mutex<HashMap<String, Arc<Pacer>>>,
}

impl Services {
    /// Waits for the turn of a client in the quota of the project that pays. The service account stands for the client: each has its own.
    pub async fn turn(&self, grant: &GcpGrant) {
        let paying = self.quota_project.as_ref().unwrap_or(&grant.project_id).clone();
        let pacer = {
            let mut pacers = self.pacers.lock().expect("no panic while held");
            pacers.entry(paying).or_insert_with(|| Pacer::per_minute(self.calls_per_minute)).clone()
        };
        pacer.turn(&grant.service_account).await;
    }
}

/// What all sessions of one provider share.
pub(crate) struct Shared {
    pub services: Services,
    pub base: Base,
    pub stranger: Option<Base>,
    expected_principal: String,
}

/// The provider's way into Google Cloud.
pub struct GcpConnector {
    shared: Arc<Shared>,
    sessions: Mutex<HashMap<(GcpGrant, Purpose), Arc<Session>>>,
    proven: Mutex<bool>,
}

impl GcpConnector {
    /// Makes a connector. Nothing is called yet.
    ///
    /// # Errors
    /// The CA bundle cannot be read.
    pub fn new(config: GcpConfig) -> Result<Self> {
        let services = Services {
            http: http::client(config.ca_bundle_pem.as_deref())?,
            endpoints: config.endpoints,
            provider_project: config.provider_project,
            quota_project: config.quota_project,
            calls_per_minute: config.calls_per_minute,
            pacers: std::sync::Mutex::default(),
        };
        let shared = Shared {
            services,
            base: Base::new(config.credentials),
            stranger: config.stranger.map(Base::new),
            expected_principal: config.expected_principal,
        };
        Ok(Self { shared: Arc::new(shared), sessions: Mutex::default(), proven: Mutex::default() })
    }

    /// Proves once that the base credentials are the declared principal's. Nobody's service account is used with others.
    async fn prove_base(&self) -> Result<()> {
        let mut proven = self.proven.lock().await;
        if !*proven {
            let principal = self.shared.base.identity(&self.shared.services).await?.principal;
            if principal != self.shared.expected_principal {
                let message = format!("the base credentials are {principal}, not {}", self.shared.expected_principal);
                return Err(CloudError::new(ErrorClass::Credentials, "base identity", message));
            }
            *proven = true;
        }
        Ok(())
    }
}

#[async_trait]
impl CloudConnector for GcpConnector {
    async fn base_identity(&self) -> Result<Identity> {
        self.shared.base.identity(&self.shared.services).await
    }

    async fn connect(&self, grant: &AccessGrant, purpose: Purpose) -> Result<Arc<dyn CloudLink>> {
        let AccessGrant::Gcp(grant) = grant else { return Err(CloudError::other_cloud()) };
        session::check_grant(&self.shared, grant).await?;
        self.prove_base().await?;
        let key = (grant.clone(), purpose);
        {
            let mut sessions = self.sessions.lock().await;
            // A changed grant drops every session made from the old one.
            sessions.retain(|(held, _), _| held.project_id != grant.project_id || held == grant);
            if let Some(held) = sessions.get(&key).cloned() {
                if held.is_fresh().await {
                    return Ok(held);
                }
                sessions.remove(&key);
            }
        }
        // Not under the lock: a client that does not answer must not stop the others.
        let session = Arc::new(Session::open(self.shared.clone(), grant.clone(), purpose).await?);
        self.sessions.lock().await.insert(key, session.clone());
        Ok(session)
    }

    async fn attempt(&self, grant: &AccessGrant, presented: Presented) -> Result<Identity> {
        let AccessGrant::Gcp(grant) = grant else { return Err(CloudError::other_cloud()) };
        session::check_grant(&self.shared, grant).await?;
        self.prove_base().await?;
        attempt::attempt(&self.shared, grant, presented).await
    }
}
