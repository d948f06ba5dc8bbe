//! The fresh attempts after the revocation, which must be refused: who tries when, and what an attempt that could not be made says.

use caretaker_api::CloudAccount;
use caretaker_api::handover::RevocationStatus;
use caretaker_cloud::{CloudError, Identity};
use jiff::Timestamp;
use kube::ResourceExt;

use super::control::Control;
use super::{is_due, take_attempt};
use crate::outcome::Fault;

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

/// One round of attempts: one in each account that is not proved yet and has rested.
#[derive(Clone, Debug)]
pub struct Attempts<'a> {
    accounts: &'a [CloudAccount],
    revocations: Vec<RevocationStatus>,
    at: usize,
    asked: bool,
}

impl<'a> Attempts<'a> {
    /// A round in `accounts`, beside what was known before it.
    #[must_use]
    pub fn new(accounts: &'a [CloudAccount], revocations: Vec<RevocationStatus>) -> Self {
        Self { accounts, revocations, at: 0, asked: false }
    }

    /// Takes the answer of the last account and names the next one to try; `None` at the end. The first call brings no answer.
    pub fn next(&mut self, answer: Option<Answer>, now: Timestamp) -> Option<&'a CloudAccount> {
        if self.asked {
            if let (Some(revocation), Some(answer)) = (self.revocations.get_mut(self.at), answer) {
                take(revocation, answer, now);
            }
            self.at += 1;
            self.asked = false;
        }
        while let Some(revocation) = self.revocations.get_mut(self.at) {
            if is_due(revocation, now) {
                if let Some(account) = self.accounts.iter().find(|account| account.name_any() == revocation.account) {
                    self.asked = true;
                    return Some(account);
                }
                revocation.last_answer =
                    "the CloudAccount is gone: make it again with the same ExternalId, so that the refusal can be proved".into();
            }
            self.at += 1;
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
        let mut attempts = Attempts::new(&accounts, revocations);
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
