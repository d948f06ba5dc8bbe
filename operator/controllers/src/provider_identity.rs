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
    /// Whether the clients' roles are to take session tags of the base credentials.
    pub allows_tags: bool,
    /// Keys; without them the process environment's own credentials.
    pub keys: Option<AwsKeys>,
}

/// A secret text from a Secret. Never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretText(pub String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

/// The provider on Azure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AzureIdentity {
    /// The provider's own tenant.
    pub tenant_id: String,
    /// Client id of the application.
    pub client_id: String,
    /// The application's secret; without it the pod's own token.
    pub client_secret: Option<SecretText>,
}

/// The provider on Google Cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GcpIdentity {
    /// The provider's own project.
    pub project_id: String,
    /// The principal that the base credentials must be.
    pub principal: String,
    /// Project whose quota pays.
    pub quota_project: Option<String>,
    /// A service account's key in JSON; without it the pod's own token, exchanged for `audience`.
    pub key: Option<SecretText>,
    /// Audience of the workload identity pool's provider.
    pub audience: Option<String>,
}

/// Makes connectors. The binary implements it with the SDKs, tests with the fake; implementations keep a connector for as long as the
/// identity stays the same, so that budgets and sessions are shared.
#[async_trait]
pub trait Clouds: Send + Sync {
    /// The connector for a provider on AWS.
    async fn aws(&self, identity: &AwsIdentity) -> caretaker_cloud::Result<Arc<dyn CloudConnector>>;
    /// The connector for a provider on Azure.
    async fn azure(&self, identity: &AzureIdentity) -> caretaker_cloud::Result<Arc<dyn CloudConnector>>;
    /// The connector for a provider on Google Cloud.
    async fn gcp(&self, identity: &GcpIdentity) -> caretaker_cloud::Result<Arc<dyn CloudConnector>>;
}
