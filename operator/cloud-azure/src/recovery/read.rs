//! The rows of vaults, protected items, recovery points, jobs and snapshots. Pure.

use caretaker_cloud::{BackupJob, Hindrance, JobState, PointState, RecoveryPoint, RecoverySink};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::call::segment;

/// Vault of points that are snapshots and in no vault.
const SNAPSHOTS: &str = "snapshots";

fn text<'a>(row: &'a Value, pointer: &str) -> &'a str {
    row.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A time; Azure leaves the zone of some out, and means UTC.
fn time(row: &Value, pointer: &str) -> Option<Timestamp> {
    let text = text(row, pointer);
    let in_utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    text.parse().ok().or_else(in_utc)
}

/// A Recovery Services vault.
pub struct Vault {
    /// Id.
    id: String,
    /// Name.
    pub name: String,
    /// Location.
    region: String,
}

impl Vault {
    /// Of a row, where it is in the region.
    pub fn of(row: &Value, region: &str) -> Option<Self> {
        let (id, name) = (text(row, "/id"), text(row, "/name"));
        let is_here = text(row, "/location").replace(' ', "").eq_ignore_ascii_case(region);
        (is_here && !id.is_empty() && !name.is_empty()).then(|| Self { id: id.into(), name: name.into(), region: region.into() })
    }

    /// Path of its protected machines.
    pub fn items(&self, version: &str) -> String {
        let filter = "backupManagementType%20eq%20%27AzureIaasVM%27";
        format!("{}/backupProtectedItems?api-version={version}&$filter={filter}", quoted(&self.id))
    }

    /// Path of its backup jobs that began in a time.
    pub fn jobs(&self, version: &str, (since, until): (Timestamp, Timestamp)) -> String {
        // The one form that Azure takes: a clock of 12 hours behind a date.
        let at = |time: Timestamp| time.strftime("%F%%20%I:%M:%S%%20%p").to_string();
        let filter = format!(
            "operation%20eq%20%27Backup%27%20and%20backupManagementType%20eq%20%27AzureIaasVM%27%20and%20startTime%20eq%20%27{}%27%20and%20endTime%20eq%20%27{}%27",
            at(since),
            at(until)
        );
        format!("{}/backupJobs?api-version={version}&$filter={filter}", quoted(&self.id))
    }

    /// A job. Azure names its machine by the friendly name alone: where two of the vault have the same one, it is not known whose job it is.
    pub fn job(&self, row: &Value, items: &[Item]) -> Option<BackupJob> {
        let name = text(row, "/properties/entityFriendlyName");
        let mut named = items.iter().filter(|item| item.name.eq_ignore_ascii_case(name));
        let source = match (named.next(), named.next()) {
            (Some(item), None) => item.source.clone(),
            _ => format!("{}/{name}", self.id.to_lowercase()),
        };
        let state = match text(row, "/properties/status") {
            "InProgress" | "Cancelling" => JobState::UnderWay,
            // Something was saved; which of it was not is said by the points.
            "Completed" | "CompletedWithWarnings" => JobState::Completed,
            "Failed" => JobState::Failed,
            "Cancelled" => JobState::Aborted,
            _ => JobState::Unknown,
        };
        Some(BackupJob {
            id: Some(text(row, "/id")).filter(|id| !id.is_empty())?.into(),
            region: self.region.clone(),
            vault: self.name.clone(),
            source,
            state,
            created: time(row, "/properties/startTime")?,
            ended: time(row, "/properties/endTime"),
            point: None,
            message: message(row),
        })
    }
}

/// What a job says of its failure: its errors, each with its title or its text.
fn message(row: &Value) -> String {
    let errors = row.pointer("/properties/errorDetails").and_then(Value::as_array).into_iter().flatten();
    let said = errors.map(|error| match (text(error, "/errorTitle"), text(error, "/errorString")) {
        ("", said) => said.to_owned(),
        (title, "") => title.to_owned(),
        (title, said) => format!("{title}: {said}"),
    });
    said.filter(|said| !said.is_empty()).collect::<Vec<_>>().join("; ")
}

/// A machine of which a vault holds something.
pub struct Item {
    /// Id of the protected item.
    id: String,
    /// Name of the machine, as jobs tell it.
    name: String,
    /// The machine's id, in lower case.
    source: String,
    /// The newest moment that it could be brought back to, as the item itself says.
    last: Option<Timestamp>,
    state: String,
    is_deleted: bool,
    /// How long soft delete still keeps it, in Azure's words.
    remaining: String,
    /// Whether somebody has left disks of it out. Points do not always say so.
    leaves_out: bool,
}

impl Item {
    /// Of a row; `None` of one that names no machine, which can be joined to nothing.
    pub fn of(row: &Value) -> Option<Self> {
        let properties = |name: &str| text(row, &format!("/properties/{name}"));
        let source = [properties("sourceResourceId"), properties("virtualMachineId")].into_iter().find(|id| !id.is_empty())?;
        let id = Some(text(row, "/id")).filter(|id| !id.is_empty())?;
        Some(Self {
            id: id.into(),
            name: properties("friendlyName").into(),
            source: source.to_lowercase(),
            last: time(row, "/properties/lastRecoveryPoint").or_else(|| time(row, "/properties/lastBackupTime")),
            state: properties("protectionState").into(),
            is_deleted: row.pointer("/properties/isScheduledForDeferredDelete").and_then(Value::as_bool) == Some(true),
            remaining: properties("deferredDeleteTimeRemaining").into(),
            leaves_out: row.pointer("/properties/extendedProperties/diskExclusionProperties").is_some_and(leaves_out),
        })
    }

    /// Whether somebody deleted it, and its points are kept for some days only.
    pub const fn is_in_soft_delete(&self) -> bool {
        self.is_deleted
    }

    /// Path of something under it.
    pub fn path(&self, part: &str, version: &str) -> String {
        format!("{}/{part}?api-version={version}", quoted(&self.id))
    }

    /// Tells what keeps its machine from being saved. The machine of an item in soft delete may be another one of the same name: its points are not this
    /// one's, and the name is taken until they are gone.
    pub fn tell(&self, vault: &Vault, now: Timestamp, sink: &mut dyn RecoverySink) {
        let name = &vault.name;
        if self.is_deleted {
            let gone_by = self.gone_by(now);
            let until = gone_by.map_or_else(String::new, |at| format!(" until {}", at.strftime("%Y-%m-%d %H:%M UTC")));
            let why = format!(
                "its name is in soft delete in the vault {name}{until}: what is there is kept, and nothing more is saved under the name"
            );
            let cure = format!("the client runs: az backup protection undelete --ids {}, and protects the machine again", self.id);
            if let Some(created) = self.last {
                let message = format!("in soft delete in the vault {name}{until}");
                let made = self.made(vault, &self.id, created);
                sink.point(RecoveryPoint { state: PointState::Deleting, held_until: gone_by, message, ..made });
            }
            return sink.hindered(&self.source, Hindrance { why, cure });
        }
        let (how, cure) = match self.state.as_str() {
            "ProtectionStopped" => ("was stopped", "az backup protection resume"),
            "ProtectionPaused" => ("was paused", "az backup protection resume"),
            _ => return,
        };
        let why = format!("its protection in the vault {name} {how}: what was saved is kept, and nothing more is saved");
        sink.hindered(&self.source, Hindrance { why, cure: format!("the client runs: {cure} --ids {} --policy-name POLICY", self.id) });
    }

    /// When soft delete ends, out of words such as `13.20:45:55`: days, hours, minutes and seconds.
    fn gone_by(&self, now: Timestamp) -> Option<Timestamp> {
        let (days, clock) = self.remaining.split_once('.').unwrap_or(("0", &self.remaining));
        let mut parts = clock.split(':').map(|part| part.split('.').next().unwrap_or_default().parse::<i64>().ok());
        let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
        let all = days.parse::<i64>().ok()?.checked_mul(86_400)?.checked_add(hours * 3600 + minutes * 60 + seconds)?;
        now.checked_add(jiff::SignedDuration::from_secs(all)).ok()
    }

    /// A recovery point of it. One whose tiers are all deleted or switched off cannot be restored.
    pub fn point(&self, vault: &Vault, row: &Value) -> Option<RecoveryPoint> {
        let id = Some(text(row, "/id")).filter(|id| !id.is_empty())?;
        let tiers = row.pointer("/properties/recoveryPointTierDetails").and_then(Value::as_array);
        let is_held = |tier: &Value| matches!(text(tier, "/status"), "" | "Valid" | "Rehydrated");
        let is_deleted = row.pointer("/properties/recoveryPointProperties/isSoftDeleted").and_then(Value::as_bool) == Some(true);
        let state = match tiers {
            _ if is_deleted => PointState::Deleting,
            Some(tiers) if !tiers.is_empty() && !tiers.iter().any(is_held) => PointState::Expired,
            _ => PointState::Usable,
        };
        let disks = |name: &str| row.pointer(&format!("/properties/recoveryPointDiskConfiguration/{name}"));
        let is_excluded = disks("excludedDiskList").and_then(Value::as_array).is_some_and(|disks| !disks.is_empty());
        let count = |name: &str| disks(name).and_then(Value::as_u64);
        let is_short =
            count("numberOfDisksIncludedInBackup").zip(count("numberOfDisksAttachedToVm")).is_some_and(|(saved, all)| saved < all);
        let made = self.made(vault, id, time(row, "/properties/recoveryPointTime")?);
        let deleted_at = time(row, "/properties/recoveryPointProperties/expiryTime");
        Some(RecoveryPoint { state, leaves_out: is_excluded || is_short || self.leaves_out, deleted_at, ..made })
    }

    fn made(&self, vault: &Vault, id: &str, created: Timestamp) -> RecoveryPoint {
        RecoveryPoint {
            id: id.into(),
            region: vault.region.clone(),
            vault: vault.name.clone(),
            source: self.source.clone(),
            state: PointState::Usable,
            created,
            deleted_at: None,
            held_until: None,
            continuous: false,
            leaves_out: false,
            message: String::new(),
        }
    }
}

/// Whether the choice of disks leaves one out: a list of those that are saved, or of those that are not.
fn leaves_out(choice: &Value) -> bool {
    let is_inclusion = choice["isInclusionList"] == true;
    is_inclusion || choice["diskLunList"].as_array().is_some_and(|disks| !disks.is_empty())
}

/// A snapshot of a disk in the region, whoever made it; `None` of one that was made of no disk, or somewhere else.
pub fn snapshot(row: &Value, region: &str) -> Option<RecoveryPoint> {
    let source = text(row, "/properties/creationData/sourceResourceId").to_lowercase();
    let is_here = text(row, "/location").replace(' ', "").eq_ignore_ascii_case(region);
    if !is_here || !source.contains("/microsoft.compute/disks/") {
        return None;
    }
    let state = match text(row, "/properties/provisioningState").to_ascii_lowercase().as_str() {
        "succeeded" => PointState::Usable,
        "creating" | "updating" => PointState::Creating,
        "deleting" => PointState::Deleting,
        "failed" | "canceled" => PointState::Partial,
        _ => PointState::Unknown,
    };
    Some(RecoveryPoint {
        id: Some(text(row, "/id")).filter(|id| !id.is_empty())?.into(),
        region: region.into(),
        vault: SNAPSHOTS.into(),
        source,
        state,
        created: time(row, "/properties/timeCreated")?,
        deleted_at: None,
        held_until: None,
        continuous: false,
        leaves_out: false,
        message: String::new(),
    })
}

/// A path of ids as Azure gives them, each part as one segment.
fn quoted(id: &str) -> String {
    id.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
