//! The bundle's code, run by OpenTofu as its read-me says, with providers that check regions, accounts and ids as the real ones do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
use caretaker_testkit::tools;
use serde_json::{Value, json};

/// Version under which the providers of the tests stand in the mirror; it is above what the code asks for.
const VERSION: &str = "99.0.0";
/// An account that no bundle is of.
const STRANGER: &str = "200000000999";

/// Where OpenTofu runs: its providers, its settings and who it is.
struct Stage<'a> {
    folder: tempfile::TempDir,
    cloud: &'a Cloud,
    /// Whether what is imported must be in the emulator.
    is_real: bool,
}

impl<'a> Stage<'a> {
    fn new(cloud: &'a Cloud, is_real: bool) -> Result<Self> {
        let stage = Self { folder: tempfile::tempdir()?, cloud, is_real };
        let architecture = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
        let provider = tools::path("terraform-provider-of-tests")?;
        for kind in ["aws", "azurerm", "google"] {
            let place = stage.path("mirror").join("registry.opentofu.org/hashicorp").join(kind).join(VERSION).join(architecture);
            std::fs::create_dir_all(&place)?;
            std::os::unix::fs::symlink(&provider, place.join(format!("terraform-provider-{kind}_v{VERSION}")))?;
        }
        let settings = format!("provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n", stage.path("mirror"));
        std::fs::write(stage.path("tofurc"), settings)?;
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command of the read-me, literally, as somebody of an account.
    fn run(&self, command: &str, folder: &Path, account: &str) -> Result<Output> {
        let path = std::env::join_paths(
            [tools::folder("tofu")?].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        )?;
        // Each account of the emulator has a profile: its key is that account's root.
        let profile = format!("[client]\naws_access_key_id = {account}\naws_secret_access_key = test\n");
        std::fs::write(self.path("credentials"), profile)?;
        let mut sh = Command::new("sh");
        sh.args(["-c", command]).current_dir(folder).env_clear().env("PATH", path).env("HOME", self.folder.path());
        sh.env("TF_CLI_CONFIG_FILE", self.path("tofurc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("TF_CLI_ARGS", "-no-color")
            .env("CHECKPOINT_DISABLE", "1");
        sh.env("AWS_SHARED_CREDENTIALS_FILE", self.path("credentials")).env("AWS_CONFIG_FILE", self.path("none"));
        sh.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_ENDPOINT_URL_STS", &self.cloud.endpoint).env("TF_VAR_aws_profile", "client");
        sh.env("CARETAKER_PROVIDER_JOURNAL", self.path("journal"));
        if self.is_real {
            sh.env("CARETAKER_PROVIDER_EMULATOR", &self.cloud.endpoint);
        }
        Ok(sh.output()?)
    }

    /// The same, where it must go well.
    fn text(&self, command: &str, folder: &Path, account: &str) -> Result<String> {
        let output = self.run(command, folder, account)?;
        let (out, error) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{command} in {}: {out}{error}", folder.display());
        Ok(out)
    }

    /// What the providers wrote down since it was last asked.
    fn journal(&self) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(self.path("journal")).unwrap_or_default();
        std::fs::write(self.path("journal"), "")?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// The commands that the read-me tells to run in each folder, in their order.
fn commands(read_me: &str) -> Vec<&str> {
    read_me.lines().filter_map(|line| line.split_once(". `")?.1.strip_suffix('`')).filter(|line| line.starts_with("tofu ")).collect()
}

/// Judges `04-iac` of a bundle whose files are below this folder: the counts, then each account's folder.
pub fn judge(data: &Path, cloud: &Cloud, is_real: bool) -> Result<()> {
    let stage = Stage::new(cloud, is_real)?;
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
fn judge_folder(stage: &Stage<'_>, folder: &Path, (cloud, account): (&str, &str), (exported, commands): (u64, &[&str])) -> Result<()> {
    let own = tempfile::tempdir_in(stage.folder.path())?;
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
