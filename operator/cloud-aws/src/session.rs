//! Sessions: the assumption of a client's role, and the proof of whose session it is.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::types::Credentials as StsCredentials;
use caretaker_cloud::budget::{Budget, Key, Work};
use caretaker_cloud::manifest::aws_actions;
use caretaker_cloud::{
    Asset, AssetSink, AwsGrant, AwsType, CloudError, CloudLink, CloudStep, EVERYWHERE, ErrorClass, ExcessReport, Identity, Member,
    PermissionGap, Presence, ProtectionState, Purpose, Receipt, Register, Result, Scope, WantedPermission,
};
use serde_json::json;
use tokio::sync::RwLock;

use crate::assume::{SESSION_SECONDS, enter};
use crate::calls::{Calls, GLOBAL};
use crate::{Shared, backup, discover, explored, members, others, permissions, policies, register, revoke};

/// A session with less than this left is not used for new work.
const FRESH_FOR: Duration = Duration::from_secs(300);

/// An assumed role.
pub struct Session {
    pub credentials: Credentials,
    expires: SystemTime,
    opened: Instant,
    identity: Identity,
}

impl Session {
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
pub async fn open(shared: &Shared, grant: &AwsGrant, purpose: Purpose) -> Result<Session> {
    let opened = Instant::now();
    let answer = enter(shared, grant, Some(&policy_for(purpose))).await?;
    let (credentials, expires) = take(answer.credentials())?;
    let config = with_credentials(&shared.base, &credentials, None);
    let work = Work::once(&grant.account_id);
    let identity = identity_of(&config, Calls::new(&work, shared.budget(&grant.account_id, GLOBAL))).await?;
    if identity.account != grant.account_id {
        let message = format!("the role {} leads to account {}, not {}", grant.role_arn, identity.account, grant.account_id);
        return Err(CloudError::new(ErrorClass::WrongAccount, "sts:GetCallerIdentity", message));
    }
    Ok(Session { credentials, expires, opened, identity })
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

/// The session policy: the role's permissions cut down to what the purpose needs.
fn policy_for(purpose: Purpose) -> String {
    let purposes: &[Purpose] = match purpose {
        Purpose::Backup => &[Purpose::Read, Purpose::Backup],
        Purpose::Read => &[Purpose::Read],
        Purpose::Revoke => &[Purpose::Revoke],
        Purpose::Members => &[Purpose::Members],
    };
    let actions: Vec<&str> = purposes.iter().flat_map(|purpose| aws_actions(*purpose)).map(|action| action.name).collect();
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}).to_string()
}

fn with_credentials(base: &SdkConfig, credentials: &Credentials, region: Option<&str>) -> SdkConfig {
    let mut builder = base.to_builder().credentials_provider(SharedCredentialsProvider::new(credentials.clone()));
    if let Some(region) = region {
        builder = builder.region(Region::new(region.to_owned()));
    }
    builder.build()
}

/// A session in one account, renewed once it has expired.
pub struct Link {
    pub shared: Arc<Shared>,
    pub grant: AwsGrant,
    purpose: Purpose,
    session: RwLock<Arc<Session>>,
}

impl Link {
    pub fn new(shared: Arc<Shared>, grant: AwsGrant, purpose: Purpose, session: Arc<Session>) -> Self {
        Self { shared, grant, purpose, session: RwLock::new(session) }
    }

    /// The SDK's configuration for a region, with the session's credentials.
    pub async fn config(&self, region: Option<&str>) -> SdkConfig {
        with_credentials(&self.shared.base, &self.session.read().await.credentials, region)
    }

    /// The budget of the account in a region.
    pub fn budget(&self, region: &str) -> Budget {
        self.shared.budget(&self.grant.account_id, if region == EVERYWHERE { GLOBAL } else { region })
    }

    /// The budget of the account's Resource Explorer, which counts by itself.
    pub fn index_budget(&self) -> Budget {
        self.shared.budgets.of(Key::aws(&self.grant.account_id, "resource-explorer"), others::LIMITS)
    }

    /// The key of the session in use: tells whether somebody else has renewed it meanwhile.
    pub async fn session_key(&self) -> String {
        self.session.read().await.credentials.access_key_id().to_owned()
    }

    /// Opens a new session in place of the one with this key. Many cells may find it expired; only the first renews it.
    pub async fn renew(&self, expired: &str) -> Result<()> {
        let mut session = self.session.write().await;
        if session.credentials.access_key_id() == expired {
            *session = Arc::new(open(&self.shared, &self.grant, self.purpose).await?);
        }
        Ok(())
    }
}

#[async_trait]
impl CloudLink for Link {
    async fn identity(&self) -> Result<Identity> {
        Ok(self.session.read().await.identity.clone())
    }

    async fn permissions(&self, wanted: &[WantedPermission]) -> Result<PermissionGap> {
        permissions::missing(self, wanted).await
    }

    async fn excess(&self, wanted: &[WantedPermission]) -> Result<ExcessReport> {
        policies::excess(self, wanted).await
    }

    async fn ways_in(&self) -> Result<Register> {
        register::ways_in(self).await
    }

    async fn discover(&self, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
        discover::discover(self, scope, sink).await
    }

    fn reads_an_index(&self, service: &str) -> bool {
        AwsType::of_service(service).is_some_and(AwsType::is_of_an_index)
    }

    async fn exists(&self, asset: &Asset) -> Result<Presence> {
        // What a service's own list lacks is gone, and so is what is listed from the index no more since it passes. How to ask the service of what only the
        // index shows is not known.
        let is_indexed = self.reads_an_index(&asset.service) && !explored::passes(&asset.native_type, &asset.id);
        Ok(if is_indexed { Presence::Unknown } else { Presence::Gone })
    }

    async fn protection(&self, regions: &[String], prefix: &str) -> Result<ProtectionState> {
        backup::read(self, regions, prefix).await
    }

    async fn members(&self) -> Result<Vec<Member>> {
        members::list(self).await
    }

    async fn perform(&self, key: &str, step: &CloudStep) -> Result<Receipt> {
        match step {
            CloudStep::CloseOwnRole { role } => revoke::close(self, role).await,
            CloudStep::StripOwnRole { role, last } => revoke::strip(self, role, last).await,
            CloudStep::DropLastPolicy { role, last } => revoke::drop_last(self, role, last).await,
            other => backup::perform(self, key, other).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_policies_fit_what_sts_takes() {
        for purpose in [Purpose::Read, Purpose::Backup, Purpose::Revoke, Purpose::Members] {
            assert!(policy_for(purpose).len() <= 2048, "{purpose:?}");
        }
    }
}
