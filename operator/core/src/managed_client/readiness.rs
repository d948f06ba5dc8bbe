//! Whether a client could leave today: what stands in the way, each with its cure. It is judged anew at each visit, from what the conditions and the last
//! rehearsal say.

use std::collections::BTreeMap;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::destination::DestinationStatus;
use caretaker_api::exit_terms::Deadline;
use caretaker_api::handover::{HandoverMode, HandoverStep, StepState};
use caretaker_api::managed_client::{ReadinessBlocker, ReadinessCheck, ReadinessStatus};
use caretaker_api::{CloudAccount, Handover, ManagedClient};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::{Observed, deadlines, destination};
use crate::conditions::{ConditionSet, Is, find};

/// How long after its day a rehearsal may be late before it counts as missing.
const GRACE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Age at which a rehearsal says nothing any more, where none are made on a schedule.
const STALE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Longest message of a blocker, in characters.
const LONGEST: usize = 300;

/// How the names of scheduled rehearsals begin. The day follows: of two that are due on one day the API server takes one.
const SCHEDULED: &str = "scheduled-";

/// What a check found: nothing, or what stands in the way and what to do.
type Found = Option<String>;

/// Every check, in the order in which people can act on them.
#[must_use]
pub fn rate(
    (client, observed): (&ManagedClient, &Observed),
    (tried, deadlines): (Option<&DestinationStatus>, &[Deadline]),
    set: &ConditionSet,
    now: Timestamp,
) -> ReadinessStatus {
    let own = |kind: ConditionType| set.get(kind);
    let of_profile = |kind: ConditionType| find(&observed.profile_conditions, kind);
    let checks: [(ReadinessCheck, Found); 12] = [
        (ReadinessCheck::Recipients, recipients(observed)),
        (ReadinessCheck::Access, unless_true(own(ConditionType::AccessProven), "not every account lets us in")),
        (ReadinessCheck::Inventory, unless_true(own(ConditionType::InventoryComplete), "the inventory has gaps")),
        (
            ReadinessCheck::Monitoring,
            unless_true(own(ConditionType::MonitoringReady), "the monitoring does not run, so it may not run elsewhere"),
        ),
        (ReadinessCheck::Backups, unless_true(own(ConditionType::BackupsReady), "the backups are not as the policy says")),
        (ReadinessCheck::Store, store(observed)),
        (ReadinessCheck::Destination, destination::blocker(client, tried)),
        (ReadinessCheck::SigningKey, unless_true(of_profile(ConditionType::SigningKeyReady), "no bundle can be signed")),
        (ReadinessCheck::Proof, unless_true(of_profile(ConditionType::ExitProvable), "a refusal after the exit would prove nothing")),
        (ReadinessCheck::Ledger, unless_true(own(ConditionType::LedgerIntact), "the log of what was done is not whole")),
        (ReadinessCheck::Rehearsal, rehearsal(client, &observed.handovers, now)),
        (ReadinessCheck::Deadlines, deadlines::blocker(deadlines, client)),
    ];
    let checked = u32::try_from(checks.len()).unwrap_or(u32::MAX);
    let blockers: Vec<ReadinessBlocker> = checks
        .into_iter()
        .filter_map(|(check, found)| Some(ReadinessBlocker { check, message: found?.chars().take(LONGEST).collect() }))
        .collect();
    let passed = checked - u32::try_from(blockers.len()).unwrap_or(checked);
    ReadinessStatus { score: passed * 100 / checked, passed, checked, blockers }
}

fn recipients(observed: &Observed) -> Found {
    let faults: Vec<String> = observed.recipient_faults.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// What was never asked for stands in nobody's way.
fn unless_true(condition: Option<&Condition>, why: &str) -> Found {
    match condition {
        Some(condition) if condition.status == Is::True.as_str() || condition.reason == Reason::NotRequested.as_str() => None,
        Some(condition) if condition.message.is_empty() => Some(format!("{why} ({})", condition.reason)),
        Some(condition) => Some(format!("{why}: {}", condition.message)),
        None => Some(format!("{why}: nothing is known of it yet")),
    }
}

/// Each account's visit tries the store. One whose reading has not come to it yet says nothing.
fn store(observed: &Observed) -> Found {
    let of = |account: &CloudAccount| find(&account.status.as_ref()?.conditions, ConditionType::StoreReady).cloned();
    let bad = observed.accounts.iter().filter_map(of).find(|condition| condition.status == Is::False.as_str());
    unless_true(Some(&bad?), "the store takes no bundle")
}

fn is_step(handover: &Handover, step: HandoverStep, state: StepState) -> Option<Timestamp> {
    let status = handover.status.as_ref()?;
    let record = status.steps.iter().find(|record| record.step == step && record.state == state)?;
    record.completed_at.as_ref().map(|at| at.0)
}

/// When a bundle was verified in the store for the last time.
fn last_bundle(handovers: &[Handover]) -> Option<(Timestamp, &Handover)> {
    handovers
        .iter()
        .filter_map(|handover| Some((is_step(handover, HandoverStep::Verify, StepState::Completed)?, handover)))
        .max_by_key(|(at, _)| *at)
}

fn rehearsal(client: &ManagedClient, handovers: &[Handover], now: Timestamp) -> Found {
    let command = format!("kubectl caretaker exit {} --wait", client.name_any());
    let Some((at, handover)) = last_bundle(handovers) else {
        return Some(format!("the exit was never rehearsed: run {command}"));
    };
    let most = match client.spec.exit.rehearse_every_days {
        0 => STALE,
        days => SignedDuration::from_hours(24 * i64::from(days)) + GRACE,
    };
    let age = now.duration_since(at);
    (age > most).then(|| {
        let days = age.as_hours() / 24;
        format!(
            "the last rehearsal that ended well, {}, is {days} days old: run {command}, and see why none came after it",
            handover.name_any()
        )
    })
}

/// Days between two rehearsals have passed, and none is under way: the name of the next one. The first comes that long after the client.
#[must_use]
pub fn next_rehearsal(client: &ManagedClient, handovers: &[Handover], now: Timestamp) -> Option<String> {
    let days = client.spec.exit.rehearse_every_days;
    let leaves = |handover: &Handover| handover.spec.mode == HandoverMode::Final && handover.spec.cancelled.is_none();
    // The Handover that ended the contract may be gone by now.
    let has_left = client.status.as_ref().is_some_and(|status| status.handed_over_by.is_some());
    if days == 0 || has_left || client.metadata.deletion_timestamp.is_some() || handovers.iter().any(leaves) {
        return None;
    }
    let begun = |handover: &Handover| handover.creation_timestamp().map(|at| at.0);
    let last = handovers.iter().filter_map(begun).chain(client.creation_timestamp().map(|at| at.0)).max()?;
    let is_due = now.duration_since(last) >= SignedDuration::from_hours(24 * i64::from(days));
    is_due.then(|| format!("{SCHEDULED}{}", now.strftime("%Y%m%d")))
}

/// Scheduled rehearsals that are kept.
const KEPT: usize = 3;
/// Rehearsals that people began, which are kept.
const KEPT_OF_PEOPLE: usize = 20;

/// Names of rehearsals that have had their time: all that have ended but the last three of the schedule, and the last twenty of people. Their bundles stay in
/// the store.
#[must_use]
pub fn worn_rehearsals(handovers: &[Handover]) -> Vec<String> {
    [worn(handovers, true, KEPT), worn(handovers, false, KEPT_OF_PEOPLE)].concat()
}

fn worn(handovers: &[Handover], scheduled: bool, kept: usize) -> Vec<String> {
    let is_one =
        |handover: &&Handover| handover.spec.mode == HandoverMode::Rehearsal && handover.name_any().starts_with(SCHEDULED) == scheduled;
    let ended = handovers.iter().filter(is_one).filter_map(|handover| {
        let at = is_step(handover, HandoverStep::Done, StepState::Completed)?;
        Some((at, handover.name_any()))
    });
    let by_time: BTreeMap<(Timestamp, String), ()> = ended.map(|key| (key, ())).collect();
    let worn = by_time.len().saturating_sub(kept);
    by_time.into_keys().take(worn).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use caretaker_api::handover::Cancellation;
    use serde_json::{Value, json};

    use super::*;
    use crate::managed_client::CONDITIONS;
    use crate::outcome::Fault;

    fn day(day: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day)
    }

    fn client(days: u32) -> ManagedClient {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "creationTimestamp": day(0)},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
                "accounts": [], "exit": {"recipients": ["age1"], "rehearseEveryDays": days},
            },
        }))
        .unwrap()
    }

    fn handover(name: &str, mode: &str, (begun, verified, ended): (i64, Option<i64>, Option<i64>)) -> Handover {
        let step = |step: &str, at: Option<i64>| Some(json!({"step": step, "state": "Completed", "completedAt": day(at?), "message": ""}));
        let steps: Vec<Value> = [step("Verify", verified), step("Done", ended)].into_iter().flatten().collect();
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": name, "creationTimestamp": day(begun)},
            "spec": {"mode": mode}, "status": {"steps": steps},
        }))
        .unwrap()
    }

    fn conditions(kinds: &[ConditionType], but: Option<(ConditionType, Is, Reason)>) -> Vec<Condition> {
        let mut set = ConditionSet::new(&[], kinds, 1, day(0));
        for kind in kinds {
            set.set(*kind, Is::True, Reason::Settled, "");
        }
        if let Some((kind, is, reason)) = but {
            set.set(kind, is, reason, "it is so");
        }
        set.finish()
    }

    const PROFILE: [ConditionType; 2] = [ConditionType::SigningKeyReady, ConditionType::ExitProvable];

    /// A world in which nothing stands in the way, but for one condition.
    fn rated(but: Option<(ConditionType, Is, Reason)>, change: impl Fn(&mut Observed)) -> ReadinessStatus {
        let mut observed = Observed {
            profile_conditions: conditions(&PROFILE, but.filter(|(kind, ..)| PROFILE.contains(kind))),
            handovers: vec![handover("rehearsal", "Rehearsal", (1, Some(1), Some(1)))],
            ..Observed::default()
        };
        change(&mut observed);
        let own = conditions(CONDITIONS, but.filter(|(kind, ..)| CONDITIONS.contains(kind)));
        rate((&client(30), &observed), (None, &[]), &ConditionSet::new(&own, CONDITIONS, 1, day(2)), day(2))
    }

    #[test]
    fn each_thing_that_stands_in_the_way_is_named() {
        let nothing = rated(None, |_| {});
        assert_eq!((nothing.score, nothing.passed, nothing.blockers.as_slice()), (100, nothing.checked, [].as_slice()));
        for (kind, check) in [
            (ConditionType::AccessProven, ReadinessCheck::Access),
            (ConditionType::InventoryComplete, ReadinessCheck::Inventory),
            (ConditionType::MonitoringReady, ReadinessCheck::Monitoring),
            (ConditionType::BackupsReady, ReadinessCheck::Backups),
            (ConditionType::LedgerIntact, ReadinessCheck::Ledger),
            (ConditionType::SigningKeyReady, ReadinessCheck::SigningKey),
            (ConditionType::ExitProvable, ReadinessCheck::Proof),
        ] {
            for is in [Is::False, Is::Unknown] {
                let rated = rated(Some((kind, is, Reason::Failed)), |_| {});
                let found: Vec<ReadinessCheck> = rated.blockers.iter().map(|blocker| blocker.check).collect();
                assert_eq!((found, rated.score), (vec![check], 91), "{kind} is {is:?}");
                assert!(rated.blockers[0].message.ends_with(": it is so"), "{}", rated.blockers[0].message);
            }
        }
        let unasked = rated(Some((ConditionType::BackupsReady, Is::Unknown, Reason::NotRequested)), |_| {});
        assert_eq!(unasked.score, 100, "what was never asked for");
        let key = |observed: &mut Observed| observed.recipient_faults = vec![Fault::spec("spec.exit.recipients[0]", "no key")];
        assert_eq!(rated(None, key).blockers[0].message, "spec.exit.recipients[0]: no key");
        let unknown = rated(None, |observed| observed.profile_conditions.clear());
        assert_eq!((unknown.blockers.len(), unknown.score), (2, 83), "what nobody knows is no pass");
        let mut account = CloudAccount::new("prod", serde_json::from_value(json!({"aws": {"accountId": "111122223333"}})).unwrap());
        for (is, passes) in [(Is::True, true), (Is::Unknown, true), (Is::False, false)] {
            let kinds = [ConditionType::StoreReady];
            account.status.get_or_insert_default().conditions = conditions(&kinds, Some((kinds[0], is, Reason::Failed)));
            let rated = rated(None, |observed| observed.accounts = vec![account.clone()]);
            assert_eq!(rated.blockers.is_empty(), passes, "{:?}", rated.blockers);
        }
    }

    #[test]
    fn a_rehearsal_counts_from_its_verified_bundle_and_grows_old() {
        let of = |handovers: &[Handover], days: u32, now: i64| rehearsal(&client(days), handovers, day(now));
        let good = || handover("good", "Rehearsal", (10, Some(10), Some(10)));
        let cut_off = handover("cut-off", "Rehearsal", (40, None, None));
        assert!(of(&[], 30, 1).unwrap().contains("never rehearsed: run kubectl caretaker exit acme --wait"));
        assert_eq!(of(&[good(), cut_off.clone()], 30, 47), None, "it may be a week late");
        assert!(of(&[good(), cut_off], 30, 48).unwrap().contains("good, is 38 days old"));
        assert_eq!(of(&[good()], 0, 99), None);
        assert!(of(&[good()], 0, 101).is_some());
    }

    #[test]
    fn rehearsals_come_as_scheduled_and_three_are_kept() {
        let old = || handover("rehearsal", "Rehearsal", (10, Some(10), Some(10)));
        let mut called_off = handover("final", "Final", (1, None, None));
        called_off.spec.cancelled = Some(Cancellation { by: "Jo".into(), reason: "renewed".into() });
        for (why, handovers, days, now, expected) in [
            ("a new client", vec![], 30, 29, None),
            ("a month old", vec![], 30, 30, Some("scheduled-19700131")),
            ("one was made by hand", vec![old()], 30, 39, None),
            ("that one is a month old", vec![old()], 30, 40, Some("scheduled-19700210")),
            ("nobody wants any", vec![], 0, 999, None),
            ("the client leaves", vec![handover("final", "Final", (1, None, None))], 30, 99, None),
            ("that was called off", vec![called_off], 30, 99, Some("scheduled-19700410")),
        ] {
            assert_eq!(next_rehearsal(&client(days), &handovers, day(now)).as_deref(), expected, "{why}");
        }
        let mut all: Vec<Handover> = (0..5).map(|at| handover(&format!("scheduled-{at}"), "Rehearsal", (at, Some(at), Some(at)))).collect();
        all.push(handover("scheduled-9", "Rehearsal", (9, None, None)));
        all.push(old());
        assert_eq!(worn_rehearsals(&all), ["scheduled-0", "scheduled-1"]);
        // M6: nobody fills the API server with rehearsals, and an exit is never one of them.
        let of_people = |at: i64| handover(&format!("try-{at:02}"), "Rehearsal", (at, Some(at), Some(at)));
        let mut many: Vec<Handover> = (0..22).map(of_people).collect();
        many.push(handover("final", "Final", (0, Some(0), Some(0))));
        assert_eq!(worn_rehearsals(&many), ["try-00", "try-01"]);
    }
}
