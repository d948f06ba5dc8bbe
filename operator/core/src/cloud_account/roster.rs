//! The accounts of a parent: which are looked after, what an absence means, and what they are called in the cluster.
//!
//! An absence is concluded from a complete list only, which is what [`take`] is given: where the list could not be read, it is not called, and what was
//! known stays. Nothing is ever deleted because a parent does not name it any more.

use std::collections::BTreeMap;

use caretaker_api::cloud_account::CloudTarget;
use caretaker_api::names::MAX_ACCOUNT_NAME;
use caretaker_api::parents::{MemberState, MemberStatus};
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_cloud::{Member, MemberState as Listed};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::digest::sha256_hex;
use crate::grant::account_of_arn;

/// Most accounts of one parent: its status must stay small, and each account is an object of its own.
pub const MAX_MEMBERS: usize = 500;
/// Hexadecimal digits that stand for an id that does not fit into a name.
const HASH_DIGITS: usize = 10;

/// Whether an id is the provider's own: a project, an AWS account, or a tenant. A client's object never leads there.
#[must_use]
pub fn is_own(provider: &ProviderProfileSpec, target: &CloudTarget, id: &str) -> bool {
    match target {
        CloudTarget::Aws(_) | CloudTarget::AwsOrganization(_) => {
            provider.aws.as_ref().is_some_and(|aws| account_of_arn(&aws.principal_arn) == id)
        }
        CloudTarget::AzureTenant(_) => provider.azure.as_ref().is_some_and(|azure| azure.tenant_id.eq_ignore_ascii_case(id)),
        CloudTarget::Gcp(_) | CloudTarget::GcpFolder(_) => {
            provider.gcp.as_ref().is_some_and(|gcp| gcp.project_id == id || gcp.quota_project.as_deref() == Some(id))
        }
        // Whose a subscription is, only Azure can tell: the adapter asks.
        CloudTarget::Azure(_) => false,
    }
}

/// Tells accounts that are none of ours.
pub type Skip<'a> = &'a dyn Fn(&str) -> bool;

/// A parent has more accounts than one object takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany(pub usize);

/// What a complete list makes of what was known. `skip` names accounts that are none of ours: they are neither taken nor missed.
///
/// # Errors
/// The list has more than [`MAX_MEMBERS`] accounts; what was known stays.
pub fn take(
    target: &CloudTarget,
    known: &[MemberStatus],
    listed: &[Member],
    (skip, now): (Skip<'_>, Timestamp),
) -> Result<Vec<MemberStatus>, TooMany> {
    let ours = |id: &str| target.takes(id) && !skip(id);
    let tenant = match target {
        CloudTarget::AzureTenant(tenant) => Some(tenant),
        _ => None,
    };
    let id_of = |id: &str| if tenant.is_some() { id.to_ascii_lowercase() } else { id.to_owned() };
    let mut found: BTreeMap<String, (String, MemberState)> = BTreeMap::new();
    for member in listed.iter().filter(|member| ours(&member.id)) {
        found.insert(id_of(&member.id), (member.name.clone(), state_of(member.state)));
    }
    // What the client has named and not delegated yet waits for its grant, and needs an object with a kit for it.
    for named in tenant.iter().flat_map(|tenant| &tenant.subscription_ids).filter(|id| ours(id)) {
        found.entry(id_of(named)).or_insert_with(|| (String::new(), MemberState::Pending));
    }
    if found.len() > MAX_MEMBERS {
        return Err(TooMany(found.len()));
    }
    let (room, now) = (MAX_MEMBERS - found.len(), Time(now));
    let since = |id: &str, state: MemberState| {
        let before = known.iter().find(|known| known.id == id && known.state == state);
        before.map_or_else(|| Some(now.clone()), |before| before.since.clone())
    };
    let mut gone: Vec<MemberStatus> = known
        .iter()
        .filter(|known| !found.contains_key(&known.id) && ours(&known.id))
        .map(|known| MemberStatus { state: MemberState::Gone, since: since(&known.id, MemberState::Gone), ..known.clone() })
        .collect();
    gone.sort_by(|a, b| b.since.as_ref().map(|at| at.0).cmp(&a.since.as_ref().map(|at| at.0)).then_with(|| a.id.cmp(&b.id)));
    gone.truncate(room);
    let present = found.into_iter().map(|(id, (name, state))| MemberStatus { since: since(&id, state), id, name, state });
    let mut all: Vec<MemberStatus> = present.chain(gone).collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(all)
}

const fn state_of(listed: Listed) -> MemberState {
    match listed {
        Listed::Active => MemberState::Active,
        Listed::Pending => MemberState::Pending,
        Listed::Suspended => MemberState::Suspended,
        Listed::Closed => MemberState::Closed,
    }
}

/// The accounts by state, for a person: `3 accounts: 2 Active, 1 Closed`.
#[must_use]
pub fn summary(members: &[MemberStatus]) -> String {
    let mut counts: BTreeMap<MemberState, usize> = BTreeMap::new();
    for member in members {
        *counts.entry(member.state).or_default() += 1;
    }
    let parts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state:?}")).collect();
    let noun = if members.len() == 1 { "account" } else { "accounts" };
    if parts.is_empty() { "no accounts".into() } else { format!("{} {noun}: {}", members.len(), parts.join(", ")) }
}

/// Name of an account's object: the parent's name and the account's id; where that does not fit, a digest in the id's place. It follows from both alone,
/// so that an object that is made again has the same name.
#[must_use]
pub fn object_name(parent: &str, kind: &str, id: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let plain = format!("{parent}-{id}");
    let is_legal = plain.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') && !plain.ends_with('-');
    if is_legal && plain.len() <= MAX_ACCOUNT_NAME && !is_taken(&plain) {
        return plain;
    }
    let digest = &sha256_hex(format!("{kind}:{id}"))[..HASH_DIGITS];
    let mut room = (MAX_ACCOUNT_NAME - HASH_DIGITS - 1).min(parent.len());
    while !parent.is_char_boundary(room) {
        room -= 1;
    }
    format!("{}-{digest}", &parent[..room])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn organization(exclude: &[&str]) -> CloudTarget {
        serde_json::from_value(json!({"awsOrganization": {"accountId": "000000000001", "exclude": exclude}})).unwrap()
    }

    fn member(id: &str, state: Listed) -> Member {
        Member { id: id.into(), name: format!("name of {id}"), state }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn states(members: &[MemberStatus]) -> Vec<(&str, MemberState, i64)> {
        members.iter().map(|member| (member.id.as_str(), member.state, member.since.as_ref().unwrap().0.as_second())).collect()
    }

    const NONE: Skip<'_> = &|_| false;

    #[test]
    fn what_is_not_listed_any_more_is_marked_with_its_time_and_stays() {
        let target = organization(&[]);
        let first = take(&target, &[], &[member("1", Listed::Active), member("2", Listed::Active)], (NONE, at(10))).unwrap();
        assert_eq!(states(&first), [("1", MemberState::Active, 10), ("2", MemberState::Active, 10)]);
        let second = take(&target, &first, &[member("2", Listed::Closed), member("3", Listed::Pending)], (NONE, at(20))).unwrap();
        assert_eq!(
            states(&second),
            [("1", MemberState::Gone, 20), ("2", MemberState::Closed, 20), ("3", MemberState::Pending, 20)],
            "gone, closed, new"
        );
        let third = take(&target, &second, &[member("2", Listed::Closed), member("3", Listed::Pending)], (NONE, at(30))).unwrap();
        assert_eq!(second, third, "nothing changed, so no time does");
        let back = take(&target, &third, &[member("1", Listed::Active)], (NONE, at(40))).unwrap();
        assert_eq!(states(&back)[0], ("1", MemberState::Active, 40), "it came back");
        assert_eq!(back[0].name, "name of 1");
    }

    #[test]
    fn an_empty_list_that_is_complete_deletes_nothing() {
        let target = organization(&[]);
        let first = take(&target, &[], &[member("1", Listed::Active)], (NONE, at(10))).unwrap();
        assert_eq!(states(&take(&target, &first, &[], (NONE, at(20))).unwrap()), [("1", MemberState::Gone, 20)]);
    }

    #[test]
    fn what_is_excluded_or_none_of_ours_is_neither_taken_nor_missed() {
        let first = take(&organization(&[]), &[], &[member("1", Listed::Active), member("2", Listed::Active)], (NONE, at(10))).unwrap();
        let excluded = take(&organization(&["1"]), &first, &[member("1", Listed::Active), member("2", Listed::Active)], (NONE, at(20)));
        assert_eq!(states(&excluded.unwrap()), [("2", MemberState::Active, 10)]);
        let skipped = take(&organization(&[]), &first, &[member("1", Listed::Active)], (&|id| id == "2", at(20)));
        assert_eq!(states(&skipped.unwrap()), [("1", MemberState::Active, 10)]);
    }

    #[test]
    fn five_hundred_are_taken_and_one_more_is_not() {
        let list = |count: usize| -> Vec<Member> { (0..count).map(|id| member(&format!("{id:012}"), Listed::Active)).collect() };
        let full = take(&organization(&[]), &[], &list(MAX_MEMBERS), (NONE, at(1))).unwrap();
        assert_eq!(full.len(), MAX_MEMBERS);
        assert_eq!(take(&organization(&[]), &[], &list(MAX_MEMBERS + 1), (NONE, at(1))), Err(TooMany(MAX_MEMBERS + 1)));
        let half = take(&organization(&[]), &full, &list(400)[200..], (NONE, at(2))).unwrap();
        assert_eq!(half.len(), MAX_MEMBERS, "those that are gone are bounded as well");
        let moved: Vec<Member> = (1000..1400).map(|id| member(&format!("{id:012}"), Listed::Active)).collect();
        let after = take(&organization(&[]), &half, &moved, (NONE, at(3))).unwrap();
        assert_eq!(after.len(), MAX_MEMBERS);
        assert!(moved.iter().all(|new| after.iter().any(|held| held.id == new.id)), "nobody is left out for one that is gone");
    }

    #[test]
    fn a_subscription_that_is_named_waits_for_its_delegation() {
        let target: CloudTarget =
            serde_json::from_value(json!({"azureTenant": {"tenantId": "t", "subscriptionIds": ["AA", "bb"]}})).unwrap();
        let members = take(&target, &[], &[member("aa", Listed::Active), member("CC", Listed::Active)], (NONE, at(1))).unwrap();
        assert_eq!(states(&members), [("aa", MemberState::Active, 1), ("bb", MemberState::Pending, 1)]);
    }

    #[test]
    fn the_provider_is_never_a_member() {
        let provider: ProviderProfileSpec = serde_json::from_value(json!({
            "displayName": "Care", "contacts": [],
            "aws": {"principalArn": "arn:aws:iam::999999999999:user/caretaker"},
            "azure": {"tenantId": "AA", "clientId": "c", "principalId": "p"},
            "gcp": {"projectId": "provider-project", "principal": "p", "quotaProject": "provider-quota"},
        }))
        .unwrap();
        let tenant: CloudTarget = serde_json::from_value(json!({"azureTenant": {"tenantId": "aa"}})).unwrap();
        let folder: CloudTarget = serde_json::from_value(json!({"gcpFolder": {"folderId": "1", "serviceAccountProjectId": "p"}})).unwrap();
        for (target, id, own) in [
            (organization(&[]), "999999999999", true),
            (organization(&[]), "999999999998", false),
            (tenant, "aa", true),
            (folder.clone(), "provider-project", true),
            (folder.clone(), "provider-quota", true),
            (folder, "client-project", false),
        ] {
            assert_eq!(is_own(&provider, &target, id), own, "{id}");
        }
    }

    #[test]
    fn an_id_that_fits_stands_in_the_name() {
        let free = |_: &str| false;
        assert_eq!(object_name("org", "aws", "111122223333", free), "org-111122223333");
        assert_eq!(object_name("folder", "gcp", "acme-prod", free), "folder-acme-prod");
        for (parent, id) in [("tenant", "cccccccc-0000-4000-8000-000000000001"), ("folder", "example.com:acme-prod")] {
            let name = object_name(parent, "x", id, free);
            assert_eq!((name.len(), name.starts_with(&format!("{parent}-"))), (parent.len() + 11, true), "{name}");
        }
        let taken = object_name("org", "aws", "111122223333", |name| name == "org-111122223333");
        assert_ne!(taken, "org-111122223333");
    }

    proptest! {
        #[test]
        fn every_name_is_legal_and_follows_from_its_parts(parent in "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", id in "[A-Za-z0-9.:-]{1,60}") {
            let name = object_name(&parent, "k", &id, |_| false);
            prop_assert!(name.len() <= MAX_ACCOUNT_NAME, "{}", name);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{}", name);
            prop_assert!(!name.starts_with('-') && !name.ends_with('-'), "{}", name);
            prop_assert_eq!(&name, &object_name(&parent, "k", &id, |_| false));
            prop_assert_ne!(name, object_name(&parent, "k", &format!("{id}x"), |_| false));
        }
    }
}
