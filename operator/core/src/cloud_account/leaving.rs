//! What is said of an account that a final handover has ended, and of one whose object is deleted without a handover.

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::{AccessStatus, CloudAccountStatus};
use caretaker_api::condition::{ConditionType, Reason};

use super::CONDITIONS;
use crate::conditions::{ConditionSet, Is, find};
use crate::handover::ending::AccountEnding;

/// The end, its time and its proof, and nothing else: nobody may look any more, so that what was found out before says nothing of now. When we were last let
/// in stays, as does the last inventory with its time.
pub(super) fn take(status: &mut CloudAccountStatus, set: &mut ConditionSet, ending: &AccountEnding) {
    for kind in CONDITIONS {
        let is = if *kind == ConditionType::AccessProven && ending.is_proved { Is::False } else { Is::Unknown };
        set.set(*kind, is, Reason::HandedOver, &ending.message);
    }
    if let Some(AccessStatus { generation, profile, principal, proven_at, .. }) = status.access.take() {
        status.access = Some(AccessStatus { generation, profile, principal, proven_at, ..AccessStatus::default() });
    }
    status.throttled_until = None;
}

/// What its owner is told: that nothing was changed in the cloud, and what is known of our way in, which still stands where nobody has closed it.
#[must_use]
pub fn farewell(account: &CloudAccount) -> String {
    let target = &account.spec.target;
    let name = format!("{} {}", target.cloud().as_str(), target.id());
    let status = account.status.clone().unwrap_or_default();
    let principal = status.access.map(|access| access.principal).filter(|principal| !principal.is_empty());
    let principal = principal.unwrap_or_else(|| "our way in".into());
    let proof = find(&status.conditions, ConditionType::AccessProven);
    match proof {
        Some(proof) if proof.reason == Reason::HandedOver.as_str() => format!("let go of {name}: it was handed over"),
        Some(proof) if Is::of(proof) == Is::True => format!(
            "let go of {name}: nothing was changed there, and nothing was verified now; {principal} led in until the last check and may still do so: \
             the client ends it by removing what the grant kit made"
        ),
        proof => {
            let last = proof.map_or_else(|| "it was never proven".to_owned(), |proof| proof.message.clone());
            format!(
                "let go of {name}: nothing was changed there, and nothing was verified: whether {principal} still leads in is not known ({last}); \
                 the client ends it by removing what the grant kit made"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use caretaker_api::cloud_account::CloudAccountStatus;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    fn account(status: &str, reason: Reason) -> CloudAccount {
        let spec = serde_json::from_value(serde_json::json!({"aws": {"accountId": "111122223333"}})).unwrap();
        let condition = Condition {
            type_: ConditionType::AccessProven.as_str().into(),
            status: status.into(),
            reason: reason.as_str().into(),
            message: "no access or gone".into(),
            last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
            observed_generation: None,
        };
        let mut account = CloudAccount::new("prod", spec);
        account.status = Some(CloudAccountStatus { conditions: vec![condition], ..CloudAccountStatus::default() });
        account
    }

    /// N07: after the exit the account said that all is as asked.
    #[test]
    fn after_the_exit_the_end_is_told_and_nothing_else() {
        use crate::cloud_account::{Done, Observed, status};
        use crate::outcome::Outcome;

        let mut account = account("True", Reason::Proven);
        let register = caretaker_api::cloud_account::AccessRegister { total: 1, ..Default::default() };
        let access = AccessStatus { principal: "role".into(), register: Some(register), ..AccessStatus::default() };
        account.status.as_mut().unwrap().access = Some(access);
        for (is_proved, access) in [(true, "False"), (false, "Unknown")] {
            let ending = AccountEnding { is_proved, message: "refused 3 times".into() };
            let observed = Observed { ending: Some(ending), ..Observed::default() };
            let (told, outcome) = status(&account, &observed, &[], &Done::default(), jiff::Timestamp::UNIX_EPOCH);
            assert!(matches!(&outcome, Outcome::Ended(message, _) if message == "refused 3 times"), "{outcome:?}");
            for condition in &told.conditions {
                let expected = if condition.type_ == "AccessProven" { access } else { "Unknown" };
                let found = (condition.status.as_str(), condition.reason.as_str(), condition.message.as_str());
                assert_eq!(found, (expected, "HandedOver", "refused 3 times"), "{}", condition.type_);
            }
            assert_eq!(told.access, Some(AccessStatus { principal: "role".into(), ..AccessStatus::default() }));
        }
    }

    #[test]
    fn what_was_not_verified_is_said() {
        let never = farewell(&account("False", Reason::WaitingForGrant));
        assert!(never.contains("nothing was verified") && never.contains("no access or gone") && never.contains("111122223333"), "{never}");
        let proven = farewell(&account("True", Reason::Proven));
        assert!(proven.contains("nothing was changed") && proven.contains("until the last check"), "{proven}");
        assert!(!farewell(&account("False", Reason::HandedOver)).contains("verified"));
        let mut bare = account("False", Reason::WaitingForGrant);
        bare.status = None;
        assert!(farewell(&bare).contains("never proven"));
    }
}
