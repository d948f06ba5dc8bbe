//! Backup objects: made once, put back where they drift, read or not read.

use jiff::{SignedDuration, Timestamp};

use super::{Capability, PAGE, Stage, link};
use crate::{
    AccessGrant, BackupJob, CloudLink, CloudStep, Ground, Intent, JobState, PointState, ProtectionState, Purpose, Receipt, RecoveryPoint,
    RecoverySink, RestoreTestTerms, Result, StepOutcome,
};

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

    fn intent(&self) -> Intent {
        Intent { name: self.name.clone(), regions: vec![self.region.clone()], ..Intent::default() }
    }

    async fn state(&self, link: &dyn CloudLink) -> ProtectionState {
        link.protection(&self.intent()).await.expect("the state can be read")
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
    let answer = link.protection(&objects.intent()).await;
    assert!(answer.as_ref().is_err_and(crate::CloudError::is_refusal), "{answer:?}");
}

/// Takes all that comes.
#[derive(Default)]
struct Taken {
    points: Vec<RecoveryPoint>,
    jobs: Vec<BackupJob>,
}

impl RecoverySink for Taken {
    fn point(&mut self, point: RecoveryPoint) {
        self.points.push(point);
    }

    fn job(&mut self, job: BackupJob) {
        self.jobs.push(job);
    }
}

/// A whole second some hours ago, as every cloud can tell it.
pub(super) fn hours_ago(hours: i64) -> Timestamp {
    let at = Timestamp::now() - SignedDuration::from_hours(hours);
    Timestamp::from_second(at.as_second()).expect("a time of these years")
}

async fn recovery(link: &dyn CloudLink, region: &str) -> Result<(Taken, Ground)> {
    let mut taken = Taken::default();
    let ground = link.recovery(region, hours_ago(48), &mut taken).await?;
    Ok((taken, ground))
}

/// An account whose points are read, the session, and the region; with the vault, where the adapter makes one.
async fn readable(stage: &dyn Stage) -> (AccessGrant, std::sync::Arc<dyn CloudLink>, String) {
    if stage.lacks().contains(&Capability::Backup) {
        let grant = stage.account(&[Purpose::Read]).await;
        let link = link(stage, &grant, Purpose::Read).await;
        return (grant, link, stage.places()[0].into());
    }
    let grant = stage.account(&[Purpose::Read, Purpose::Backup]).await;
    let (objects, link) = (Objects::of(stage, &grant), link(stage, &grant, Purpose::Backup).await);
    objects.make(link.as_ref()).await;
    (grant, link, objects.region)
}

/// Points and jobs come as they are, once each, over all pages; jobs of before the time that was asked for do not come, and nothing of another region.
pub async fn every_point_and_every_job_comes_once_over_all_pages(stage: &dyn Stage) {
    let (grant, link, region) = readable(stage).await;
    let (empty, _) = recovery(link.as_ref(), &region).await.expect("it can be read");
    assert!(empty.points.is_empty() && empty.jobs.is_empty());
    let (states, ends) = stage.recovery_states();
    let mut points: Vec<RecoveryPoint> =
        (0..PAGE * 3 - 1).map(|number| stage.point(&grant, &region, number, (states[number % states.len()], hours_ago(3)))).collect();
    let mut jobs: Vec<BackupJob> =
        ends.iter().enumerate().map(|(number, state)| stage.job(&grant, &region, number, (*state, hours_ago(2)))).collect();
    jobs.extend((0..PAGE).map(|number| stage.job(&grant, &region, 100 + number, (JobState::Completed, hours_ago(40)))));
    let old = stage.job(&grant, &region, 999, (JobState::Failed, hours_ago(72)));
    stage.plant_recovery(&grant, &points, &[jobs.clone(), vec![old]].concat(), &[]).await;
    let elsewhere = stage.point(&grant, stage.places()[1], 5000, (PointState::Usable, hours_ago(3)));
    stage.plant_recovery(&grant, &[elsewhere], &[], &[]).await;
    stage.page_rows(PAGE).await;
    let (mut taken, _) = recovery(link.as_ref(), &region).await.expect("it can be read");
    for points in [&mut taken.points, &mut points] {
        points.sort_by(|one, other| one.id.cmp(&other.id));
    }
    for jobs in [&mut taken.jobs, &mut jobs] {
        jobs.sort_by(|one, other| one.id.cmp(&other.id));
    }
    assert_eq!(taken.points, points);
    assert_eq!(taken.jobs, jobs);
}

/// A kind that somebody has left out in a region is told.
pub async fn a_kind_that_is_left_out_is_told(stage: &dyn Stage) {
    let (grant, link, region) = readable(stage).await;
    let (_, ground) = recovery(link.as_ref(), &region).await.expect("it can be read");
    assert_eq!(ground.takes.get("EBS"), Some(&true), "{ground:?}");
    stage.plant_recovery(&grant, &[], &[], &[(&region, "EBS")]).await;
    let (_, ground) = recovery(link.as_ref(), &region).await.expect("it can be read");
    assert_eq!((ground.takes.get("EBS"), ground.takes.get("EC2")), (Some(&false), Some(&true)));
}

/// What was not read to its end is an error: nobody may conclude that there is no point.
pub async fn points_that_may_not_be_read_are_an_error(stage: &dyn Stage) {
    for action in stage.recovery_actions() {
        let (grant, link, region) = readable(stage).await;
        stage.plant_recovery(&grant, &[stage.point(&grant, &region, 1, (PointState::Usable, hours_ago(3)))], &[], &[]).await;
        let read = recovery(link.as_ref(), &region).await.map(|(taken, _)| taken.points.len());
        assert_eq!(read.expect("it can be read"), 1);
        stage.forbid_action(&grant, action).await;
        let answer = recovery(link.as_ref(), &region).await.map(|(taken, _)| taken.points.len());
        assert!(answer.as_ref().is_err_and(crate::CloudError::is_refusal), "{action}: {answer:?}");
        stage.cure().await;
    }
}

/// A restore test is read back as it was made; the same again changes nothing, and another sample is put in its place.
pub async fn a_restore_test_is_made_once_and_put_back(stage: &dyn Stage) {
    let grant = stage.account(&[Purpose::Read, Purpose::RestoreTest]).await;
    let (objects, link) = (Objects::of(stage, &grant), link(stage, &grant, Purpose::RestoreTest).await);
    let source = |number: usize| format!("arn:aws:ec2:{}:{}:volume/vol-{number:017x}", objects.region, grant.account());
    let terms = RestoreTestTerms {
        region: objects.region.clone(),
        name: format!("caretaker_suite_{}", grant.account()),
        schedule: "cron(0 11 ? * 3 *)".into(),
        role_arn: objects.role.clone(),
        sources: vec![source(1), source(2)],
    };
    let read = async || link.restore_test((&terms.region, &terms.name), hours_ago(48)).await.expect("it can be read");
    assert_eq!(read().await.terms, None);
    let set = async |terms: &RestoreTestTerms| {
        let step = CloudStep::SetRestoreTest { terms: terms.clone() };
        link.perform("restore-test", &step).await.expect("the step can be done").outcome
    };
    assert_eq!(set(&terms).await, StepOutcome::Done);
    assert_eq!(read().await.terms.as_ref(), Some(&terms));
    assert_eq!(set(&terms).await, StepOutcome::AlreadyDone);
    for other in [
        RestoreTestTerms { sources: vec![source(3)], ..terms.clone() },
        RestoreTestTerms { schedule: "cron(0 11 ? * 3#1 *)".into(), ..terms.clone() },
    ] {
        assert_eq!(set(&other).await, StepOutcome::Done);
        assert_eq!(read().await.terms.as_ref(), Some(&other));
        assert_eq!(set(&other).await, StepOutcome::AlreadyDone);
    }
    let backup = stage.connector().connect(&grant, Purpose::Read).await.expect("the client lets us in");
    let refused = backup.perform("restore-test", &CloudStep::SetRestoreTest { terms: terms.clone() }).await;
    assert!(refused.as_ref().is_err_and(crate::CloudError::is_refusal), "a session for reading restores nothing: {refused:?}");
}
