//! The client's revocation script: what ends our access without us.

use caretaker_api::cloud_account::{AwsAccount, CloudTarget, ServiceAccount};
use caretaker_api::provider_profile::ProviderProfileSpec;

use crate::kit::parents::STACK_SET;
use crate::kit_gcp;

/// A word in a POSIX shell, in single quotes.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Name and text of the script for an account's cloud.
#[must_use]
pub fn of(target: &CloudTarget, provider: &ProviderProfileSpec) -> (String, String) {
    let of_service_account = |account: ServiceAccount<'_>| gcp(account.project, &kit_gcp::service_account(account.name, account.project));
    let text = match target {
        CloudTarget::Aws(account) => aws(account),
        CloudTarget::Azure(_) => azure(&target.id(), provider.azure.as_ref().map(|azure| azure.tenant_id.as_str()).unwrap_or_default()),
        // A parent's own way in. Its accounts have scripts of their own.
        CloudTarget::AwsOrganization(organization) => organization_script(&organization.lister()),
        CloudTarget::AzureTenant(_) => NO_ACCESS_TO_THE_TENANT.to_owned(),
        CloudTarget::Gcp(account) => of_service_account(account.service_account()),
        CloudTarget::GcpFolder(folder) => of_service_account(folder.service_account()),
    };
    // The id of a project may hold a colon, which not every system takes in a name.
    (format!("revoke-{}-{}.sh", target.kind(), target.id().replace(':', ".")), text)
}

/// The script of a tenant.
const NO_ACCESS_TO_THE_TENANT: &str =
    "#!/bin/sh\n# Each subscription is delegated by itself: run the script of each. There is no access to the tenant besides.\n";

/// The StackSet goes first: it would give our role to accounts that come later, and again to those that lose it.
fn organization_script(lister: &AwsAccount) -> String {
    let role = aws(lister);
    let (head, rest) = role.split_once("\nif ! said=").unwrap_or((&role, ""));
    format!(
        r#"{head}
set_name={set_name}
# Where a delegated administrator's account holds the StackSet, run this with CALL_AS=DELEGATED_ADMIN.
call_as=${{CALL_AS:-SELF}}
stack_set() {{
  command=$1
  shift
  aws cloudformation "$command" --stack-set-name "$set_name" --call-as "$call_as" "$@"
}}
if said=$(stack_set describe-stack-set 2>&1); then
  units=$(stack_set list-stack-instances --query 'Summaries[].OrganizationalUnitId' --output text | tr '\t' '\n' | sort -u | paste -sd, -)
  regions=$(stack_set list-stack-instances --query 'Summaries[].Region' --output text | tr '\t' '\n' | sort -u)
  if [ -n "$units" ]; then
    # Several regions are several words.
    # shellcheck disable=SC2086
    operation=$(stack_set delete-stack-instances --deployment-targets "OrganizationalUnitIds=$units" --regions $regions \
      --no-retain-stacks --query OperationId --output text)
    status=QUEUED
    while [ "$status" = QUEUED ] || [ "$status" = RUNNING ] || [ "$status" = STOPPING ]; do
      echo "deleting the role in the organization's accounts: $status"
      sleep 10
      status=$(stack_set describe-stack-set-operation --operation-id "$operation" --query StackSetOperation.Status --output text)
    done
    if [ "$status" != SUCCEEDED ]; then
      echo "the StackSet $set_name still has stacks ($status): look at operation $operation, and run this again" >&2
      exit 1
    fi
  fi
  stack_set delete-stack-set
  echo "the StackSet $set_name is deleted"
else
  case "$said" in
    *StackSetNotFound*) echo "there is no StackSet $set_name (where another account holds it, delete it there)" ;;
    *) echo "$said" >&2; echo "whether the StackSet $set_name is there cannot be told: nothing was done" >&2; exit 1 ;;
  esac
fi
if ! said={rest}"#,
        set_name = STACK_SET,
    )
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

if ! said=$(gcloud iam service-accounts describe "$email" --project "$project" 2>&1); then
  case "$said" in
    *NOT_FOUND*) echo "the service account $email is gone already"; exit 0 ;;
    *) echo "$said" >&2; echo "whether the service account $email is there cannot be told: nothing was done" >&2; exit 1 ;;
  esac
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
if ! said=$(aws iam get-role --role-name "$role" 2>&1); then
  case "$said" in
    *NoSuchEntity*) echo "the role $role is gone already"; exit 0 ;;
    *) echo "$said" >&2; echo "whether the role $role is there cannot be told: nothing was done" >&2; exit 1 ;;
  esac
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn account() -> AwsAccount {
        serde_json::from_value(serde_json::json!({"accountId": "111122223333", "roleName": "Role"})).unwrap()
    }

    /// Runs a script with an `aws` that notes its commands and answers some of them; whether it succeeded, and what was asked.
    fn run(script: &str, answers: &str) -> (bool, Vec<String>) {
        let aws = format!(
            "sleep() {{ :; }}\naws() {{\n  echo \"asked $1 $2\" >&3\n  case \"$1 $2\" in\n    'sts get-caller-identity') echo 111122223333 ;;\n{answers}\n  esac\n}}\n"
        );
        let output = Command::new("sh").arg("-c").arg(format!("exec 3>&1\n{aws}{script}")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let asked = text.lines().filter_map(|line| line.strip_prefix("asked ").map(str::to_owned)).collect();
        (output.status.success(), asked)
    }

    #[test]
    fn only_the_cloud_s_own_word_says_that_a_role_is_gone() {
        let answer = |said: &str| format!("    'iam get-role') echo '{said}' >&2; return 254 ;;");
        let (is_well, asked) = run(&aws(&account()), &answer("An error occurred (NoSuchEntity)"));
        assert!(is_well && asked.last().is_some_and(|last| last == "iam get-role"), "{asked:?}");
        let (is_well, asked) = run(&aws(&account()), &answer("An error occurred (AccessDenied)"));
        assert!(!is_well && asked.last().is_some_and(|last| last == "iam get-role"), "{asked:?}");
        let (is_well, asked) = run(&aws(&account()), "");
        assert!(is_well && asked.last().is_some_and(|last| last == "iam delete-role"), "{asked:?}");
    }

    #[test]
    fn the_stack_set_goes_before_the_lister() {
        let script = organization_script(&account());
        let answers = "    'cloudformation list-stack-instances') printf 'ou-b\\tou-a\\n' ;;\n    'cloudformation delete-stack-instances') echo op-1 ;;\n    \
                       'cloudformation describe-stack-set-operation') echo SUCCEEDED ;;";
        let (is_well, asked) = run(&script, answers);
        let at = |command: &str| asked.iter().position(|found| found == command).unwrap_or_else(|| panic!("{command}: {asked:?}"));
        assert!(is_well && at("cloudformation delete-stack-instances") < at("cloudformation delete-stack-set"));
        assert!(at("cloudformation delete-stack-set") < at("iam delete-role"));
        for (said, goes_on) in [("StackSetNotFoundException", true), ("AccessDenied", false)] {
            let (is_well, asked) = run(&script, &format!("    'cloudformation describe-stack-set') echo '{said}' >&2; return 254 ;;"));
            assert_eq!((is_well, asked.iter().any(|found| found == "iam delete-role")), (goes_on, goes_on), "{said}: {asked:?}");
        }
        let failed = answers.replace("SUCCEEDED", "FAILED");
        let (is_well, asked) = run(&script, &failed);
        assert!(!is_well && !asked.iter().any(|found| found == "iam delete-role"), "{asked:?}");
    }
}
