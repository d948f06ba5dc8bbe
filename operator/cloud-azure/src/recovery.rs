//! Recovery points and jobs as Azure shows them: machines in Recovery Services vaults, disks as snapshots. What a vault answers is read here; what it means
//! is in `recovery/read.rs`.

mod read;

use caretaker_cloud::{ErrorClass, Ground, RecoverySink, Result};
use jiff::Timestamp;
use serde_json::Value;

use crate::call::Call;
use crate::session::Session;
use read::{Item, Vault};

/// What is read of a vault, as the manifest names it.
const ITEMS_READ: &str = "Microsoft.RecoveryServices/Vaults/backupProtectedItems/read";
const POINTS_READ: &str = "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/read";
const JOBS_READ: &str = "Microsoft.RecoveryServices/Vaults/backupJobs/read";
/// Version of the vaults API.
const VAULTS: &str = "2021-03-01";
/// Version of the API of what is in a vault.
const BACKUP: &str = "2021-06-01";
/// Version of the snapshots API.
const SNAPSHOTS: &str = "2020-12-01";

/// Reads all of one region.
pub async fn read(session: &Session, region: &str, since: Timestamp, sink: &mut dyn RecoverySink) -> Result<Ground> {
    let now = Timestamp::now();
    for vault in vaults(session, region).await? {
        let items = items(session, &vault).await?;
        for item in &items {
            item.tell(&vault, now, sink);
            if item.is_in_soft_delete() {
                continue;
            }
            each_held(session, POINTS_READ, &item.path("recoveryPoints", BACKUP), |row| {
                if let Some(point) = item.point(&vault, row) {
                    sink.point(point);
                }
            })
            .await?;
        }
        each_held(session, JOBS_READ, &vault.jobs(BACKUP, (since, now)), |row| {
            if let Some(job) = vault.job(row, &items).filter(|job| job.created >= since) {
                sink.job(job);
            }
        })
        .await?;
    }
    let path = format!("/subscriptions/{}/providers/Microsoft.Compute/snapshots?api-version={SNAPSHOTS}", session.subscription());
    each(session, "Microsoft.Compute/snapshots/read", &path, |row| {
        if let Some(point) = read::snapshot(row, region) {
            sink.point(point);
        }
    })
    .await?;
    // A list shows what the caller may read: an end counts only while the delegation of the whole subscription still stands.
    session.prove().await?;
    Ok(Ground::default())
}

/// The vaults of the region, whoever made them: a point counts wherever it is.
async fn vaults(session: &Session, region: &str) -> Result<Vec<Vault>> {
    let path = format!("/subscriptions/{}/providers/Microsoft.RecoveryServices/vaults?api-version={VAULTS}", session.subscription());
    let mut found = Vec::new();
    each(session, "Microsoft.RecoveryServices/Vaults/read", &path, |row| found.extend(Vault::of(row, region))).await?;
    Ok(found)
}

/// The machines that a vault holds something of.
async fn items(session: &Session, vault: &Vault) -> Result<Vec<Item>> {
    let mut found = Vec::new();
    each_held(session, ITEMS_READ, &vault.items(BACKUP), |row| found.extend(Item::of(row))).await?;
    Ok(found)
}

/// Takes each row of a list, over all pages.
async fn each(session: &Session, operation: &'static str, path: &str, mut take: impl FnMut(&Value)) -> Result<()> {
    let page = |page: &Value| {
        page["value"].as_array().into_iter().flatten().for_each(&mut take);
        Ok(())
    };
    session.each_page(Call::get(operation, path), page).await
}

/// The same of what is in a vault: a vault or an item that was deleted since it was listed holds nothing any more.
async fn each_held(session: &Session, operation: &'static str, path: &str, take: impl FnMut(&Value)) -> Result<()> {
    match each(session, operation, path, take).await {
        Err(error) if error.class == ErrorClass::NotFound => Ok(()),
        answer => answer,
    }
}
