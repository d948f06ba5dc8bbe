//! One line of an inventory: an asset and what the scope says of it.

use std::collections::BTreeMap;

use caretaker_api::cloud_account::PatchStatus;
use caretaker_cloud::Asset;
use serde::{Deserialize, Serialize};

use crate::inventory::scope::{Rules, ScopeVerdict};

/// Most samples of unclassified assets that are told.
const MAX_SAMPLES: usize = 5;

/// An asset with its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The asset.
    #[serde(flatten)]
    pub asset: Asset,
    /// What the scope says of it. Inventories of a release without scopes have covered assets only.
    #[serde(default)]
    pub verdict: ScopeVerdict,
    /// Why it is excluded; empty where it is not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub exclusion: String,
}

impl Line {
    /// Judges an asset.
    #[must_use]
    pub fn judged(asset: Asset, rules: &Rules) -> Self {
        let (verdict, reason) = rules.verdict(&asset);
        let exclusion = reason.to_owned();
        Self { asset, verdict, exclusion }
    }
}

/// Counts by type and verdict.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// All assets.
    pub total: u64,
    /// By type.
    pub by_type: BTreeMap<String, u64>,
    /// By verdict.
    pub by_verdict: BTreeMap<String, u64>,
    /// Machines by what is known of their patches.
    pub patches: PatchStatus,
    /// Assets that stay although the cloud's index shows them no more.
    pub unconfirmed: u64,
    /// Why the first of them could not be asked for; empty where all could.
    pub unconfirmed_cause: String,
    /// Some of the unclassified assets, as people read them.
    pub unclassified: Vec<String>,
}

impl Counts {
    /// Counts one asset.
    pub fn add(&mut self, line: &Line) {
        let Line { asset, verdict, .. } = line;
        self.total += 1;
        *self.by_type.entry(asset.asset_type.as_str().into()).or_default() += 1;
        *self.by_verdict.entry(verdict.as_str().into()).or_default() += 1;
        if *verdict == ScopeVerdict::Unclassified && self.unclassified.len() < MAX_SAMPLES {
            self.unclassified.push(format!("{} ({}, {})", asset.id, asset.asset_type, asset.region));
        }
    }
}
