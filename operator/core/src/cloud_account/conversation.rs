//! The conversation of one visit with a cloud: which question follows which answer. The controller carries the questions out and nothing more, so that every
//! branch is tested without a cloud.

use std::collections::{BTreeSet, VecDeque};

use caretaker_api::CloudAccount;
use caretaker_api::condition::Reason;
use caretaker_cloud::{CloudError, ExcessReport, Identity, Member, Narrowing, PermissionGap, Presented, Purpose, Register, Usage};
use jiff::Timestamp;

use super::cross_client_probe::Tried;
use super::intrusion_probe::Refusal;
use super::{Done, Listing, Plan, store_took_nothing};
use crate::inventory::Taken;

/// A question that is to be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Open a session, which the questions that follow are asked in.
    Connect(Purpose),
    /// List a parent's accounts.
    ListMembers,
    /// Try to get in, in a fresh attempt.
    Attempt(Presented),
    /// Ask what is missing of the manifest.
    Permissions,
    /// Ask what is granted beyond it.
    Excess,
    /// Read every way in.
    WaysIn,
    /// Write a few bytes into the store and take them away again.
    TryStore,
    /// Read the inventory into the store.
    Discover,
    /// Have principals that lead into other clients' accounts try this one's way in, where that is due.
    Separate,
}

/// Why a reading gave no inventory.
#[derive(Clone, Debug)]
pub enum Unread {
    /// The cloud: not even the cells could be planned.
    Cloud(CloudError),
    /// The store.
    Store(Reason, String),
}

/// An answer to the question that was asked last.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Ask::Connect`].
    Connected(Result<Narrowing, CloudError>),
    /// To [`Ask::ListMembers`]: the list, and the ids that other clients' objects are for.
    Members(Result<Vec<Member>, CloudError>, BTreeSet<String>),
    /// To [`Ask::Attempt`].
    Attempted(Result<Identity, CloudError>),
    /// To [`Ask::Permissions`].
    Permissions(Result<PermissionGap, CloudError>),
    /// To [`Ask::Excess`].
    Excess(Result<ExcessReport, CloudError>),
    /// To [`Ask::WaysIn`].
    WaysIn(Result<Register, CloudError>),
    /// To [`Ask::TryStore`].
    Store(Result<(), (Reason, String)>),
    /// To [`Ask::Discover`]: what came of it, and what was used of the request budgets until when.
    Read(Result<Box<Taken>, Unread>, Option<(Usage, Timestamp)>),
    /// To [`Ask::Separate`]; `None` where it was not due.
    Separated(Option<Tried>),
}

/// The conversation of one visit.
#[derive(Clone, Debug)]
pub struct Conversation {
    plan: Plan,
    is_parent: bool,
    tries_store: bool,
    left: VecDeque<Ask>,
    asked: Option<Ask>,
    done: Done,
}

impl Conversation {
    /// A conversation that carries a plan out. `done` holds what the visit did before it.
    #[must_use]
    pub fn new(account: &CloudAccount, plan: Plan, done: Done) -> Self {
        let conditions = account.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let is_parent = account.spec.target.is_parent();
        let mut left = VecDeque::new();
        if plan.prove || plan.separate || plan.discover || plan.list_members {
            left.push_back(Ask::Connect(if is_parent { Purpose::Members } else { Purpose::Read }));
        }
        Self { plan, is_parent, tries_store: store_took_nothing(&conditions.to_vec()), left, asked: None, done }
    }

    /// Takes the answer to the last question and gives the next one; `None` at the end. The first call brings no answer.
    pub fn next(&mut self, answer: Option<Answer>) -> Option<Ask> {
        if let (Some(asked), Some(answer)) = (self.asked.take(), answer) {
            self.take(asked, answer);
        }
        self.asked = self.left.pop_front();
        self.asked
    }

    /// What the visit did, as far as it came.
    #[must_use]
    pub fn into_done(self) -> Done {
        self.done
    }

    fn take(&mut self, asked: Ask, answer: Answer) {
        match answer {
            Answer::Connected(Ok(narrowing)) => {
                self.done.narrowing = Some(narrowing);
                self.after_connecting();
            }
            // Who cannot even open a session asks nothing more.
            Answer::Connected(Err(error)) => self.done.proof = Some(Err(error)),
            Answer::Members(answer, others) => {
                self.done.members = Some(answer.map(|listed| {
                    let of_others = listed.iter().map(|member| member.id.clone()).filter(|id| others.contains(id)).collect();
                    Listing { listed, of_others }
                }));
            }
            Answer::Attempted(answer) if asked == Ask::Attempt(Presented::Right) => {
                if answer.is_ok() {
                    self.after_the_proof();
                } else {
                    self.left.clear();
                }
                self.done.proof = Some(answer);
            }
            Answer::Attempted(answer) => self.done.refusals.push(Refusal::from_answer(&answer)),
            Answer::Permissions(answer) => self.done.gap = Some(answer),
            Answer::Excess(answer) => self.done.excess = Some(answer),
            Answer::WaysIn(answer) => self.done.register = Some(answer),
            Answer::Store(Ok(())) => {}
            Answer::Store(Err(fault)) => {
                // A reading that cannot be stored costs the client's quota all the same.
                self.left.retain(|ask| *ask != Ask::Discover);
                self.done.store_fault = Some(fault);
            }
            Answer::Read(answer, usage) => {
                self.done.usage = usage;
                match answer {
                    Ok(taken) => self.done.inventory = Some(Ok(*taken)),
                    Err(Unread::Cloud(error)) => self.done.inventory = Some(Err(error)),
                    Err(Unread::Store(reason, message)) => self.done.store_fault = Some((reason, message)),
                }
            }
            Answer::Separated(tried) => self.done.others = tried,
        }
    }

    fn after_connecting(&mut self) {
        let plan = self.plan;
        // Before the proof: where nothing is delegated yet, what the client has named waits, and each needs a kit of its own.
        self.left.extend(plan.list_members.then_some(Ask::ListMembers));
        // A held session proves nothing of now: the role may have been closed meanwhile.
        self.left.extend(plan.prove.then_some(Ask::Attempt(Presented::Right)));
        if plan.discover {
            self.left.extend(self.tries_store.then_some(Ask::TryStore));
            self.left.push_back(Ask::Discover);
        }
        // Last: what other clients' principals wait for must not keep this client waiting.
        self.left.extend(plan.separate.then_some(Ask::Separate));
    }

    /// The questions that make sense only beside a right way in that was let in just before. They go before the others.
    fn after_the_proof(&mut self) {
        let mut asks = Vec::new();
        if self.plan.prove_refusals {
            asks.extend([Ask::Attempt(Presented::Nothing), Ask::Attempt(Presented::Wrong)]);
        }
        asks.push(Ask::Permissions);
        // A parent's own role is asked for what it lacks; what is too much, and who gets in, is asked of each of its accounts.
        if !self.is_parent {
            asks.push(Ask::Excess);
            asks.extend(self.plan.register.then_some(Ask::WaysIn));
        }
        for ask in asks.into_iter().rev() {
            self.left.push_front(ask);
        }
    }
}

#[cfg(test)]
mod tests {
    use caretaker_api::cloud_account::CloudAccountStatus;
    use caretaker_api::condition::ConditionType;
    use caretaker_cloud::{ErrorClass, MemberState};
    use serde_json::json;

    use super::*;
    use crate::conditions::{ConditionSet, Is};

    fn account() -> CloudAccount {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod"},
            "spec": {"aws": {"accountId": "111122223333", "externalId": "e1"}},
        }))
        .unwrap()
    }

    fn parent() -> CloudAccount {
        let spec = json!({"awsOrganization": {"accountId": "111122223333", "externalId": "e1"}});
        CloudAccount::new("org", serde_json::from_value(spec).unwrap())
    }

    /// An account whose store took nothing at the last visit.
    fn without_store() -> CloudAccount {
        let mut set = ConditionSet::new(&[], super::super::CONDITIONS, 1, Timestamp::UNIX_EPOCH);
        set.set(ConditionType::StoreReady, Is::False, Reason::StoreFull, "full");
        CloudAccount { status: Some(CloudAccountStatus { conditions: set.finish(), ..CloudAccountStatus::default() }), ..account() }
    }

    fn all() -> Plan {
        Plan { prove: true, prove_refusals: true, register: true, separate: true, discover: true, ..Plan::default() }
    }

    fn listing() -> Plan {
        Plan { list_members: true, discover: false, ..all() }
    }

    fn no(class: ErrorClass) -> CloudError {
        CloudError::new(class, "call", "no")
    }

    /// The answer of a day on which all goes well.
    fn good(ask: Ask) -> Answer {
        let identity = || Identity { account: "111122223333".into(), principal: "us".into() };
        match ask {
            Ask::Connect(_) => Answer::Connected(Ok(Narrowing::Families)),
            Ask::ListMembers => {
                let member = |id: &str| Member { id: id.into(), name: String::new(), state: MemberState::Active };
                Answer::Members(Ok(vec![member("1"), member("2")]), BTreeSet::from(["2".to_owned(), "9".to_owned()]))
            }
            Ask::Attempt(Presented::Right) => Answer::Attempted(Ok(identity())),
            Ask::Attempt(_) => Answer::Attempted(Err(no(ErrorClass::Denied))),
            Ask::Permissions => Answer::Permissions(Ok(PermissionGap { missing: Vec::new(), known: true })),
            Ask::Excess => Answer::Excess(Ok(ExcessReport::default())),
            Ask::WaysIn => Answer::WaysIn(Ok(Register::default())),
            Ask::TryStore => Answer::Store(Ok(())),
            Ask::Discover => Answer::Read(Ok(Box::default()), Some((Usage::default(), Timestamp::UNIX_EPOCH))),
            Ask::Separate => Answer::Separated(None),
        }
    }

    /// The questions of a visit in which `answer` answers some, and all else goes well.
    fn talk(account: &CloudAccount, plan: Plan, answer: impl Fn(Ask) -> Option<Answer>) -> (Vec<Ask>, Done) {
        let mut conversation = Conversation::new(account, plan, Done { principal: "role".into(), ..Done::default() });
        let (mut asked, mut last) = (Vec::new(), None);
        while let Some(ask) = conversation.next(last.take()) {
            asked.push(ask);
            last = Some(answer(ask).unwrap_or_else(|| good(ask)));
            assert!(asked.len() < 20, "it ends: {asked:?}");
        }
        (asked, conversation.into_done())
    }

    const READ: Ask = Ask::Connect(Purpose::Read);
    const LIST: Ask = Ask::Connect(Purpose::Members);
    const RIGHT: Ask = Ask::Attempt(Presented::Right);
    const NOTHING: Ask = Ask::Attempt(Presented::Nothing);
    const WRONG: Ask = Ask::Attempt(Presented::Wrong);

    #[test]
    fn a_plan_is_asked_in_its_order_and_no_further() {
        let whole = vec![READ, RIGHT, NOTHING, WRONG, Ask::Permissions, Ask::Excess, Ask::WaysIn, Ask::Discover, Ask::Separate];
        let quick = Plan { prove: true, separate: true, ..Plan::default() };
        let reads = Plan { discover: true, ..Plan::default() };
        let lists = Plan { list_members: true, ..Plan::default() };
        for (why, account, plan, expected) in [
            ("all of an account", account(), all(), whole),
            ("nothing is due", account(), Plan::default(), vec![]),
            ("an ExternalId is made without the cloud", account(), Plan { make_external_id: true, ..Plan::default() }, vec![]),
            ("a proof without what is seldom", account(), quick, vec![READ, RIGHT, Ask::Permissions, Ask::Excess, Ask::Separate]),
            ("a reading alone", account(), reads, vec![READ, Ask::Discover]),
            ("a store that took nothing is tried first", without_store(), reads, vec![READ, Ask::TryStore, Ask::Discover]),
            ("no reading, no store", without_store(), quick, vec![READ, RIGHT, Ask::Permissions, Ask::Excess, Ask::Separate]),
            ("a parent's list alone", parent(), lists, vec![LIST, Ask::ListMembers]),
            (
                "of a parent neither excess nor ways in are asked",
                parent(),
                listing(),
                vec![LIST, Ask::ListMembers, RIGHT, NOTHING, WRONG, Ask::Permissions, Ask::Separate],
            ),
        ] {
            assert_eq!(talk(&account, plan, |_| None).0, expected, "{why}");
        }
    }

    /// N06: all that is proved is asked before the reading, which the status is written ahead of.
    #[test]
    fn a_reading_is_a_part_of_its_own() {
        let (first, rest) = all().divided();
        assert_eq!(talk(&account(), first, |_| None).0, [READ, RIGHT, NOTHING, WRONG, Ask::Permissions, Ask::Excess, Ask::WaysIn]);
        assert_eq!(talk(&account(), rest.unwrap(), |_| None).0, [READ, Ask::Discover, Ask::Separate]);
        assert_eq!(listing().divided(), (listing(), None), "a visit without a reading has one part");
        let alone = Plan { discover: true, ..Plan::default() };
        assert_eq!(alone.divided(), (Plan::default(), Some(alone)));
        let denied = |ask: Ask| (ask == RIGHT).then(|| Answer::Attempted(Err(no(ErrorClass::Denied))));
        assert!(talk(&account(), first, |_| None).1.lets_read() && !talk(&account(), first, denied).1.lets_read());
    }

    #[test]
    fn a_bad_answer_ends_what_builds_on_it_and_nothing_else() {
        let denied = || no(ErrorClass::Denied);
        let silent = || no(ErrorClass::Unreachable);
        let after_proof = vec![READ, RIGHT, NOTHING, WRONG, Ask::Permissions, Ask::Excess, Ask::WaysIn, Ask::Discover, Ask::Separate];
        for (why, account, plan, at, answer, expected) in [
            ("no session, no question", account(), all(), READ, Answer::Connected(Err(denied())), vec![READ]),
            ("a parent without a session lists nothing", parent(), listing(), LIST, Answer::Connected(Err(silent())), vec![LIST]),
            (
                "not let in: nothing that must be refused is tried",
                account(),
                all(),
                RIGHT,
                Answer::Attempted(Err(denied())),
                vec![READ, RIGHT],
            ),
            (
                "a list that did not come does not stop the proof",
                parent(),
                Plan { prove_refusals: false, ..listing() },
                Ask::ListMembers,
                Answer::Members(Err(silent()), BTreeSet::new()),
                vec![LIST, Ask::ListMembers, RIGHT, Ask::Permissions, Ask::Separate],
            ),
            ("a hole is asked about no less", account(), all(), NOTHING, good(RIGHT), after_proof.clone()),
            (
                "permissions do not stop the rest",
                account(),
                all(),
                Ask::Permissions,
                Answer::Permissions(Err(silent())),
                after_proof.clone(),
            ),
            ("excess does not stop the rest", account(), all(), Ask::Excess, Answer::Excess(Err(denied())), after_proof.clone()),
            ("the register does not stop the rest", account(), all(), Ask::WaysIn, Answer::WaysIn(Err(denied())), after_proof.clone()),
            (
                "a reading that failed does not stop the separation",
                account(),
                all(),
                Ask::Discover,
                Answer::Read(Err(Unread::Cloud(silent())), None),
                after_proof,
            ),
            (
                "a store that takes nothing is not read for, and others are tried all the same",
                without_store(),
                Plan { prove: true, separate: true, discover: true, ..Plan::default() },
                Ask::TryStore,
                Answer::Store(Err((Reason::StoreFull, "full".into()))),
                vec![READ, RIGHT, Ask::Permissions, Ask::Excess, Ask::TryStore, Ask::Separate],
            ),
        ] {
            assert_eq!(talk(&account, plan, |ask| (ask == at).then(|| answer.clone())).0, expected, "{why}");
        }
    }

    #[test]
    fn each_answer_is_kept_where_the_status_looks_for_it() {
        let (_, done) = talk(&account(), all(), |_| None);
        assert!(done.principal == "role" && matches!(done.proof, Some(Ok(_))) && matches!(done.inventory, Some(Ok(_))));
        assert!(matches!(done.refusals[..], [Refusal::Refused, Refusal::Refused]), "{:?}", done.refusals);
        assert!(matches!((&done.gap, &done.excess, &done.register), (Some(Ok(_)), Some(Ok(_)), Some(Ok(_)))));
        assert!(done.usage.is_some() && done.others.is_none() && done.store_fault.is_none() && done.members.is_none());
        assert_eq!(done.narrowing, Some(Narrowing::Families));
        let let_in = |ask: Ask| (ask == WRONG).then(|| good(RIGHT));
        assert!(matches!(talk(&account(), all(), let_in).1.refusals[..], [Refusal::Refused, Refusal::LetIn]));
        let (_, done) = talk(&parent(), listing(), |_| None);
        let members = done.members.unwrap().unwrap();
        assert_eq!((members.listed.len(), members.of_others), (2, vec!["2".to_owned()]), "of those that are listed, another holds one");
        let tried = Tried { round: super::super::cross_client_probe::Round::default(), answers: Vec::new() };
        let (_, done) = talk(&account(), all(), |ask| (ask == Ask::Separate).then(|| Answer::Separated(Some(tried.clone()))));
        assert!(done.others.is_some());
        for (answer, of_cloud) in [(Unread::Cloud(no(ErrorClass::Denied)), true), (Unread::Store(Reason::StoreFull, String::new()), false)]
        {
            let (_, done) = talk(&account(), all(), |ask| (ask == Ask::Discover).then(|| Answer::Read(Err(answer.clone()), None)));
            assert_eq!((matches!(done.inventory, Some(Err(_))), done.store_fault.is_some()), (of_cloud, !of_cloud));
            assert!(matches!(done.proof, Some(Ok(_))), "a reading that failed takes no proof back");
        }
        let (_, done) = talk(&account(), all(), |ask| (ask == READ).then(|| Answer::Connected(Err(no(ErrorClass::Denied)))));
        assert!(matches!(done.proof, Some(Err(_))) && done.inventory.is_none() && done.gap.is_none());
    }
}
