//! How AWS is reached, and as whom.

use std::fmt;

/// Where the base credentials come from.
#[derive(Clone)]
pub enum BaseCredentials {
    /// A fixed key. Never printed.
    Static {
        /// Access key id.
        access_key_id: String,
        /// Secret access key.
        secret_access_key: String,
        /// Session token, where the key is temporary.
        session_token: Option<String>,
    },
    /// The process environment: web identity, container or instance role.
    Environment,
}

impl fmt::Debug for BaseCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Static { .. } => "Static(redacted)",
            Self::Environment => "Environment",
        })
    }
}

/// How AWS is reached.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// Region of the base identity's STS endpoint.
    pub region: String,
    /// Endpoint of all services, for private endpoints and emulators.
    pub endpoint_url: Option<String>,
    /// Further certificate authorities, PEM.
    pub ca_bundle_pem: Option<Vec<u8>>,
    /// Base credentials.
    pub credentials: BaseCredentials,
    /// ARN that the base credentials must be; nothing is assumed with others.
    pub expected_principal: String,
    /// Whether the clients' roles are to take session tags of the base credentials. A refusal of tags is the provider's fault where they are not.
    pub allows_tags: bool,
}
