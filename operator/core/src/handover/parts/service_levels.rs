//! 07: service levels. Nothing keeps them yet.

use super::{Gap, Part};
use crate::handover::contents::Inputs;

pub(super) struct ServiceLevels;

const PATH: &str = "07-service-levels";
const REASON: &str = "not kept in this release: ask the provider for its service reports, with the times of each outage, and for credits that are still open";

impl Part for ServiceLevels {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "service levels, with the times behind them"
    }

    fn gaps(&self, _inputs: &Inputs<'_>) -> Vec<Gap> {
        vec![Gap::new(PATH, REASON)]
    }
}
