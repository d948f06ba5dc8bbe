//! What the bench's programs share: clients with an account each, and the environment in which the operator under test finds them.

use serde_json::{Value, json};

/// The provider's principal.
pub const PRINCIPAL: &str = "arn:aws:iam::111111111111:user/caretaker";
/// Environment variable with the number of clients.
pub const CLIENTS: &str = "BENCH_CLIENTS";
/// Regions of every account.
pub const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
/// Machines of every account, each with a disk.
pub const MACHINES: usize = 10;

/// Name of a client.
#[must_use]
pub fn name(number: usize) -> String {
    format!("bench-{number:05}")
}

/// Account of a client.
#[must_use]
pub fn account(number: usize) -> String {
    format!("22222{number:07}")
}

/// The provider.
#[must_use]
pub fn provider() -> Value {
    json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "default"},
        "spec": {
            "displayName": "Bench Provider", "contacts": [{"name": "Desk", "email": "desk@provider.example"}],
            "aws": {"principalArn": PRINCIPAL},
        },
    })
}

/// A client with everything on: one account that may be written to, monitoring, backups.
#[must_use]
pub fn client(number: usize) -> Value {
    json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": name(number)},
        "spec": {
            "displayName": format!("Client {}", name(number)),
            "contacts": {"vendorManager": {"name": "Jo Doe", "email": "jo@client.example"}},
            "groups": [{"group": format!("{}-viewers", name(number)), "role": "View"}],
            "accounts": [{
                "name": "prod", "aws": {"accountId": account(number), "regions": REGIONS}, "allow": ["Backup", "Revoke"],
            }],
            "monitoring": {"tiers": [
                {"name": "tier-1", "afterMinutes": 0, "webhookUrl": "https://desk.provider.example/alerts"},
                {"name": "tier-2", "afterMinutes": 30, "webhookUrl": "https://lead.provider.example/alerts"},
            ]},
            "backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "backup", "value": "daily"}, "regions": [REGIONS[0]]},
            "exit": {"recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]},
        },
    })
}
