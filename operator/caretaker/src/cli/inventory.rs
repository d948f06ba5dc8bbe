//! `inventory`, `coverage`: what a client has, what has changed, and how much of it was read.

use std::collections::BTreeMap;

use anyhow::Context;
use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::{CellStatus, CloudAccountStatus, CoverageStatus, DiffStatus, InventoryStatus, PatchStatus};
use caretaker_core::inventory::Line;
use caretaker_core::inventory::diff::{Change, Difference};
use caretaker_store::Store;
use caretaker_store::inventory::{differences, read};
use jiff::SignedDuration;
use kube::ResourceExt;
use serde_json::json as value;

use super::account::{Which, status, when, without_parents};
use super::output::{Form, is_unprintable, json, json_line, paragraph, table, width};

/// Longest id in a table that is printed as it comes, in characters; `-o json` shows it whole.
const LONG: usize = 30;
/// Accounts that a note names.
const NAMED: usize = 5;
/// Longest account and longest region there.
const LONG_PLACE: [usize; 2] = [16, 20];

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
    /// Show what has changed since the reading before, or since the baseline; with --store every asset that has.
    #[arg(long, value_enum)]
    diff: Option<Since>,
}

/// What the inventory is compared with.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Since {
    /// The reading before.
    Previous,
    /// The frozen one.
    Baseline,
}

impl Since {
    const fn word(self) -> &'static str {
        match self {
            Self::Previous => "the reading before",
            Self::Baseline => "the baseline",
        }
    }

    const fn of(self, inventory: &InventoryStatus) -> Option<&DiffStatus> {
        match self {
            Self::Previous => inventory.since_previous.as_ref(),
            Self::Baseline => inventory.since_baseline.as_ref(),
        }
    }
}

/// Shows counts, or every asset, or what has changed.
pub async fn inventory(args: InventoryArgs) -> anyhow::Result<()> {
    let accounts = without_parents(args.which.accounts().await?.1);
    match (&args.store, args.diff) {
        (Some(store), None) => assets(&args, &open(store)?, &accounts).await,
        (Some(store), Some(since)) => changes(&args, &open(store)?, (&accounts, since)).await,
        (None, _) if args.which.output == Form::Json => {
            let entry = |account: &CloudAccount| {
                let CloudAccountStatus { inventory, baseline, .. } = status(account);
                value!({"account": account.name_any(), "inventory": inventory, "baseline": baseline})
            };
            json(&accounts.iter().map(entry).collect::<Vec<_>>())
        }
        (None, Some(since)) => {
            out!("{}", diff_counts(&accounts, since));
            outln!("\nNext: --store URL lists what has changed");
            Ok(())
        }
        (None, None) => {
            out!("{}", counts(&accounts));
            let client = &args.which.client;
            let next = format!(
                "kubectl caretaker coverage {client} shows what was not read; --store URL lists every asset, --diff what has changed"
            );
            out!("\n{}", paragraph("Next: ", &next, width()));
            Ok(())
        }
    }
}

/// The store at a URL or in a folder.
pub fn open(store: &str) -> anyhow::Result<Store> {
    let url = if store.contains("://") {
        store.to_owned()
    } else {
        format!("file://{}", std::fs::canonicalize(store).with_context(|| format!("--store {store}"))?.display())
    };
    Ok(Store::open(&url)?)
}

/// Counts by type, then for each account what the scope says, what has changed, and the baseline.
fn counts(accounts: &[CloudAccount]) -> String {
    let (mut rows, mut notes) = (Vec::new(), String::new());
    for account in accounts {
        let (name, status) = (account.name_any(), status(account));
        let Some(inventory) = status.inventory else {
            rows.push(vec![name, "-".into(), "0".into(), "Unknown".into(), "never".into()]);
            continue;
        };
        let (coverage, taken) = (inventory.coverage.text.clone(), when(inventory.taken_at.as_ref()));
        let row = |kind: &str, count: u64| vec![name.clone(), kind.to_owned(), count.to_string(), coverage.clone(), taken.clone()];
        rows.extend(inventory.by_type.iter().map(|(kind, count)| row(kind, *count)));
        rows.push(row("all", inventory.assets));
        notes.push_str(&format!("\n{name}: {}\n", verdicts(&inventory.by_verdict)));
        notes.push_str(&patches(&inventory.patches));
        if inventory.unconfirmed > 0 {
            let cause = if inventory.unconfirmed_cause.is_empty() { String::new() } else { format!(" ({})", inventory.unconfirmed_cause) };
            let kept = format!("{} kept: the index shows them no more, nobody says that they are gone{cause}", inventory.unconfirmed);
            notes.push_str(&paragraph("  ", &kept, width()));
        }
        notes.push_str(&format!("  since the reading before: {}\n", difference(inventory.since_previous.as_ref())));
        let since = match &status.baseline {
            Some(baseline) => {
                format!("{}; it holds {} assets", difference(inventory.since_baseline.as_ref()), baseline.assets)
            }
            None => format!("not frozen yet, {}", freeze(account, &inventory)),
        };
        notes.push_str(&format!("  since the baseline: {since}\n"));
    }
    table(&["ACCOUNT", "TYPE", "ASSETS", "COVERAGE", "TAKEN AT"], &rows) + &notes
}

/// When the baseline is due.
fn freeze(account: &CloudAccount, inventory: &InventoryStatus) -> String {
    let days = account.spec.baseline_after_days;
    let wait = SignedDuration::from_hours(24 * i64::from(days));
    match inventory.since.as_ref().and_then(|since| since.0.checked_add(wait).ok()) {
        Some(due) => format!("due {due}"),
        None => format!("due {days} days after the first reading"),
    }
}

/// What is known of machines' patches; nothing where there are no machines.
fn patches(patches: &PatchStatus) -> String {
    let PatchStatus { up_to_date, missing, unassessed, unknown } = patches;
    if up_to_date + missing + unassessed + unknown == 0 {
        return String::new();
    }
    format!("  patches: {up_to_date} machines up to date, {missing} lack patches, {unassessed} unassessed, {unknown} unknown\n")
}

fn verdicts(by_verdict: &BTreeMap<String, u64>) -> String {
    if by_verdict.is_empty() {
        return "no assets".into();
    }
    by_verdict.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect::<Vec<_>>().join(", ")
}

fn difference(diff: Option<&DiffStatus>) -> String {
    let Some(diff) = diff else { return "not compared yet".into() };
    let taken = when(diff.taken_at.as_ref());
    if diff.added + diff.removed + diff.changed == 0 {
        return format!("nothing has changed (compared with {taken})");
    }
    format!("{} added, {} removed, {} changed (compared with {taken})", diff.added, diff.removed, diff.changed)
}

fn diff_counts(accounts: &[CloudAccount], since: Since) -> String {
    let number = |diff: Option<&DiffStatus>, part: fn(&DiffStatus) -> u64| diff.map_or_else(|| "-".into(), |diff| part(diff).to_string());
    let row = |account: &CloudAccount| {
        let inventory = status(account).inventory.unwrap_or_default();
        let diff = since.of(&inventory);
        vec![
            account.name_any(),
            number(diff, |diff| diff.added),
            number(diff, |diff| diff.removed),
            number(diff, |diff| diff.changed),
            diff.map_or_else(|| "not compared yet".into(), |diff| when(diff.taken_at.as_ref())),
        ]
    };
    table(&["ACCOUNT", "ADDED", "REMOVED", "CHANGED", "COMPARED WITH"], &accounts.iter().map(row).collect::<Vec<_>>())
}

/// Streams the inventories out of the store; one shard is held.
async fn assets(args: &InventoryArgs, store: &Store, accounts: &[CloudAccount]) -> anyhow::Result<()> {
    if args.which.output == Form::Table {
        out!("{}", row(["ACCOUNT", "ID", "TYPE", "REGION", "VERDICT"], "NAME", width()));
    }
    for account in accounts {
        let Some(inventory) = status(account).inventory else { continue };
        let name = account.name_any();
        read(store, &inventory, |line| {
            if args.kind.as_ref().is_none_or(|kind| kind == line.asset.asset_type.as_str()) {
                match args.which.output {
                    Form::Json => json_line(&line)?,
                    Form::Table => out!("{}", asset_row(&name, &line, width())),
                }
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

fn asset_row(account: &str, line: &Line, width: usize) -> String {
    let Line { asset, verdict, exclusion } = line;
    let name = if exclusion.is_empty() { asset.name.clone() } else { format!("{} ({exclusion})", asset.name) };
    row([account, &short_id(&asset.id), asset.asset_type.as_str(), &asset.region, verdict.as_str()], &name, width)
}

/// Streams what has changed out of the store.
async fn changes(args: &InventoryArgs, store: &Store, (accounts, since): (&[CloudAccount], Since)) -> anyhow::Result<()> {
    let is_table = args.which.output == Form::Table;
    let mut told = Vec::new();
    if is_table {
        out!("{}", row(["ACCOUNT", "ASSET", "TYPE", "REGION", "CHANGE"], "WHAT", width()));
    }
    for account in accounts {
        let (name, inventory) = (account.name_any(), status(account).inventory.unwrap_or_default());
        let Some(diff) = since.of(&inventory) else {
            told.push(format!("{name}: not compared with {} yet", since.word()));
            continue;
        };
        told.push(format!("{name}: since {}: {}", since.word(), difference(Some(diff))));
        if diff.address.is_empty() {
            continue;
        }
        differences(store, &diff.address, |found| {
            if args.kind.as_ref().is_none_or(|kind| *kind == found.kind) {
                match args.which.output {
                    Form::Json => json_line(&found)?,
                    Form::Table => out!("{}", change_row(&name, &found, width())),
                }
            }
            Ok(())
        })
        .await?;
    }
    if is_table {
        outln!("");
        told.iter().for_each(|line| out!("{}", paragraph("", line, width())));
    }
    Ok(())
}

fn change_row(account: &str, found: &Difference, width: usize) -> String {
    let change = match found.change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
    };
    let part = |part: &caretaker_core::inventory::diff::Part| {
        let word = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        format!("{} {} -> {}", part.part, word(&part.before), word(&part.after))
    };
    let what = match found.parts.as_slice() {
        [] => found.name.clone(),
        parts => parts.iter().map(part).collect::<Vec<_>>().join(", "),
    };
    row([account, &short_id(&found.id), &found.kind, &found.region, change], &what, width)
}

/// One row of a table that is printed as it comes: columns of a fixed width, and what does not fit behind them goes below. Control characters, which
/// could speak to the terminal, are not printed.
fn row(cells: [&str; 5], last: &str, width: usize) -> String {
    let plain = |text: &str| text.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect::<String>();
    let [account, id, kind, region, verdict] = cells.map(plain);
    let (account, region) = (cut(&account, LONG_PLACE[0]), cut(&region, LONG_PLACE[1]));
    let head = format!("{account:<10} {id:<LONG$} {kind:<14} {region:<14} {verdict:<12} ");
    if head.chars().count() + last.chars().count() <= width {
        return format!("{head}{}", plain(last)).trim_end().to_owned() + "\n";
    }
    format!("{}\n{}", head.trim_end(), paragraph("    ", last, width))
}

/// The end of an id, where Azure and Google Cloud put what tells it from others.
fn short_id(id: &str) -> String {
    let count = id.chars().count();
    if count <= LONG {
        return id.to_owned();
    }
    format!("…{}", id.chars().skip(count - LONG + 1).collect::<String>())
}

fn cut(text: &str, long: usize) -> String {
    if text.chars().count() <= long {
        return text.to_owned();
    }
    text.chars().take(long.saturating_sub(1)).chain(['…']).collect()
}

/// Shows what was read completely and what was not.
pub async fn coverage(args: Which) -> anyhow::Result<()> {
    let accounts = without_parents(args.accounts().await?.1);
    let all: Vec<_> = accounts.iter().map(|account| (account.name_any(), status(account).inventory.unwrap_or_default())).collect();
    if args.output == Form::Json {
        let entry = |(name, inventory): &(String, InventoryStatus)| value!({"account": name, "takenAt": inventory.taken_at, "coverage": inventory.coverage, "lostAt": inventory.lost_at});
        return json(&all.iter().map(entry).collect::<Vec<_>>());
    }
    for (name, inventory) in &all {
        let text = if inventory.coverage.text.is_empty() { "Unknown" } else { &inventory.coverage.text };
        outln!("{name}: {text} cells read completely, at {}", when(inventory.taken_at.as_ref()));
        if let Some(lost) = &inventory.lost_at {
            outln!("{name}: what was known of the other cells is lost in the store since {}", lost.0);
        }
    }
    out!("{}", notes(&all));
    let rows: Vec<Vec<String>> = all.iter().flat_map(|(name, inventory)| gap_rows(name, &inventory.coverage)).collect();
    if !rows.is_empty() {
        out!("\n{}", table(&["ACCOUNT", "REGION", "SERVICE", "VERDICT", "CAUSE"], &rows));
    }
    Ok(())
}

/// What complete cells cannot show, each note once for all accounts that have it.
fn notes(all: &[(String, InventoryStatus)]) -> String {
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, inventory) in all {
        inventory.coverage.notes.iter().for_each(|note| named.entry(note).or_default().push(name));
    }
    let told = named.into_iter().map(|(note, names)| {
        let more = names.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let names = names.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        format!("\n{}", paragraph("Note: ", &format!("{names}{more}: {note}"), width()))
    });
    told.collect()
}

/// The gaps of an account, and how many more the store holds.
fn gap_rows(name: &str, coverage: &CoverageStatus) -> Vec<Vec<String>> {
    let CoverageStatus { gaps, planned, complete, .. } = coverage;
    let row = |gap: &CellStatus| vec![name.to_owned(), gap.region.clone(), gap.service.clone(), gap.verdict.to_string(), gap.cause.clone()];
    let mut rows: Vec<Vec<String>> = gaps.iter().map(row).collect();
    let more = u64::from(planned.saturating_sub(*complete)).saturating_sub(gaps.len() as u64);
    if more > 0 && !gaps.is_empty() {
        let blank = String::new();
        rows.push(vec![name.to_owned(), blank.clone(), blank.clone(), blank, format!("and {more} more")]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_stands_once_for_all_accounts_that_have_it() {
        let with = |note: &str| {
            let coverage = CoverageStatus { notes: vec![note.to_owned()], ..CoverageStatus::default() };
            InventoryStatus { coverage, ..InventoryStatus::default() }
        };
        let mut all: Vec<_> = (0..9).map(|number| (format!("org-{number}"), with("some may be missing"))).collect();
        all.push(("prod".into(), with("others may be missing")));
        let told = notes(&all);
        assert!(told.contains("org-0, org-1") && told.contains("and 4 more: some may be missing"), "{told}");
        assert!(told.contains("prod: others may be missing") && told.matches("some may").count() == 1, "{told}");
        assert_eq!(notes(&[]), "");
    }

    #[test]
    fn gaps_that_are_left_out_are_counted() {
        let gap = CellStatus { region: "eu-west-1".into(), service: "ec2/instances".into(), ..CellStatus::default() };
        let coverage = |planned: u32| CoverageStatus { planned, complete: 2, gaps: vec![gap.clone(); 2], ..CoverageStatus::default() };
        assert_eq!(gap_rows("prod", &coverage(4)).len(), 2, "all are shown");
        assert_eq!(gap_rows("prod", &coverage(59)).last().unwrap()[4], "and 55 more");
    }

    #[test]
    fn a_row_is_never_wider_than_the_terminal() {
        let cells = [&"a".repeat(40), &short_id(&"i".repeat(300)), "security-group", "germanywestcentral-and-more", "Unclassified"];
        for last in ["", "web", &"a name of many words ".repeat(20), &"x".repeat(300)] {
            let told = row(cells, last, 100);
            assert!(told.lines().all(|line| line.chars().count() <= 100) && told.ends_with('\n'), "{told}");
        }
        assert_eq!(row(["prod", "i-1", "instance", "eu-west-1", "Covered"], "web", 100).lines().count(), 1);
    }

    #[test]
    fn a_long_id_keeps_its_end_and_cannot_speak_to_the_terminal() {
        let id = "/subscriptions/aaaaaaaa-0000-4000-8000-000000000001/resourcegroups/shop/providers/x/virtualmachines/web-1";
        let line = row(["prod", &short_id(id), "instance", "westeurope", "Covered"], "we\u{1b}[2Jb", 100);
        assert!(line.contains("virtualmachines/web-1 ") && line.chars().count() <= 100, "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
        assert_eq!((short_id("i-1"), cut("ab", 2), cut("abc", 2)), ("i-1".into(), "ab".into(), "a…".into()));
    }
}
