//! What would take back everything that was done in a client's clouds, last first; and the writes of which it is not known whether they were made.

use std::collections::BTreeMap;

use caretaker_cloud::StepOutcome;
use jiff::Timestamp;
use serde::Serialize;

use super::entry::{Body, Entry};

/// One write that was made, or may have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// When it was made, or was about to be.
    pub at: Timestamp,
    /// The object in whose name, such as `BackupPolicy main`.
    pub operation: String,
    /// The account.
    pub account: String,
    /// What was done.
    pub done: String,
    /// What takes it back; empty where nothing can.
    pub reverse: String,
    /// Whether a receipt proves that it was made. Without one, look first.
    pub is_proved: bool,
}

/// The plan, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct UndoPlan {
    open: BTreeMap<String, Undo>,
    done: Vec<Undo>,
}

impl UndoPlan {
    /// Takes the next entry. A write that found all done already changed nothing.
    pub fn take(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Intent { key, what, reverse, .. } => {
                let undo = Undo {
                    at: entry.at,
                    operation: format!("{} {}", entry.operation.kind, entry.operation.name),
                    account: entry.subject.clone(),
                    done: what.clone(),
                    reverse: reverse.clone(),
                    is_proved: false,
                };
                self.open.insert(key.clone(), undo);
            }
            Body::Receipt { key, receipt } => {
                if let Some(undo) = self.open.remove(key).filter(|_| receipt.outcome == StepOutcome::Done) {
                    self.done.push(Undo { is_proved: true, ..undo });
                }
            }
            // A refusal changed nothing. After another failure the intent stands open: it may have arrived.
            Body::Failure { .. } | Body::Decision(_) | Body::Step(_) | Body::Rebuilt { .. } => {}
            Body::Frozen(_) | Body::Read(_) | Body::Sealed(_) | Body::Revocation(_) => {}
            // What lies in the client's own bucket is the client's, and what was erased does not come back.
            Body::Destination { .. } | Body::Erasure { .. } | Body::Certified { .. } | Body::Baseline { .. } => {}
        }
    }

    /// All of it, last first.
    #[must_use]
    pub fn finish(self) -> Vec<Undo> {
        let mut all: Vec<Undo> = self.done.into_iter().chain(self.open.into_values()).collect();
        all.sort_by_key(|undo| std::cmp::Reverse(undo.at));
        all
    }
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::{CloudStep, Receipt};

    use super::*;
    use crate::ledger::{Operation, entry};

    #[test]
    fn what_was_done_is_taken_back_last_first_and_what_may_have_been_is_told() {
        let vault = |name: &str| CloudStep::CreateVault { region: "eu-west-1".into(), name: name.into() };
        let intent = |key: &str| Body::Intent {
            key: key.into(),
            what: vault(key).describe(),
            reverse: entry::reverse(&vault(key)),
            step: vault(key),
        };
        let receipt =
            |key: &str, outcome: StepOutcome| Body::Receipt { key: key.into(), receipt: Receipt { outcome, id: None, calls: vec![] } };
        let mut plan = UndoPlan::default();
        let bodies = [
            intent("first"),
            receipt("first", StepOutcome::Done),
            intent("was-there"),
            receipt("was-there", StepOutcome::AlreadyDone),
            intent("again"),
            Body::Failure { key: "again".into(), error: "silence".into() },
            intent("again"),
            receipt("again", StepOutcome::Done),
            intent("open"),
        ];
        for (second, body) in (0..).zip(bodies) {
            let operation = Operation { kind: "BackupPolicy".into(), name: "main".into(), uid: "b".into() };
            plan.take(&Entry {
                at: Timestamp::from_second(second).unwrap(),
                operation,
                subject: "prod".into(),
                by: Default::default(),
                body,
            });
        }
        let told: Vec<(String, bool)> = plan.finish().into_iter().map(|undo| (undo.done, undo.is_proved)).collect();
        let line = |key: &str, is_proved: bool| (vault(key).describe(), is_proved);
        assert_eq!(told, [line("open", false), line("again", true), line("first", true)]);
    }
}
