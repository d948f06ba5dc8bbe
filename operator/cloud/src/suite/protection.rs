//! Backup objects: made once, put back where they drift, read or not read.

use super::{Stage, link};
use crate::{AccessGrant, CloudLink, CloudStep, ProtectionState, Purpose, Receipt, StepOutcome};

/// The tag that selections ask for.
const TAG: (&str, &str) = ("backup", "daily");
/// A daily schedule.
const DAILY: &str = "cron(30 3 * * ? *)";

/// Names of one run of an obligation.
struct Objects {
    region: String,
    name: String,
    role: String,
}

impl Objects {
    fn of(stage: &dyn Stage, grant: &AccessGrant) -> Self {
        let account = grant.account();
        let role = format!("arn:aws:iam::{account}:role/CaretakerBackupService");
        Self { region: stage.places()[0].into(), name: format!("caretaker-suite-{account}"), role }
    }

    fn steps(&self) -> [CloudStep; 3] {
        let (region, name) = (self.region.clone(), self.name.clone());
        let plan = (name.clone(), DAILY.to_owned());
        [
            CloudStep::CreateVault { region: region.clone(), name: name.clone() },
            CloudStep::CreatePlan { region, name, vault: plan.0, schedule: plan.1, retention_days: 35 },
            self.selection(TAG.1),
        ]
    }

    fn selection(&self, tag_value: &str) -> CloudStep {
        CloudStep::CreateSelection {
            region: self.region.clone(),
            plan: self.name.clone(),
            name: self.name.clone(),
            tag_key: TAG.0.into(),
            tag_value: tag_value.into(),
            role_arn: self.role.clone(),
        }
    }

    async fn state(&self, link: &dyn CloudLink) -> ProtectionState {
        link.protection(std::slice::from_ref(&self.region), &self.name).await.expect("the state can be read")
    }

    async fn make(&self, link: &dyn CloudLink) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        for (number, step) in self.steps().iter().enumerate() {
            receipts.push(link.perform(&format!("{}-{number}", self.name), step).await.expect("the step can be done"));
        }
        receipts
    }
}

/// What was made is read back; the same steps again change nothing, give the same ids, and say so.
pub async fn performing_twice_changes_nothing_more(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let (objects, link) = (Objects::of(stage, &grant), link(stage, &grant, Purpose::Backup).await);
    assert_eq!(objects.state(link.as_ref()).await, ProtectionState::default());
    let first = objects.make(link.as_ref()).await;
    assert!(first.iter().all(|receipt| receipt.outcome == StepOutcome::Done && !receipt.calls.is_empty()), "{first:?}");
    let state = objects.state(link.as_ref()).await;
    let [plan] = state.plans.as_slice() else { panic!("one plan: {state:?}") };
    assert_eq!((state.vaults.len(), state.vaults[0].name.as_str()), (1, objects.name.as_str()));
    assert_eq!((plan.vault.as_str(), plan.schedule.as_str(), plan.retention_days, plan.rules), (objects.name.as_str(), DAILY, 35, 1));
    assert_eq!(first[1].id.as_deref(), Some(plan.id.as_str()), "the receipt names the plan");
    let [selection] = plan.selections.as_slice() else { panic!("one selection: {state:?}") };
    assert_eq!((selection.tag_key.as_str(), selection.tag_value.as_str()), TAG);
    assert_eq!(selection.role_arn, objects.role);
    let second = objects.make(link.as_ref()).await;
    assert!(second.iter().all(|receipt| receipt.outcome == StepOutcome::AlreadyDone), "{second:?}");
    let ids = |receipts: &[Receipt]| receipts.iter().map(|receipt| receipt.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(objects.state(link.as_ref()).await, state);
}

/// A plan that somebody changed is seen as changed, put back, and left alone once it is right.
pub async fn drift_is_put_back(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let (objects, link) = (Objects::of(stage, &grant), link(stage, &grant, Purpose::Backup).await);
    objects.make(link.as_ref()).await;
    let right = objects.state(link.as_ref()).await;
    let id = right.plans[0].id.clone();
    stage.spoil_plan(&grant, &objects.region, &id).await;
    assert_ne!(objects.state(link.as_ref()).await, right, "the drift shows");
    let (region, name, vault) = (objects.region.clone(), objects.name.clone(), objects.name.clone());
    let step = CloudStep::UpdatePlan { region, id, name, vault, schedule: DAILY.into(), retention_days: 35 };
    assert_eq!(link.perform("put-back", &step).await.expect("the step can be done").outcome, StepOutcome::Done);
    assert_eq!(objects.state(link.as_ref()).await, right);
    assert_eq!(link.perform("put-back", &step).await.expect("the step can be done").outcome, StepOutcome::AlreadyDone);
}

/// A selection that differs is removed, once, and made anew.
pub async fn a_selection_is_replaced(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let (objects, link) = (Objects::of(stage, &grant), link(stage, &grant, Purpose::Backup).await);
    objects.make(link.as_ref()).await;
    let plan = objects.state(link.as_ref()).await.plans.remove(0);
    let (region, plan_id, id) = (objects.region.clone(), plan.id.clone(), plan.selections[0].id.clone());
    let step = CloudStep::DeleteSelection { region, plan_id, id };
    assert_eq!(link.perform("remove", &step).await.expect("the step can be done").outcome, StepOutcome::Done);
    assert!(objects.state(link.as_ref()).await.plans[0].selections.is_empty());
    assert_eq!(link.perform("remove", &step).await.expect("the step can be done").outcome, StepOutcome::AlreadyDone);
    let made = link.perform("replace", &objects.selection("weekly")).await.expect("the step can be done");
    assert_eq!(made.outcome, StepOutcome::Done);
    assert_eq!(objects.state(link.as_ref()).await.plans[0].selections[0].tag_value, "weekly");
}

/// State that could not be read is an error, never an empty state from which a plan would be made.
pub async fn an_answer_that_did_not_come_is_an_error(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let (objects, link) = (Objects::of(stage, &grant), link(stage, &grant, Purpose::Backup).await);
    objects.make(link.as_ref()).await;
    stage.forbid_action(&grant, "backup:GetBackupPlan").await;
    let regions = [objects.region.clone()];
    let answer = link.protection(&regions, &objects.name).await;
    assert!(answer.as_ref().is_err_and(crate::CloudError::is_refusal), "{answer:?}");
}
