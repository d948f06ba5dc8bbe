//! What the cloud in memory writes of backups and restore tests.

use super::FakeAccount;
use super::account::FakePlan;
use super::link::{FakeLink, receipt};
use crate::{BackupPlanState, CloudError, ErrorClass, Receipt, Removal, RestoreTestTerms, Result, SelectionState, StepOutcome};

impl FakeLink {
    pub(super) fn create_plan(&self, region: &str, plan: FakePlan) -> Result<Receipt> {
        let (listed, name) = ("backup:ListBackupPlans", plan.name.clone());
        if let Some(id) = self.call(listed, region, |account| Ok(find_plan(account, region, &name)))? {
            return Ok(receipt(StepOutcome::AlreadyDone, Some(id), listed));
        }
        let call = "backup:CreateBackupPlan";
        let id = self.write(call, region, |account| {
            let id = account.next_id("plan");
            account.plans.insert((region.to_owned(), id.clone()), plan);
            Ok(id)
        })?;
        Ok(receipt(StepOutcome::Done, Some(id), call))
    }

    pub(super) fn update_plan(&self, region: &str, id: &str, wanted: FakePlan) -> Result<Receipt> {
        let key = (region.to_owned(), id.to_owned());
        let gone = |call: &str| CloudError::new(ErrorClass::NotFound, call, "no such plan").with_code("ResourceNotFoundException");
        let (read, call) = ("backup:GetBackupPlan", "backup:UpdateBackupPlan");
        let held = self.call(read, region, |account| account.plans.get(&key).cloned().ok_or_else(|| gone(read)))?;
        let wanted = FakePlan { selections: held.selections.clone(), ..wanted };
        if held == wanted {
            return Ok(receipt(StepOutcome::AlreadyDone, Some(id.into()), read));
        }
        self.write(call, region, |account| account.plans.insert(key, wanted).map(drop).ok_or_else(|| gone(call)))?;
        Ok(receipt(StepOutcome::Done, Some(id.into()), call))
    }

    pub(super) fn create_selection(&self, region: &str, plan: &str, selection: SelectionState) -> Result<Receipt> {
        let call = "backup:CreateBackupSelection";
        let Some(id) = self.call("backup:ListBackupPlans", region, |account| Ok(find_plan(account, region, plan)))? else {
            return Err(CloudError::new(ErrorClass::NotFound, call, format!("the plan {plan} is gone; it is made again")));
        };
        let key = (region.to_owned(), id);
        let listed = "backup:ListBackupSelections";
        let named = |plan: &FakePlan| plan.selections.iter().find(|held| held.name == selection.name).map(|held| held.id.clone());
        if let Some(held) = self.call(listed, region, |account| Ok(account.plans.get(&key).and_then(named)))? {
            return Ok(receipt(StepOutcome::AlreadyDone, Some(held), listed));
        }
        let id = self.write(call, region, |account| {
            let id = account.next_id("selection");
            let plan = account.plans.get_mut(&key).ok_or_else(|| CloudError::new(ErrorClass::NotFound, call, "the plan is gone"))?;
            plan.selections.push(SelectionState { id: id.clone(), ..selection.clone() });
            Ok(id)
        })?;
        Ok(receipt(StepOutcome::Done, Some(id), call))
    }

    pub(super) fn delete_selection(&self, region: &str, plan: &str, id: &str) -> Result<Receipt> {
        let (call, key) = ("backup:DeleteBackupSelection", (region.to_owned(), plan.to_owned()));
        let was_there = self.call(call, region, |account| {
            let Some(plan) = account.plans.get_mut(&key) else { return Ok(false) };
            let before = plan.selections.len();
            plan.selections.retain(|held| held.id != id);
            Ok(plan.selections.len() < before)
        })?;
        if was_there {
            self.cloud.lock().wrote();
        }
        Ok(receipt(if was_there { StepOutcome::Done } else { StepOutcome::AlreadyDone }, None, call))
    }

    pub(super) fn create_vault(&self, region: &str, name: &str) -> Result<Receipt> {
        let (call, key) = ("backup:CreateBackupVault", (region.to_owned(), name.to_owned()));
        let made = self.call(call, region, |account| {
            let is_new = !account.vaults.contains_key(&key);
            account.vaults.entry(key).or_default();
            Ok(is_new)
        })?;
        if made {
            self.cloud.lock().wrote();
        }
        Ok(receipt(if made { StepOutcome::Done } else { StepOutcome::AlreadyDone }, Some(name.into()), call))
    }

    pub(super) fn set_restore_test(&self, terms: &RestoreTestTerms) -> Result<Receipt> {
        let (region, key) = (&terms.region, (terms.region.clone(), terms.name.clone()));
        let held = self.call("backup:GetRestoreTestingPlan", region, |account| Ok(account.restore_tests.get(&key).cloned()))?;
        let call = match &held {
            Some(held) if held == terms => {
                return Ok(receipt(StepOutcome::AlreadyDone, Some(terms.name.clone()), "backup:GetRestoreTestingPlan"));
            }
            Some(_) => "backup:UpdateRestoreTestingSelection",
            None => "backup:CreateRestoreTestingPlan",
        };
        self.write(call, region, |account| {
            account.restore_tests.insert(key, terms.clone());
            Ok(())
        })?;
        Ok(receipt(StepOutcome::Done, Some(terms.name.clone()), call))
    }

    pub(super) fn note_restore(&self, region: &str, (run, is_sound): (&str, bool)) -> Result<Receipt> {
        let call = "backup:PutRestoreValidationResult";
        self.write(call, region, |account| {
            let held = account.restores.iter_mut().find(|held| held.id == run);
            let held = held.ok_or_else(|| CloudError::new(ErrorClass::NotFound, call, "no such restore"))?;
            (held.is_noted, held.is_sound, held.removal) = (true, Some(is_sound), Removal::Done);
            Ok(())
        })?;
        Ok(receipt(StepOutcome::Done, Some(run.into()), call))
    }
}

pub(super) fn find_plan(account: &FakeAccount, region: &str, name: &str) -> Option<String> {
    account.plans.iter().find(|((found, _), plan)| found == region && plan.name == name).map(|((_, id), _)| id.clone())
}

pub(super) fn plan_of(name: &str, vault: &str, schedule: &str, retention_days: u32) -> FakePlan {
    FakePlan { name: name.into(), vault: vault.into(), schedule: schedule.into(), retention_days, rules: 1, selections: Vec::new() }
}

pub(super) fn plan_state(region: &str, id: &str, plan: &FakePlan) -> BackupPlanState {
    let FakePlan { name, vault, schedule, retention_days, rules, selections } = plan.clone();
    BackupPlanState { region: region.into(), id: id.into(), name, vault, schedule, retention_days, rules, selections }
}
