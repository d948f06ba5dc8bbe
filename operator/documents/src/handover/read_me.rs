//! The read-me of the bundle: what it is, how it is opened, and what to do first.

use caretaker_api::handover::{FinalReading, HandoverMode};
use caretaker_core::handover::contents::Inputs;
use caretaker_core::handover::iac::{Counted, Report};
use serde::Serialize;

use crate::template::render;

#[derive(Serialize)]
struct ReadMe<'a> {
    client: &'a str,
    kind: &'static str,
    provider: &'a str,
    at: String,
    manager: Person<'a>,
    gaps: usize,
    key: String,
    fingerprint: String,
    accounts: Vec<Reading<'a>>,
    iac: Option<Iac>,
    contacts: Vec<Person<'a>>,
}

#[derive(Serialize)]
struct Person<'a> {
    name: &'a str,
    email: &'a str,
}

#[derive(Serialize)]
struct Reading<'a> {
    name: &'a str,
    assets: String,
    coverage: &'a str,
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

impl<'a> Reading<'a> {
    fn of(reading: &'a FinalReading) -> Self {
        let inventory = reading.inventory.as_ref();
        Self {
            name: &reading.account,
            assets: inventory.map_or_else(|| "0".to_owned(), |inventory| inventory.assets.to_string()),
            coverage: inventory.map_or("Unknown", |inventory| inventory.coverage.text.as_str()),
        }
    }
}

/// `00-READ-ME-FIRST.md`.
#[must_use]
pub fn text(inputs: &Inputs<'_>) -> String {
    let (client, provider) = (&inputs.client.spec, &inputs.profile.spec);
    let manager = &client.contacts.vendor_manager;
    let signing = inputs.profile.status.as_ref().and_then(|status| status.signing.clone()).unwrap_or_default();
    let kind = match inputs.mode {
        HandoverMode::Rehearsal => "a REHEARSAL: nothing was revoked",
        HandoverMode::Final => "the final handover",
    };
    let read_me = ReadMe {
        client: &client.display_name,
        kind,
        provider: &provider.display_name,
        at: inputs.frozen.at.as_ref().map(|at| at.0.to_string()).unwrap_or_default(),
        manager: Person { name: &manager.name, email: &manager.email },
        gaps: inputs.gaps().len(),
        key: signing.public_key,
        fingerprint: signing.fingerprint,
        accounts: inputs.readings.iter().map(Reading::of).collect(),
        iac: Iac::of(inputs.export.report()),
        contacts: provider.contacts.iter().map(|contact| Person { name: &contact.name, email: &contact.email }).collect(),
    };
    render("handover/read-me.md", read_me)
}
