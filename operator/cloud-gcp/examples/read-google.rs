//! Reads one project of the Google simulator into a store, and tells what that took. `cargo xtask bench` runs it; figures are printed as
//! one JSON document.

#[path = "simulated/mod.rs"]
mod simulated;

#[path = "../../controllers/examples/measured/mod.rs"]
mod measured;

use caretaker_cloud::{AccessGrant, CloudConnector, Purpose};
use serde_json::json;

#[tokio::main]
async fn main() {
    // Memory is measured, and the simulator counts no calls.
    let connector = simulated::connector(6_000_000);
    let grant = simulated::grants().remove(0);
    let target = json!({"projectId": grant.project_id, "serviceAccountName": grant.service_account.split('@').next()});
    let link = connector.connect(&AccessGrant::Gcp(grant), Purpose::Read).await.expect("the client lets us in");
    println!("{}", measured::read_twice(link.as_ref(), &json!({"gcp": target})).await);
}
