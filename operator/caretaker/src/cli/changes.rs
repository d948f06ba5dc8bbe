//! `changes`: what waits for the client's yes, what it would do, and the client's word.

use std::io::{BufRead, Write};

use anyhow::{Context, bail, ensure};
use caretaker_api::change_request::{ChangeDecision, ChangeRequestStatus, ChangeVerdict};
use caretaker_api::names::client_namespace;
use caretaker_api::words::ChangeState;
use caretaker_api::{ChangeRequest, ManagedClient};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json as value;

use super::cluster::{ClusterArgs, connect, explain};
use super::output::{Form, json, paragraph, table_within, width};

/// Where the text behind a label begins.
const LABEL: usize = 12;

/// Which question.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show a change: its steps, what takes each back, how far it reaches, and its price in units.
    Show(Which),
    /// Say yes to a change, in your own name. It is applied as it was shown, or not at all.
    Approve(DecideArgs),
    /// Say no to a change, or take a yes back before all is done.
    Reject(DecideArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    /// Name of the ManagedClient; without it those of all are listed.
    client: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(clap::Args)]
struct Which {
    /// Name of the ManagedClient.
    client: String,
    /// Name of the ChangeRequest.
    change: String,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(clap::Args)]
struct DecideArgs {
    /// Name of the ManagedClient.
    client: String,
    /// Name of the ChangeRequest.
    change: String,
    /// Why.
    #[arg(long, default_value = "")]
    reason: String,
    /// Do not show the change and ask first.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match &args.command {
        None => list(&args.list).await,
        Some(Command::Show(which)) => show(which).await,
        Some(Command::Approve(args)) => decide(args, ChangeVerdict::Approve).await,
        Some(Command::Reject(args)) => decide(args, ChangeVerdict::Reject).await,
    }
}

fn status(change: &ChangeRequest) -> ChangeRequestStatus {
    change.status.clone().unwrap_or_default()
}

async fn list(args: &ListArgs) -> anyhow::Result<()> {
    let kube = connect(&args.cluster).await?;
    let api: Api<ChangeRequest> = match &args.client {
        Some(client) => Api::namespaced(kube.clone(), &client_namespace(client)),
        None => Api::all(kube.clone()),
    };
    let changes = api.list(&ListParams::default()).await.map_err(explain)?.items;
    if args.output == Form::Json {
        return json(&changes.iter().map(|change| value!({"name": change.name_any(), "namespace": change.namespace(), "spec": change.spec, "status": change.status})).collect::<Vec<_>>());
    }
    if changes.is_empty() {
        if let Some(client) = &args.client {
            Api::<ManagedClient>::all(kube)
                .get_opt(client)
                .await
                .map_err(explain)?
                .with_context(|| format!("there is no ManagedClient {client}"))?;
        }
        outln!("No change was proposed.");
        return Ok(());
    }
    out!("{}", all(&changes, width()));
    Ok(())
}

fn all(changes: &[ChangeRequest], width: usize) -> String {
    let row = |change: &ChangeRequest| {
        let namespace = change.namespace().unwrap_or_default();
        let client = namespace.strip_prefix(caretaker_api::names::NAMESPACE_PREFIX).unwrap_or(&namespace).to_owned();
        let by = change.spec.decision.as_ref().map_or("-", |decision| decision.by.as_str()).to_owned();
        let status = status(change);
        let first = change.spec.accounts.iter().flat_map(|account| &account.steps).next().map(|step| step.what.clone()).unwrap_or_default();
        let what = if status.because.is_empty() { format!("{} step(s), first: {first}", change.spec.reach.steps) } else { status.because };
        vec![client, change.name_any(), status.state.to_string(), by, change.spec.expires_at.0.to_string(), what]
    };
    let rows: Vec<Vec<String>> = changes.iter().map(row).collect();
    table_within(&["CLIENT", "CHANGE", "STATE", "DECIDED BY", "EXPIRES", "WHAT"], &rows, width)
        + "\nNext: kubectl caretaker changes show CLIENT CHANGE\n"
}

async fn find(kube: &Client, client: &str, name: &str) -> anyhow::Result<ChangeRequest> {
    let api: Api<ChangeRequest> = Api::namespaced(kube.clone(), &client_namespace(client));
    let found = api.get_opt(name).await.map_err(explain)?;
    found.with_context(|| format!("{client} has no change {name}; see kubectl caretaker changes {client}"))
}

async fn show(which: &Which) -> anyhow::Result<()> {
    let change = find(&connect(&which.cluster).await?, &which.client, &which.change).await?;
    if which.output == Form::Json {
        return json(&value!({"name": change.name_any(), "spec": change.spec, "status": change.status}));
    }
    out!("{}", one(&which.client, &change, width()));
    Ok(())
}

/// One change on lines of at most this width.
fn one(client: &str, change: &ChangeRequest, width: usize) -> String {
    let (spec, status) = (&change.spec, status(change));
    let mut text = paragraph("", &format!("{client}, change {}: {}", change.name_any(), status.state), width);
    let mut line = |label: &str, value: &str| text.push_str(&paragraph(&format!("  {label:LABEL$}"), value, width));
    line("domain", &format!("{}, for the BackupPolicy {}", spec.domain.as_str(), spec.policy));
    line("reaches", &format!("{}; regions {}", spec.reach.accounts.join(", "), spec.reach.regions.join(", ")));
    let assets = spec.reach.assets.map_or_else(|| "not counted yet".to_owned(), |count| format!("{count} that the policy's tag selects"));
    line("assets", &assets);
    let units: Vec<String> = spec.units.iter().map(|unit| format!("{} {}", unit.count, unit.name)).collect();
    line("more of", &if units.is_empty() { "nothing that is billed".to_owned() } else { units.join("; ") });
    line("expires", &spec.expires_at.0.to_string());
    line("sha256", &spec.digest);
    if let Some(decision) = &spec.decision {
        let why = if decision.reason.is_empty() { String::new() } else { format!(": {}", decision.reason) };
        line("decided", &format!("{:?} by {}{why}", decision.verdict, decision.by));
    }
    if !status.because.is_empty() {
        line("because", &status.because);
    }
    let mut number = 0;
    for account in &spec.accounts {
        for step in &account.steps {
            number += 1;
            text.push('\n');
            text.push_str(&paragraph(&format!("{number:>3}. "), &format!("{}: {}", account.name, step.what), width));
            let reverse = if step.reverse.is_empty() { "nothing can take it back" } else { &step.reverse };
            text.push_str(&paragraph("     undo: ", reverse, width));
            if let Some(came) = status.results.iter().find(|came| came.account == account.name && came.what == step.what) {
                let head = if came.done { "     done: " } else { "     not done: " };
                text.push_str(&paragraph(head, &came.result, width));
            }
        }
    }
    if status.state == ChangeState::Proposed {
        let name = change.name_any();
        text.push_str(&format!("\nNext, for the client: kubectl caretaker changes approve {client} {name}, or reject\n"));
    }
    text
}

/// The name that the API server knows us by.
async fn whoami(kube: &Client) -> anyhow::Result<String> {
    let api: Api<SelfSubjectReview> = Api::all(kube.clone());
    let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await.map_err(explain)?;
    let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    user.context("the API server does not say who you are")
}

async fn decide(args: &DecideArgs, verdict: ChangeVerdict) -> anyhow::Result<()> {
    let kube = connect(&args.cluster).await?;
    let change = find(&kube, &args.client, &args.change).await?;
    let state = status(&change).state;
    if !matches!(state, ChangeState::Proposed | ChangeState::Unknown)
        && (verdict == ChangeVerdict::Approve || !matches!(state, ChangeState::Approved | ChangeState::Applying))
    {
        bail!("the change is {state}: {}", status(&change).because);
    }
    let by = whoami(&kube).await?;
    if !args.yes {
        out!("{}", one(&args.client, &change, width()));
        out!("\n{verdict:?} as {by}? Type yes to go on: ");
        std::io::stdout().flush()?;
        let mut typed = String::new();
        std::io::stdin().lock().read_line(&mut typed)?;
        ensure!(typed.trim() == "yes", "not confirmed: nothing was decided");
    }
    let decision = ChangeDecision { verdict, by: by.clone(), digest: change.spec.digest.clone(), reason: args.reason.clone() };
    let api: Api<ChangeRequest> = Api::namespaced(kube, &client_namespace(&args.client));
    // What was read is what is decided: the digest goes along, and a version that somebody has changed meanwhile is
    // refused.
    let patch = value!({"metadata": {"resourceVersion": change.resource_version()}, "spec": {"decision": decision}});
    api.patch(&args.change, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(explain)?;
    match verdict {
        ChangeVerdict::Approve => outln!("approved by {by}: it is applied at the next visit"),
        ChangeVerdict::Reject => outln!("rejected by {by}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> ChangeRequest {
        let step = value!({"what": "make the backup vault v in eu-west-1", "reverse": "delete it", "data": "{}"});
        serde_json::from_value(value!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ChangeRequest", "metadata": {"name": "main-0a", "namespace": "client-acme"},
            "spec": {
                "domain": "Backup", "policy": "main", "accounts": [{"name": "prod", "seen": "s", "steps": [step, {"what": "b", "data": "{}"}]}],
                "reach": {"accounts": ["prod (200000000001)"], "regions": ["eu-west-1"], "steps": 2, "assets": 7},
                "units": [{"name": "backup vault", "count": 1}], "digest": "d", "expiresAt": "2026-01-01T00:00:00Z",
            },
            "status": {"state": "Proposed", "results": [{"account": "prod", "what": "b", "result": "refused\u{1b}[2J", "done": false}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_change_is_shown_with_all_that_decides() {
        let told = one("acme", &change(), 100);
        for part in [
            "acme, change main-0a: Proposed",
            "prod (200000000001); regions eu-west-1",
            "7 that the policy's tag selects",
            "1 backup vault",
            "1. prod: make the backup vault v in eu-west-1",
            "undo: delete it",
            "undo: nothing can take it back",
            "not done: refused",
            "changes approve acme main-0a",
        ] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
        assert!(!told.contains('\u{1b}') && told.lines().all(|line| line.chars().count() <= 100), "{told}");
        let listed = all(&[change()], 140);
        assert!(listed.contains("main-0a") && listed.contains("2 step(s), first"), "{listed}");
    }
}
