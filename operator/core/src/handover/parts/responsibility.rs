//! 10: who does what and who answers for it, domain by domain, as the contract says. The client is always accountable: a provider can be asked to do the work,
//! and never to answer for it towards others. Nothing here says that a rule of anybody's is met. Where the client asked for frameworks, the same control by
//! control, also as a spreadsheet and as OSCAL. Beside the matrix: what was not as it should be, with who acts.

use caretaker_api::contract::{Authority, Domain};
use caretaker_api::managed_client::ManagedClientSpec;
use jiff::Timestamp;
use serde::Serialize;

use super::{File, Gap, Part};
use crate::contract::{WRITTEN, authority, is_assessment};
use crate::handover::contents::Inputs;
use crate::responsibility::sheet::{self, DomainRow};
use crate::responsibility::{self, Evidence, Held, Matrix, oscal};
use crate::risks::Risk;

pub(super) struct Responsibility;

const PATH: &str = "10-responsibility";
const BY_DOMAIN: &str = "told by domain only: ask the provider who did single tasks, such as patches, keys, certificates and names of domains, and who does \
                         them from now on";

const BY_CONTROL: &str = "told by domain and by control: ask the provider who did single tasks, such as patches, keys, certificates and names of domains, and \
                          who does them from now on; lists.json says what each framework's list leaves out";

/// One row: no cell is empty.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    domain: &'static str,
    work: &'static str,
    accountable: &'static str,
    responsible: &'static str,
    decides: &'static str,
    after_the_exit: &'static str,
    by: String,
    evidence: &'static str,
}

/// What was not as it should be. An empty list says that nothing was known.
#[derive(Serialize)]
struct Risks<'a> {
    of: &'static str,
    risks: &'a [Risk],
}

/// What the domain is about, and where the bundle tells what was done.
const fn about(domain: Domain) -> (&'static str, &'static str) {
    match domain {
        Domain::Backup => ("backup plans, recovery points, restore tests", "06-backup, 08-changes"),
        Domain::Network => ("networks, firewalls, names", "02-inventory; nothing was written"),
        Domain::Security => ("identities, keys, patches", "02-inventory, 03-access; nothing was written"),
        Domain::Cloud => ("machines and services of the clouds", "02-inventory, 04-iac; nothing was written"),
        Domain::EndUser => ("devices and applications of people", "none; nothing was read or written"),
    }
}

fn row(spec: &ManagedClientSpec, domain: Domain) -> Row {
    let (work, evidence) = about(domain);
    let (responsible, decides) = match authority(spec, domain) {
        _ if is_assessment(spec) => ("client", "client"),
        Authority::Provider => ("provider", "provider"),
        Authority::Client => ("client", "client"),
        Authority::Joint if WRITTEN.contains(&domain) => ("provider, after the client's yes to each change", "client"),
        Authority::Joint => ("provider and client", "provider and client"),
    };
    let by = responsibility::terms_of(spec, Some(domain));
    Row { domain: domain.as_str(), work, accountable: "client", responsible, decides, after_the_exit: "client", by, evidence }
}

/// The work that is the same under every model.
fn always() -> [Row; 2] {
    let row = |work, responsible, decides, by: &str, evidence| Row {
        domain: "Access",
        work,
        accountable: "client",
        responsible,
        decides,
        after_the_exit: "client",
        by: by.into(),
        evidence,
    };
    [
        row("granting the provider access", "client", "client", "the grant kit, which the client applies", "03-access"),
        row("ending the provider's access", "provider", "client, by accepting the bundle", "the exit", "03-access, 08-changes"),
    ]
}

/// What this bundle holds: what the controller copied, and what the other parts make of what was given to them.
fn held(inputs: &Inputs<'_>) -> Held {
    let is_copied = |evidence: &Evidence| inputs.copied.iter().any(|path| path.starts_with(evidence.path()));
    let is_made = |evidence: &Evidence| match evidence {
        Evidence::Contract | Evidence::Access | Evidence::Matrix | Evidence::Risks | Evidence::Disposition => true,
        Evidence::Iac => inputs.export.accounts().next().is_some(),
        Evidence::Monitoring => !inputs.monitoring.is_empty(),
        Evidence::Backup => !inputs.policies.is_empty(),
        Evidence::Levels => inputs.client.spec.service_levels.is_some(),
        Evidence::Runbooks => !super::runbooks(inputs).is_empty(),
        Evidence::Inventory | Evidence::Changes | Evidence::Incidents => false,
    };
    Held::of(Evidence::ALL.into_iter().filter(|evidence| is_copied(evidence) || is_made(evidence)))
}

/// The matrix by domain, for a spreadsheet.
#[must_use]
pub fn sheet(spec: &ManagedClientSpec, matrices: &[Matrix]) -> String {
    sheet::matrix(&rows(spec).iter().map(domain_row).collect::<Vec<_>>(), matrices)
}

fn domain_row(row: &Row) -> DomainRow<'_> {
    let Row { domain, work, responsible, decides, evidence, by, .. } = row;
    DomainRow { domain, work, responsible, decides, by, evidence }
}

/// The rows by domain, and behind them those by control, with the same keys and further ones.
#[must_use]
pub fn json(spec: &ManagedClientSpec, matrices: &[Matrix]) -> Vec<serde_json::Value> {
    // Structs with texts as keys are always JSON.
    let domains = rows(spec).into_iter().filter_map(|row| serde_json::to_value(row).ok());
    domains.chain(matrices.iter().flat_map(|matrix| &matrix.rows).filter_map(|row| serde_json::to_value(row).ok())).collect()
}

/// What is left out of the lists of the frameworks that were asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    framework: &'a str,
    controls: usize,
    source: &'a str,
    partial: &'a str,
}

fn told(matrix: &Matrix) -> Told<'_> {
    let list = matrix.list;
    let partial = list.partial.unwrap_or("no: every control at its level is here");
    Told { framework: list.title, controls: matrix.rows.len(), source: list.source, partial }
}

fn rows(spec: &ManagedClientSpec) -> Vec<Row> {
    Domain::ALL.into_iter().map(|domain| row(spec, domain)).chain(always()).collect()
}

impl Part for Responsibility {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "who is accountable for what, and what is not as it should be"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let spec = &inputs.client.spec;
        let matrices = responsibility::compile(spec, &held(inputs));
        let mut files = vec![
            File::json(format!("{PATH}/matrix.json"), &json(spec, &matrices)),
            File::written(format!("{PATH}/matrix.csv"), sheet(spec, &matrices)),
            File::json(format!("{PATH}/risks.json"), &Risks { of: "the moment at which the bundle was made", risks: inputs.risks }),
        ];
        if matrices.is_empty() {
            return files;
        }
        files.push(File::json(format!("{PATH}/lists.json"), &matrices.iter().map(told).collect::<Vec<_>>()));
        let at = inputs.frozen.at.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        let pci = sheet::pci(inputs.client, &matrices, at);
        files.extend(pci.map(|text| File::written(format!("{PATH}/pci-responsibility.csv"), text)));
        files.extend(matrices.iter().map(|matrix| {
            let document = oscal::document(inputs.client, Some(inputs.profile), std::slice::from_ref(matrix));
            File::json(format!("{PATH}/oscal/{}.json", matrix.list.file), &document)
        }));
        files
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        vec![Gap::new(PATH, if inputs.client.spec.compliance.is_some() { BY_CONTROL } else { BY_DOMAIN })]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(more: Value) -> ManagedClientSpec {
        let mut spec = json!({
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [],
            "exit": {"recipients": ["age1"]},
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    /// F51, F52: no cell is empty, the client is accountable everywhere, and nobody is called compliant.
    #[test]
    fn no_cell_is_empty_and_the_client_is_accountable_everywhere() {
        let domains = json!([{"name": "Backup", "authority": "Joint"}, {"name": "Network", "authority": "Client"}]);
        for (why, more, backup, network) in [
            ("fully managed", json!({}), "provider", "provider"),
            ("staff", json!({"deliveryModel": "StaffAugmentation"}), "client", "client"),
            ("no contract yet", json!({"lifecycle": {"stage": "Assessment"}}), "client", "client"),
            (
                "shared",
                json!({"deliveryModel": "CoManaged", "domains": domains}),
                "provider, after the client's yes to each change",
                "client",
            ),
            (
                "nothing named",
                json!({"deliveryModel": "CoManaged"}),
                "provider, after the client's yes to each change",
                "provider and client",
            ),
        ] {
            let rows = rows(&spec(more));
            assert_eq!((rows.len(), rows[0].responsible, rows[1].responsible), (7, backup, network), "{why}");
            for row in &rows {
                assert_eq!((row.accountable, row.after_the_exit), ("client", "client"), "{why}: {row:?}");
                let cells = serde_json::to_value(row).unwrap();
                assert!(
                    cells.as_object().unwrap().values().all(|cell| cell.as_str().is_some_and(|text| !text.is_empty())),
                    "{why}: {cells}"
                );
                assert!(!cells.to_string().to_lowercase().contains("complian"), "{cells}");
            }
        }
    }
}
