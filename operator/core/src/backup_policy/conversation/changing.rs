//! The part of a conversation that works on changes: what was approved is done as it stands in the change, step by
//! step, and nothing beside it.

use std::collections::VecDeque;

use caretaker_api::cloud_account::Capability;
use caretaker_cloud::{CloudError, CloudStep, Purpose};

use super::super::{Held, RegionDone, RegionPlan};
use super::{Answer, Ask, At, Conversation};
use crate::change_request::{Change, Seen, account, key, owed, settle};
use crate::contract::Verdict;

/// Steps of a change that are left, with their accounts.
#[derive(Clone, Debug)]
pub(super) struct Changing {
    uid: String,
    left: VecDeque<(String, CloudStep)>,
    /// The account that the session is of.
    session: String,
}

impl Conversation {
    /// Says of each plan whether the contract lets it be written, and what becomes of the changes.
    pub(super) fn settle(&mut self, mut plans: Vec<RegionPlan>) -> VecDeque<RegionPlan> {
        let held = match self.verdict {
            Verdict::Apply | Verdict::Emergency(_) => Held::No,
            Verdict::Propose => Held::Waits,
            Verdict::Never(_) => Held::Never,
        };
        let mut seen = Vec::new();
        for view in &self.done.accounts {
            let Some(Ok(state)) = &view.state else { continue };
            let steps: Vec<CloudStep> =
                plans.iter().filter(|plan| plan.account == view.name).flat_map(|plan| plan.steps.iter().cloned()).collect();
            seen.push(Seen { account: account(&view.name, state, &steps), is_allowed: view.allow.contains(&Capability::Backup) });
        }
        for plan in plans.iter_mut().filter(|plan| plan.may_write && held != Held::No) {
            (plan.held, plan.may_write) = (held, false);
        }
        let settled = settle(&self.verdict, &self.changes, &self.policy.spec.accounts, &seen);
        self.work = settled.work.clone().into();
        self.done.settled = settled;
        plans.into()
    }

    /// The first question about a change.
    pub(super) fn take_up(&mut self, change: Change) -> (String, Ask) {
        let account = change.spec.accounts.first().map(|account| account.name.clone()).unwrap_or_default();
        let ask = Ask::Begin(change.name.clone());
        self.at = At::Beginning(Box::new(change));
        (account, ask)
    }

    pub(super) fn begun(&mut self, change: &Change, answer: &Answer) -> Option<(String, Ask)> {
        if !matches!(answer, Answer::Begun(true)) {
            return None;
        }
        let may = |name: &str| {
            let view = self.done.accounts.iter().find(|view| view.name == name);
            view.is_some_and(|view| matches!(view.state, Some(Ok(_))) && view.allow.contains(&Capability::Backup))
        };
        let left: VecDeque<_> = owed(&change.uid, &change.spec, &change.progress).into_iter().filter(|(name, _)| may(name)).collect();
        self.go_on(Changing { uid: change.uid.clone(), left, session: String::new() })
    }

    pub(super) fn changed(&mut self, mut changing: Changing, answer: Answer) -> Option<(String, Ask)> {
        let error = match answer {
            Answer::Connected(Ok(true)) | Answer::Protection(_) | Answer::Begun(_) => None,
            // A fault came to stand in the way: the account is come to again at the next visit.
            Answer::Connected(Ok(false)) => return self.leave(changing, None),
            Answer::Performed(Ok(_)) => {
                let done = changing.left.pop_front();
                if let Some((account, _)) = done.filter(|(account, _)| changing.left.front().is_none_or(|(next, _)| next != account)) {
                    self.worked.insert(account, None);
                }
                None
            }
            Answer::Connected(Err(error)) | Answer::Performed(Err(error)) => Some(error),
        };
        if error.is_some() { self.leave(changing, error) } else { self.go_on(changing) }
    }

    /// Leaves the account of the present step: those after it go on.
    fn leave(&mut self, mut changing: Changing, error: Option<CloudError>) -> Option<(String, Ask)> {
        let (account, _) = changing.left.front().cloned()?;
        changing.left.retain(|(name, _)| *name != account);
        if error.is_some() {
            self.worked.insert(account, error);
        }
        self.go_on(changing)
    }

    fn go_on(&mut self, mut changing: Changing) -> Option<(String, Ask)> {
        let (account, step) = changing.left.front().cloned()?;
        let ask = if changing.session == account {
            Ask::Perform(key(&changing.uid, &step), step)
        } else {
            changing.session.clone_from(&account);
            Ask::Connect(Purpose::Backup)
        };
        self.at = At::Changing(changing);
        Some((account, ask))
    }

    /// A region in which nothing is written beside a change. Where a change did its steps, it is told as one that was
    /// written.
    pub(super) fn left(&self, mut plan: RegionPlan) -> RegionDone {
        let mut error = None;
        if let Some(came) = self.worked.get(&plan.account).filter(|_| plan.held == Held::Waits) {
            (plan.held, plan.may_write) = (Held::No, true);
            error.clone_from(came);
        }
        RegionDone { plan, error, plan_id: None }
    }
}
