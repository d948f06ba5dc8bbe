//! Recovery points and jobs as Google Cloud shows them: snapshots of disks, machine images, backups of databases, and what the vaults of Backup and DR
//! hold. A machine can be brought back by a point of its own, or to the moment to which each of its disks can.

mod read;

use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::Listing;
use caretaker_cloud::{ErrorClass, Ground, RecoveryPoint, RecoverySink, Result};
use jiff::Timestamp;
use serde_json::Value;

use crate::call::Services;
use crate::call::http::{Call, url};
use crate::session::{Reach, Session};
use read::{Disks, Snapshot};

/// Rows of a page: the most that Google gives.
const PAGE_SIZE: &str = "500";
/// What is asked for of a snapshot, a machine and an operation; the rest of them is large.
const SNAPSHOT: &str = "nextPageToken,items(selfLink,name,status,creationTimestamp,sourceDisk,sourceSnapshotSchedulePolicy)";
const IMAGE: &str = "nextPageToken,items(selfLink,name,status,creationTimestamp,sourceInstance)";
const MACHINE: &str = "nextPageToken,items/*/instances(selfLink,disks(source,type))";
const OPERATION: &str = "nextPageToken,items/*/operations(selfLink,status,insertTime,endTime,targetLink,error)";

/// Reads all of one region.
pub async fn read(session: &Session, region: &str, since: Timestamp, sink: &mut dyn RecoverySink) -> Result<Ground> {
    let mut disks = Disks::default();
    let list = List::of(session);
    list.each("compute:snapshots.list", ("global/snapshots", SNAPSHOT, &[]), |page| {
        for row in page["items"].as_array().into_iter().flatten() {
            match read::snapshot(row, region) {
                Some(Snapshot::Point(point)) => {
                    disks.take(&point);
                    sink.point(point);
                }
                Some(Snapshot::Failure(job)) if job.created >= since => sink.job(job),
                Some(Snapshot::Failure(_)) | None => {}
            }
        }
    })
    .await?;
    list.each("compute:machineImages.list", ("global/machineImages", IMAGE, &[]), |page| {
        for point in page["items"].as_array().into_iter().flatten().filter_map(|row| read::image(row, region)) {
            disks.take(&point);
            sink.point(point);
        }
    })
    .await?;
    list.vaults(region, &mut |point| {
        disks.take(&point);
        sink.point(point);
    })
    .await?;
    list.databases(region, since, sink).await?;
    list.each("compute:instances.aggregatedList", ("aggregated/instances", MACHINE, &[]), |page| {
        for row in read::scoped(page, "instances") {
            disks.machine(row, region, sink);
        }
    })
    .await?;
    let filter = [("filter", "operationType=createSnapshot")];
    list.each("compute:globalOperations.aggregatedList", ("aggregated/operations", OPERATION, &filter), |page| {
        for job in read::scoped(page, "operations").filter_map(|row| read::operation(row, region)).filter(|job| job.created >= since) {
            sink.job(job);
        }
    })
    .await?;
    Ok(Ground::default())
}

/// Lists of the project, page by page.
pub(crate) struct List<'a> {
    session: &'a Session,
    work: Work,
}

impl<'a> List<'a> {
    /// The lists of a session, as one piece of work.
    pub(crate) fn of(session: &'a Session) -> Self {
        Self { session, work: Work::once(&session.grant.client) }
    }
}

impl List<'_> {
    /// A list of Compute Engine.
    pub(crate) async fn each(
        &self,
        operation: &str,
        (what, fields, more): (&str, &str, &[(&str, &str)]),
        take: impl FnMut(&Value),
    ) -> Result<()> {
        let path = format!("/compute/v1/projects/{}/{what}", self.session.grant.project_id);
        let mut query = vec![("maxResults", PAGE_SIZE), ("fields", fields)];
        query.extend(more);
        let read = self.pages(("compute", operation), (&path, &query), take).await;
        self.where_on(read).map(drop)
    }

    /// What the vaults of Backup and DR hold of machines and disks in the region.
    async fn vaults(&self, region: &str, sink: &mut (dyn FnMut(RecoveryPoint) + Send)) -> Result<()> {
        let project = &self.session.grant.project_id;
        let path = format!("projects/{project}/locations/{region}/backupVaults");
        let vaults = self.where_on(self.held("backupdr:backupVaults.list", &path).await)?.unwrap_or_default();
        for vault in vaults.iter().filter_map(|vault| vault["name"].as_str()) {
            for source in self.held("backupdr:dataSources.list", &format!("{vault}/dataSources")).await? {
                let (Some(name), Some(of)) = (source["name"].as_str(), read::source(&source, region)) else { continue };
                let backups = self.held("backupdr:backups.list", &format!("{name}/backups")).await?;
                backups.iter().filter_map(|row| read::backup(row, (region, vault), &of)).for_each(&mut *sink);
            }
        }
        Ok(())
    }

    /// Backups of databases: Cloud SQL lists those of the whole project, whose regions the databases themselves tell.
    async fn databases(&self, region: &str, since: Timestamp, sink: &mut dyn RecoverySink) -> Result<()> {
        let project = &self.session.grant.project_id;
        let path = format!("/v1/projects/{project}/instances/-/backupRuns");
        let take = |page: &Value| {
            for run in page["items"].as_array().into_iter().flatten() {
                if let Some(point) = read::run(run, (project, region)) {
                    sink.point(point);
                }
                if let Some(job) = read::run_job(run, (project, region)).filter(|job| job.created >= since) {
                    sink.job(job);
                }
            }
        };
        let read = self.pages(("sqladmin", "sqladmin:backupRuns.list"), (&path, &[("maxResults", PAGE_SIZE)]), take).await;
        self.where_on(read).map(drop)
    }

    /// Where a service is off, nothing of it is there that anybody could restore. Of the switch of another project, which the service account lives in, nothing
    /// is concluded.
    fn where_on<T>(&self, answer: Result<T>) -> Result<Option<T>> {
        match answer {
            Err(error) if error.class == ErrorClass::NotEnabled && Services::home(&self.session.grant) == self.session.grant.project_id => {
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }

    /// All rows of a list of Backup and DR, whose field has the name that its path ends with. What was deleted since it was listed holds nothing any more.
    async fn held(&self, operation: &str, path: &str) -> Result<Vec<Value>> {
        let (mut rows, what) = (Vec::new(), path.rsplit('/').next().unwrap_or_default());
        let take = |page: &Value| rows.extend(page[what].as_array().into_iter().flatten().cloned());
        match self.pages(("backupdr", operation), (&format!("/v1/{path}"), &[("pageSize", PAGE_SIZE)]), take).await {
            Err(error) if error.class == ErrorClass::NotFound && what != "backupVaults" => Ok(Vec::new()),
            answer => answer.map(|()| rows),
        }
    }

    async fn pages(
        &self,
        (service, operation): (&str, &str),
        (path, query): (&str, &[(&str, &str)]),
        mut take: impl FnMut(&Value),
    ) -> Result<()> {
        let base = self.session.shared.services.endpoints.service(service);
        let (mut token, mut listing) = (None::<String>, Listing::of(operation));
        loop {
            let mut query = query.to_vec();
            query.extend(token.as_deref().map(|token| ("pageToken", token)));
            let call = Call { pays_itself: true, ..Call::default() };
            // These services take no token of the read-only scope.
            let page = self.session.call_for(&self.work, operation, Reach::Full, (url(&base, path, &query)?, call)).await?;
            take(&page);
            token = listing.after(page["nextPageToken"].as_str())?;
            if token.is_none() {
                return Ok(());
            }
        }
    }
}
