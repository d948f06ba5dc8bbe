//! `ledger`: what was done in a client's clouds and by its exits, whether the log of it is whole, and what would take it back.

use anyhow::{Context, bail, ensure};
use caretaker_api::ManagedClient;
use caretaker_core::ledger::undo::{Undo, UndoPlan, Undoable};
use caretaker_core::ledger::{Entry, Head, Place};
use caretaker_store::Store;
use caretaker_store::ledger::{Verdict, follow, places};
use kube::{Api, ResourceExt};
use serde_json::json as value;

use super::cluster::{ClusterArgs, connect, explain};
use super::inventory::open;
use super::output::{Form, json, paragraph, width};

/// Which question.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List what was done: each write in a client's clouds before and after it, each step of an exit.
    Show(ShowArgs),
    /// Follow the chain from its first segment to its last, and compare its end with the one that the cluster has on record.
    Verify(VerifyArgs),
    /// List what would take back every write that was made in the client's clouds, last first.
    UndoPlan(Which),
}

/// Which ledger.
#[derive(clap::Args)]
struct Which {
    /// Name of the client.
    client: String,
    /// URL or folder of the store.
    #[arg(long)]
    store: String,
    /// UID of the ManagedClient, where several clients have had the name.
    #[arg(long)]
    uid: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

#[derive(clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    which: Which,
    /// Show this many entries, the last ones; 0 shows all.
    #[arg(long, default_value_t = 50)]
    last: usize,
}

#[derive(clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    which: Which,
    /// The end as `status.ledger` of the ManagedClient showed it, such as 12:9f86…: no cluster is asked.
    #[arg(long, value_name = "SEGMENTS:DIGEST")]
    head: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Show(args) => show(&args).await,
        Command::Verify(args) => verify(&args).await,
        Command::UndoPlan(which) => undo_plan(&which).await,
    }
}

impl Which {
    /// The one ledger that is meant.
    async fn place(&self, store: &Store) -> anyhow::Result<Place> {
        let found = places(store, &self.client).await?;
        if let Some(uid) = &self.uid {
            let known = || found.iter().map(|place| place.uid.as_str()).collect::<Vec<_>>().join(", ");
            return found
                .iter()
                .find(|place| place.uid == *uid)
                .cloned()
                .with_context(|| format!("no ledger has this UID; there are: {}", known()));
        }
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => bail!(
                "the store has no ledger of {}: nothing was written in its clouds and no exit was begun, or it is another store",
                self.client
            ),
            several => {
                let uids: Vec<String> = several.iter().map(|place| format!("  --uid {}", place.uid)).collect();
                bail!("several clients have had the name {}; choose one by its UID:\n{}", self.client, uids.join("\n"))
            }
        }
    }
}

/// All entries with the number of their segment, and what is wrong with the chain.
async fn read(which: &Which, known: &Head) -> anyhow::Result<(Vec<(u64, Entry)>, Verdict)> {
    let store = open(&which.store)?;
    let place = which.place(&store).await?;
    let mut found = Vec::new();
    let verdict = follow(&store, &place, known, |number, entries| found.extend(entries.into_iter().map(|entry| (number, entry)))).await?;
    Ok((found, verdict))
}

/// A broken chain is told beside what can still be read of it.
fn warn(verdict: &Verdict) {
    for fault in &verdict.faults {
        eprintln!("warning: {fault}");
    }
}

async fn show(args: &ShowArgs) -> anyhow::Result<()> {
    let (entries, verdict) = read(&args.which, &Head::default()).await?;
    let skipped = if args.last == 0 { 0 } else { entries.len().saturating_sub(args.last) };
    let shown = &entries[skipped..];
    warn(&verdict);
    if args.which.output == Form::Json {
        let line = |(segment, entry): &(u64, Entry)| value!({"segment": segment, "entry": entry});
        return json(&shown.iter().map(line).collect::<Vec<_>>());
    }
    for (segment, entry) in shown {
        let subject = if entry.subject.is_empty() { String::new() } else { format!(" · {}", entry.subject) };
        outln!("{:>5}  {}  {} {}{subject}", segment, entry.at, entry.operation.kind, entry.operation.name);
        out!("{}", paragraph("       ", &entry.describe(), width()));
    }
    let all = if skipped == 0 { String::new() } else { "; --last 0 shows all".into() };
    outln!("\n{} of {} entries in {} segments{all}", shown.len(), entries.len(), verdict.head.number);
    Ok(())
}

async fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let known = match &args.head {
        Some(text) => parse_head(text)?,
        None => recorded(args).await?,
    };
    let (entries, verdict) = read(&args.which, &known).await?;
    let faults: Vec<String> = verdict.faults.iter().map(ToString::to_string).collect();
    let Head { number, digest } = &verdict.head;
    if args.which.output == Form::Json {
        json(&value!({"segments": number, "digest": digest, "entries": entries.len(), "recorded": known.number, "faults": faults}))?;
    } else if faults.is_empty() {
        outln!("whole: {} entries in {number} segments, up to the {} that are on record", entries.len(), known.number);
        outln!("head {number}:{digest}");
    }
    ensure!(faults.is_empty(), "the ledger is not whole:\n  {}", faults.join("\n  "));
    Ok(())
}

fn parse_head(text: &str) -> anyhow::Result<Head> {
    let wrong = || format!("--head {text}: give the number of segments, a colon and the digest, as in 12:9f86…");
    let (number, digest) = text.split_once(':').with_context(wrong)?;
    let digest = digest.to_lowercase();
    ensure!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", wrong());
    Ok(Head { number: number.parse().with_context(wrong)?, digest })
}

/// The end that the cluster has on record.
async fn recorded(args: &VerifyArgs) -> anyhow::Result<Head> {
    let api: Api<ManagedClient> = Api::all(connect(&args.cluster).await?);
    let client = api.get_opt(&args.which.client).await.map_err(explain)?;
    let client = client.with_context(|| {
        format!("the cluster has no ManagedClient {}; give the end of its ledger that you have on record by --head", args.which.client)
    })?;
    if let Some(uid) = args.which.uid.as_ref().filter(|uid| client.uid().as_ref() != Some(*uid)) {
        bail!("the cluster's ManagedClient {} is another one than {uid}; give the end of its ledger by --head", args.which.client);
    }
    let known = client.status.and_then(|status| status.ledger).unwrap_or_default();
    Ok(Head { number: known.segments, digest: known.digest })
}

async fn undo_plan(which: &Which) -> anyhow::Result<()> {
    let (entries, verdict) = read(which, &Head::default()).await?;
    let mut plan = UndoPlan::default();
    entries.iter().for_each(|(_, entry)| plan.take(entry));
    let plan = plan.finish();
    warn(&verdict);
    if which.output == Form::Json {
        return json(&plan);
    }
    if plan.is_empty() {
        outln!("Nothing was changed in the clouds of {}.", which.client);
        return Ok(());
    }
    for (index, undo) in plan.iter().enumerate() {
        out!("{}", undo_text(index + 1, undo));
    }
    outln!("\nThis is a plan, and nothing of it was done. Newest first: later writes may stand on earlier ones.");
    Ok(())
}

fn undo_text(number: usize, undo: &Undo) -> String {
    let head = format!("{number:>3}. ");
    let done = format!("{} in {}, {} of {}", undo.done, undo.account, undo.operation, undo.at);
    let reverse = match undo.undoable {
        Undoable::Yes => undo.reverse.clone(),
        Undoable::LookFirst => format!("{} (there is no receipt: look first whether it was done)", undo.reverse),
        Undoable::ByTheClient => format!("{} (only the client can: our access has ended)", undo.reverse),
        Undoable::No => "nothing can take it back".into(),
    };
    paragraph(&head, &done, width()) + &paragraph("     undo: ", &reverse, width())
}
