//! The way through the environment's proxies, which the SDK takes only where it is told to. Metadata services are asked directly.

use std::fmt;
use std::sync::Arc;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext};
use aws_smithy_http_client::{Builder, Connector as SmithyConnector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use caretaker_cloud::runtime::Proxies;

/// Status with which a proxy asks for user and password. No service of AWS has it.
const PROXY_AUTHENTICATION: u16 = 407;

/// A proxy of ours is why no answer came.
#[derive(Debug)]
pub struct ProxyFault(pub String);

impl fmt::Display for ProxyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProxyFault {}

/// A client that goes through the environment's proxies.
#[derive(Debug)]
pub struct ThroughProxies {
    direct: SharedHttpClient,
    proxied: SharedHttpClient,
    proxies: Arc<Proxies>,
}

impl ThroughProxies {
    /// A client that trusts what the context holds.
    pub fn new(provider: tls::Provider, context: TlsContext) -> Self {
        let direct = Builder::new().tls_provider(provider.clone()).tls_context(context.clone()).build_https();
        let proxied = Builder::new().build_with_connector_fn(move |settings, components| {
            let mut builder = SmithyConnector::builder().proxy_config(ProxyConfig::from_env());
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.tls_provider(provider.clone()).tls_context(context.clone()).build()
        });
        Self { direct, proxied, proxies: Arc::new(Proxies::from_env()) }
    }
}

impl HttpClient for ThroughProxies {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            direct: self.direct.http_connector(settings, components),
            proxied: self.proxied.http_connector(settings, components),
            proxies: self.proxies.clone(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    direct: SharedHttpConnector,
    proxied: SharedHttpConnector,
    proxies: Arc<Proxies>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let url = request.uri().to_owned();
        if self.proxies.of(&url).is_none() {
            return self.direct.call(request);
        }
        let (answer, proxies) = (self.proxied.call(request), self.proxies.clone());
        HttpConnectorFuture::new(async move {
            let (cause, answer) = match answer.await {
                Ok(response) if response.status().as_u16() == PROXY_AUTHENTICATION => (PROXY_AUTHENTICATION.to_string(), Ok(response)),
                Ok(response) => return Ok(response),
                Err(error) => (words(&error), Err(error)),
            };
            match proxies.fault(&url, &cause).await {
                Some(fault) => Err(ConnectorError::other(Box::new(ProxyFault(fault)), None)),
                None => answer,
            }
        })
    }
}

fn words(error: &ConnectorError) -> String {
    let (mut text, mut cause) = (error.to_string(), std::error::Error::source(error));
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
