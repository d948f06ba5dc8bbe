//! The matrix as tables that spreadsheets open: RFC 4180, and no cell that a spreadsheet takes for a formula.

use caretaker_api::ManagedClient;
use caretaker_api::agreements::{AgreementKind, Party};
use caretaker_api::compliance::Framework;
use jiff::Timestamp;

use super::lists::Party as Does;
use super::{Matrix, Row};
use crate::managed_client::agreements;
use crate::spreadsheet;

/// A row of the matrix by domain, which stands before those of frameworks.
#[derive(Clone, Copy, Debug)]
pub struct DomainRow<'a> {
    /// The domain.
    pub domain: &'a str,
    /// The work.
    pub work: &'a str,
    /// Who does it.
    pub responsible: &'a str,
    /// Who decides.
    pub decides: &'a str,
    /// Where that comes from.
    pub by: &'a str,
    /// Where the bundle tells of it.
    pub evidence: &'a str,
}

/// Columns of `matrix.csv`. The first is text in every spreadsheet, also where the second, such as 12.10, is taken for a number or a date.
const COLUMNS: [&str; 12] = [
    "reference",
    "control",
    "framework",
    "domain",
    "work",
    "responsible",
    "parties",
    "accountable",
    "decides",
    "after the exit",
    "evidence in the bundle",
    "by and note",
];

/// The whole matrix.
#[must_use]
pub fn matrix(domains: &[DomainRow<'_>], matrices: &[Matrix]) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
    rows.extend(domains.iter().map(domain_row));
    for matrix in matrices {
        rows.extend(matrix.rows.iter().map(|row| control_row(matrix.list.title, row)));
    }
    written(&rows)
}

fn domain_row(row: &DomainRow<'_>) -> Vec<String> {
    let reference = format!("Contract {}", row.domain);
    let client = "client";
    [
        reference.as_str(),
        row.domain,
        "Contract",
        row.domain,
        row.work,
        row.responsible,
        row.responsible,
        client,
        row.decides,
        client,
        row.evidence,
        row.by,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn control_row(title: &str, row: &Row) -> Vec<String> {
    let cells = [
        &format!("{title} {}", row.control),
        row.control,
        title,
        row.domain,
        row.work,
        row.responsible.as_str(),
        &row.done_by(),
        row.accountable,
        row.decides,
        &row.after_the_exit,
        row.evidence,
        &format!("{}: {}", row.by, row.note),
    ];
    cells.map(str::to_owned).to_vec()
}

/// Columns of `pci-responsibility.csv`.
const PCI: [&str; 9] = [
    "reference",
    "requirement",
    "about",
    "managed by provider",
    "managed by client",
    "managed by cloud",
    "accountable",
    "written acknowledgement",
    "evidence and note",
];

/// Which requirements of PCI DSS are managed by whom, as 12.8.5 asks of the client and 12.9.2 of the provider. `None` where it was not asked for.
#[must_use]
pub fn pci(client: &ManagedClient, matrices: &[Matrix], now: Timestamp) -> Option<String> {
    let matrix = matrices.iter().find(|matrix| matrix.list.framework == Framework::PciDss4)?;
    let acknowledged = acknowledgement(client, now);
    let mut rows = vec![PCI.map(str::to_owned).to_vec()];
    rows.extend(matrix.rows.iter().map(|row| {
        let has = |party: Does| if row.parties.contains(&party) { "yes" } else { "no" }.to_owned();
        vec![
            format!("{} {}", matrix.list.title, row.control),
            row.control.to_owned(),
            row.work.to_owned(),
            has(Does::Provider),
            has(Does::Client),
            has(Does::Cloud),
            row.accountable.to_owned(),
            acknowledged.clone(),
            format!("{}: {}", row.evidence, row.note),
        ]
    }));
    Some(written(&rows))
}

/// The provider's acknowledgement in force, 12.8.2 and 12.9.1.
fn acknowledgement(client: &ManagedClient, now: Timestamp) -> String {
    let in_force = agreements::in_force(&client.spec, AgreementKind::CardDataDuties, now);
    let of_provider = in_force.into_iter().find(|agreement| agreement.party == Party::Provider);
    of_provider.map_or_else(
        || "none is in force in spec.agreements".into(),
        |agreement| format!("{}, signed on {}", crate::handover::redact::text(&agreement.reference), agreement.signed_on),
    )
}

fn written(rows: &[Vec<String>]) -> String {
    rows.iter().map(|cells| spreadsheet::row(cells) + "\r\n").collect()
}
