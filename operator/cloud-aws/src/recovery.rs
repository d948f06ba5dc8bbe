//! Recovery points, jobs and what a region takes, as AWS Backup shows them.

use aws_sdk_backup::types::{
    BackupJob as Job, BackupJobState, BackupVaultListMember, RecoveryPointByBackupVault, RecoveryPointStatus, VaultState,
};
use aws_smithy_types::DateTime;
use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::{Listing, said};
use caretaker_cloud::{BackupJob, ErrorClass, Ground, JobState, PointState, RecoveryPoint, RecoverySink, Result};
use jiff::Timestamp;

use crate::inventory::listing::time;
use crate::protection::Service;
use crate::session::Session;

/// Rows in one page: at most 1,000.
/// Source: <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRecoveryPointsByBackupVault.html>
const PAGE: i32 = 1000;

/// What the ARN of a point that is kept up to date holds: `continuous` for S3, Aurora and SAP HANA, an automated backup for RDS.
/// Source: <https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html>
const CONTINUOUS: [&str; 2] = [":continuous:", ":auto-backup:"];

/// Reads all of one region.
pub async fn read(session: &Session, region: &str, since: Timestamp, sink: &mut dyn RecoverySink) -> Result<Ground> {
    let work = Work::once(&session.grant.account_id);
    let service = Service::of(session, region, &work);
    for (vault, is_final) in vaults(&service).await? {
        let mut held = Held { sink, is_final };
        points(&service, region, &vault, &mut held).await?;
    }
    jobs(&service, region, since, sink).await?;
    let Service { client, calls } = &service;
    let answer = calls.make("backup:DescribeRegionSettings", || client.describe_region_settings().send()).await?;
    let takes = answer.resource_type_opt_in_preference().cloned().unwrap_or_default();
    Ok(Ground { takes: takes.into_iter().collect() })
}

/// Takes the points of a vault. Where a lock is final, nobody can delete a point before its time.
struct Held<'a> {
    sink: &'a mut dyn RecoverySink,
    is_final: bool,
}

impl RecoverySink for Held<'_> {
    fn point(&mut self, point: RecoveryPoint) {
        let held_until = point.deleted_at.filter(|_| self.is_final);
        self.sink.point(RecoveryPoint { held_until, ..point });
    }

    fn job(&mut self, job: BackupJob) {
        self.sink.job(job);
    }
}

/// Names of all vaults of the region, whoever made them, and whether their lock is final: a point counts wherever it is. One that is still being made holds
/// none.
async fn vaults(Service { client, calls }: &Service<'_>) -> Result<Vec<(String, bool)>> {
    let (mut found, mut token, mut listing) = (Vec::new(), None::<String>, Listing::of("backup:ListBackupVaults"));
    loop {
        let request = || client.list_backup_vaults().max_results(PAGE).set_next_token(token.clone()).send();
        let page = calls.make("backup:ListBackupVaults", request).await?;
        let is_made = |state: Option<&VaultState>| !matches!(state, Some(VaultState::Creating | VaultState::Failed));
        let made = page.backup_vault_list().iter().filter(|vault| is_made(vault.vault_state()));
        let is_final = |vault: &BackupVaultListMember| {
            vault.locked() == Some(true) && time(vault.lock_date()).is_some_and(|at| at <= Timestamp::now())
        };
        found.extend(made.filter_map(|vault| Some((said(vault.backup_vault_name())?, is_final(vault)))));
        token = listing.after(page.next_token())?;
        if token.is_none() {
            return Ok(found);
        }
    }
}

async fn points(Service { client, calls }: &Service<'_>, region: &str, vault: &str, sink: &mut dyn RecoverySink) -> Result<()> {
    let call = "backup:ListRecoveryPointsByBackupVault";
    let (mut token, mut listing) = (None::<String>, Listing::of(call));
    loop {
        let request = || {
            let request = client.list_recovery_points_by_backup_vault().backup_vault_name(vault);
            request.max_results(PAGE).set_next_token(token.clone()).send()
        };
        let page = match calls.make(call, request).await {
            // Somebody deleted the vault since it was listed: it holds nothing any more.
            Err(error) if error.class == ErrorClass::NotFound => return Ok(()),
            answer => answer?,
        };
        page.recovery_points().iter().filter_map(|row| point(row, region)).for_each(|point| sink.point(point));
        token = listing.after(page.next_token())?;
        if token.is_none() {
            return Ok(());
        }
    }
}

/// A point without a source or a time can be joined to nothing.
fn point(row: &RecoveryPointByBackupVault, region: &str) -> Option<RecoveryPoint> {
    use RecoveryPointStatus::{Available, Completed, Creating, Deleting, Expired, Partial, Stopped};
    let id = row.recovery_point_arn()?.to_owned();
    let state = match row.status() {
        Some(Available | Completed) => PointState::Usable,
        Some(Creating) => PointState::Creating,
        Some(Partial) => PointState::Partial,
        Some(Stopped) => PointState::Stopped,
        Some(Expired) => PointState::Expired,
        Some(Deleting) => PointState::Deleting,
        _ => PointState::Unknown,
    };
    Some(RecoveryPoint {
        region: region.into(),
        vault: row.backup_vault_name().unwrap_or_default().into(),
        source: row.resource_arn()?.into(),
        state,
        created: time(row.creation_date())?,
        deleted_at: row.calculated_lifecycle().and_then(|of| time(of.delete_at())),
        held_until: None,
        continuous: CONTINUOUS.iter().any(|part| id.contains(part)),
        leaves_out: false,
        message: row.status_message().unwrap_or_default().into(),
        id,
    })
}

async fn jobs(Service { client, calls }: &Service<'_>, region: &str, since: Timestamp, sink: &mut dyn RecoverySink) -> Result<()> {
    let call = "backup:ListBackupJobs";
    let (mut token, mut listing) = (None::<String>, Listing::of(call));
    loop {
        let request = || {
            let after = DateTime::from_secs(since.as_second());
            client.list_backup_jobs().by_created_after(after).max_results(PAGE).set_next_token(token.clone()).send()
        };
        let page = calls.make(call, request).await?;
        page.backup_jobs().iter().filter_map(|row| job(row, region)).for_each(|job| sink.job(job));
        token = listing.after(page.next_token())?;
        if token.is_none() {
            return Ok(());
        }
    }
}

fn job(row: &Job, region: &str) -> Option<BackupJob> {
    use BackupJobState::{Aborted, Aborting, Completed, Created, Expired, Failed, Partial, Pending, Running};
    let state = match row.state() {
        Some(Created | Pending | Running | Aborting) => JobState::UnderWay,
        Some(Completed) => JobState::Completed,
        Some(Partial) => JobState::Partial,
        Some(Failed) => JobState::Failed,
        Some(Aborted) => JobState::Aborted,
        Some(Expired) => JobState::Expired,
        _ => JobState::Unknown,
    };
    Some(BackupJob {
        id: row.backup_job_id()?.into(),
        region: region.into(),
        vault: row.backup_vault_name().unwrap_or_default().into(),
        source: row.resource_arn()?.into(),
        state,
        created: time(row.creation_date())?,
        ended: time(row.completion_date()),
        point: said(row.recovery_point_arn()),
        message: row.status_message().unwrap_or_default().into(),
    })
}
