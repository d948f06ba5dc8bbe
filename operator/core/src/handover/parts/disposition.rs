//! 12: what becomes of the data that the provider holds. Only what is known is told.

use kube::ResourceExt;
use serde::Serialize;

use super::{File, Gap, Part};
use crate::handover::contents::Inputs;

pub(super) struct Disposition;

const PATH: &str = "12-disposition";
const CERTIFICATE: &str = "no certificate of destruction is made in this release: ask the provider for one in writing, for each store of data-stores.json, with method and date";

/// One store of data.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Store {
    what: String,
    held_by: &'static str,
    place: String,
    disposition: &'static str,
    until: String,
}

impl Part for Disposition {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "what becomes of the data that the provider holds, as far as it is known"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let stores = [of_accounts(inputs), of_operator(inputs), of_backups(inputs)].concat();
        vec![File::json("12-disposition/data-stores.json", &stores)]
    }

    fn gaps(&self, _inputs: &Inputs<'_>) -> Vec<Gap> {
        vec![Gap::new(PATH, CERTIFICATE)]
    }
}

fn of_accounts(inputs: &Inputs<'_>) -> Vec<Store> {
    let of = |account: &caretaker_api::CloudAccount| Store {
        what: format!("inventories of account {}", account.name_any()),
        held_by: "provider",
        place: format!("provider's store, below clients/{}", inputs.client.name_any()),
        disposition: "retained",
        until: format!(
            "{} days after each; the last one, the baseline and those of this handover for longer, without a date",
            account.spec.inventory_retention_days
        ),
    };
    inputs.accounts.iter().map(of).collect()
}

fn of_operator(inputs: &Inputs<'_>) -> Vec<Store> {
    let namespace = format!("namespace client-{} of the provider's cluster", inputs.client.name_any());
    let end = "the provider deletes the ManagedClient, with which the namespace goes; no date is set".to_owned();
    let mut stores = vec![Store {
        what: "this bundle and earlier ones, sealed to your recipients".into(),
        held_by: "provider",
        place: format!("provider's store, below clients/{}/handovers", inputs.client.name_any()),
        disposition: "retained",
        until: "no date is set; the provider holds no key that opens them".into(),
    }];
    if let Some(terms) = &inputs.client.spec.monitoring {
        stores.push(Store {
            what: "metrics and alerts".into(),
            held_by: "provider",
            place: namespace.clone(),
            disposition: "destroyed",
            until: format!("{} days after each was taken, at the latest when {end}", terms.retention_days),
        });
    }
    stores.push(Store {
        what: "Secrets and settings of this client".into(),
        held_by: "provider",
        place: namespace,
        disposition: "destroyed",
        until: end,
    });
    stores
}

fn of_backups(inputs: &Inputs<'_>) -> Vec<Store> {
    let of = |(account, id): (String, String)| Store {
        what: format!("recovery points of account {account}"),
        held_by: "client",
        place: format!("your AWS account {id}"),
        disposition: "returned",
        until: "they stay where they are; each ends by its own retention, see 06-backup/policies.json".into(),
    };
    inputs.backup_accounts().into_iter().map(of).collect()
}
