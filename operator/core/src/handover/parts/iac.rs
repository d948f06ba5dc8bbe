//! 04: import blocks for Terraform and OpenTofu, made from the inventories while they are copied.

use super::Part;

pub(super) struct Iac;

impl Part for Iac {
    fn path(&self) -> &'static str {
        "04-iac"
    }

    fn holds(&self) -> &'static str {
        "Terraform or OpenTofu import blocks, and a report of what they leave out"
    }
}
