//! A service report for people: a page with plots in one file, Markdown, a table for spreadsheets, and the draft of a claim.

mod facts;
mod table;

use caretaker_core::service_level::Report;

use crate::template::render;
use facts::Facts;

/// The files that stand beside `report.json`, by their names.
#[must_use]
pub fn files(report: &Report) -> Vec<(&'static str, String)> {
    let facts = Facts::of(report);
    let mut files = vec![
        ("report.csv", table::text(report)),
        ("report.md", render("service-report/report.md", &facts)),
        ("report.html", render("service-report/report.html", &facts)),
    ];
    if let Some(claim) = report.claim.as_ref().filter(|claim| !claim.lines.is_empty()) {
        files.push(("credit-claim.json", serde_json::to_string_pretty(claim).unwrap_or_default() + "\n"));
    }
    files
}
