//! Who decides about the client's clouds: the delivery model, the authority in each domain, and the emergency that a contract foresees.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How provider and client share the work.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryModel {
    /// The provider does it: what an account allows is written without asking.
    #[default]
    FullyManaged,
    /// Each domain has its own authority, see `domains`. A domain that is not named is Joint.
    CoManaged,
    /// The provider lends people, and is responsible for nothing: the operator observes, writes nothing, and there are no service levels and no credits.
    StaffAugmentation,
}

impl DeliveryModel {
    /// Whether it is what holds where nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A field of work.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Domain {
    /// Backups and restore tests: the one domain in which this release writes in a client's cloud.
    #[default]
    Backup,
    /// Networks. This release writes nothing in it; the authority stands in the responsibility matrix.
    Network,
    /// Security. This release writes nothing in it; the authority stands in the responsibility matrix.
    Security,
    /// Machines and services of the cloud. This release writes nothing in it; the authority stands in the responsibility matrix.
    Cloud,
    /// Devices and applications of people. This release writes nothing in it; the authority stands in the responsibility matrix.
    EndUser,
}

impl Domain {
    /// Every domain.
    pub const ALL: [Self; 5] = [Self::Backup, Self::Network, Self::Security, Self::Cloud, Self::EndUser];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "Backup",
            Self::Network => "Network",
            Self::Security => "Security",
            Self::Cloud => "Cloud",
            Self::EndUser => "EndUser",
        }
    }
}

/// Who decides in a domain.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authority {
    /// The provider: what an account allows is written without asking.
    Provider,
    /// The client: nothing is written.
    Client,
    /// Both: what is to be written waits in a ChangeRequest for the client's yes.
    #[default]
    Joint,
}

impl Authority {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "Provider",
            Self::Client => "Client",
            Self::Joint => "Joint",
        }
    }
}

/// Who decides in one domain.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainTerms {
    /// The domain.
    pub name: Domain,
    /// Who decides.
    pub authority: Authority,
}

/// An emergency: for a time, what waits for the client's yes in a Joint domain is written without it. It opens nothing that is the client's alone.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// Who declares it.
    #[schemars(length(min = 1, max = 120))]
    pub by: String,
    /// Why.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
    /// When it begins.
    pub from: Time,
    /// When it ends by itself: at most 24 hours later.
    pub until: Time,
}

/// What may be written in one domain now.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum May {
    /// It is written.
    Apply,
    /// It waits in a ChangeRequest.
    Propose,
    /// It is shown, and nothing is written. Also a word of another release.
    #[default]
    #[serde(other)]
    Never,
}

/// What holds in one domain now.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainStatus {
    /// The domain.
    pub name: Domain,
    /// What becomes of a planned write.
    pub writes: May,
    /// Why.
    pub because: String,
}

/// An emergency as it was recorded in the ledger.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakGlassStatus {
    /// What was declared.
    #[serde(flatten)]
    pub declared: BreakGlass,
    /// When it ended; `None` while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
}

/// What the delivery model comes to now.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatus {
    /// Each domain in which this release writes.
    #[serde(default)]
    pub domains: Vec<DomainStatus>,
    /// The last emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlassStatus>,
    /// ChangeRequests that wait for the client's yes.
    #[serde(default)]
    pub waiting: u32,
}
