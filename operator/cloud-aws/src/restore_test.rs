//! Restore testing of AWS Backup: AWS restores by itself, tags what it restores, and deletes it after the verdict or when its window is over. Nothing of
//! ours is left by whoever is killed in between.

use aws_sdk_backup::types::{
    RestoreDeletionStatus, RestoreJobStatus, RestoreJobsListMember, RestoreTestingPlanForCreate, RestoreTestingPlanForUpdate,
    RestoreTestingRecoveryPointSelection, RestoreTestingRecoveryPointSelectionAlgorithm, RestoreTestingRecoveryPointType,
    RestoreTestingSelectionForCreate, RestoreTestingSelectionForUpdate, RestoreValidationStatus,
};
use aws_sdk_ec2::types::VolumeState;
use aws_smithy_types::DateTime;
use aws_smithy_types::error::operation::BuildError;
use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::{Listing, said};
use caretaker_cloud::{
    CloudError, ErrorClass, Receipt, Removal, RestoreRun, RestoreState, RestoreTestState, RestoreTestTerms, Result, StepOutcome,
};
use jiff::Timestamp;

use crate::inventory::listing::time;
use crate::protection::Service;
use crate::session::Session;

/// The kind that is restored: a disk beside the original does nothing. A machine would boot.
const KIND: &str = "EBS";
/// How old a recovery point of a test may be, in days.
const WINDOW_DAYS: i32 = 30;
/// Within how many hours of its time a test begins.
const START_HOURS: i32 = 4;
/// How long AWS keeps what it restored while nobody has given a verdict, in hours.
const VALIDATION_HOURS: i32 = 8;

/// Reads plan, selection and restores.
pub async fn read(session: &Session, (region, name): (&str, &str), since: Timestamp) -> Result<RestoreTestState> {
    let work = Work::once(&session.grant.account_id);
    let service = Service::of(session, region, &work);
    let Service { client, calls } = &service;
    let request = || client.get_restore_testing_plan().restore_testing_plan_name(name).send();
    let plan = match calls.make("backup:GetRestoreTestingPlan", request).await {
        Err(error) if error.class == ErrorClass::NotFound => return Ok(RestoreTestState::default()),
        answer => answer?,
    };
    let plan = plan.restore_testing_plan().ok_or_else(|| malformed("backup:GetRestoreTestingPlan", "it names no plan"))?;
    let (role_arn, mut sources) = selection(&service, name).await?.unwrap_or_default();
    sources.sort();
    let schedule = plan.schedule_expression().to_owned();
    let terms = RestoreTestTerms { region: region.into(), name: name.into(), schedule, role_arn, sources };
    let mut runs = runs(&service, plan.restore_testing_plan_arn(), since).await?;
    for run in runs.iter_mut().filter(|run| run.state == RestoreState::Completed && !run.is_noted) {
        run.is_sound = look(session, (region, &work), run.restored.as_deref()).await?;
    }
    Ok(RestoreTestState { terms: Some(terms), runs })
}

/// Role and resources of the selection that has the plan's name.
async fn selection(Service { client, calls }: &Service<'_>, name: &str) -> Result<Option<(String, Vec<String>)>> {
    let request = || client.get_restore_testing_selection().restore_testing_plan_name(name).restore_testing_selection_name(name).send();
    let answer = match calls.make("backup:GetRestoreTestingSelection", request).await {
        Err(error) if error.class == ErrorClass::NotFound => return Ok(None),
        answer => answer?,
    };
    Ok(answer.restore_testing_selection().map(|held| (held.iam_role_arn().to_owned(), held.protected_resource_arns().to_vec())))
}

async fn runs(Service { client, calls }: &Service<'_>, plan: &str, since: Timestamp) -> Result<Vec<RestoreRun>> {
    let call = "backup:ListRestoreJobs";
    let (mut found, mut token, mut listing) = (Vec::new(), None::<String>, Listing::of(call));
    loop {
        let request = || {
            let request = client.list_restore_jobs().by_restore_testing_plan_arn(plan);
            request.by_created_after(DateTime::from_secs(since.as_second())).set_next_token(token.clone()).send()
        };
        let page = calls.make(call, request).await?;
        found.extend(page.restore_jobs().iter().filter_map(run));
        token = listing.after(page.next_token())?;
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn run(row: &RestoreJobsListMember) -> Option<RestoreRun> {
    let state = match row.status() {
        Some(RestoreJobStatus::Completed) => RestoreState::Completed,
        Some(RestoreJobStatus::Failed | RestoreJobStatus::Aborted) => RestoreState::Failed,
        _ => RestoreState::UnderWay,
    };
    let removal = match row.deletion_status() {
        Some(RestoreDeletionStatus::Successful) => Removal::Done,
        Some(RestoreDeletionStatus::Failed) => Removal::Failed,
        _ => Removal::Pending,
    };
    let verdict = row.validation_status();
    let is_noted =
        matches!(verdict, Some(RestoreValidationStatus::Successful | RestoreValidationStatus::Failed | RestoreValidationStatus::TimedOut));
    let messages = [row.status_message(), row.validation_status_message(), row.deletion_status_message()];
    Some(RestoreRun {
        id: row.restore_job_id()?.into(),
        source: row.source_resource_arn().unwrap_or_default().into(),
        point: row.recovery_point_arn().unwrap_or_default().into(),
        state,
        began: time(row.creation_date())?,
        ended: time(row.completion_date()),
        restored: said(row.created_resource_arn()),
        is_sound: is_noted.then(|| verdict == Some(&RestoreValidationStatus::Successful)),
        is_noted,
        removal,
        message: messages.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; "),
    })
}

/// Whether the disk that was restored is there and can be used; `None` where AWS is still at it.
async fn look(session: &Session, (region, work): (&str, &Work), restored: Option<&str>) -> Result<Option<bool>> {
    let Some(id) = restored.and_then(|arn| arn.rsplit("volume/").next()).filter(|id| id.starts_with("vol-")) else {
        return Ok(Some(false));
    };
    let client = aws_sdk_ec2::Client::new(&session.config(Some(region)));
    let calls = session.calls(work, region);
    let answer = match calls.make("ec2:DescribeVolumes", || client.describe_volumes().volume_ids(id).send()).await {
        Err(error) if error.class == ErrorClass::NotFound => return Ok(Some(false)),
        answer => answer?,
    };
    Ok(match answer.volumes().iter().find(|volume| volume.volume_id() == Some(id)).and_then(|volume| volume.state()) {
        Some(VolumeState::Available | VolumeState::InUse) => Some(true),
        Some(VolumeState::Creating) => None,
        _ => Some(false),
    })
}

fn malformed(call: &str, message: impl ToString) -> CloudError {
    CloudError::new(ErrorClass::Invalid, call, message.to_string())
}

/// The points that are taken: the newest whole one of any vault.
fn points() -> RestoreTestingRecoveryPointSelection {
    RestoreTestingRecoveryPointSelection::builder()
        .algorithm(RestoreTestingRecoveryPointSelectionAlgorithm::LatestWithinWindow)
        .include_vaults("*")
        .recovery_point_types(RestoreTestingRecoveryPointType::Snapshot)
        .selection_window_days(WINDOW_DAYS)
        .build()
}

/// Makes plan and selection, or puts back what differs.
pub async fn set(session: &Session, key: &str, terms: &RestoreTestTerms) -> Result<Receipt> {
    let work = Work::once(&session.grant.account_id);
    let service = Service::of(session, &terms.region, &work);
    let mut done = Vec::new();
    done.extend(set_plan(&service, key, terms).await?);
    done.extend(set_selection(&service, key, terms).await?);
    let outcome = if done.is_empty() { StepOutcome::AlreadyDone } else { StepOutcome::Done };
    Ok(Receipt { outcome, id: Some(terms.name.clone()), calls: done })
}

async fn set_plan(Service { client, calls }: &Service<'_>, key: &str, terms: &RestoreTestTerms) -> Result<Option<String>> {
    let read = || client.get_restore_testing_plan().restore_testing_plan_name(&terms.name).send();
    match calls.make("backup:GetRestoreTestingPlan", read).await {
        Ok(held) if held.restore_testing_plan().is_some_and(|plan| plan.schedule_expression() == terms.schedule) => Ok(None),
        Ok(_) => {
            let call = "backup:UpdateRestoreTestingPlan";
            let plan = RestoreTestingPlanForUpdate::builder()
                .schedule_expression(&terms.schedule)
                .start_window_hours(START_HOURS)
                .recovery_point_selection(points())
                .build();
            let request =
                || client.update_restore_testing_plan().restore_testing_plan_name(&terms.name).restore_testing_plan(plan.clone()).send();
            calls.make(call, request).await?;
            Ok(Some(call.into()))
        }
        Err(error) if error.class == ErrorClass::NotFound => {
            let call = "backup:CreateRestoreTestingPlan";
            let plan = RestoreTestingPlanForCreate::builder()
                .restore_testing_plan_name(&terms.name)
                .schedule_expression(&terms.schedule)
                .start_window_hours(START_HOURS)
                .recovery_point_selection(points())
                .build()
                .map_err(|error: BuildError| malformed(call, error))?;
            let request = || client.create_restore_testing_plan().restore_testing_plan(plan.clone()).creator_request_id(key).send();
            calls.make(call, request).await?;
            Ok(Some(call.into()))
        }
        Err(error) => Err(error),
    }
}

async fn set_selection(service: &Service<'_>, key: &str, terms: &RestoreTestTerms) -> Result<Option<String>> {
    let Service { client, calls } = service;
    let (name, role, sources) = (&terms.name, &terms.role_arn, terms.sources.clone());
    match selection(service, name).await? {
        Some((held_role, mut held)) => {
            held.sort();
            if held_role == *role && held == sources {
                return Ok(None);
            }
            let call = "backup:UpdateRestoreTestingSelection";
            let selection = RestoreTestingSelectionForUpdate::builder()
                .iam_role_arn(role)
                .set_protected_resource_arns(Some(sources))
                .validation_window_hours(VALIDATION_HOURS)
                .build();
            let request = || {
                let request = client.update_restore_testing_selection().restore_testing_plan_name(name);
                request.restore_testing_selection_name(name).restore_testing_selection(selection.clone()).send()
            };
            calls.make(call, request).await?;
            Ok(Some(call.into()))
        }
        None => {
            let call = "backup:CreateRestoreTestingSelection";
            let selection = RestoreTestingSelectionForCreate::builder()
                .restore_testing_selection_name(name)
                .protected_resource_type(KIND)
                .iam_role_arn(role)
                .set_protected_resource_arns(Some(sources))
                .validation_window_hours(VALIDATION_HOURS)
                .build()
                .map_err(|error: BuildError| malformed(call, error))?;
            let request = || {
                let request = client.create_restore_testing_selection().restore_testing_plan_name(name);
                request.restore_testing_selection(selection.clone()).creator_request_id(key).send()
            };
            calls.make(call, request).await?;
            Ok(Some(call.into()))
        }
    }
}

/// Gives the verdict on a restore; AWS deletes what it restored then.
pub async fn note(session: &Session, region: &str, (run, is_sound, message): (&str, bool, &str)) -> Result<Receipt> {
    let call = "backup:PutRestoreValidationResult";
    let work = Work::once(&session.grant.account_id);
    let Service { client, calls } = Service::of(session, region, &work);
    let verdict = if is_sound { RestoreValidationStatus::Successful } else { RestoreValidationStatus::Failed };
    let request = || {
        let request = client.put_restore_validation_result().restore_job_id(run).validation_status(verdict.clone());
        request.validation_status_message(message).send()
    };
    calls.make(call, request).await?;
    Ok(Receipt { outcome: StepOutcome::Done, id: Some(run.into()), calls: vec![call.into()] })
}
