//! What AWS Backup holds beyond vaults, plans and selections, which the emulator knows: recovery points and jobs, which take their time and can fail, locks of
//! vaults, and kinds that are left out of backups. A test plants them, by account and region.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::answers::Rows;
use crate::call::Call;

/// Name of the service in signatures.
pub const SERVICE: &str = "backup";

/// A recovery point.
#[derive(Clone, Debug)]
pub struct Point {
    /// ARN.
    pub arn: String,
    /// Vault.
    pub vault: String,
    /// ARN of what it is of.
    pub source: String,
    /// Status in AWS's words, from `ready` on; before it is `CREATING`.
    pub status: String,
    /// What AWS says of the status.
    pub message: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it came to its status.
    pub ready: Timestamp,
    /// When AWS deletes it.
    pub deleted: Option<Timestamp>,
}

impl Point {
    /// One that is available since it was made.
    #[must_use]
    pub fn new(arn: &str, vault: &str, source: &str, created: Timestamp) -> Self {
        let text = str::to_owned;
        let (arn, vault, source, status) = (text(arn), text(vault), text(source), text("AVAILABLE"));
        Self { arn, vault, source, status, message: String::new(), created, ready: created, deleted: None }
    }

    fn row(&self, (account, region): (&str, &str), now: Timestamp) -> Value {
        let status = if now < self.ready { "CREATING" } else { &self.status };
        let mut row = json!({
            "RecoveryPointArn": self.arn, "BackupVaultName": self.vault, "ResourceArn": self.source, "ResourceType": kind(&self.source),
            "BackupVaultArn": format!("arn:aws:backup:{region}:{account}:backup-vault:{}", self.vault),
            "Status": status, "CreationDate": self.created.as_second(), "IsEncrypted": true, "IsParent": false,
        });
        if !self.message.is_empty() {
            row["StatusMessage"] = self.message.clone().into();
        }
        if let Some(deleted) = self.deleted {
            row["CalculatedLifecycle"] = json!({"DeleteAt": deleted.as_second()});
        }
        row
    }
}

/// A job that makes a recovery point.
#[derive(Clone, Debug)]
pub struct Job {
    /// Id.
    pub id: String,
    /// Vault.
    pub vault: String,
    /// ARN of what it saves.
    pub source: String,
    /// State in AWS's words, from `ended` on; before it is `RUNNING`. Without an end it is this from the beginning.
    pub state: String,
    /// What AWS says of the state.
    pub message: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it came to its state.
    pub ended: Option<Timestamp>,
}

impl Job {
    /// One that failed at once.
    #[must_use]
    pub fn failed(id: &str, vault: &str, source: &str, (created, message): (Timestamp, &str)) -> Self {
        let text = str::to_owned;
        let (id, vault, source, state, message) = (text(id), text(vault), text(source), text("FAILED"), text(message));
        Self { id, vault, source, state, message, created, ended: Some(created) }
    }

    fn row(&self, account: &str, now: Timestamp) -> Value {
        let is_under_way = self.ended.is_some_and(|ended| now < ended);
        let mut row = json!({
            "AccountId": account, "BackupJobId": self.id, "BackupVaultName": self.vault, "ResourceArn": self.source,
            "ResourceType": kind(&self.source), "State": if is_under_way { "RUNNING" } else { &self.state },
            "CreationDate": self.created.as_second(), "IsParent": false,
        });
        if let Some(ended) = self.ended.filter(|_| !is_under_way) {
            row["CompletionDate"] = ended.as_second().into();
        }
        if !self.message.is_empty() && !is_under_way {
            row["StatusMessage"] = self.message.clone().into();
        }
        row
    }
}

/// The kind of a resource in AWS Backup's words.
fn kind(arn: &str) -> &'static str {
    match arn {
        _ if arn.contains(":instance/") => "EC2",
        _ if arn.contains(":volume/") => "EBS",
        _ if arn.contains(":s3:::") => "S3",
        _ if arn.contains(":dynamodb:") => "DynamoDB",
        _ => "RDS",
    }
}

/// What was planted in one account and region.
#[derive(Clone, Debug, Default)]
pub struct Backups {
    /// Recovery points.
    pub points: Vec<Point>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Kinds that are left out, such as `EBS`.
    pub left_out: BTreeSet<String>,
    /// Fewest days that a point is kept in a vault that is locked, by its name.
    pub locks: BTreeMap<String, u32>,
}

impl Backups {
    /// The rows of a list.
    pub(crate) fn rows(&self, call: &Call, account: &str, now: Timestamp) -> Option<Rows> {
        let of = (account, call.region.as_str());
        if let Some(vault) = vault_of_points(&call.action) {
            let held = self.points.iter().filter(|point| point.vault == vault);
            return Some(Rows::These(held.map(|point| point.row(of, now).to_string()).collect()));
        }
        (call.action == "GET:backup-jobs:").then(|| {
            let after = call.parameter("createdAfter").and_then(|after| after.parse::<Timestamp>().ok());
            let asked = self.jobs.iter().filter(|job| after.is_none_or(|after| job.created >= after));
            Rows::These(asked.map(|job| job.row(account, now).to_string()).collect())
        })
    }

    /// The emulator's answer with what was planted.
    pub(crate) fn amend(&self, call: &Call, body: &mut Value) {
        match call.action.as_str() {
            "GET:backup-vaults:" => {
                for vault in body["BackupVaultList"].as_array_mut().into_iter().flatten() {
                    if let Some(days) = vault["BackupVaultName"].as_str().and_then(|name| self.locks.get(name)) {
                        vault["Locked"] = true.into();
                        vault["MinRetentionDays"] = (*days).into();
                    }
                }
            }
            "GET:account-settings" => {
                for kind in &self.left_out {
                    body["ResourceTypeOptInPreference"][kind] = false.into();
                }
            }
            _ => {}
        }
    }
}

/// The vault whose points a call lists.
pub(crate) fn vault_of_points(action: &str) -> Option<&str> {
    action.strip_prefix("GET:backup-vaults:")?.strip_suffix(":recovery-points:")
}
