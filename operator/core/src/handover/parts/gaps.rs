//! 14: everything that is not delivered or not complete, for machines.

use super::{File, Part};
use crate::handover::contents::Inputs;

pub(super) struct Gaps;

impl Part for Gaps {
    fn path(&self) -> &'static str {
        "14-gaps.json"
    }

    fn holds(&self) -> &'static str {
        "everything that is not delivered or not complete, and why"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        vec![File::json(self.path(), &super::gaps(inputs))]
    }
}
