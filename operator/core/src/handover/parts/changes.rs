//! 08: the record of changes. The client's ledger goes in here, as a file of this part, once one is kept; then the gap goes.

use super::{Gap, Part};
use crate::handover::contents::Inputs;

pub(super) struct Changes;

const PATH: &str = "08-changes";
const REASON: &str = "not kept in this release: ask the provider for its record of changes made in your accounts; your own CloudTrail, activity log and audit logs tell them, too";

impl Part for Changes {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "what was changed in your accounts, and how it is undone"
    }

    fn gaps(&self, _inputs: &Inputs<'_>) -> Vec<Gap> {
        vec![Gap::new(PATH, REASON)]
    }
}
