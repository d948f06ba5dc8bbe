//! The grant kit in the cluster: it is for people, and the account is read and proved without it all the same.

use caretaker_api::cloud_account::CloudAccountStatus;
use caretaker_api::condition::{ConditionType, Reason};

use super::{Done, GRANT_PAUSE};
use crate::conditions::{ConditionSet, Is};
use crate::outcome::Wait;

const KIND: ConditionType = ConditionType::KitPublished;

/// Takes what became of the kit.
pub(super) fn take(status: &mut CloudAccountStatus, set: &mut ConditionSet, done: &Done) {
    match (&done.kit_fault, &done.kit) {
        (Some((reason, message)), _) => set.set(KIND, Is::False, *reason, message),
        (None, Some(kit)) => {
            set.set(KIND, Is::True, Reason::Settled, format!("ConfigMap {}", kit.config_map));
            status.kit.clone_from(&done.kit);
        }
        (None, None) => set.keep(KIND),
    }
}

/// A kit that is not in its place keeps the account from being Ready.
pub(super) fn wait(set: &ConditionSet) -> Option<Wait> {
    let condition = set.get(KIND).filter(|condition| condition.status == Is::False.as_str())?;
    let reason = Reason::ALL.iter().copied().find(|reason| reason.as_str() == condition.reason).unwrap_or(Reason::Failed);
    Some(Wait { reason, message: condition.message.clone(), after: GRANT_PAUSE })
}

#[cfg(test)]
mod tests {
    use caretaker_api::CloudAccount;
    use caretaker_api::cloud_account::KitStatus;
    use caretaker_cloud::Identity;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::cloud_account::{Observed, status};
    use crate::conditions::find;
    use crate::outcome::Outcome;

    /// M1: the ConfigMap of the kit has lost its owner. The proof of the same visit counts, and the condition says what to do.
    #[test]
    fn a_kit_that_is_not_in_its_place_is_told_and_stops_no_proof() {
        let account: CloudAccount = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod", "generation": 1},
            "spec": {"azure": {"subscriptionId": "11111111-2222-3333-4444-555555555555"}},
        }))
        .unwrap();
        let kit = KitStatus { config_map: "prod-grant-kit".into(), digest: "d".into() };
        let fault = (Reason::NameTaken, "ConfigMap client-a/prod-grant-kit exists: delete it".to_owned());
        let cases = [
            ("it is there", Some(kit), None, "True", "Settled"),
            ("it is not ours", None, Some(fault), "False", "NameTaken"),
            ("nothing was done with it", None, None, "Unknown", "Pending"),
        ];
        for (why, kit, kit_fault, expected, reason) in cases {
            let proof = Some(Ok(Identity { account: "a".into(), principal: "us".into() }));
            let done = Done { kit, kit_fault, proof, principal: "us".into(), ..Done::default() };
            let (told, _) = status(&account, &Observed::default(), &[], &done, Timestamp::UNIX_EPOCH);
            let condition = find(&told.conditions, KIND).unwrap();
            assert_eq!((condition.status.as_str(), condition.reason.as_str()), (expected, reason), "{why}");
            assert_eq!(find(&told.conditions, ConditionType::AccessProven).unwrap().status, "True", "{why}");
        }
    }

    #[test]
    fn only_a_missing_kit_is_waited_for() {
        let with = |is: Is| {
            let mut set = ConditionSet::new(&[], &[KIND], 1, Timestamp::UNIX_EPOCH);
            set.set(KIND, is, Reason::NameTaken, "delete it");
            wait(&set).map(Outcome::Waiting)
        };
        assert!(with(Is::True).is_none() && with(Is::Unknown).is_none());
        let Some(Outcome::Waiting(wait)) = with(Is::False) else { panic!("it is waited for") };
        assert_eq!((wait.reason, wait.message.as_str()), (Reason::NameTaken, "delete it"));
    }
}
