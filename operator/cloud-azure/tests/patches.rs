//! Patch state on the simulator. Emulated: nothing here was proved against Azure.

mod common;

use caretaker_arm_simulator::world::Refusal;
use caretaker_cloud::{AssetType, PatchFacts, Verdict, patch_cell};
use common::{SUBSCRIPTION, Stage, machines};
use serde_json::{Value, json};

/// What Update Manager would tell of a machine.
fn assessment(machine: &str, status: &str, available: &Value) -> Value {
    let kind = "microsoft.compute/virtualmachines/patchassessmentresults";
    let id = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/PROD/providers/Microsoft.Compute/virtualMachines/{machine}");
    json!({
        "id": format!("{id}/patchAssessmentResults/latest"), "name": "latest", "type": kind, "location": "westeurope",
        "subscriptionId": SUBSCRIPTION, "resourceGroup": "PROD",
        "properties": {
            "status": status, "rebootPending": false, "lastModifiedDateTime": "2026-01-02T03:04:05Z",
            "availablePatchCountByClassification": available,
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn assessments_come_under_their_machines_ids() {
    let stage = Stage::with(machines(3)).await;
    stage.edit(|subscription| {
        subscription.patch_assessments = vec![
            assessment("VM-000000", "Succeeded", &json!({"critical": 1, "security": 0, "other": 2})),
            assessment("vm-000001", "Failed", &json!({})),
        ];
    });
    let gathered = stage.discover().await;
    gathered.assert_complete();
    let told: Vec<_> = gathered.assets.iter().filter(|asset| asset.asset_type == AssetType::PatchState).collect();
    assert_eq!((told.len(), gathered.cell("patches").assets), (2, 2));
    let machine = gathered.assets.iter().find(|asset| asset.name == "vm-000000").expect("the machine came");
    let state = told.iter().find(|state| state.id == machine.id).expect("letter case does not count");
    assert_eq!(patch_cell(machine), gathered.cell("patches").key);
    let facts = PatchFacts::of(state);
    assert_eq!((facts.missing, facts.critical, facts.assessed_at.is_some()), (3, 1, true));
    assert!(told.iter().any(|state| PatchFacts::of(state).assessed_at.is_none()), "an assessment that failed says nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_assessments_still_sees_machines() {
    let stage = Stage::with(machines(2)).await;
    stage.rule("ResourceGraph", "patchassessmentresources", Refusal::Denied, (0, None));
    let gathered = stage.discover().await;
    assert_eq!(gathered.cell("patches").verdict, Verdict::Denied);
    assert!(gathered.others(&["patches"]).iter().all(|verdict| *verdict == Verdict::Complete));
    assert_eq!(gathered.assets.len(), 2);
}
