//! From inventories to the units of one day.

use std::collections::BTreeMap;

use caretaker_api::billing::{BillingModel, BillingTerms, BillingUnit, ServiceLayer};
use caretaker_cloud::{AssetType, Cell, Cloud, Power, Verdict, patch_service};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FORMAT;
use crate::digest::json_digest;
use crate::inventory::Line;
use crate::inventory::scope::{Named, ScopeVerdict};

/// The word for assets of which nobody says how much the cloud looks after.
const UNSAID: &str = "unsaid";
/// The word for a machine that its cloud still shows although it is deleted.
const GONE: &str = "Gone";

/// One covered asset, as it stands in the file behind a record: one JSON line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Billed {
    /// Name of the unit; empty where no unit bills it.
    pub unit: String,
    /// CloudAccount.
    pub account: String,
    /// The cloud's own id of the account.
    pub account_id: String,
    /// The cloud's own id.
    pub id: String,
    /// Kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The cloud's own type.
    pub native_type: String,
    /// Region or location.
    pub region: String,
    /// IaaS, PaaS, SaaS, or `unsaid`.
    pub layer: String,
}

/// An account whose assets were counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedAccount {
    /// CloudAccount.
    pub account: String,
    /// The cloud's own id.
    pub id: String,
    /// Digest of the inventory; empty where there is none.
    pub digest: String,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// Parts that were read completely, of those that were planned.
    pub coverage: String,
}

/// The units of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitCount {
    /// Name.
    pub name: String,
    /// How it is counted.
    pub model: BillingModel,
    /// Whether it is a managed service: work by the hour is none.
    pub managed_service: bool,
    /// Number of units; `None` where it is not counted here.
    pub count: Option<u64>,
    /// Number of assets behind them.
    pub assets: u64,
    /// These by how much their cloud looks after.
    pub by_layer: BTreeMap<String, u64>,
    /// Whether every part was read that may hold such assets.
    pub complete: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
}

/// The units of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DayUnits {
    /// Form.
    pub format: String,
    /// The day, in the zone.
    pub day: String,
    /// The zone.
    pub zone: String,
    /// When it was counted.
    pub counted_at: Timestamp,
    /// Digest of the terms in force.
    pub terms: String,
    /// The inventories that were counted.
    pub accounts: Vec<CountedAccount>,
    /// Whether all units are complete. Otherwise the numbers are not final.
    pub complete: bool,
    /// The units, in the order of the terms.
    pub units: Vec<UnitCount>,
    /// Covered assets that no unit bills, by type.
    pub unbilled: BTreeMap<String, u64>,
    /// Assets that are never billed, by the reason: Excluded, Unclassified, Gone.
    pub never_billed: BTreeMap<String, u64>,
    /// Address of the file with every covered asset, relative to the store.
    #[serde(default)]
    pub assets: String,
    /// SHA-256 of that file.
    #[serde(default)]
    pub assets_sha256: String,
}

/// How much a cloud looks after of a type, after NIST SP 800-145: processing, storage and networks are infrastructure, what runs by itself on them is a
/// platform. Of the rest a type says nothing.
#[must_use]
pub const fn layer_of(kind: AssetType) -> Option<ServiceLayer> {
    match kind {
        AssetType::Instance
        | AssetType::Volume
        | AssetType::Snapshot
        | AssetType::Network
        | AssetType::Subnet
        | AssetType::SecurityGroup
        | AssetType::LoadBalancer
        | AssetType::Bucket => Some(ServiceLayer::IaaS),
        AssetType::Database
        | AssetType::Cluster
        | AssetType::Function
        | AssetType::Key
        | AssetType::BackupVault
        | AssetType::AuditTrail => Some(ServiceLayer::PaaS),
        AssetType::Principal | AssetType::PatchState | AssetType::Other => None,
    }
}

/// Counts the assets of a client, account by account. It holds numbers only: what stands behind them is given out line by line.
pub struct Counter<'a> {
    terms: &'a BillingTerms,
    tallies: Vec<Tally>,
    accounts: Vec<CountedAccount>,
    unbilled: BTreeMap<String, u64>,
    never_billed: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Tally {
    assets: u64,
    by_layer: BTreeMap<String, u64>,
    cause: String,
}

impl<'a> Counter<'a> {
    /// Counts under these terms.
    #[must_use]
    pub fn new(terms: &'a BillingTerms) -> Self {
        let tallies = terms.units.iter().map(|_| Tally::default()).collect();
        Self { terms, tallies, accounts: Vec::new(), unbilled: BTreeMap::new(), never_billed: BTreeMap::new() }
    }

    /// Notes an account, with what is wrong with its inventory as a whole: what counts assets is not complete then.
    pub fn account(&mut self, account: CountedAccount, wrong: Option<&str>) {
        if let Some(wrong) = wrong {
            self.spoil_account(&account.account, wrong);
        }
        self.accounts.push(account);
    }

    /// Notes what is wrong with the inventory of an account as a whole.
    pub fn spoil_account(&mut self, account: &str, wrong: &str) {
        self.spoil(&format!("account {account}: {wrong}"), |unit| !unit.assets.is_empty());
    }

    /// Takes a part of an account: where it was not read completely, the units that it may hold assets of are not complete.
    pub fn cell(&mut self, named: &Named, cell: &Cell) {
        let is_patches = Cloud::ALL.into_iter().any(|cloud| patch_service(cloud) == cell.key.service);
        if cell.verdict == Verdict::Complete || is_patches {
            return;
        }
        self.spoil(&cell.cause, |unit| unit.assets.iter().any(|selector| named.may_hold(selector, &cell.key)));
    }

    fn spoil(&mut self, cause: &str, is_of: impl Fn(&BillingUnit) -> bool) {
        for (unit, tally) in self.terms.units.iter().zip(&mut self.tallies) {
            if tally.cause.is_empty() && is_of(unit) {
                cause.clone_into(&mut tally.cause);
            }
        }
    }

    /// Takes one asset, which gives its line where it is covered. The first unit that selects it bills it, and no other.
    pub fn take(&mut self, (account, named): (&str, &Named), line: &Line) -> Option<Billed> {
        let asset = &line.asset;
        let never = match line.verdict {
            ScopeVerdict::Covered if asset.power == Some(Power::Gone) => Some(GONE),
            ScopeVerdict::Covered => None,
            other => Some(other.as_str()),
        };
        if let Some(never) = never {
            *self.never_billed.entry(never.into()).or_default() += 1;
            return None;
        }
        let selects = |unit: &BillingUnit| unit.assets.iter().any(|selector| named.selects(selector, asset));
        let at = self.terms.units.iter().position(selects);
        let said = at.and_then(|at| self.terms.units.get(at)?.layer).or(layer_of(asset.asset_type));
        let layer = said.map_or(UNSAID, ServiceLayer::as_str).to_owned();
        match at.and_then(|at| self.tallies.get_mut(at)) {
            Some(tally) => {
                tally.assets += 1;
                *tally.by_layer.entry(layer.clone()).or_default() += 1;
            }
            None => *self.unbilled.entry(asset.asset_type.as_str().into()).or_default() += 1,
        }
        Some(Billed {
            unit: at.and_then(|at| self.terms.units.get(at)).map(|unit| unit.name.clone()).unwrap_or_default(),
            account: account.to_owned(),
            account_id: asset.account.clone(),
            id: asset.id.clone(),
            kind: asset.asset_type.as_str().into(),
            native_type: asset.native_type.clone(),
            region: asset.region.clone(),
            layer,
        })
    }

    /// The record of a day. Where its assets are stands in it once they are stored.
    #[must_use]
    pub fn day(self, day: &str, now: Timestamp) -> DayUnits {
        let units: Vec<UnitCount> = self.terms.units.iter().zip(self.tallies).map(|(unit, tally)| counted(unit, tally)).collect();
        DayUnits {
            format: FORMAT.into(),
            day: day.to_owned(),
            zone: self.terms.zone.clone(),
            counted_at: now,
            terms: json_digest(self.terms),
            accounts: self.accounts,
            complete: units.iter().all(|unit| unit.complete),
            units,
            unbilled: self.unbilled,
            never_billed: self.never_billed,
            assets: String::new(),
            assets_sha256: String::new(),
        }
    }
}

fn counted(unit: &BillingUnit, tally: Tally) -> UnitCount {
    let agreed = unit.quantity.map(u64::from);
    let count = match unit.model {
        BillingModel::PerDevice => Some(tally.assets),
        BillingModel::PerUser => Some(agreed.unwrap_or(tally.assets)),
        BillingModel::Flat => Some(agreed.unwrap_or(1)),
        BillingModel::TimeAndMaterial => None,
    };
    // What was agreed does not hang on what was read.
    let is_read = matches!((unit.model, agreed), (BillingModel::PerDevice, _) | (BillingModel::PerUser, None));
    UnitCount {
        name: unit.name.clone(),
        model: unit.model,
        managed_service: unit.model.is_managed_service(),
        count,
        assets: tally.assets,
        by_layer: tally.by_layer,
        complete: !is_read || tally.cause.is_empty(),
        cause: tally.cause,
    }
}
