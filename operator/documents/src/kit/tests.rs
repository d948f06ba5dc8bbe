use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::cloud_account::CloudAccountSpec;
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_cloud::manifest::aws_actions;
use caretaker_cloud::{AccessGrant, WantedPermission};
use caretaker_core::kit::parents::{LISTING, TELLING, wanted};
use caretaker_core::kit::purposes;
use serde_json::{Value, json};

use super::{Subject, provider_command};

fn kit(spec: &CloudAccountSpec, provider: &ProviderProfileSpec) -> Option<BTreeMap<String, String>> {
    super::files(&Subject { client: "acme", account: "org", spec, provider })
}

fn provider() -> ProviderProfileSpec {
    serde_json::from_value(json!({
        "displayName": "Care", "contacts": [],
        "aws": {"principalArn": "arn:aws:iam::999999999999:user/caretaker"},
        "azure": {"tenantId": "AAAAAAAA-1111-4222-8333-444444444444", "clientId": "c", "principalId": "p"},
        "gcp": {"projectId": "provider-project", "principal": "caretaker@provider-project.iam.gserviceaccount.com"},
    }))
    .unwrap()
}

fn spec(target: Value, allow: &[&str]) -> CloudAccountSpec {
    let mut spec = target;
    spec["allow"] = json!(allow);
    serde_json::from_value(spec).unwrap()
}

fn organization(allow: &[&str]) -> CloudAccountSpec {
    spec(json!({"awsOrganization": {"accountId": "111122223333", "externalId": "abc123"}}), allow)
}

fn statements(template: &Value) -> Vec<(Value, String)> {
    let policies = template["Resources"]["CaretakerAccess"]["Properties"]["Policies"].as_array().unwrap();
    policies
        .iter()
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap())
        .flat_map(|statement| {
            let actions = statement["Action"].as_array().unwrap().iter();
            actions.map(|action| (statement["Resource"].clone(), action.as_str().unwrap().to_owned()))
        })
        .collect()
}

#[test]
fn the_lister_can_list_and_the_members_can_be_read_in_any_account() {
    let spec = organization(&["Backup", "Revoke"]);
    let files = kit(&spec, &provider()).unwrap();
    let of_parent: Value = serde_json::from_str(&files["caretaker-organization.cfn.json"]).unwrap();
    let grant = caretaker_core::grant::grant("acme", "org", &spec, &provider()).unwrap();
    let mut granted: Vec<WantedPermission> = statements(&of_parent)
        .into_iter()
        .map(|(resource, action)| WantedPermission { resource: resource.as_str().unwrap().into(), action })
        .collect();
    let mut asked = wanted(&spec, &grant);
    granted.sort();
    asked.sort();
    assert_eq!(granted, asked);
    assert!(!granted.iter().any(|granted| granted.action.starts_with("ec2:")), "the lister reads no assets");

    let of_members: Value = serde_json::from_str(&files["caretaker-members.cfn.json"]).unwrap();
    let actions: BTreeSet<String> = statements(&of_members).into_iter().map(|(_, action)| action).collect();
    let manifest: BTreeSet<String> = purposes(&spec.allow).into_iter().flat_map(aws_actions).map(|action| action.name.to_owned()).collect();
    assert_eq!(actions, manifest);
    assert!(!files["caretaker-members.cfn.json"].contains("000000000000"), "no account id is fixed");
    let own_role = json!({"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/CaretakerAccess"});
    assert!(statements(&of_members).iter().any(|(resource, _)| *resource == own_role));
    for template in [of_parent, of_members] {
        let trust = &template["Resources"]["CaretakerAccess"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(trust["Condition"]["StringEquals"]["sts:ExternalId"], "abc123");
    }
}

#[test]
fn the_stack_set_is_made_in_the_partition_and_not_in_excluded_accounts() {
    let mut spec = organization(&[]);
    let mut provider = provider();
    let letter = |spec: &CloudAccountSpec, provider: &ProviderProfileSpec| kit(spec, provider).unwrap()["README.md"].clone();
    let plain = letter(&spec, &provider);
    let activate = plain.find("activate-organizations-access").unwrap();
    assert!(activate < plain.find("create-stack-set").unwrap() && plain.contains("DELEGATED_ADMIN"), "{plain}");
    assert!(plain.contains("--regions us-east-1") && !plain.contains("AccountFilterType"), "{plain}");
    spec.target.aws_organization.as_mut().unwrap().exclude = vec!["222222222222".into(), "333333333333".into()];
    let targets = "OrganizationalUnitIds=ROOT-OR-UNIT-ID,AccountFilterType=DIFFERENCE,Accounts=222222222222,333333333333\n";
    assert!(letter(&spec, &provider).contains(targets));
    for (partition, region) in [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")] {
        provider.aws.as_mut().unwrap().principal_arn = format!("arn:{partition}:iam::999999999999:user/caretaker");
        let letter = letter(&spec, &provider);
        assert!(letter.contains(&format!("--regions {region}")) && !letter.contains("us-east-1"), "{letter}");
    }
}

#[test]
fn the_letter_says_what_the_lister_can_do_beside_listing() {
    let letter = |allow: &[&str]| kit(&organization(allow), &provider()).unwrap()["README.md"].clone();
    assert!(letter(&[]).contains("can list the accounts and do nothing else."));
    let closes = letter(&["Revoke"]);
    assert!(closes.contains("change its own trust policy") && !closes.contains("do nothing else"), "{closes}");
}

#[test]
fn an_organization_without_its_external_id_has_no_kit() {
    let spec = spec(json!({"awsOrganization": {"accountId": "111122223333"}}), &[]);
    assert!(kit(&spec, &provider()).is_none());
}

#[test]
fn the_tenant_kit_goes_through_the_subscriptions_one_by_one() {
    let named = spec(json!({"azureTenant": {"tenantId": "T", "subscriptionIds": ["AA", "BB"]}}), &[]);
    let files = kit(&named, &provider()).unwrap();
    assert!(files["caretaker-delegate.sh"].contains("for subscription in aa bb; do"), "{}", files["caretaker-delegate.sh"]);
    let template: Value = serde_json::from_str(&files["caretaker-access.azure.json"]).unwrap();
    assert_eq!(template["resources"].as_array().unwrap().len(), 2);
    let all = spec(json!({"azureTenant": {"tenantId": "T"}}), &[]);
    let files = kit(&all, &provider()).unwrap();
    assert!(files["caretaker-delegate.sh"].contains("homeTenantId=='t'"));
    assert!(files["README.md"].contains("deployIfNotExists"));
}

#[test]
fn the_folder_kit_grants_what_is_tested_and_nothing_else() {
    let spec = spec(json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}}), &["Revoke"]);
    let files = kit(&spec, &provider()).unwrap();
    let body = hcl::parse(&files["caretaker-access.tf"]).unwrap();
    let granted: BTreeSet<String> = body
        .blocks()
        .filter(|block| block.labels()[0].as_str().ends_with("_iam_custom_role"))
        .flat_map(|block| block.body().attributes().find(|attribute| attribute.key() == "permissions").cloned())
        .flat_map(|attribute| match attribute.expr {
            hcl::Expression::Array(list) => list,
            _ => Vec::new(),
        })
        .map(|permission| permission.to_string().trim_matches('"').to_owned())
        .collect();
    let grant = caretaker_core::grant::grant("acme", "folder", &spec, &provider()).unwrap();
    let asked: BTreeSet<String> = wanted(&spec, &grant).into_iter().map(|wanted| wanted.action).collect();
    assert_eq!(granted, asked);
}

#[test]
fn two_folders_of_one_organisation_have_roles_of_their_own() {
    let ids = |folder: &str| -> BTreeSet<String> {
        let spec = spec(json!({"gcpFolder": {"folderId": folder, "serviceAccountProjectId": "acme-seed"}}), &["Revoke"]);
        let files = kit(&spec, &provider()).unwrap();
        let body = hcl::parse(&files["caretaker-access.tf"]).unwrap();
        let ids = body.blocks().flat_map(|block| block.body().attributes()).filter(|attribute| attribute.key() == "role_id");
        ids.map(|attribute| attribute.expr.to_string().trim_matches('"').to_owned()).collect()
    };
    let (one, other) = (ids("77"), ids("12345678901234567890"));
    assert_eq!((one.len(), other.len(), one.intersection(&other).count()), (2, 2, 0), "{one:?} {other:?}");
    let is_legal = |id: &String| (3..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
    assert!(one.iter().chain(&other).all(is_legal), "{one:?} {other:?}");
}

#[test]
fn the_project_of_the_service_account_has_the_apis_on_that_it_pays_for() {
    let spec = spec(json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}}), &[]);
    let mut provider = provider();
    let files = kit(&spec, &provider).unwrap();
    let body = hcl::parse(&files["caretaker-access.tf"]).unwrap();
    let services: Vec<&hcl::Block> = body.blocks().filter(|block| block.labels()[0].as_str() == "google_project_service").collect();
    assert_eq!(services.len(), LISTING.len() + TELLING.len());
    for block in services {
        let of = |key: &str| block.body().attributes().find(|attribute| attribute.key() == key).unwrap().expr.to_string();
        assert_eq!((of("project").as_str(), of("disable_on_destroy").as_str()), ("\"acme-seed\"", "false"));
    }
    let letter = &files["README.md"];
    assert!(letter.contains("project acme-seed, which holds the service account") && letter.contains(LISTING[0]), "{letter}");
    provider.gcp.as_mut().unwrap().quota_project = Some("provider-quota".into());
    let files = kit(&spec, &provider).unwrap();
    let (terraform, letter) = (&files["caretaker-access.tf"], &files["README.md"]);
    assert_eq!(terraform.matches("google_project_service\"").count(), TELLING.len(), "the lists are paid for elsewhere");
    assert!(!terraform.contains(LISTING[0]) && letter.contains("provider-quota") && letter.contains(TELLING[1]), "{letter}");
}

#[test]
fn the_provider_lets_a_folder_s_account_use_its_quota_once() {
    let folder = spec(json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}}), &[]);
    let mut member = folder.clone();
    member.target = folder.target.member("acme-shop", None);
    let mut provider = provider();
    assert_eq!(provider_command(&folder, &provider), None, "each project pays itself");
    provider.gcp.as_mut().unwrap().quota_project = Some("provider-quota".into());
    let command = provider_command(&folder, &provider).unwrap();
    assert!(command.contains("'provider-quota' --member='serviceAccount:caretaker@acme-seed.iam.gserviceaccount.com'"), "{command}");
    assert_eq!(provider_command(&member, &provider), Some(command), "the service account is the same");
    assert_eq!(provider_command(&organization(&[]), &provider), None);
}

#[test]
fn a_project_of_a_folder_names_the_folders_service_account() {
    let parent: caretaker_api::cloud_account::CloudTarget =
        serde_json::from_value(json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}})).unwrap();
    let mut member = spec(json!({"gcp": {"projectId": "x-project"}}), &[]);
    member.target = parent.member("acme-shop", None);
    let files = kit(&member, &provider()).unwrap();
    assert!(files["README.md"].contains("caretaker@acme-seed.iam.gserviceaccount.com"), "{}", files["README.md"]);
    let grant = caretaker_core::grant::grant("acme", "m", &member, &provider()).unwrap();
    let AccessGrant::Gcp(grant) = grant else { panic!("{grant:?}") };
    assert_eq!((grant.project_id.as_str(), grant.service_account.as_str()), ("acme-shop", "caretaker@acme-seed.iam.gserviceaccount.com"));
}
