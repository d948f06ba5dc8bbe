//! Every document for representative and for hostile inputs, byte for byte. After an intended change: `INSTA_UPDATE=always cargo test --test snapshots`.

use std::collections::BTreeMap;

use caretaker_api::cloud_account::CloudAccountSpec;
use caretaker_api::handover::{Frozen, HandoverMode};
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_api::{CloudAccount, ManagedClient, ProviderProfile};
use caretaker_cloud::Asset;
use caretaker_core::handover::contents::{BundleName, Inputs};
use caretaker_core::handover::iac::Export;
use caretaker_documents::kit::azure::Delegation;
use caretaker_documents::kit::gcp::GcpKit;
use caretaker_documents::kit::{self, Subject};
use caretaker_documents::{handover, permissions};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const HOSTILE: &str = "a'b\"c$(touch owned)`x`${y}%{z}{{ q }}{% r %}<&>\n}\n# \\ 日本";

fn made<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// One text with a mark at each file's end, since a snapshot does not tell how many line ends stand there.
fn shown(files: BTreeMap<String, String>) -> String {
    files.into_iter().map(|(name, text)| format!("==== {name}\n{text}<end of {name}>\n")).collect()
}

fn provider(partition: &str, quota_project: Option<&str>) -> ProviderProfileSpec {
    made(json!({
        "displayName": "Care", "contacts": [{"name": "Jo\nDoe", "email": "jo@care.example"}],
        "aws": {"principalArn": format!("arn:{partition}:iam::999999999999:user/caretaker")},
        "azure": {"tenantId": "AAAAAAAA-1111-4222-8333-444444444444", "clientId": "c", "principalId": "CCCCCCCC-1111-4222-8333-444444444444"},
        "gcp": {
            "projectId": "provider-project", "principal": "caretaker@provider-project.iam.gserviceaccount.com",
            "quotaProject": quota_project, "customerId": quota_project.map(|_| "C0abc123"),
        },
    }))
}

fn kit_of(target: Value, allow: &[&str], provider: &ProviderProfileSpec) -> String {
    let mut spec = target;
    spec["allow"] = json!(allow);
    let spec: CloudAccountSpec = made(spec);
    let subject = Subject { client: "acme", account: "prod", spec: &spec, provider };
    let mut files = kit::files(&subject).unwrap();
    files.extend(kit::provider_command(&spec, provider).map(|command| ("(for the provider)".to_owned(), command)));
    shown(files)
}

#[test]
fn kits_of_aws() {
    let account = || json!({"aws": {"accountId": "111122223333", "externalId": "abc123"}});
    for (name, partition, allow) in
        [("aws", "aws", &[][..]), ("aws_all", "aws", &["Backup", "Revoke"]), ("aws_china", "aws-cn", &["Backup"])]
    {
        insta::assert_snapshot!(name, kit_of(account(), allow, &provider(partition, None)));
    }
    let odd = json!({"aws": {"accountId": "111122223333", "externalId": HOSTILE, "roleName": HOSTILE}});
    insta::assert_snapshot!("aws_hostile", kit_of(odd, &["Backup", "Revoke"], &provider("aws", None)));
}

#[test]
fn kits_of_organizations() {
    let organization =
        |exclude: &[&str]| json!({"awsOrganization": {"accountId": "111122223333", "externalId": "abc123", "exclude": exclude}});
    insta::assert_snapshot!("organization", kit_of(organization(&[]), &[], &provider("aws", None)));
    let excluded = organization(&["222222222222", "333333333333"]);
    insta::assert_snapshot!("organization_all", kit_of(excluded, &["Backup", "Revoke"], &provider("aws-us-gov", None)));
}

#[test]
fn kits_of_azure() {
    let account = json!({"azure": {"subscriptionId": "BBBBBBBB-1111-4222-8333-444444444444"}});
    insta::assert_snapshot!("azure", kit_of(account, &["Revoke"], &provider("aws", None)));
    let tenant = |ids: &[&str]| json!({"azureTenant": {"tenantId": "DDDDDDDD-1111-4222-8333-444444444444", "subscriptionIds": ids}});
    insta::assert_snapshot!("tenant", kit_of(tenant(&[]), &[], &provider("aws", None)));
    insta::assert_snapshot!("tenant_named", kit_of(tenant(&["AA", "BB"]), &[], &provider("aws", None)));
    let delegation = Delegation {
        client: HOSTILE.into(),
        provider: HOSTILE.into(),
        subscription_id: "AA".into(),
        tenant_id: HOSTILE.into(),
        principal_id: HOSTILE.into(),
    };
    insta::assert_snapshot!("azure_hostile", shown(kit::azure::files(&delegation)));
}

#[test]
fn kits_of_google_cloud() {
    let account = || json!({"gcp": {"projectId": "example.com:acme-prod", "serviceAccountName": "caretaker-acme"}});
    insta::assert_snapshot!("gcp", kit_of(account(), &[], &provider("aws", None)));
    insta::assert_snapshot!("gcp_all", kit_of(account(), &["Backup", "Revoke"], &provider("aws", Some("provider-quota"))));
    let folder = || json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}});
    insta::assert_snapshot!("folder", kit_of(folder(), &[], &provider("aws", None)));
    insta::assert_snapshot!("folder_all", kit_of(folder(), &["Backup", "Revoke"], &provider("aws", Some("provider-quota"))));
    let shared = json!({"gcp": {"projectId": "acme-shop", "serviceAccountName": "caretaker", "serviceAccountProjectId": "acme-seed"}});
    insta::assert_snapshot!("folder_project", kit_of(shared, &[], &provider("aws", None)));
    let purposes = [caretaker_cloud::Purpose::Read, caretaker_cloud::Purpose::Revoke];
    let odd = GcpKit {
        client: HOSTILE,
        project_id: HOSTILE,
        account_name: HOSTILE,
        member: HOSTILE,
        quota_project: None,
        customer_id: Some(HOSTILE),
        purposes: &purposes,
    };
    insta::assert_snapshot!("gcp_hostile", shown(odd.files()));
}

fn targets() -> Vec<Value> {
    vec![
        json!({"aws": {"accountId": "111122223333", "externalId": "abc123", "roleName": HOSTILE}}),
        json!({"awsOrganization": {"accountId": "111122223333", "externalId": "abc123"}}),
        json!({"azure": {"subscriptionId": "BBBBBBBB-1111-4222-8333-444444444444"}}),
        json!({"azureTenant": {"tenantId": "DDDDDDDD-1111-4222-8333-444444444444"}}),
        json!({"gcp": {"projectId": "example.com:acme-prod", "serviceAccountName": "caretaker-acme"}}),
        json!({"gcpFolder": {"folderId": "77", "serviceAccountProjectId": "acme-seed"}}),
    ]
}

/// Of each cloud one thing that is imported, one whose id and name are hostile, and one that nobody knows.
fn export(accounts: &[CloudAccount], provider: &ProviderProfileSpec) -> Export {
    let mut export = Export::new(accounts, provider);
    let asset = |cloud: &str, account: &str, region: &str, native: &str, id: &str| -> Asset {
        made(json!({
            "id": id, "cloud": cloud, "account": account, "region": region, "type": "other", "nativeType": native, "service": "",
            "name": id, "tags": {}, "facts": {}, "source": "", "seenAt": "2026-11-28T00:00:00Z",
        }))
    };
    let group = "/subscriptions/bbbbbbbb-1111-4222-8333-444444444444/resourcegroups/prod/providers";
    for (cloud, account, region, native, id) in [
        ("aws", "111122223333", "eu-west-1", "AWS::EC2::Instance", "i-0000"),
        ("aws", "111122223333", "eu-west-1", "AWS::EC2::Instance", HOSTILE),
        ("aws", "111122223333", "all", "AWS::IAM::User", "jo"),
        ("aws", "111122223333", "eu-west-1", "glue:job", "arn:aws:glue:eu-west-1:111122223333:job/one"),
        (
            "azure",
            "bbbbbbbb-1111-4222-8333-444444444444",
            "westeurope",
            "microsoft.network/virtualnetworks",
            &format!("{group}/microsoft.network/virtualnetworks/hub"),
        ),
        ("azure", "bbbbbbbb-1111-4222-8333-444444444444", "westeurope", "microsoft.odd/things", HOSTILE),
        (
            "gcp",
            "example.com:acme-prod",
            "europe-west1-b",
            "compute.googleapis.com/Instance",
            "//compute.googleapis.com/projects/example.com:acme-prod/zones/europe-west1-b/instances/web",
        ),
        ("gcp", HOSTILE, "global", "pubsub.googleapis.com/Topic", "//pubsub.googleapis.com/projects/x/topics/t"),
    ] {
        export.add(&asset(cloud, account, region, native, id));
    }
    export
}

#[test]
fn the_bundle() {
    let client: ManagedClient = made(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
        "spec": {
            "displayName": HOSTILE, "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
            "accounts": [], "exit": {"recipients": ["age1"]},
        },
    }));
    let profile: ProviderProfile = made(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "p"}, "spec": provider("aws", None),
    }));
    let accounts: Vec<CloudAccount> = targets()
        .into_iter()
        .enumerate()
        .map(|(number, spec)| {
            made(json!({
                "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": format!("account-{number}")}, "spec": spec,
            }))
        })
        .collect();
    let readings = [made(json!({"account": "prod", "gap": ""})), made(json!({"account": "old", "gap": "closed"}))];
    let export = export(&accounts, &profile.spec);
    for (name, mode) in [("bundle_rehearsal", HandoverMode::Rehearsal), ("bundle_final", HandoverMode::Final)] {
        let frozen = Frozen { at: Some(made(json!("2026-11-28T00:00:00Z"))), ..Frozen::default() };
        let inputs = Inputs {
            mode,
            bundle: BundleName { file: "acme-final-8a1b.tar.zst.age", folder: "acme-final" },
            frozen: &frozen,
            client: &client,
            profile: &profile,
            accounts: &accounts,
            readings: &readings,
            monitoring: &[],
            policies: &[],
            export: &export,
            further_gaps: &[],
            copied: &[],
            withheld: &[],
            acceptance_code: (mode == HandoverMode::Final).then_some("K7Q01-00000-00000-00000"),
            ledger: None,
            risks: &[],
        };
        insta::assert_snapshot!(name, shown(handover::files(&inputs)));
    }
}

#[test]
fn the_page_of_permissions() {
    insta::assert_snapshot!("permissions", format!("{}<end>", permissions::page()));
}
