//! The read-me of the bundle: what it is, how it is checked and opened, and what to do first.

use serde::Serialize;

use super::facts::Facts;
use crate::template::render;

#[derive(Serialize)]
struct ReadMe<'a> {
    gaps: usize,
    #[serde(flatten)]
    facts: &'a Facts,
}

/// `00-READ-ME-FIRST.md`.
#[must_use]
pub fn text(facts: &Facts, gaps: usize) -> String {
    render("handover/read-me.md", ReadMe { gaps, facts })
}
