//! `index.html`: the same for people with a browser, in one file that asks for nothing from outside.

use caretaker_core::handover::parts::Gap;
use serde::Serialize;

use super::facts::{Facts, Reading};
use crate::template::render;

/// Most accounts that are drawn.
const MOST: usize = 25;
/// Characters of an account's name beside its bar.
const LABEL: usize = 24;
/// Width of the plot in pixels; the other places and lengths are in the same.
const WIDTH: u32 = 900;
/// Where the bars of assets begin.
const ASSETS_AT: u32 = 200;
/// Length of the longest of them.
const ASSETS_WIDTH: u64 = 250;
/// Where the bars of coverage begin.
const COVERAGE_AT: u32 = 550;
/// Length of a whole one.
const COVERAGE_WIDTH: u32 = 220;
/// Height of an account's line.
const ROW: usize = 26;
/// Colours that are told apart by those who see no red or green, too.
const COLOURS: [(&str, &str); 4] = [("aws", "#d97706"), ("azure", "#2563eb"), ("gcp", "#7c3aed"), ("unknown", "#6b7280")];

#[derive(Serialize)]
struct Page<'a> {
    assets: String,
    coverage: String,
    gaps: Vec<Missing<'a>>,
    plot: Plot<'a>,
    #[serde(flatten)]
    facts: &'a Facts,
}

#[derive(Serialize)]
struct Missing<'a> {
    part: &'a str,
    place: String,
    reason: &'a str,
}

#[derive(Serialize)]
struct Plot<'a> {
    width: u32,
    height: usize,
    assets_at: u32,
    coverage_at: u32,
    coverage_width: u32,
    bars: Vec<Bar<'a>>,
    clouds: Vec<(&'static str, &'static str)>,
    left_out: usize,
}

#[derive(Serialize)]
struct Bar<'a> {
    y: usize,
    name: &'a str,
    label: String,
    colour: &'static str,
    assets: &'a str,
    assets_width: u64,
    coverage: &'a str,
    coverage_width: u64,
}

/// The page.
#[must_use]
pub fn text(facts: &Facts, gaps: &[Gap]) -> String {
    let (complete, planned) = facts
        .accounts
        .iter()
        .fold((0_u64, 0_u64), |(complete, planned), reading| (complete + u64::from(reading.cells.0), planned + u64::from(reading.cells.1)));
    let known: u64 = facts.accounts.iter().filter_map(|reading| reading.count).sum();
    let page = Page {
        assets: if facts.accounts.iter().all(|reading| reading.count.is_some()) { known.to_string() } else { format!("at least {known}") },
        // Rounded down: 100 % says that nothing is left unread.
        coverage: (complete * 100).checked_div(planned).map_or_else(|| "Unknown".to_owned(), |percent| format!("{percent} %")),
        gaps: gaps.iter().map(missing).collect(),
        plot: plot(&facts.accounts),
        facts,
    };
    render("handover/index.html", page)
}

fn missing(gap: &Gap) -> Missing<'_> {
    let place: Vec<&str> =
        [&gap.account, &gap.region, &gap.service].into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    Missing { part: &gap.part, place: place.join(", "), reason: &gap.reason }
}

fn plot(accounts: &[Reading]) -> Plot<'_> {
    let mut largest: Vec<&Reading> = accounts.iter().collect();
    largest.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
    let left_out = largest.len().saturating_sub(MOST);
    largest.truncate(MOST);
    let most = largest.first().and_then(|reading| reading.count).unwrap_or_default().max(1);
    let clouds = COLOURS.into_iter().filter(|(name, _)| largest.iter().any(|reading| reading.cloud == *name)).collect();
    let bars: Vec<Bar<'_>> = largest.into_iter().enumerate().map(|(number, reading)| bar(reading, number, most)).collect();
    Plot {
        width: WIDTH,
        height: (bars.len() + 1) * ROW,
        assets_at: ASSETS_AT,
        coverage_at: COVERAGE_AT,
        coverage_width: COVERAGE_WIDTH,
        bars,
        clouds,
        left_out,
    }
}

fn bar(reading: &Reading, number: usize, most: u64) -> Bar<'_> {
    let (complete, planned) = (u64::from(reading.cells.0), u64::from(reading.cells.1));
    let is_long = reading.name.chars().count() > LABEL;
    Bar {
        y: (number + 1) * ROW,
        name: &reading.name,
        label: reading.name.chars().take(LABEL).chain(is_long.then_some('…')).collect(),
        colour: COLOURS.iter().find(|(name, _)| *name == reading.cloud).map_or(COLOURS[3].1, |(_, colour)| *colour),
        assets: &reading.assets,
        assets_width: (reading.count.unwrap_or_default() * ASSETS_WIDTH).div_ceil(most),
        coverage: &reading.coverage,
        coverage_width: (complete * u64::from(COVERAGE_WIDTH)).checked_div(planned).unwrap_or_default(),
    }
}
