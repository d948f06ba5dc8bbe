//! `readiness`: whether clients could leave today, and what stands in the way.

use anyhow::Context;
use caretaker_api::ManagedClient;
use caretaker_api::managed_client::{ReadinessCheck, ReadinessStatus};
use kube::ResourceExt;
use serde_json::json as value;

use super::clients::Clients;
use super::closing;
use super::output::{Form, json, paragraph, table, width};

/// Every question in its order.
const QUESTIONS: [(ReadinessCheck, &str); 12] = [
    (ReadinessCheck::Recipients, "Can the bundle be sealed to the client's keys?"),
    (ReadinessCheck::Access, "Does every account let us in?"),
    (ReadinessCheck::Inventory, "Was every account read completely?"),
    (ReadinessCheck::Monitoring, "Does the monitoring run as it is handed over?"),
    (ReadinessCheck::Backups, "Are the backups as the policy says?"),
    (ReadinessCheck::Store, "Does the store take a bundle?"),
    (ReadinessCheck::Destination, "Does the client's own bucket take a bundle?"),
    (ReadinessCheck::SigningKey, "Can a bundle be signed?"),
    (ReadinessCheck::Proof, "Would a refusal after the exit prove something?"),
    (ReadinessCheck::Ledger, "Is the log of all that was done whole?"),
    (ReadinessCheck::Rehearsal, "Was the exit rehearsed lately?"),
    (ReadinessCheck::Deadlines, "Can the deadlines of the exit be kept?"),
];

/// Answers.
pub async fn run(args: Clients) -> anyhow::Result<()> {
    let clients = args.read(&args.connect().await?).await?;
    let of = |client: &ManagedClient| client.status.as_ref().and_then(|status| status.readiness.clone());
    if args.output == Form::Json {
        return json(&clients.iter().map(|client| value!({"client": client.name_any(), "readiness": of(client)})).collect::<Vec<_>>());
    }
    match (&args.client, clients.as_slice()) {
        (Some(name), [client]) => {
            let readiness = of(client).with_context(|| {
                format!("a final exit of {name} has begun, or the operator has not seen it yet; see kubectl caretaker status {name} and closing {name}")
            })?;
            let dates = client.status.as_ref().map(|status| status.deadlines.as_slice()).unwrap_or_default();
            out!("{}", one(name, &readiness, width()));
            if !dates.is_empty() {
                out!("\n{}", closing::deadlines(dates, width()));
            }
        }
        _ => out!("{}", all(&clients.iter().map(|client| (client.name_any(), of(client))).collect::<Vec<_>>())),
    }
    Ok(())
}

fn all(clients: &[(String, Option<ReadinessStatus>)]) -> String {
    let row = |(name, readiness): &(String, Option<ReadinessStatus>)| match readiness {
        Some(readiness) => {
            let names: Vec<String> = readiness.blockers.iter().map(|blocker| format!("{:?}", blocker.check)).collect();
            vec![name.clone(), format!("{}%", readiness.score), if names.is_empty() { "-".into() } else { names.join(", ") }]
        }
        None => vec![name.clone(), "-".into(), "leaves, or was not seen yet".into()],
    };
    table(&["CLIENT", "READY", "IN THE WAY"], &clients.iter().map(row).collect::<Vec<_>>())
        + "\nNext: kubectl caretaker readiness CLIENT says what to do\n"
}

fn one(name: &str, readiness: &ReadinessStatus, width: usize) -> String {
    let mut text =
        format!("{name} could leave today: {} of {} questions passed ({}%)\n\n", readiness.passed, readiness.checked, readiness.score);
    for (check, question) in QUESTIONS {
        let blocker = readiness.blockers.iter().find(|blocker| blocker.check == check);
        text.push_str(&format!("{}  {question}\n", if blocker.is_none() { "yes" } else { "NO " }));
        if let Some(blocker) = blocker {
            text.push_str(&paragraph("     ", &blocker.message, width));
        }
    }
    text
}
