//! `inventory`, `coverage`, `kit`: what is known of a client's accounts.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::CloudAccountStatus;
use caretaker_api::names::client_namespace;
use caretaker_cloud::Asset;
use caretaker_controllers::discovery;
use caretaker_controllers::store::Store;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Api, Client, ResourceExt};

use super::cluster::{ClusterArgs, connect, explain};
use super::output::{Form, json, table};

/// Which accounts, in which form.
#[derive(clap::Args)]
pub struct Which {
    /// Name of the ManagedClient.
    client: String,
    /// Name of one CloudAccount; without it all of the client.
    #[arg(long)]
    account: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Which inventory.
#[derive(clap::Args)]
pub struct InventoryArgs {
    #[command(flatten)]
    which: Which,
    /// URL or folder of the store: lists every asset. Without it the counts are shown, which stand in the cluster.
    #[arg(long)]
    store: Option<String>,
    /// With --store: only assets of this type, such as instance.
    #[arg(long = "type", requires = "store")]
    kind: Option<String>,
}

/// Which kit.
#[derive(clap::Args)]
pub struct KitArgs {
    #[command(flatten)]
    which: Which,
    /// Folder to write the files to, one folder in it for each account. Without it they are listed.
    #[arg(long)]
    to: Option<PathBuf>,
}

impl Which {
    pub(super) async fn accounts(&self) -> anyhow::Result<(Client, Vec<CloudAccount>)> {
        let kube = connect(&self.cluster).await?;
        let api = Api::<CloudAccount>::namespaced(kube.clone(), &client_namespace(&self.client));
        let found = match &self.account {
            Some(name) => vec![api.get(name).await.map_err(explain)?],
            None => api.list(&Default::default()).await.map_err(explain)?.items,
        };
        ensure!(!found.is_empty(), "client {} has no accounts; is the name right? kubectl caretaker status", self.client);
        Ok((kube, found))
    }
}

pub(super) fn status(account: &CloudAccount) -> CloudAccountStatus {
    account.status.clone().unwrap_or_default()
}

fn when(time: Option<&Time>) -> String {
    time.map_or_else(|| "never".into(), |time| time.0.to_string())
}

/// Shows counts, or every asset.
pub async fn inventory(args: InventoryArgs) -> anyhow::Result<()> {
    let (_, accounts) = args.which.accounts().await?;
    if let Some(store) = &args.store {
        return assets(&args, store, &accounts).await;
    }
    if args.which.output == Form::Json {
        let all: Vec<_> = accounts
            .iter()
            .map(|account| serde_json::json!({"account": account.name_any(), "inventory": status(account).inventory}))
            .collect();
        return json(&all);
    }
    let mut rows = Vec::new();
    for account in &accounts {
        let Some(inventory) = status(account).inventory else {
            rows.push(vec![account.name_any(), "-".into(), "0".into(), "Unknown".into(), "never".into()]);
            continue;
        };
        let (coverage, taken) = (inventory.coverage.text.clone(), when(inventory.taken_at.as_ref()));
        rows.extend(
            inventory
                .by_type
                .iter()
                .map(|(kind, count)| vec![account.name_any(), kind.clone(), count.to_string(), coverage.clone(), taken.clone()]),
        );
        rows.push(vec![account.name_any(), "all".into(), inventory.assets.to_string(), coverage, taken]);
    }
    print!("{}", table(&["ACCOUNT", "TYPE", "ASSETS", "COVERAGE", "TAKEN AT"], &rows));
    println!("\nNext: kubectl caretaker coverage {} shows what was not read; --store URL lists every asset", args.which.client);
    Ok(())
}

/// Streams the inventories out of the store; nothing is held but one line.
async fn assets(args: &InventoryArgs, store: &str, accounts: &[CloudAccount]) -> anyhow::Result<()> {
    let url = if store.contains("://") { store.to_owned() } else { format!("file://{}", std::fs::canonicalize(store)?.display()) };
    let store = Store::open(&url)?;
    if args.which.output == Form::Table {
        println!("{:<10} {:<24} {:<16} {:<16} NAME", "ACCOUNT", "ID", "TYPE", "REGION");
    }
    for account in accounts {
        let Some(inventory) = status(account).inventory else { continue };
        let file = discovery::fetch(&store, &inventory).await?;
        for asset in discovery::read_file(file.path())? {
            let asset = asset?;
            if args.kind.as_ref().is_some_and(|kind| kind != asset.asset_type.as_str()) {
                continue;
            }
            match args.which.output {
                Form::Json => println!("{}", serde_json::to_string(&asset)?),
                Form::Table => print_asset(&account.name_any(), &asset),
            }
        }
    }
    Ok(())
}

fn print_asset(account: &str, asset: &Asset) {
    let plain = |text: &str| text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>();
    println!(
        "{account:<10} {:<24} {:<16} {:<16} {}",
        plain(&asset.id),
        asset.asset_type.as_str(),
        plain(&asset.region),
        plain(&asset.name)
    );
}

/// Shows what was read completely and what was not.
pub async fn coverage(args: Which) -> anyhow::Result<()> {
    let (_, accounts) = args.accounts().await?;
    let all: Vec<_> = accounts.iter().map(|account| (account.name_any(), status(account).inventory.unwrap_or_default().coverage)).collect();
    if args.output == Form::Json {
        return json(&all.iter().map(|(name, coverage)| serde_json::json!({"account": name, "coverage": coverage})).collect::<Vec<_>>());
    }
    for (name, coverage) in &all {
        let text = if coverage.text.is_empty() { "Unknown" } else { &coverage.text };
        println!("{name}: {text} cells read completely");
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .flat_map(|(name, coverage)| {
            coverage
                .gaps
                .iter()
                .map(move |gap| vec![name.clone(), gap.region.clone(), gap.service.clone(), gap.verdict.clone(), gap.cause.clone()])
        })
        .collect();
    if !rows.is_empty() {
        print!("\n{}", table(&["ACCOUNT", "REGION", "SERVICE", "VERDICT", "CAUSE"], &rows));
    }
    Ok(())
}

/// Lists a kit's files, or writes them.
pub async fn kit(args: KitArgs) -> anyhow::Result<()> {
    let (kube, accounts) = args.which.accounts().await?;
    let api = Api::<ConfigMap>::namespaced(kube, &client_namespace(&args.which.client));
    let mut all = Vec::new();
    for account in &accounts {
        let name = account.name_any();
        let Some(kit) = status(account).kit else {
            bail!("account {name} has no kit yet; see kubectl caretaker status {}", args.which.client)
        };
        let files = api.get(&kit.config_map).await.map_err(explain)?.data.unwrap_or_default();
        all.push((name, kit, files));
    }
    if args.which.output == Form::Json {
        return json(
            &all.iter().map(|(name, kit, files)| serde_json::json!({"account": name, "kit": kit, "files": files})).collect::<Vec<_>>(),
        );
    }
    for (name, kit, files) in &all {
        println!("{name}: ConfigMap {}, digest {}", kit.config_map, kit.digest);
        for (file, text) in files {
            match &args.to {
                None => println!("  {file} ({} lines)", text.lines().count()),
                Some(folder) => println!("  {}", write(&folder.join(name), file, text)?.display()),
            }
        }
    }
    if args.to.is_none() {
        println!("\nNext: kubectl caretaker kit {} --to FOLDER writes them; send the folder to the client", args.which.client);
    }
    Ok(())
}

fn write(folder: &Path, file: &str, text: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let path = folder.join(file);
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}
