//! The fresh attempts after the revocation, which must be refused: who tries when, and what an attempt that could not be made says.

use caretaker_api::CloudAccount;
use caretaker_api::handover::{HandoverStatus, HandoverStep, RevocationStatus};
use caretaker_cloud::{CloudError, Identity};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::control::Control;
use super::take_attempt;
use crate::outcome::Fault;

/// Time between two attempts while refusals are counted: visits come more often, and refusals of one moment prove no more than one.
const SOON: SignedDuration = SignedDuration::from_secs(5);

/// Time between two attempts by how long the step has waited: a client may take weeks to run the script, and each attempt stands in its audit log.
const RESTS: [(SignedDuration, SignedDuration); 3] = [
    (SignedDuration::from_mins(10), SOON),
    (SignedDuration::from_hours(1), SignedDuration::from_secs(30)),
    (SignedDuration::from_hours(24), SignedDuration::from_mins(5)),
];
/// And from then on.
const AT_LAST: SignedDuration = SignedDuration::from_mins(30);

/// How long an account rests between two attempts. `since` is when the step began; a first refusal is followed up at once.
#[must_use]
pub fn rest(revocation: &RevocationStatus, since: Timestamp, now: Timestamp) -> SignedDuration {
    if revocation.refusals > 0 {
        return SOON;
    }
    let waited = now.duration_since(since);
    RESTS.iter().find(|(until, _)| waited < *until).map_or(AT_LAST, |(_, rest)| *rest)
}

/// Since when an exit tries whether it is out.
#[must_use]
pub fn since(status: &HandoverStatus, now: Timestamp) -> Timestamp {
    let record = status.steps.iter().find(|record| record.step == HandoverStep::VerifyRefusal);
    record.and_then(|record| record.started_at.as_ref()).map_or(now, |at| at.0)
}

/// Whether another attempt is due. One that somebody asks for is due after the shortest rest.
fn is_due(revocation: &RevocationStatus, (since, asked): (Timestamp, bool), now: Timestamp) -> bool {
    let needed = if asked { SOON } else { rest(revocation, since, now) };
    let rested = revocation.last_attempt_at.as_ref().is_none_or(|last| now.duration_since(last.0) >= needed);
    revocation.verified_at.is_none() && rested
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The ExternalId was never made.
    NoWayIn,
    /// A fault stands in the way: nothing was tried.
    Fault(Fault),
    /// The cloud's answer, and where it is a refusal, what came of the control of the same minute.
    Attempted(Result<Identity, CloudError>, Option<Control>),
}

/// One round of attempts: one in each account that is not proved yet and has rested. Who was tried longest ago comes first, so that a round that is cut off
/// leaves nobody out for good.
#[derive(Clone, Debug)]
pub struct Attempts<'a> {
    accounts: &'a [CloudAccount],
    revocations: Vec<RevocationStatus>,
    pace: (Timestamp, bool),
    /// Places in `revocations`, the next one last.
    order: Vec<usize>,
    asked: Option<usize>,
}

impl<'a> Attempts<'a> {
    /// A round in `accounts`, beside what was known before it. `pace` is since when the step waits, and whether somebody asked for an attempt now.
    #[must_use]
    pub fn new(accounts: &'a [CloudAccount], revocations: Vec<RevocationStatus>, pace: (Timestamp, bool)) -> Self {
        let mut order: Vec<usize> = (0..revocations.len()).rev().collect();
        order.sort_by_key(|place| std::cmp::Reverse(revocations[*place].last_attempt_at.as_ref().map(|last| last.0)));
        Self { accounts, revocations, pace, order, asked: None }
    }

    /// Takes the answer of the last account and names the next one to try; `None` at the end. The first call brings no answer.
    pub fn next(&mut self, answer: Option<Answer>, now: Timestamp) -> Option<&'a CloudAccount> {
        if let (Some(place), Some(answer)) = (self.asked.take(), answer) {
            take(&mut self.revocations[place], answer, now);
        }
        while let Some(place) = self.order.pop() {
            let revocation = &mut self.revocations[place];
            if is_due(revocation, self.pace, now) {
                if let Some(account) = self.accounts.iter().find(|account| account.name_any() == revocation.account) {
                    self.asked = Some(place);
                    return Some(account);
                }
                revocation.last_answer =
                    "the CloudAccount is gone: make it again with the same ExternalId, so that the refusal can be proved".into();
            }
        }
        None
    }

    /// What is known now.
    #[must_use]
    pub fn into_done(self) -> Vec<RevocationStatus> {
        self.revocations
    }
}

fn take(revocation: &mut RevocationStatus, answer: Answer, now: Timestamp) {
    match answer {
        Answer::NoWayIn => revocation.last_answer = "there never was a way in".into(),
        Answer::Fault(fault) => revocation.last_answer = fault.message,
        Answer::Attempted(answer, control) => take_attempt(revocation, &answer, control.as_ref(), now),
    }
}

#[cfg(test)]
mod tests {
    use caretaker_api::condition::Reason;
    use caretaker_cloud::ErrorClass;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;

    fn account(name: &str) -> CloudAccount {
        CloudAccount::new(name, serde_json::from_value(json!({"aws": {"accountId": "111122223333"}})).unwrap())
    }

    fn open(name: &str) -> RevocationStatus {
        RevocationStatus { account: name.into(), ..RevocationStatus::default() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn round(revocations: Vec<RevocationStatus>, second: i64, answer: &Answer) -> (Vec<String>, Vec<RevocationStatus>) {
        let accounts = [account("one"), account("two"), account("three")];
        let mut attempts = Attempts::new(&accounts, revocations, (at(second), false));
        let (mut tried, mut last) = (Vec::new(), None);
        while let Some(account) = attempts.next(last.take(), at(second)) {
            tried.push(account.name_any());
            last = Some(answer.clone());
        }
        (tried, attempts.into_done())
    }

    #[test]
    fn each_account_that_is_not_proved_and_has_rested_is_tried_once() {
        let beside = Some(Control::LetIn("elsewhere".into()));
        let refusal = Answer::Attempted(Err(CloudError::new(ErrorClass::Denied, "sts:AssumeRole", "no")), beside);
        let proved = RevocationStatus { verified_at: Some(Time(at(1))), ..open("one") };
        let tired = RevocationStatus { last_attempt_at: Some(Time(at(98))), ..open("two") };
        let (tried, known) = round(vec![proved.clone(), tired.clone(), open("gone"), open("three")], 100, &refusal);
        assert_eq!(tried, ["three"]);
        assert!(known[0] == proved && known[1] == tired && known[2].last_answer.contains("make it again with the same ExternalId"));
        assert_eq!((known[3].refusals, known[3].last_attempt_at.clone()), (1, Some(Time(at(100)))));
        let (tried, known) = round(known, 103, &refusal);
        assert_eq!((tried, known[3].refusals), (vec!["two".to_owned()], 1), "three rests now");
    }

    #[test]
    fn who_was_tried_longest_ago_comes_first() {
        let last = |name: &str, second: i64| RevocationStatus { last_attempt_at: Some(Time(at(second))), ..open(name) };
        let silence = Answer::Attempted(Err(CloudError::new(ErrorClass::Unreachable, "call", "silence")), None);
        let (tried, _) = round(vec![last("one", 60), open("two"), last("three", 20)], 100, &silence);
        assert_eq!(tried, ["two", "three", "one"]);
        let (tried, _) = round(vec![open("three"), open("one"), open("two")], 100, &silence);
        assert_eq!(tried, ["three", "one", "two"], "nobody was tried: as they stand");
    }

    #[test]
    fn who_waits_for_weeks_knocks_seldom_and_follows_a_refusal_up_at_once() {
        let (minute, hour) = (60, 3600);
        for (why, waited, refusals, expected) in [
            ("just begun", 0, 0, 5),
            ("a while", 11 * minute, 0, 30),
            ("hours", 3 * hour, 0, 300),
            ("weeks", 500 * hour, 0, 1800),
            ("weeks, and refused once", 500 * hour, 1, 5),
        ] {
            let revocation = RevocationStatus { refusals, last_attempt_at: Some(Time(at(waited))), ..open("one") };
            assert_eq!(rest(&revocation, at(0), at(waited)).as_secs(), expected, "{why}");
            assert!(!is_due(&revocation, (at(0), false), at(waited + expected - 1)), "{why}");
            assert!(is_due(&revocation, (at(0), false), at(waited + expected)), "{why}");
            assert!(is_due(&revocation, (at(0), true), at(waited + 5)), "{why}: somebody asks");
        }
    }

    #[test]
    fn an_attempt_that_was_not_made_proves_nothing() {
        for (answer, said) in [
            (Answer::NoWayIn, "there never was a way in"),
            (Answer::Fault(Fault::outside(Reason::ReferenceMissing, "spec", "no profile")), "no profile"),
            (Answer::Attempted(Err(CloudError::new(ErrorClass::Unreachable, "call", "silence")), None), "call: silence"),
        ] {
            let (tried, known) = round(vec![open("one"), open("two")], 100, &answer);
            assert_eq!(tried, ["one", "two"]);
            assert!(known.iter().all(|known| known.last_answer == said && known.refusals == 0 && known.verified_at.is_none()), "{said}");
        }
    }
}
