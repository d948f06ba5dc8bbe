//! A row of Resource Graph as an asset.

use std::collections::BTreeMap;

use caretaker_cloud::catalog::azure::asset_type;
use caretaker_cloud::{Asset, AssetType, Cloud, PatchFacts, Power, Size};
use jiff::Timestamp;
use serde_json::Value;

/// The call that shows a row.
pub const SOURCE: &str = "Microsoft.ResourceGraph/resources/read";
/// Location of what belongs to no region.
const GLOBAL: &str = "global";

/// Reads a row. Ids, types, locations and resource groups are put in lower case: Azure compares them without letter case and spells them in
/// several.
///
/// # Errors
/// The row has no id, or is not of this subscription: why, for a person.
pub fn asset(row: &Value, subscription: &str, service: &str, now: Timestamp) -> Result<Asset, String> {
    let text = |name: &str| text(row, name);
    let lower = |name: &str| text(name).to_lowercase();
    let id = own_id(row, subscription)?;
    let native_type = lower("type");
    let location = match lower("location") {
        location if location.is_empty() => GLOBAL.to_owned(),
        location => location,
    };
    let created = [text("timeCreated"), text("creationTime")].into_iter().find_map(|time| time.parse().ok());
    let asset_type = asset_type(&native_type, &lower("kind"));
    Ok(Asset {
        service: service.into(),
        name: text("name").into(),
        power: (asset_type == AssetType::Instance).then(|| Power::of(Cloud::Azure, power(row))),
        size: size(row),
        zone: zone(row),
        tags: tags(row),
        groups: Some(lower("resourceGroup")).filter(|group| !group.is_empty()).into_iter().collect(),
        created,
        facts: facts(row),
        source: SOURCE.into(),
        seen_at: now,
        native_type,
        ..Asset::new(Cloud::Azure, subscription, &location, asset_type, &id)
    })
}

/// Reads a row of the table of assessments: what is known of the patches of the machine that it stands under.
///
/// # Errors
/// As of [`asset`], or it stands under no machine.
pub fn assessment(row: &Value, subscription: &str, service: &str, now: Timestamp) -> Result<Asset, String> {
    let row_asset = asset(row, subscription, service, now)?;
    let (machine, _) = row_asset.id.rsplit_once("/patchassessmentresults/").ok_or("an assessment stands under no machine")?;
    let available: BTreeMap<String, u64> = serde_json::from_str(text(row, "available")).unwrap_or_default();
    let count = |kinds: &[&str]| available.iter().filter(|(kind, _)| kinds.contains(&kind.as_str())).map(|(_, count)| count).sum();
    // An assessment that failed or still runs says nothing.
    let is_done = matches!(text(row, "status").to_lowercase().as_str(), "succeeded" | "completedwithwarnings");
    let patches = PatchFacts {
        missing: available.values().sum(),
        failed: 0,
        critical: count(&["critical", "security"]),
        pending_reboot: text(row, "rebootPending").eq_ignore_ascii_case("true"),
        assessed_at: text(row, "assessedAt").parse().ok().filter(|_| is_done),
    };
    let (facts, groups) = (BTreeMap::new(), Vec::new());
    Ok(Asset { id: machine.into(), asset_type: AssetType::PatchState, patches: Some(patches), facts, groups, ..row_asset })
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The id in lower case, where it is of the subscription.
fn own_id(row: &Value, subscription: &str) -> Result<String, String> {
    let id = text(row, "id").to_lowercase();
    if id.is_empty() {
        return Err("a row has no id".into());
    }
    let inside = id.strip_prefix("/subscriptions/").and_then(|rest| rest.strip_prefix(subscription));
    if !inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        // Not quoted: it may be another client's.
        return Err("a row is of another subscription than was asked for".into());
    }
    Ok(id)
}

fn tags(row: &Value) -> BTreeMap<String, String> {
    let Some(tags) = row.get("tags").and_then(Value::as_object) else { return BTreeMap::new() };
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    tags.iter().map(|(key, value)| (key.clone(), word(value))).collect()
}

/// The power state of a machine in Azure's word, out of `PowerState/running`; empty where the row has none.
fn power(row: &Value) -> &str {
    text(row, "power").rsplit('/').next().unwrap_or_default()
}

fn size(row: &Value) -> Option<Size> {
    let class = Some(text(row, "vmSize")).filter(|class| !class.is_empty()).map(|class| Size::Class(class.to_owned()));
    class.or_else(|| text(row, "sizeGib").parse().ok().map(Size::Gib))
}

/// The zone, where the thing stands in one only: what is spread over several stands in none.
fn zone(row: &Value) -> Option<String> {
    let zones: Vec<String> = serde_json::from_str(text(row, "zones")).ok()?;
    <[String; 1]>::try_from(zones).ok().map(|[zone]| zone)
}

fn facts(row: &Value) -> BTreeMap<String, String> {
    let text = |name: &str| text(row, name);
    // The power state says of a machine what its provisioning state does not.
    let state = match power(row) {
        "" => text("state").to_lowercase(),
        power => power.to_owned(),
    };
    let facts = [
        ("managedBy", text("managedBy").to_lowercase()),
        ("kind", text("kind").to_owned()),
        ("sku", text("sku").to_owned()),
        ("os", text("os").to_lowercase()),
        ("state", state),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SUBSCRIPTION: &str = "aaaaaaaa-0000-4000-8000-000000000001";
    const MACHINE: &str = "providers/Microsoft.Compute/virtualMachines/Web-1";

    fn read(row: &Value) -> Result<Asset, String> {
        asset(row, SUBSCRIPTION, "resource-graph/compute", Timestamp::UNIX_EPOCH)
    }

    fn machine() -> Value {
        json!({
            "id": format!("/subscriptions/{}/resourceGroups/Prod/{MACHINE}", SUBSCRIPTION.to_uppercase()),
            "name": "Web-1", "type": "Microsoft.Compute/virtualMachines", "location": "WestEurope", "resourceGroup": "Prod",
            "tags": {"Env": "a\"b ü", "n": 1}, "kind": null, "sku": "", "state": "Succeeded", "power": "PowerState/running",
            "timeCreated": "2026-01-02T03:04:05Z", "creationTime": "", "vmSize": "Standard_D2s_v3", "os": "Linux", "zones": "[\"2\"]",
        })
    }

    #[test]
    fn a_row_becomes_an_asset_in_lower_case() {
        let asset = read(&machine()).unwrap();
        assert_eq!(
            asset.id,
            format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/prod/providers/microsoft.compute/virtualmachines/web-1")
        );
        assert_eq!((asset.asset_type, asset.native_type.as_str()), (AssetType::Instance, "microsoft.compute/virtualmachines"));
        assert_eq!((asset.region.as_str(), asset.name.as_str(), asset.cloud), ("westeurope", "Web-1", Cloud::Azure));
        assert_eq!(asset.tags, BTreeMap::from([("Env".into(), "a\"b ü".into()), ("n".into(), "1".into())]));
        assert_eq!((asset.power, asset.zone.as_deref()), (Some(Power::Running), Some("2")));
        assert_eq!((asset.size.clone(), asset.groups.clone()), (Some(Size::Class("Standard_D2s_v3".into())), vec!["prod".to_owned()]));
        assert_eq!(asset.facts, BTreeMap::from([("os".into(), "linux".into()), ("state".into(), "running".into())]));
        assert_eq!(asset.created.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(asset.cell().region, caretaker_cloud::EVERYWHERE);
    }

    #[test]
    fn the_state_of_a_deployment_is_no_power_state() {
        let mut row = machine();
        (row["power"], row["zones"]) = ("".into(), "[\"1\",\"2\"]".into());
        let asset = read(&row).unwrap();
        assert_eq!((asset.power, asset.facts["state"].as_str()), (Some(Power::Unknown), "succeeded"));
        assert_eq!(asset.zone, None, "what stands in several zones stands in none");
        (row["type"], row["vmSize"], row["sizeGib"]) = ("Microsoft.Compute/disks".into(), "".into(), "128".into());
        let disk = read(&row).unwrap();
        assert_eq!((disk.power, disk.size), (None, Some(Size::Gib(128))));
    }

    #[test]
    fn a_type_that_nobody_knows_keeps_its_name() {
        let mut row = machine();
        row["type"] = "Contoso.Rockets/Engines".into();
        row["location"] = Value::Null;
        let asset = read(&row).unwrap();
        assert_eq!(
            (asset.asset_type, asset.native_type.as_str(), asset.region.as_str()),
            (AssetType::Other, "contoso.rockets/engines", "global")
        );
    }

    #[test]
    fn an_assessment_tells_of_its_machine() {
        let of = |status: &str, available: &str| {
            let row = json!({
                "id": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/Prod/{MACHINE}/patchAssessmentResults/latest"),
                "type": "microsoft.compute/virtualmachines/patchassessmentresults", "name": "latest", "location": "westeurope",
                "status": status, "rebootPending": "false", "assessedAt": "2026-01-02T03:04:05Z", "available": available,
            });
            assessment(&row, SUBSCRIPTION, "resource-graph/patches", Timestamp::UNIX_EPOCH)
        };
        let told = of("Succeeded", r#"{"critical":1,"security":2,"other":4}"#).unwrap();
        assert_eq!((told.id.as_str(), told.asset_type), (read(&machine()).unwrap().id.as_str(), AssetType::PatchState));
        let facts = PatchFacts::of(&told);
        assert_eq!((facts.missing, facts.critical, facts.pending_reboot), (7, 3, false));
        assert_eq!(facts.assessed_at.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(PatchFacts::of(&of("Failed", "").unwrap()).assessed_at, None, "an assessment that failed says nothing");
        assert!(assessment(&machine(), SUBSCRIPTION, "", Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_function_is_told_from_an_application() {
        assert_eq!(asset_type("microsoft.web/sites", "functionapp,linux"), AssetType::Function);
        assert_eq!(asset_type("microsoft.web/sites", "app"), AssetType::Other);
    }

    #[test]
    fn a_row_of_another_subscription_is_refused_unnamed() {
        for id in
            ["/subscriptions/bbbbbbbb-0000-4000-8000-000000000001/x".to_owned(), format!("/subscriptions/{SUBSCRIPTION}0/x"), String::new()]
        {
            let error = read(&json!({"id": id})).unwrap_err();
            assert!(!error.contains("bbbb"), "{error}");
        }
    }
}
