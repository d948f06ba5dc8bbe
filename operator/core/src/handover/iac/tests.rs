use caretaker_api::ProviderProfile;
use caretaker_cloud::catalog::aws::AwsType;
use serde_json::{Value, json};

use super::*;

fn made<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn provider(partition: &str) -> ProviderProfileSpec {
    let profile: ProviderProfile = made(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "p"},
        "spec": {"displayName": "Care", "contacts": [], "aws": {"principalArn": format!("arn:{partition}:iam::999999999999:user/caretaker")}},
    }));
    profile.spec
}

fn account(target: &Value) -> CloudAccount {
    made(json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "a"}, "spec": target}))
}

fn export() -> Export {
    let accounts = [
        account(&json!({"aws": {"accountId": "222222222222", "externalId": "e", "roleName": "CaretakerAccess"}})),
        account(&json!({"gcp": {"projectId": "shop-1", "serviceAccountName": "caretaker"}})),
    ];
    Export::new(&accounts, &provider("aws"))
}

fn aws(kind: AwsType, account: &str, region: &str, id: &str) -> Asset {
    Asset {
        native_type: kind.native_type().into(),
        service: kind.service().into(),
        name: id.into(),
        ..Asset::new(Cloud::Aws, account, region, kind.asset_type(), id)
    }
}

fn shown(word: &str, account: &str, region: &str, arn: &str) -> Asset {
    Asset { native_type: word.into(), ..aws(AwsType::Other, account, region, arn) }
}

fn azure(native: &str, id: &str) -> Asset {
    Asset { native_type: native.into(), ..Asset::new(Cloud::Azure, "AAAA-1", "westeurope", AssetType::Other, id) }
}

fn all(assets: impl IntoIterator<Item = Asset>) -> Export {
    let mut export = export();
    assets.into_iter().for_each(|asset| export.add(&asset));
    let report = export.report();
    assert_eq!(report.exported + report.skipped, report.inventory);
    for counted in &report.accounts {
        let own = report.assets.iter().filter(|asset| json!(asset)["account"].as_str().unwrap().eq_ignore_ascii_case(&counted.account));
        assert_eq!((counted.exported + counted.skipped, own.count()), (counted.inventory, counted.skipped));
    }
    export
}

fn regions(export: &Export) -> Vec<(String, Vec<&str>)> {
    export.accounts().map(|account| (account.folder(), account.regions().into_iter().collect())).collect()
}

fn reasons(export: &Export) -> Vec<String> {
    export.report().assets.iter().map(|asset| json!(asset)["reason"].as_str().unwrap().to_owned()).collect()
}

/// A case from practice: each provider block is one that the provider takes, and what has no place is told.
#[test]
fn what_is_in_no_region_is_imported_in_one_of_its_partition() {
    let export = all([
        aws(AwsType::Role, "222222222222", EVERYWHERE, "deploy"),
        aws(AwsType::User, "222222222222", EVERYWHERE, "jo"),
        aws(AwsType::Bucket, "222222222222", EVERYWHERE, "nowhere"),
        aws(AwsType::Instance, "222222222222", "eu-west-1", "i-1"),
        aws(AwsType::Role, "333333333333", EVERYWHERE, "deploy"),
        aws(AwsType::Instance, "333333333333", "us-gov-east-1", "i-2"),
        aws(AwsType::Bucket, "444444444444", "EU", "old"),
        aws(AwsType::Role, "444444444444", EVERYWHERE, "deploy"),
    ]);
    let expected = [
        ("aws-222222222222".to_owned(), vec!["eu-west-1", "us-east-1"]),
        ("aws-333333333333".to_owned(), vec!["us-gov-east-1", "us-gov-west-1"]),
        ("aws-444444444444".to_owned(), vec!["us-east-1"]),
    ];
    assert_eq!(regions(&export), expected);
    assert_eq!(reasons(&export).len(), 2, "{:?}", reasons(&export));
}

#[test]
fn the_partition_is_that_of_the_provider_s_principal_where_the_account_shows_none() {
    let mut export = Export::new(&[], &provider("aws-cn"));
    export.add(&aws(AwsType::Role, "222222222222", EVERYWHERE, "deploy"));
    assert_eq!(regions(&export)[0].1, ["cn-north-1"]);
    let arn = [("arn".to_owned(), "arn:aws-us-gov:iam::222222222222:role/deploy".to_owned())].into();
    export.add(&Asset { facts: arn, ..aws(AwsType::Role, "222222222222", EVERYWHERE, "read") });
    assert_eq!(regions(&export)[0].1, ["us-gov-west-1"]);
}

#[test]
fn the_same_log_group_in_two_accounts_and_two_regions_is_four_blocks() {
    let group = |account: &str, region: &str| {
        shown("logs:log-group", account, region, &format!("arn:aws:logs:{region}:{account}:log-group:/aws/lambda/web"))
    };
    let places =
        [("222222222222", "eu-west-1"), ("222222222222", "us-east-1"), ("333333333333", "eu-west-1"), ("333333333333", "us-east-1")];
    let export = all(places.map(|(account, region)| group(account, region)));
    let blocks: Vec<(&str, &str, &str)> = export
        .accounts()
        .flat_map(|account| account.blocks().values().map(move |block| (account.id.as_str(), account.region_of(block), block.id.as_str())))
        .collect();
    assert_eq!(blocks.len(), 4, "{blocks:?}");
    assert!(blocks.iter().all(|(account, region, id)| places.contains(&(*account, *region)) && *id == "/aws/lambda/web"), "{blocks:?}");
    assert!(export.accounts().all(|account| account.regions().len() == 2));
}

#[test]
fn a_network_in_two_letter_cases_is_one_import() {
    let id = "/subscriptions/AAAA-1/resourceGroups/Prod/providers/Microsoft.Network/virtualNetworks/Hub";
    let export = all([
        azure("microsoft.network/virtualnetworks", &id.to_lowercase()),
        Asset { account: "aaaa-1".into(), ..azure("Microsoft.Network/virtualNetworks", id) },
    ]);
    assert_eq!(export.accounts().count(), 1);
    let account = export.accounts().next().unwrap();
    assert_eq!((account.blocks().len(), account.folder().as_str()), (1, "azure-aaaa-1"));
    assert!(reasons(&export)[0].contains("twice"), "{:?}", reasons(&export));
    assert!(export.gaps().is_empty());
}

#[test]
fn what_is_not_the_client_s_to_manage_is_skipped_and_no_gap() {
    let google = |email: &str| Asset {
        native_type: "iam.googleapis.com/ServiceAccount".into(),
        ..Asset::new(
            Cloud::Gcp,
            "shop-1",
            "global",
            AssetType::Principal,
            &format!("//iam.googleapis.com/projects/shop-1/serviceAccounts/{email}"),
        )
    };
    let built_in = |kind: AwsType, id: &str| Asset { built_in: true, ..aws(kind, "222222222222", "eu-west-1", id) };
    let export = all([
        aws(AwsType::Role, "222222222222", EVERYWHERE, "CaretakerAccess"),
        aws(AwsType::Role, "333333333333", EVERYWHERE, "CaretakerAccess"),
        built_in(AwsType::Role, "AWSServiceRoleForRDS"),
        built_in(AwsType::Key, "k"),
        built_in(AwsType::Vpc, "vpc-1"),
        built_in(AwsType::SecurityGroup, "sg-1"),
        Asset { power: Some(Power::Gone), ..aws(AwsType::Instance, "222222222222", "eu-west-1", "i-9") },
        google("caretaker@shop-1.iam.gserviceaccount.com"),
        google("web@shop-1.iam.gserviceaccount.com"),
    ]);
    assert_eq!(
        export.report().exported,
        2,
        "a role of the client's that is called as ours, in another account, and an account of the client's"
    );
    assert!(export.gaps().is_empty(), "{:?}", export.gaps());
}

#[test]
fn what_two_accounts_show_is_imported_once_and_what_one_shows_in_two_regions_twice() {
    let subnet = |account: &str, region: &str| aws(AwsType::Subnet, account, region, "subnet-1");
    let export = all([subnet("222222222222", "eu-west-1"), subnet("333333333333", "eu-west-1"), subnet("222222222222", "us-east-1")]);
    assert_eq!(export.report().exported, 2);
    assert_eq!(reasons(&export), ["account 222222222222 shows it too, and imports it"]);
    let twice = all([subnet("222222222222", "eu-west-1"), subnet("222222222222", "eu-west-1")]);
    assert_eq!(reasons(&twice), ["the inventory shows it twice, and it is imported once"]);
}

#[test]
fn what_has_no_type_is_one_gap_for_each_type_of_a_cloud() {
    let export = all([
        shown("glue:job", "222222222222", "eu-west-1", "arn:aws:glue:eu-west-1:222222222222:job/a"),
        shown("glue:job", "333333333333", "eu-west-1", "arn:aws:glue:eu-west-1:333333333333:job/b"),
        azure("microsoft.quantum/workspaces", "/subscriptions/aaaa-1/resourcegroups/prod/providers/microsoft.quantum/workspaces/q"),
        aws(AwsType::Bucket, "222222222222", EVERYWHERE, "nowhere"),
        aws(AwsType::Instance, "222222222222", "eu-west-1", ""),
    ]);
    let gaps = export.gaps();
    let said: Vec<(&str, &str, usize)> = gaps.iter().map(|gap| (gap.cloud.as_str(), gap.native_type.as_str(), gap.count)).collect();
    let expected = [
        ("aws", "AWS::EC2::Instance", 1),
        ("aws", "AWS::S3::Bucket", 1),
        ("aws", "glue:job", 2),
        ("azure", "microsoft.quantum/workspaces", 1),
    ];
    assert_eq!(said, expected);
    assert!(gaps.iter().all(|gap| !gap.reason.is_empty()));
}

#[test]
fn one_more_asset_changes_no_address() {
    let assets = |count: usize| (0..count).map(|number| aws(AwsType::Instance, "222222222222", "eu-west-1", &format!("i-{number:04x}")));
    let addresses = |export: &Export| -> Vec<String> { export.accounts().flat_map(|account| account.blocks().keys().cloned()).collect() };
    let (before, after) =
        (addresses(&all(assets(3))), addresses(&all(assets(4).chain([aws(AwsType::Role, "222222222222", EVERYWHERE, "i-0000")]))));
    assert!(before.iter().all(|address| after.contains(address)), "{after:?}");
    assert_eq!(before[0], "aws_instance.i_0000_eu_west_1");
}

#[test]
fn folders_are_names_of_files_on_every_machine() {
    let folder = |cloud, id: &str| Account::new(cloud, id, None).folder();
    assert_eq!(folder(Cloud::Gcp, "shop-1"), "gcp-shop-1");
    let odd = ["example.com:shop", "example.com-shop", "../up", "CON", "", &"x".repeat(300)];
    let folders: BTreeSet<String> = odd.iter().map(|id| folder(Cloud::Gcp, id)).collect();
    assert_eq!(folders.len(), odd.len(), "{folders:?}");
    let portable = |name: &String| name.len() <= 76 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    assert!(folders.iter().all(portable), "{folders:?}");
}
