//! The grant kit for AWS: a role in the client's account, as a CloudFormation template and as Terraform.

use std::collections::BTreeMap;

use caretaker_api::cloud_account::AwsAccount;
use caretaker_api::provider_profile::{AwsProvider, SessionTags};
use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::{Action, aws_actions};
use caretaker_core::grant::{partition, role_arn, session_name, source_identity};
use caretaker_core::kit::{BACKUP_ROLE, backup_role_arn, policy_name, purposes, resource};
use serde_json::{Value, json};

use super::Subject;
use crate::template::render;

pub(super) struct Kit<'a> {
    pub(super) account: &'a AwsAccount,
    pub(super) provider: &'a AwsProvider,
    pub(super) external_id: &'a str,
    pub(super) purposes: Vec<Purpose>,
}

/// The kit's files by name. `None` until the ExternalId is made, and where the provider is not on AWS.
pub(super) fn files(subject: &Subject<'_>) -> Option<BTreeMap<String, String>> {
    let account = subject.spec.target.aws.as_ref()?;
    let provider = subject.provider.aws.as_ref()?;
    let external_id = account.external_id.as_deref()?;
    let kit = Kit { account, provider, external_id, purposes: purposes(&subject.spec.allow) };
    Some(BTreeMap::from([
        ("README.md".to_owned(), kit.letter(subject)),
        ("caretaker-access.cfn.json".to_owned(), kit.cloudformation() + "\n"),
        ("caretaker-access.tf".to_owned(), kit.terraform()),
    ]))
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

    fn takes_tags(&self) -> bool {
        self.provider.session_tags == Some(SessionTags::Allow)
    }

    fn trust(&self) -> Value {
        let mut actions = vec!["sts:AssumeRole", "sts:SetSourceIdentity"];
        actions.extend(self.takes_tags().then_some("sts:TagSession"));
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": self.provider.principal_arn},
            "Action": actions,
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

    fn description(&self) -> String {
        let stays = if self.purposes.contains(&Purpose::Backup) {
            format!(" The role {BACKUP_ROLE} stays then: your backups run as it.")
        } else {
            String::new()
        };
        format!("Access of the managed service provider to this account. Delete this stack to end it.{stays}")
    }

    pub(super) fn cloudformation(&self) -> String {
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
            // The backups are the client's, and go on when our access ends: what they run as outlives the stack.
            resources["CaretakerBackupService"] = json!({"Type": "AWS::IAM::Role", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {
                "RoleName": BACKUP_ROLE,
                "AssumeRolePolicyDocument": Self::backup_trust(),
                "ManagedPolicyArns": self.backup_policies(),
            }});
        }
        let template = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": self.description(),
            "Resources": resources,
        });
        serde_json::to_string_pretty(&template).unwrap_or_default()
    }

    pub(super) fn terraform(&self) -> String {
        let policies: Vec<Value> = self
            .purposes
            .iter()
            .map(|purpose| {
                let name = policy_name(*purpose);
                json!({"label": name.replace('-', "_"), "name": name, "document": self.document(*purpose).to_string()})
            })
            .collect();
        let backup = self
            .purposes
            .contains(&Purpose::Backup)
            .then(|| json!({"role": BACKUP_ROLE, "trust": Self::backup_trust().to_string(), "policies": self.backup_policies()}));
        let context = json!({"role": self.account.role_name, "trust": self.trust().to_string(), "policies": policies, "backup": backup});
        render("kit/aws/caretaker-access.tf", context)
    }

    fn letter(&self, subject: &Subject<'_>) -> String {
        let row = |purpose: Purpose, action: &Action| json!({"policy": policy_name(purpose), "action": action.name, "why": action.why});
        let rows = self.purposes.iter().flat_map(|purpose| aws_actions(*purpose).iter().map(move |action| row(*purpose, action)));
        let context = json!({
            "client": subject.client,
            "account_id": self.account.account_id,
            "role": self.account.role_name,
            "principal": self.provider.principal_arn,
            "external_id": self.external_id,
            "session": session_name(subject.client, subject.account),
            "source": source_identity(subject.client, subject.account),
            "tags": self.takes_tags(),
            "backup_role": self.purposes.contains(&Purpose::Backup).then_some(BACKUP_ROLE),
            "rows": rows.collect::<Vec<_>>(),
        });
        render("kit/aws/README.md", context)
    }
}

#[cfg(test)]
mod tests {
    use caretaker_api::cloud_account::{Capability, CloudAccountSpec};
    use caretaker_api::provider_profile::ProviderProfileSpec;
    use caretaker_cloud::WantedPermission;
    use caretaker_core::grant::grant;
    use caretaker_core::kit::wanted;

    use super::*;

    fn kit(spec: &CloudAccountSpec) -> BTreeMap<String, String> {
        files(&Subject { client: "acme", account: "prod", spec, provider: &profile() }).unwrap()
    }

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
            control_client: None,
            clients: Vec::new(),
            qualifications: Vec::new(),
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
            let files = kit(&spec(allow.clone()));
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
            let grant = grant("acme", "prod", &spec(allow.clone()), &profile()).unwrap();
            let mut wanted = wanted(&allow, &grant);
            granted.sort();
            wanted.sort();
            assert_eq!(granted, wanted, "{allow:?}");
        }
    }

    #[test]
    fn the_trust_policy_demands_the_external_id_and_takes_a_source_identity() {
        let files = kit(&spec(Vec::new()));
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
    fn session_tags_are_taken_where_the_profile_says_so_and_the_letter_tells_it() {
        for (tags, expected) in [(Some(SessionTags::Allow), true), (Some(SessionTags::Absent), false), (None, false)] {
            let provider = ProviderProfileSpec { aws: Some(AwsProvider { session_tags: tags, ..provider() }), ..profile() };
            let files = files(&Subject { client: "acme", account: "prod", spec: &spec(Vec::new()), provider: &provider }).unwrap();
            for name in ["README.md", "caretaker-access.cfn.json", "caretaker-access.tf"] {
                assert_eq!(files[name].contains("sts:TagSession"), expected, "{name} with {tags:?}");
            }
        }
    }

    #[test]
    fn revoking_reaches_our_own_role_only() {
        let document = policy_document(Purpose::Revoke, "own", "backup");
        assert_eq!(document["Statement"].as_array().unwrap().len(), 1);
        assert_eq!(document["Statement"][0]["Resource"], "own");
    }
}
