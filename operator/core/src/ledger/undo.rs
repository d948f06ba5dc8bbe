//! What would take back everything that was done in a client's clouds, last first; and the writes of which it is not known whether they were made. Each says
//! who can still do it.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_cloud::{CloudStep, StepOutcome};
use jiff::Timestamp;
use serde::Serialize;

use super::entry::{Body, Entry};

/// Whether a write can still be taken back, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Undoable {
    /// With the access that we have.
    Yes,
    /// It is not known whether it was made: look first.
    LookFirst,
    /// Only the client can: our access has ended, or the write ended it.
    ByTheClient,
    /// Nothing can.
    No,
}

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
    /// Whether it can still be taken back, and by whom.
    pub undoable: Undoable,
}

/// The plan, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct UndoPlan {
    open: BTreeMap<String, Undo>,
    done: Vec<Undo>,
    /// Accounts that our access to has ended, proved.
    ended: BTreeSet<String>,
}

/// Steps that end our own access: what takes them back is a grant, which is the client's to give.
const fn is_own_access(step: &CloudStep) -> bool {
    match step {
        CloudStep::StripOwnRole { .. }
        | CloudStep::CloseOwnRole { .. }
        | CloudStep::DropLastPolicy { .. }
        | CloudStep::DeleteDelegation { .. }
        | CloudStep::RemoveBinding { .. } => true,
        CloudStep::CreateVault { .. }
        | CloudStep::CreatePlan { .. }
        | CloudStep::UpdatePlan { .. }
        | CloudStep::CreateSelection { .. }
        | CloudStep::DeleteSelection { .. }
        | CloudStep::CreateSchedule { .. }
        | CloudStep::UpdateSchedule { .. }
        | CloudStep::AttachSchedule { .. }
        | CloudStep::DetachSchedule { .. }
        | CloudStep::SetRestoreTest { .. }
        | CloudStep::NoteRestore { .. } => false,
    }
}

impl UndoPlan {
    /// Takes the next entry. A write that found all done already changed nothing.
    pub fn take(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Intent { key, what, reverse, step } => {
                let undoable = match () {
                    () if reverse.is_empty() => Undoable::No,
                    () if is_own_access(step) => Undoable::ByTheClient,
                    () => Undoable::Yes,
                };
                // Who writes in an account has been let in again.
                self.ended.remove(&entry.subject);
                let undo = Undo {
                    at: entry.at,
                    operation: format!("{} {}", entry.operation.kind, entry.operation.name),
                    account: entry.subject.clone(),
                    done: what.clone(),
                    reverse: reverse.clone(),
                    is_proved: false,
                    undoable,
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
            Body::Revocation(revocation) if revocation.verified_at.is_some() => drop(self.ended.insert(revocation.account.clone())),
            Body::Frozen(_) | Body::Read(_) | Body::Sealed(_) | Body::Revocation(_) => {}
            // What lies in the client's own bucket is the client's, and what was erased does not come back.
            Body::Destination { .. } | Body::Erasure { .. } | Body::Certified { .. } | Body::Baseline { .. } => {}
        }
    }

    /// All of it, last first.
    #[must_use]
    pub fn finish(self) -> Vec<Undo> {
        let ended = self.ended;
        let mut all: Vec<Undo> = self.done.into_iter().chain(self.open.into_values()).collect();
        for undo in all.iter_mut().filter(|undo| undo.undoable == Undoable::Yes) {
            undo.undoable = match (ended.contains(&undo.account), undo.is_proved) {
                (true, _) => Undoable::ByTheClient,
                (false, false) => Undoable::LookFirst,
                (false, true) => Undoable::Yes,
            };
        }
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

    /// What a person can still do, and who: our access can have ended, come back, or been ended by the very write.
    #[test]
    fn each_write_says_whether_it_can_still_be_taken_back() {
        let vault = || CloudStep::CreateVault { region: "eu-west-1".into(), name: "v".into() };
        let close = || CloudStep::CloseOwnRole { role: "CaretakerAccess".into() };
        let write = |key: &str, step: CloudStep| {
            let intent = Body::Intent { key: key.into(), what: step.describe(), reverse: entry::reverse(&step), step };
            let receipt = Receipt { outcome: StepOutcome::Done, id: None, calls: vec![] };
            vec![intent, Body::Receipt { key: key.into(), receipt }]
        };
        let intent = |key: &str| write(key, vault()).remove(0);
        let ended = |verified: bool| {
            let at = if verified { serde_json::json!("2026-01-01T00:00:00Z") } else { serde_json::Value::Null };
            let status = serde_json::json!({"account": "prod", "principal": "p", "by": "Operator", "verifiedAt": at});
            Body::Revocation(serde_json::from_value(status).unwrap())
        };
        for (why, bodies, expected) in [
            ("it was made", write("a", vault()), vec![Undoable::Yes]),
            ("nobody knows", vec![intent("a")], vec![Undoable::LookFirst]),
            ("our access has ended", [write("a", vault()), vec![ended(true)]].concat(), vec![Undoable::ByTheClient]),
            ("its end is not proved", [write("a", vault()), vec![ended(false)]].concat(), vec![Undoable::Yes]),
            (
                "we were let in again",
                [write("a", vault()), vec![ended(true)], write("b", vault())].concat(),
                vec![Undoable::Yes, Undoable::Yes],
            ),
            ("it ended our access", write("a", close()), vec![Undoable::ByTheClient]),
        ] {
            let mut plan = UndoPlan::default();
            for (second, body) in (0..).zip(bodies) {
                let at = Timestamp::from_second(second).unwrap();
                plan.take(&Entry { at, operation: Operation::default(), subject: "prod".into(), by: Default::default(), body });
            }
            assert_eq!(plan.finish().into_iter().map(|undo| undo.undoable).collect::<Vec<_>>(), expected, "{why}");
        }
    }
}
