//! Something that is not delivered or not complete.

use caretaker_api::cloud_account::CellStatus;
use caretaker_api::words::GapVerdict;
use serde::Serialize;

use crate::handover::redact;

/// A gap, as it stands in `14-gaps.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Path of the part.
    pub part: String,
    /// CloudAccount.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// Region or location.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// Service and part of it, such as `ec2/instances`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// How the reading of it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<GapVerdict>,
    /// Why, and what the receiver can do about it.
    pub reason: String,
}

impl Gap {
    /// A gap of a part as a whole.
    #[must_use]
    pub fn new(part: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { part: part.into(), reason: reason.into(), ..Self::default() }
    }

    /// The same of one account.
    #[must_use]
    pub fn of(self, account: impl Into<String>) -> Self {
        Self { account: account.into(), ..self }
    }

    /// A cell that was not read completely.
    #[must_use]
    pub fn cell(part: &str, account: &str, cell: &CellStatus) -> Self {
        let (region, service) = (cell.region.clone(), cell.service.clone());
        Self { region, service, verdict: Some(cell.verdict), ..Self::new(part, &cell.cause).of(account) }
    }

    pub(super) fn withhold(&mut self) {
        self.reason = redact::text(&self.reason);
    }
}
