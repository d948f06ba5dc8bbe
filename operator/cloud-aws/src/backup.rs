//! AWS Backup: what is there, and the steps that make or repair it. Plans are found by their names, which are ours to choose; their ids are not.

use aws_sdk_backup::Client;
use aws_sdk_backup::types::{BackupPlanInput, BackupRuleInput, BackupSelection, Condition, ConditionType, Lifecycle};
use caretaker_cloud::{
    BackupPlanState, CloudError, CloudStep, ErrorClass, ProtectionState, Receipt, Result, SelectionState, StepOutcome, VaultState,
};

use crate::errors::classify;
use crate::session::Link;

/// Name of a plan's one rule.
const RULE: &str = "daily";

async fn client(link: &Link, region: &str) -> Client {
    link.shared.place(&link.grant.account_id, region).await;
    Client::new(&link.config(Some(region)).await)
}

/// Reads the objects whose name starts with `prefix`.
pub async fn read(link: &Link, regions: &[String], prefix: &str) -> Result<ProtectionState> {
    let mut state = ProtectionState::default();
    for region in regions {
        let client = client(link, region).await;
        state.vaults.extend(vaults(&client, region, prefix).await?);
        for (id, name) in plan_ids(&client, prefix).await? {
            state.plans.push(plan(&client, region, (id, name)).await?);
        }
    }
    Ok(state)
}

async fn vaults(client: &Client, region: &str, prefix: &str) -> Result<Vec<VaultState>> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page =
            client.list_backup_vaults().set_next_token(token).send().await.map_err(|error| classify("backup:ListBackupVaults", &error))?;
        let ours = page.backup_vault_list().iter().filter(|vault| vault.backup_vault_name().is_some_and(|name| name.starts_with(prefix)));
        found.extend(ours.map(|vault| VaultState {
            region: region.into(),
            name: vault.backup_vault_name().unwrap_or_default().into(),
            recovery_points: u64::try_from(vault.number_of_recovery_points()).unwrap_or_default(),
            locked: vault.locked().unwrap_or_default(),
        }));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

async fn plan_ids(client: &Client, prefix: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page =
            client.list_backup_plans().set_next_token(token).send().await.map_err(|error| classify("backup:ListBackupPlans", &error))?;
        for plan in page.backup_plans_list() {
            if let (Some(id), Some(name)) = (plan.backup_plan_id(), plan.backup_plan_name().filter(|name| name.starts_with(prefix))) {
                found.push((id.to_owned(), name.to_owned()));
            }
        }
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

async fn plan(client: &Client, region: &str, (id, name): (String, String)) -> Result<BackupPlanState> {
    let answer = client.get_backup_plan().backup_plan_id(&id).send().await.map_err(|error| classify("backup:GetBackupPlan", &error))?;
    let rules = answer.backup_plan().map(|plan| plan.rules()).unwrap_or_default();
    let rule = rules.first();
    let days = rule.and_then(|rule| rule.lifecycle()).and_then(|lifecycle| lifecycle.delete_after_days()).unwrap_or_default();
    Ok(BackupPlanState {
        region: region.into(),
        vault: rule.map(|rule| rule.target_backup_vault_name().to_owned()).unwrap_or_default(),
        schedule: rule.and_then(|rule| rule.schedule_expression()).unwrap_or_default().into(),
        retention_days: u32::try_from(days).unwrap_or_default(),
        rules: u32::try_from(rules.len()).unwrap_or(u32::MAX),
        selections: selections(client, &id).await?,
        id,
        name,
    })
}

async fn selections(client: &Client, plan: &str) -> Result<Vec<SelectionState>> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let request = client.list_backup_selections().backup_plan_id(plan).set_next_token(token);
        let page = request.send().await.map_err(|error| classify("backup:ListBackupSelections", &error))?;
        for id in page.backup_selections_list().iter().filter_map(|selection| selection.selection_id()) {
            let answer = client
                .get_backup_selection()
                .backup_plan_id(plan)
                .selection_id(id)
                .send()
                .await
                .map_err(|error| classify("backup:GetBackupSelection", &error))?;
            let selection = answer.backup_selection();
            let tag = selection.and_then(|selection| selection.list_of_tags().first());
            found.push(SelectionState {
                id: id.into(),
                name: selection.map(|selection| selection.selection_name().to_owned()).unwrap_or_default(),
                tag_key: tag.map(|tag| tag.condition_key().to_owned()).unwrap_or_default(),
                tag_value: tag.map(|tag| tag.condition_value().to_owned()).unwrap_or_default(),
                role_arn: selection.map(|selection| selection.iam_role_arn().to_owned()).unwrap_or_default(),
            });
        }
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn receipt(outcome: StepOutcome, id: Option<String>, call: &str) -> Receipt {
    Receipt { outcome, id, calls: vec![call.to_owned()] }
}

/// Does one step.
pub async fn perform(link: &Link, key: &str, step: &CloudStep) -> Result<Receipt> {
    match step {
        CloudStep::CreateVault { region, name } => create_vault(&client(link, region).await, key, name).await,
        CloudStep::CreatePlan { region, name, vault, schedule, retention_days } => {
            let client = client(link, region).await;
            if let Some((id, _)) = plan_ids(&client, name).await?.into_iter().find(|(_, found)| found == name) {
                return Ok(receipt(StepOutcome::AlreadyDone, Some(id), "backup:ListBackupPlans"));
            }
            let input = plan_input(name, vault, schedule, *retention_days)?;
            let answer = client
                .create_backup_plan()
                .backup_plan(input)
                .creator_request_id(key)
                .send()
                .await
                .map_err(|error| classify("backup:CreateBackupPlan", &error))?;
            Ok(receipt(StepOutcome::Done, answer.backup_plan_id().map(str::to_owned), "backup:CreateBackupPlan"))
        }
        CloudStep::UpdatePlan { .. } => update_plan(link, step).await,
        CloudStep::CreateSelection { .. } => create_selection(link, key, step).await,
        CloudStep::DeleteSelection { region, plan_id, id } => {
            let request = client(link, region).await.delete_backup_selection().backup_plan_id(plan_id).selection_id(id);
            match request.send().await.map_err(|error| classify("backup:DeleteBackupSelection", &error)) {
                Ok(_) => Ok(receipt(StepOutcome::Done, None, "backup:DeleteBackupSelection")),
                Err(error) if error.class == ErrorClass::NotFound => {
                    Ok(receipt(StepOutcome::AlreadyDone, None, "backup:DeleteBackupSelection"))
                }
                Err(error) => Err(error),
            }
        }
        other => Err(CloudError::new(ErrorClass::Unsupported, "perform", format!("not a step of AWS Backup: {}", other.describe()))),
    }
}

async fn create_vault(client: &Client, key: &str, name: &str) -> Result<Receipt> {
    let request = client.create_backup_vault().backup_vault_name(name).creator_request_id(key);
    match request.send().await.map_err(|error| classify("backup:CreateBackupVault", &error)) {
        Ok(_) => Ok(receipt(StepOutcome::Done, Some(name.into()), "backup:CreateBackupVault")),
        Err(error) if error.class == ErrorClass::Conflict => {
            Ok(receipt(StepOutcome::AlreadyDone, Some(name.into()), "backup:CreateBackupVault"))
        }
        Err(error) => Err(error),
    }
}

/// Every update makes a new version of the plan, also one that changes nothing: so it is looked at first.
async fn update_plan(link: &Link, step: &CloudStep) -> Result<Receipt> {
    let CloudStep::UpdatePlan { region, id, name, vault, schedule, retention_days } = step else {
        return Err(CloudError::new(ErrorClass::Unsupported, "perform", step.describe()));
    };
    let client = client(link, region).await;
    let answer = client.get_backup_plan().backup_plan_id(id).send().await.map_err(|error| classify("backup:GetBackupPlan", &error))?;
    let held = answer.backup_plan();
    let wanted = (vault.as_str(), Some(schedule.as_str()), Some(i64::from(*retention_days)));
    let is_right = held.is_some_and(|plan| {
        let [rule] = plan.rules() else { return false };
        let days = rule.lifecycle().and_then(|lifecycle| lifecycle.delete_after_days());
        plan.backup_plan_name() == name && (rule.target_backup_vault_name(), rule.schedule_expression(), days) == wanted
    });
    if is_right {
        return Ok(receipt(StepOutcome::AlreadyDone, Some(id.clone()), "backup:GetBackupPlan"));
    }
    let input = plan_input(name, vault, schedule, *retention_days)?;
    let request = client.update_backup_plan().backup_plan_id(id).backup_plan(input);
    request.send().await.map_err(|error| classify("backup:UpdateBackupPlan", &error))?;
    Ok(receipt(StepOutcome::Done, Some(id.clone()), "backup:UpdateBackupPlan"))
}

async fn create_selection(link: &Link, key: &str, step: &CloudStep) -> Result<Receipt> {
    let CloudStep::CreateSelection { region, plan, name, tag_key, tag_value, role_arn } = step else {
        return Err(CloudError::new(ErrorClass::Unsupported, "perform", step.describe()));
    };
    let client = client(link, region).await;
    let Some((id, _)) = plan_ids(&client, plan).await?.into_iter().find(|(_, found)| found == plan) else {
        return Err(CloudError::new(
            ErrorClass::NotFound,
            "backup:CreateBackupSelection",
            format!("the plan {plan} is gone; it is made again"),
        ));
    };
    if let Some(held) = selections(&client, &id).await?.into_iter().find(|held| held.name == *name) {
        return Ok(receipt(StepOutcome::AlreadyDone, Some(held.id), "backup:ListBackupSelections"));
    }
    let malformed = |error: aws_smithy_types::error::operation::BuildError| {
        CloudError::new(ErrorClass::Invalid, "backup:CreateBackupSelection", error.to_string())
    };
    let tag = Condition::builder()
        .condition_type(ConditionType::Stringequals)
        .condition_key(tag_key)
        .condition_value(tag_value)
        .build()
        .map_err(malformed)?;
    let selection = BackupSelection::builder().selection_name(name).iam_role_arn(role_arn).list_of_tags(tag).build().map_err(malformed)?;
    let request = client.create_backup_selection().backup_plan_id(id).backup_selection(selection).creator_request_id(key);
    let answer = request.send().await.map_err(|error| classify("backup:CreateBackupSelection", &error))?;
    Ok(receipt(StepOutcome::Done, answer.selection_id().map(str::to_owned), "backup:CreateBackupSelection"))
}

fn plan_input(name: &str, vault: &str, schedule: &str, retention_days: u32) -> Result<BackupPlanInput> {
    let malformed = |error: aws_smithy_types::error::operation::BuildError| {
        CloudError::new(ErrorClass::Invalid, "backup:CreateBackupPlan", error.to_string())
    };
    let lifecycle = Lifecycle::builder().delete_after_days(i64::from(retention_days)).build();
    let rule = BackupRuleInput::builder()
        .rule_name(RULE)
        .target_backup_vault_name(vault)
        .schedule_expression(schedule)
        .lifecycle(lifecycle)
        .build()
        .map_err(malformed)?;
    BackupPlanInput::builder().backup_plan_name(name).rules(rule).build().map_err(malformed)
}
