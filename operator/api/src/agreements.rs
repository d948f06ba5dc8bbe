//! Agreements and qualifications of both sides, and the regulated data that makes some of them necessary.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a date is written, in CEL.
pub(crate) const IS_DATE: &str = "self == '' || self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$')";

/// A side of the contract.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Party {
    /// The provider.
    Provider,
    /// The client.
    Client,
}

impl Party {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "Provider",
            Self::Client => "Client",
        }
    }
}

/// Data in the scope of the service that a rule protects. Whether a rule applies is a question for lawyers; here only its agreement is asked for.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RegulatedData {
    /// Protected health information: a BAA is needed, 45 CFR 164.504(e).
    #[serde(rename = "PHI")]
    Phi,
    /// Personal data of people in the EU: a DPA is needed, Regulation (EU) 2016/679 (GDPR), Article 28(3).
    PersonalData,
    /// Controlled unclassified information: the clause must be flowed down, DFARS 252.204-7012(m).
    #[serde(rename = "CUI")]
    Cui,
    /// Data of payment cards: a written acknowledgement is needed, PCI DSS 4.0, requirements 12.8.2 and 12.9.1.
    CardData,
}

/// A kind of agreement or qualification.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AgreementKind {
    /// The contract itself, or a statement of work.
    Contract,
    /// Business associate agreement.
    #[serde(rename = "BAA")]
    Baa,
    /// Data processing agreement.
    #[serde(rename = "DPA")]
    Dpa,
    /// Non-disclosure agreement.
    #[serde(rename = "NDA")]
    Nda,
    /// The provider's acknowledgement that it answers for card data which it handles.
    CardDataDuties,
    /// The clause on controlled unclassified information in the contract with the provider.
    FlowDown,
    /// Insurance, such as of liability or against attacks.
    Insurance,
    /// A certificate or report of an auditor, such as ISO 27001 or SOC 2 Type II.
    Certification,
}

impl AgreementKind {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contract => "Contract",
            Self::Baa => "BAA",
            Self::Dpa => "DPA",
            Self::Nda => "NDA",
            Self::CardDataDuties => "CardDataDuties",
            Self::FlowDown => "FlowDown",
            Self::Insurance => "Insurance",
            Self::Certification => "Certification",
        }
    }
}

/// One agreement or qualification. Its text is elsewhere: here are its reference and its dates.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agreement {
    /// What it is.
    pub kind: AgreementKind,
    /// Who holds it, or has to renew it.
    pub party: Party,
    /// Where it is found, such as a number in the archive of contracts. Never a secret.
    #[schemars(length(min = 1, max = 120))]
    pub reference: String,
    /// Day on which it was signed or issued, `YYYY-MM-DD`; it holds from this day on.
    #[schemars(length(min = 10, max = 10))]
    #[x_kube(validation = Rule::new(IS_DATE).message("signedOn must be a date such as 2026-12-01"))]
    pub signed_on: String,
    /// Its last day, `YYYY-MM-DD`. Without it, it holds until it is ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(validation = Rule::new(IS_DATE).message("expiresOn must be a date such as 2027-11-30"))]
    pub expires_on: String,
}
