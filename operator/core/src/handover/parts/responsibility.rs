//! 10: who is accountable for what. Nothing keeps it yet.

use super::{Gap, Part};
use crate::handover::contents::Inputs;

pub(super) struct Responsibility;

const PATH: &str = "10-responsibility";
const REASON: &str = "not kept in this release: ask the provider who was accountable for what, such as patches, keys, certificates and domains, and who is from now on";

impl Part for Responsibility {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "who is accountable for what"
    }

    fn gaps(&self, _inputs: &Inputs<'_>) -> Vec<Gap> {
        vec![Gap::new(PATH, REASON)]
    }
}
