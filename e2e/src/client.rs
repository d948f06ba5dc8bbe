//! A client of a test.

use std::process::Command;

use caretaker_testkit::process::run;
use serde_json::{Value, json};

use crate::binary;

/// A client of a test.
#[derive(Clone, Debug)]
pub struct Client {
    /// Name.
    pub name: String,
    /// AWS account.
    pub account: String,
    /// Regions to read.
    pub regions: Vec<String>,
    /// What the operator may change.
    pub allow: Vec<String>,
    /// Recipient of the bundle.
    pub recipient: String,
    /// Identity of the recipient.
    pub identity: String,
}

impl Client {
    /// A client with one account that may be written to, in one region.
    ///
    /// # Panics
    /// No key pair can be made.
    #[must_use]
    pub fn new(name: &str, account: &str, region: &str) -> Self {
        let pair = run(Command::new(binary()).args(["bundle", "keygen"])).expect("a key pair");
        let recipient = pair.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key").to_owned();
        let allow = vec!["Backup".into(), "Revoke".into()];
        Self { name: name.into(), account: account.into(), regions: vec![region.into()], allow, recipient, identity: pair }
    }

    /// The ManagedClient.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": self.name},
            "spec": {
                "displayName": format!("Client {}", self.name),
                "contacts": {"vendorManager": {"name": "Jo Doe", "email": "jo@client.example"}},
                "groups": [{"group": format!("{}-viewers", self.name), "role": "View"}],
                "accounts": [{"name": "prod", "aws": {"accountId": self.account, "regions": self.regions}, "allow": self.allow}],
                "monitoring": {"tiers": [
                    {"name": "tier-1", "afterMinutes": 0, "webhookUrl": "https://desk.provider.example/alerts"},
                    {"name": "tier-2", "afterMinutes": 30, "webhookUrl": "https://lead.provider.example/alerts"},
                ]},
                "backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "backup", "value": "daily"}, "regions": [self.regions[0]]},
                "exit": {"recipients": [self.recipient]},
            },
        })
    }
}
