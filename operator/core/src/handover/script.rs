//! The client's revocation script: what ends our access without us.

use caretaker_api::cloud_account::AwsAccount;

/// A word in a POSIX shell, in single quotes.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// `revoke-aws-<account>.sh`: to be run by somebody who may change IAM in the account. Safe to run again.
#[must_use]
pub fn aws(account: &AwsAccount) -> String {
    format!(
        r#"#!/bin/sh
# Ends the managed service provider's access to AWS account {id}.
# Needs the aws command, signed in to that account as somebody who may change IAM. Safe to run again.
set -eu

account={account}
role={role}

here=$(aws sts get-caller-identity --query Account --output text)
if [ "$here" != "$account" ]; then
  echo "signed in to account $here, not $account: nothing was done" >&2
  exit 1
fi
if ! aws iam get-role --role-name "$role" >/dev/null 2>&1; then
  echo "the role $role is gone already"
  exit 0
fi
for policy in $(aws iam list-role-policies --role-name "$role" --query 'PolicyNames[]' --output text); do
  aws iam delete-role-policy --role-name "$role" --policy-name "$policy"
done
for policy in $(aws iam list-attached-role-policies --role-name "$role" --query 'AttachedPolicies[].PolicyArn' --output text); do
  aws iam detach-role-policy --role-name "$role" --policy-arn "$policy"
done
aws iam delete-role --role-name "$role"
echo "the role $role is deleted: the provider is out of account $account"
"#,
        id = account.account_id,
        account = quote(&account.account_id),
        role = quote(&account.role_name),
    )
}
