//! What is said when an account's object is deleted without a handover.

use caretaker_api::CloudAccount;
use caretaker_api::condition::{ConditionType, Reason};

use crate::conditions::{Is, find};

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
