//! What a client is billed for: units, and the assets behind them. Prices stand in the contract, and nowhere here.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scope::Selector;

/// What is billed. Units are counted from the assets that the scope covers, each day, and fixed at the end of each month.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingTerms {
    /// Time zone in which a day and a month begin and end, by its IANA name such as `Europe/Zurich`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$')").message("zone must be an IANA name such as Europe/Zurich or UTC"))]
    pub zone: String,
    /// The units, in order: an asset is billed by the first one that selects it, and by no other.
    #[schemars(length(min = 1, max = 30))]
    #[x_kube(validation = Rule::new("self.all(u, self.exists_one(o, o.name == u.name))").message("each unit needs a name of its own"))]
    pub units: Vec<BillingUnit>,
}

/// How a unit is counted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BillingModel {
    /// Each selected asset is one unit.
    #[default]
    PerDevice,
    /// Each person is one unit: a number that was agreed (`quantity`), or selected assets that stand for a person each.
    PerUser,
    /// A number that was agreed, one where none is given, however many assets it is for.
    Flat,
    /// Work by the hour and its material: nothing is counted here. It is no managed service, and is shown as such.
    TimeAndMaterial,
}

impl BillingModel {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PerDevice => "PerDevice",
            Self::PerUser => "PerUser",
            Self::Flat => "Flat",
            Self::TimeAndMaterial => "TimeAndMaterial",
        }
    }

    /// Whether what is billed so is a managed service.
    #[must_use]
    pub const fn is_managed_service(self) -> bool {
        !matches!(self, Self::TimeAndMaterial)
    }
}

/// How much of a thing its cloud looks after, in the words of NIST SP 800-145.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ServiceLayer {
    /// Machines, disks and networks: the client's side looks after all that runs on them.
    IaaS,
    /// A platform such as a database, a cluster or code on demand: the cloud looks after what it runs on.
    PaaS,
    /// A finished application.
    SaaS,
}

impl ServiceLayer {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IaaS => "IaaS",
            Self::PaaS => "PaaS",
            Self::SaaS => "SaaS",
        }
    }
}

/// One kind of unit.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.model != 'PerDevice' || (has(self.assets) && size(self.assets) > 0 && !has(self.quantity))")
        .message("a unit PerDevice counts assets: give assets, such as [{type: instance}], and no quantity"),
    validation = Rule::new("self.model != 'PerUser' || (has(self.assets) && size(self.assets) > 0) != has(self.quantity)")
        .message("a unit PerUser has either quantity, the number that was agreed, or assets that stand for a person each"),
    validation = Rule::new("self.model != 'TimeAndMaterial' || !has(self.quantity)")
        .message("a unit TimeAndMaterial is billed by hours, which are not counted here: remove quantity"),
)]
pub struct BillingUnit {
    /// Name, as the invoice has it, such as `server`.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$')").message("name takes lower-case letters, digits and -, and starts with a letter"))]
    pub name: String,
    /// How it is counted.
    pub model: BillingModel,
    /// Which of the covered assets it is for: those that any of these selects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub assets: Vec<Selector>,
    /// The number that was agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub quantity: Option<u32>,
    /// How much the cloud looks after, for all assets of the unit. Without it each asset's type says so, where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<ServiceLayer>,
}

/// How a month's units stand.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MonthState {
    /// The month is over, and on the day that is billed all that matters was read.
    Final,
    /// The month is over, and on none of its days all that matters was read: both sides must agree on the numbers. Also a word of another release.
    #[default]
    #[serde(other)]
    NotFinal,
}

impl MonthState {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Final => "Final",
            Self::NotFinal => "NotFinal",
        }
    }
}

/// Units in numbers.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitStatus {
    /// Name of the unit.
    pub name: String,
    /// How it is counted.
    pub model: BillingModel,
    /// Number of units; nothing where it is not counted here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Number of assets behind them.
    #[serde(default)]
    pub assets: u64,
    /// Whether every part of the accounts was read that may hold such assets.
    #[serde(default)]
    pub complete: bool,
}

/// A month that is over.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BilledMonth {
    /// The month, such as `2026-11`.
    pub month: String,
    /// How its units stand.
    pub state: MonthState,
    /// The day whose units are billed: the last one of the month on which all that matters was read.
    pub day: String,
    /// The units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitStatus>,
    /// Address of the record, relative to the store.
    pub address: String,
    /// SHA-256 of the record.
    pub sha256: String,
}

/// Units in numbers; the ids behind them are in the store.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingStatus {
    /// The day of the last count, in the zone of the terms.
    pub day: String,
    /// When it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_at: Option<Time>,
    /// Whether every part of the accounts was read that may hold what is billed. Otherwise the numbers are not final.
    #[serde(default)]
    pub complete: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// The units of the day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitStatus>,
    /// Number of covered assets that no unit bills.
    #[serde(default)]
    pub unbilled: u64,
    /// Number of assets that are never billed: excluded, unclassified, or on their way out.
    #[serde(default)]
    pub never_billed: u64,
    /// The last months that are over, the latest one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<BilledMonth>,
    /// Every month before this one that has counted days is fixed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fixed_before: String,
    /// Why the last count could not be made or kept; the numbers are those of the one before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
    /// Digest of the terms and inventories of the last count: the same is not counted again on the same day.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub basis: String,
}
