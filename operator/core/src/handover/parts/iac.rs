//! 04: import blocks for OpenTofu and Terraform. `documents` writes them, and the report of what they leave out.

use super::{Gap, Part};
use crate::handover::contents::Inputs;

pub(super) struct Iac;

const PATH: &str = "04-iac";

impl Part for Iac {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "code for OpenTofu or Terraform that imports what you have, a folder for each account, and a report of what it leaves out"
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        let gaps = inputs.export.gaps().into_iter();
        gaps.map(|gap| Gap {
            service: gap.native_type,
            ..Gap::new(PATH, format!("not imported, {} asset(s) on {}: {}", gap.count, gap.cloud, gap.reason))
        })
        .collect()
    }
}
