//! Where a client is on its way through the contract: its phase, the gates before the next one, and the inventory that was frozen at the beginning.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agreements::Party;

/// How far the two sides are with each other, as people decide it.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Before the contract: everything is read and nothing is written in any cloud, whatever `allow`, `domains` and `backups` say.
    Assessment,
    /// The contract stands.
    #[default]
    Contract,
}

/// What people decide about the phases.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleTerms {
    /// How far the two sides are.
    #[serde(default)]
    pub stage: Stage,
    /// Services that the contract leaves out: their gates are open without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(
        validation = Rule::new("self.all(o, self.exists_one(other, other.service == o.service))").message("name each service once"),
        merge_strategy = ListMerge::Map(vec!["service".into()])
    )]
    pub out_of_scope: Vec<OutOfScope>,
}

/// A service that a contract can leave out.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Service {
    /// Monitoring.
    Monitoring,
    /// Backups.
    Backups,
}

/// One service that the contract leaves out.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfScope {
    /// The service.
    pub service: Service,
    /// Who of the client's said so.
    #[schemars(length(min = 1, max = 120))]
    pub by: String,
    /// Why, and who does it instead.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
}

/// A phase of the contract.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Before the contract: read only.
    Assessment,
    /// The contract stands, and not every gate has been open yet.
    #[default]
    Onboarding,
    /// Every gate was open once, and the inventory of that moment is frozen.
    Active,
    /// The last day on which notice can be given has come, and nobody has decided how it goes on.
    Renewal,
    /// Notice was given, or a final exit has begun.
    Offboarding,
    /// The exit has ended, and of the client's data only what has a stated reason is kept.
    Closed,
    /// A word of another release.
    #[serde(other)]
    Unknown,
}

impl Phase {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assessment => "Assessment",
            Self::Onboarding => "Onboarding",
            Self::Active => "Active",
            Self::Renewal => "Renewal",
            Self::Offboarding => "Offboarding",
            Self::Closed => "Closed",
            Self::Unknown => "Unknown",
        }
    }
}

/// What stands before a phase.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GateName {
    /// The contract is signed: `spec.lifecycle.stage` says so.
    Contract,
    /// Every account lets us in.
    Access,
    /// It is known which part of every account was read. Gaps that are known keep it from nothing; they are risks.
    Coverage,
    /// The monitoring runs, or the contract leaves it out.
    Monitoring,
    /// Everything that is to be backed up can be restored, or the contract leaves it out.
    Backups,
    /// The agreements that regulated data needs are in force.
    Agreements,
    /// Both sides have decided how it goes on after the contract's last day.
    Renewal,
    /// A final exit has begun.
    Exit,
    /// The client has its bundle, verified.
    Bundle,
    /// Our access has ended, proved.
    AccessEnded,
    /// The provider's copies are erased, but for those that are kept for a stated reason.
    DataErased,
    /// A word of another release.
    #[default]
    #[serde(other)]
    Unknown,
}

impl GateName {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contract => "Contract",
            Self::Access => "Access",
            Self::Coverage => "Coverage",
            Self::Monitoring => "Monitoring",
            Self::Backups => "Backups",
            Self::Agreements => "Agreements",
            Self::Renewal => "Renewal",
            Self::Exit => "Exit",
            Self::Bundle => "Bundle",
            Self::AccessEnded => "AccessEnded",
            Self::DataErased => "DataErased",
            Self::Unknown => "Unknown",
        }
    }
}

/// How a gate stands.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GateState {
    /// Nothing stands in the way.
    Open,
    /// Something is missing. Also a word of another release.
    #[default]
    #[serde(other)]
    Closed,
}

/// One gate.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Which.
    pub name: GateName,
    /// The phase that it stands before. Those of Active are looked at as long as the contract lasts.
    pub before: Phase,
    /// How it stands.
    pub state: GateState,
    /// Since when.
    pub since: Time,
    /// What is missing and what to do; of an open one, why it is open.
    pub message: String,
    /// Who must act; nobody where it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Party>,
}

/// The inventories at the beginning of Active. The ledger has the same with the digest of each account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientBaseline {
    /// When it was frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_at: Option<Time>,
    /// SHA-256 over the accounts and the digests of their inventories.
    pub digest: String,
    /// Number of accounts.
    pub accounts: u32,
    /// Number of assets.
    pub assets: u64,
    /// Cells that were read completely, of those that were planned, such as `100/102`.
    pub coverage: String,
}

/// Where the client is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleStatus {
    /// The phase.
    pub phase: Phase,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When it was Active for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_since: Option<Time>,
    /// The inventories of that moment. They never change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<ClientBaseline>,
}
