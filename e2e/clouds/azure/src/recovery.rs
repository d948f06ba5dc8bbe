//! Recovery Services vaults with the machines that they save, and snapshots of disks.

use jiff::civil::DateTime;
use jiff::{Timestamp, tz};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::manager::Request;
use crate::reply::Reply;
use crate::world::{Action, Issued, World};

/// Version of the vaults API.
pub const VAULTS: &str = "2021-03-01";
/// Version of the API of what is in a vault.
pub const BACKUP: &str = "2021-06-01";
/// Version of the snapshots API.
pub const SNAPSHOTS: &str = "2020-12-01";

/// A vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vault {
    /// Name.
    pub name: String,
    /// Resource group.
    pub group: String,
    /// Location.
    pub location: String,
    /// The machines that it holds something of.
    #[serde(default)]
    pub items: Vec<Item>,
    /// Backup jobs.
    #[serde(default)]
    pub jobs: Vec<Job>,
}

/// A machine in a vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Item {
    /// Id of the machine.
    pub machine: String,
    /// Whether somebody deleted it: its points are kept for 14 days.
    #[serde(default)]
    pub in_soft_delete: bool,
    /// Its recovery points.
    #[serde(default)]
    pub points: Vec<Point>,
}

/// A recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Point {
    /// Name.
    pub name: String,
    /// The moment that it brings back.
    pub at: Timestamp,
    /// Whether its tiers are still there.
    pub is_valid: bool,
}

/// A backup job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// Name.
    pub name: String,
    /// Friendly name of the machine.
    pub machine: String,
    /// `InProgress`, `Completed`, `Failed`, `Cancelled` or `CompletedWithWarnings`.
    pub status: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// What it says of its failure; empty for nothing.
    #[serde(default)]
    pub said: String,
}

impl Vault {
    /// A vault that holds nothing.
    #[must_use]
    pub fn new(group: &str, name: &str, location: &str) -> Self {
        Self { name: name.into(), group: group.into(), location: location.into(), ..Self::default() }
    }

    /// The machine's place in it, made where it is missing.
    pub fn item(&mut self, machine: &str) -> &mut Item {
        let at = self.items.iter().position(|item| item.machine.eq_ignore_ascii_case(machine)).unwrap_or_else(|| {
            self.items.push(Item { machine: machine.into(), ..Item::default() });
            self.items.len() - 1
        });
        &mut self.items[at]
    }

    /// Its id.
    #[must_use]
    pub fn id(&self, subscription: &str) -> String {
        format!("/subscriptions/{subscription}/resourceGroups/{}/providers/Microsoft.RecoveryServices/vaults/{}", self.group, self.name)
    }
}

impl Item {
    fn parts(&self) -> (String, String) {
        let parts: Vec<&str> = self.machine.trim_matches('/').split('/').collect();
        (parts.get(3).copied().unwrap_or_default().to_lowercase(), parts.last().copied().unwrap_or_default().to_owned())
    }

    /// Its id in a vault.
    #[must_use]
    pub fn id(&self, vault: &str) -> String {
        let (group, name) = self.parts();
        let of = format!("iaasvmcontainerv2;{group};{}", name.to_lowercase());
        format!("{vault}/backupFabrics/Azure/protectionContainers/IaasVMContainer;{of}/protectedItems/VM;{of}")
    }
}

/// Answers what is asked of vaults and snapshots: path in lower case, behind the subscription. `None` where it is something else.
pub fn answer(world: &World, caller: &Issued, request: &Request, (subscription, rest): (&str, &[&str])) -> Option<Reply> {
    let version = match rest {
        ["providers", "microsoft.recoveryservices", "vaults"] => VAULTS,
        ["providers", "microsoft.compute", "snapshots"] => SNAPSHOTS,
        ["resourcegroups", _, "providers", "microsoft.recoveryservices", "vaults", _, _, ..] => BACKUP,
        _ => return None,
    };
    if let Some(refused) = crate::manager::version(request, version) {
        return Some(refused);
    }
    if !world.may(caller, subscription, Action::Read) {
        return Some(Reply::denied(rest.last().copied().unwrap_or_default()));
    }
    let held = world.subscriptions.get(subscription)?;
    let rows = match rest {
        [_, "microsoft.recoveryservices", "vaults"] => held.vaults.iter().map(|vault| vault_row(vault, subscription)).collect(),
        [_, "microsoft.compute", "snapshots"] => held.snapshots.clone(),
        [_, group, _, _, _, name, inside @ ..] => {
            let is_it = |vault: &&Vault| vault.group.eq_ignore_ascii_case(group) && vault.name.eq_ignore_ascii_case(name);
            let Some(vault) = held.vaults.iter().find(is_it) else {
                return Some(Reply::error(404, "ResourceNotFound", &format!("The Resource '{name}' was not found.")));
            };
            match held_rows(vault, &vault.id(subscription), request, inside) {
                Ok(rows) => rows,
                Err(refused) => return Some(refused),
            }
        }
        _ => return None,
    };
    Some(page(world, request, rows))
}

/// The rows of what is in a vault.
fn held_rows(vault: &Vault, id: &str, request: &Request, inside: &[&str]) -> Result<Vec<Value>, Reply> {
    let filter = request.query("$filter").unwrap_or_default();
    match inside {
        ["backupprotecteditems"] if filter.contains("'AzureIaasVM'") => Ok(vault.items.iter().map(|item| item_row(item, id)).collect()),
        ["backupjobs"] => {
            let bound =
                |name: &str| moment(filter, name).ok_or_else(|| Reply::error(400, "BMSUserErrorInvalidInput", "The filter is invalid."));
            let (from, to) = (bound("startTime")?, bound("endTime")?);
            let asked = vault.jobs.iter().filter(|job| job.began >= from && job.began <= to);
            Ok(asked.map(|job| job_row(job, id)).collect())
        }
        ["backupfabrics", _, "protectioncontainers", _, "protecteditems", _, "recoverypoints"] => {
            let asked = format!("{}/{}", id.to_lowercase(), inside[..6].join("/"));
            let item = vault.items.iter().find(|item| item.id(id).to_lowercase() == asked);
            let missing = || Reply::error(404, "BMSUserErrorContainerObjectNotFound", "Item not found");
            let item = item.ok_or_else(missing)?;
            Ok(item.points.iter().map(|point| point_row(point, &item.id(id))).collect())
        }
        _ => Err(Reply::error(400, "BMSUserErrorInvalidInput", "Input provided for the call is invalid.")),
    }
}

/// A moment of a filter, in the one form that Azure takes: `startTime eq '2026-11-28 03:04:05 PM'`.
fn moment(filter: &str, name: &str) -> Option<Timestamp> {
    let (_, rest) = filter.split_once(&format!("{name} eq '"))?;
    let text = rest.split('\'').next()?;
    DateTime::strptime("%Y-%m-%d %I:%M:%S %p", text).ok()?.to_zoned(tz::TimeZone::UTC).ok().map(|at| at.timestamp())
}

fn page(world: &World, request: &Request, rows: Vec<Value>) -> Reply {
    let from: usize = request.query("$skipToken").and_then(|token| token.parse().ok()).unwrap_or_default();
    let mut rest = rows.into_iter().skip(from);
    let value: Vec<Value> = rest.by_ref().take(world.page_rows).collect();
    let mut body = json!({"value": value});
    if rest.next().is_some() {
        let query: Vec<String> = request
            .query
            .iter()
            .filter(|(key, _)| !key.eq_ignore_ascii_case("$skipToken"))
            .map(|(key, value)| format!("{key}={}", value.replace(' ', "%20").replace('\'', "%27")))
            .collect();
        body["nextLink"] = format!("{}?{}&$skipToken={}", request.path, query.join("&"), from + world.page_rows).into();
    }
    Reply::ok(body)
}

fn vault_row(vault: &Vault, subscription: &str) -> Value {
    json!({
        "id": vault.id(subscription), "name": vault.name, "type": "Microsoft.RecoveryServices/vaults", "location": vault.location,
        "sku": {"name": "RS0", "tier": "Standard"}, "properties": {"provisioningState": "Succeeded"},
    })
}

fn item_row(item: &Item, vault: &str) -> Value {
    let (group, name) = item.parts();
    let last = item.points.iter().map(|point| point.at).max();
    let state = if item.in_soft_delete { "ProtectionStopped" } else { "Protected" };
    let mut row = json!({
        "id": item.id(vault), "name": format!("VM;iaasvmcontainerv2;{group};{}", name.to_lowercase()),
        "type": "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
        "properties": {
            "friendlyName": name, "virtualMachineId": item.machine, "sourceResourceId": item.machine, "protectionState": state,
            "protectionStatus": "Healthy", "healthStatus": "Passed", "lastBackupStatus": "Completed",
            "protectedItemType": "Microsoft.Compute/virtualMachines", "backupManagementType": "AzureIaasVM", "workloadType": "VM",
            "containerName": format!("iaasvmcontainerv2;{group};{}", name.to_lowercase()),
            "isScheduledForDeferredDelete": item.in_soft_delete,
        },
    });
    if let Some(last) = last {
        row["properties"]["lastRecoveryPoint"] = last.to_string().into();
    }
    if item.in_soft_delete {
        row["properties"]["deferredDeleteTimeRemaining"] = "13.20:45:55".into();
    }
    row
}

fn point_row(point: &Point, item: &str) -> Value {
    let status = if point.is_valid { "Valid" } else { "Deleted" };
    json!({
        "id": format!("{item}/recoveryPoints/{}", point.name), "name": point.name,
        "type": "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints",
        "properties": {
            "objectType": "IaasVMRecoveryPoint", "recoveryPointType": "CrashConsistent", "recoveryPointTime": point.at.to_string(),
            "isManagedVirtualMachine": true, "recoveryPointTierDetails": [{"type": "HardenedRP", "status": status}],
        },
    })
}

fn job_row(job: &Job, vault: &str) -> Value {
    let mut row = json!({
        "id": format!("{vault}/backupJobs/{}", job.name), "name": job.name, "type": "Microsoft.RecoveryServices/vaults/backupJobs",
        "properties": {
            "jobType": "AzureIaaSVMJob", "entityFriendlyName": job.machine, "backupManagementType": "AzureIaasVM", "operation": "Backup",
            "status": job.status, "startTime": job.began.to_string(), "activityId": job.name,
        },
    });
    if let Some(ended) = job.ended {
        row["properties"]["endTime"] = ended.to_string().into();
    }
    if !job.said.is_empty() {
        row["properties"]["errorDetails"] = json!([{"errorString": job.said}]);
    }
    row
}

/// A snapshot of a disk, as Compute lists it.
#[must_use]
pub fn snapshot(subscription: &str, (name, disk): (&str, &str), location: &str, at: Timestamp) -> Value {
    json!({
        "id": format!("/subscriptions/{subscription}/resourceGroups/prod/providers/Microsoft.Compute/snapshots/{name}"), "name": name,
        "type": "Microsoft.Compute/snapshots", "location": location,
        "properties": {
            "provisioningState": "Succeeded", "timeCreated": at.to_string(), "diskSizeGB": 8, "diskState": "Unattached", "incremental": true,
            "creationData": {"createOption": "Copy", "sourceResourceId": disk},
        },
    })
}
