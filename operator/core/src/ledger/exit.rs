//! The state of an exit is what its ledger says: which entries a change of it makes, and the state that entries come to.
//!
//! The object in the cluster shows this state, shortened. Where the two differ, as after a restore of etcd, the ledger is right.

use std::collections::HashMap;

use caretaker_api::handover::{FinalReading, HandoverStatus, RevocationStatus, StepState};

use super::entry::Body;
use crate::handover::steps;

/// What a visit changed, as subject and entry. The time of the last attempt alone is no news: an exit that waits for its client writes nothing.
#[must_use]
pub fn changes(before: &HandoverStatus, after: &HandoverStatus) -> Vec<(String, Body)> {
    let mut made = Vec::new();
    let of_all = |body: Body| (String::new(), body);
    let is_gone = |record: &&caretaker_api::handover::StepRecord| !after.steps.iter().any(|kept| kept.step == record.step);
    if before.steps.iter().any(|record| is_gone(&record)) {
        made.push(of_all(Body::Rebuilt { step: after.step.unwrap_or_default() }));
    }
    if let Some(frozen) = after.frozen.as_ref().filter(|frozen| before.frozen.as_ref() != Some(*frozen)) {
        made.push(of_all(Body::Frozen(frozen.clone())));
    }
    for reading in after.readings.iter().filter(|reading| !before.readings.contains(reading)) {
        made.push((reading.account.clone(), Body::Read(Box::new(reading.clone()))));
    }
    if let Some(bundle) = after.bundle.as_ref().filter(|bundle| before.bundle.as_ref() != Some(*bundle)) {
        made.push(of_all(Body::Sealed(bundle.clone())));
    }
    let known: HashMap<&str, &RevocationStatus> = before.revocations.iter().map(|one| (one.account.as_str(), one)).collect();
    for revocation in &after.revocations {
        if known.get(revocation.account.as_str()).is_none_or(|known| is_news(known, revocation)) {
            made.push((revocation.account.clone(), Body::Revocation(revocation.clone())));
        }
    }
    for record in after.steps.iter().filter(|record| !before.steps.contains(record)) {
        made.push(of_all(Body::Step(record.clone())));
    }
    made
}

fn is_news(before: &RevocationStatus, after: &RevocationStatus) -> bool {
    RevocationStatus { last_attempt_at: None, ..before.clone() } != RevocationStatus { last_attempt_at: None, ..after.clone() }
}

/// The state of one exit, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    state: HandoverStatus,
    intents: HashMap<String, String>,
}

impl Fold {
    /// Takes the next entry of this exit.
    pub fn take(&mut self, subject: &str, body: &Body) {
        let state = &mut self.state;
        match body {
            Body::Intent { key, what, .. } => {
                self.intents.insert(key.clone(), what.clone());
            }
            // A process that dies after the write and before it told the whole account's state has told this much.
            Body::Receipt { key, receipt } => {
                let what = self.intents.get(key).cloned().unwrap_or_default();
                let line = receipt_line(&what, &receipt.calls);
                let at = entry_of(&mut state.revocations, subject);
                if !at.steps.contains(&line) {
                    at.steps.push(line);
                }
            }
            Body::Failure { .. } | Body::Decision(_) | Body::Destination { .. } | Body::Erasure { .. } => {}
            Body::Certified { .. } | Body::Baseline { .. } => {}
            Body::Frozen(frozen) => state.frozen = Some(frozen.clone()),
            Body::Sealed(bundle) => state.bundle = Some(bundle.clone()),
            Body::Read(reading) => match state.readings.iter_mut().find(|known| known.account == reading.account) {
                Some(known) => known.clone_from(reading),
                None => state.readings.push(FinalReading::clone(reading)),
            },
            Body::Revocation(revocation) => entry_of(&mut state.revocations, &revocation.account).clone_from(revocation),
            // Legal where it was written; anything else leaves the state as it is.
            Body::Rebuilt { .. } => drop(steps::rebuild(state)),
            Body::Step(record) => {
                match state.steps.iter_mut().find(|known| known.step == record.step) {
                    Some(known) => known.clone_from(record),
                    None => state.steps.push(record.clone()),
                }
                let is_over = matches!(record.state, StepState::Completed | StepState::Skipped);
                let reached = if is_over { steps::next_of(state, record.step) } else { record.step };
                if !steps::has_reached(state, reached) {
                    state.step = Some(reached);
                }
            }
        }
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &HandoverStatus {
        &self.state
    }
}

fn entry_of<'a>(revocations: &'a mut Vec<RevocationStatus>, account: &str) -> &'a mut RevocationStatus {
    if let Some(at) = revocations.iter().position(|known| known.account == account) {
        return &mut revocations[at];
    }
    revocations.push(RevocationStatus { account: account.into(), ..RevocationStatus::default() });
    revocations.last_mut().expect("one was pushed")
}

/// What the receipt of a write says.
#[must_use]
pub fn receipt_line(what: &str, calls: &[String]) -> String {
    format!("{what}: {}", calls.join(", "))
}

#[cfg(test)]
mod tests {
    use caretaker_api::handover::{BundleStatus, Frozen, HandoverMode, HandoverStep};
    use caretaker_cloud::{CloudStep, Receipt, StepOutcome};
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use proptest::prelude::*;

    use super::*;
    use crate::handover::steps::ORDER;
    use crate::ledger::{Entry, Operation};

    fn at(second: u32) -> Timestamp {
        Timestamp::from_second(second.into()).unwrap()
    }

    /// Entries as they come back from the store.
    fn stored(subject: &str, body: Body) -> Entry {
        let entry = Entry {
            at: at(1),
            operation: Operation { kind: "Handover".into(), name: "final".into(), uid: "u".into() },
            subject: subject.into(),
            by: Default::default(),
            body,
        };
        let read: Entry = serde_json::from_slice(&serde_json::to_vec(&entry).unwrap()).unwrap();
        assert_eq!(read, entry);
        read
    }

    fn without_attempts(mut state: HandoverStatus) -> HandoverStatus {
        state.revocations.iter_mut().for_each(|revocation| revocation.last_attempt_at = None);
        state.revocations.sort_by(|one, other| one.account.cmp(&other.account));
        state.readings.sort_by(|one, other| one.account.cmp(&other.account));
        state
    }

    /// One visit: a step that may be legal, or news of an account.
    fn visit(state: &mut HandoverStatus, mode: HandoverMode, (act, number): (usize, u32)) {
        let account = format!("account-{}", number % 4);
        match act {
            0..=9 => drop(steps::complete(state, mode, ORDER[act], &number.to_string(), at(number))),
            10 => drop(steps::rebuild(state)),
            11 => {
                let current = steps::current(state).unwrap_or_default();
                steps::note(state, current, StepState::Waiting, &number.to_string(), at(number));
            }
            12 => {
                let is_emergency = state.frozen.as_ref().is_some_and(|frozen| frozen.is_emergency);
                state.frozen = Some(Frozen { client_generation: number.into(), is_emergency, ..Frozen::default() });
            }
            13 => {
                state.readings.retain(|reading| reading.account != account);
                state.readings.push(FinalReading { account, gap: number.to_string(), inventory: None });
            }
            14 => {
                let revocation = entry_of(&mut state.revocations, &account);
                (revocation.refusals, revocation.last_attempt_at) = (number % 3, Some(Time(at(number))));
            }
            _ if steps::has_reached(state, HandoverStep::Seal) => {
                state.bundle = Some(BundleStatus { sha256: number.to_string(), ..BundleStatus::default() });
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn the_ledger_alone_tells_the_state_whatever_happened(
            (is_final, is_emergency) in any::<(bool, bool)>(), visits in prop::collection::vec((0_usize..16, 0_u32..1000), 0..80),
        ) {
            let mode = if is_final { HandoverMode::Final } else { HandoverMode::Rehearsal };
            let (mut state, mut fold) = (HandoverStatus::default(), Fold::default());
            state.frozen = Some(Frozen { is_emergency: is_emergency && is_final, ..Frozen::default() });
            for one in visits {
                visit(&mut state, mode, one);
                for (subject, body) in changes(fold.state(), &state) {
                    fold.take(&subject, &stored(&subject, body).body);
                }
                let (told, is) = (without_attempts(fold.state().clone()), without_attempts(state.clone()));
                prop_assert_eq!(&told.steps, &is.steps);
                prop_assert_eq!((&told.frozen, &told.readings, &told.revocations), (&is.frozen, &is.readings, &is.revocations));
                prop_assert_eq!(steps::current(&told), steps::current(&is));
                prop_assert!(changes(&told, &is).is_empty() || told.bundle != is.bundle, "a second visit tells nothing");
            }
        }
    }

    #[test]
    fn a_receipt_alone_is_a_step_that_was_done() {
        let step = CloudStep::CloseOwnRole { role: "r".into() };
        let intent = Body::Intent { key: "k".into(), what: step.describe(), reverse: String::new(), step: step.clone() };
        let receipt = Receipt { outcome: StepOutcome::Done, id: None, calls: vec!["iam:UpdateAssumeRolePolicy".into()] };
        let mut fold = Fold::default();
        fold.take("prod", &intent);
        assert!(fold.state().revocations.is_empty(), "an intent is no act");
        for _ in 0..2 {
            fold.take("prod", &Body::Receipt { key: "k".into(), receipt: receipt.clone() });
        }
        assert_eq!(fold.state().revocations[0].steps, ["close our role r to everybody: iam:UpdateAssumeRolePolicy"]);
    }

    #[test]
    fn an_attempt_that_brings_no_news_is_not_told() {
        let state = |second: u32, refusals: u32| HandoverStatus {
            revocations: vec![RevocationStatus {
                account: "prod".into(),
                refusals,
                last_attempt_at: Some(Time(at(second))),
                ..RevocationStatus::default()
            }],
            ..HandoverStatus::default()
        };
        assert!(changes(&state(1, 1), &state(2, 1)).is_empty());
        assert_eq!(changes(&state(1, 1), &state(2, 2)).len(), 1);
    }
}
