//! Reads one subscription of the ARM simulator into a store, and tells what that took. `cargo xtask bench` runs it; figures are printed as
//! one JSON document.

#[path = "../../controllers/examples/measured/mod.rs"]
mod measured;

use std::num::NonZeroU32;

use caretaker_cloud::{AccessGrant, AzureGrant, CloudConnector, Purpose};
use caretaker_cloud_azure::{AzureConfig, AzureConnector, AzureCredentials};
use serde_json::json;

/// An environment variable that `cargo xtask bench` sets.
fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this through cargo xtask bench"))
}

#[tokio::main]
async fn main() {
    let credentials = AzureCredentials::ClientSecret(setting("BENCH_SECRET"));
    let config = AzureConfig {
        authority_host: setting("BENCH_ENDPOINT"),
        endpoint: setting("BENCH_ENDPOINT"),
        ca_bundle_pem: Some(std::fs::read(setting("BENCH_CA")).expect("the test CA")),
        // Memory is measured, and the simulator counts no queries.
        queries_per_second: NonZeroU32::new(100_000).expect("not zero"),
        ..AzureConfig::public(setting("BENCH_TENANT"), setting("BENCH_CLIENT"), credentials)
    };
    let connector = AzureConnector::new(&config).expect("a connector");
    let grant = AzureGrant { client: "acme".into(), subscription_id: setting("BENCH_SUBSCRIPTION"), home_tenant_id: None };
    let target = json!({"subscriptionId": grant.subscription_id});
    let link = connector.connect(&AccessGrant::Azure(grant), Purpose::Read).await.expect("the client lets us in");
    println!("{}", measured::read_twice(link.as_ref(), &json!({"azure": target})).await);
}
