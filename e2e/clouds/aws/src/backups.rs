//! What AWS Backup holds beyond vaults, plans and selections, which the emulator knows: recovery points and jobs, which take their time and can fail, locks of
//! vaults, and kinds that are left out of backups. A test plants them, by account and region.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::answers::Rows;
use crate::call::Call;

/// Name of the service in signatures.
pub const SERVICE: &str = "backup";

/// Kinds that AWS Backup takes, unless somebody leaves them out.
const KINDS: [&str; 7] = ["Aurora", "DynamoDB", "EBS", "EC2", "EFS", "RDS", "S3"];

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

/// A restore that a restore test has made.
#[derive(Clone, Debug)]
pub struct Restore {
    /// Id.
    pub id: String,
    /// Name of the test.
    pub test: String,
    /// ARN of what is brought back.
    pub source: String,
    /// ARN of the recovery point.
    pub point: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ends; until then it is `RUNNING`.
    pub ends: Timestamp,
    /// ARN of what is restored; `None` where it fails.
    pub restored: Option<String>,
    /// Verdict, once somebody has given it.
    pub verdict: Option<(String, String)>,
    /// Whether AWS can delete what it restored.
    pub is_deletable: bool,
}

impl Restore {
    fn row(&self, (account, region): (&str, &str), now: Timestamp) -> Value {
        let mut row = json!({
            "AccountId": account, "RestoreJobId": self.id, "RecoveryPointArn": self.point, "SourceResourceArn": self.source,
            "CreationDate": self.began.as_second(), "ResourceType": kind(&self.source), "IsParent": false,
            "CreatedBy": {"RestoreTestingPlanArn": test_arn((account, region), &self.test)}, "Status": "RUNNING",
        });
        if now < self.ends {
            return row;
        }
        row["CompletionDate"] = self.ends.as_second().into();
        let Some(restored) = &self.restored else {
            row["Status"] = "FAILED".into();
            row["StatusMessage"] = "the key of the recovery point is disabled".into();
            return row;
        };
        row["Status"] = "COMPLETED".into();
        row["CreatedResourceArn"] = restored.clone().into();
        match &self.verdict {
            None => row["ValidationStatus"] = "VALIDATING".into(),
            Some((verdict, message)) => {
                row["ValidationStatus"] = verdict.clone().into();
                row["ValidationStatusMessage"] = message.clone().into();
                row["DeletionStatus"] = if self.is_deletable { "SUCCESSFUL" } else { "FAILED" }.into();
            }
        }
        row
    }
}

fn test_arn((account, region): (&str, &str), name: &str) -> String {
    format!("arn:aws:backup:{region}:{account}:restore-testing-plan:{name}-00000000-0000-4000-8000-000000000000")
}

/// A restore test as it was made: its plan and its selection.
#[derive(Clone, Debug, Default)]
pub struct RestoreTest {
    plan: Value,
    /// The selection; null where there is none.
    pub selection: Value,
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
    /// Restore tests by name.
    pub restore_tests: BTreeMap<String, RestoreTest>,
    /// Restores of tests.
    pub restores: Vec<Restore>,
}

impl Backups {
    /// The rows of a list.
    pub(crate) fn rows(&self, call: &Call, account: &str, now: Timestamp) -> Option<Rows> {
        let of = (account, call.region.as_str());
        if let Some(vault) = vault_of_points(&call.action) {
            let held = self.points.iter().filter(|point| point.vault == vault);
            return Some(Rows::These(held.map(|point| point.row(of, now).to_string()).collect()));
        }
        if path(&call.action) == "GET:restore-jobs" {
            let arn = call.parameter("restoreTestingPlanArn");
            let asked = self.restores.iter().filter(|run| arn.as_deref() == Some(&test_arn(of, &run.test)));
            return Some(Rows::These(asked.map(|run| run.row(of, now).to_string()).collect()));
        }
        (path(&call.action) == "GET:backup-jobs").then(|| {
            let after = call.parameter("createdAfter").and_then(|after| after.parse::<Timestamp>().ok());
            let asked = self.jobs.iter().filter(|job| after.is_none_or(|after| job.created >= after));
            Rows::These(asked.map(|job| job.row(account, now).to_string()).collect())
        })
    }

    /// The answer to a call about restore tests, which the emulator knows none of, as status and body.
    pub(crate) fn restore_test(&mut self, call: &Call, account: &str, now: Timestamp) -> Option<(u16, Value)> {
        let of = (account, call.region.as_str());
        let body: Value = serde_json::from_slice(call.body()).unwrap_or_default();
        let at = now.as_second();
        if let Some(run) = path(&call.action).strip_prefix("PUT:restore-jobs:").and_then(|rest| rest.strip_suffix(":validations")) {
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            let Some(held) = self.restores.iter_mut().find(|held| held.id == run) else { return Some(missing()) };
            held.verdict = Some((text("ValidationStatus"), text("ValidationStatusMessage")));
            return Some((204, Value::Null));
        }
        let rest = call.action.split_once(":restore-testing:plans")?.1;
        let parts: Vec<&str> = rest.split(':').filter(|part| !part.is_empty()).collect();
        let is_write = call.action.starts_with("PUT");
        let told = |name: &str| json!({"CreationTime": at, "RestoreTestingPlanArn": test_arn(of, name), "RestoreTestingPlanName": name});
        Some(match parts.as_slice() {
            [] if is_write => {
                let plan = body["RestoreTestingPlan"].clone();
                let name = plan["RestoreTestingPlanName"].as_str().unwrap_or_default().to_owned();
                self.restore_tests.insert(name.clone(), RestoreTest { plan, selection: Value::Null });
                (201, told(&name))
            }
            [name] => {
                let Some(held) = self.restore_tests.get_mut(*name) else { return Some(missing()) };
                if is_write {
                    let asked = body["RestoreTestingPlan"].as_object().cloned().unwrap_or_default();
                    asked.into_iter().for_each(|(key, value)| held.plan[key] = value);
                    let mut answer = told(name);
                    answer["UpdateTime"] = at.into();
                    return Some((200, answer));
                }
                let mut plan = held.plan.clone();
                plan["CreationTime"] = at.into();
                plan["RestoreTestingPlanArn"] = test_arn(of, name).into();
                (200, json!({"RestoreTestingPlan": plan}))
            }
            [name, "selections", ..] => {
                let Some(held) = self.restore_tests.get_mut(*name) else { return Some(missing()) };
                if is_write {
                    let is_new = held.selection.is_null();
                    if is_new {
                        held.selection = json!({});
                    }
                    let asked = body["RestoreTestingSelection"].as_object().cloned().unwrap_or_default();
                    asked.into_iter().for_each(|(key, value)| held.selection[key] = value);
                    let mut answer = told(name);
                    answer["RestoreTestingSelectionName"] = held.selection["RestoreTestingSelectionName"].clone();
                    if !is_new {
                        answer["UpdateTime"] = at.into();
                    }
                    return Some((if is_new { 201 } else { 200 }, answer));
                }
                if held.selection.is_null() {
                    return Some(missing());
                }
                let mut selection = held.selection.clone();
                selection["CreationTime"] = at.into();
                selection["RestoreTestingPlanName"] = (*name).into();
                (200, json!({"RestoreTestingSelection": selection}))
            }
            _ => missing(),
        })
    }

    /// The emulator's answer with what was planted.
    pub(crate) fn amend(&self, call: &Call, body: &mut Value) {
        match path(&call.action) {
            "GET:backup-vaults" => {
                for vault in body["BackupVaultList"].as_array_mut().into_iter().flatten() {
                    if let Some(days) = vault["BackupVaultName"].as_str().and_then(|name| self.locks.get(name)) {
                        vault["Locked"] = true.into();
                        vault["MinRetentionDays"] = (*days).into();
                    }
                }
            }
            "GET:account-settings" => {
                // The emulator names no kind at all; AWS names each.
                for kind in KINDS {
                    body["ResourceTypeOptInPreference"][kind] = true.into();
                }
                for kind in &self.left_out {
                    body["ResourceTypeOptInPreference"][kind] = false.into();
                }
            }
            _ => {}
        }
    }
}

/// Method and path without the slash at its end, which some SDKs write and others do not.
pub(crate) fn path(action: &str) -> &str {
    action.trim_end_matches(':')
}

/// The vault whose points a call lists.
pub(crate) fn vault_of_points(action: &str) -> Option<&str> {
    path(action).strip_prefix("GET:backup-vaults:")?.strip_suffix(":recovery-points")
}

/// AWS's answer about a restore test that is not there.
fn missing() -> (u16, Value) {
    (400, json!({"__type": "ResourceNotFoundException", "message": "no such restore testing plan or selection"}))
}
