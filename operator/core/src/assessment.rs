//! The report of an assessment: what is there, how much of it could be read, what is not protected, who gets in, and what is not as it should be. It is made of
//! what the cluster shows, and nothing was written in any cloud for it.

use std::collections::BTreeMap;

use caretaker_api::backup_policy::{BackupGap, ProtectionStatus};
use caretaker_api::cloud_account::{CellStatus, CloudAccountStatus, PatchStatus};
use caretaker_api::condition::ConditionType;
use caretaker_api::lifecycle::{Gate, Phase};
use caretaker_api::{CloudAccount, ManagedClient};
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use crate::conditions::{Is, find};
use crate::contract::is_assessment;
use crate::handover::redact;
use crate::risks::{Risk, World, risks};

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    /// Always `caretaker-assessment-1`.
    pub format: &'static str,
    /// Name of the ManagedClient.
    pub client: String,
    /// Name as people say it.
    pub display_name: String,
    /// When the report was made.
    pub made_at: Timestamp,
    /// The client's phase.
    pub phase: Phase,
    /// Whether there is no contract yet, so that nothing may be written in any cloud.
    pub read_only: bool,
    /// Number of assets, as far as accounts were read.
    pub assets: u64,
    /// Number of assets by type, of all accounts.
    pub by_type: BTreeMap<String, u64>,
    /// Each account.
    pub accounts: Vec<Account>,
    /// What can be restored; `None` where nothing is known of it.
    pub protection: Option<Protection>,
    /// What is not as it should be.
    pub risks: Vec<Risk>,
    /// What stands before the contract counts.
    pub gates: Vec<Gate>,
    /// What the report cannot tell, and what to do about it.
    pub unknown: Vec<String>,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// CloudAccount.
    pub name: String,
    /// Kind of the account, such as `aws`.
    pub cloud: &'static str,
    /// The cloud's own id.
    pub id: String,
    /// Whether the access is proved; `None` where it cannot be told.
    pub access: Option<bool>,
    /// What is known of the access.
    pub access_message: String,
    /// Permissions that are missing.
    pub missing: Vec<String>,
    /// When the inventory was read; `None` where it never was.
    pub read_at: Option<Timestamp>,
    /// Number of assets.
    pub assets: u64,
    /// Number of assets by verdict of the scope.
    pub by_verdict: BTreeMap<String, u64>,
    /// Cells that were read completely, of those that were planned; `Unknown` where nothing was planned.
    pub coverage: String,
    /// Cells that were not read completely.
    pub gaps: Vec<CellStatus>,
    /// What no cell shows although it was read completely.
    pub notes: Vec<String>,
    /// What is known of the machines' patches.
    pub patches: PatchStatus,
}

/// What can be restored.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Protection {
    /// Protected of all that the policy selects.
    pub text: String,
    /// Number of assets without a usable recovery point.
    pub unprotected: u64,
    /// Number of assets that could be backed up and that nothing selects.
    pub unselected: u64,
    /// The worst of them.
    pub gaps: Vec<BackupGap>,
    /// Further ones.
    pub more_gaps: u64,
}

fn account(account: &CloudAccount) -> Account {
    let CloudAccountStatus { conditions, access, inventory, .. } = account.status.clone().unwrap_or_default();
    let proven = find(&conditions, ConditionType::AccessProven);
    let inventory_read = inventory.is_some();
    let inventory = inventory.unwrap_or_default();
    let coverage = if inventory_read && !inventory.coverage.text.is_empty() { inventory.coverage.text } else { "Unknown".into() };
    Account {
        name: account.name_any(),
        cloud: account.spec.target.kind(),
        id: account.spec.target.id(),
        access: proven.and_then(|condition| match Is::of(condition) {
            Is::True => Some(true),
            Is::False => Some(false),
            Is::Unknown => None,
        }),
        access_message: redact::text(&proven.map(|condition| condition.message.clone()).unwrap_or_default()),
        missing: access.map(|access| access.missing.into_iter().map(|missing| missing.action).collect()).unwrap_or_default(),
        read_at: inventory.taken_at.map(|at| at.0),
        assets: inventory.assets,
        by_verdict: inventory.by_verdict,
        coverage,
        gaps: inventory.coverage.gaps,
        notes: inventory.coverage.notes,
        patches: inventory.patches,
    }
}

fn protection(found: ProtectionStatus) -> Protection {
    let ProtectionStatus { text, unprotected, unselected, gaps, more_gaps, .. } = found;
    Protection { text, unprotected, unselected, gaps, more_gaps }
}

/// What cannot be told.
fn unknown(client: &ManagedClient, accounts: &[Account], protection: Option<&Protection>) -> Vec<String> {
    let mut unknown = Vec::new();
    for account in accounts.iter().filter(|account| account.read_at.is_none()) {
        unknown.push(format!("account {}: it was not read yet, so that nothing is said of what is in it", account.name));
    }
    if protection.is_none() {
        let why = match client.spec.backups {
            Some(_) => "the recovery points were not read yet",
            None => "spec.backups is not set: set it, and what it would protect is told; nothing is written in an assessment",
        };
        unknown.push(format!("backups: {why}"));
    }
    unknown
}

/// The report of a client.
#[must_use]
pub fn assessment(world: &World<'_>, now: Timestamp) -> Assessment {
    let client = world.client;
    let status = client.status.clone().unwrap_or_default();
    let live = || world.accounts.iter().filter(|account| account.spec.is_live() && !account.spec.target.is_parent());
    let accounts: Vec<Account> = live().map(account).collect();
    let mut by_type = BTreeMap::new();
    for inventory in live().filter_map(|account| account.status.as_ref()?.inventory.as_ref()) {
        inventory.by_type.iter().for_each(|(kind, count)| *by_type.entry(kind.clone()).or_default() += count);
    }
    let found = world.backups.iter().find_map(|policy| policy.status.as_ref()?.protection.clone()).map(protection);
    Assessment {
        format: "caretaker-assessment-1",
        client: client.name_any(),
        display_name: client.spec.display_name.clone(),
        made_at: now,
        phase: status.lifecycle.map(|lifecycle| lifecycle.phase).unwrap_or(Phase::Unknown),
        read_only: is_assessment(&client.spec),
        assets: accounts.iter().map(|account| account.assets).sum(),
        by_type,
        unknown: unknown(client, &accounts, found.as_ref()),
        accounts,
        protection: found,
        risks: risks(world, now),
        gates: status.gates,
    }
}

#[cfg(test)]
mod tests;
