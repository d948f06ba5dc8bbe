//! An operator that dies at any of its writes while it ends our access, many times over: nothing is done twice, nothing that was done is unknown.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::CloudAccount;
use caretaker_api::handover::HandoverStatus;
use caretaker_cloud::{CloudError, CloudStep, ErrorClass, Receipt, StepOutcome};
use kube::ResourceExt;
use proptest::prelude::*;
use serde_json::json;

use super::entry::{Body, reverse};
use super::exit::{Fold, changes};
use crate::handover::revocation::{Answer, Ask, Revoking};
use crate::handover::shown::shown;

fn account(number: usize) -> CloudAccount {
    let target = json!({"aws": {"accountId": format!("{number:012}"), "externalId": "e"}, "allow": ["Revoke"]});
    let mut account = CloudAccount::new(&format!("account-{number}"), serde_json::from_value(target).unwrap());
    account.metadata.uid = Some(format!("uid-{number}"));
    account
}

/// The clouds and the store: what survives the operator.
#[derive(Default)]
struct World {
    ledger: Vec<(String, Body)>,
    done: BTreeMap<String, u32>,
    closed: BTreeSet<String>,
    /// Writes until the operator dies; it lives for good without.
    lives_for: Option<usize>,
    /// Accounts whose first write meets a failure that passes.
    stumbles: BTreeSet<String>,
}

/// The operator died.
struct Died;

impl World {
    /// A write: the ledger's or a cloud's. The operator may die before it, which is after the one before.
    fn write(&mut self) -> Result<(), Died> {
        match &mut self.lives_for {
            Some(0) => Err(Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn tell(&mut self, entries: Vec<(String, Body)>) -> Result<(), Died> {
        if !entries.is_empty() {
            self.write()?;
            self.ledger.extend(entries);
        }
        Ok(())
    }

    fn state(&self) -> HandoverStatus {
        let mut fold = Fold::default();
        self.ledger.iter().for_each(|(subject, body)| fold.take(subject, body));
        fold.state().clone()
    }

    fn perform(&mut self, account: &str, (key, step): (&str, &CloudStep)) -> Result<Result<Receipt, CloudError>, Died> {
        let intent = Body::Intent { key: key.into(), what: step.describe(), reverse: reverse(step), step: step.clone() };
        self.tell(vec![(account.into(), intent)])?;
        self.write()?;
        if self.stumbles.remove(account) {
            let error = CloudError::new(ErrorClass::Unreachable, "call", "silence");
            self.tell(vec![(account.into(), Body::Failure { key: key.into(), error: error.to_string() })])?;
            return Ok(Err(error));
        }
        let times = self.done.entry(key.into()).or_default();
        let outcome = if *times == 0 { StepOutcome::Done } else { StepOutcome::AlreadyDone };
        *times += u32::from(outcome == StepOutcome::Done);
        if matches!(step, CloudStep::CloseOwnRole { .. }) {
            self.closed.insert(account.into());
        }
        let receipt = Receipt { outcome, id: None, calls: vec!["call".into()] };
        self.tell(vec![(account.into(), Body::Receipt { key: key.into(), receipt: receipt.clone() })])?;
        Ok(Ok(receipt))
    }

    /// One visit. Says whether every account came to its end.
    fn visit(&mut self, accounts: &[CloudAccount]) -> Result<bool, Died> {
        let before = self.state();
        let mut revoking = Revoking::new(accounts.to_vec(), None, None, before.revocations.clone());
        let mut answer = None;
        while let Some((account, ask)) = revoking.next(answer.take()) {
            let name = account.name_any();
            answer = Some(match ask {
                Ask::WayIn => Answer::WayIn(Ok(true)),

                Ask::Connect if self.closed.contains(&name) => {
                    Answer::Connected(Err(CloudError::new(ErrorClass::Denied, "sts:AssumeRole", "no")))
                }
                Ask::Connect => Answer::Connected(Ok(())),
                Ask::Perform(key, step) => Answer::Performed(self.perform(&name, (&key, &step))?),
            });
        }
        let (revocations, failure) = revoking.into_done();
        let after = HandoverStatus { revocations, ..before };
        self.tell(changes(&self.state(), &after))?;
        Ok(failure.is_none())
    }

    fn check(&self, accounts: &[CloudAccount]) -> Result<(), TestCaseError> {
        let state = self.state();
        let intended: BTreeSet<&str> = self
            .ledger
            .iter()
            .filter_map(|(_, body)| if let Body::Intent { key, .. } = body { Some(key.as_str()) } else { None })
            .collect();
        for (key, times) in &self.done {
            prop_assert!(*times == 1 && intended.contains(key.as_str()), "{key} was done {times} times, or nobody had said so before");
        }
        for account in accounts {
            let told = state.revocations.iter().find(|told| told.account == account.name_any());
            let told = told.ok_or_else(|| TestCaseError::fail(format!("nothing is known of {}", account.name_any())))?;
            prop_assert!(self.closed.contains(&told.account) && !told.steps.is_empty(), "{told:?}");
            prop_assert!(told.steps.len() == 3 || told.left.contains("closed to us"), "{told:?}");
            prop_assert!(!told.principal.is_empty(), "{told:?}");
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn an_operator_that_dies_at_any_write_does_nothing_twice_and_knows_what_was_done(
        lives in prop::collection::vec(0_usize..14, 0..20), stumbles in prop::collection::btree_set(0_usize..3, 0..3),
    ) {
        let accounts: Vec<CloudAccount> = (0..3).map(account).collect();
        let stumbles = stumbles.into_iter().map(|number| format!("account-{number}")).collect();
        let mut world = World { stumbles, ..World::default() };
        for life in lives {
            world.lives_for = Some(life);
            while matches!(world.visit(&accounts), Ok(false)) {}
        }
        world.lives_for = None;
        while !matches!(world.visit(&accounts), Ok(true)) {}
        world.check(&accounts)?;
        let entries = world.ledger.len();
        prop_assert!(matches!(world.visit(&accounts), Ok(true)) && world.ledger.len() == entries, "a second pass tells nothing");
    }
}

#[test]
fn an_exit_of_a_thousand_accounts_survives_an_error_in_the_middle_and_stays_small() {
    let accounts: Vec<CloudAccount> = (0..1000).map(account).collect();
    let mut world = World { stumbles: BTreeSet::from(["account-500".to_owned()]), ..World::default() };
    assert!(matches!(world.visit(&accounts), Ok(false)));
    assert_eq!(world.closed.len(), 999, "the others go on");
    assert!(matches!(world.visit(&accounts), Ok(true)));
    world.check(&accounts).unwrap();
    let size = serde_json::to_vec(&shown(&world.state())).unwrap().len();
    assert!(size < 100_000, "{size} bytes");
}
