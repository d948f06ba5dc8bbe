//! Connectors made with the SDKs, one for each identity, kept for as long as it stays the same.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::budget::Budgets;
use caretaker_cloud::{CloudConnector, CloudError, ErrorClass, Result};
use caretaker_cloud_aws::{AwsConfig, AwsConnector, BaseCredentials};
use caretaker_cloud_azure::{AzureConfig, AzureConnector, AzureCredentials};
use caretaker_cloud_gcp::{BaseCredentials as GcpCredentials, CALLS_PER_MINUTE, Endpoints, GcpConfig, GcpConnector, ServiceAccountKey};
use caretaker_controllers::counted_link::CountedConnector;
use caretaker_controllers::provider_identity::{AwsIdentity, AwsKeys, AzureIdentity, GcpIdentity};
use caretaker_engine::write_gate::Writes;
use tokio::sync::Mutex;

/// How the clouds are reached in this installation.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Endpoint of all AWS services, for private endpoints and emulators.
    pub aws_endpoint: Option<String>,
    /// Where Azure's tokens come from, for sovereign clouds and simulators.
    pub azure_authority: Option<String>,
    /// Azure's Resource Manager, likewise.
    pub azure_endpoint: Option<String>,
    /// Audience of Azure's tokens, likewise.
    pub azure_audience: Option<String>,
    /// File of the pod's own token for Azure.
    pub azure_token_file: Option<PathBuf>,
    /// One base URL for all services of Google Cloud, for private endpoints and simulators.
    pub gcp_endpoint: Option<String>,
    /// File of the pod's own token for Google Cloud.
    pub gcp_token_file: Option<PathBuf>,
    /// File with further certificate authorities, PEM.
    pub ca_bundle: Option<PathBuf>,
}

impl Reach {
    /// Refuses an address that tokens and keys would go to in clear, and says loudly which clouds are elsewhere than usual.
    pub fn check(&self, may_be_insecure: bool) -> anyhow::Result<()> {
        let overridden = [
            ("CARETAKER_AWS_ENDPOINT_URL", &self.aws_endpoint),
            ("CARETAKER_AZURE_AUTHORITY_HOST", &self.azure_authority),
            ("CARETAKER_AZURE_ENDPOINT_URL", &self.azure_endpoint),
            ("CARETAKER_GCP_ENDPOINT_URL", &self.gcp_endpoint),
        ];
        for (name, url) in overridden.into_iter().filter_map(|(name, url)| Some((name, url.as_deref()?))) {
            let is_secure = url.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"));
            anyhow::ensure!(
                is_secure || may_be_insecure,
                "{name} does not begin with https://: tokens and keys would go over the network in clear. Give an address with https, or, for an emulator on \
                 this machine, set CARETAKER_INSECURE_ENDPOINTS=true"
            );
            tracing::warn!(name, insecure = !is_secure, "a cloud is asked at an address that was set here");
        }
        Ok(())
    }
}

type Held<I> = Mutex<HashMap<I, Arc<dyn CloudConnector>>>;

/// The connectors.
pub struct SdkClouds {
    reach: Reach,
    writes: Writes,
    budgets: Budgets,
    aws: Held<AwsIdentity>,
    azure: Held<AzureIdentity>,
    gcp: Held<GcpIdentity>,
}

impl SdkClouds {
    /// No connector is made yet.
    pub fn new(reach: Reach, writes: Writes, budgets: Budgets) -> Self {
        Self { reach, writes, budgets, aws: Held::default(), azure: Held::default(), gcp: Held::default() }
    }

    fn ca_bundle(&self) -> Result<Option<Vec<u8>>> {
        self.reach.ca_bundle.as_deref().map(read).transpose()
    }

    fn counted(&self, inner: impl CloudConnector + 'static) -> Arc<dyn CloudConnector> {
        Arc::new(CountedConnector { inner: Arc::new(inner), writes: self.writes.clone() })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| CloudError::new(ErrorClass::Credentials, "read the CA bundle", format!("{}: {error}", path.display())))
}

/// Keeps a connector. A principal whose key was changed has one connector: the old key's sessions go with it.
fn keep<I: Hash + Eq + Clone>(
    held: &mut HashMap<I, Arc<dyn CloudConnector>>,
    identity: &I,
    same: impl Fn(&I) -> bool,
    connector: &Arc<dyn CloudConnector>,
) {
    held.retain(|other, _| !same(other));
    held.insert(identity.clone(), connector.clone());
}

#[async_trait]
impl caretaker_controllers::Clouds for SdkClouds {
    async fn aws(&self, identity: &AwsIdentity) -> Result<Arc<dyn CloudConnector>> {
        // Held to the end: two visits at once must not make two connectors, with sessions each.
        let mut held = self.aws.lock().await;
        if let Some(connector) = held.get(identity) {
            return Ok(connector.clone());
        }
        let config = AwsConfig {
            region: identity.region.clone(),
            endpoint_url: self.reach.aws_endpoint.clone(),
            ca_bundle_pem: self.ca_bundle()?,
            credentials: credentials(identity.keys.as_ref()),
            expected_principal: identity.principal_arn.clone(),
            allows_tags: identity.allows_tags,
        };
        let connector = self.counted(AwsConnector::with_budgets(config, self.budgets.clone()).await?);
        keep(&mut held, identity, |other| other.principal_arn == identity.principal_arn, &connector);
        Ok(connector)
    }

    async fn azure(&self, identity: &AzureIdentity) -> Result<Arc<dyn CloudConnector>> {
        // Held to the end: two visits at once must not make two connectors, with sessions each.
        let mut held = self.azure.lock().await;
        if let Some(connector) = held.get(identity) {
            return Ok(connector.clone());
        }
        let credentials = match (&identity.client_secret, &self.reach.azure_token_file) {
            (Some(secret), _) => AzureCredentials::ClientSecret(secret.0.clone()),
            (None, Some(file)) => AzureCredentials::ProjectedToken(file.clone()),
            (None, None) => {
                let message =
                    "neither a Secret nor a projected token: name spec.azure.credentials.secretName, or set AZURE_FEDERATED_TOKEN_FILE";
                return Err(CloudError::new(ErrorClass::Credentials, "sign in to Azure", message));
            }
        };
        let mut config = AzureConfig::public(&identity.tenant_id, &identity.client_id, credentials);
        config.ca_bundle_pem = self.ca_bundle()?;
        if let Some(authority) = &self.reach.azure_authority {
            config.authority_host.clone_from(authority);
        }
        if let Some(endpoint) = &self.reach.azure_endpoint {
            config.endpoint.clone_from(endpoint);
        }
        if let Some(audience) = &self.reach.azure_audience {
            config.audience.clone_from(audience);
        }
        let connector = self.counted(AzureConnector::with_budgets(&config, self.budgets.clone())?);
        let same = |other: &AzureIdentity| other.client_id == identity.client_id && other.tenant_id == identity.tenant_id;
        keep(&mut held, identity, same, &connector);
        Ok(connector)
    }

    async fn gcp(&self, identity: &GcpIdentity) -> Result<Arc<dyn CloudConnector>> {
        // Held to the end: two visits at once must not make two connectors, with sessions each.
        let mut held = self.gcp.lock().await;
        if let Some(connector) = held.get(identity) {
            return Ok(connector.clone());
        }
        let credentials = match (&identity.key, &self.reach.gcp_token_file, &identity.audience) {
            (Some(key), _, _) => GcpCredentials::Key(ServiceAccountKey::from_json(&key.0)?),
            (None, Some(token_file), Some(audience)) => {
                GcpCredentials::Federated { token_file: token_file.clone(), audience: audience.clone() }
            }
            _ => {
                let message =
                    "neither a key nor a projected token: name spec.gcp.credentials.secretName, or audience with CARETAKER_GCP_TOKEN_FILE";
                return Err(CloudError::new(ErrorClass::Credentials, "sign in to Google Cloud", message));
            }
        };
        let config = GcpConfig {
            endpoints: self.reach.gcp_endpoint.as_deref().map_or_else(Endpoints::default, Endpoints::all_at),
            ca_bundle_pem: self.ca_bundle()?,
            provider_project: identity.project_id.clone(),
            quota_project: identity.quota_project.clone(),
            credentials,
            expected_principal: identity.principal.clone(),
            calls_per_minute: CALLS_PER_MINUTE,
        };
        let connector = self.counted(GcpConnector::with_budgets(config, self.budgets.clone())?);
        keep(&mut held, identity, |other| other.principal == identity.principal, &connector);
        Ok(connector)
    }
}

fn credentials(keys: Option<&AwsKeys>) -> BaseCredentials {
    keys.map_or(BaseCredentials::Environment, |keys| BaseCredentials::Static {
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: keys.secret_access_key.clone(),
        session_token: keys.session_token.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::Reach;

    #[test]
    fn no_token_goes_over_the_network_in_clear_unless_that_is_said() {
        let aws = |url: &str| Reach { aws_endpoint: Some(url.into()), ..Reach::default() };
        let gcp = |url: &str| Reach { gcp_endpoint: Some(url.into()), ..Reach::default() };
        for (why, reach, insecure, is_taken) in [
            ("nothing is set", Reach::default(), false, true),
            ("https", aws("https://vpce-1.sts.amazonaws.com"), false, true),
            ("letter case does not count", gcp("HTTPS://private.googleapis.com"), false, true),
            ("http", aws("http://127.0.0.1:4566"), false, false),
            ("http, of another cloud", gcp("http://proxy.example"), false, false),
            ("no scheme at all", gcp("proxy.example"), false, false),
            ("http, and it is said", aws("http://127.0.0.1:4566"), true, true),
        ] {
            assert_eq!(reach.check(insecure).is_ok(), is_taken, "{why}");
        }
        let told = aws("http://user:secret@proxy").check(false).unwrap_err().to_string();
        assert!(told.contains("CARETAKER_AWS_ENDPOINT_URL") && !told.contains("secret"), "{told}");
    }
}
