//! How Google Cloud is reached, and as whom.

use std::fmt;
use std::path::PathBuf;

use caretaker_cloud::{CloudError, ErrorClass, Result};
use serde::Deserialize;

/// A secret text: never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Base URL of each service, without a slash at the end. Others than Google's own serve private endpoints and simulators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Exchange of a signed assertion for a token.
    pub oauth2: String,
    /// Exchange of a federated token.
    pub sts: String,
    /// Tokens of other service accounts.
    pub iam_credentials: String,
    /// Service accounts and their policies.
    pub iam: String,
    /// Projects.
    pub resource_manager: String,
    /// The inventory.
    pub cloud_asset: String,
    /// All further services, each at a path of its name, such as `BASE/compute`. Without it each is at its own address of Google's.
    pub services: Option<String>,
}

impl Default for Endpoints {
    fn default() -> Self {
        let of = |service: &str| format!("https://{service}.googleapis.com");
        Self {
            oauth2: of("oauth2"),
            sts: of("sts"),
            iam_credentials: of("iamcredentials"),
            iam: of("iam"),
            resource_manager: of("cloudresourcemanager"),
            cloud_asset: of("cloudasset"),
            services: None,
        }
    }
}

impl Endpoints {
    /// One base URL for all services. The further ones, some of whose paths are the same, are under `/at/`.
    #[must_use]
    pub fn all_at(url: &str) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self {
            oauth2: url.clone(),
            sts: url.clone(),
            iam_credentials: url.clone(),
            iam: url.clone(),
            resource_manager: url.clone(),
            cloud_asset: url.clone(),
            services: Some(format!("{url}/at")),
        }
    }

    /// Base URL of a further service, such as `compute`.
    #[must_use]
    pub fn service(&self, name: &str) -> String {
        self.services.as_ref().map_or_else(|| format!("https://{name}.googleapis.com"), |base| format!("{base}/{name}"))
    }
}

/// A service account's key, as Google hands it out.
#[derive(Clone, Debug, Deserialize)]
pub struct ServiceAccountKey {
    /// E-mail address of the service account.
    pub client_email: String,
    /// Id of the key.
    pub private_key_id: String,
    /// The key, PKCS #8 in PEM.
    pub private_key: Secret,
    /// Whom the assertion is for.
    #[serde(default = "token_uri")]
    pub token_uri: String,
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".into()
}

impl ServiceAccountKey {
    /// Reads the JSON that Google hands out.
    ///
    /// # Errors
    /// It is not the key of a service account. The message never repeats a part of the text.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            // serde's own message may quote the text.
            let place = format!("line {}, column {}", error.line(), error.column());
            CloudError::new(ErrorClass::Credentials, "read the service account's key", format!("not a key in JSON ({place})"))
        })
    }
}

/// Who we are.
#[derive(Clone, Debug)]
pub enum BaseCredentials {
    /// A service account's key.
    Key(ServiceAccountKey),
    /// A token of another issuer, such as the pod's own, exchanged at a workload identity pool.
    Federated {
        /// File with the token. Read anew for each exchange, since it is rotated.
        token_file: PathBuf,
        /// `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.
        audience: String,
    },
}

/// How Google Cloud is reached.
#[derive(Clone, Debug)]
pub struct GcpConfig {
    /// Where the services are.
    pub endpoints: Endpoints,
    /// Further certificate authorities, PEM.
    pub ca_bundle_pem: Option<Vec<u8>>,
    /// Id of the provider's own project. It is never read as a client's.
    pub provider_project: String,
    /// Id of the provider's project whose quota pays for the calls under clients' tokens, and whose APIs must be on. A client's service
    /// account needs `serviceusage.services.use` there. Without it each client's own project pays.
    pub quota_project: Option<String>,
    /// Who we are.
    pub credentials: BaseCredentials,
    /// The principal that the base credentials must be, in the words of [`caretaker_cloud::Identity::principal`]; nothing is done with
    /// others.
    pub expected_principal: String,
    /// Calls to Cloud Asset in a minute that one paying project is asked for at most.
    pub calls_per_minute: u32,
}

/// Google's quota is 400 calls a minute and project; a part is left to others.
pub const CALLS_PER_MINUTE: u32 = 360;
