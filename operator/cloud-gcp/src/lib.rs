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
mod history;
mod http;
mod jwt;
mod members;
mod os_inventory;
mod pages;
mod permissions;
mod presence;
mod register;
mod revoke;
mod session;
mod token;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::budget::{Budget, Budgets, Key, Limits, Work};
use caretaker_cloud::{AccessGrant, CloudConnector, CloudError, CloudLink, ErrorClass, GcpGrant, Identity, Presented, Purpose, Result};
use reqwest::Url;
use serde_json::Value;
use tokio::sync::Mutex;

pub use crate::config::{BaseCredentials, CALLS_PER_MINUTE, Endpoints, GcpConfig, Secret, ServiceAccountKey};
pub use crate::revoke::TOKEN_CREATOR;

use crate::errors::{Parties, Refusal, classify};
use crate::http::Call;
use crate::session::Session;
use crate::token::Base;

/// Calls at the same time under one paying project and service.
const CALLS_AT_ONCE: u32 = 16;
/// Calls that start at once: a steady pace, and one that is late is made up for.
const BURST: u32 = 2;

/// Tokens of all accounts together: half of what Google gives one project of exchanges (6,000 a minute), and far less than of impersonations (60,000), so
/// that many accounts do not wait for one another at the start of a reading.
const TOKENS: Limits = Limits { per_second: 50.0, burst: 20, concurrency: CALLS_AT_ONCE };

/// How services are reached, and who pays.
pub(crate) struct Services {
    pub http: reqwest::Client,
    pub endpoints: Endpoints,
    pub provider_project: String,
    pub quota_project: Option<String>,
    calls_per_minute: u32,
    budgets: Budgets,
}

impl Services {
    /// The budget of a project that pays; Google counts for each of its services, which `operation` begins with.
    pub fn budget(&self, project: &str, operation: &str) -> Budget {
        // The record of deletions has a quota of its own, beside that of the search.
        let (service, per_minute) = match operation {
            history::HISTORY => (operation, self.calls_per_minute.min(history::PER_MINUTE)),
            _ => (operation.split(':').next().unwrap_or_default(), self.calls_per_minute),
        };
        let limits = Limits { per_second: f64::from(per_minute) / 60.0, burst: BURST, concurrency: CALLS_AT_ONCE };
        self.budgets.of(Key::gcp(project, service), limits)
    }

    /// The budget of tokens, which our own project pays for whoever's account they lead into.
    pub fn token_budget(&self, operation: &str) -> Budget {
        let service = operation.split(':').next().unwrap_or_default();
        self.budgets.of(Key::gcp(&self.provider_project, service), TOKENS)
    }

    /// The project that pays for calls under a client's token: where none is named, the one that holds the service account, whatever project is read.
    pub fn paying(&self, grant: &GcpGrant) -> String {
        self.quota_project.clone().unwrap_or_else(|| Self::home(grant))
    }

    /// The project that holds a client's service account, and pays where nobody else does.
    fn home(grant: &GcpGrant) -> String {
        session::home_of(&grant.service_account).unwrap_or_else(|| grant.project_id.clone())
    }

    /// Makes a call in its turn, as part of a piece of work.
    pub async fn call(
        &self,
        work: &Work,
        budget: &Budget,
        (operation, url, call): (&str, Url, Call<'_>),
        parties: &Parties,
    ) -> Result<Value> {
        let make = || async { http::send(&self.http, url.clone(), call).await.map_err(|refusal| classify(operation, &refusal, parties)) };
        work.call(budget, operation, make).await
    }

    /// Makes a call to a token service in its turn. What was refused is told as it is, but for what was presented.
    pub async fn exchange(
        &self,
        (operation, url, call): (&str, Url, Call<'_>),
        presented: &Secret,
    ) -> Result<std::result::Result<Value, Refusal>> {
        let make = || async {
            let answer = http::send(&self.http, url.clone(), call).await.map_err(|refusal| token::without(refusal, presented));
            match &answer {
                Err(refusal) => match token::refused(operation, refusal, self) {
                    error if matches!(error.class, ErrorClass::Throttled(_)) => Err(error),
                    _ => Ok(answer),
                },
                Ok(_) => Ok(answer),
            }
        };
        Work::once(&self.provider_project).call(&self.token_budget(operation), operation, make).await
    }
}

/// What all sessions of one provider share.
pub(crate) struct Shared {
    pub services: Services,
    pub base: Base,
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
        Self::with_budgets(config, Budgets::default())
    }

    /// The same under budgets that others use too.
    ///
    /// # Errors
    /// The CA bundle cannot be read.
    pub fn with_budgets(config: GcpConfig, budgets: Budgets) -> Result<Self> {
        let services = Services {
            http: http::client(config.ca_bundle_pem.as_deref())?,
            endpoints: config.endpoints,
            provider_project: config.provider_project,
            quota_project: config.quota_project,
            calls_per_minute: config.calls_per_minute,
            budgets,
        };
        let shared = Shared { services, base: Base::new(config.credentials), expected_principal: config.expected_principal };
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
        if let AccessGrant::GcpFolder(grant) = grant {
            session::check_grant(&self.shared, &members::way(grant)?).await?;
            self.prove_base().await?;
            return Ok(Arc::new(members::open(self.shared.clone(), grant, purpose).await?));
        }
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
        if let AccessGrant::GcpFolder(grant) = grant {
            session::check_grant(&self.shared, &members::way(grant)?).await?;
            self.prove_base().await?;
            return members::attempt(&self.shared, grant, presented).await;
        }
        let AccessGrant::Gcp(grant) = grant else { return Err(CloudError::other_cloud()) };
        session::check_grant(&self.shared, grant).await?;
        self.prove_base().await?;
        attempt::attempt(&self.shared, grant, presented).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_the_service_account_pays_unless_another_is_named() {
        let services = |quota_project: Option<&str>| Services {
            http: http::client(None).expect("a client"),
            endpoints: Endpoints::default(),
            provider_project: "provider".into(),
            quota_project: quota_project.map(str::to_owned),
            calls_per_minute: CALLS_PER_MINUTE,
            budgets: Budgets::default(),
        };
        let of = |account: &str| GcpGrant { client: "acme".into(), project_id: "member".into(), service_account: account.into() };
        let shared = of("caretaker@seed.iam.gserviceaccount.com");
        assert_eq!(services(None).paying(&shared), "seed", "one budget for all projects of a folder");
        assert_eq!(services(Some("quota")).paying(&shared), "quota");
        assert_eq!(services(None).paying(&of("caretaker@elsewhere.example")), "member");
    }
}
