//! The provider's way into AWS: the base credentials, and the sessions that are made with them.

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use caretaker_cloud::budget::Budgets;
use caretaker_cloud::runtime::Sessions;
use caretaker_cloud::{AccessGrant, AwsGrant, CloudConnector, CloudError, CloudLink, ErrorClass, Identity, Presented, Purpose, Result};
use tokio::sync::Mutex;

use crate::config::{AwsConfig, BaseCredentials};
use crate::entry;
use crate::proxies::ThroughProxies;
use crate::session::narrowings::Narrowings;
use crate::session::shared::Shared;
use crate::session::unnamed::Unnamed;
use crate::session::{self, AssumedRole, Session};
use crate::xml_integrity::WholeAnswers;

/// Longest time of one call, retries included.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a proof of the base identity holds: as long as a ProviderProfile waits between two.
const PROOF_HOLDS: Duration = Duration::from_secs(600);

/// The provider's way into AWS.
pub struct AwsConnector {
    shared: Arc<Shared>,
    sessions: Sessions<AwsGrant, AssumedRole>,
    proven: Mutex<Option<Instant>>,
}

impl AwsConnector {
    /// Makes a connector. Nothing is called yet.
    ///
    /// # Errors
    /// The CA bundle cannot be read.
    pub async fn new(config: AwsConfig) -> Result<Self> {
        Self::with_budgets(config, Budgets::default()).await
    }

    /// The same under budgets that others use too.
    ///
    /// # Errors
    /// The CA bundle cannot be read.
    pub async fn with_budgets(config: AwsConfig, budgets: Budgets) -> Result<Self> {
        let mut trust = TrustStore::empty().with_native_roots(true);
        if let Some(pem) = config.ca_bundle_pem {
            trust = trust.with_pem_certificate(pem);
        }
        let context = TlsContext::builder()
            .with_trust_store(trust)
            .build()
            .map_err(|error| CloudError::new(ErrorClass::Credentials, "read the CA bundle", error.to_string()))?;
        let http = ThroughProxies::new(tls::Provider::Rustls(CryptoMode::AwsLc), context);
        let timeouts = TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).connect_timeout(CONNECT_TIMEOUT).build();
        // One throttle model decides, in core: the SDK repeats a broken connection once and no more.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(config.region))
            .http_client(WholeAnswers(SharedHttpClient::new(http)))
            .app_name(aws_config::AppName::new("caretaker").expect("a word is a valid name"))
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled());
        if let Some(url) = config.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let BaseCredentials::Static { access_key_id, secret_access_key, session_token } = config.credentials {
            loader = loader.credentials_provider(Credentials::new(access_key_id, secret_access_key, session_token, None, "caretaker-base"));
        }
        let shared = Shared {
            base: loader.load().await,
            expected_principal: config.expected_principal,
            budgets,
            unnamed: Unnamed::default(),
            allows_tags: config.allows_tags,
            narrowings: Narrowings::default(),
        };
        Ok(Self { shared: Arc::new(shared), sessions: Sessions::default(), proven: Mutex::default() })
    }

    /// Proves that the base credentials are the declared principal's: those of the environment can become another's while the process runs. Nobody's role is
    /// assumed with others.
    async fn prove_base(&self) -> Result<()> {
        let mut proven = self.proven.lock().await;
        if proven.is_none_or(|at| at.elapsed() > PROOF_HOLDS) {
            *proven = None;
            let identity = session::base_identity(&self.shared).await?;
            if !caretaker_cloud::is_principal(&identity.principal, &self.shared.expected_principal) {
                let message = format!("the base credentials are {}, not {}", identity.principal, self.shared.expected_principal);
                return Err(CloudError::new(ErrorClass::Credentials, "sts:GetCallerIdentity", message));
            }
            *proven = Some(Instant::now());
        }
        Ok(())
    }
}

#[async_trait]
impl CloudConnector for AwsConnector {
    async fn base_identity(&self) -> Result<Identity> {
        session::base_identity(&self.shared).await
    }

    async fn connect(&self, grant: &AccessGrant, purpose: Purpose) -> Result<Arc<dyn CloudLink>> {
        let AccessGrant::Aws(grant) = grant else { return Err(CloudError::other_cloud()) };
        self.prove_base().await?;
        let open = session::open(&self.shared, grant, purpose);
        let role = self.sessions.get((grant, purpose), |role| ready(role.is_fresh()), open).await?;
        Ok(Arc::new(Session::new(self.shared.clone(), grant.clone(), purpose, role)))
    }

    async fn attempt(&self, grant: &AccessGrant, presented: Presented) -> Result<Identity> {
        let AccessGrant::Aws(grant) = grant else { return Err(CloudError::other_cloud()) };
        self.prove_base().await?;
        entry::attempt(&self.shared, grant, presented).await
    }
}
