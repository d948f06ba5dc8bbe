mod world;

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::change_request::ChangeRequest;
use caretaker_api::words::ChangeState;
use caretaker_cloud::VaultState;
use proptest::prelude::*;
use serde_json::json;
use world::*;

use super::*;
use crate::conditions::find;
use crate::contract::Verdict;
use crate::ledger::{Body, Entry};

#[test]
fn a_change_is_proposed_once_approved_and_applied_once() {
    let mut world = World::new();
    let done = world.live();
    assert!(done.regions.iter().all(|region| !region.plan.may_write), "nothing is written: {done:?}");
    assert_eq!((world.writes(), world.states()), (0, vec![ChangeState::Proposed]));
    world.live();
    assert_eq!((world.writes(), world.objects.len()), (0, 1), "it is not proposed again");
    let spec = world.objects[0].1.clone();
    assert_eq!((spec.reach.steps, spec.reach.accounts.len(), spec.reach.assets, spec.accounts[0].steps.len()), (6, 2, Some(7), 3));
    let units: Vec<(&str, u64)> = spec.units.iter().map(|unit| (unit.name.as_str(), unit.count)).collect();
    assert_eq!(units[..3], [("backup vault", 2), ("backup plan", 2), ("asset with a daily backup job", 7)]);
    assert_eq!(units[3].1, 7 * 30);
    assert!(spec.accounts.iter().flat_map(|account| &account.steps).all(|step| !step.reverse.is_empty()), "{spec:?}");

    world.word(ChangeVerdict::Approve);
    let done = world.live();
    assert_eq!((world.writes(), world.states()), (6, vec![ChangeState::Applied]));
    assert!(done.regions.iter().all(|region| region.plan.may_write && region.error.is_none()), "{done:?}");
    let under = world.ledger.iter().filter(|entry| matches!(entry.body, Body::Intent { .. } | Body::Receipt { .. }));
    assert!(under.clone().count() == 12 && under.clone().all(|entry| entry.by.approval.as_ref().is_some_and(|yes| yes.by == "jo")));
    let entries = world.ledger.len();
    world.live();
    assert_eq!((world.writes(), world.ledger.len(), world.objects.len()), (6, entries, 1), "a second pass writes nothing");
}

#[test]
fn a_change_is_void_once_what_was_seen_has_changed_and_a_new_one_takes_its_place() {
    let mut world = World::new();
    world.live();
    world.word(ChangeVerdict::Approve);
    // Somebody made the vault meanwhile.
    let vault = VaultState { region: "eu-west-1".into(), name: "caretaker-acme-main".into(), ..VaultState::default() };
    world.clouds.get_mut("two").unwrap().vaults.push(vault);
    world.live();
    assert_eq!((world.writes(), world.states()), (0, vec![ChangeState::Void, ChangeState::Proposed]));
    assert!(world.changes()[0].progress.ended.as_ref().unwrap().text.contains("account two is not as it was"));
    // Recovery points grow every day, and void nothing.
    world.clouds.get_mut("two").unwrap().vaults[0].recovery_points += 9;
    world.live();
    assert_eq!(world.states()[1], ChangeState::Proposed);
    // Other terms are another plan.
    world.days = 31;
    world.live();
    assert_eq!(world.states(), [ChangeState::Void, ChangeState::Void, ChangeState::Proposed]);
    world.word(ChangeVerdict::Approve);
    world.live();
    assert_eq!(world.states()[2], ChangeState::Applied);
    assert_eq!(world.clouds["two"].plans[0].retention_days, 31);
}

#[test]
fn what_cannot_be_read_voids_nothing_and_is_not_written_on_an_old_look() {
    let mut world = World::new();
    world.live();
    world.word(ChangeVerdict::Approve);
    world.dark.insert("two".into());
    world.live();
    assert_eq!((world.writes(), world.states()), (0, vec![ChangeState::Approved]), "all of it is looked at before the first write");
    world.dark.clear();
    world.live();
    assert_eq!((world.writes(), world.states()), (6, vec![ChangeState::Applied]));
}

#[test]
fn a_no_stands_until_the_plan_is_another_one() {
    let mut world = World::new();
    world.live();
    world.word(ChangeVerdict::Reject);
    let done = world.live();
    assert_eq!((world.writes(), world.states()), (0, vec![ChangeState::Rejected]));
    assert!(done.settled.rejected.is_empty() || done.settled.rejected[0].contains("rejected by jo: because"), "{:?}", done.settled);
    let done = world.live();
    assert_eq!((world.objects.len(), done.settled.rejected.len()), (1, 1), "nobody is asked twice");
    world.days = 60;
    world.live();
    assert_eq!(world.states(), [ChangeState::Rejected, ChangeState::Proposed]);
}

#[test]
fn nobody_s_word_for_a_week_is_no_yes_and_a_fresh_one_is_asked() {
    let mut world = World::new();
    world.live();
    world.now = Some(at(AFTER));
    world.word(ChangeVerdict::Approve);
    world.live();
    assert_eq!((world.writes(), world.states()[0]), (0, ChangeState::Expired), "a yes after the window begins nothing");
    world.live();
    assert_eq!(world.objects.len(), 2);
    assert_eq!(world.objects[1].0, format!("{}-2", world.objects[0].0), "the old one keeps its name");
}

#[test]
fn an_edited_change_is_void_whoever_approved_it() {
    let mut world = World::new();
    world.live();
    world.word(ChangeVerdict::Approve);
    let step = &mut world.objects[0].1.accounts[0].steps[0];
    step.data = step.data.replace("caretaker-acme-main", "other");
    world.live();
    assert_eq!((world.writes(), world.states()[0]), (0, ChangeState::Void));
}

#[test]
fn a_yes_to_another_digest_is_none() {
    let mut world = World::new();
    world.live();
    world.word(ChangeVerdict::Approve);
    world.objects[0].1.decision.as_mut().unwrap().digest = "0".repeat(64);
    world.live();
    assert_eq!((world.writes(), world.states()[0]), (0, ChangeState::Proposed));
}

#[test]
fn an_account_that_refuses_stops_no_other_and_is_tried_until_the_window_ends() {
    let mut world = World::new();
    world.live();
    world.word(ChangeVerdict::Approve);
    world.refuses.insert("one".into());
    let done = world.live();
    assert_eq!((world.writes(), world.states()), (3, vec![ChangeState::Applying]));
    assert_eq!(done.regions.iter().filter(|region| region.error.is_some()).count(), 1);
    world.refuses.clear();
    world.live();
    assert_eq!((world.writes(), world.states()), (6, vec![ChangeState::Applied]));
    let mut late = World::new();
    late.live();
    late.word(ChangeVerdict::Approve);
    late.refuses.insert("one".into());
    late.live();
    late.now = Some(at(AFTER));
    late.live();
    assert_eq!((late.writes(), late.states()[0]), (3, ChangeState::Failed), "what is left is not done any more");
    assert!(late.changes()[0].progress.ended.as_ref().unwrap().text.contains("after 3 of 6 steps"));
}

#[test]
fn a_yes_can_be_taken_back_while_something_is_left() {
    let mut world = World::new();
    world.live();
    world.word(ChangeVerdict::Approve);
    world.refuses.insert("one".into());
    world.live();
    world.word(ChangeVerdict::Reject);
    world.refuses.clear();
    world.live();
    assert_eq!((world.writes(), world.states()[0]), (3, ChangeState::Failed));
}

#[test]
fn who_decides_may_change_while_a_change_waits() {
    let glass = serde_json::from_value(json!({"by": "Jo", "reason": "ransom", "from": BEGIN, "until": AFTER})).unwrap();
    for (why, verdict, writes) in [
        ("the client takes the domain", Verdict::Never("the client's".into()), 0),
        ("the provider gets it", Verdict::Apply, 6),
        ("an emergency", Verdict::Emergency(glass), 6),
    ] {
        for is_approved in [false, true] {
            let mut world = World::new();
            world.live();
            if is_approved {
                world.word(ChangeVerdict::Approve);
            }
            world.verdict = Some(verdict.clone());
            world.live();
            assert_eq!((world.writes(), world.states()), (writes, vec![ChangeState::Void]), "{why}");
            let under = |entry: &Entry| matches!(entry.body, Body::Intent { .. }) && entry.by.approval.is_some();
            assert!(!world.ledger.iter().any(under), "{why}: no yes stands beside what needed none");
        }
    }
}

#[test]
fn a_change_touches_nothing_that_an_account_does_not_allow() {
    let mut world = World::new();
    world.closed.insert("one".into());
    world.live();
    assert_eq!(world.objects[0].1.accounts.len(), 1, "nobody is asked about what may not be done in any case");
    world.word(ChangeVerdict::Approve);
    world.closed.insert("two".into());
    world.live();
    assert_eq!((world.writes(), world.states()), (0, vec![ChangeState::Void]));
}

#[test]
fn each_state_has_its_conditions() {
    let of = |world: &World| {
        let change = world.changes().remove(0);
        let object = ChangeRequest::new(&change.name, change.spec.clone());
        let (status, outcome) = status(&object, &change, world.now());
        let told = |kind: ConditionType| {
            let found = find(&status.conditions, kind).unwrap();
            format!("{} {}", found.status, found.reason)
        };
        (
            told(ConditionType::ChangeApproved),
            told(ConditionType::ChangeApplied),
            matches!(outcome, crate::Outcome::Waiting(_)),
            status.results.len(),
        )
    };
    let mut world = World::new();
    world.live();
    assert_eq!(of(&world), ("Unknown WaitingForApproval".into(), "Unknown WaitingForApproval".into(), true, 0));
    world.word(ChangeVerdict::Approve);
    assert_eq!(of(&world), ("True Settled".into(), "Unknown Progressing".into(), true, 0));
    world.live();
    assert_eq!(of(&world), ("True Settled".into(), "True Settled".into(), false, 6));
    let mut rejected = World::new();
    rejected.live();
    rejected.word(ChangeVerdict::Reject);
    assert_eq!(of(&rejected), ("False ChangeRejected".into(), "False ChangeRejected".into(), false, 0));
}

#[test]
fn the_last_twenty_that_have_ended_are_kept() {
    let mut world = World::new();
    world.live();
    let open = world.changes().remove(0);
    let ended = |number: i64| {
        let end = Decision { about: String::new(), decided: Decided::Void, by: String::new(), text: String::new() };
        let mut change = Change { name: format!("c{number}"), ..open.clone() };
        change.progress.ended = Some(end);
        change
    };
    let all: Vec<Change> = (0..23).map(ended).chain([open.clone()]).collect();
    let timed: Vec<_> = all.iter().zip(0_i64..).map(|(change, second)| (Some(Timestamp::from_second(second).unwrap()), change)).collect();
    assert_eq!(worn(&timed), ["c2", "c1", "c0"]);
}

proptest! {
    /// F08 and the saga: a kill at any write between the yes and the last receipt neither loses nor repeats one.
    #[test]
    fn an_operator_that_dies_at_any_write_of_a_change_does_each_step_once(
        lives in prop::collection::vec(0_usize..10, 0..20), refuses in any::<bool>(),
    ) {
        let mut world = World::new();
        world.live();
        world.word(ChangeVerdict::Approve);
        if refuses {
            world.refuses.insert("two".into());
        }
        for life in lives {
            world.lives_for = Some(life);
            let _ = world.visit();
        }
        world.refuses.clear();
        world.live();
        prop_assert_eq!(world.states(), [ChangeState::Applied]);
        prop_assert!(world.done.len() == 6 && world.done.values().all(|times| *times == 1), "{:?}", world.done);
        let mut intended = BTreeSet::new();
        let mut receipts: BTreeMap<(String, String), u32> = BTreeMap::new();
        for entry in &world.ledger {
            match &entry.body {
                Body::Intent { key, .. } => drop(intended.insert((entry.subject.clone(), key.clone()))),
                Body::Receipt { key, .. } => {
                    let at = (entry.subject.clone(), key.clone());
                    prop_assert!(intended.contains(&at), "a receipt without an intent: {at:?}");
                    *receipts.entry(at).or_default() += 1;
                }
                _ => {}
            }
        }
        prop_assert!(receipts.len() == 6 && receipts.values().all(|count| *count == 1), "{receipts:?}");
        let approved = world.ledger.iter().filter(|entry| matches!(&entry.body, Body::Decision(told) if told.decided == Decided::Approved)).count();
        prop_assert_eq!(approved, 1);
        let entries = world.ledger.len();
        world.live();
        prop_assert_eq!(entries, world.ledger.len());
    }
}
