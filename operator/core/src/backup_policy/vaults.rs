//! A policy in AWS Backup: a vault, a plan, and a selection by tag.

use caretaker_api::backup_policy::BackupTerms;
use caretaker_api::condition::Reason;
use caretaker_cloud::{BackupPlanState, CloudStep, ProtectionState, VaultState};

use super::{AccountView, RegionPlan};

/// Where a plan selects what has the tag.
pub(super) fn by_tag(terms: &BackupTerms, (account, state): (&AccountView, &ProtectionState), found: RegionPlan) -> RegionPlan {
    let (region, name) = (&found.region, &found.name);
    let held = state.plans.iter().find(|plan| plan.region == *region && plan.name == *name);
    let vault = state.vaults.iter().find(|vault| vault.region == *region && vault.name == *name);
    let blocked = vault.and_then(|vault| lock_forbids(vault, terms.retention_days)).map(|why| (Reason::LockForbids, why));
    let steps = if blocked.is_none() { steps(terms, account, (region, name), (state, held)) } else { Vec::new() };
    RegionPlan { plan_id: held.map(|plan| plan.id.clone()), steps, blocked, ..found }
}

/// The daily schedule in AWS's words, UTC.
fn schedule(terms: &BackupTerms) -> String {
    let (hour, minute) = terms.daily_at.split_once(':').unwrap_or(("0", "0"));
    let number = |text: &str| text.parse::<u8>().unwrap_or_default();
    format!("cron({} {} * * ? *)", number(minute), number(hour))
}

/// A lock fails every job that wants its point kept for fewer or more days: it is told before a plan is written, not by the jobs.
/// Source: <https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html>
fn lock_forbids(vault: &VaultState, days: u32) -> Option<String> {
    let VaultState { region, name, least_days, most_days, .. } = vault;
    let told = |bound: &str, lock: u32, cure: &str| {
        format!(
            "the vault {name} in {region} is locked and keeps recovery points {bound} {lock} days, while the policy says {days}: every job would fail; set \
             retentionDays to {lock} or {cure}"
        )
    };
    match (least_days, most_days) {
        (Some(least), _) if days < *least => Some(told("at least", *least, "more")),
        (_, Some(most)) if days > *most => Some(told("at most", *most, "fewer")),
        _ => None,
    }
}

fn steps(
    terms: &BackupTerms,
    account: &AccountView,
    (region, name): (&str, &str),
    (state, held): (&ProtectionState, Option<&BackupPlanState>),
) -> Vec<CloudStep> {
    let (region, name, schedule, retention_days) = (region.to_owned(), name.to_owned(), schedule(terms), terms.retention_days);
    let mut steps = Vec::new();
    if !state.vaults.iter().any(|vault| vault.region == region && vault.name == name) {
        steps.push(CloudStep::CreateVault { region: region.clone(), name: name.clone() });
    }
    match held {
        None => {
            steps.push(CloudStep::CreatePlan { region: region.clone(), name: name.clone(), vault: name.clone(), schedule, retention_days })
        }
        Some(plan) if plan.vault != name || plan.schedule != schedule || plan.retention_days != retention_days || plan.rules != 1 => {
            let (region, name, id, vault) = (region.clone(), name.clone(), plan.id.clone(), name.clone());
            steps.push(CloudStep::UpdatePlan { region, id, name, vault, schedule, retention_days });
        }
        Some(_) => {}
    }
    let wanted = |selection: &caretaker_cloud::SelectionState| {
        selection.name == name
            && selection.tag_key == terms.tag.key
            && selection.tag_value == terms.tag.value
            && selection.role_arn == account.backup_role
            && selection.beyond.is_empty()
    };
    let selections = held.map(|plan| plan.selections.as_slice()).unwrap_or_default();
    if let Some(plan) = held {
        for selection in selections.iter().filter(|selection| !wanted(selection)) {
            steps.push(CloudStep::DeleteSelection { region: region.clone(), plan_id: plan.id.clone(), id: selection.id.clone() });
        }
    }
    if !selections.iter().any(wanted) {
        steps.push(CloudStep::CreateSelection {
            region,
            plan: name.clone(),
            name,
            tag_key: terms.tag.key.clone(),
            tag_value: terms.tag.value.clone(),
            role_arn: account.backup_role.clone(),
        });
    }
    steps
}
