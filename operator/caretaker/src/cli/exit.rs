//! `exit` and `accept`.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{bail, ensure};
use caretaker_api::handover::{HandoverMode, HandoverSpec, HandoverStep, StepState};
use caretaker_api::names::client_namespace;
use caretaker_api::{Handover, ManagedClient};
use caretaker_core::conditions::Is;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::cluster::{ClusterArgs, connect, explain};

/// Name of a client's one final handover.
const FINAL: &str = "final";

/// What exit.
#[derive(clap::Args)]
pub struct ExitArgs {
    /// Name of the ManagedClient.
    client: String,
    /// The real exit: it ends with the revocation of our own access, which cannot be taken back.
    #[arg(long = "final")]
    is_final: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Show the steps until the exit ends or waits for the client.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Whose acceptance of what.
#[derive(clap::Args)]
pub struct AcceptArgs {
    /// Name of the ManagedClient.
    client: String,
    /// SHA-256 of the sealed bundle that the client has verified.
    #[arg(long)]
    digest: String,
    /// The person of the client who accepts.
    #[arg(long = "by")]
    accepted_by: String,
    /// Show the steps until the exit ends.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Begins an exit.
pub async fn exit(args: ExitArgs) -> anyhow::Result<()> {
    let kube = connect(&args.cluster).await?;
    Api::<ManagedClient>::all(kube.clone()).get(&args.client).await.map_err(explain)?;
    let api = Api::<Handover>::namespaced(kube.clone(), &client_namespace(&args.client));
    let (name, mode) = if args.is_final {
        if let Some(running) = api.get_opt(FINAL).await.map_err(explain)? {
            bail!(
                "a final exit exists already: handover {} of {}; see kubectl caretaker status {}",
                running.name_any(),
                args.client,
                args.client
            );
        }
        if !args.yes {
            confirm(&args.client)?;
        }
        (FINAL.to_owned(), HandoverMode::Final)
    } else {
        (format!("rehearsal-{}", jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S")), HandoverMode::Rehearsal)
    };
    api.create(&PostParams::default(), &Handover::new(&name, HandoverSpec { mode, acceptance: None })).await.map_err(explain)?;
    outln!("handover {name} of {} has begun", args.client);
    if args.wait { watch(&kube, &args.client, &name, true).await } else { Ok(()) }
}

fn confirm(client: &str) -> anyhow::Result<()> {
    out!("The final exit of {client} ends with the revocation of our own access. Type the client's name to go on: ");
    std::io::stdout().flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    ensure!(typed.trim() == client, "not confirmed: nothing was done");
    Ok(())
}

/// Accepts a bundle.
pub async fn accept(args: AcceptArgs) -> anyhow::Result<()> {
    let kube = connect(&args.cluster).await?;
    let api = Api::<Handover>::namespaced(kube.clone(), &client_namespace(&args.client));
    let handover = api.get_opt(FINAL).await.map_err(explain)?;
    let Some(handover) = handover else {
        bail!("{} has no final exit; begin one with: kubectl caretaker exit {} --final", args.client, args.client)
    };
    let bundle = handover.status.as_ref().and_then(|status| status.bundle.clone());
    let Some(bundle) = bundle else { bail!("the bundle is not sealed yet; see kubectl caretaker status {}", args.client) };
    ensure!(
        bundle.sha256 == args.digest,
        "the digest is not the bundle's: given {}, the bundle has {}; let the client verify the bundle again",
        args.digest,
        bundle.sha256
    );
    let patch = json!({"spec": {"acceptance": {"digest": args.digest, "acceptedBy": args.accepted_by}}});
    api.patch(FINAL, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(explain)?;
    outln!("accepted by {}: our access is revoked now", args.accepted_by);
    if args.wait { watch(&kube, &args.client, FINAL, false).await } else { Ok(()) }
}

/// Prints each change of the log until the end, or until the client must act where `until_acceptance` says so.
async fn watch(kube: &Client, client: &str, name: &str, until_acceptance: bool) -> anyhow::Result<()> {
    let api = Api::<Handover>::namespaced(kube.clone(), &client_namespace(client));
    let mut shown: Vec<String> = Vec::new();
    loop {
        let handover = api.get(name).await.map_err(explain)?;
        let status = handover.status.clone().unwrap_or_default();
        for step in &status.steps {
            let line = format!("{:<14} {:<10} {}", format!("{:?}", step.step), format!("{:?}", step.state), step.message);
            if !shown.contains(&line) {
                outln!("{line}");
                shown.push(line);
            }
        }
        let waits_for_client = until_acceptance
            && status.steps.last().is_some_and(|step| step.state == StepState::Waiting && step.step == HandoverStep::Accept);
        if waits_for_client {
            let digest = status.bundle.map(|bundle| bundle.sha256).unwrap_or_default();
            outln!("waits for the client: kubectl caretaker accept {client} --digest {digest} --by NAME");
            return Ok(());
        }
        if status.steps.iter().any(|step| step.step == HandoverStep::Done && step.state == StepState::Completed) {
            return Ok(());
        }
        let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled" && Is::of(condition) == Is::True);
        if let Some(stalled) = stalled {
            bail!("{}", stalled.message);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
