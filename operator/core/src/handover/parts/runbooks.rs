//! 13: how each kind of asset was looked after. `documents` writes one page for each kind that stands in the inventories.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_cloud::Cloud;
use serde_json::Value;

use super::{Gap, Part};
use crate::handover::contents::Inputs;
use crate::monitoring_stack::{MACHINES_JOB, PUBLIC_JOB, tiers_in_order};

pub(super) struct Runbooks;

const PATH: &str = "13-runbooks";
/// The kind whose exporter is asked and whose public addresses are probed.
const MACHINE: &str = "instance";
/// Kinds that a backup policy's selection takes.
const BACKED_UP: [&str; 2] = [MACHINE, "volume"];

impl Part for Runbooks {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "for each kind of asset that you have: how it is watched, backed up and escalated"
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        let has_none = runbooks(inputs).is_empty();
        has_none.then(|| Gap::new(PATH, "no asset is known, so there is nothing to write a runbook for")).into_iter().collect()
    }
}

/// How one kind of asset was looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runbook {
    /// The kind in the words of the inventory, such as `instance`.
    pub kind: String,
    /// Number of assets in each account.
    pub accounts: BTreeMap<String, u64>,
    /// Names of the alerts that watch it.
    pub alerts: BTreeSet<String>,
    /// The policies that back it up, for people.
    pub backups: Vec<String>,
    /// Tiers and after how many minutes each is told.
    pub tiers: Vec<(String, u32)>,
}

/// The runbooks, by kind.
#[must_use]
pub fn runbooks(inputs: &Inputs<'_>) -> Vec<Runbook> {
    let mut kinds: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    for reading in inputs.readings {
        for (kind, count) in reading.inventory.iter().flat_map(|inventory| &inventory.by_type).filter(|(_, count)| **count > 0) {
            kinds.entry(kind).or_default().insert(reading.account.clone(), *count);
        }
    }
    let of = |(kind, accounts): (&str, BTreeMap<String, u64>)| Runbook {
        kind: kind.to_owned(),
        alerts: if kind == MACHINE { alerts(inputs.monitoring) } else { BTreeSet::new() },
        backups: if BACKED_UP.contains(&kind) { backups(inputs, &accounts) } else { Vec::new() },
        tiers: if kind == MACHINE { tiers(inputs) } else { Vec::new() },
        accounts,
    };
    kinds.into_iter().map(of).collect()
}

fn alerts(objects: &[Value]) -> BTreeSet<String> {
    let groups = objects.iter().filter_map(|object| object["spec"]["groups"].as_array()).flatten();
    let rules = groups.filter_map(|group| group["rules"].as_array()).flatten();
    let is_of_machines = |rule: &&Value| {
        let expression = rule["expr"].as_str().unwrap_or_default();
        [MACHINES_JOB, PUBLIC_JOB].iter().any(|job| expression.contains(&format!("job=\"{job}\"")))
    };
    rules.filter(is_of_machines).filter_map(|rule| Some(rule["alert"].as_str()?.to_owned())).collect()
}

fn backups(inputs: &Inputs<'_>, accounts: &BTreeMap<String, u64>) -> Vec<String> {
    let told = |policy: &caretaker_api::BackupPolicy| {
        let made = [inputs.backup_accounts(), inputs.planned_on(Cloud::Gcp)].concat();
        let of: Vec<&str> = policy.spec.accounts.iter().filter(|name| accounts.contains_key(*name)).map(String::as_str).collect();
        let of: Vec<&str> = of.into_iter().filter(|name| made.iter().any(|(account, _)| account == name)).collect();
        let terms = &policy.spec.terms;
        (!of.is_empty()).then(|| {
            format!(
                "in {}: those with the tag {}={} daily at {} UTC, kept {} days",
                of.join(", "),
                terms.tag.key,
                terms.tag.value,
                terms.daily_at,
                terms.retention_days
            )
        })
    };
    inputs.policies.iter().filter_map(told).collect()
}

fn tiers(inputs: &Inputs<'_>) -> Vec<(String, u32)> {
    let tiers = inputs.client.spec.monitoring.iter().flat_map(tiers_in_order);
    tiers.map(|(minutes, tier)| (tier.name.clone(), minutes)).collect()
}
