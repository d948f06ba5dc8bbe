//! The conversation of one visit with the clouds of a policy's accounts: first what is there is read, then the steps that close the gap are done. The
//! controller carries the questions out and nothing more.

mod changing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use caretaker_api::BackupPolicy;
use caretaker_cloud::{CloudError, CloudStep, Intent, ProtectionState, Purpose, Receipt};

use self::changing::Changing;
use super::{AccountView, Done, Observed, RegionDone, RegionPlan, plan};
use crate::change_request::Change;
use crate::contract::Verdict;
use crate::digest::json_digest;

/// Hexadecimal digits of a step's digest in its key.
const DIGITS: usize = 12;

/// A question that is to be carried out in an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Find the way in, and open a session for a purpose. The questions that follow are asked in it.
    Connect(Purpose),
    /// Read what is there of an intent.
    Protection(Intent),
    /// Do a step under a key.
    Perform(String, CloudStep),
    /// Take up the client's yes to the change of this name: what is written until the next one is written under it.
    Begin(String),
}

/// An answer to the question that was asked last.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Ask::Connect`]; false where a fault stands in the way, which the account itself tells.
    Connected(Result<bool, CloudError>),
    /// To [`Ask::Protection`].
    Protection(Result<ProtectionState, CloudError>),
    /// To [`Ask::Perform`].
    Performed(Result<Receipt, CloudError>),
    /// To [`Ask::Begin`]; false where the yes does not stand any more.
    Begun(bool),
}

/// Where a conversation is.
#[derive(Clone, Debug)]
enum At {
    /// Reads the account of this place.
    Reading(usize),
    /// Does the steps of a region; the id of the plan where one was made.
    Writing { plan: RegionPlan, left: VecDeque<CloudStep>, plan_id: Option<String> },
    /// Takes up the client's yes to a change.
    Beginning(Box<Change>),
    /// Does the steps of a change.
    Changing(Changing),
    /// Nothing was asked.
    Between,
}

/// The conversation of one visit.
#[derive(Clone, Debug)]
pub struct Conversation {
    client: String,
    policy: BackupPolicy,
    /// The accounts that are to be read, by their place.
    unread: VecDeque<usize>,
    /// The regions that are to be written; `None` while accounts are read.
    unwritten: Option<VecDeque<RegionPlan>>,
    at: At,
    done: Done,
    watches: bool,
    verdict: Verdict,
    /// Every change of the policy.
    changes: Vec<Change>,
    /// The changes that are worked on.
    work: VecDeque<Change>,
    /// Accounts in which a change was worked on, with the error that stopped it.
    worked: BTreeMap<String, Option<CloudError>>,
}

impl Conversation {
    /// A conversation about a policy. A frozen one asks nothing, and an account whose access is not proven is asked nothing.
    #[must_use]
    pub fn new(client: &str, policy: &BackupPolicy, observed: &Observed) -> Self {
        let accounts = if observed.frozen { Vec::new() } else { observed.accounts.clone() };
        let unread =
            accounts.iter().enumerate().filter(|(_, account)| account.is_proven && account.has_plans()).map(|(place, _)| place).collect();
        let done = Done { accounts, ..Done::default() };
        Self {
            client: client.into(),
            policy: policy.clone(),
            unread,
            unwritten: None,
            at: At::Between,
            done,
            watches: false,
            verdict: observed.verdict.clone(),
            changes: if observed.frozen { Vec::new() } else { observed.changes.clone() },
            work: VecDeque::new(),
            worked: BTreeMap::new(),
        }
    }

    /// The same, after which recovery points are read, where that is due.
    #[must_use]
    pub fn watching(self, is_due: bool) -> Self {
        Self { watches: is_due, ..self }
    }

    /// Whether recovery points are read after it.
    #[must_use]
    pub const fn watches(&self) -> bool {
        self.watches
    }

    /// Takes the answer to the last question and gives the next one, with its account; `None` at the end. The first call brings no answer.
    pub fn next(&mut self, answer: Option<Answer>) -> Option<(String, Ask)> {
        let follows = match (std::mem::replace(&mut self.at, At::Between), answer) {
            (At::Reading(place), Some(answer)) => self.read(place, answer),
            (At::Writing { plan, left, plan_id }, Some(answer)) => self.written((plan, left, plan_id), answer),
            (At::Beginning(change), Some(answer)) => self.begun(&change, &answer),
            (At::Changing(changing), Some(answer)) => self.changed(changing, answer),
            _ => None,
        };
        follows.or_else(|| self.begin())
    }

    /// What the visit did, as far as it came.
    #[must_use]
    pub fn into_done(self) -> Done {
        self.done
    }

    fn begin(&mut self) -> Option<(String, Ask)> {
        if let Some(place) = self.unread.pop_front() {
            self.at = At::Reading(place);
            return Some((self.done.accounts[place].name.clone(), Ask::Connect(Purpose::Read)));
        }
        let mut plans = match self.unwritten.take() {
            Some(plans) => plans,
            None => self.settle(plan(&self.client, &self.policy, &self.done.accounts)),
        };
        if let Some(change) = self.work.pop_front() {
            self.unwritten = Some(plans);
            return Some(self.take_up(change));
        }
        let mut next = None;
        while let Some(plan) = plans.pop_front() {
            if plan.may_write && !plan.steps.is_empty() {
                next = Some((plan.account.clone(), Ask::Connect(Purpose::Backup)));
                self.at = At::Writing { left: plan.steps.clone().into(), plan, plan_id: None };
                break;
            }
            let done = self.left(plan);
            self.done.regions.push(done);
        }
        self.unwritten = Some(plans);
        next
    }

    fn read(&mut self, place: usize, answer: Answer) -> Option<(String, Ask)> {
        let account: &mut AccountView = &mut self.done.accounts[place];
        match answer {
            Answer::Connected(Ok(true)) => {
                let name = super::object_name(&self.client, self.policy.metadata.name.as_deref().unwrap_or_default());
                self.at = At::Reading(place);
                let regions = super::regions_of(&self.policy.spec.terms, account.cloud);
                let sources = match &account.selected {
                    Some(Ok(selected)) => selected.sources.clone(),
                    Some(Err(_)) | None => BTreeSet::new(),
                };
                return Some((account.name.clone(), Ask::Protection(Intent { name, regions, sources })));
            }
            Answer::Connected(Err(error)) => account.state = Some(Err(error)),
            Answer::Protection(answer) => account.state = Some(answer),
            Answer::Connected(Ok(false)) | Answer::Performed(_) | Answer::Begun(_) => {}
        }
        None
    }

    fn written(
        &mut self,
        (plan, mut left, mut plan_id): (RegionPlan, VecDeque<CloudStep>, Option<String>),
        answer: Answer,
    ) -> Option<(String, Ask)> {
        let error = match answer {
            Answer::Connected(Ok(true)) | Answer::Protection(_) | Answer::Begun(_) => None,
            // A fault came to stand in the way since the account was read: it is read again at the next visit.
            Answer::Connected(Ok(false)) => {
                left.clear();
                None
            }
            Answer::Performed(Ok(receipt)) => {
                if let Some(CloudStep::CreatePlan { .. } | CloudStep::CreateSchedule { .. }) = left.pop_front() {
                    plan_id = receipt.id;
                }
                None
            }
            Answer::Connected(Err(error)) | Answer::Performed(Err(error)) => Some(error),
        };
        let next = if error.is_none() { left.front().cloned() } else { None };
        let Some(step) = next else {
            // Of a plan whose steps failed half-way no id is told: the next reading tells it.
            let plan_id = plan_id.filter(|_| error.is_none());
            self.done.regions.push(RegionDone { plan, error, plan_id });
            return None;
        };
        let ask = (plan.account.clone(), Ask::Perform(self.key(&step), step));
        self.at = At::Writing { plan, left, plan_id };
        Some(ask)
    }

    fn key(&self, step: &CloudStep) -> String {
        step_key(&self.policy, step)
    }
}

/// Names object and step, so that a repeat after a crash is the same request for the cloud.
#[must_use]
pub fn step_key(policy: &BackupPolicy, step: &CloudStep) -> String {
    let digest = json_digest(step);
    format!("{}-{}", policy.metadata.uid.as_deref().unwrap_or_default(), &digest[..DIGITS.min(digest.len())])
}

#[cfg(test)]
mod tests {
    use caretaker_api::cloud_account::Capability;
    use caretaker_cloud::{ErrorClass, StepOutcome};
    use serde_json::json;

    use super::*;

    fn policy() -> BackupPolicy {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "BackupPolicy",
            "metadata": {"name": "main", "namespace": "client-acme", "uid": "u"},
            "spec": {
                "accounts": ["one", "two"], "dailyAt": "03:05", "retentionDays": 30, "tag": {"key": "backup", "value": "daily"},
                "regions": ["eu-west-1"],
            },
        }))
        .unwrap()
    }

    fn view(name: &str, is_proven: bool, allow: &[Capability]) -> AccountView {
        AccountView {
            name: name.into(),
            cloud: caretaker_cloud::Cloud::Aws,
            allow: allow.to_vec(),
            backup_role: "role".into(),
            is_proven,
            selected: None,
            state: None,
        }
    }

    fn good(ask: &Ask) -> Answer {
        match ask {
            Ask::Connect(_) => Answer::Connected(Ok(true)),
            Ask::Protection(..) => Answer::Protection(Ok(ProtectionState::default())),
            Ask::Begin(_) => Answer::Begun(true),
            Ask::Perform(_, step) => {
                let id = matches!(step, CloudStep::CreatePlan { .. }).then(|| "plan-1".to_owned());
                Answer::Performed(Ok(Receipt { outcome: StepOutcome::Done, id, calls: Vec::new() }))
            }
        }
    }

    type Script<'a> = &'a dyn Fn(&str, &Ask) -> Option<Answer>;

    fn talk(accounts: Vec<AccountView>, frozen: bool, answer: Script<'_>) -> (Vec<String>, Done) {
        let mut conversation = Conversation::new("acme", &policy(), &Observed { accounts, frozen, ..Observed::default() });
        let (mut asked, mut last) = (Vec::new(), None);
        while let Some((name, ask)) = conversation.next(last.take()) {
            let what = match &ask {
                Ask::Connect(purpose) => format!("{purpose:?}"),
                Ask::Protection(intent) => format!("look for {}", intent.name),
                Ask::Perform(_, step) => step.describe().split(' ').take(4).collect::<Vec<_>>().join(" "),
                Ask::Begin(name) => format!("begin {name}"),
            };
            asked.push(format!("{name}: {what}"));
            last = Some(answer(&name, &ask).unwrap_or_else(|| good(&ask)));
            assert!(asked.len() < 30, "it ends: {asked:?}");
        }
        (asked, conversation.into_done())
    }

    const WELL: Script<'_> = &|_, _| None;
    const WRITE: &[Capability] = &[Capability::Backup];

    #[test]
    fn all_accounts_are_read_before_one_is_written() {
        let (asked, done) = talk(vec![view("one", true, WRITE), view("two", true, &[])], false, WELL);
        let expected = [
            "one: Read",
            "one: look for caretaker-acme-main",
            "two: Read",
            "two: look for caretaker-acme-main",
            "one: Backup",
            "one: make the backup vault",
            "one: make the backup plan",
            "one: add the selection caretaker-acme-main",
        ];
        assert_eq!(asked, expected, "where we may not write, nothing is written");
        assert_eq!((done.regions.len(), done.regions[0].plan_id.as_deref(), &done.regions[1].plan_id), (2, Some("plan-1"), &None));
        assert!(done.regions.iter().all(|region| region.error.is_none()) && !done.regions[1].plan.steps.is_empty());
    }

    #[test]
    fn who_is_frozen_or_not_proven_is_asked_nothing() {
        let (asked, done) = talk(vec![view("one", true, WRITE)], true, WELL);
        assert!(asked.is_empty() && done.accounts.is_empty() && done.regions.is_empty(), "{asked:?}");
        let (asked, done) = talk(vec![view("one", false, WRITE)], false, WELL);
        assert!(asked.is_empty() && done.accounts[0].state.is_none() && done.regions.is_empty(), "{asked:?}");
    }

    #[test]
    fn an_answer_decides_what_follows_it() {
        let denied = || CloudError::new(ErrorClass::Denied, "call", "no");
        let is_plan = |ask: &Ask| matches!(ask, Ask::Perform(_, CloudStep::CreatePlan { .. }));
        for (why, is_at, answer, questions, is_read, failed) in [
            ("no way in", (|ask| *ask == Ask::Connect(Purpose::Read)) as fn(&Ask) -> bool, Answer::Connected(Ok(false)), 1, None, None),
            ("not let in", |ask| *ask == Ask::Connect(Purpose::Read), Answer::Connected(Err(denied())), 1, Some(false), None),
            ("not read", |ask| matches!(ask, Ask::Protection(..)), Answer::Protection(Err(denied())), 2, Some(false), None),
            (
                "not let in to write",
                |ask| *ask == Ask::Connect(Purpose::Backup),
                Answer::Connected(Err(denied())),
                3,
                Some(true),
                Some(true),
            ),
            ("a fault since", |ask| *ask == Ask::Connect(Purpose::Backup), Answer::Connected(Ok(false)), 3, Some(true), Some(false)),
            ("a step is refused", is_plan, Answer::Performed(Err(denied())), 5, Some(true), Some(true)),
        ] {
            let script: Script<'_> = &|name, ask| (name == "one" && is_at(ask)).then(|| answer.clone());
            let (asked, done) = talk(vec![view("one", true, WRITE), view("two", true, &[])], false, script);
            let of_one = asked.iter().filter(|line| line.starts_with("one")).count();
            assert_eq!((of_one, asked.len() - of_one), (questions, 2), "{why}: the other account is read all the same: {asked:?}");
            assert_eq!(done.accounts[0].state.as_ref().map(Result::is_ok), is_read, "{why}");
            let region = done.regions.iter().find(|region| region.plan.account == "one");
            assert_eq!(region.map(|region| region.error.is_some()), failed, "{why}");
            assert!(region.is_none_or(|region| region.plan_id.is_none()), "{why}");
        }
    }

    #[test]
    fn a_key_names_object_and_step() {
        let keys = || {
            let mut conversation =
                Conversation::new("acme", &policy(), &Observed { accounts: vec![view("one", true, WRITE)], ..Observed::default() });
            let (mut keys, mut last) = (Vec::new(), None);
            while let Some((_, ask)) = conversation.next(last.take()) {
                last = Some(good(&ask));
                keys.extend(if let Ask::Perform(key, _) = ask { Some(key) } else { None });
            }
            keys
        };
        let first = keys();
        assert!(first.len() == 3 && first.iter().all(|key| key.starts_with("u-") && key.len() == 14) && first == keys(), "{first:?}");
        assert!(first[0] != first[1] && first[1] != first[2], "{first:?}");
    }
}
