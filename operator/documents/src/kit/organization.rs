//! The grant kit of an AWS Organization: a role that lists its accounts, and a StackSet that gives each account the role by which it is read.

use std::collections::BTreeMap;

use caretaker_api::cloud_account::{AwsAccount, Capability, CloudAccountSpec};
use caretaker_api::parents::AwsOrganization;
use caretaker_api::provider_profile::AwsProvider;
use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::{Action, aws_actions};
use caretaker_core::grant::{partition, source_identity};
use caretaker_core::kit::parents::{STACK_SET, parent_purposes};
use caretaker_core::kit::purposes;
use serde_json::{Value, json};

use super::Subject;
use super::aws::Kit;

/// Account id that stands in the members' template until CloudFormation puts each account's own in its place.
const ANY_ACCOUNT: &str = "000000000000";

/// The kit's files by name. `None` until the ExternalId is made, and where the provider is not on AWS.
pub(super) fn files(subject: &Subject<'_>) -> Option<BTreeMap<String, String>> {
    let organization = subject.spec.target.aws_organization.as_ref()?;
    let provider = subject.provider.aws.as_ref()?;
    OrganizationKit { organization, provider, spec: subject.spec, external_id: organization.external_id.as_deref()? }.files(subject)
}

struct OrganizationKit<'a> {
    organization: &'a AwsOrganization,
    provider: &'a AwsProvider,
    spec: &'a CloudAccountSpec,
    external_id: &'a str,
}

impl OrganizationKit<'_> {
    fn files(&self, subject: &Subject<'_>) -> Option<BTreeMap<String, String>> {
        let lister = self.organization.lister();
        let of_parent = self.kit(&lister, parent_purposes(self.spec));
        let any = self.organization.member(ANY_ACCOUNT, Some(self.external_id));
        let of_members = self.kit(&any, purposes(&self.spec.allow));
        let mut template: Value = serde_json::from_str(&of_members.cloudformation()).ok()?;
        own_account(&mut template);
        Some(BTreeMap::from([
            ("README.md".to_owned(), self.letter(subject, &of_members)),
            ("caretaker-organization.cfn.json".to_owned(), of_parent.cloudformation() + "\n"),
            ("caretaker-organization.tf".to_owned(), of_parent.terraform()),
            ("caretaker-members.cfn.json".to_owned(), serde_json::to_string_pretty(&template).unwrap_or_default() + "\n"),
        ]))
    }

    fn kit<'b>(&'b self, account: &'b AwsAccount, purposes: Vec<Purpose>) -> Kit<'b> {
        Kit { account, provider: self.provider, external_id: self.external_id, purposes }
    }

    /// How the members' template gets into each account.
    fn stack_set(&self) -> String {
        // A role is the same in every region: one region of the partition is enough.
        let region = match partition(&self.provider.principal_arn) {
            "aws-cn" => "cn-north-1",
            "aws-us-gov" => "us-gov-west-1",
            _ => "us-east-1",
        };
        let excluded = &self.organization.exclude;
        let (filter, beside) = if excluded.is_empty() {
            (String::new(), "")
        } else {
            let beside = "The last command leaves out the accounts that were agreed to be excluded. One of them that moves to another unit later may be\n\
                          given the role by the automatic deployment; delete its stack instance then.\n\n";
            (format!(",AccountFilterType=DIFFERENCE,Accounts={}", excluded.join(",")), beside)
        };
        format!(
            "An organization that has made no such StackSet before lets CloudFormation into its accounts once, in the management account:\n\n    \
             aws cloudformation activate-organizations-access\n\n\
             Only where a delegated administrator's account is to hold the StackSet: register it for StackSets, in the management account too,\n\
             and write `DELEGATED_ADMIN` in place of `SELF` in the two commands after it:\n\n    \
             aws organizations register-delegated-administrator --account-id DELEGATED-ACCOUNT-ID \\\n      \
             --service-principal member.org.stacksets.cloudformation.amazonaws.com\n\n\
             Then make a StackSet of `caretaker-members.cfn.json`, with permissions managed by the service and deployed automatically, so that\n\
             accounts that come later have the role as well:\n\n    \
             aws cloudformation create-stack-set --call-as SELF --stack-set-name {STACK_SET} --permission-model SERVICE_MANAGED \\\n      \
             --auto-deployment Enabled=true,RetainStacksOnAccountRemoval=false --capabilities CAPABILITY_NAMED_IAM \\\n      \
             --region {region} --template-body file://caretaker-members.cfn.json\n    \
             aws cloudformation create-stack-instances --call-as SELF --stack-set-name {STACK_SET} --region {region} --regions {region} \\\n      \
             --deployment-targets OrganizationalUnitIds=ROOT-OR-UNIT-ID{filter}\n\n{beside}"
        )
    }

    fn letter(&self, subject: &Subject<'_>, of_members: &Kit<'_>) -> String {
        let (client, name) = (subject.client, subject.account);
        let row = |role: &str, action: &Action| format!("| `{role}` | {} | {} |\n", action.name, action.why);
        let organization = self.organization;
        let lister_rows = parent_purposes(self.spec).into_iter().flat_map(aws_actions).map(|action| row(&organization.role_name, action));
        let member_rows =
            of_members.purposes.iter().flat_map(|purpose| aws_actions(*purpose)).map(|action| row(&organization.member_role_name, action));
        let rows: String = lister_rows.chain(member_rows).collect();
        let beside = if self.spec.allow.contains(&Capability::Revoke) {
            "and close itself: it can change its own trust policy and take away its own permissions, and nothing else"
        } else {
            "and do nothing else"
        };
        format!(
            "# Access to the AWS Organization of {client}\n\n\
             Two steps, both with the same ExternalId `{external_id}`. It is one for the whole organization, since a StackSet gives every account the\n\
             same template; it keeps {client} apart from the provider's other clients.\n\n\
             ## 1. List the accounts\n\n\
             In account {lister}, the management account or a delegated administrator's, apply ONE of the two files:\n\n\
             - `aws cloudformation deploy --stack-name caretaker-organization --capabilities CAPABILITY_NAMED_IAM --template-file caretaker-organization.cfn.json`\n\
             - `terraform apply` with `caretaker-organization.tf`\n\n\
             It makes the role `{role}`, which can list the accounts {beside}. An account that is neither the\n\
             management account nor a delegated administrator is not allowed to list them, whatever its role says.\n\n\
             ## 2. Let the accounts be read\n\n\
             {stack_set}\n\
             A StackSet never reaches the management account itself. Where it is to be read too, deploy the same template there as an ordinary stack;\n\
             where it is not, ask the provider to exclude it. Each account that has no role yet is shown as one that waits for its grant; the others do\n\
             not wait for it.\n\n\
             It makes the role `{member_role}` in each account, which only `{principal}` may assume. To end the access at any time, delete the stack\n\
             instances and both stacks.\n\n\
             Every call of ours stands in your audit log under the SourceIdentity of the object of ours that acted: `{source}` for the listing, and one\n\
             that ends with `@{client}` for each account. Once a week attempts without and with a wrong ExternalId are made on purpose, in each account,\n\
             each without and with the SourceIdentity, and up to three principals that lead into other clients' accounts try with the right one. They\n\
             must all fail, and stand there as failed `AssumeRole` events.\n\n\
             | role | action | why |\n| --- | --- | --- |\n{rows}",
            external_id = self.external_id,
            stack_set = self.stack_set(),
            lister = organization.account_id,
            role = organization.role_name,
            member_role = organization.member_role_name,
            principal = self.provider.principal_arn,
            source = source_identity(client, name),
        )
    }
}

/// Puts each account's own id where the template names one: CloudFormation fills it in.
fn own_account(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(own_account),
        Value::Array(list) => list.iter_mut().for_each(own_account),
        Value::String(text) if text.contains(ANY_ACCOUNT) => *value = json!({"Fn::Sub": text.replace(ANY_ACCOUNT, "${AWS::AccountId}")}),
        _ => {}
    }
}
