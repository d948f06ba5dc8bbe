//! The bundle's code, run by OpenTofu as its read-me says, with providers that check regions, accounts and ids as the real ones do.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_api::handover::{Frozen, HandoverMode};
use caretaker_api::{CloudAccount, ManagedClient, ProviderProfile};
use caretaker_cloud::catalog::aws::AwsType;
use caretaker_cloud::catalog::{azure, gcp};
use caretaker_cloud::{Asset, AssetType, Cloud as AssetCloud, EVERYWHERE};
use caretaker_core::handover::contents::{BundleName, Inputs};
use caretaker_core::handover::iac::Export;
use caretaker_documents::handover::files;
use caretaker_testkit::emulator::{Cloud, Emulator};
use caretaker_testkit::process::run;
use caretaker_testkit::tofu::{Tofu, commands};
use serde_json::{Value, json};

/// An account that no bundle is of.
const STRANGER: &str = "200000000999";

/// Judges `04-iac` of a bundle whose files are below this folder: the counts, then each account's folder.
pub fn judge(data: &Path, cloud: &Cloud, is_real: bool) -> Result<()> {
    let stage = Tofu::new(cloud, is_real)?;
    let read_me = std::fs::read_to_string(data.join("00-READ-ME-FIRST.md"))?;
    let commands = commands(&read_me);
    ensure!(commands.len() == 2 && commands[0] == "tofu init", "{commands:?} of {read_me}");
    let report: Value = serde_json::from_slice(&std::fs::read(data.join("04-iac/skipped.json"))?)?;
    let count = |value: &Value, name: &str| value[name].as_u64().with_context(|| format!("{name} of {value}"));
    ensure!(count(&report, "exported")? + count(&report, "skipped")? == count(&report, "inventory")?, "{report}");
    ensure!(report["assets"].as_array().is_some_and(|assets| Some(assets.len() as u64) == report["skipped"].as_u64()), "{report}");
    if is_real {
        let lines = listed(&data.join("02-inventory"))?;
        ensure!(lines == count(&report, "inventory")?, "{lines} assets are listed: {report}");
    }
    ensure!(read_me.contains(&format!("{} of {} assets have an import block", report["exported"], report["inventory"])), "{read_me}");
    for account in report["accounts"].as_array().context("accounts")? {
        ensure!(count(account, "exported")? + count(account, "skipped")? == count(account, "inventory")?, "{account}");
        let Some(folder) = account["folder"].as_str() else { continue };
        let (id, exported) = (account["account"].as_str().context("an id")?, count(account, "exported")?);
        judge_folder(&stage, &data.join("04-iac").join(folder), (account["cloud"].as_str().unwrap_or_default(), id), (exported, &commands))
            .with_context(|| folder.to_owned())?;
    }
    Ok(())
}

/// Assets in the inventories of a bundle.
fn listed(folder: &Path) -> Result<u64> {
    let mut lines = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "zst") {
            lines += run(Command::new("zstd").arg("-dcq").arg(path))?.lines().count() as u64;
        }
    }
    Ok(lines)
}

/// Imports only, in the right account only, and into a state by the code that was generated.
fn judge_folder(stage: &Tofu<'_>, folder: &Path, (cloud, account): (&str, &str), (exported, commands): (u64, &[&str])) -> Result<()> {
    let own = tempfile::tempdir_in(stage.folder())?;
    for name in ["providers.tf", "imports.tf"] {
        std::fs::copy(folder.join(name), own.path().join(name))?;
    }
    let expected = format!("Plan: {exported} to import, 0 to add, 0 to change, 0 to destroy.");
    stage.text(commands[0], own.path(), account)?;
    if cloud == "aws" {
        let refused = stage.run(commands[1], own.path(), STRANGER)?;
        let said = String::from_utf8_lossy(&refused.stderr);
        ensure!(!refused.status.success() && said.contains("AWS account ID not allowed"), "the wrong account was let in: {said}");
        ensure!(stage.journal()?.is_empty(), "something was read before the wrong account was refused");
        // What OpenTofu left of it is in the way of the next one.
        let _ = std::fs::remove_file(own.path().join("generated.tf"));
    }
    let plan = stage.text(commands[1], own.path(), account)?;
    ensure!(plan.contains(&expected), "{expected} is not said: {plan}");
    let imported = stage.journal()?.iter().filter(|step| step["step"] == "import" && step["account"] == account).count() as u64;
    ensure!(imported == exported, "{imported} of {exported} were imported");
    let generated = std::fs::read_to_string(own.path().join("generated.tf"))?;
    ensure!(generated.matches("\nresource \"").count() as u64 == exported, "{generated}");
    let again = stage.text("tofu plan", own.path(), account)?;
    ensure!(again.contains(&expected), "{expected} is not said with the code that was generated: {again}");
    let applied = stage.text("tofu apply -auto-approve", own.path(), account)?;
    ensure!(applied.contains(&format!("{exported} imported, 0 added, 0 changed, 0 destroyed")), "{applied}");
    let settled = stage.text("tofu plan", own.path(), account)?;
    ensure!(settled.contains("No changes."), "{settled}");
    stage.journal()?;
    Ok(())
}

fn asset(cloud: AssetCloud, account: &str, region: &str, native: &str, id: &str) -> Asset {
    Asset { native_type: native.into(), name: "a\"\n}\nresource".into(), ..Asset::new(cloud, account, region, AssetType::Other, id) }
}

const ACCOUNTS: [(&str, &str, &str); 3] =
    [("200000000901", "eu-west-1", "aws"), ("200000000902", "us-east-1", "aws"), ("200000000903", "us-gov-east-1", "aws-us-gov")];
const SUBSCRIPTION: &str = "bbbbbbbb-0000-4000-8000-000000000901";
const PROJECT: &str = "example.com:acme-prod";

/// Of each type on AWS one thing, with an id such as AWS gives.
fn of_aws((account, region, partition): (&str, &str, &str)) -> Vec<Asset> {
    let arn = |service: &str, rest: &str| format!("arn:{partition}:{service}:{region}:{account}:{rest}");
    let listed = [
        (AwsType::Instance, region, "i-0abc1234".to_owned()),
        (AwsType::Volume, region, "vol-0abc1234".to_owned()),
        (AwsType::Vpc, region, format!("vpc-0{account}")),
        (AwsType::DbInstance, region, "orders".to_owned()),
        (AwsType::Table, region, "Carts.v2".to_owned()),
        (AwsType::EksCluster, region, "main".to_owned()),
        (AwsType::Function, region, "handler".to_owned()),
        (AwsType::LoadBalancer, region, arn("elasticloadbalancing", "loadbalancer/app/web/0123456789abcdef")),
        (AwsType::Key, region, "01234567-89ab-cdef-0123-456789abcdef".to_owned()),
        (AwsType::BackupVault, region, "Default".to_owned()),
        (AwsType::Trail, region, arn("cloudtrail", "trail/audit")),
        (AwsType::Bucket, region, format!("logs-{account}")),
        (AwsType::Bucket, EVERYWHERE, "nowhere".to_owned()),
        (AwsType::Bucket, "EU", "old".to_owned()),
        (AwsType::Role, EVERYWHERE, "deploy".to_owned()),
        (AwsType::User, EVERYWHERE, "jo@acme.example".to_owned()),
        (AwsType::PatchState, region, "i-0abc1234".to_owned()),
    ];
    let indexed = [
        ("sqs:queue", "sqs", "orders"),
        ("sns:topic", "sns", "news"),
        ("ecr:repository", "ecr", "repository/team/app"),
        ("secretsmanager:secret", "secretsmanager", "secret:db-AbCdEf"),
        ("states:stateMachine", "states", "stateMachine:ship"),
        ("elasticloadbalancing:loadbalancer", "elasticloadbalancing", "loadbalancer/classic"),
        ("elasticloadbalancing:targetgroup", "elasticloadbalancing", "targetgroup/web/0123456789abcdef"),
        ("ec2:natgateway", "ec2", "natgateway/nat-0abc1234"),
        ("glue:job", "glue", "job/nightly"),
    ];
    let of = |(kind, region, id): (AwsType, &str, String)| asset(AssetCloud::Aws, account, region, kind.native_type(), &id);
    let mut all: Vec<Asset> = listed.into_iter().map(of).collect();
    all.extend(indexed.map(|(word, service, rest)| asset(AssetCloud::Aws, account, region, word, &arn(service, rest))));
    // The same log group in each account and two of its regions.
    for region in if partition == "aws" { ["eu-west-1", "us-east-1"] } else { ["us-gov-east-1", "us-gov-west-1"] } {
        let arn = format!("arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/web");
        all.push(asset(AssetCloud::Aws, account, region, "logs:log-group", &arn));
    }
    all
}

/// Of each type on Azure one thing, in lower case as the inventory has it; the network in two letter cases.
fn of_azure() -> Vec<Asset> {
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/prod/providers");
    let id = |native: &str| {
        let (namespace, types) = native.split_once('/').unwrap_or((native, ""));
        let names: Vec<String> = types.split('/').map(|of| format!("{of}/one")).collect();
        format!("{group}/{namespace}/{}", names.join("/"))
    };
    let types = azure::GROUPS.iter().flat_map(|group| group.types).filter(|of| of.asset_type != AssetType::PatchState);
    let made = |native: &str| {
        let facts = [("os", "linux"), ("kind", "functionapp,linux")].map(|(name, fact)| (name.to_owned(), fact.to_owned()));
        Asset { facts: facts.into(), ..asset(AssetCloud::Azure, SUBSCRIPTION, "westeurope", native, &id(native)) }
    };
    let mut all: Vec<Asset> = types.map(|of| made(of.name)).collect();
    let network = "microsoft.network/virtualnetworks";
    all.push(asset(
        AssetCloud::Azure,
        SUBSCRIPTION,
        "westeurope",
        network,
        &id(network).to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions"),
    ));
    all
}

/// Of each shape of a name on Google Cloud one thing; what is named by the project's number as well.
fn of_google() -> Vec<Asset> {
    let mut all = Vec::new();
    for service in gcp::SERVICES {
        for thing in service.things {
            for (of, shape) in thing.types.iter().flat_map(|of| thing.shapes.iter().map(move |shape| (of, shape))) {
                let name = shape.replace('*', "one");
                let project = if *of == "Secret" { "123456789012/" } else { "example.com:acme-prod/" };
                let id = format!("{}{}{name}", service.names, if service.is_in_project { project } else { "" });
                let facts = [("email".to_owned(), "web@acme-prod.example.com.iam.gserviceaccount.com".to_owned())];
                let made = asset(AssetCloud::Gcp, PROJECT, "europe-west1", &format!("{}/{of}", service.api()), &id);
                all.push(Asset { facts: facts.into(), ..made });
            }
        }
    }
    all.push(asset(
        AssetCloud::Gcp,
        "123456789012",
        "global",
        "pubsub.googleapis.com/Topic",
        "//pubsub.googleapis.com/projects/123456789012/topics/t",
    ));
    all
}

/// A bundle's files for these assets, below a folder, made as a handover makes them.
fn bundle(assets: &[Asset], into: &Path) -> Result<()> {
    let client: ManagedClient = serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
            "accounts": [], "exit": {"recipients": ["age1"]},
        },
    }))?;
    let profile: ProviderProfile = serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "p"},
        "spec": {"displayName": "Care", "contacts": [], "aws": {"principalArn": "arn:aws:iam::111111111111:user/caretaker"}},
    }))?;
    let accounts: Vec<CloudAccount> = Vec::new();
    let mut export = Export::new(&accounts, &profile.spec);
    assets.iter().for_each(|asset| export.add(asset));
    let inputs = Inputs {
        mode: HandoverMode::Rehearsal,
        bundle: BundleName { file: "acme-rehearsal-1.tar.zst.age", folder: "acme-rehearsal" },
        frozen: &Frozen::default(),
        client: &client,
        profile: &profile,
        accounts: &accounts,
        readings: &[],
        monitoring: &[],
        policies: &[],
        export: &export,
        further_gaps: &[],
        copied: &[],
        withheld: &[],
        acceptance_code: None,
        ledger: None,
        risks: &[],
    };
    for (path, text) in inputs.files().into_iter().chain(files(&inputs)) {
        let path = into.join(path);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

#[test]
fn the_code_of_a_bundle_imports_and_does_nothing_else() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let emulator = Emulator::start(&folder.path().join("ministack.log"))?;
    let mut assets: Vec<Asset> = ACCOUNTS.into_iter().flat_map(of_aws).collect();
    assets.extend(of_azure());
    assets.extend(of_google());
    let data = folder.path().join("data");
    bundle(&assets, &data)?;
    judge(&data, &emulator.cloud, false)?;

    let report: Value = serde_json::from_slice(&std::fs::read(data.join("04-iac/skipped.json"))?)?;
    let skipped: BTreeMap<&str, &str> = report["assets"]
        .as_array()
        .context("assets")?
        .iter()
        .filter_map(|asset| Some((asset["id"].as_str()?, asset["reason"].as_str()?)))
        .collect();
    ensure!(report["inventory"].as_u64() == Some(assets.len() as u64), "{report}");
    for (id, reason) in [
        ("nowhere", "get-bucket-location"),
        ("old", "none that AWS has"),
        ("//pubsub.googleapis.com/projects/123456789012/topics/t", "number only"),
    ] {
        ensure!(skipped.get(id).is_some_and(|said| said.contains(reason)), "{id}: {skipped:?}");
    }
    let gaps = std::fs::read_to_string(data.join("14-gaps.json"))?;
    ensure!(gaps.matches("glue:job").count() == 1 && gaps.contains("not imported, 3 asset(s) on aws"), "{gaps}");
    Ok(())
}
