//! `exit` and `accept`.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{bail, ensure};
use caretaker_api::handover::{Acceptance, Emergency, HandoverMode, HandoverSpec, HandoverStep, StepState};
use caretaker_api::names::client_namespace;
use caretaker_api::{Handover, ManagedClient};
use caretaker_core::conditions::Is;
use caretaker_core::handover::acceptance;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
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
    /// With --final: revoke our access at once, before the bundle is made, as after a compromise of the provider. It cannot be called off.
    #[arg(long, requires_all = ["is_final", "by", "reason"])]
    emergency: bool,
    /// Call the final exit off, which is possible until the client has accepted the bundle.
    #[arg(long, requires_all = ["by", "reason"], conflicts_with_all = ["is_final", "wait"])]
    cancel: bool,
    /// With --cancel or --emergency: who decides it.
    #[arg(long, requires = "reason")]
    by: Option<String>,
    /// With --cancel or --emergency: why.
    #[arg(long, requires = "by")]
    reason: Option<String>,
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
    /// The code of 15-acceptance.json in the opened bundle; it proves that the client opened it.
    #[arg(long)]
    code: Option<String>,
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
    if let (true, Some(by), Some(reason)) = (args.cancel, &args.by, &args.reason) {
        return cancel(&api, &args.client, (by, reason)).await;
    }
    ensure!(args.emergency || args.by.is_none(), "--by and --reason go with --cancel or --emergency");
    let (name, mode) = if args.is_final {
        let (running, made) = final_exits(&api).await?;
        if let Some(running) = running {
            bail!(
                "a final exit exists already: handover {} of {}; see kubectl caretaker status {}",
                running.name_any(),
                args.client,
                args.client
            );
        }
        if !args.yes {
            confirm(&args.client, args.emergency)?;
        }
        let name = if made == 0 { FINAL.to_owned() } else { format!("{FINAL}-{}", made + 1) };
        (name, HandoverMode::Final)
    } else {
        (format!("rehearsal-{}", jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S")), HandoverMode::Rehearsal)
    };
    let client = if args.is_final { args.client.clone() } else { String::new() };
    let emergency = args.by.zip(args.reason).filter(|_| args.emergency).map(|(by, reason)| Emergency { by, reason });
    let spec = HandoverSpec { mode, client, emergency, ..HandoverSpec::default() };
    api.create(&PostParams::default(), &Handover::new(&name, spec)).await.map_err(explain)?;
    outln!("handover {name} of {} has begun", args.client);
    if args.wait { watch(&kube, &args.client, &name, true).await } else { Ok(()) }
}

/// The final exit that was not called off, and how many there are in all.
async fn final_exits(api: &Api<Handover>) -> anyhow::Result<(Option<Handover>, usize)> {
    let all = api.list(&ListParams::default()).await.map_err(explain)?.items;
    let finals: Vec<Handover> = all.into_iter().filter(|handover| handover.spec.mode == HandoverMode::Final).collect();
    let made = finals.len();
    Ok((finals.into_iter().find(|handover| handover.spec.cancelled.is_none()), made))
}

async fn cancel(api: &Api<Handover>, client: &str, (by, reason): (&str, &str)) -> anyhow::Result<()> {
    let (running, _) = final_exits(api).await?;
    let Some(running) = running else { bail!("{client} has no final exit that could be called off") };
    let patch = json!({"spec": {"cancelled": {"by": by, "reason": reason}}});
    api.patch(&running.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(explain)?;
    outln!("the exit of {client} is called off: nothing was revoked, and what was frozen is thawed; a sealed bundle stays in the store");
    Ok(())
}

fn confirm(client: &str, is_emergency: bool) -> anyhow::Result<()> {
    let how = if is_emergency {
        "revokes our own access at once, before the bundle is made"
    } else {
        "ends with the revocation of our own access"
    };
    out!("The final exit of {client} {how}. Type the client's name to go on: ");
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
    let Some(handover) = final_exits(&api).await?.0 else {
        bail!("{} has no final exit; begin one with: kubectl caretaker exit {} --final", args.client, args.client)
    };
    let bundle = handover.status.as_ref().and_then(|status| status.bundle.clone());
    // Windows prints digests in capitals.
    let digest = args.digest.to_lowercase();
    let Some(bundle) = bundle else { bail!("the bundle is not sealed yet; see kubectl caretaker status {}", args.client) };
    ensure!(
        bundle.sha256 == digest,
        "the digest is not the bundle's: given {digest}, the bundle has {}; let the client verify the bundle again",
        bundle.sha256
    );
    let acceptance = Acceptance { digest, accepted_by: args.accepted_by.clone(), code: args.code.unwrap_or_default() };
    if let Some(fault) = acceptance::fault(&acceptance, &bundle) {
        bail!("--code: {}", fault.message);
    }
    let patch = json!({"spec": {"acceptance": acceptance}});
    let name = handover.name_any();
    api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(explain)?;
    match &handover.spec.emergency {
        None => outln!("accepted by {}: our access is revoked now", args.accepted_by),
        Some(_) => outln!("accepted by {}: our access was revoked before", args.accepted_by),
    }
    if args.wait { watch(&kube, &args.client, &name, false).await } else { Ok(()) }
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
            outln!("waits for the client: kubectl caretaker accept {client} --digest {digest} --code CODE --by NAME");
            outln!("CODE stands in 15-acceptance.json of the opened bundle");
            return Ok(());
        }
        if status.steps.iter().any(|step| step.step == HandoverStep::Done && step.state == StepState::Completed) {
            return Ok(());
        }
        if let Some(cancelled) = status.steps.iter().find(|step| step.state == StepState::Cancelled) {
            bail!("{}", cancelled.message);
        }
        // What an earlier form of the object was refused for says nothing of this one.
        let is_of_now = |condition: &&Condition| condition.observed_generation >= handover.metadata.generation;
        let is_stalled = |condition: &&Condition| condition.type_ == "Stalled" && Is::of(condition) == Is::True;
        let stalled = status.conditions.iter().filter(is_of_now).find(is_stalled);
        if let Some(stalled) = stalled {
            bail!("{}", stalled.message);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
