//! 08: the record of changes: the client's ledger, which the controller copies in, and what would take each write back.

use serde::Serialize;

use super::{File, Gap, Part};
use crate::handover::contents::Inputs;
use crate::ledger::undo::Undo;

pub(super) struct Changes;

const PATH: &str = "08-changes";
const UNREAD: &str = "the ledger could not be read when the bundle was made: ask the provider for it; your own CloudTrail, activity log and audit logs tell \
                      the changes, too";

/// What the client's ledger told when the bundle was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerTold {
    /// Number of segments.
    pub segments: u64,
    /// SHA-256 of the last one.
    pub digest: String,
    /// What would take back the writes in the client's clouds, last first.
    pub undo: Vec<Undo>,
    /// What is wrong with the chain.
    pub faults: Vec<String>,
}

#[derive(Serialize)]
struct UndoFile<'a> {
    segments: u64,
    digest: &'a str,
    writes: &'a [Undo],
}

impl Part for Changes {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "what was changed in your accounts, and how it is undone"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let Some(told) = inputs.ledger else { return Vec::new() };
        let file = UndoFile { segments: told.segments, digest: &told.digest, writes: &told.undo };
        vec![File::json(format!("{PATH}/undo-plan.json"), &file)]
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        match inputs.ledger {
            None => vec![Gap::new(PATH, UNREAD)],
            Some(told) => told.faults.iter().map(|fault| Gap::new(PATH, format!("the ledger is not whole: {fault}"))).collect(),
        }
    }
}
