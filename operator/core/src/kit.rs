//! The grant kit: what the client applies so that the operator gets in. Made from the same permission manifest that the operator checks.

pub mod azure;
pub mod parents;

use std::collections::BTreeMap;

use caretaker_api::cloud_account::{AwsAccount, Capability, CloudAccountSpec, CloudTarget, ServiceAccount};
use caretaker_api::provider_profile::{AwsProvider, ProviderProfileSpec};
use caretaker_cloud::manifest::{Action, On, aws_actions};
use caretaker_cloud::{AccessGrant, Purpose, WantedPermission};
use serde_json::{Value, json};

use crate::grant::{partition, role_arn, session_name, source_identity};

/// Name of the inline policy that allows a purpose. The one for revoking goes last when access is removed.
#[must_use]
pub const fn policy_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Read => "caretaker-read",
        Purpose::Backup => "caretaker-backup",
        Purpose::Revoke => "caretaker-revoke",
        Purpose::Members => "caretaker-members",
    }
}

/// Name of the role that AWS Backup uses in the client's account.
pub const BACKUP_ROLE: &str = "CaretakerBackupService";

/// The purposes that an account's grant covers.
#[must_use]
pub fn purposes(allow: &[Capability]) -> Vec<Purpose> {
    let mut purposes = vec![Purpose::Read];
    if allow.contains(&Capability::Backup) {
        purposes.push(Purpose::Backup);
    }
    if allow.contains(&Capability::Revoke) {
        purposes.push(Purpose::Revoke);
    }
    purposes
}

/// All that an account's grant covers: the same actions on the same resources as the kit's policies.
#[must_use]
pub fn wanted(allow: &[Capability], grant: &AccessGrant) -> Vec<WantedPermission> {
    let grant = match grant {
        AccessGrant::Aws(grant) => grant,
        AccessGrant::Azure(grant) => return azure::wanted(&grant.subscription_id),
        AccessGrant::Gcp(grant) => return crate::kit_gcp::wanted(&purposes(allow), grant),
        AccessGrant::AzureTenant(_) | AccessGrant::GcpFolder(_) => return Vec::new(),
    };
    let backup_role = format!("arn:{}:iam::{}:role/{BACKUP_ROLE}", partition(&grant.role_arn), grant.account_id);
    let of = |purpose: Purpose| {
        let (own_role, backup_role) = (grant.role_arn.as_str(), backup_role.as_str());
        aws_actions(purpose)
            .iter()
            .map(move |action| WantedPermission { resource: resource(action, own_role, backup_role), action: action.name.to_owned() })
    };
    let mut all = Vec::new();
    for purpose in purposes(allow) {
        all.extend(of(purpose));
    }
    all
}

/// ARN of the role that AWS Backup uses.
#[must_use]
pub fn backup_role_arn(account: &AwsAccount, provider: &AwsProvider) -> String {
    format!("arn:{}:iam::{}:role/{BACKUP_ROLE}", partition(&provider.principal_arn), account.account_id)
}

struct Kit<'a> {
    account: &'a AwsAccount,
    provider: &'a AwsProvider,
    external_id: &'a str,
    purposes: Vec<Purpose>,
}

/// The kit's files by name, for the account's cloud: `name` is the CloudAccount's. `None` until the ExternalId is made, and where the provider is not on that cloud.
#[must_use]
pub fn files((client, name): (&str, &str), spec: &CloudAccountSpec, provider: &ProviderProfileSpec) -> Option<BTreeMap<String, String>> {
    if let Some(files) = parents::files((client, name), spec, provider) {
        return Some(files);
    }
    match &spec.target {
        CloudTarget::Aws(account) => aws_files((client, name), account, purposes(&spec.allow), provider.aws.as_ref()?),
        CloudTarget::Azure(_) => {
            let azure = provider.azure.as_ref()?;
            Some(azure::files(&azure::Delegation {
                client: client.into(),
                provider: provider.display_name.clone(),
                subscription_id: spec.target.id(),
                tenant_id: azure.tenant_id.to_ascii_lowercase(),
                principal_id: azure.principal_id.to_ascii_lowercase(),
            }))
        }
        CloudTarget::Gcp(gcp) => {
            let provider = provider.gcp.as_ref()?;
            let kit = crate::kit_gcp::GcpKit {
                client,
                project_id: &gcp.project_id,
                account_name: &gcp.service_account_name,
                member: &crate::kit_gcp::member(&provider.principal),
                quota_project: provider.quota_project.as_deref(),
                customer_id: provider.customer_id.as_deref(),
                purposes: &purposes(&spec.allow),
            };
            Some(kit.files())
        }
        // Their kits are made above, where the provider is on their cloud.
        CloudTarget::AwsOrganization(_) | CloudTarget::AzureTenant(_) | CloudTarget::GcpFolder(_) => None,
    }
}

/// What the provider must run itself before an account can be read, whatever the client applies: on Google Cloud, where a quota project pays.
#[must_use]
pub fn provider_command(spec: &CloudAccountSpec, provider: &ProviderProfileSpec) -> Option<String> {
    let ServiceAccount { name, project } = spec.target.service_account()?;
    let quota_project = provider.gcp.as_ref()?.quota_project.as_deref()?;
    Some(crate::kit_gcp::provider_command(quota_project, &crate::kit_gcp::service_account(name, project)))
}

fn aws_files(
    (client, name): (&str, &str),
    account: &AwsAccount,
    purposes: Vec<Purpose>,
    provider: &AwsProvider,
) -> Option<BTreeMap<String, String>> {
    let external_id = account.external_id.as_deref()?;
    let kit = Kit { account, provider, external_id, purposes };
    Some(BTreeMap::from([
        ("README.md".to_owned(), kit.letter((client, name))),
        ("caretaker-access.cfn.json".to_owned(), kit.cloudformation() + "\n"),
        ("caretaker-access.tf".to_owned(), kit.terraform()),
    ]))
}

/// What an action is granted on.
fn resource(action: &Action, own_role: &str, backup_role: &str) -> String {
    match action.on {
        On::Account => "*".to_owned(),
        On::OwnPrincipal => own_role.to_owned(),
        On::BackupRole => backup_role.to_owned(),
    }
}

/// The policy document of a purpose: one statement for each set of resources.
#[must_use]
pub fn policy_document(purpose: Purpose, own_role: &str, backup_role: &str) -> Value {
    let mut by_resource: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for action in aws_actions(purpose) {
        by_resource.entry(resource(action, own_role, backup_role)).or_default().push(action.name);
    }
    let statements: Vec<Value> =
        by_resource.into_iter().map(|(resource, actions)| json!({"Effect": "Allow", "Action": actions, "Resource": resource})).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

impl Kit<'_> {
    fn own_role(&self) -> String {
        role_arn(self.account, self.provider)
    }

    fn trust(&self) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": self.provider.principal_arn},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "Condition": {"StringEquals": {"sts:ExternalId": self.external_id}},
        }]})
    }

    fn backup_trust() -> Value {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "backup.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ]})
    }

    fn backup_policies(&self) -> [String; 2] {
        let partition = partition(&self.provider.principal_arn);
        ["ForBackup", "ForRestores"].map(|tail| format!("arn:{partition}:iam::aws:policy/service-role/AWSBackupServiceRolePolicy{tail}"))
    }

    fn document(&self, purpose: Purpose) -> Value {
        policy_document(purpose, &self.own_role(), &backup_role_arn(self.account, self.provider))
    }

    fn cloudformation(&self) -> String {
        let policies: Vec<Value> = self
            .purposes
            .iter()
            .map(|purpose| json!({"PolicyName": policy_name(*purpose), "PolicyDocument": self.document(*purpose)}))
            .collect();
        let mut resources = json!({"CaretakerAccess": {"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": self.account.role_name,
            "MaxSessionDuration": 3600,
            "AssumeRolePolicyDocument": self.trust(),
            "Policies": policies,
        }}});
        if self.purposes.contains(&Purpose::Backup) {
            resources["CaretakerBackupService"] = json!({"Type": "AWS::IAM::Role", "Properties": {
                "RoleName": BACKUP_ROLE,
                "AssumeRolePolicyDocument": Self::backup_trust(),
                "ManagedPolicyArns": self.backup_policies(),
            }});
        }
        let template = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "Access of the managed service provider to this account. Delete this stack to end it.",
            "Resources": resources,
        });
        serde_json::to_string_pretty(&template).unwrap_or_default()
    }

    fn terraform(&self) -> String {
        let role = format!(
            "resource \"aws_iam_role\" \"caretaker_access\" {{\n  name                 = {}\n  max_session_duration = 3600\n  assume_role_policy   = {}\n}}\n",
            hcl(&self.account.role_name),
            hcl(&self.trust().to_string())
        );
        let policies = self.purposes.iter().map(|purpose| {
            let name = policy_name(*purpose);
            format!(
                "\nresource \"aws_iam_role_policy\" \"{}\" {{\n  name   = {}\n  role   = aws_iam_role.caretaker_access.id\n  policy = {}\n}}\n",
                name.replace('-', "_"),
                hcl(name),
                hcl(&self.document(*purpose).to_string())
            )
        });
        let mut text: String = std::iter::once(role).chain(policies).collect();
        if self.purposes.contains(&Purpose::Backup) {
            text.push_str(&format!(
                "\nresource \"aws_iam_role\" \"caretaker_backup\" {{\n  name               = {}\n  assume_role_policy = {}\n}}\n",
                hcl(BACKUP_ROLE),
                hcl(&Self::backup_trust().to_string())
            ));
            for (index, arn) in self.backup_policies().iter().enumerate() {
                text.push_str(&format!(
                    "\nresource \"aws_iam_role_policy_attachment\" \"caretaker_backup_{index}\" {{\n  role       = aws_iam_role.caretaker_backup.name\n  policy_arn = {}\n}}\n",
                    hcl(arn)
                ));
            }
        }
        text
    }

    fn letter(&self, (client, name): (&str, &str)) -> String {
        let rows: String = self
            .purposes
            .iter()
            .flat_map(|purpose| aws_actions(*purpose).iter().map(move |action| (purpose, action)))
            .map(|(purpose, action)| format!("| `{}` | {} | {} |\n", policy_name(*purpose), action.name, action.why))
            .collect();
        format!(
            "# Access to AWS account {account} for {client}\n\n\
             Apply ONE of the two files in account {account}, as somebody who may make IAM roles:\n\n\
             - `aws cloudformation deploy --stack-name caretaker-access --capabilities CAPABILITY_NAMED_IAM --template-file caretaker-access.cfn.json`\n\
             - `terraform apply` with `caretaker-access.tf`\n\n\
             It makes the role `{role}`, which only `{principal}` may assume, and only with the ExternalId `{external_id}`.\n\
             To end the access at any time, delete the stack or the role.\n\n\
             Every call of ours stands in your audit log under the session name `{session}`, with the SourceIdentity `{source}`: the object of ours\n\
             that acted.\n\n\
             Once a week attempts without and with a wrong ExternalId are made on purpose, each without and with the SourceIdentity, and up to\n\
             three principals that lead into other clients' accounts try with the right one. They must all fail, and stand in your audit log as\n\
             failed `AssumeRole` events under the same session name: four, and two for each such principal.\n\n\
             | policy | action | why |\n| --- | --- | --- |\n{rows}",
            account = self.account.account_id,
            role = self.account.role_name,
            principal = self.provider.principal_arn,
            external_id = self.external_id,
            session = session_name(client, name),
            source = source_identity(client, name),
        )
    }
}

/// A string in HCL: quotes, line ends and both template starts are escaped.
#[must_use]
pub fn hcl(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                quoted.push(c);
                quoted.push(c);
            }
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(allow: Vec<Capability>) -> CloudAccountSpec {
        serde_json::from_value(json!({
            "aws": {"accountId": "111122223333", "externalId": "abc123"},
            "allow": allow,
        }))
        .unwrap()
    }

    fn profile() -> ProviderProfileSpec {
        ProviderProfileSpec {
            display_name: "Care".into(),
            contacts: Vec::new(),
            aws: Some(provider()),
            azure: None,
            gcp: None,
            signing_key: None,
        }
    }

    fn provider() -> AwsProvider {
        serde_json::from_value(json!({"principalArn": "arn:aws:iam::999999999999:user/caretaker"})).unwrap()
    }

    #[test]
    fn the_template_grants_the_manifest_and_nothing_else() {
        let cases = [vec![], vec![Capability::Backup], vec![Capability::Revoke], vec![Capability::Backup, Capability::Revoke]];
        for allow in cases {
            let files = files(("acme", "prod"), &spec(allow.clone()), &profile()).unwrap();
            let template: Value = serde_json::from_str(&files["caretaker-access.cfn.json"]).unwrap();
            let policies = template["Resources"]["CaretakerAccess"]["Properties"]["Policies"].as_array().unwrap().clone();
            let mut granted: Vec<WantedPermission> = policies
                .iter()
                .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap())
                .flat_map(|statement| {
                    let resource = statement["Resource"].as_str().unwrap().to_owned();
                    let actions = statement["Action"].as_array().unwrap().iter();
                    actions.map(move |action| WantedPermission { resource: resource.clone(), action: action.as_str().unwrap().to_owned() })
                })
                .collect();
            let grant = crate::grant::grant("acme", "prod", &spec(allow.clone()), &profile()).unwrap();
            let mut wanted = wanted(&allow, &grant);
            granted.sort();
            wanted.sort();
            assert_eq!(granted, wanted, "{allow:?}");
        }
    }

    #[test]
    fn the_trust_policy_demands_the_external_id_and_takes_a_source_identity() {
        let files = files(("acme", "prod"), &spec(Vec::new()), &profile()).unwrap();
        let template: Value = serde_json::from_str(&files["caretaker-access.cfn.json"]).unwrap();
        let trust = &template["Resources"]["CaretakerAccess"]["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(trust[0]["Action"], json!(["sts:AssumeRole", "sts:SetSourceIdentity"]));
        assert_eq!(trust[0]["Condition"]["StringEquals"]["sts:ExternalId"], "abc123");
        assert_eq!(trust.as_array().unwrap().len(), 1, "nothing is granted outside the condition");
        for text in ["caretaker-acme-prod", "prod@acme", "four, and two for each"] {
            assert!(files["README.md"].contains(text), "{text}");
        }
    }

    #[test]
    fn revoking_reaches_our_own_role_only() {
        let document = policy_document(Purpose::Revoke, "own", "backup");
        assert_eq!(document["Statement"].as_array().unwrap().len(), 1);
        assert_eq!(document["Statement"][0]["Resource"], "own");
    }

    #[test]
    fn hcl_strings_cannot_be_left() {
        assert_eq!(hcl("a\"\n}\nresource \"x\""), "\"a\\\"\\n}\\nresource \\\"x\\\"\"");
        assert_eq!(hcl("${path.module} %{ if true }"), "\"$${path.module} %%{ if true }\"");
    }
}
