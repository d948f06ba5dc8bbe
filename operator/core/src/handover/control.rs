//! The positive control of a refusal. A refusal from outside proves that the client's door is closed only where the same principal is let in elsewhere at
//! the same time: a provider who has lost its own right to knock is refused everywhere.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::CloudAccount;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::names::client_namespace;
use caretaker_cloud::{CloudError, Identity};
use kube::ResourceExt;

use crate::conditions::{find, is_true_at};

/// Accounts that are tried before the control counts as missing.
const MOST: usize = 3;

/// What came of a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The same principal was let in elsewhere; where, without telling a client of another.
    LetIn(String),
    /// There is nothing to knock at; what is to be done.
    Missing(String),
    /// It was not let in there either; what was said.
    NotLetIn(String),
}

/// Where the principal of an account can be let in beside it: at the accounts of the control client that the ProviderProfile names, else at accounts of
/// other clients that are proved to let it in. On the same cloud, under the same profile: it is one principal.
#[must_use]
pub fn candidates<'a>(account: &CloudAccount, all: &'a [CloudAccount], control_client: Option<&str>) -> Vec<&'a CloudAccount> {
    let named = control_client.map(client_namespace);
    let fits = |other: &&CloudAccount| {
        other.namespace() != account.namespace()
            && other.spec.provider_profile == account.spec.provider_profile
            && other.spec.target.cloud() == account.spec.target.cloud()
            && lets_in(other, named.as_ref())
    };
    let mut found: Vec<&CloudAccount> = all.iter().filter(fits).collect();
    found.sort_by_key(|other| (other.namespace(), other.name_any()));
    found.truncate(MOST);
    found
}

/// Whether an account is the control client's, or is proved to let its principal in.
fn lets_in(account: &CloudAccount, named: Option<&String>) -> bool {
    let is_usable = !account.spec.target.is_parent() && account.spec.is_live() && account.metadata.deletion_timestamp.is_none();
    is_usable
        && match named {
            Some(namespace) => account.namespace().as_ref() == Some(namespace),
            None => {
                let conditions = account.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
                is_true_at(conditions, ConditionType::AccessProven, account.metadata.generation)
            }
        }
}

/// Whether the exit of an account is proved already.
fn has_left(account: &CloudAccount) -> bool {
    let conditions = account.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    find(conditions, ConditionType::AccessProven).is_some_and(|condition| condition.reason == Reason::HandedOver.as_str())
}

/// The first account of a profile's clients whose exit could not be proved, since nothing else lets the same principal in. Accounts of the control client
/// itself need none. Takes time in proportion to the number of accounts.
#[must_use]
pub fn uncontrolled(profile: &str, control_client: Option<&str>, accounts: &[CloudAccount]) -> Option<String> {
    let named = control_client.map(client_namespace);
    let of_profile = || accounts.iter().filter(|account| account.spec.provider_profile == profile);
    let mut doors: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for account in of_profile().filter(|account| lets_in(account, named.as_ref())) {
        doors.entry(account.spec.target.cloud().as_str()).or_default().insert(account.namespace().unwrap_or_default());
    }
    let has_door = |account: &CloudAccount| {
        let (own, doors) = (account.namespace().unwrap_or_default(), doors.get(account.spec.target.cloud().as_str()));
        doors.is_some_and(|doors| doors.iter().any(|door| *door != own))
    };
    let needs_one = of_profile().filter(|account| account.spec.is_live() && account.namespace() != named && !has_left(account));
    let name = |account: &CloudAccount| format!("{}/{}", account.namespace().unwrap_or_default(), account.name_any());
    needs_one.filter(|account| !has_door(account)).map(name).min()
}

/// What is to be done where there is no candidate.
#[must_use]
pub fn missing(account: &CloudAccount) -> Control {
    let (cloud, profile) = (account.spec.target.cloud().as_str(), &account.spec.provider_profile);
    Control::Missing(format!(
        "nothing else on {cloud} is known to let the same principal in: onboard an account of your own as a ManagedClient, and name that in \
         spec.controlClient of ProviderProfile {profile}"
    ))
}

/// What a candidate's answer says.
#[must_use]
pub fn answered(candidate: &CloudAccount, control_client: Option<&str>, answer: &Result<Identity, CloudError>) -> Control {
    match (answer, control_client) {
        (Ok(_), Some(client)) => Control::LetIn(format!("account {} of the control client {client}", candidate.name_any())),
        (Ok(_), None) => Control::LetIn("an account of another client".into()),
        (Err(error), _) => Control::NotLetIn(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn account(client: &str, name: &str, target: Value, proven: bool) -> CloudAccount {
        let status = if proven { "True" } else { "False" };
        let mut spec = json!({"providerProfile": "default"});
        spec.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount",
            "metadata": {"name": name, "namespace": format!("client-{client}"), "generation": 1},
            "spec": spec,
            "status": {"conditions": [{
                "type": "AccessProven", "status": status, "reason": "Proven", "message": "", "observedGeneration": 1,
                "lastTransitionTime": "2026-11-28T01:00:00Z",
            }]},
        }))
        .unwrap()
    }

    fn aws(client: &str, proven: bool) -> CloudAccount {
        account(client, "prod", json!({"aws": {"accountId": "111122223333"}}), proven)
    }

    fn names(found: &[&CloudAccount]) -> Vec<String> {
        found.iter().filter_map(|account| account.namespace()).collect()
    }

    #[test]
    fn candidates_let_the_same_principal_in_and_are_nobody_s_who_leaves() {
        let mut other_profile = aws("elsewhere", true);
        other_profile.spec.provider_profile = "west".into();
        let azure = account("cloudy", "prod", json!({"azure": {"subscriptionId": "aaaaaaaa-0000-4000-8000-000000000001"}}), true);
        let all = [aws("acme", true), aws("beta", true), aws("shut", false), other_profile, azure, aws("control", false)];
        let leaving = aws("acme", false);
        assert_eq!(names(&candidates(&leaving, &all, None)), ["client-beta"]);
        assert_eq!(names(&candidates(&leaving, &all, Some("control"))), ["client-control"], "a named one is tried as it is");
        assert!(candidates(&leaving, &all, Some("nobody")).is_empty(), "no other takes the place of a named one");
        let many: Vec<CloudAccount> = ["a", "b", "c", "d"].iter().map(|name| aws(name, true)).collect();
        assert_eq!(candidates(&leaving, &many, None).len(), MOST);
    }

    #[test]
    fn an_account_without_another_one_beside_it_is_named() {
        let azure = || account("cloudy", "sub", json!({"azure": {"subscriptionId": "aaaaaaaa-0000-4000-8000-000000000001"}}), true);
        let none = None::<&str>;
        let mut gone = aws("gone", false);
        gone.status.as_mut().unwrap().conditions[0].reason = "HandedOver".into();
        for (why, named, accounts, expected) in [
            ("nobody", none, vec![], None),
            ("one that has left", none, vec![gone], None),
            ("a client that is alone", none, vec![aws("acme", true)], Some("client-acme/prod")),
            ("two beside each other", none, vec![aws("acme", true), aws("beta", true)], None),
            ("the other one does not let us in", none, vec![aws("acme", true), aws("beta", false)], Some("client-acme/prod")),
            ("on another cloud", none, vec![aws("acme", true), aws("beta", true), azure()], Some("client-cloudy/sub")),
            ("the control client", Some("control"), vec![aws("acme", true), aws("control", false)], None),
            ("no control client", Some("control"), vec![aws("acme", true), aws("beta", true)], Some("client-acme/prod")),
        ] {
            assert_eq!(uncontrolled("default", named, &accounts).as_deref(), expected, "{why}");
        }
    }

    #[test]
    fn another_client_is_not_named() {
        let told = answered(&aws("beta", true), None, &Ok(Identity { account: "1".into(), principal: "p".into() }));
        assert_eq!(told, Control::LetIn("an account of another client".into()));
    }
}
