//! What is different for a parent, and for an account that its parent calls closed or does not name any more.

use std::time::Duration;

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::CloudAccountStatus;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::parents::{MemberState, Membership};
use caretaker_cloud::{CloudError, Member};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::CONDITIONS;
use super::proof::{meaning, pause};
use crate::cloud_account::roster::{self, MAX_MEMBERS, Skip, TooMany};
use crate::conditions::{ConditionSet, Is};
use crate::outcome::{Outcome, Wait};

/// Longest time between two looks at a parent with too many accounts, in minutes.
const TOO_MANY_PAUSE: u32 = 10;

/// A parent's complete list, and those of its accounts that are none of this client's: the provider's own, or looked after for somebody else.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The accounts as the cloud lists them.
    pub listed: Vec<Member>,
    /// Ids of the accounts that another client's object holds. Whose, is told to nobody.
    pub of_others: Vec<String>,
}

/// Conditions that say nothing of a parent, or of an account that is none.
pub(super) fn not_asked_for(account: &CloudAccount, set: &mut ConditionSet) {
    if account.spec.target.is_parent() {
        for kind in [ConditionType::InventoryComplete, ConditionType::StoreReady] {
            set.set(kind, Is::True, Reason::NotRequested, "a parent holds no assets; its accounts do");
        }
        let message = "asked of each account of a parent, not of the parent";
        set.set(ConditionType::AccessLasting, Is::True, Reason::NotRequested, message);
        let message = "what the parent's own grant holds beyond the kit is not measured; each of its accounts is measured by itself";
        set.set(ConditionType::LeastPrivilege, Is::Unknown, Reason::NotRequested, message);
        set.set(ConditionType::ScopeAmbiguous, Is::False, Reason::NotRequested, "a parent holds no assets; its accounts do");
    } else {
        set.set(ConditionType::MembersListed, Is::True, Reason::NotRequested, "one account, no parent");
    }
}

/// Takes the answer to the listing. Where it failed, what was known stays as it was.
pub(super) fn take_members(
    account: &CloudAccount,
    status: &mut CloudAccountStatus,
    set: &mut ConditionSet,
    (answer, own): (&Result<Listing, CloudError>, Skip<'_>),
    (principal, now): (&str, Timestamp),
) -> Option<Wait> {
    let kind = ConditionType::MembersListed;
    let listing = match answer {
        Ok(listing) => listing,
        Err(error) => {
            let (is, reason, message) = meaning(error, principal);
            let reason = if error.is_refusal() { Reason::Denied } else { reason };
            let message = if status.members.is_empty() { message } else { format!("{message}; the accounts that were listed before stay") };
            set.set(kind, is, reason, &message);
            return Some(Wait { reason, message, after: pause(status, error, now) });
        }
    };
    let skip = |id: &str| own(id) || listing.of_others.iter().any(|other| other == id);
    match roster::take(&account.spec.target, &status.members, &listing.listed, (&skip, now)) {
        Ok(found) => {
            let others = listing.of_others.iter().filter(|id| account.spec.target.takes(id)).count();
            let tail =
                if others == 0 { String::new() } else { format!("; {others} more are looked after by another object and are left to it") };
            set.set(kind, Is::True, Reason::Settled, format!("{}{tail}", roster::summary(&found)));
            status.members = found;
            status.members_listed_at = Some(Time(now));
            None
        }
        Err(TooMany(count)) => {
            let reason = Reason::TooManyMembers;
            let message = format!(
                "the parent lists {count} accounts, and one entry takes {MAX_MEMBERS}: exclude some, or name smaller parents; those that were listed before stay"
            );
            set.set(kind, Is::False, reason, &message);
            let minutes = account.spec.discovery_interval_minutes.min(TOO_MANY_PAUSE);
            Some(Wait { reason, message, after: Duration::from_secs(u64::from(minutes) * 60) })
        }
    }
}

/// The end of a visit to an account that is not worked on any more: it stays as it was last seen, and nothing is called.
pub(super) fn not_live(account: &CloudAccount, member: &Membership, set: &mut ConditionSet) -> Outcome {
    let since = member.since.as_ref().map(|since| format!(" since {}", since.0.strftime("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
    let (id, parent) = (account.spec.target.id(), &member.parent);
    let (reason, said) = match member.state {
        MemberState::Gone => (
            Reason::MemberGone,
            format!("{parent} does not list {id} any more{since}: it has moved, was deleted, or our grant on it has ended"),
        ),
        MemberState::Suspended => (Reason::MemberClosed, format!("{parent} says that {id} is suspended{since}")),
        _ => (Reason::MemberClosed, format!("{parent} says that {id} is closed{since}")),
    };
    let message = format!("{said}; it is not called any more, its last inventory stays, and nothing is deleted");
    for kind in CONDITIONS.iter().filter(|kind| **kind != ConditionType::MembersListed) {
        let is = if *kind == ConditionType::AccessProven { Is::False } else { Is::Unknown };
        set.set(*kind, is, reason, &message);
    }
    Outcome::Settled(Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::{ErrorClass, Identity, MemberState as Listed};
    use serde_json::json;

    use super::super::{Done, Observed, plan, status};
    use super::*;
    use crate::conditions::find;

    fn parent() -> CloudAccount {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "org", "generation": 1},
            "spec": {"awsOrganization": {"accountId": "000000000001", "externalId": "e1"}},
        }))
        .unwrap()
    }

    fn listing(ids: &[&str]) -> Listing {
        let listed = ids.iter().map(|id| Member { id: (*id).into(), name: String::new(), state: Listed::Active }).collect();
        Listing { listed, of_others: Vec::new() }
    }

    fn visit(account: &CloudAccount, members: Result<Listing, CloudError>, second: i64) -> (CloudAccount, Outcome) {
        let proof = Ok(Identity { account: "000000000001".into(), principal: "r".into() });
        let done = Done { proof: Some(proof), members: Some(members), ..Done::default() };
        let provider = serde_json::from_value(json!({
            "displayName": "Care", "contacts": [], "aws": {"principalArn": "arn:aws:iam::999999999999:user/caretaker"},
        }));
        let observed = Observed { provider: Some(provider.unwrap()), ..Observed::default() };
        let now = Timestamp::from_second(second).unwrap();
        let (status, outcome) = status(account, &observed, &[], &done, now);
        (CloudAccount { status: Some(status), ..account.clone() }, outcome)
    }

    fn condition(account: &CloudAccount, kind: ConditionType) -> (String, String, String) {
        let found = find(&account.status.as_ref().unwrap().conditions, kind).unwrap().clone();
        (found.status, found.reason, found.message)
    }

    #[test]
    fn a_parent_lists_at_its_interval_and_never_reads_assets() {
        let account = parent();
        let planned = plan(&account, &Observed::default(), Timestamp::UNIX_EPOCH);
        assert!(planned.list_members && planned.prove && !planned.discover);
        let (mut account, outcome) = visit(&account, Ok(listing(&["1", "2"])), 1000);
        account.status.as_mut().unwrap().access.as_mut().unwrap().generation = Some(1);
        assert!(matches!(outcome, Outcome::Settled(_)), "{outcome:?}");
        let (is, _, message) = condition(&account, ConditionType::MembersListed);
        assert_eq!((is.as_str(), message.as_str()), ("True", "2 accounts: 2 Active"));
        assert_eq!(condition(&account, ConditionType::InventoryComplete).1, "NotRequested");
        let (is, reason, _) = condition(&account, ConditionType::AccessLasting);
        assert_eq!((is.as_str(), reason.as_str()), ("True", "NotRequested"));
        let (is, reason, message) = condition(&account, ConditionType::LeastPrivilege);
        assert_eq!(
            (is.as_str(), reason.as_str()),
            ("Unknown", "NotRequested"),
            "nothing was measured, and the visit has settled all the same"
        );
        assert!(message.contains("not measured"), "{message}");
        let at = |second: i64| plan(&account, &Observed::default(), Timestamp::from_second(second).unwrap()).list_members;
        assert!(!at(1000 + 2400) && at(1000 + 4800), "about one hour, as the spec says");
    }

    #[test]
    fn an_error_takes_nobody_away() {
        let (account, _) = visit(&parent(), Ok(listing(&["1", "2"])), 1000);
        let known = account.status.clone().unwrap().members;
        for (class, is) in [(ErrorClass::Denied, "False"), (ErrorClass::Unreachable, "Unknown"), (ErrorClass::Throttled(None), "Unknown")] {
            let (after, outcome) = visit(&account, Err(CloudError::new(class, "organizations:ListAccounts", "no")), 2000);
            assert_eq!(after.status.as_ref().unwrap().members, known, "{class:?}");
            assert!(matches!(outcome, Outcome::Waiting(_)));
            let (found, _, message) = condition(&after, ConditionType::MembersListed);
            assert_eq!((found.as_str(), message.contains("stay")), (is, true), "{message}");
        }
    }

    #[test]
    fn five_hundred_and_one_are_refused_and_what_was_known_stays() {
        let (account, _) = visit(&parent(), Ok(listing(&["1", "2"])), 1000);
        let ids: Vec<String> = (0..=MAX_MEMBERS).map(|id| format!("{id:012}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let (after, _) = visit(&account, Ok(listing(&ids)), 2000);
        let (is, reason, message) = condition(&after, ConditionType::MembersListed);
        assert_eq!((is.as_str(), reason.as_str()), ("False", "TooManyMembers"));
        assert!(message.contains("501") && message.contains("500"), "{message}");
        assert_eq!(after.status.unwrap().members.len(), 2);
    }

    #[test]
    fn what_was_listed_as_another_kind_is_forgotten() {
        let (mut account, _) = visit(&parent(), Ok(listing(&["111111111111"])), 1000);
        account.spec.target = serde_json::from_value(json!({"azureTenant": {"tenantId": "aaaaaaaa-0000-4000-8000-000000000001"}})).unwrap();
        let (after, _) = visit(&account, Err(CloudError::new(ErrorClass::Unreachable, "list", "no")), 2000);
        let status = after.status.unwrap();
        assert_eq!((status.members.len(), status.members_listed_at), (0, None));
    }

    #[test]
    fn neither_the_providers_account_nor_anothers_is_taken_and_the_other_is_not_named() {
        let of_others = vec!["222222222222".to_owned()];
        let (account, _) = visit(&parent(), Ok(Listing { of_others, ..listing(&["999999999999", "222222222222", "333333333333"]) }), 1000);
        let members = account.status.clone().unwrap().members;
        assert_eq!(members.iter().map(|member| member.id.as_str()).collect::<Vec<_>>(), ["333333333333"]);
        let (_, _, message) = condition(&account, ConditionType::MembersListed);
        assert!(message.contains("1 more") && !message.contains("222222222222"), "{message}");
    }

    #[test]
    fn a_closed_account_says_so_and_is_not_called() {
        let mut account: CloudAccount = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "org-1", "generation": 2},
            "spec": {
                "aws": {"accountId": "000000000002", "externalId": "e1"},
                "member": {"parent": "org", "state": "Closed", "since": "2026-01-01T00:00:00Z"},
            },
        }))
        .unwrap();
        for (state, reason) in
            [(MemberState::Closed, "MemberClosed"), (MemberState::Suspended, "MemberClosed"), (MemberState::Gone, "MemberGone")]
        {
            account.spec.member.as_mut().unwrap().state = state;
            assert_eq!(plan(&account, &Observed::default(), Timestamp::UNIX_EPOCH), super::super::Plan::default(), "{state:?}");
            let (status, outcome) = status(&account, &Observed::default(), &[], &Done::default(), Timestamp::UNIX_EPOCH);
            assert!(matches!(outcome, Outcome::Settled(_)));
            let found = find(&status.conditions, ConditionType::AccessProven).unwrap();
            assert_eq!((found.status.as_str(), found.reason.as_str()), ("False", reason));
            assert!(found.message.contains("2026-01-01 00:00 UTC") && found.message.contains("nothing is deleted"), "{}", found.message);
        }
    }
}
