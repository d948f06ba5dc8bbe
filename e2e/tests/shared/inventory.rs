//! The inventory of a whole account: machines, databases, clusters, functions, load balancers, keys, buckets, trails and principals, each with its own cell.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use serde_json::Value;

const REGION: &str = "eu-west-1";

fn counts(lab: &Lab) -> Result<BTreeMap<String, u64>> {
    let account = lab.kubectl.get(&["ca", "prod", "-n", "client-wide"])?;
    let mut counts: BTreeMap<String, u64> = serde_json::from_value(account["status"]["inventory"]["byType"].clone())?;
    // Our own backup policy makes one meanwhile.
    counts.remove("backup-vault");
    Ok(counts)
}

/// Every asset, by AWS's own type and id.
fn assets(lab: &Lab) -> Result<Vec<Value>> {
    let store = lab.installed.volume("store").display().to_string();
    let text = lab.plugin(&["inventory", "wide", "--store", &store, "-o", "json"])?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[test]
fn every_kind_of_asset_is_read_and_a_denied_service_loses_nothing() -> Result<()> {
    let lab = lab();
    let client = Client::new("wide", "200000000401", REGION);
    lab.cloud.call(&["furnish", &client.account, REGION], "")?;
    lab.cloud.call(&["instances", &client.account, REGION, "2"], "")?;
    lab.onboard(&client)?;
    let coverage = lab.plugin(&["coverage", "wide"])?;
    ensure!(coverage.contains("prod: 20/20 cells read completely"), "{coverage}");
    let found = assets(lab)?;
    for (native, id) in [
        ("AWS::RDS::DBInstance", "orders"),
        ("AWS::DynamoDB::Table", "carts"),
        ("AWS::EKS::Cluster", "shop"),
        ("AWS::Lambda::Function", "resize"),
        ("AWS::S3::Bucket", "backups-200000000401"),
        ("AWS::IAM::Role", "service"),
        ("AWS::IAM::User", "deploy"),
    ] {
        ensure!(found.iter().any(|asset| asset["nativeType"] == native && asset["id"] == id), "{native} {id} is not in {found:?}");
    }
    let named = |native: &str, name: &str| found.iter().find(|asset| asset["nativeType"] == native && asset["name"] == name).cloned();
    named("AWS::ElasticLoadBalancingV2::LoadBalancer", "front").context("the load balancer")?;
    named("AWS::CloudTrail::Trail", "audit").context("the trail")?;
    let key = named("AWS::KMS::Key", "alias/orders").context("the key under its alias")?;
    ensure!(key["facts"]["manager"] == "CUSTOMER", "{key}");
    let database = named("AWS::RDS::DBInstance", "orders").context("the database")?;
    ensure!(database["tags"]["team"] == "shop" && database["facts"]["engine"] == "postgres", "{database}");

    // The client takes one permission away: the cell says so, and the database stays in the inventory.
    let before = counts(lab)?;
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["rds:DescribeDBInstances","s3:ListAllMyBuckets"],"Resource":"*"}]}"#;
    lab.cloud.call(&["put-policy", &client.account, "CaretakerAccess", "deny"], deny)?;
    lab.poke("wide")?;
    let account = ["ca", "prod", "-n", "client-wide"];
    lab.condition(&account, "InventoryComplete", "False", "Incomplete")?;
    let message = lab.condition(&account, "PermissionsSufficient", "False", "PermissionsMissing")?;
    ensure!(message.contains("rds:DescribeDBInstances") && message.contains("s3:ListAllMyBuckets"), "{message}");
    let gaps = lab.plugin(&["coverage", "wide"])?;
    for part in ["18/20", "rds/instances", "s3/buckets", "Denied"] {
        ensure!(gaps.contains(part), "{part} is not in {gaps}");
    }
    ensure!(counts(lab)? == before, "{:?} is not {before:?}", counts(lab)?);
    Ok(())
}

#[test]
fn the_bundle_imports_what_the_client_owns_and_tells_what_it_leaves_out() -> Result<()> {
    let lab = lab();
    let client = Client::new("owner", "200000000402", "eu-west-2");
    lab.cloud.call(&["furnish", &client.account, "eu-west-2"], "")?;
    lab.onboard(&client)?;
    lab.plugin(&["exit", "owner", "--wait"])?;
    let handovers = lab.kubectl.get(&["handover", "-n", "client-owner"])?;
    let address = handovers["items"][0]["status"]["bundle"]["address"].as_str().context("a rehearsal makes a bundle")?.to_owned();
    let folder = tempfile::tempdir()?;
    let identity = folder.path().join("identity.txt");
    std::fs::write(&identity, &client.identity)?;
    let key = lab.kubectl.get(&["pprof", "default"])?["status"]["signing"]["publicKey"].as_str().context("a public key")?.to_owned();
    let (bundle, into) = (lab.installed.volume("store").join(address), folder.path().join("bag"));
    std::fs::create_dir(&into)?;
    let folder_text = into.display().to_string();
    let (bundle, identity) = (bundle.display().to_string(), identity.display().to_string());
    lab.plugin(&["bundle", "open", &bundle, "--public-key", &key, "--identity", &identity, "--into", &folder_text])?;
    let inside = std::fs::read_dir(&into)?.next().context("the bag")??.path();
    let data = inside.join("data");
    let imports = std::fs::read_to_string(data.join("04-iac/aws-200000000402/imports.tf"))?;
    for resource in [
        "aws_db_instance.",
        "aws_dynamodb_table.",
        "aws_eks_cluster.",
        "aws_lambda_function.",
        "aws_lb.",
        "aws_kms_key.",
        "aws_s3_bucket.",
        "aws_iam_role.",
    ] {
        ensure!(imports.contains(resource), "{resource} is not in {imports}");
    }
    let skipped = std::fs::read_to_string(data.join("04-iac/skipped.json"))?;
    let gaps = std::fs::read_to_string(data.join("14-gaps.json"))?;
    ensure!(
        gaps.contains("Resource Explorer does not show all of them") && gaps.contains("it is off"),
        "what may be missing is told: {gaps}"
    );
    ensure!(skipped.contains("CaretakerAccess") && skipped.contains("way in"), "{skipped}");
    Ok(())
}
