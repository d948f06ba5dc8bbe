//! What a cloud tells of a machine's patches, in one shape for all of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::asset::{Asset, Cloud};
use crate::catalog::aws::AwsType;
use crate::catalog::{azure, gcp};
use crate::model::{CellKey, EVERYWHERE};

/// What is known of one machine. It travels as an asset of type [`crate::AssetType::PatchState`] with the machine's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PatchFacts {
    /// Patches that are available and not installed.
    pub missing: u64,
    /// Patches whose installation failed.
    pub failed: u64,
    /// Patches among the missing ones that the cloud calls critical or a matter of security.
    pub critical: u64,
    /// Whether the machine waits for a reboot to finish an installation.
    pub pending_reboot: bool,
    /// When the machine was looked into with success; `None` where it was not.
    pub assessed_at: Option<Timestamp>,
}

impl PatchFacts {
    /// What travelled in an asset; nothing is known where nothing did.
    #[must_use]
    pub fn of(asset: &Asset) -> Self {
        asset.patches.unwrap_or_default()
    }

    /// Reads what earlier releases stored as facts.
    pub(crate) fn of_facts(facts: &BTreeMap<String, String>) -> Self {
        let text = |key: &str| facts.get(key).map(String::as_str).unwrap_or_default();
        let count = |key: &str| text(key).parse().unwrap_or_default();
        Self {
            missing: count("missing"),
            failed: count("failed"),
            critical: count("critical"),
            pending_reboot: text("pendingReboot") == "true",
            assessed_at: text("assessedAt").parse().ok(),
        }
    }
}

/// Service of the cells that tell of patches on a cloud.
#[must_use]
pub const fn patch_service(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => AwsType::PatchState.service(),
        Cloud::Azure => azure::PATCHES,
        Cloud::Gcp => gcp::PATCHES,
    }
}

/// The cell that tells of a machine's patches.
#[must_use]
pub fn patch_cell(machine: &Asset) -> CellKey {
    let region = if machine.cloud == Cloud::Aws { machine.region.clone() } else { EVERYWHERE.to_owned() };
    CellKey { account: machine.account.clone(), region, service: patch_service(machine.cloud).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_the_one_of_the_type() {
        for (cloud, service) in
            [(Cloud::Aws, "ssm/patch-states"), (Cloud::Azure, "resource-graph/patches"), (Cloud::Gcp, "cloud-asset/os-inventories")]
        {
            assert_eq!(patch_service(cloud), service, "stored inventories have the name");
        }
    }
}
