//! Tokens of the base identity.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use caretaker_cloud::{CloudError, ErrorClass, Identity, Result};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::call::http::{Call, url};
use crate::call::{Services, refused};
use crate::config::{BaseCredentials, Secret, ServiceAccountKey};
use crate::errors::Refusal;

mod jwt;

/// The scope that every call of ours can be made with.
pub const FULL_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The scope for reading projects and permissions.
pub const READ_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform.read-only";
/// A token with less than this left is not used for new work.
const FRESH_FOR: Duration = Duration::from_secs(300);
/// Difference of clocks in seconds that Google puts up with.
const TOLERATED_SKEW: i64 = 60;

/// A token and how long it lives, by a clock that nobody sets.
#[derive(Clone, Debug)]
pub struct Held {
    /// The token.
    pub token: Secret,
    until: Instant,
}

impl Held {
    /// A token that lives for so many seconds from now on.
    pub fn new(token: impl Into<String>, seconds: u64) -> Self {
        Self { token: Secret::new(token), until: Instant::now() + Duration::from_secs(seconds.min(86_400)) }
    }

    /// Whether it may be used for new work.
    pub fn is_fresh(&self) -> bool {
        self.until.saturating_duration_since(Instant::now()) > FRESH_FOR
    }
}

/// An identity of the provider's.
#[derive(Debug)]
pub struct Base {
    credentials: BaseCredentials,
    held: Mutex<Option<Held>>,
    // Seconds that Google's clock is ahead of ours.
    skew: AtomicI64,
}

impl Base {
    pub fn new(credentials: BaseCredentials) -> Self {
        Self { credentials, held: Mutex::default(), skew: AtomicI64::new(0) }
    }

    /// A token, the held one where it is fresh.
    pub async fn token(&self, services: &Services) -> Result<Secret> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.is_fresh()) {
            return Ok(held.token.clone());
        }
        let fresh = self.exchange(services).await?;
        Ok(held.insert(fresh).token.clone())
    }

    /// A token in place of one that was refused. Many may find it refused; only the first exchanges.
    pub async fn renew(&self, services: &Services, refused: &Secret) -> Result<Secret> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.token != *refused) {
            return Ok(held.token.clone());
        }
        let fresh = self.exchange(services).await?;
        Ok(held.insert(fresh).token.clone())
    }

    /// Exchanges the credentials and says who they are.
    pub async fn identity(&self, services: &Services) -> Result<Identity> {
        let fresh = self.exchange(services).await?;
        *self.held.lock().await = Some(fresh);
        Ok(Identity { account: services.provider_project.clone(), principal: self.principal().await? })
    }

    /// E-mail address of the service account, or the principal of the federated subject.
    pub async fn principal(&self) -> Result<String> {
        match &self.credentials {
            BaseCredentials::Key(key) => Ok(key.client_email.clone()),
            BaseCredentials::Federated { audience, .. } => {
                let token = self.subject_token().await?;
                let subject = jwt::claims(token.reveal()).and_then(|claims| claims["sub"].as_str().map(str::to_owned));
                let subject = subject.ok_or_else(|| fault("read the subject token", "it is no JWT with a subject"))?;
                let pool = audience.split("/providers/").next().unwrap_or_default();
                // The pool's usual mapping: google.subject is the token's subject.
                Ok(format!("principal:{pool}/subject/{subject}"))
            }
        }
    }

    async fn exchange(&self, services: &Services) -> Result<Held> {
        match &self.credentials {
            BaseCredentials::Key(key) => self.by_key(services, key).await,
            BaseCredentials::Federated { audience, .. } => {
                let subject = self.subject_token().await?;
                let request = json!({
                    "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
                    "audience": audience,
                    "scope": FULL_SCOPE,
                    "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
                    "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
                    "subjectToken": subject.reveal(),
                });
                let call = Call { json: Some(&request), ..Call::default() };
                let answer = services.exchange(("sts:token", url(&services.endpoints.sts, "/v1/token", &[])?, call), &subject).await?;
                held("sts:token", answer, services)
            }
        }
    }

    async fn by_key(&self, services: &Services, key: &ServiceAccountKey) -> Result<Held> {
        let mut corrected = false;
        loop {
            let now = Timestamp::now().as_second();
            let assertion = jwt::assertion(key, FULL_SCOPE, now + self.skew.load(Ordering::Relaxed))?;
            let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.reveal())];
            let call = Call { form: Some(&form), ..Call::default() };
            let answer = services.exchange(("oauth2:token", url(&services.endpoints.oauth2, "/token", &[])?, call), &assertion).await?;
            // An assertion from the future or the past is refused: this machine's clock may be wrong, and Google's is what counts.
            if let Err(Refusal::Answer(refused)) = &answer
                && let Some(skew) = refused.server_time.map(|time| time - now)
                && (skew - self.skew.load(Ordering::Relaxed)).abs() > TOLERATED_SKEW
                && !corrected
            {
                tracing::warn!(seconds = skew, "this machine's clock differs from Google's");
                self.skew.store(skew, Ordering::Relaxed);
                corrected = true;
                continue;
            }
            return held("oauth2:token", answer, services);
        }
    }

    async fn subject_token(&self) -> Result<Secret> {
        let BaseCredentials::Federated { token_file, .. } = &self.credentials else {
            return Err(fault("read the subject token", "a key has none"));
        };
        let text = tokio::fs::read_to_string(token_file)
            .await
            .map_err(|error| fault("read the subject token", &format!("{}: {error}", token_file.display())))?;
        Ok(Secret::new(text.trim()))
    }
}

fn fault(operation: &str, message: &str) -> CloudError {
    CloudError::new(ErrorClass::Credentials, operation, message)
}

/// The token of an answer.
fn held(operation: &str, answer: std::result::Result<Value, Refusal>, services: &Services) -> Result<Held> {
    let answer = answer.map_err(|refusal| refused(operation, &refusal, services))?;
    let token = answer["access_token"].as_str().filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| CloudError::new(ErrorClass::Unreachable, operation, "the answer holds no token"))?;
    Ok(Held::new(token, answer["expires_in"].as_u64().unwrap_or(3600)))
}
