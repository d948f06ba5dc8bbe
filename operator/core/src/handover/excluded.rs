//! Accounts that an organization's entry leaves out, while its StackSet may have given them our role all the same: no part of the work, but of the exit.

use std::collections::HashSet;

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::{CloudAccountSpec, CloudTarget, TargetKind};
use caretaker_api::parents::{AwsOrganization, MemberState, Membership};
use kube::ResourceExt;

/// An account for each that is left out and is no entry of its own. Nothing is done in them; that they refuse us is to be proved.
#[must_use]
pub fn excluded(accounts: &[CloudAccount]) -> Vec<CloudAccount> {
    let known: HashSet<String> =
        accounts.iter().filter(|account| account.spec.target.kind() == TargetKind::Aws).map(|account| account.spec.target.id()).collect();
    let of = |parent: &CloudAccount| -> Vec<CloudAccount> {
        let CloudTarget::AwsOrganization(organization) = &parent.spec.target else { return Vec::new() };
        let left_out = organization.exclude.iter().filter(|id| !known.contains(*id));
        left_out.map(|id| left_out_of(parent, organization, id)).collect()
    };
    accounts.iter().flat_map(of).collect()
}

fn left_out_of(parent: &CloudAccount, organization: &AwsOrganization, id: &str) -> CloudAccount {
    let spec = CloudAccountSpec {
        target: CloudTarget::Aws(organization.member(id, organization.external_id.as_deref())),
        allow: Vec::new(),
        // Not worked on, and never claimed.
        member: Some(Membership { parent: parent.name_any(), state: MemberState::Gone, since: None }),
        ..parent.spec.clone()
    };
    let mut account = CloudAccount::new(&format!("{}-excluded-{id}", parent.name_any()), spec);
    account.metadata.namespace = parent.namespace();
    account
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(name: &str, spec: serde_json::Value) -> CloudAccount {
        let mut account = CloudAccount::new(name, serde_json::from_value(spec).unwrap());
        account.metadata.namespace = Some("client-acme".into());
        account
    }

    #[test]
    fn what_the_stack_set_may_have_reached_is_part_of_the_exit() {
        let organization = json!({"accountId": "111122223333", "externalId": "e", "exclude": ["444455556666", "777788889999"]});
        let parent = account("org", json!({"awsOrganization": organization, "allow": ["Revoke"]}));
        let own = account("own", json!({"aws": {"accountId": "777788889999"}}));
        let found = excluded(&[parent, own]);
        assert_eq!(found.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["org-excluded-444455556666"]);
        let aws = found[0].spec.target.aws_role().unwrap();
        assert_eq!((aws.account_id.as_str(), aws.external_id.as_deref()), ("444455556666", Some("e")));
        assert!(found[0].spec.allow.is_empty() && !found[0].spec.is_live() && found[0].namespace().is_some());
    }
}
