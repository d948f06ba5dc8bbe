//! Which CloudAccounts a client has: one for each entry, and one for each account of a parent.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::cloud_account::{CloudAccountSpec, CloudTarget};
use caretaker_api::managed_client::AccountTerms;
use caretaker_api::names::PARENT_LABEL;
use caretaker_api::parents::{MemberState, MemberStatus, Membership};
use caretaker_api::{CloudAccount, ManagedClient};
use kube::ResourceExt;
use kube::core::ObjectMeta;

use super::{Observed, erasure};
use crate::cloud_account::roster::object_name;
use crate::cloud_account::was_kind;
use crate::contract;
use crate::desired::{Desired, named};

/// Longest time that the API lets inventories be kept, in days.
const LONGEST_RETENTION: u32 = 3650;

/// A CloudAccount that a client has.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: String,
    /// The account, or the parent.
    pub target: CloudTarget,
    /// The entry that it comes from.
    pub terms: &'a AccountTerms,
    /// The parent that it came from.
    pub member: Option<Membership>,
}

impl Wanted<'_> {
    /// Whether it is an account that is worked on: neither a parent nor an account that its parent calls closed or does not name any more.
    #[must_use]
    pub fn is_live_account(&self) -> bool {
        !self.target.is_parent() && self.member.as_ref().is_none_or(Membership::is_live)
    }
}

/// Number of assets in the last inventories of all live accounts.
pub(super) fn assets(observed: &Observed) -> u64 {
    let live = observed.accounts.iter().filter(|account| account.spec.is_live());
    live.filter_map(|account| account.status.as_ref()?.inventory.as_ref()).map(|inventory| inventory.assets).sum()
}

/// All CloudAccounts of a client. An account that has an entry of its own is not made a second time for its parent; one that was made once stays,
/// whatever its parent says of it, unless the spec excludes it.
#[must_use]
pub fn accounts<'a>(client: &'a ManagedClient, observed: &Observed) -> Vec<Wanted<'a>> {
    let entries = &client.spec.accounts;
    let external_ids = super::external_ids(client, observed);
    let mut all: Vec<Wanted<'a>> =
        entries.iter().map(|terms| Wanted { name: terms.name.clone(), target: terms.target.clone(), terms, member: None }).collect();
    let mut held: BTreeSet<(&'static str, String)> = all.iter().map(|wanted| (wanted.target.kind(), wanted.target.id())).collect();
    let mut names: BTreeSet<String> = all.iter().map(|wanted| wanted.name.clone()).collect();
    for terms in entries.iter().filter(|terms| terms.target.is_parent()) {
        let external_id = external_ids.get(&terms.name).map(String::as_str);
        for wanted in left_behind(terms, observed) {
            if held.insert((wanted.target.kind(), wanted.target.id())) {
                names.insert(wanted.name.clone());
                all.push(wanted);
            }
        }
        for member in members_of(terms, observed) {
            let target = terms.target.member(&member.id, external_id);
            // Without the parent's ExternalId a member would be given one of its own, which no StackSet knows.
            if target.lacks_external_id() || !held.insert((target.kind(), target.id())) {
                continue;
            }
            let child = children(&terms.name, observed)
                .find(|child| child.spec.target.kind() == target.kind() && child.spec.target.id() == target.id());
            if child.is_none() && (observed.frozen || !member.state.is_live()) {
                continue;
            }
            let fresh = || object_name(&terms.name, target.kind(), &member.id, |name| names.contains(name));
            let name = child.map_or_else(fresh, ResourceExt::name_any);
            names.insert(name.clone());
            let membership = Membership { parent: terms.name.clone(), state: member.state, since: member.since.clone() };
            all.push(Wanted { name, target, terms, member: Some(membership) });
        }
    }
    all
}

/// The CloudAccounts that were made for a parent.
fn children<'a>(parent: &'a str, observed: &'a Observed) -> impl Iterator<Item = &'a CloudAccount> {
    observed.accounts.iter().filter(move |account| account.spec.member.as_ref().is_some_and(|member| member.parent == parent))
}

/// The accounts of a parent that was of another cloud under the same name: they stay what they were, since their ids mean nothing to the new one.
fn left_behind<'a>(terms: &'a AccountTerms, observed: &Observed) -> Vec<Wanted<'a>> {
    let gone = |child: &CloudAccount| {
        let since = child.spec.member.as_ref().filter(|member| member.state == MemberState::Gone).and_then(|member| member.since.clone());
        let member = Membership { parent: terms.name.clone(), state: MemberState::Gone, since };
        Wanted { name: child.name_any(), target: child.spec.target.clone(), terms, member: Some(member) }
    };
    children(&terms.name, observed).filter(|child| child.spec.target.cloud() != terms.target.cloud()).map(gone).collect()
}

/// What the parent says of its accounts. What it does not know of any more, or not yet again, is as it was. What it said while it was of another cloud
/// says nothing.
fn members_of(terms: &AccountTerms, observed: &Observed) -> Vec<MemberStatus> {
    let parent = observed.accounts.iter().find(|account| account.name_any() == terms.name && account.spec.target.is_parent());
    let mut members: BTreeMap<String, MemberStatus> = children(&terms.name, observed)
        .filter(|child| child.spec.target.cloud() == terms.target.cloud())
        .filter_map(|child| {
            let (id, member) = (child.spec.target.id(), child.spec.member.clone()?);
            let known = MemberStatus { id: id.clone(), name: String::new(), state: member.state, since: member.since };
            Some((id, known))
        })
        .collect();
    let said = parent.and_then(|parent| parent.status.as_ref()).filter(|status| was_kind(status, &terms.target));
    for member in said.into_iter().flat_map(|status| &status.members) {
        members.insert(member.id.clone(), member.clone());
    }
    members.into_values().filter(|member| terms.target.takes(&member.id)).collect()
}

/// The ExternalId goes down only where it is known from before: a CloudAccount that was deleted and is made again keeps its own, and an account of an
/// organization has the organization's.
pub(super) fn objects(client: &ManagedClient, observed: &Observed, namespace: &str) -> Vec<Desired> {
    let known = super::external_ids(client, observed);
    let object = |wanted: Wanted<'_>| {
        let labels = wanted.member.as_ref().map(|member| BTreeMap::from([(PARENT_LABEL.to_owned(), member.parent.clone())]));
        let metadata = ObjectMeta { labels, ..named(namespace, &wanted.name) };
        let external_id = known.get(&wanted.name).filter(|_| wanted.member.is_none());
        Desired::of(&CloudAccount { metadata, spec: spec(client, wanted, external_id), status: None }).with_list("allow")
    };
    accounts(client, observed).into_iter().map(object).collect()
}

/// Every field of the entry is named here, so that one that is added later cannot be forgotten on its way down.
fn spec(client: &ManagedClient, wanted: Wanted<'_>, external_id: Option<&String>) -> CloudAccountSpec {
    let AccountTerms {
        name: _,
        // A member's target is made from its parent's, and is in `wanted`.
        target: _,
        allow,
        discovery_interval_minutes,
        inventory_retention_days,
        baseline_after_days,
    } = wanted.terms;
    let target = match external_id {
        Some(external_id) => wanted.target.with_external_id(external_id),
        None => wanted.target,
    };
    CloudAccountSpec {
        provider_profile: client.spec.provider_profile.clone(),
        target,
        allow: contract::granted(&client.spec, allow),
        discovery_interval_minutes: *discovery_interval_minutes,
        // What a legal hold keeps does not go for its age either.
        inventory_retention_days: if erasure::is_held(client) { LONGEST_RETENTION } else { *inventory_retention_days },
        baseline_after_days: *baseline_after_days,
        scope: client.spec.scope.clone(),
        member: wanted.member,
    }
}

/// Number of accounts that a parent calls closed or does not name any more.
#[must_use]
pub fn ended(wanted: &[Wanted<'_>]) -> usize {
    wanted
        .iter()
        .filter(|wanted| wanted.member.as_ref().is_some_and(|member| !matches!(member.state, MemberState::Active | MemberState::Pending)))
        .count()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn client(accounts: Value) -> ManagedClient {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "generation": 1},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
                "accounts": accounts,
                "monitoring": {"tiers": [{"name": "one", "afterMinutes": 0, "webhookUrl": "https://desk.example/alerts"}]},
                "backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "k", "value": "v"}, "regions": ["eu-west-1"]},
                "exit": {"recipients": ["age1"]},
            },
        }))
        .unwrap()
    }

    fn organization() -> Value {
        json!({"name": "org", "awsOrganization": {"accountId": "000000000001", "regions": ["eu-west-1"]}, "allow": ["Revoke"]})
    }

    /// The parent as its controller leaves it.
    fn parent(members: &[(&str, &str)]) -> CloudAccount {
        let members: Vec<Value> =
            members.iter().map(|(id, state)| json!({"id": id, "state": state, "since": "2026-01-01T00:00:00Z"})).collect();
        let mut spec = organization();
        spec["awsOrganization"]["externalId"] = json!("e1");
        account("org", spec, json!({"members": members, "membersListedAt": "2026-01-01T00:00:00Z"}))
    }

    fn account(name: &str, spec: Value, status: Value) -> CloudAccount {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name, "generation": 1}, "spec": spec,
            "status": status,
        }))
        .unwrap()
    }

    /// What was planned, as the cluster holds it afterwards.
    fn applied(client: &ManagedClient, observed: &Observed, parent: CloudAccount) -> Observed {
        let children = objects(client, observed, "client-acme").into_iter().filter(|desired| desired.name != "org");
        let children = children.map(|desired| account(&desired.name, desired.body["spec"].clone(), json!({})));
        Observed { accounts: std::iter::once(parent).chain(children).collect(), ..Observed::default() }
    }

    fn names(client: &ManagedClient, observed: &Observed) -> Vec<(String, Option<MemberState>)> {
        accounts(client, observed).into_iter().map(|wanted| (wanted.name, wanted.member.map(|member| member.state))).collect()
    }

    fn seen(parent: CloudAccount) -> Observed {
        Observed { accounts: vec![parent], ..Observed::default() }
    }

    #[test]
    fn every_account_of_the_organization_has_its_own_object_with_the_one_external_id() {
        let client = client(json!([organization()]));
        let observed = seen(parent(&[("111111111111", "Active"), ("222222222222", "Active"), ("333333333333", "Closed")]));
        let made = objects(&client, &observed, "client-acme");
        let names: Vec<&str> = made.iter().map(|made| made.name.as_str()).collect();
        assert_eq!(names, ["org", "org-111111111111", "org-222222222222"], "a closed one that never was an object is not made one");
        for member in &made[1..] {
            let spec = &member.body["spec"];
            assert_eq!((&spec["aws"]["externalId"], &spec["aws"]["roleName"]), (&json!("e1"), &json!("CaretakerAccess")));
            assert_eq!((&spec["allow"], &spec["aws"]["regions"]), (&json!(["Revoke"]), &json!(["eu-west-1"])));
            assert_eq!(spec["member"]["parent"], "org");
            assert_eq!(member.labels, [(PARENT_LABEL.to_owned(), "org".to_owned())]);
        }
        assert_eq!(made[0].body["spec"]["awsOrganization"]["externalId"], "e1");
    }

    #[test]
    fn what_ends_is_marked_and_stays_and_what_is_excluded_goes() {
        let client = client(json!([organization()]));
        let first = seen(parent(&[("111111111111", "Active"), ("222222222222", "Active")]));
        let now = parent(&[("111111111111", "Closed"), ("222222222222", "Gone"), ("333333333333", "Active")]);
        let observed = applied(&client, &first, now);
        let expected = [
            ("org".to_owned(), None),
            ("org-111111111111".to_owned(), Some(MemberState::Closed)),
            ("org-222222222222".to_owned(), Some(MemberState::Gone)),
            ("org-333333333333".to_owned(), Some(MemberState::Active)),
        ];
        assert_eq!(names(&client, &observed), expected);
        let mut excluding = organization();
        excluding["awsOrganization"]["exclude"] = json!(["222222222222"]);
        let client = super::tests::client(json!([excluding]));
        assert!(!names(&client, &observed).iter().any(|(name, _)| name == "org-222222222222"));
    }

    #[test]
    fn a_parent_of_another_cloud_leaves_the_old_accounts_as_they_are() {
        let client = client(json!([organization()]));
        let before = seen(parent(&[("111111111111", "Active"), ("222222222222", "Active")]));
        let mut old = parent(&[("111111111111", "Active"), ("222222222222", "Active")]);
        old.status.as_mut().unwrap().account = "aws-organization 000000000001".into();
        let mut observed = applied(&client, &before, old);
        let tenant = json!({"name": "org", "azureTenant": {"tenantId": "aaaaaaaa-0000-4000-8000-000000000001"}});
        let client = super::tests::client(json!([tenant]));
        let gone = |id: &str| (format!("org-{id}"), Some(MemberState::Gone));
        let expected = [("org".to_owned(), None), gone("111111111111"), gone("222222222222")];
        assert_eq!(names(&client, &observed), expected, "the parent's object is the old one");
        observed.accounts[0] = account("org", tenant.clone(), serde_json::to_value(&observed.accounts[0].status).unwrap());
        assert_eq!(names(&client, &observed), expected, "the parent's object is new, and its list is the old one");
        for made in objects(&client, &observed, "client-acme").iter().filter(|made| made.name != "org") {
            assert!(made.body["spec"]["aws"]["externalId"] == "e1" && made.body["spec"].get("azure").is_none(), "{}", made.body);
        }
        let members = json!({
            "account": "azure-tenant aaaaaaaa-0000-4000-8000-000000000001",
            "members": [{"id": "bbbbbbbb-0000-4000-8000-000000000001", "state": "Active"}],
        });
        observed.accounts[0] = account("org", tenant, members);
        assert_eq!(names(&client, &observed).last().unwrap().1, Some(MemberState::Active));
        assert_eq!(names(&client, &observed).len(), 4);
    }

    #[test]
    fn a_parent_that_knows_nothing_yet_takes_nothing_away() {
        let client = client(json!([organization()]));
        let first = seen(parent(&[("111111111111", "Active")]));
        let mut again = parent(&[]);
        again.status = None;
        let observed = applied(&client, &first, again);
        assert_eq!(names(&client, &observed)[1], ("org-111111111111".to_owned(), Some(MemberState::Active)), "made again, not listed yet");
        let without = Observed { accounts: observed.accounts[1..].to_vec(), ..Observed::default() };
        let mut known = client.clone();
        known.status = Some(serde_json::from_value(json!({"externalIds": {"org": "e1"}})).unwrap());
        assert_eq!(names(&known, &without).len(), 2, "the parent's object is missing");
    }

    #[test]
    fn an_account_with_an_entry_of_its_own_is_not_made_twice() {
        let client = client(json!([organization(), {"name": "prod", "aws": {"accountId": "111111111111"}}]));
        let observed = seen(parent(&[("111111111111", "Active"), ("222222222222", "Active")]));
        let found: Vec<String> = names(&client, &observed).into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["org", "prod", "org-222222222222"]);
    }

    #[test]
    fn a_frozen_exit_is_about_what_it_began_with() {
        let client = client(json!([organization()]));
        let first = seen(parent(&[("111111111111", "Active")]));
        let mut observed = applied(&client, &first, parent(&[("111111111111", "Active"), ("222222222222", "Active")]));
        assert_eq!(names(&client, &observed).len(), 3);
        observed.frozen = true;
        assert_eq!(names(&client, &observed).len(), 2);
    }

    #[test]
    fn monitoring_and_backups_are_about_live_accounts() {
        let client = client(json!([organization()]));
        let first = seen(parent(&[("111111111111", "Active"), ("222222222222", "Active")]));
        let observed = applied(&client, &first, parent(&[("111111111111", "Active"), ("222222222222", "Closed")]));
        let plan = super::super::plan(&client, &observed, jiff::Timestamp::UNIX_EPOCH);
        for kind in ["MonitoringStack", "BackupPolicy"] {
            let made = plan.iter().find(|desired| desired.kind == kind).unwrap();
            assert_eq!(made.body["spec"]["accounts"], json!(["org-111111111111"]), "{kind}");
        }
        let unlisted = super::super::plan(&client, &seen(parent(&[])), jiff::Timestamp::UNIX_EPOCH);
        assert!(!unlisted.iter().any(|desired| desired.kind == "BackupPolicy"), "a policy needs an account");
    }

    #[test]
    fn the_sum_says_how_many_of_how_many_and_names_the_first_that_is_not() {
        use caretaker_api::condition::ConditionType;
        let client = client(json!([organization()]));
        let first = seen(parent(&[("111111111111", "Active"), ("222222222222", "Active"), ("333333333333", "Active")]));
        let mut observed =
            applied(&client, &first, parent(&[("111111111111", "Active"), ("222222222222", "Active"), ("333333333333", "Closed")]));
        let proven = |is: &str, message: &str| -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
            let of = |kind: &str| {
                json!({
                    "type": kind, "status": is, "reason": "Denied", "message": message, "observedGeneration": 1,
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                })
            };
            serde_json::from_value(json!([of("AccessProven"), of("InventoryComplete"), of("MembersListed")])).unwrap()
        };
        for account in &mut observed.accounts {
            let status = account.status.get_or_insert_default();
            status.conditions = if account.metadata.name.as_deref() == Some("org-222222222222") {
                proven("False", "no way in")
            } else {
                proven("True", "")
            };
        }
        let report = super::super::Report::default();
        let (status, _) = super::super::status(&client, &observed, &[], &report, jiff::Timestamp::UNIX_EPOCH);
        let found = crate::conditions::find(&status.conditions, ConditionType::AccessProven).unwrap();
        assert_eq!((found.status.as_str(), status.accounts), ("False", 2));
        assert_eq!(found.message, "1 of 2 accounts; account org-222222222222: no way in; 1 suspended, closed or gone");
        let listed = crate::conditions::find(&status.conditions, ConditionType::MembersListed).unwrap();
        assert_eq!(listed.status, "True");
        assert_eq!(status.external_ids, BTreeMap::from([("org".to_owned(), "e1".to_owned())]), "the accounts have the organization's");
    }
}
