//! Services beside the client's cloud accounts that the client's work depends on: who has their contract, when they renew, and what an exit does with them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agreements::{IS_DATE, Party};

/// What the maker of a service looks after. Source: NIST SP 800-145, section 2.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceModel {
    /// Machines, networks and storage: all that runs on them is the owner's.
    IaaS,
    /// A platform: applications and data are the owner's.
    PaaS,
    /// Software: data and accounts are the owner's.
    SaaS,
}

impl ServiceModel {
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

/// One service that no inventory of a cloud account shows, such as a domain registrar, a mail service or a licence.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalService {
    /// Name of the service as people say it.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// Who has the contract with its maker.
    pub owner: Party,
    /// What its maker looks after.
    pub model: ServiceModel,
    /// The last day of its present term, `YYYY-MM-DD`: by then it is renewed, or ended. Without it, it has no term.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(validation = Rule::new(IS_DATE).message("renewal must be a date such as 2027-11-30"))]
    pub renewal: String,
    /// What is done with it when the provider leaves, such as to whom the contract is moved. Never a secret.
    #[schemars(length(min = 1, max = 500))]
    pub exit_step: String,
}
