//! What the measuring programs have in common: the simulator's provider and clients, as `cargo xtask bench` tells them.

use caretaker_cloud::GcpGrant;
use caretaker_cloud_gcp::{BaseCredentials, Endpoints, GcpConfig, GcpConnector, ServiceAccountKey};
use serde_json::Value;

/// An environment variable that `cargo xtask bench` sets: what the simulator told when it began.
fn told() -> Value {
    let text = std::env::var("BENCH_SIMULATOR").expect("BENCH_SIMULATOR is not set: run this through cargo xtask bench");
    serde_json::from_str(&text).expect("what the simulator told")
}

/// A connector of the provider's, which makes so many calls in a minute under each paying project.
pub fn connector(calls_per_minute: u32) -> GcpConnector {
    let told = told();
    let text = |name: &str| told[name].as_str().expect("the simulator tells it").to_owned();
    let config = GcpConfig {
        endpoints: Endpoints::all_at(&text("url")),
        ca_bundle_pem: None,
        provider_project: text("providerProject"),
        quota_project: None,
        credentials: BaseCredentials::Key(ServiceAccountKey::from_json(&text("key")).expect("a key")),
        expected_principal: text("principal"),
        calls_per_minute,
    };
    GcpConnector::new(config).expect("a connector")
}

/// The clients' projects.
pub fn grants() -> Vec<GcpGrant> {
    let told = told();
    let text = |client: &Value, name: &str| client[name].as_str().expect("the simulator tells it").to_owned();
    let clients = told["clients"].as_array().expect("the simulator tells them").iter();
    clients
        .map(|client| GcpGrant {
            client: text(client, "project"),
            project_id: text(client, "project"),
            service_account: text(client, "serviceAccount"),
        })
        .collect()
}
