//! 09: incidents and tickets. Nothing keeps them yet.

use super::{Gap, Part};
use crate::handover::contents::Inputs;

pub(super) struct Incidents;

const PATH: &str = "09-incidents-tickets";
const REASON: &str = "not kept in this release: ask the provider for the tickets of the last year, all that are open, known faults, and open cases with vendors";

impl Part for Incidents {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "incidents, open tickets and known faults"
    }

    fn gaps(&self, _inputs: &Inputs<'_>) -> Vec<Gap> {
        vec![Gap::new(PATH, REASON)]
    }
}
