//! Reads one account of the AWS emulator, behind the shim, into a store, and tells what that took. `cargo xtask bench` runs it; figures are printed as one
//! JSON document.

#[path = "../../controllers/examples/measured/mod.rs"]
mod measured;

use caretaker_cloud::{AccessGrant, AwsGrant, CloudConnector, Purpose};
use caretaker_cloud_aws::{AwsConfig, AwsConnector, BaseCredentials};
use serde_json::json;

/// An environment variable that `cargo xtask bench` sets.
fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this through cargo xtask bench"))
}

#[tokio::main]
async fn main() {
    let region = setting("BENCH_REGION");
    let config = AwsConfig {
        region: region.clone(),
        endpoint_url: Some(setting("BENCH_ENDPOINT")),
        ca_bundle_pem: None,
        credentials: BaseCredentials::Static {
            access_key_id: setting("BENCH_ACCESS_KEY_ID"),
            secret_access_key: setting("BENCH_SECRET_ACCESS_KEY"),
            session_token: None,
        },
        expected_principal: setting("BENCH_PRINCIPAL"),
        allows_tags: false,
    };
    let connector = AwsConnector::new(config).await.expect("a connector");
    let account_id = setting("BENCH_ACCOUNT");
    let grant = AwsGrant {
        role_arn: format!("arn:aws:iam::{account_id}:role/{}", setting("BENCH_ROLE")),
        account_id: account_id.clone(),
        external_id: setting("BENCH_EXTERNAL_ID"),
        session_name: "caretaker-bench".into(),
        source_identity: "prod@bench".into(),
    };
    let target = json!({"accountId": account_id, "roleName": setting("BENCH_ROLE"), "regions": [region]});
    let link = connector.connect(&AccessGrant::Aws(grant), Purpose::Read).await.expect("the role lets us in");
    println!("{}", measured::read_twice(link.as_ref(), &json!({"aws": target})).await);
}
