//! What a reading of the inventory means for the status.

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::CloudAccountStatus;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_cloud::ErrorClass;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Done, RETRY_PAUSE};
use crate::conditions::{ConditionSet, Is};
use crate::inventory::Taken;
use crate::inventory::history::baseline;
use crate::inventory::scope::ScopeVerdict;
use crate::outcome::Wait;
use crate::provider_profile::READ_ELSEWHERE;

/// Whether the condition says that a first reading runs.
pub(super) fn is_running(condition: &Condition) -> bool {
    condition.reason == Reason::Progressing.as_str()
}

/// Says that the reading is begun, or takes back that one runs: a visit that does not begin one has seen its end. While there is an inventory, the condition
/// speaks of that one.
fn running(status: &CloudAccountStatus, set: &mut ConditionSet, (done, now): (&Done, Timestamp)) {
    let kind = ConditionType::InventoryComplete;
    if done.reads_next && status.inventory.is_none() {
        let message = format!("the first reading runs since {}", now.strftime("%Y-%m-%d %H:%M UTC"));
        set.set(kind, Is::Unknown, Reason::Progressing, message);
    } else if !done.reads_next && set.get(kind).is_some_and(is_running) {
        set.set(kind, Is::Unknown, Reason::Pending, "no reading has come to its end yet");
    }
}

/// Takes a new inventory, or why there is none.
pub(super) fn take(
    (account, now): (&CloudAccount, Timestamp),
    status: &mut CloudAccountStatus,
    set: &mut ConditionSet,
    done: &Done,
    waits: &mut Vec<Wait>,
) {
    running(status, set, (done, now));
    if let Some((reason, message)) = &done.store_fault {
        set.set(ConditionType::StoreReady, Is::False, *reason, message);
        waits.push(Wait { reason: *reason, message: message.clone(), after: RETRY_PAUSE });
        return;
    }
    match &done.inventory {
        None => {}
        Some(Ok(taken)) => {
            store(set, taken);
            coverage(set, taken);
            scope(set, taken);
            status.inventory = Some(taken.inventory.clone());
            status.baseline = baseline(status, account.spec.baseline_after_days, now);
        }
        Some(Err(error)) => {
            let (reason, message) = match error.class {
                _ if error.is_at_own_proxy() => (Reason::Unreachable, format!("{READ_ELSEWHERE}{error}")),
                ErrorClass::Credentials => (Reason::CredentialsInvalid, format!("{READ_ELSEWHERE}{error}")),
                _ => (Reason::CoverageUnknown, error.to_string()),
            };
            set.set(ConditionType::InventoryComplete, Is::Unknown, reason, &message);
            waits.push(Wait { reason, message, after: RETRY_PAUSE });
        }
    }
}

/// The new inventory is whole as far as it goes; what is lost must be seen until the next reading.
fn store(set: &mut ConditionSet, taken: &Taken) {
    if taken.losses.is_empty() {
        set.set(ConditionType::StoreReady, Is::True, Reason::Settled, "");
    } else {
        set.set(ConditionType::StoreReady, Is::False, Reason::InventoryLost, taken.losses.join("; "));
    }
}

fn coverage(set: &mut ConditionSet, taken: &Taken) {
    let (kind, coverage) = (ConditionType::InventoryComplete, &taken.inventory.coverage);
    if coverage.planned == 0 {
        set.set(kind, Is::Unknown, Reason::CoverageUnknown, "no cell was planned: coverage cannot be told");
    } else if coverage.complete == coverage.planned {
        let notes: String = coverage.notes.iter().map(|note| format!("; {note}")).collect();
        set.set(kind, Is::True, Reason::Settled, format!("{} cells read completely{notes}", coverage.planned));
    } else {
        // The cause names account, region and service.
        let first = coverage.gaps.first().map(|gap| gap.cause.as_str()).unwrap_or_default();
        let message = format!("{} cells complete; {first}", coverage.text);
        match &taken.inventory.lost_at {
            None => set.set(kind, Is::False, Reason::Incomplete, message),
            Some(at) => {
                let lost = format!(
                    "{message}; what was known of the other cells is lost in the store since {}: it comes back when they are read",
                    at.0.strftime("%Y-%m-%d %H:%M UTC")
                );
                set.set(kind, Is::False, Reason::InventoryLost, lost);
            }
        }
    }
}

/// A warning only: what nobody has classified is read and kept like everything else.
fn scope(set: &mut ConditionSet, taken: &Taken) {
    let (kind, assets) = (ConditionType::ScopeAmbiguous, taken.inventory.assets);
    let unclassified = taken.inventory.by_verdict.get(ScopeVerdict::Unclassified.as_str()).copied().unwrap_or_default();
    if unclassified == 0 {
        set.set(kind, Is::False, Reason::Settled, "every asset is covered or excluded");
        return;
    }
    let samples = taken.unclassified.join(", ");
    let more = if unclassified > taken.unclassified.len() as u64 { ", …" } else { "" };
    let message = format!(
        "{unclassified} of {assets} assets match neither include nor exclude: {samples}{more}; add a selector for them to spec.scope of the ManagedClient"
    );
    set.set(kind, Is::True, Reason::UnclassifiedAssets, message);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use caretaker_api::cloud_account::{CloudAccountSpec, CoverageStatus, InventoryStatus};
    use caretaker_cloud::CloudError;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;
    use crate::cloud_account::Observed;
    use crate::conditions::{find, is_news};
    use crate::outcome::Outcome;

    fn account() -> CloudAccount {
        let spec: CloudAccountSpec = serde_json::from_value(json!({"aws": {"accountId": "222222222222"}})).unwrap();
        CloudAccount::new("prod", spec)
    }

    /// Conditions of a reading, as `TYPE=STATUS REASON` and message.
    fn told(taken: Taken) -> BTreeMap<String, (String, String)> {
        let (mut status, mut waits) = (CloudAccountStatus::default(), Vec::new());
        let mut set = ConditionSet::new(&[], super::super::CONDITIONS, 1, Timestamp::UNIX_EPOCH);
        let done = Done { inventory: Some(Ok(taken)), ..Done::default() };
        take((&account(), Timestamp::UNIX_EPOCH), &mut status, &mut set, &done, &mut waits);
        assert!(waits.is_empty(), "nothing of it is waited for here");
        let entry = |condition: k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
            (condition.type_, (format!("{} {}", condition.status, condition.reason), condition.message))
        };
        set.finish().into_iter().map(entry).collect()
    }

    fn taken(complete: u32, unclassified: u64) -> Taken {
        let coverage = CoverageStatus { planned: 3, complete, text: format!("{complete}/3"), gaps: Vec::new(), notes: Vec::new() };
        let by_verdict = [("Covered", 10), ("Unclassified", unclassified)];
        let by_verdict = by_verdict.into_iter().filter(|(_, count)| *count > 0).map(|(word, count)| (word.to_owned(), count)).collect();
        let inventory = InventoryStatus { assets: 10 + unclassified, by_verdict, coverage, ..InventoryStatus::default() };
        let samples = (0..unclassified.min(5)).map(|number| format!("i-{number} (instance, eu-west-1)")).collect();
        Taken { inventory, unclassified: samples, losses: Vec::new() }
    }

    #[test]
    fn what_nobody_has_classified_is_a_warning_with_count_and_samples() {
        assert_eq!(told(taken(3, 0))["ScopeAmbiguous"].0, "False Settled");
        let all = told(taken(3, 7));
        let (is, message) = &all["ScopeAmbiguous"];
        assert_eq!(is, "True UnclassifiedAssets");
        assert!(message.starts_with("7 of 17 assets match neither") && message.contains("i-4 (instance, eu-west-1), …;"), "{message}");
        assert_eq!(all["InventoryComplete"], ("True Settled".to_owned(), "3 cells read completely".to_owned()));
        let mut noted = taken(3, 0);
        noted.inventory.coverage.notes.push("some may be missing".into());
        assert_eq!(
            told(noted)["InventoryComplete"],
            ("True Settled".to_owned(), "3 cells read completely; some may be missing".to_owned())
        );
        assert!(!told(taken(3, 5))["ScopeAmbiguous"].1.contains('…'));
    }

    #[test]
    fn a_first_reading_says_since_when_it_runs_and_no_visit_that_begins_none_repeats_it() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let visit = |account: &CloudAccount, done: &Done, now: i64| {
            let (status, outcome) = crate::cloud_account::status(account, &Observed::default(), &[], done, at(now));
            let told = find(&status.conditions, ConditionType::InventoryComplete).unwrap().clone();
            (CloudAccount { status: Some(status), ..account.clone() }, outcome, told)
        };
        let proof = || Some(Ok(caretaker_cloud::Identity { account: "222222222222".into(), principal: "us".into() }));
        let begun = Done { proof: proof(), reads_next: true, ..Done::default() };
        let (first, outcome, told) = visit(&account(), &begun, 60);
        assert_eq!((told.status.as_str(), told.reason.as_str()), ("Unknown", "Progressing"));
        assert_eq!(told.message, "the first reading runs since 1970-01-01 00:01 UTC");
        assert!(matches!(&outcome, Outcome::Waiting(wait) if wait.reason == Reason::Progressing), "{outcome:?}");
        assert_eq!(find(&first.status.as_ref().unwrap().conditions, ConditionType::AccessProven).unwrap().status, "True");

        let no = || CloudError::new(ErrorClass::Unreachable, "ec2:DescribeRegions", "no answer");
        for (why, done, is, reason) in [
            ("it ended well", Done { inventory: Some(Ok(taken(3, 0))), ..Done::default() }, "True", "Settled"),
            ("it ended badly", Done { inventory: Some(Err(no())), ..Done::default() }, "Unknown", "CoverageUnknown"),
            ("the process died, or the cluster did not answer", Done::default(), "Unknown", "Pending"),
            (
                "the store took nothing",
                Done { store_fault: Some((Reason::StoreFull, String::new())), ..Done::default() },
                "Unknown",
                "Pending",
            ),
        ] {
            let (_, _, told) = visit(&first, &done, 120);
            assert_eq!((told.status.as_str(), told.reason.as_str()), (is, reason), "{why}");
        }
        // A later reading leaves what is said of the inventory that stands.
        let (read, ..) = visit(&first, &Done { inventory: Some(Ok(taken(3, 0))), ..Done::default() }, 120);
        let (again, outcome, told) = visit(&read, &begun, 7200);
        assert!(told.status == "True" && told.message == "3 cells read completely" && matches!(outcome, Outcome::Settled(_)), "{told:?}");
        let conditions = |account: &CloudAccount| account.status.as_ref().unwrap().conditions.clone();
        assert!(!is_news(&conditions(&read), &conditions(&again)), "so that nothing is written before it");
    }

    #[test]
    fn a_store_that_took_nothing_is_tried_before_the_next_reading_and_one_that_lost_something_is_not() {
        let after = |reason: Reason| {
            let (mut status, mut waits) = (CloudAccountStatus::default(), Vec::new());
            let mut set = ConditionSet::new(&[], super::super::CONDITIONS, 1, Timestamp::UNIX_EPOCH);
            let done = Done { store_fault: Some((reason, "no room".into())), ..Done::default() };
            take((&account(), Timestamp::UNIX_EPOCH), &mut status, &mut set, &done, &mut waits);
            super::super::store_took_nothing(&set.finish())
        };
        for reason in [Reason::StoreFull, Reason::StoreReadOnly, Reason::StoreUnreachable] {
            assert!(after(reason), "{reason:?}");
        }
        assert!(!after(Reason::InventoryLost) && !super::super::store_took_nothing(&Vec::new()));
    }

    #[test]
    fn a_loss_in_the_store_is_a_condition() {
        let lost = Taken { losses: vec!["the last inventory is lost (not in the store: x)".into()], ..taken(3, 0) };
        assert_eq!(told(lost)["StoreReady"].0, "False InventoryLost");
        assert_eq!(told(taken(2, 0))["InventoryComplete"].0, "False Incomplete");
        let mut later = taken(2, 0);
        later.inventory.lost_at = Some(Time(Timestamp::UNIX_EPOCH));
        let (is, message) = told(later)["InventoryComplete"].clone();
        assert!(is == "False InventoryLost" && message.contains("1970-01-01 00:00 UTC"), "{is} {message}");
    }
}
