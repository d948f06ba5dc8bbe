use caretaker_cloud::RecoverySink;
use serde_json::json;

use super::*;

const MACHINE: &str = "/subscriptions/S/resourceGroups/Prod/providers/Microsoft.Compute/virtualMachines/Web";

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn vault() -> Vault {
    let id = "/subscriptions/S/resourceGroups/Prod/providers/Microsoft.RecoveryServices/vaults/main";
    Vault::of(&json!({"id": id, "name": "main", "location": "West Europe"}), "westeurope").unwrap()
}

fn item(more: &Value) -> Item {
    let mut properties = json!({"friendlyName": "Web", "sourceResourceId": MACHINE, "protectionState": "Protected"});
    more.as_object().unwrap().iter().for_each(|(key, value)| properties[key] = value.clone());
    Item::of(&json!({"id": "/subscriptions/S/item", "properties": properties})).unwrap()
}

#[derive(Default)]
struct Taken {
    points: Vec<RecoveryPoint>,
    by: Vec<(String, Hindrance)>,
}

impl RecoverySink for Taken {
    fn point(&mut self, point: RecoveryPoint) {
        self.points.push(point);
    }

    fn job(&mut self, _job: BackupJob) {}

    fn hindered(&mut self, source: &str, by: Hindrance) {
        self.by.push((source.into(), by));
    }
}

#[test]
fn what_is_in_soft_delete_is_no_point_of_the_machine_that_has_the_name_now() {
    let deleted = json!({
        "protectionState": "ProtectionStopped", "isScheduledForDeferredDelete": true, "deferredDeleteTimeRemaining": "13.20:45:55",
        "lastRecoveryPoint": "2026-11-27T01:00:00Z",
    });
    let mut taken = Taken::default();
    item(&deleted).tell(&vault(), now(), &mut taken);
    assert_eq!(taken.points[0].state, PointState::Deleting);
    assert_eq!(taken.points[0].held_until.unwrap().to_string(), "2026-12-12T08:45:55Z");
    let (source, by) = &taken.by[0];
    assert_eq!(*source, MACHINE.to_lowercase());
    assert!(by.why.contains("soft delete in the vault main until 2026-12-12 08:45 UTC"), "{}", by.why);
    assert!(by.cure.contains("az backup protection undelete --ids /subscriptions/S/item"), "{}", by.cure);
    for (state, told) in [("Protected", 0), ("IRPending", 0), ("ProtectionStopped", 1), ("ProtectionPaused", 1)] {
        let mut taken = Taken::default();
        item(&json!({"protectionState": state})).tell(&vault(), now(), &mut taken);
        assert_eq!((taken.by.len(), taken.points.len()), (told, 0), "{state}");
    }
}

#[test]
fn a_point_is_as_good_as_its_tiers_and_its_disks() {
    let of = |properties: Value| {
        let mut row = json!({"id": "p", "properties": properties});
        row["properties"]["recoveryPointTime"] = "2026-11-28T01:00:00.1234567Z".into();
        item(&json!({})).point(&vault(), &row).map(|point| (point.state, point.leaves_out))
    };
    let tiers = |states: &[&str]| {
        let tiers: Vec<Value> = states.iter().map(|state| json!({"type": "InstantRP", "status": state})).collect();
        json!({"recoveryPointTierDetails": tiers})
    };
    assert_eq!(of(json!({})), Some((PointState::Usable, false)));
    assert_eq!(of(tiers(&["Valid"])), Some((PointState::Usable, false)));
    assert_eq!(of(tiers(&["Deleted", "Valid"])), Some((PointState::Usable, false)));
    assert_eq!(of(tiers(&["Deleted", "Disabled"])), Some((PointState::Expired, false)));
    let disks = |saved: u64, all: u64, left: &[u64]| {
        let left: Vec<Value> = left.iter().map(|lun| json!({"lun": lun})).collect();
        json!({"recoveryPointDiskConfiguration": {"numberOfDisksIncludedInBackup": saved, "numberOfDisksAttachedToVm": all, "excludedDiskList": left}})
    };
    assert_eq!(of(disks(2, 2, &[])), Some((PointState::Usable, false)));
    assert_eq!(of(disks(1, 2, &[])), Some((PointState::Usable, true)));
    assert_eq!(of(disks(1, 1, &[3])), Some((PointState::Usable, true)));
    assert_eq!(of(json!({"recoveryPointProperties": {"isSoftDeleted": true}})), Some((PointState::Deleting, false)));
    // A point that does not tell its disks has those that its item has.
    for (choice, expected) in [
        (json!({"isInclusionList": true, "diskLunList": []}), true),
        (json!({"isInclusionList": false, "diskLunList": [1]}), true),
        (json!({"isInclusionList": false, "diskLunList": []}), false),
    ] {
        let row = json!({"id": "p", "properties": {"recoveryPointTime": "2026-11-28T01:00:00Z", "recoveryPointDiskConfiguration": null}});
        let item = item(&json!({"extendedProperties": {"diskExclusionProperties": choice}}));
        assert_eq!(item.point(&vault(), &row).unwrap().leaves_out, expected, "{choice}");
    }
    assert!(
        item(&json!({})).point(&vault(), &json!({"id": "p", "properties": {}})).is_none(),
        "without a time it can be joined to nothing"
    );
}

#[test]
fn a_time_without_a_zone_is_in_utc() {
    for text in ["2026-11-28T01:00:00.3797341Z", "2026-11-28T01:00:00.3797341", "2026-11-28T02:00:00.3797341+01:00"] {
        assert_eq!(time(&json!({"at": text}), "/at").unwrap().strftime("%F %T").to_string(), "2026-11-28 01:00:00", "{text}");
    }
    assert_eq!(time(&json!({"at": ""}), "/at"), None);
}

#[test]
fn a_job_is_of_the_one_machine_that_has_its_name() {
    let row = json!({"id": "j", "properties": {
        "entityFriendlyName": "web", "status": "Failed", "startTime": "2026-11-28T01:00:00Z",
        "errorDetails": [{"errorTitle": "UserErrorGuestAgentStatusUnavailable", "errorString": "VM agent is unable to communicate"}],
    }});
    let job = vault().job(&row, &[item(&json!({}))]).unwrap();
    assert_eq!((job.source.as_str(), job.state), (&*MACHINE.to_lowercase(), JobState::Failed));
    assert_eq!(job.message, "UserErrorGuestAgentStatusUnavailable: VM agent is unable to communicate");
    let twins = [item(&json!({})), item(&json!({"sourceResourceId": "/subscriptions/S/other"}))];
    assert!(vault().job(&row, &twins).unwrap().source.ends_with("/vaults/main/web"), "of twins nobody knows");
}

#[test]
fn jobs_are_asked_for_in_the_form_that_azure_takes() {
    let since: Timestamp = "2026-11-01T15:04:05Z".parse().unwrap();
    let path = vault().jobs("v", (since, now()));
    assert!(path.contains("startTime%20eq%20%272026-11-01%2003:04:05%20PM%27"), "{path}");
    assert!(path.contains("endTime%20eq%20%272026-11-28%2012:00:00%20PM%27"), "{path}");
}
