//! The ways into clouds, by provider profile.

use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::CloudConnector;

/// Base credentials for AWS as they stand in a Secret. Never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AwsKeys {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token, where the key is temporary.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AwsKeys(redacted)")
    }
}

/// The provider on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsIdentity {
    /// ARN that the base credentials must be.
    pub principal_arn: String,
    /// Region of the STS endpoint.
    pub region: String,
    /// Keys; without them the process environment's own credentials.
    pub keys: Option<AwsKeys>,
}

/// Makes connectors. The binary implements it with the SDKs, tests with the fake; implementations keep a connector for as long as the
/// identity stays the same, so that budgets and sessions are shared.
#[async_trait]
pub trait Clouds: Send + Sync {
    /// The connector for a provider on AWS.
    async fn aws(&self, identity: &AwsIdentity) -> caretaker_cloud::Result<Arc<dyn CloudConnector>>;
}
