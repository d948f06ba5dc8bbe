//! How Azure is reached, and as whom.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;

/// Queries a second that Azure grants to one principal of Resource Graph: 15 in 5 seconds.
pub const QUERIES_PER_SECOND: NonZeroU32 = NonZeroU32::new(3).expect("not zero");

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
