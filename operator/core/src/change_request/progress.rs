//! What the ledger tells of one change.

use std::collections::BTreeMap;

use crate::contract::Approval;
use crate::ledger::{Body, Decided, Decision, Entry};

/// What came of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepCame {
    /// The calls that were made, or what the cloud said against it; empty where nothing is known.
    pub result: String,
    /// Whether a receipt tells that it is done.
    pub is_done: bool,
}

/// The fold of a change's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The yes under which it was begun.
    pub begun: Option<Approval>,
    /// How it ended.
    pub ended: Option<Decision>,
    steps: BTreeMap<(String, String), StepCame>,
}

impl Progress {
    /// UID of the change that an entry is about; `None` where it is about none.
    #[must_use]
    pub fn about(entry: &Entry) -> Option<&str> {
        match (&entry.body, &entry.by.approval) {
            (_, Some(approval)) => Some(&approval.uid),
            (Body::Decision(decision), None) => Some(&decision.about),
            _ => None,
        }
    }

    /// Takes the next entry of this change.
    pub fn take(&mut self, entry: &Entry) {
        let at = |key: &str| (entry.subject.clone(), key.to_owned());
        match &entry.body {
            Body::Intent { key, .. } => drop(self.steps.entry(at(key)).or_default()),
            Body::Receipt { key, receipt } => {
                self.steps.insert(at(key), StepCame { result: receipt.calls.join(", "), is_done: true });
            }
            Body::Failure { key, error } => {
                self.steps.insert(at(key), StepCame { result: error.clone(), is_done: false });
            }
            Body::Decision(decision) if decision.decided == Decided::Approved => {
                self.begun = self.begun.take().or_else(|| entry.by.approval.clone());
            }
            // The first end stands.
            Body::Decision(decision) => self.ended = self.ended.take().or_else(|| Some(decision.clone())),
            _ => {}
        }
    }

    /// What came of a step; `None` where nothing was begun of it.
    #[must_use]
    pub fn step(&self, account: &str, key: &str) -> Option<&StepCame> {
        self.steps.get(&(account.to_owned(), key.to_owned()))
    }

    /// Whether a receipt tells that a step is done.
    #[must_use]
    pub fn is_done(&self, account: &str, key: &str) -> bool {
        self.step(account, key).is_some_and(|came| came.is_done)
    }

    /// Number of steps that are done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.steps.values().filter(|came| came.is_done).count()
    }
}
