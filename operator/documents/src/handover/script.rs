//! The client's revocation script: what ends our access without us.

use caretaker_api::cloud_account::{AwsAccount, CloudTarget};
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_core::grant::service_account;
use caretaker_core::kit::parents::STACK_SET;
use serde::Serialize;

use crate::template::render;

/// Name and text of the script for an account's cloud.
#[must_use]
pub fn of(target: &CloudTarget, provider: &ProviderProfileSpec) -> (String, String) {
    let text = match (&target.aws, &target.azure, &target.gcp) {
        (Some(account), _, _) => aws(account),
        (_, Some(_), _) => azure(&target.id(), provider.azure.as_ref().map(|azure| azure.tenant_id.as_str()).unwrap_or_default()),
        (_, _, Some(account)) => {
            let project = account.service_account_project();
            gcp(project, &service_account(&account.service_account_name, project))
        }
        _ => parent(target),
    };
    // The id of a project may hold a colon, which not every system takes in a name.
    (format!("revoke-{}-{}.sh", target.kind(), target.id().replace(':', ".")), text)
}

/// A parent's own way in. Its accounts have scripts of their own.
fn parent(target: &CloudTarget) -> String {
    match (&target.aws_organization, &target.gcp_folder) {
        (Some(organization), _) => organization_script(&organization.lister()),
        (_, Some(folder)) => {
            let project = &folder.service_account_project_id;
            gcp(project, &service_account(&folder.service_account_name, project))
        }
        _ => render("handover/revoke-azure-tenant.sh", serde_json::json!({})),
    }
}

#[derive(Serialize)]
struct Aws<'a> {
    account: &'a str,
    role: &'a str,
    set_name: &'a str,
}

impl<'a> Aws<'a> {
    fn of(account: &'a AwsAccount) -> Self {
        Self { account: &account.account_id, role: &account.role_name, set_name: STACK_SET }
    }
}

/// `revoke-aws-<account>.sh`: to be run by somebody who may change IAM in the account. Safe to run again.
#[must_use]
pub fn aws(account: &AwsAccount) -> String {
    render("handover/revoke-aws.sh", Aws::of(account))
}

/// The StackSet goes first: it would give our role to accounts that come later, and again to those that lose it.
fn organization_script(lister: &AwsAccount) -> String {
    render("handover/revoke-aws-organization.sh", Aws::of(lister))
}

fn azure(subscription: &str, tenant: &str) -> String {
    #[derive(Serialize)]
    struct Azure<'a> {
        subscription: &'a str,
        tenant: String,
    }
    render("handover/revoke-azure.sh", Azure { subscription, tenant: tenant.to_ascii_lowercase() })
}

fn gcp(project: &str, email: &str) -> String {
    #[derive(Serialize)]
    struct Gcp<'a> {
        project: &'a str,
        email: &'a str,
    }
    render("handover/revoke-gcp.sh", Gcp { project, email })
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
    fn the_door_is_closed_first_and_the_client_s_instance_profile_is_named_and_kept() {
        let (is_well, asked) = run(&aws(&account()), "    'iam list-role-policies') echo inline ;;");
        let at = |command: &str| asked.iter().position(|found| found == command).unwrap_or_else(|| panic!("{command}: {asked:?}"));
        assert!(is_well && at("iam update-assume-role-policy") < at("iam delete-role-policy"), "{asked:?}");
        let (is_well, asked) = run(&aws(&account()), "    'iam list-instance-profiles-for-role') echo web-servers ;;");
        assert!(!is_well && !asked.iter().any(|found| found.contains("delete-role") || found.contains("remove-role")), "{asked:?}");
        assert!(asked.iter().any(|found| found == "iam update-assume-role-policy"), "{asked:?}");
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
