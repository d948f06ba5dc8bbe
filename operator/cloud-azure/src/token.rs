//! Tokens of the provider's own tenant, by client secret or by a projected token.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientMethodOptions, ClientOptions, Transport};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caretaker_cloud::runtime::Proxies;
use caretaker_cloud::{CloudError, ErrorClass, Identity, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::config::{AzureConfig, AzureCredentials};
use crate::{call, errors};

/// What the call is named in errors.
pub const OPERATION: &str = "get a token";
/// A token this near to its end is not used any more.
const MARGIN: SignedDuration = SignedDuration::from_secs(120);

/// A token and who it makes us.
pub struct Token {
    /// The bearer token.
    pub secret: Secret,
    /// Tenant and principal, as the token says.
    pub identity: Identity,
    expires: Timestamp,
}

impl Token {
    /// Whether it can still be used, by our clock.
    pub fn is_fresh(&self) -> bool {
        Timestamp::now() + MARGIN < self.expires
    }
}

/// Where tokens come from.
pub struct Tokens {
    tenant_id: String,
    client_id: String,
    scope: String,
    authority: String,
    credentials: AzureCredentials,
    transport: Transport,
    proxies: Proxies,
}

/// A projected token: read anew for each use, since the file is renewed under us.
struct Projected(PathBuf);

impl fmt::Debug for Projected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Projected").field(&self.0).finish()
    }
}

#[async_trait::async_trait]
impl ClientAssertion for Projected {
    async fn secret(&self, _options: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        // Not an error of IO: it is our own credentials that are missing, and the token endpoint was not even asked.
        let unreadable = |error: std::io::Error| {
            azure_core::Error::with_message(
                azure_core::error::ErrorKind::Credential,
                format!("{} cannot be read: {}", self.0.display(), error.kind()),
            )
        };
        Ok(tokio::fs::read_to_string(&self.0).await.map_err(unreadable)?.trim().to_owned())
    }
}

impl Tokens {
    /// Takes the configuration. Nothing is called.
    ///
    /// # Errors
    /// The authority is no address over TLS.
    pub fn new(config: &AzureConfig, transport: &Transport) -> Result<Self> {
        call::https("authority host", &config.authority_host)?;
        Ok(Self {
            tenant_id: config.tenant_id.to_ascii_lowercase(),
            client_id: config.client_id.to_ascii_lowercase(),
            scope: format!("{}/.default", config.audience.trim_end_matches('/')),
            authority: config.authority_host.clone(),
            credentials: config.credentials.clone(),
            transport: transport.clone(),
            proxies: Proxies::from_env(),
        })
    }

    /// A token that no cache has seen.
    pub async fn fresh(&self) -> Result<Token> {
        let failed = |error: azure_core::Error| errors::no_token(OPERATION, &error, Timestamp::now());
        // The SDK keeps tokens inside the credential, so a new one is made each time.
        let credential = self.credential().map_err(failed)?;
        let token = match credential.get_token(&[&self.scope], None).await {
            Ok(token) => token,
            Err(error) => {
                return Err(errors::no_token_by_proxy(OPERATION, (&self.authority, &self.proxies), &error, Timestamp::now()).await);
            }
        };
        let identity = identity(token.token.secret())?;
        if identity.account != self.tenant_id {
            let message = format!("the token is of the tenant {}, not of {}", identity.account, self.tenant_id);
            return Err(CloudError::new(ErrorClass::Credentials, OPERATION, message));
        }
        let expires = Timestamp::from_second(token.expires_on.unix_timestamp()).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Token { secret: token.token, identity, expires })
    }

    fn credential(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        Ok(match &self.credentials {
            AzureCredentials::ClientSecret(secret) => {
                let options = ClientSecretCredentialOptions { client_options: self.options() };
                ClientSecretCredential::new(&self.tenant_id, self.client_id.clone(), Secret::new(secret.clone()), Some(options))?
            }
            AzureCredentials::ProjectedToken(path) => {
                let options = ClientAssertionCredentialOptions { client_options: self.options() };
                let assertion = Projected(path.clone());
                ClientAssertionCredential::new(self.tenant_id.clone(), self.client_id.clone(), assertion, Some(options))?
            }
        })
    }

    fn options(&self) -> ClientOptions {
        let mut custom = CustomConfiguration::default();
        custom.authority_host.clone_from(&self.authority);
        ClientOptions { cloud: Some(Arc::new(custom.into())), ..call::options(&self.transport) }
    }
}

/// Who a token says that it is. Nothing is decided by it but whether it is the one that we asked for: Azure itself judges the token.
fn identity(token: &str) -> Result<Identity> {
    let unreadable = || CloudError::new(ErrorClass::Credentials, OPERATION, "the token does not say whose it is");
    let payload = token.split('.').nth(1).ok_or_else(unreadable)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).map_err(|_| unreadable())?;
    let claims: Value = serde_json::from_slice(&payload).map_err(|_| unreadable())?;
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_ascii_lowercase);
    let account = claim("tid").ok_or_else(unreadable)?;
    // The older and the newer form of a token name the application differently.
    let application = claim("appid").or_else(|| claim("azp")).ok_or_else(unreadable)?;
    let principal = match claim("oid") {
        Some(object) => format!("{application}/{object}"),
        None => application,
    };
    Ok(Identity { account, principal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(claims: &Value) -> String {
        format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_token_says_tenant_application_and_object_in_lower_case() {
        let found = identity(&token(&json!({"tid": "TT", "appid": "AA", "oid": "OO"}))).unwrap();
        assert_eq!((found.account.as_str(), found.principal.as_str()), ("tt", "aa/oo"));
        assert_eq!(identity(&token(&json!({"tid": "t", "azp": "a"}))).unwrap().principal, "a");
    }

    #[test]
    fn a_token_that_says_nothing_is_our_own_fault_and_is_not_quoted() {
        for bad in ["opaque", "a.%%.c", &token(&json!({"tid": "t"})), &token(&json!([]))] {
            let error = identity(bad).unwrap_err();
            assert_eq!(error.class, ErrorClass::Credentials);
            assert!(!error.to_string().contains(bad));
        }
    }
}
