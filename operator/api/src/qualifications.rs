//! Qualifications of the provider: reports and certificates of auditors that clients ask for, with the day on which each expires.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::agreements::IS_DATE;

/// One qualification. Its text is elsewhere: here are who issued it, where it is found, and until when it holds.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Qualification {
    /// What it is, such as `SOC 2 Type II` or `ISO/IEC 27001`.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// Who issued it.
    #[schemars(length(min = 1, max = 120))]
    pub issuer: String,
    /// Where it is found, such as the number of the certificate. Never a secret.
    #[schemars(length(min = 1, max = 120))]
    pub reference: String,
    /// Its last day, `YYYY-MM-DD`. Without it, it does not expire.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(validation = Rule::new(IS_DATE).message("expiresOn must be a date such as 2027-11-30"))]
    pub expires_on: String,
}
