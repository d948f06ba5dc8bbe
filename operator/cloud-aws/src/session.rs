//! A session in one account of a client: its role, the proof of whose it is, and the configuration and budgets that its calls are made with. It calls no
//! verb of the port: those are in files of their own and take a session.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use aws_config::identity::IdentityCache;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::types::Credentials as StsCredentials;
use caretaker_cloud::budget::{Key, Work};
use caretaker_cloud::{AwsGrant, CloudError, EVERYWHERE, ErrorClass, Identity, Purpose, Result};
use tokio::sync::RwLock;

use crate::call::{Calls, GLOBAL, INDEX_LIMITS, Renewal};
use crate::session::assume::SESSION_SECONDS;
use crate::session::narrowed::enter_for;
use crate::session::shared::Shared;

pub mod assume;
pub mod narrowed;
pub mod narrowings;
pub mod shared;
pub mod unnamed;

/// A session with less than this left is not used for new work.
const FRESH_FOR: Duration = Duration::from_secs(300);

/// An assumed role.
pub struct AssumedRole {
    credentials: Credentials,
    expires: SystemTime,
    opened: Instant,
    identity: Identity,
}

impl AssumedRole {
    /// Whether enough of it is left for new work.
    pub fn is_fresh(&self) -> bool {
        // Where this machine's clock is behind, the time of AWS's is over before ours says so: what has passed here counts as well.
        let life = Duration::from_secs(u64::from(SESSION_SECONDS.unsigned_abs()));
        self.opened.elapsed() + FRESH_FOR < life && self.expires.duration_since(SystemTime::now()).is_ok_and(|left| left > FRESH_FOR)
    }
}

/// Who the base credentials are.
pub async fn base_identity(shared: &Shared) -> Result<Identity> {
    let work = Work::once(&shared.expected_principal);
    identity_of(&shared.base, Calls::new(&work, shared.base_budget())).await.map_err(|mut error| {
        // Refused here means that our own key is wrong, which no client can cure.
        if error.class == ErrorClass::Denied {
            error.class = ErrorClass::Credentials;
        }
        error
    })
}

async fn identity_of(config: &SdkConfig, calls: Calls<'_>) -> Result<Identity> {
    let sts = aws_sdk_sts::Client::new(config);
    let answer = calls.make("sts:GetCallerIdentity", || sts.get_caller_identity().send()).await?;
    Ok(Identity { account: answer.account().unwrap_or_default().into(), principal: answer.arn().unwrap_or_default().into() })
}

/// Assumes a role and proves that it leads to the declared account, before any list call.
pub async fn open(shared: &Shared, grant: &AwsGrant, purpose: Purpose) -> Result<AssumedRole> {
    let opened = Instant::now();
    let answer = enter_for(shared, grant, purpose).await?;
    let (credentials, expires) = take(answer.credentials())?;
    let config = with_credentials(&shared.base, SharedCredentialsProvider::new(credentials.clone()), None);
    let work = Work::once(&grant.account_id);
    let identity = identity_of(&config, Calls::new(&work, shared.budget(&grant.account_id, GLOBAL))).await?;
    if identity.account != grant.account_id {
        let message = format!("the role {} leads to account {}, not {}", grant.role_arn, identity.account, grant.account_id);
        return Err(CloudError::new(ErrorClass::WrongAccount, "sts:GetCallerIdentity", message));
    }
    Ok(AssumedRole { credentials, expires, opened, identity })
}

fn take(credentials: Option<&StsCredentials>) -> Result<(Credentials, SystemTime)> {
    let credentials =
        credentials.ok_or_else(|| CloudError::new(ErrorClass::Unreachable, "sts:AssumeRole", "the answer holds no credentials"))?;
    let expires = SystemTime::try_from(*credentials.expiration())
        .map_err(|error| CloudError::new(ErrorClass::Unreachable, "sts:AssumeRole", error.to_string()))?;
    // No expiry for the SDK: it would refuse the key by this machine's clock, which may be wrong; the cloud's own word is what counts.
    let taken = Credentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key(),
        Some(credentials.session_token().to_owned()),
        None,
        "caretaker-session",
    );
    Ok((taken, expires))
}

/// The configuration with other credentials. The SDK keeps none of them: it would go on with what it has kept after the session was renewed.
fn with_credentials(base: &SdkConfig, provider: SharedCredentialsProvider, region: Option<&str>) -> SdkConfig {
    let mut builder = base.to_builder().credentials_provider(provider).identity_cache(IdentityCache::no_cache());
    if let Some(region) = region {
        builder = builder.region(Region::new(region.to_owned()));
    }
    builder.build()
}

/// The role that is held. Clients ask for its credentials at each request, so that those of a renewed role count at once.
#[derive(Clone)]
struct Held(Arc<RwLock<Arc<AssumedRole>>>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(redacted)")
    }
}

impl ProvideCredentials for Held {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { Ok(self.0.read().await.credentials.clone()) })
    }
}

/// A session in one account, renewed once it has expired.
pub struct Session {
    pub shared: Arc<Shared>,
    pub grant: AwsGrant,
    purpose: Purpose,
    held: Held,
    provider: SharedCredentialsProvider,
}

impl Session {
    /// A session of this role.
    pub fn new(shared: Arc<Shared>, grant: AwsGrant, purpose: Purpose, role: Arc<AssumedRole>) -> Self {
        let held = Held(Arc::new(RwLock::new(role)));
        Self { shared, grant, purpose, provider: SharedCredentialsProvider::new(held.clone()), held }
    }

    /// Who the session is.
    pub async fn identity(&self) -> Identity {
        self.held.0.read().await.identity.clone()
    }

    /// The SDK's configuration for a region, with the session's credentials.
    pub fn config(&self, region: Option<&str>) -> SdkConfig {
        with_credentials(&self.shared.base, self.provider.clone(), region)
    }

    /// Calls of a piece of work, in a region or in none, renewed once where the session has expired.
    pub fn calls<'a>(&'a self, work: &'a Work, region: &str) -> Calls<'a> {
        let region = if region == EVERYWHERE { GLOBAL } else { region };
        Calls::new(work, self.shared.budget(&self.grant.account_id, region)).renewed_by(self)
    }

    /// Calls of the account's Resource Explorer, which counts by itself.
    pub fn index_calls<'a>(&'a self, work: &'a Work) -> Calls<'a> {
        let key = Key::aws(&self.grant.account_id, "resource-explorer");
        Calls::new(work, self.shared.budgets.of(key, INDEX_LIMITS)).renewed_by(self)
    }

    /// The partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.grant.role_arn.split(':').nth(1).unwrap_or("aws")
    }
}

#[async_trait]
impl Renewal for Session {
    async fn key(&self) -> String {
        self.held.0.read().await.credentials.access_key_id().to_owned()
    }

    async fn renew(&self, expired: &str) -> Result<()> {
        let mut role = self.held.0.write().await;
        // Many may find it expired; only the first renews it.
        if role.credentials.access_key_id() == expired {
            *role = Arc::new(open(&self.shared, &self.grant, self.purpose).await?);
        }
        Ok(())
    }
}
