//! The report of an assessment for machines and for people: one file of JSON, and one page that asks for nothing from outside.

use caretaker_api::lifecycle::{Gate, GateState};
use caretaker_core::assessment::{Account, Assessment};
use caretaker_core::risks::Risk;
use jiff::Timestamp;
use serde::Serialize;

use crate::template::render;

/// Most rows of a table.
const MOST: usize = 200;

#[derive(Serialize)]
struct Page<'a> {
    name: &'a str,
    client: &'a str,
    made_at: String,
    phase: &'static str,
    read_only: bool,
    assets: String,
    types: Vec<(&'a str, u64)>,
    more_types: usize,
    accounts: Vec<Row<'a>>,
    gaps: Vec<[&'a str; 5]>,
    more_gaps: usize,
    protection: Option<Saved<'a>>,
    risks: Vec<Told<'a>>,
    gates: Vec<Stands<'a>>,
    unknown: &'a [String],
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    cloud: &'a str,
    id: &'a str,
    access: &'static str,
    message: &'a str,
    missing: String,
    assets: String,
    coverage: &'a str,
    read: String,
    patches: String,
}

#[derive(Serialize)]
struct Saved<'a> {
    text: &'a str,
    unprotected: u64,
    unselected: u64,
    gaps: Vec<[&'a str; 5]>,
    more: u64,
}

#[derive(Serialize)]
struct Told<'a> {
    object: &'a str,
    condition: &'a str,
    message: &'a str,
    owner: &'static str,
    since: String,
    due: String,
    overdue: bool,
    cure: &'a str,
}

#[derive(Serialize)]
struct Stands<'a> {
    name: &'static str,
    before: &'static str,
    is_open: bool,
    message: &'a str,
    actor: &'static str,
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn row(account: &Account) -> Row<'_> {
    let patches = &account.patches;
    Row {
        name: &account.name,
        cloud: account.cloud,
        id: &account.id,
        access: account.access.map_or("not known", |is| if is { "proved" } else { "refused" }),
        message: &account.access_message,
        missing: account.missing.join(", "),
        assets: account.read_at.map_or_else(|| "not read".into(), |_| account.assets.to_string()),
        coverage: &account.coverage,
        read: account.read_at.map_or_else(|| "never".into(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()),
        patches: format!(
            "{} up to date, {} with missing patches, {} not assessed, {} not known",
            patches.up_to_date, patches.missing, patches.unassessed, patches.unknown
        ),
    }
}

fn told(risk: &Risk) -> Told<'_> {
    Told {
        object: &risk.object,
        condition: &risk.condition,
        message: &risk.message,
        owner: risk.owner.as_str(),
        since: day(risk.since),
        due: day(risk.due),
        overdue: risk.overdue,
        cure: &risk.cure,
    }
}

fn stands(gate: &Gate) -> Stands<'_> {
    Stands {
        name: gate.name.as_str(),
        before: gate.before.as_str(),
        is_open: gate.state == GateState::Open,
        message: &gate.message,
        actor: gate.actor.map_or("", |actor| actor.as_str()),
    }
}

/// The page.
#[must_use]
pub fn page(report: &Assessment) -> String {
    let mut types: Vec<(&str, u64)> = report.by_type.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    types.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    let more_types = types.len().saturating_sub(MOST);
    types.truncate(MOST);
    let mut gaps: Vec<[&str; 5]> = Vec::new();
    for account in &report.accounts {
        gaps.extend(
            account.gaps.iter().map(|cell| {
                [account.name.as_str(), cell.region.as_str(), cell.service.as_str(), cell.verdict.as_str(), cell.cause.as_str()]
            }),
        );
        gaps.extend(account.notes.iter().map(|note| [account.name.as_str(), "", "", "Note", note.as_str()]));
    }
    let more_gaps = gaps.len().saturating_sub(MOST);
    gaps.truncate(MOST);
    let is_whole = report.accounts.iter().all(|account| account.read_at.is_some());
    let protection = report.protection.as_ref().map(|found| Saved {
        text: &found.text,
        unprotected: found.unprotected,
        unselected: found.unselected,
        gaps: found
            .gaps
            .iter()
            .map(|gap| {
                let name = if gap.name.is_empty() { &gap.id } else { &gap.name };
                [gap.account.as_str(), gap.kind.as_str(), name.as_str(), gap.reason.as_str(), gap.cure.as_str()]
            })
            .collect(),
        more: found.more_gaps,
    });
    let page = Page {
        name: &report.display_name,
        client: &report.client,
        made_at: report.made_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        phase: report.phase.as_str(),
        read_only: report.read_only,
        assets: if is_whole { report.assets.to_string() } else { format!("at least {}", report.assets) },
        types,
        more_types,
        accounts: report.accounts.iter().map(row).collect(),
        gaps,
        more_gaps,
        protection,
        risks: report.risks.iter().map(told).collect(),
        gates: report.gates.iter().map(stands).collect(),
        unknown: &report.unknown,
    };
    render("assessment/report.html", page)
}

/// The files of a report, by their names.
#[must_use]
pub fn files(report: &Assessment) -> [(&'static str, String); 2] {
    let text = serde_json::to_string_pretty(report).unwrap_or_default() + "\n";
    [("assessment.json", text), ("assessment.html", page(report))]
}
