//! `gates`: in which phase of the contract clients are, what stands before the next one, and who must act.

use caretaker_api::ManagedClient;
use caretaker_api::lifecycle::{Gate, GateState, LifecycleStatus, Phase};
use kube::ResourceExt;
use serde_json::json as value;

use super::clients::Clients;
use super::output::{Form, json, paragraph, table_within, width};

fn of(client: &ManagedClient) -> (LifecycleStatus, Vec<Gate>) {
    let status = client.status.clone().unwrap_or_default();
    let unseen = LifecycleStatus { phase: Phase::Unknown, ..LifecycleStatus::default() };
    (status.lifecycle.unwrap_or(unseen), status.gates)
}

/// Answers.
pub async fn run(args: Clients) -> anyhow::Result<()> {
    let clients = args.read(&args.connect().await?).await?;
    if args.output == Form::Json {
        let told = |client: &ManagedClient| {
            let (lifecycle, gates) = of(client);
            value!({"client": client.name_any(), "lifecycle": lifecycle, "gates": gates})
        };
        return json(&clients.iter().map(told).collect::<Vec<_>>());
    }
    match (&args.client, clients.as_slice()) {
        (Some(name), [client]) => out!("{}", one(name, of(client), width())),
        _ => out!("{}", all(&clients.iter().map(|client| (client.name_any(), of(client))).collect::<Vec<_>>(), width())),
    }
    Ok(())
}

fn day(at: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>) -> String {
    at.map_or_else(|| "-".into(), |at| at.0.strftime("%Y-%m-%d").to_string())
}

fn all(clients: &[(String, (LifecycleStatus, Vec<Gate>))], width: usize) -> String {
    let row = |(name, (lifecycle, gates)): &(String, (LifecycleStatus, Vec<Gate>))| {
        let closed: Vec<String> = gates
            .iter()
            .filter(|gate| gate.state == GateState::Closed)
            .map(|gate| format!("{} ({})", gate.name.as_str(), gate.actor.map_or("-", |actor| actor.as_str())))
            .collect();
        let closed = if closed.is_empty() { "-".into() } else { closed.join(", ") };
        vec![name.clone(), lifecycle.phase.as_str().into(), day(lifecycle.since.as_ref()), closed]
    };
    let rows: Vec<Vec<String>> = clients.iter().map(row).collect();
    table_within(&["CLIENT", "PHASE", "SINCE", "CLOSED GATES (WHO ACTS)"], &rows, width)
        + "\nNext: kubectl caretaker gates CLIENT says what is missing\n"
}

fn one(name: &str, (lifecycle, gates): (LifecycleStatus, Vec<Gate>), width: usize) -> String {
    let mut text = format!("{name} is in the phase {} since {}\n", lifecycle.phase.as_str(), day(lifecycle.since.as_ref()));
    if let Some(baseline) = &lifecycle.baseline {
        let told = format!(
            "{} asset(s) of {} account(s), coverage {}, frozen {}, sha256 {}",
            baseline.assets,
            baseline.accounts,
            baseline.coverage,
            day(baseline.frozen_at.as_ref()),
            baseline.digest
        );
        text += &paragraph("baseline: ", &told, width);
    }
    text.push('\n');
    for gate in &gates {
        let is_open = gate.state == GateState::Open;
        let who = gate.actor.map_or_else(String::new, |actor| format!(", {} acts", actor.as_str()));
        let word = if is_open { "open  " } else { "CLOSED" };
        text += &format!("{word}  {} (before {}{who}), since {}\n", gate.name.as_str(), gate.before.as_str(), day(Some(&gate.since)));
        if !gate.message.is_empty() {
            text += &paragraph("        ", &gate.message, width);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn phase_and_gates_are_told_in_80_columns() {
        let client: ManagedClient = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}}, "accounts": [],
                "exit": {"recipients": ["age1"]},
            },
            "status": {
                "lifecycle": {"phase": "Onboarding", "since": "2026-01-01T00:00:00Z"},
                "gates": [
                    {"name": "Access", "before": "Active", "state": "Open", "since": "2026-01-02T00:00:00Z", "message": "1 of 1 accounts"},
                    {"name": "Agreements", "before": "Active", "state": "Closed", "since": "2026-01-03T00:00:00Z", "message": "no BAA is in force ".repeat(9), "actor": "Provider"},
                ],
            },
        }))
        .unwrap();
        let text = one("acme", of(&client), 80) + &all(&[("acme".into(), of(&client))], 80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for part in [
            "in the phase Onboarding since 2026-01-01",
            "open    Access",
            "CLOSED  Agreements (before Active, Provider acts), since 2026-01-03",
            "Agreements (Provider)",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let unseen = ManagedClient { status: None, ..client };
        assert_eq!(of(&unseen).0.phase, Phase::Unknown, "who was not looked at is in no phase");
    }
}
