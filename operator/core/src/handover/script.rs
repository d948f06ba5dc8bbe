//! The client's revocation script: what ends our access without us.

use caretaker_api::cloud_account::{AwsAccount, CloudTarget};
use caretaker_api::provider_profile::ProviderProfileSpec;

use crate::kit_gcp;

/// A word in a POSIX shell, in single quotes.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Name and text of the script for an account's cloud.
#[must_use]
pub fn of(target: &CloudTarget, provider: &ProviderProfileSpec) -> (String, String) {
    let text = match (&target.aws, &target.azure, &target.gcp) {
        (Some(account), _, _) => aws(account),
        (_, Some(_), _) => azure(&target.id(), provider.azure.as_ref().map(|azure| azure.tenant_id.as_str()).unwrap_or_default()),
        (_, _, Some(account)) => {
            let project = account.service_account_project();
            gcp(project, &kit_gcp::service_account(&account.service_account_name, project))
        }
        _ => parent(target),
    };
    // The id of a project may hold a colon, which not every system takes in a name.
    (format!("revoke-{}-{}.sh", target.kind(), target.id().replace(':', ".")), text)
}

/// A parent's own way in. Its accounts have scripts of their own.
fn parent(target: &CloudTarget) -> String {
    match (&target.aws_organization, &target.gcp_folder) {
        (Some(organization), _) => aws(&organization.lister()),
        (_, Some(folder)) => {
            let project = &folder.service_account_project_id;
            gcp(project, &kit_gcp::service_account(&folder.service_account_name, project))
        }
        _ => "#!/bin/sh\n# Each subscription is delegated by itself: run the script of each. There is no access to the tenant besides.\n"
            .to_owned(),
    }
}

fn azure(subscription: &str, tenant: &str) -> String {
    format!(
        r#"#!/bin/sh
# Ends the delegation of Azure subscription {subscription} to the managed service provider's tenant.
# Needs the az command, signed in as Owner of the subscription. Safe to run again.
set -eu

subscription={quoted}
tenant={tenant}

found=$(az managedservices assignment list --subscription "$subscription" --include-definition true --output tsv   --query "[?properties.registrationDefinition.properties.managedByTenantId=='$tenant'].name")
if [ -z "$found" ]; then
  echo "no delegation to the provider is left in $subscription"
  exit 0
fi
for name in $found; do
  az managedservices assignment delete --subscription "$subscription" --assignment "$name" --yes
done
echo "the delegation is deleted: the provider is out of subscription $subscription"
"#,
        quoted = quote(subscription),
        tenant = quote(&tenant.to_ascii_lowercase()),
    )
}

fn gcp(project: &str, email: &str) -> String {
    format!(
        r#"#!/bin/sh
# Ends the managed service provider's access to Google Cloud project {project}: deletes the service account that leads into it.
# Needs the gcloud command, signed in as somebody who may delete service accounts there. Safe to run again.
set -eu

project={quoted}
email={email}

if ! gcloud iam service-accounts describe "$email" --project "$project" >/dev/null 2>&1; then
  echo "the service account $email is gone already"
  exit 0
fi
gcloud iam service-accounts delete "$email" --project "$project" --quiet
echo "the service account $email is deleted: the provider is out of project $project"
"#,
        quoted = quote(project),
        email = quote(email),
    )
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
