//! `intake`: takes a client in from another provider, out of a handover bundle or a table of accounts, and compares what was handed over with what is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use caretaker_api::CloudAccount;
use caretaker_api::condition::ConditionType;
use caretaker_core::conditions::{Is, find};
use caretaker_core::intake::{AccountComparison, Intake, Terms, against_reality, of_contract, of_table};
use caretaker_core::inventory::Line;
use caretaker_core::inventory::diff::{Change, Difference};
use caretaker_store::inventory::read;
use kube::ResourceExt;
use serde_json::{Value, json as value};

use super::account::{Which, status, without_parents};
use super::inventory::open;
use super::output::{Form, json, table};

/// Differences that are listed where nobody asks for all.
const LISTED: usize = 40;

/// Which part.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print a ManagedClient made from an opened bundle or a table of accounts, for `kubectl apply -f -`. Needs no cluster.
    New(Box<NewArgs>),
    /// Compare what an opened bundle says with what the client's accounts hold now. Fails where they differ.
    Compare(CompareArgs),
}

#[derive(clap::Args)]
struct NewArgs {
    /// Folder of the opened bundle (`caretaker bundle open`).
    #[arg(long, conflicts_with = "csv", required_unless_present = "csv")]
    bundle: Option<PathBuf>,
    /// Table of accounts with the columns name, cloud, id and, where wanted, regions (divided by blanks).
    #[arg(long, requires_all = ["name", "manager", "recipients"])]
    csv: Option<PathBuf>,
    /// Name of the ManagedClient; without it the one that the bundle has.
    #[arg(long)]
    name: Option<String>,
    /// Name of your ProviderProfile.
    #[arg(long, default_value = "default")]
    profile: String,
    /// With --csv: the client's name for people; without it the ManagedClient's.
    #[arg(long)]
    display_name: Option<String>,
    /// With --csv: the client's vendor manager, as 'Jo Doe <jo@client.example>'.
    #[arg(long)]
    manager: Option<String>,
    /// With --csv: public age key of the client that bundles are sealed to; once for each.
    #[arg(long = "recipient")]
    recipients: Vec<String>,
}

#[derive(clap::Args)]
struct CompareArgs {
    #[command(flatten)]
    which: Which,
    /// Folder of the opened bundle (`caretaker bundle open`).
    #[arg(long)]
    bundle: PathBuf,
    /// URL or folder of your store.
    #[arg(long)]
    store: String,
    /// List every difference.
    #[arg(long)]
    all: bool,
}

/// Does it.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::New(args) => new(&args),
        Command::Compare(args) => compare(&args).await,
    }
}

fn new(args: &NewArgs) -> anyhow::Result<()> {
    let Intake { client, notes } = match (&args.bundle, &args.csv) {
        (Some(bundle), _) => {
            let path = data(bundle)?.join("01-contract/managed-client.json");
            let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let contract: Value = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
            of_contract(&contract, &args.profile, args.name.as_deref())?
        }
        (None, Some(file)) => of_table(&rows(file)?, &terms(args)?)?,
        (None, None) => bail!("give --bundle or --csv"),
    };
    let mut object = serde_json::to_value(&client)?;
    object.as_object_mut().map(|object| object.remove("status"));
    for note in &notes {
        outln!("# {note}");
    }
    outln!("---\n{}", serde_saphyr::to_string(&object)?.trim_end());
    eprintln!(
        "Next: kubectl apply -f FILE, then kubectl caretaker kit {} --to kits; once all accounts are read: kubectl caretaker intake compare",
        client.name_any()
    );
    Ok(())
}

fn terms(args: &NewArgs) -> anyhow::Result<Terms> {
    let name = args.name.clone().context("--name is missing")?;
    let manager = args.manager.as_deref().context("--manager is missing")?;
    let (person, address) = manager
        .trim()
        .strip_suffix('>')
        .and_then(|rest| rest.split_once('<'))
        .with_context(|| format!("--manager {manager}: write it as 'Jo Doe <jo@client.example>'"))?;
    Ok(Terms {
        display_name: args.display_name.clone().unwrap_or_else(|| name.clone()),
        name,
        profile: args.profile.clone(),
        manager: (person.trim().to_owned(), address.trim().to_owned()),
        recipients: args.recipients.clone(),
    })
}

fn rows(file: &Path) -> anyhow::Result<Vec<BTreeMap<String, String>>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file).with_context(|| file.display().to_string())?;
    let columns: Vec<String> = reader.headers()?.iter().map(|column| column.trim_start_matches('\u{feff}').to_lowercase()).collect();
    for needed in ["name", "cloud", "id"] {
        ensure!(
            columns.iter().any(|column| column == needed),
            "{}: there is no column {needed}; the first line must name the columns name, cloud and id, divided by commas",
            file.display()
        );
    }
    let row = |record: csv::Result<csv::StringRecord>| -> anyhow::Result<BTreeMap<String, String>> {
        let record = record.with_context(|| file.display().to_string())?;
        Ok(columns.iter().cloned().zip(record.iter().map(str::to_owned)).collect())
    };
    reader.records().map(row).collect()
}

/// The folder of data in the folder of an opened bundle, or in the only folder below it.
fn data(folder: &Path) -> anyhow::Result<PathBuf> {
    let is_data = |path: &Path| path.join("01-contract").is_dir();
    if is_data(folder) {
        return Ok(folder.to_path_buf());
    }
    let children = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let below = children.filter_map(|child| Some(child.ok()?.path().join("data")));
    std::iter::once(folder.join("data")).chain(below).find(|path| is_data(path)).with_context(|| {
        format!("{} is no folder of an opened bundle: it has no data/01-contract; run caretaker bundle open first", folder.display())
    })
}

/// Every asset that the bundle holds.
fn handed_over(folder: &Path) -> anyhow::Result<Vec<Line>> {
    let mut found = Vec::new();
    let folder = folder.join("02-inventory");
    for file in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = file?.path();
        if !path.to_string_lossy().ends_with(".ndjson.zst") {
            continue;
        }
        let decoder = zstd::Decoder::new(std::fs::File::open(&path)?).with_context(|| path.display().to_string())?;
        for line in BufReader::new(decoder).lines() {
            let line = line.with_context(|| path.display().to_string())?;
            found.push(serde_json::from_str(&line).with_context(|| path.display().to_string())?);
        }
    }
    Ok(found)
}

async fn compare(args: &CompareArgs) -> anyhow::Result<()> {
    let before = handed_over(&data(&args.bundle)?)?;
    let store = open(&args.store)?;
    let accounts = without_parents(args.which.accounts().await?.1);
    let mut now = Vec::new();
    for inventory in accounts.iter().filter_map(|account| status(account).inventory) {
        read(&store, &inventory, |line| {
            now.push(line);
            Ok(())
        })
        .await?;
    }
    let compared = against_reality(before, now);
    let differ: usize = compared.values().map(|account| account.differences.len()).sum();
    if args.which.output == Form::Json {
        let line = |(id, told): (&String, &AccountComparison)| value!({"account": id, "handedOver": told.handed_over, "found": told.found, "differences": told.differences});
        json(&compared.iter().map(line).collect::<Vec<_>>())?;
    } else {
        out!("{}", report(&accounts, &compared, if args.all { usize::MAX } else { LISTED }));
    }
    let client = &args.which.client;
    let shut: Vec<String> =
        accounts.iter().filter(|account| !is(account, ConditionType::AccessProven)).map(ResourceExt::name_any).collect();
    ensure!(shut.is_empty(), "these accounts do not let us in yet: {}; see kubectl caretaker access {client}", shut.join(", "));
    ensure!(differ == 0, "{differ} difference(s) between what was handed over and what is there");
    Ok(())
}

fn is(account: &CloudAccount, kind: ConditionType) -> bool {
    find(&status(account).conditions, kind).is_some_and(|condition| Is::of(condition) == Is::True)
}

fn report(accounts: &[CloudAccount], compared: &BTreeMap<String, AccountComparison>, most: usize) -> String {
    let named = |id: &str| accounts.iter().find(|account| account.spec.target.id().to_lowercase() == id);
    let word = |account: Option<&CloudAccount>, kind: ConditionType| match account {
        Some(account) if is(account, kind) => "yes",
        Some(_) => "NO",
        None => "-",
    };
    let count =
        |told: &AccountComparison, change: Change| told.differences.iter().filter(|found| found.change == change).count().to_string();
    let rows: Vec<Vec<String>> = compared
        .iter()
        .map(|(id, told)| {
            let account = named(id);
            vec![
                account.map_or_else(|| format!("{id} (not yours)"), ResourceExt::name_any),
                word(account, ConditionType::AccessProven).into(),
                word(account, ConditionType::InventoryComplete).into(),
                told.handed_over.to_string(),
                told.found.to_string(),
                count(told, Change::Removed),
                count(told, Change::Added),
                count(told, Change::Changed),
            ]
        })
        .collect();
    let mut text = table(&["ACCOUNT", "LET IN", "READ", "HANDED OVER", "FOUND", "MISSING", "EXTRA", "CHANGED"], &rows);
    let all: Vec<&Difference> = compared.values().flat_map(|told| &told.differences).collect();
    if !all.is_empty() {
        text.push('\n');
    }
    for found in all.iter().take(most) {
        let change = match found.change {
            Change::Removed => "missing",
            Change::Added => "extra",
            Change::Changed => "changed",
        };
        text.push_str(&format!("{change}  {} {} {}\n", found.kind, found.region, found.id));
        for part in &found.parts {
            text.push_str(&format!("         {}: {} -> {}\n", part.part, part.before, part.after));
        }
    }
    if all.len() > most {
        text.push_str(&format!("{} more; --all lists every one\n", all.len() - most));
    }
    text
}
