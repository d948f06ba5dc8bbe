//! `13-runbooks`: one page for each kind of asset.

use caretaker_core::handover::contents::Inputs;
use caretaker_core::handover::parts::{Runbook, runbooks};
use caretaker_core::handover::redact;
use serde::Serialize;

use crate::template::render;

#[derive(Serialize)]
struct Page {
    kind: String,
    accounts: Vec<(String, u64)>,
    alerts: Vec<String>,
    backups: Vec<String>,
    tiers: Vec<Tier>,
}

#[derive(Serialize)]
struct Tier {
    name: String,
    minutes: u32,
}

/// Path and text of each.
pub(super) fn files(inputs: &Inputs<'_>) -> Vec<(String, String)> {
    runbooks(inputs).into_iter().map(|runbook| (path(&runbook.kind), text(runbook))).collect()
}

/// The kinds are words of our own. What an earlier release called otherwise must still make a path.
fn path(kind: &str) -> String {
    let name: String = kind.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    format!("13-runbooks/{name}.md")
}

fn text(runbook: Runbook) -> String {
    let page = Page {
        kind: runbook.kind,
        accounts: runbook.accounts.into_iter().collect(),
        alerts: runbook.alerts.into_iter().collect(),
        backups: runbook.backups.iter().map(|backup| redact::text(backup)).collect(),
        tiers: runbook.tiers.into_iter().map(|(name, minutes)| Tier { name, minutes }).collect(),
    };
    render("handover/runbook.md", page)
}
