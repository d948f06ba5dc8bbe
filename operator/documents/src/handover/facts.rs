//! What the read-me and the page have in common.

use caretaker_api::handover::{FinalReading, HandoverMode};
use caretaker_core::handover::contents::Inputs;
use caretaker_core::handover::iac::{Counted, Report};
use caretaker_core::handover::parts::{self, FirstStep, Gap, REGISTRY};
use caretaker_core::handover::redact;
use serde::Serialize;

/// Everything that is told, without secrets.
#[derive(Serialize)]
pub struct Facts {
    client: String,
    kind: &'static str,
    provider: String,
    at: String,
    manager: Person,
    file: String,
    folder: String,
    key: String,
    fingerprint: String,
    pub(super) accounts: Vec<Reading>,
    contacts: Vec<Person>,
    pub(super) steps: Vec<FirstStep>,
    pub(super) parts: Vec<Part>,
    has_monitoring: bool,
    iac: Option<Iac>,
}

/// The client's code: counts, in all and by folder.
#[derive(Serialize)]
struct Iac {
    exported: usize,
    inventory: usize,
    folders: Vec<Counted>,
}

impl Iac {
    /// None where nothing is imported.
    fn of(report: Report<'_>) -> Option<Self> {
        let folders: Vec<Counted> = report.accounts.into_iter().filter(|account| account.folder.is_some()).collect();
        (!folders.is_empty()).then_some(Self { exported: report.exported, inventory: report.inventory, folders })
    }
}

#[derive(Serialize)]
struct Person {
    name: String,
    email: String,
}

/// One account.
#[derive(Serialize)]
pub struct Reading {
    pub(super) name: String,
    pub(super) cloud: &'static str,
    /// Number of assets; an account that was not read has not none.
    pub(super) assets: String,
    pub(super) coverage: String,
    #[serde(skip)]
    pub(super) count: Option<u64>,
    #[serde(skip)]
    pub(super) cells: (u32, u32),
}

/// One part.
#[derive(Serialize)]
pub struct Part {
    path: &'static str,
    holds: &'static str,
    gaps: usize,
    pub(super) delivered: bool,
}

impl Reading {
    fn of(inputs: &Inputs<'_>, reading: &FinalReading) -> Self {
        let inventory = reading.inventory.as_ref();
        let account = inputs.accounts.iter().find(|account| account.metadata.name.as_ref() == Some(&reading.account));
        Self {
            name: reading.account.clone(),
            cloud: account.map_or("unknown", |account| account.spec.target.cloud().as_str()),
            assets: inventory.map_or_else(|| "unknown".to_owned(), |inventory| inventory.assets.to_string()),
            coverage: inventory.map_or_else(|| "Unknown".to_owned(), |inventory| inventory.coverage.text.clone()),
            count: inventory.map(|inventory| inventory.assets),
            cells: inventory.map_or((0, 0), |inventory| (inventory.coverage.complete, inventory.coverage.planned)),
        }
    }
}

impl Facts {
    /// Of a bundle with these gaps; `files` are the paths of its files.
    #[must_use]
    pub fn of<'a>(inputs: &Inputs<'_>, gaps: &[Gap], files: impl Iterator<Item = &'a str> + Clone) -> Self {
        let (client, provider) = (&inputs.client.spec, &inputs.profile.spec);
        let manager = &client.contacts.vendor_manager;
        let signing = inputs.profile.status.as_ref().and_then(|status| status.signing.clone()).unwrap_or_default();
        let part = |part: &&'static dyn parts::Part| Part {
            path: part.path(),
            holds: part.holds(),
            gaps: gaps.iter().filter(|gap| gap.part == part.path()).count(),
            delivered: files.clone().any(|file| file.starts_with(part.path())),
        };
        let person = |name: &str, email: &str| Person { name: redact::text(name), email: redact::text(email) };
        Self {
            client: redact::text(&client.display_name),
            kind: match inputs.mode {
                HandoverMode::Rehearsal => "a REHEARSAL: nothing was revoked",
                HandoverMode::Final if inputs.frozen.is_emergency => {
                    "an EMERGENCY exit: the provider's access was revoked first, and the inventories are the last that were read before"
                }
                HandoverMode::Final => "the final handover",
            },
            provider: redact::text(&provider.display_name),
            at: inputs.frozen.at.as_ref().map(|at| at.0.to_string()).unwrap_or_default(),
            manager: person(&manager.name, &manager.email),
            file: inputs.bundle.file.to_owned(),
            folder: inputs.bundle.folder.to_owned(),
            key: signing.public_key,
            fingerprint: signing.fingerprint,
            accounts: inputs.readings.iter().map(|reading| Reading::of(inputs, reading)).collect(),
            contacts: provider.contacts.iter().map(|contact| person(&contact.name, &contact.email)).collect(),
            steps: parts::first_steps(inputs),
            parts: REGISTRY.iter().map(part).collect(),
            has_monitoring: !inputs.monitoring.is_empty(),
            iac: Iac::of(inputs.export.report()),
        }
    }
}
