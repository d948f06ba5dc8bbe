//! What VM Manager tells of machines' patches, as Cloud Asset holds it. Pure.

use caretaker_cloud::{Asset, AssetType, Cloud, CloudError, ErrorClass, PatchFacts, Result};
use serde_json::Value;

use crate::inventory::asset::Place;

/// The call that shows it.
pub const LIST: &str = "cloudasset:assets.list";
/// Rows of a page: each holds every package of a machine, up to a megabyte.
const PAGE_SIZE: &str = "20";
/// The one type that has an inventory.
const MACHINE: &str = "compute.googleapis.com/Instance";

/// The query of a page.
#[must_use]
pub fn query(page: Option<&str>) -> Vec<(&'static str, &str)> {
    let mut query = vec![("contentType", "OS_INVENTORY"), ("assetTypes", MACHINE), ("pageSize", PAGE_SIZE)];
    query.extend(page.map(|token| ("pageToken", token)));
    query
}

/// A row as a patch state; `None` where the machine has no inventory.
///
/// # Errors
/// The row has no name.
pub fn patch_state(row: &Value, place: &Place<'_>) -> Result<Option<Asset>> {
    let no_name = || CloudError::new(ErrorClass::Unreachable, LIST, "a row of the answer has no name");
    let name = row["name"].as_str().filter(|name| !name.is_empty()).ok_or_else(no_name)?;
    let inventory = &row["osInventory"];
    if !inventory.is_object() {
        return Ok(None);
    }
    let items = inventory["items"].as_object().into_iter().flatten();
    let missing = items.filter(|(_, item)| item["type"].as_str() == Some("AVAILABLE_PACKAGE")).count();
    let patches = PatchFacts {
        missing: missing as u64,
        assessed_at: inventory["updateTime"].as_str().and_then(|text| text.parse().ok()),
        // Cloud Asset tells neither of failures nor of classes.
        ..PatchFacts::default()
    };
    Ok(Some(Asset {
        native_type: MACHINE.into(),
        service: place.service.into(),
        patches: Some(patches),
        source: LIST.into(),
        seen_at: place.now,
        ..Asset::new(Cloud::Gcp, place.project, "global", AssetType::PatchState, name)
    }))
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::catalog::gcp::PATCHES;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    const PLACE: Place<'_> = Place { project: "client-one", service: PATCHES, now: Timestamp::UNIX_EPOCH };

    #[test]
    fn packages_that_are_available_are_missing() {
        let row = json!({"name": "//compute.googleapis.com/projects/p/zones/z/instances/web", "osInventory": {
            "updateTime": "2026-01-02T03:04:05Z",
            "items": {"a": {"type": "INSTALLED_PACKAGE"}, "b": {"type": "AVAILABLE_PACKAGE"}, "c": {"type": "AVAILABLE_PACKAGE"}},
        }});
        let state = patch_state(&row, &PLACE).unwrap().unwrap();
        let facts = PatchFacts::of(&state);
        assert_eq!((facts.missing, facts.assessed_at.unwrap().to_string().as_str()), (2, "2026-01-02T03:04:05Z"));
        assert_eq!(state.id, "//compute.googleapis.com/projects/p/zones/z/instances/web");
    }

    #[test]
    fn a_machine_without_an_inventory_has_no_patch_state() {
        assert!(patch_state(&json!({"name": "//x"}), &PLACE).unwrap().is_none());
        assert!(patch_state(&json!({"osInventory": {}}), &PLACE).is_err());
    }
}
