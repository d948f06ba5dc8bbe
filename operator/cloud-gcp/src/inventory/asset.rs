//! A row of Cloud Asset as an asset. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use caretaker_cloud::catalog::gcp::asset_type;
use caretaker_cloud::{Address, Asset, AssetType, Cloud, CloudError, ErrorClass, Power, Result, Size};
use jiff::Timestamp;
use serde_json::Value;

/// The call that shows assets.
pub const SEARCH: &str = "cloudasset:searchAllResources";
/// The fields that are asked for.
pub const READ_MASK: &str = "name,assetType,displayName,location,labels,createTime,state,kmsKeys,folders,additionalAttributes";
/// Location of what has none.
const NOWHERE: &str = "global";
/// Attributes that become facts: Google's name, ours.
const FACTS: [(&str, &str); 2] = [("databaseVersion", "engine"), ("email", "email")];

/// Where a row was found.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The project's id.
    pub project: &'a str,
    /// Service of the cell.
    pub service: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// The native type of a row.
///
/// # Errors
/// It has none.
pub fn native_type(row: &Value) -> Result<&str> {
    needed(row, "assetType")
}

fn needed<'a>(row: &'a Value, field: &str) -> Result<&'a str> {
    let missing = || CloudError::new(ErrorClass::Unreachable, SEARCH, format!("a row of the answer has no {field}"));
    row[field].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}

/// A row as an asset.
///
/// # Errors
/// The row has no name or no type.
pub fn asset(row: &Value, place: &Place<'_>) -> Result<Asset> {
    let native = native_type(row)?;
    let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let labels = row["labels"].as_object().into_iter().flatten();
    let mut facts: BTreeMap<String, String> =
        FACTS.iter().filter_map(|(theirs, ours)| Some(((*ours).to_owned(), fact(&row["additionalAttributes"][*theirs])?))).collect();
    facts.extend(fact(&row["state"]).map(|state| ("state".to_owned(), state)));
    facts.extend(fact(&row["kmsKeys"]).map(|keys| ("kmsKeys".to_owned(), keys)));
    let (kind, location) = (asset_type(native), location(row));
    let is_machine = kind == AssetType::Instance;
    Ok(Asset {
        zone: Cloud::Gcp.zone_of(location),
        native_type: native.into(),
        service: place.service.into(),
        name: text("displayName"),
        power: is_machine.then(|| Power::of(Cloud::Gcp, row["state"].as_str().unwrap_or_default())),
        addresses: if is_machine { addresses(&row["additionalAttributes"]) } else { Vec::new() },
        size: size(&row["additionalAttributes"]),
        groups: texts(&row["folders"]).map(str::to_owned).collect(),
        tags: labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        created: row["createTime"].as_str().and_then(|text| text.parse().ok()),
        facts,
        source: SEARCH.into(),
        seen_at: place.now,
        ..Asset::new(Cloud::Gcp, place.project, location, kind, needed(row, "name")?)
    })
}

/// The addresses of a machine. Cloud Asset lists those of all its network interfaces, the first interface first: `networkIP` and what IPv6 has within the
/// network, then `natIP` and what IPv6 has on the internet.
fn addresses(attributes: &Value) -> Vec<Address> {
    let ips = |field: &str| texts(&attributes[field]).filter_map(|ip| ip.parse::<IpAddr>().ok()).collect::<Vec<_>>();
    let (private, public) = (ips("internalIPs"), ips("externalIPs"));
    private.into_iter().map(Address::private).chain(public.into_iter().map(Address::public)).collect()
}

fn size(attributes: &Value) -> Option<Size> {
    let class = fact(&attributes["machineType"]).map(Size::Class);
    class.or_else(|| fact(&attributes["sizeGb"])?.parse().ok().map(Size::Gib))
}

/// The texts of a list, or the one text that stands for it.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter().filter_map(Value::as_str)
}

/// Where a row's thing is.
#[must_use]
pub fn location(row: &Value) -> &str {
    row["location"].as_str().filter(|location| !location.is_empty()).unwrap_or(NOWHERE)
}

/// Whether a location is one of the regions, or a zone of one. `global` and names such as `eu` count where they are named.
#[must_use]
pub fn is_within(location: &str, regions: &[String]) -> bool {
    let location = location.to_ascii_lowercase();
    regions.iter().any(|region| {
        let region = region.to_ascii_lowercase();
        let zone = location.strip_prefix(&region).and_then(|rest| rest.strip_prefix('-'));
        location == region || zone.is_some_and(|zone| zone.len() == 1)
    })
}

fn fact(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(is) => is.to_string(),
        Value::Array(items) => items.iter().filter_map(fact).collect::<Vec<_>>().join(","),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::{AssetType, EVERYWHERE};
    use serde_json::json;

    use super::*;

    const PLACE: Place<'_> = Place { project: "client-one", service: "cloud-asset/compute", now: Timestamp::UNIX_EPOCH };

    #[test]
    fn a_row_keeps_what_it_says() {
        let row = json!({
            "name": "//compute.googleapis.com/projects/client-one/zones/europe-west1-b/instances/web",
            "assetType": "compute.googleapis.com/Instance",
            "displayName": "wéb \"1\" <&>'$(x)",
            "location": "europe-west1-b",
            "labels": {"env": "prod", "": "", "empty": ""},
            "createTime": "2026-01-02T03:04:05Z",
            "state": "RUNNING",
            "kmsKeys": ["one", "two"],
            "folders": ["folders/12", "folders/34"],
            "additionalAttributes": {
                "internalIPs": ["10.0.0.1", "10.0.1.1", "fd20::1"], "externalIPs": ["203.0.113.7", "2001:db8::1"], "machineType": "e2-small",
                "sizeGb": 10, "secretThing": "x",
            },
        });
        let asset = asset(&row, &PLACE).unwrap();
        assert_eq!(asset.asset_type, AssetType::Instance);
        assert_eq!((asset.name.as_str(), asset.region.as_str()), ("wéb \"1\" <&>'$(x)", "europe-west1-b"));
        assert_eq!(asset.cell().region, EVERYWHERE);
        assert_eq!(asset.created.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(asset.tags.len(), 3);
        let facts: Vec<_> = asset.facts.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(facts, [("kmsKeys", "one,two"), ("state", "RUNNING")]);
        assert_eq!((asset.power, asset.size), (Some(Power::Running), Some(Size::Class("e2-small".into()))));
        assert_eq!((asset.zone.as_deref(), asset.groups), (Some("europe-west1-b"), vec!["folders/12".to_owned(), "folders/34".to_owned()]));
        let addresses: Vec<String> = asset.addresses.iter().map(ToString::to_string).collect();
        let expected = ["10.0.0.1 (private)", "10.0.1.1 (private)", "fd20::1 (private)", "203.0.113.7 (public)", "2001:db8::1 (public)"];
        assert_eq!(addresses, expected);
    }

    #[test]
    fn only_a_machine_has_power_and_addresses() {
        let of = |kind: &str| {
            let attributes = json!({"internalIPs": ["10.0.0.1", "no address"], "sizeGb": "20"});
            let row =
                json!({"name": "//x", "assetType": kind, "state": "READY", "location": "europe-west1", "additionalAttributes": attributes});
            asset(&row, &PLACE).unwrap()
        };
        let disk = of("compute.googleapis.com/Disk");
        assert_eq!((disk.power, disk.addresses.len(), disk.size, disk.zone), (None, 0, Some(Size::Gib(20)), None));
        let machine = of("compute.googleapis.com/Instance");
        assert_eq!((machine.power, machine.addresses.len()), (Some(Power::Unknown), 1), "a word that nobody knows is no power state");
    }

    #[test]
    fn a_row_without_a_name_is_not_passed_over() {
        let nameless = json!({"assetType": "compute.googleapis.com/Instance"});
        assert_eq!(asset(&nameless, &PLACE).unwrap_err().class, ErrorClass::Unreachable);
        assert!(asset(&json!({"name": "//x"}), &PLACE).is_err());
        let bare = asset(&json!({"name": "//x", "assetType": "new.example/Thing"}), &PLACE).unwrap();
        assert_eq!((bare.asset_type, bare.region.as_str(), bare.created), (AssetType::Other, "global", None));
    }

    #[test]
    fn a_region_has_its_zones_and_nothing_more() {
        let regions = ["europe-west1".to_owned(), "EU".to_owned()];
        for within in ["europe-west1", "europe-west1-b", "eu", "EU"] {
            assert!(is_within(within, &regions), "{within}");
        }
        for without in ["europe-west10", "europe-west10-a", "europe", "global", "us-east1-b", "europe-west1-b2", ""] {
            assert!(!is_within(without, &regions), "{without}");
        }
    }
}
