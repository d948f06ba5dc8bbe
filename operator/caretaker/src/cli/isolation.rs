//! `isolation`: what the test of a client's namespace has tried, and what came of it.

use std::time::Duration;

use anyhow::{Context, bail};
use caretaker_api::ManagedClient;
use caretaker_api::condition::ConditionType;
use caretaker_api::names::ISOLATION_TEST_AT;
use caretaker_core::conditions::find;
use jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};

use super::cluster::{ClusterArgs, connect, explain};
use super::output::{Form, json, paragraph, table, width};

/// Longest wait for a test that was asked for.
const PATIENCE: Duration = Duration::from_secs(360);
/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// Which client.
#[derive(clap::Args)]
pub struct IsolationArgs {
    /// Name of the ManagedClient.
    client: String,
    /// Make a test now, and wait for its end.
    #[arg(long)]
    run: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Shows the last test, or makes one first.
pub async fn run(args: IsolationArgs) -> anyhow::Result<()> {
    let api: Api<ManagedClient> = Api::all(connect(&args.cluster).await?);
    let client = if args.run { tested(&api, &args.client).await? } else { api.get(&args.client).await.map_err(explain)? };
    if args.output == Form::Json {
        return json(&as_json(&client));
    }
    out!("{}", report(&client, width()));
    Ok(())
}

async fn tested(api: &Api<ManagedClient>, name: &str) -> anyhow::Result<ManagedClient> {
    let stamp = Timestamp::now().to_string();
    let patch = serde_json::json!({"metadata": {"annotations": {ISOLATION_TEST_AT: stamp}}});
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.map_err(explain)?;
    eprintln!("A pod tries what must be refused in namespace client-{name}; this takes up to a minute once its image is there.");
    let began = std::time::Instant::now();
    loop {
        let client = api.get(name).await.map_err(explain)?;
        let status = client.status.clone().unwrap_or_default();
        let reason = find(&status.conditions, ConditionType::Isolated).map(|found| found.reason.clone()).unwrap_or_default();
        if matches!(reason.as_str(), "NotRequested" | "HandedOver") {
            return Ok(client);
        }
        let isolation = status.isolation.context("the operator has not begun yet");
        if isolation.is_ok_and(|told| told.last_handled_request.as_ref() == Some(&stamp) && told.running.is_none()) {
            return Ok(client);
        }
        if began.elapsed() > PATIENCE {
            bail!("no test has ended; is the operator running, and is the client's namespace ready? kubectl caretaker status {name}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn as_json(client: &ManagedClient) -> serde_json::Value {
    let status = client.status.clone().unwrap_or_default();
    let condition = find(&status.conditions, ConditionType::Isolated);
    serde_json::json!({"client": client.metadata.name, "condition": condition, "isolation": status.isolation})
}

/// The condition, and each attempt on a line of its own.
fn report(client: &ManagedClient, width: usize) -> String {
    let status = client.status.clone().unwrap_or_default();
    let mut text = match find(&status.conditions, ConditionType::Isolated) {
        Some(found) => paragraph("", &format!("Isolated is {} ({}): {}", found.status, found.reason, found.message), width),
        None => "nothing is known yet\n".to_owned(),
    };
    let isolation = status.isolation.unwrap_or_default();
    if let Some(last) = &isolation.last_test {
        text.push_str(&format!("last test  {}\n", last.0));
    }
    if isolation.running.is_some() {
        text.push_str("a test runs\n");
    }
    if !isolation.attempts.is_empty() {
        let row = |attempt: &caretaker_api::isolation::IsolationAttempt| {
            let ok = if attempt.as_expected { "yes" } else { "NO" };
            vec![ok.to_owned(), attempt.expected.as_str().to_lowercase(), attempt.what.clone(), attempt.seen.clone()]
        };
        let rows: Vec<_> = isolation.attempts.iter().map(row).collect();
        text.push_str(&format!("\n{}", table(&["OK", "MUST BE", "TRIED", "SEEN"], &rows)));
    }
    text
}
