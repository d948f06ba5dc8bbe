//! 12: what becomes of the data that the provider holds. Only what is known is told.

use caretaker_api::exit_terms::{DataStore, DispositionAction};
use caretaker_cloud::Cloud;
use kube::ResourceExt;
use serde::Serialize;

use super::{File, Gap, Part};
use crate::handover::contents::Inputs;
use crate::managed_client::erasure;

pub(super) struct Disposition;

const PATH: &str = "12-disposition";
const CERTIFICATE: &str = "the certificate of erasure cannot be in this bundle: it is made after the exit, when the time to fetch the bundle is over. Ask the \
                           provider for it then (kubectl caretaker closing); it is signed with the key that signed this bundle";

/// One store of data.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Store {
    what: String,
    held_by: &'static str,
    place: String,
    disposition: &'static str,
    until: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl Part for Disposition {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "what becomes of the data that the provider holds, and until when"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let stores = [held(inputs), of_namespace(inputs), of_backups(inputs)].concat();
        vec![File::json("12-disposition/data-stores.json", &stores)]
    }

    fn gaps(&self, _inputs: &Inputs<'_>) -> Vec<Gap> {
        vec![Gap::new(PATH, CERTIFICATE)]
    }
}

/// When the provider's copies go.
fn end(inputs: &Inputs<'_>) -> String {
    let exit = &inputs.client.spec.exit;
    let hold = if exit.legal_hold.is_some() { ", and while a legal hold stands nothing is erased" } else { "" };
    format!(
        "{} day(s) after the end of the exit, and of the transition where the contract has one (01-contract/managed-client.json, exit){hold}",
        exit.retrieval_days
    )
}

/// What the provider holds, as the terms of the exit say.
fn held(inputs: &Inputs<'_>) -> Vec<Store> {
    let of = |store: DataStore| {
        let (what, part) = words(store);
        let (folder, _) = erasure::place(inputs.client, store);
        let (action, reason) = erasure::disposition(inputs.client, store);
        let place = match folder {
            Some(folder) => format!("provider's store, below {folder}"),
            None => format!("namespace client-{} of the provider's cluster", inputs.client.name_any()),
        };
        let (disposition, until) = match action {
            DispositionAction::Return => ("returned in this bundle, then destroyed", format!("{}; your copy is {part}", end(inputs))),
            DispositionAction::Destroy => ("destroyed", end(inputs)),
            DispositionAction::Retain => ("retained", "no date is set".to_owned()),
        };
        Store { what: what.into(), held_by: "provider", place, disposition, until, reason }
    };
    let is_there = |store: &DataStore| match store {
        DataStore::Monitoring | DataStore::Incidents => inputs.client.spec.monitoring.is_some(),
        DataStore::ServiceLevels => inputs.client.spec.service_levels.is_some() || inputs.client.spec.billing.is_some(),
        _ => true,
    };
    erasure::ORDER.into_iter().filter(is_there).map(of).collect()
}

/// In words, and the part of the bundle that returns it.
fn words(store: DataStore) -> (&'static str, &'static str) {
    match store {
        DataStore::Inventories => ("inventories of your accounts", "02-inventory"),
        DataStore::BackupEvidence => ("what was seen of your backups", "06-backup"),
        DataStore::ServiceLevels => ("measured days and reports of service levels, and billed units", "07-service-levels"),
        DataStore::Monitoring => ("metrics and alerts", "none"),
        DataStore::Incidents => ("incidents, open and closed", "09-incidents-tickets"),
        DataStore::Bundles => {
            ("this bundle and earlier ones, sealed to your recipients; the provider holds no key that opens them", "this one")
        }
        DataStore::Ledger => ("the ledger of what was done in your clouds, and of the exit", "08-changes"),
    }
}

fn of_namespace(inputs: &Inputs<'_>) -> Vec<Store> {
    vec![Store {
        what: "Secrets and settings of this client".into(),
        held_by: "provider",
        place: format!("namespace client-{} of the provider's cluster", inputs.client.name_any()),
        disposition: "destroyed",
        until: "the provider deletes the ManagedClient, with which the namespace goes; no date is set".into(),
        reason: String::new(),
    }]
}

fn of_backups(inputs: &Inputs<'_>) -> Vec<Store> {
    let of = |(account, place): (String, String)| Store {
        what: format!("recovery points of account {account}"),
        held_by: "client",
        place,
        disposition: "returned",
        until: "they stay where they are; each ends by its own retention, see 06-backup/policies.json".into(),
        reason: String::new(),
    };
    let on = |cloud: Cloud, word: &'static str| {
        inputs.planned_on(cloud).into_iter().map(move |(account, id)| (account, format!("your {word} {id}")))
    };
    on(Cloud::Aws, "AWS account").chain(on(Cloud::Gcp, "Google Cloud project")).map(of).collect()
}
