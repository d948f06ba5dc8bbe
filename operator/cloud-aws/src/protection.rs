//! AWS Backup: what is there, and the steps that make or repair it. Plans are found by their names, which are ours to choose; their ids are not.

use aws_sdk_backup::Client;
use aws_sdk_backup::operation::get_backup_plan::GetBackupPlanOutput;
use aws_sdk_backup::types::{BackupPlanInput, BackupRuleInput, BackupSelection, Condition, ConditionType, Lifecycle};
use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::{Listing, said};
use caretaker_cloud::{
    BackupPlanState, CloudError, CloudStep, ErrorClass, ProtectionState, Receipt, Result, SelectionState, StepOutcome, VaultState,
};

use crate::call::Calls;
use crate::inventory::listing::time;
use crate::session::Session;

/// Name of a plan's one rule.
const RULE: &str = "daily";

/// AWS Backup in one region, and the budget of its calls.
pub(crate) struct Service<'a> {
    pub client: Client,
    pub calls: Calls<'a>,
}

impl<'a> Service<'a> {
    pub fn of(session: &'a Session, region: &str, work: &'a Work) -> Self {
        Self { client: Client::new(&session.config(Some(region))), calls: session.calls(work, region) }
    }
}

/// Reads the objects whose name starts with `prefix`.
pub async fn read(session: &Session, regions: &[String], prefix: &str) -> Result<ProtectionState> {
    let (work, mut state) = (Work::once(&session.grant.account_id), ProtectionState::default());
    for region in regions {
        let service = Service::of(session, region, &work);
        state.vaults.extend(vaults(&service, region, prefix).await?);
        for (id, name) in plan_ids(&service, prefix).await? {
            state.plans.push(plan(&service, region, (id, name)).await?);
        }
    }
    Ok(state)
}

async fn vaults(Service { client, calls }: &Service<'_>, region: &str, prefix: &str) -> Result<Vec<VaultState>> {
    let mut found = Vec::new();
    let (mut token, mut listing) = (None::<String>, Listing::of("backup:ListBackupVaults"));
    loop {
        let page = calls.make("backup:ListBackupVaults", || client.list_backup_vaults().set_next_token(token.clone()).send()).await?;
        let ours = page.backup_vault_list().iter().filter(|vault| vault.backup_vault_name().is_some_and(|name| name.starts_with(prefix)));
        found.extend(ours.map(|vault| VaultState {
            region: region.into(),
            name: vault.backup_vault_name().unwrap_or_default().into(),
            recovery_points: u64::try_from(vault.number_of_recovery_points()).unwrap_or_default(),
            locked: vault.locked().unwrap_or_default(),
            least_days: days(vault.min_retention_days()),
            most_days: days(vault.max_retention_days()),
            final_from: time(vault.lock_date()),
            key: said(vault.encryption_key_arn()),
        }));
        token = listing.after(page.next_token())?;
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn days(days: Option<i64>) -> Option<u32> {
    days.and_then(|days| u32::try_from(days).ok()).filter(|days| *days > 0)
}

async fn plan_ids(Service { client, calls }: &Service<'_>, prefix: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let (mut token, mut listing) = (None::<String>, Listing::of("backup:ListBackupPlans"));
    loop {
        let page = calls.make("backup:ListBackupPlans", || client.list_backup_plans().set_next_token(token.clone()).send()).await?;
        for plan in page.backup_plans_list() {
            if let (Some(id), Some(name)) = (plan.backup_plan_id(), plan.backup_plan_name().filter(|name| name.starts_with(prefix))) {
                found.push((id.to_owned(), name.to_owned()));
            }
        }
        token = listing.after(page.next_token())?;
        if token.is_none() {
            return Ok(found);
        }
    }
}

async fn plan(service: &Service<'_>, region: &str, (id, name): (String, String)) -> Result<BackupPlanState> {
    let answer = get_plan(service, &id).await?;
    let rules = answer.backup_plan().map(|plan| plan.rules()).unwrap_or_default();
    let rule = rules.first();
    let days = rule.and_then(|rule| rule.lifecycle()).and_then(|lifecycle| lifecycle.delete_after_days()).unwrap_or_default();
    Ok(BackupPlanState {
        region: region.into(),
        vault: rule.map(|rule| rule.target_backup_vault_name().to_owned()).unwrap_or_default(),
        schedule: rule.and_then(|rule| rule.schedule_expression()).unwrap_or_default().into(),
        retention_days: u32::try_from(days).unwrap_or_default(),
        rules: u32::try_from(rules.len()).unwrap_or(u32::MAX),
        selections: selections(service, &id).await?,
        id,
        name,
    })
}

async fn get_plan(Service { client, calls }: &Service<'_>, id: &str) -> Result<GetBackupPlanOutput> {
    calls.make("backup:GetBackupPlan", || client.get_backup_plan().backup_plan_id(id).send()).await
}

async fn selections(Service { client, calls }: &Service<'_>, plan: &str) -> Result<Vec<SelectionState>> {
    let mut found = Vec::new();
    let (mut token, mut listing) = (None::<String>, Listing::of("backup:ListBackupSelections"));
    loop {
        let request = || client.list_backup_selections().backup_plan_id(plan).set_next_token(token.clone()).send();
        let page = calls.make("backup:ListBackupSelections", request).await?;
        for id in page.backup_selections_list().iter().filter_map(|selection| selection.selection_id()) {
            let request = || client.get_backup_selection().backup_plan_id(plan).selection_id(id).send();
            let answer = calls.make("backup:GetBackupSelection", request).await?;
            let selection = answer.backup_selection();
            let tag = selection.and_then(|selection| selection.list_of_tags().first());
            found.push(SelectionState {
                id: id.into(),
                name: selection.map(|selection| selection.selection_name().to_owned()).unwrap_or_default(),
                tag_key: tag.map(|tag| tag.condition_key().to_owned()).unwrap_or_default(),
                tag_value: tag.map(|tag| tag.condition_value().to_owned()).unwrap_or_default(),
                role_arn: selection.map(|selection| selection.iam_role_arn().to_owned()).unwrap_or_default(),
                beyond: selection.map(beyond).unwrap_or_default(),
            });
        }
        token = listing.after(page.next_token())?;
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// What a selection holds beyond its first tag. A resource is saved beside what has the tag, not only where it has it; an exclusion or a condition takes away.
/// Source: <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupSelection.html>
fn beyond(selection: &BackupSelection) -> Vec<String> {
    let tags = selection.list_of_tags().iter().skip(1).map(|tag| format!("tag {}={}", tag.condition_key(), tag.condition_value()));
    let added = selection.resources().iter().map(|arn| format!("resource {arn}"));
    let taken = selection.not_resources().iter().map(|arn| format!("without {arn}"));
    let conditions = selection.conditions().is_some_and(|held| {
        let lists = [held.string_equals(), held.string_not_equals(), held.string_like(), held.string_not_like()];
        lists.iter().any(|list| !list.is_empty())
    });
    tags.chain(added).chain(taken).chain(conditions.then(|| "conditions".to_owned())).collect()
}

fn receipt(outcome: StepOutcome, id: Option<String>, call: &str) -> Receipt {
    Receipt { outcome, id, calls: vec![call.to_owned()] }
}

/// Does one step.
pub async fn perform(session: &Session, key: &str, step: &CloudStep) -> Result<Receipt> {
    let work = Work::once(&session.grant.account_id);
    match step {
        CloudStep::CreateVault { region, name } => create_vault(&Service::of(session, region, &work), key, name).await,
        CloudStep::CreatePlan { region, name, vault, schedule, retention_days } => {
            let service = Service::of(session, region, &work);
            if let Some((id, _)) = plan_ids(&service, name).await?.into_iter().find(|(_, found)| found == name) {
                return Ok(receipt(StepOutcome::AlreadyDone, Some(id), "backup:ListBackupPlans"));
            }
            let (input, Service { client, calls }) = (plan_input(name, vault, schedule, *retention_days)?, service);
            let request = || client.create_backup_plan().backup_plan(input.clone()).creator_request_id(key).send();
            let answer = calls.make("backup:CreateBackupPlan", request).await?;
            Ok(receipt(StepOutcome::Done, answer.backup_plan_id().map(str::to_owned), "backup:CreateBackupPlan"))
        }
        CloudStep::UpdatePlan { region, .. } => update_plan(&Service::of(session, region, &work), step).await,
        CloudStep::CreateSelection { region, .. } => create_selection(&Service::of(session, region, &work), key, step).await,
        CloudStep::DeleteSelection { region, plan_id, id } => {
            let Service { client, calls } = Service::of(session, region, &work);
            let request = || client.delete_backup_selection().backup_plan_id(plan_id).selection_id(id).send();
            match calls.make("backup:DeleteBackupSelection", request).await {
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

async fn create_vault(Service { client, calls }: &Service<'_>, key: &str, name: &str) -> Result<Receipt> {
    let request = || client.create_backup_vault().backup_vault_name(name).creator_request_id(key).send();
    match calls.make("backup:CreateBackupVault", request).await {
        Ok(_) => Ok(receipt(StepOutcome::Done, Some(name.into()), "backup:CreateBackupVault")),
        Err(error) if error.class == ErrorClass::Conflict => {
            Ok(receipt(StepOutcome::AlreadyDone, Some(name.into()), "backup:CreateBackupVault"))
        }
        Err(error) => Err(error),
    }
}

/// Every update makes a new version of the plan, also one that changes nothing: so it is looked at first.
async fn update_plan(service: &Service<'_>, step: &CloudStep) -> Result<Receipt> {
    let CloudStep::UpdatePlan { id, name, vault, schedule, retention_days, .. } = step else {
        return Err(CloudError::new(ErrorClass::Unsupported, "perform", step.describe()));
    };
    let answer = get_plan(service, id).await?;
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
    let request = || service.client.update_backup_plan().backup_plan_id(id).backup_plan(input.clone()).send();
    service.calls.make("backup:UpdateBackupPlan", request).await?;
    Ok(receipt(StepOutcome::Done, Some(id.clone()), "backup:UpdateBackupPlan"))
}

async fn create_selection(service: &Service<'_>, key: &str, step: &CloudStep) -> Result<Receipt> {
    let CloudStep::CreateSelection { plan, name, tag_key, tag_value, role_arn, .. } = step else {
        return Err(CloudError::new(ErrorClass::Unsupported, "perform", step.describe()));
    };
    let Some((id, _)) = plan_ids(service, plan).await?.into_iter().find(|(_, found)| found == plan) else {
        return Err(CloudError::new(
            ErrorClass::NotFound,
            "backup:CreateBackupSelection",
            format!("the plan {plan} is gone; it is made again"),
        ));
    };
    if let Some(held) = selections(service, &id).await?.into_iter().find(|held| held.name == *name) {
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
    let request = || {
        let request = service.client.create_backup_selection().backup_plan_id(&id).backup_selection(selection.clone());
        request.creator_request_id(key).send()
    };
    let answer = service.calls.make("backup:CreateBackupSelection", request).await?;
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
