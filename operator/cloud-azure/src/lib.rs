//! The cloud port on Azure. The only crate that names the Azure SDK.
//!
//! The way in is a Lighthouse delegation of each subscription to the provider's tenant. Azure has no crates for Resource Manager, so a thin
//! client on the SDK's pipeline makes the calls.

mod access;
mod addresses;
mod arm;
mod attempt;
mod discover;
mod errors;
mod link;
mod pages;
mod permissions;
mod presence;
mod query;
mod register;
mod revoke;
mod rows;
mod tenant;
mod token;

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::budget::{Budgets, Key, Limits, Work};
use caretaker_cloud::{AccessGrant, AzureGrant, CloudConnector, CloudError, CloudLink, ErrorClass, Identity, Presented, Purpose, Result};
use tokio::sync::Mutex;

use crate::arm::{Answer, Arm, Call};
use crate::link::{Link, Session};
use crate::tenant::TenantLink;
use crate::token::{Token, Tokens};

/// Queries a second that Azure grants to one principal of Resource Graph: 15 in 5 seconds.
pub const QUERIES_PER_SECOND: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
/// What is asked of Resource Manager for one subscription: its bucket fills by 25 calls a second.
const LIMITS: Limits = Limits { per_second: 25.0, burst: 50, concurrency: 4 };
/// Queries at the same time.
const QUERIES_AT_ONCE: u32 = 4;
/// Code of an answer that Resource Graph throttles a principal with; Resource Manager throttles a subscription with others.
const GRAPH_THROTTLED: &str = "RateLimiting";
/// Where Resource Graph and the token endpoint stand in a key in the place of a subscription.
const GRAPH: &str = "resource-graph";
const TOKENS: &str = "tokens";

/// How the provider proves to Azure who it is.
#[derive(Clone)]
pub enum AzureCredentials {
    /// A client secret. Never printed.
    ClientSecret(String),
    /// File of a projected token, such as a Kubernetes service account's, that the application trusts by workload identity federation. Read
    /// for each use.
    ProjectedToken(PathBuf),
}

impl fmt::Debug for AzureCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientSecret(_) => f.write_str("ClientSecret(redacted)"),
            Self::ProjectedToken(path) => f.debug_tuple("ProjectedToken").field(path).finish(),
        }
    }
}

/// How Azure is reached. [`AzureConfig::public`] fills in the addresses of the public cloud.
#[derive(Clone, Debug)]
pub struct AzureConfig {
    /// Where tokens come from, such as `https://login.microsoftonline.com`.
    pub authority_host: String,
    /// Resource Manager, such as `https://management.azure.com`.
    pub endpoint: String,
    /// Audience of the tokens, such as `https://management.azure.com`; the scope is made from it.
    pub audience: String,
    /// Further certificate authorities, PEM.
    pub ca_bundle_pem: Option<Vec<u8>>,
    /// The provider's own tenant, which manages the clients' subscriptions.
    pub tenant_id: String,
    /// Client id of the provider's application.
    pub client_id: String,
    /// Credentials of the application.
    pub credentials: AzureCredentials,
    /// Resource Graph queries a second, over all clients: Azure counts by principal.
    pub queries_per_second: NonZeroU32,
}

impl AzureConfig {
    /// The public cloud.
    #[must_use]
    pub fn public(tenant_id: impl Into<String>, client_id: impl Into<String>, credentials: AzureCredentials) -> Self {
        Self {
            authority_host: "https://login.microsoftonline.com".into(),
            endpoint: "https://management.azure.com".into(),
            audience: "https://management.azure.com".into(),
            ca_bundle_pem: None,
            tenant_id: tenant_id.into(),
            client_id: client_id.into(),
            credentials,
            queries_per_second: QUERIES_PER_SECOND,
        }
    }
}

/// What all sessions of one provider share.
pub(crate) struct Shared {
    pub arm: Arm,
    pub tokens: Tokens,
    /// Our own tenant, in lower case.
    pub tenant_id: String,
    /// Our own application, in lower case.
    client_id: String,
    budgets: Budgets,
    queries_per_second: NonZeroU32,
}

impl Shared {
    /// Makes one call about a subscription, in its turn. While Azure has asked to wait for longer than the work has patience, none is made.
    /// Other subscriptions go on.
    pub async fn send(&self, work: &Work, (subscription, call): (&str, &Call), bearer: Option<&str>) -> Result<Answer> {
        let of_subscription = self.budgets.of(Key::azure(subscription, &self.client_id), LIMITS);
        let make = || self.arm.send(call, bearer);
        if !call.is_query() {
            return work.call(&of_subscription, call.operation, make).await;
        }
        // Resource Graph counts by principal, whatever subscription is asked about.
        let limits = Limits {
            per_second: f64::from(self.queries_per_second.get()),
            // Azure counts in windows: what is saved up would be too much for one of them.
            burst: 1,
            concurrency: QUERIES_AT_ONCE,
        };
        let of_principal = self.budgets.of(Key::azure(GRAPH, &self.client_id), limits);
        let blamed = |error: &CloudError| usize::from(error.code == GRAPH_THROTTLED);
        work.call_under(&[&of_subscription, &of_principal], call.operation, make, blamed).await
    }

    /// A token that no cache has seen.
    pub async fn fresh_token(&self, client: &str) -> Result<Token> {
        let budget = self.budgets.of(Key::azure(TOKENS, &self.client_id), LIMITS);
        Work::once(client).call(&budget, token::OPERATION, || self.tokens.fresh()).await
    }
}

/// The client that a grant's work is for, in the turns of a budget.
pub(crate) fn client(grant: &AzureGrant) -> &str {
    &grant.client
}

/// The provider's way into Azure.
pub struct AzureConnector {
    shared: Arc<Shared>,
    sessions: Mutex<HashMap<(AzureGrant, Purpose), Arc<Session>>>,
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
        let transport = arm::transport(config.ca_bundle_pem.as_deref())?;
        let shared = Shared {
            arm: Arm::new(arm::https("endpoint", &config.endpoint)?, &transport),
            tokens: Tokens::new(config, &transport)?,
            tenant_id: config.tenant_id.to_ascii_lowercase(),
            client_id: config.client_id.to_ascii_lowercase(),
            budgets,
            queries_per_second: config.queries_per_second,
        };
        Ok(Self { shared: Arc::new(shared), sessions: Mutex::default() })
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
            let grant = tenant::tenant(grant, &self.shared.tenant_id)?;
            return Ok(Arc::new(TenantLink::open(&self.shared, grant).await?));
        }
        let grant = azure(grant)?;
        let session = {
            let mut sessions = self.sessions.lock().await;
            // A changed grant drops every session made from the old one.
            sessions.retain(|(held, _), _| held.subscription_id != grant.subscription_id || *held == grant);
            sessions.get(&(grant.clone(), purpose)).cloned()
        };
        let session = match session {
            Some(session) => session,
            None => Arc::new(Session::new(self.shared.fresh_token(client(&grant)).await?)),
        };
        let link = Link::new(self.shared.clone(), grant.clone(), purpose, session.clone());
        link.prove().await?;
        self.sessions.lock().await.insert((grant, purpose), session);
        Ok(Arc::new(link))
    }

    async fn attempt(&self, grant: &AccessGrant, presented: Presented) -> Result<Identity> {
        if let AccessGrant::AzureTenant(grant) = grant {
            return tenant::attempt(&self.shared, &tenant::tenant(grant, &self.shared.tenant_id)?, presented).await;
        }
        attempt::attempt(&self.shared, &azure(grant)?, presented).await
    }
}
