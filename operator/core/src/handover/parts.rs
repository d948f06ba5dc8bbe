//! The parts of a bundle: one file each, all in one registry. A part gives its files, and what is missing of it as gaps; a part that can give nothing gives a
//! gap, and never an empty file. What people read (read-me, scripts, runbooks, import blocks) is written in the crate `documents` from what the parts tell.

mod acceptance;
mod access;
mod backup;
mod changes;
mod contract;
mod credentials;
mod disposition;
mod gap;
mod gaps;
mod iac;
mod incidents;
mod inventory;
mod monitoring;
mod read_me;
pub mod responsibility;
mod runbooks;
mod service_levels;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

pub use acceptance::accept_command;
pub use changes::LedgerTold;
pub use gap::Gap;
pub use monitoring::{OBJECTS as MONITORING_OBJECTS, placeholders};
pub use read_me::{FirstStep, first_steps};
pub use runbooks::{Runbook, runbooks};

use super::contents::Inputs;
use super::redact;

/// One of the sixteen.
pub trait Part: Sync {
    /// Its folder, or its file where it is one, below `data/`.
    fn path(&self) -> &'static str;

    /// What it holds, on one line for people.
    fn holds(&self) -> &'static str;

    /// Its files but those that `documents` writes and those that the controller copies.
    fn files(&self, _inputs: &Inputs<'_>) -> Vec<File> {
        Vec::new()
    }

    /// What is missing of it, and why.
    fn gaps(&self, _inputs: &Inputs<'_>) -> Vec<Gap> {
        Vec::new()
    }
}

/// Every part in the order of its number.
pub static REGISTRY: [&dyn Part; 16] = [
    &read_me::ReadMe,
    &contract::Contract,
    &inventory::Inventory,
    &access::Access,
    &iac::Iac,
    &monitoring::Monitoring,
    &backup::Backup,
    &service_levels::ServiceLevels,
    &changes::Changes,
    &incidents::Incidents,
    &responsibility::Responsibility,
    &credentials::Credentials,
    &disposition::Disposition,
    &runbooks::Runbooks,
    &gaps::Gaps,
    &acceptance::Acceptance,
];

/// A file without secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Path below `data/`.
    pub path: String,
    content: Content,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Json(Value),
    /// For programs that read no JSON.
    Written(String),
}

impl File {
    /// A file. Secrets in what it says are withheld.
    ///
    /// # Panics
    /// Never: what is told is made of structs with texts as keys, which are always JSON.
    fn json(path: impl Into<String>, told: &impl Serialize) -> Self {
        let value = serde_json::to_value(told).expect("a struct with texts as keys is JSON");
        Self { path: path.into(), content: Content::Json(redact::value(value)) }
    }

    /// A file that is no JSON, made of cells from which secrets were withheld one by one.
    fn written(path: impl Into<String>, text: String) -> Self {
        Self { path: path.into(), content: Content::Written(text) }
    }

    fn text(&self) -> String {
        match &self.content {
            Content::Json(value) => format!("{value:#}\n"),
            Content::Written(text) => text.clone(),
        }
    }
}

/// The files of all parts, by path.
#[must_use]
pub fn files(inputs: &Inputs<'_>) -> BTreeMap<String, String> {
    REGISTRY.iter().flat_map(|part| part.files(inputs)).map(|file| (file.path.clone(), file.text())).collect()
}

/// The gaps of all parts, in the order of the parts. What the controller found stands with its part.
#[must_use]
pub fn gaps(inputs: &Inputs<'_>) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = inputs.further_gaps.to_vec();
    gaps.extend(REGISTRY.iter().flat_map(|part| part.gaps(inputs)));
    gaps.iter_mut().for_each(Gap::withhold);
    gaps.sort_by(|one, other| one.part.cmp(&other.part));
    gaps
}
