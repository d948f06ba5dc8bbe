//! What a cloud tells of a machine's patches, in one shape for all of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::catalog::aws::AwsType;
use crate::catalog::{azure, gcp};
use crate::model::{Asset, CellKey, EVERYWHERE};

/// What is known of one machine. It travels as an asset of type [`crate::AssetType::PatchState`] with the machine's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

const MISSING: &str = "missing";
const FAILED: &str = "failed";
const CRITICAL: &str = "critical";
const PENDING_REBOOT: &str = "pendingReboot";
const ASSESSED_AT: &str = "assessedAt";

impl From<PatchFacts> for BTreeMap<String, String> {
    fn from(facts: PatchFacts) -> Self {
        let mut map = Self::from(
            [(MISSING, facts.missing), (FAILED, facts.failed), (CRITICAL, facts.critical)]
                .map(|(key, count)| (key.into(), count.to_string())),
        );
        map.insert(PENDING_REBOOT.into(), facts.pending_reboot.to_string());
        map.extend(facts.assessed_at.map(|at| (ASSESSED_AT.into(), at.to_string())));
        map
    }
}

impl PatchFacts {
    /// Reads what travelled in an asset.
    #[must_use]
    pub fn of(asset: &Asset) -> Self {
        let text = |key: &str| asset.facts.get(key).map(String::as_str).unwrap_or_default();
        let count = |key: &str| text(key).parse().unwrap_or_default();
        Self {
            missing: count(MISSING),
            failed: count(FAILED),
            critical: count(CRITICAL),
            pending_reboot: text(PENDING_REBOOT) == "true",
            assessed_at: text(ASSESSED_AT).parse().ok(),
        }
    }
}

/// Service of the cells that tell of patches, by cloud.
const SERVICES: [(&str, &str); 3] = [("aws", AwsType::PatchState.service()), ("azure", azure::PATCHES), ("gcp", gcp::PATCHES)];

/// Service of the cells that tell of patches on a cloud.
#[must_use]
pub fn patch_service(cloud: &str) -> Option<&'static str> {
    SERVICES.iter().find(|(name, _)| *name == cloud).map(|(_, service)| *service)
}

/// The cell that tells of a machine's patches.
#[must_use]
pub fn patch_cell(machine: &Asset) -> Option<CellKey> {
    let service = patch_service(&machine.cloud)?;
    let region = if machine.cloud == "aws" { machine.region.clone() } else { EVERYWHERE.to_owned() };
    Some(CellKey { account: machine.account.clone(), region, service: service.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_the_one_of_the_type() {
        for (cloud, service) in [("aws", "ssm/patch-states"), ("azure", "resource-graph/patches"), ("gcp", "cloud-asset/os-inventories")] {
            assert_eq!(patch_service(cloud), Some(service), "stored inventories have the name");
        }
        assert_eq!(patch_service("elsewhere"), None);
    }

    #[test]
    fn facts_come_back_as_they_went() {
        let facts = PatchFacts { missing: 3, failed: 1, critical: 2, pending_reboot: true, assessed_at: Some(Timestamp::UNIX_EPOCH) };
        let map: BTreeMap<String, String> = facts.into();
        assert_eq!(map["assessedAt"], "1970-01-01T00:00:00Z");
        let asset = crate::fake::an_asset("1", "r", AwsType::PatchState, 0);
        assert_eq!(PatchFacts::of(&Asset { facts: map, ..asset }), facts);
    }
}
