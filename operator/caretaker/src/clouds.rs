//! Connectors made with the SDKs, one for each identity, kept for as long as it stays the same.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::{CloudConnector, CloudError, ErrorClass};
use caretaker_cloud_aws::{AwsConfig, AwsConnector, BaseCredentials};
use caretaker_controllers::clouds::{AwsIdentity, AwsKeys};
use caretaker_controllers::writes::{CountedConnector, Writes};
use tokio::sync::Mutex;

/// How AWS is reached in this installation.
#[derive(Clone, Debug, Default)]
pub struct AwsReach {
    /// Endpoint of all services, for private endpoints and emulators.
    pub endpoint_url: Option<String>,
    /// File with further certificate authorities, PEM.
    pub ca_bundle: Option<PathBuf>,
}

/// The connectors.
pub struct SdkClouds {
    aws: AwsReach,
    writes: Writes,
    held: Mutex<HashMap<AwsIdentity, Arc<dyn CloudConnector>>>,
}

impl SdkClouds {
    /// No connector is made yet.
    pub fn new(aws: AwsReach, writes: Writes) -> Self {
        Self { aws, writes, held: Mutex::default() }
    }
}

#[async_trait]
impl caretaker_controllers::Clouds for SdkClouds {
    async fn aws(&self, identity: &AwsIdentity) -> caretaker_cloud::Result<Arc<dyn CloudConnector>> {
        let mut held = self.held.lock().await;
        if let Some(connector) = held.get(identity) {
            return Ok(connector.clone());
        }
        // A principal whose key was changed has one connector: the old key's sessions go with it.
        held.retain(|other, _| other.principal_arn != identity.principal_arn);
        let ca_bundle_pem =
            match &self.aws.ca_bundle {
                None => None,
                Some(path) => Some(std::fs::read(path).map_err(|error| {
                    CloudError::new(ErrorClass::Credentials, "read the CA bundle", format!("{}: {error}", path.display()))
                })?),
            };
        let config = AwsConfig {
            region: identity.region.clone(),
            endpoint_url: self.aws.endpoint_url.clone(),
            ca_bundle_pem,
            credentials: credentials(identity.keys.as_ref()),
            expected_principal: identity.principal_arn.clone(),
        };
        let inner: Arc<dyn CloudConnector> = Arc::new(AwsConnector::new(config).await?);
        let connector: Arc<dyn CloudConnector> = Arc::new(CountedConnector { inner, writes: self.writes.clone() });
        held.insert(identity.clone(), connector.clone());
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
