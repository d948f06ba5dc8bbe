//! Lines of inventories as they are stored, those of earlier releases included.
//!
//! Earlier releases said in `facts` what is typed now. Such a line is read as this release would have written it, so that what is decided by
//! typed fields holds for it as well, and so that a comparison of the two forms shows no change that did not happen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Address, Asset, AssetType, Cloud, Power, Size};
use crate::patch::PatchFacts;

/// A line of either form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stored {
    id: String,
    cloud: Cloud,
    account: String,
    region: String,
    #[serde(default)]
    zone: Option<String>,
    #[serde(rename = "type")]
    asset_type: AssetType,
    #[serde(default)]
    native_type: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    power: Option<Power>,
    #[serde(default)]
    addresses: Vec<Address>,
    #[serde(default)]
    size: Option<Size>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    built_in: bool,
    #[serde(default)]
    created: Option<Timestamp>,
    #[serde(default)]
    patches: Option<PatchFacts>,
    #[serde(default)]
    facts: BTreeMap<String, String>,
    source: String,
    #[serde(default)]
    seen_at: Timestamp,
}

impl From<Stored> for Asset {
    fn from(line: Stored) -> Self {
        let mut asset = Self {
            id: line.id,
            cloud: line.cloud,
            account: line.account,
            region: line.region,
            zone: line.zone,
            asset_type: line.asset_type,
            native_type: line.native_type,
            service: line.service,
            name: line.name,
            power: line.power,
            addresses: line.addresses,
            size: line.size,
            tags: line.tags,
            groups: line.groups,
            built_in: line.built_in,
            created: line.created,
            patches: line.patches,
            facts: line.facts,
            source: line.source,
            seen_at: line.seen_at,
        };
        asset.lift_facts();
        asset
    }
}

impl Asset {
    /// Takes out of the facts what is typed now. A line of this release has nothing of it there.
    fn lift_facts(&mut self) {
        if self.asset_type == AssetType::PatchState {
            if self.patches.is_none() {
                self.patches = Some(PatchFacts::of_facts(&std::mem::take(&mut self.facts)));
            }
            return;
        }
        if self.asset_type == AssetType::Instance && self.power.is_none() {
            self.power = Some(Power::of(self.cloud, self.facts.get("state").map_or("", String::as_str)));
        }
        for (fact, address) in [("privateIp", Address::private as fn(_) -> _), ("publicIp", Address::public)] {
            let told = self.facts.remove(fact).unwrap_or_default();
            self.addresses.extend(told.split(',').filter_map(|ip| ip.trim().parse().ok()).map(address));
        }
        let class = self.facts.remove("instanceType").map(Size::Class);
        let gib = self.facts.remove("sizeGib").and_then(|gib| gib.parse().ok()).map(Size::Gib);
        self.size = self.size.take().or(class).or(gib);
        self.zone = self.zone.take().or(self.facts.remove("zone")).or_else(|| self.cloud.zone_of(&self.region));
        let groups = [self.facts.remove("resourceGroup"), self.facts.remove("folders")].into_iter().flatten();
        self.groups.extend(groups.flat_map(|groups| groups.split(',').map(str::to_owned).collect::<Vec<_>>()));
        self.built_in |= is_built_in(self);
    }
}

/// How earlier releases told of what AWS itself made or manages.
fn is_built_in(asset: &Asset) -> bool {
    let fact = |key: &str| asset.facts.get(key).map(String::as_str);
    match asset.asset_type {
        _ if asset.cloud != Cloud::Aws => false,
        AssetType::Principal => fact("path").is_some_and(|path| path.starts_with("/aws-service-role/")),
        AssetType::Key => fact("manager") == Some("AWS"),
        AssetType::Network => fact("default") == Some("true"),
        AssetType::SecurityGroup => fact("groupName") == Some("default"),
        _ => false,
    }
}
