//! What is left out, and the counts.

use std::collections::BTreeMap;

use caretaker_cloud::{Asset, AssetType, Cloud};
use serde::Serialize;

use super::{Account, Reason};

/// An asset without an import block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    cloud: Cloud,
    account: String,
    region: String,
    id: String,
    #[serde(rename = "type")]
    asset_type: AssetType,
    native_type: String,
    reason: String,
    #[serde(skip)]
    is_gap: bool,
}

impl Skipped {
    pub(super) fn new(asset: &Asset, reason: Reason) -> Self {
        Self {
            cloud: asset.cloud,
            account: asset.account.clone(),
            region: asset.region.clone(),
            id: asset.id.clone(),
            asset_type: asset.asset_type,
            native_type: asset.native_type.clone(),
            reason: reason.text,
            is_gap: reason.is_gap,
        }
    }
}

/// The counts of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Its cloud.
    pub cloud: Cloud,
    /// Its id.
    pub account: String,
    /// Its folder below `04-iac`; `None` where nothing is imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Assets in its inventory.
    pub inventory: usize,
    /// Assets with an import block.
    pub exported: usize,
    /// Assets without one.
    pub skipped: usize,
}

/// `skipped.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    /// Assets in all inventories.
    pub inventory: usize,
    /// Assets with an import block.
    pub exported: usize,
    /// Assets without one.
    pub skipped: usize,
    /// The same by account.
    pub accounts: Vec<Counted>,
    /// Each asset without one, and why.
    pub assets: &'a [Skipped],
}

impl<'a> Report<'a> {
    pub(super) fn of(accounts: Vec<&Account>, assets: &'a [Skipped]) -> Self {
        let counted = |account: &Account| {
            let exported = account.blocks.len();
            Counted {
                cloud: account.cloud,
                account: account.id.clone(),
                folder: (exported > 0).then(|| account.folder()),
                inventory: account.inventory,
                exported,
                skipped: account.inventory - exported,
            }
        };
        let accounts: Vec<Counted> = accounts.into_iter().map(counted).collect();
        let inventory = accounts.iter().map(|account| account.inventory).sum();
        let exported = accounts.iter().map(|account| account.exported).sum();
        Self { inventory, exported, skipped: assets.len(), accounts, assets }
    }

    /// The file.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// What a client lacks of one type, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The cloud.
    pub cloud: Cloud,
    /// The cloud's word for the type.
    pub native_type: String,
    /// Number of assets.
    pub count: usize,
    /// Why they are not imported.
    pub reason: String,
}

pub(super) fn gaps(skipped: &[Skipped]) -> Vec<Gap> {
    let mut counted: BTreeMap<(Cloud, &str, &str), usize> = BTreeMap::new();
    for asset in skipped.iter().filter(|asset| asset.is_gap) {
        *counted.entry((asset.cloud, &asset.native_type, &asset.reason)).or_default() += 1;
    }
    let gap = |((cloud, native_type, reason), count): ((Cloud, &str, &str), usize)| Gap {
        cloud,
        native_type: native_type.to_owned(),
        count,
        reason: reason.to_owned(),
    };
    counted.into_iter().map(gap).collect()
}
