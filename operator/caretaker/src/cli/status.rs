//! `status`: all clients in a table, or one with what to do next.

use caretaker_api::condition::Conditions;
use caretaker_api::names::client_namespace;
use caretaker_api::{BackupPolicy, CloudAccount, Handover, ManagedClient, MonitoringStack};
use kube::{Api, ResourceExt};

use super::clients::Clients;
use super::cluster::explain;
use super::output::{Form, json, paragraph, table, width};

/// Shows.
pub async fn run(args: Clients) -> anyhow::Result<()> {
    let kube = args.connect().await?;
    match &args.client {
        None => all(&kube, args.output).await,
        Some(client) => one(&kube, client, args.output).await,
    }
}

/// `Ready` with its reason.
pub(super) fn ready(conditions: &Conditions) -> (String, String) {
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
    ready.map_or_else(|| ("-".into(), "-".into()), |ready| (ready.status.clone(), ready.reason.clone()))
}

async fn all(kube: &kube::Client, form: Form) -> anyhow::Result<()> {
    let clients = Api::<ManagedClient>::all(kube.clone()).list(&Default::default()).await.map_err(explain)?;
    if form == Form::Json {
        return json(&clients.items);
    }
    if clients.items.is_empty() {
        outln!("no clients yet; apply one, such as examples/managed-client-minimal.yaml");
        return Ok(());
    }
    let handovers = Api::<Handover>::all(kube.clone()).list(&Default::default()).await.map_err(explain)?;
    let rows: Vec<Vec<String>> = clients
        .iter()
        .map(|client| {
            let status = client.status.clone().unwrap_or_default();
            let (is, reason) = ready(&status.conditions);
            let namespace = client_namespace(&client.name_any());
            let last = handovers
                .iter()
                .filter(|handover| handover.namespace().as_deref() == Some(&namespace))
                .max_by_key(|handover| handover.creation_timestamp());
            let step = last.and_then(|handover| match &handover.spec.cancelled {
                Some(_) => Some(format!("{:?} called off", handover.spec.mode)),
                None => Some(format!("{:?} {:?}", handover.spec.mode, handover.status.as_ref()?.step?)),
            });
            vec![client.name_any(), is, reason, status.accounts.to_string(), status.assets.to_string(), step.unwrap_or_else(|| "-".into())]
        })
        .collect();
    out!("{}", table(&["CLIENT", "READY", "REASON", "ACCOUNTS", "ASSETS", "EXIT"], &rows));
    Ok(())
}

async fn one(kube: &kube::Client, name: &str, form: Form) -> anyhow::Result<()> {
    let client = Api::<ManagedClient>::all(kube.clone()).get(name).await.map_err(explain)?;
    let namespace = client_namespace(name);
    let accounts = Api::<CloudAccount>::namespaced(kube.clone(), &namespace).list(&Default::default()).await.map_err(explain)?;
    let stacks = Api::<MonitoringStack>::namespaced(kube.clone(), &namespace).list(&Default::default()).await.map_err(explain)?;
    let policies = Api::<BackupPolicy>::namespaced(kube.clone(), &namespace).list(&Default::default()).await.map_err(explain)?;
    let handovers = Api::<Handover>::namespaced(kube.clone(), &namespace).list(&Default::default()).await.map_err(explain)?;
    if form == Form::Json {
        return json(&serde_json::json!({
            "client": client, "accounts": accounts.items, "monitoring": stacks.items, "backups": policies.items, "handovers": handovers.items,
        }));
    }
    let status = client.status.clone().unwrap_or_default();
    outln!("{} ({name}), namespace {namespace}\n", client.spec.display_name);
    out!("{}", table(&["CONDITION", "STATUS", "REASON", "MESSAGE"], &condition_rows(&status.conditions)));
    for (conditions, message) in long_messages(&status.conditions) {
        out!("\n{}", paragraph("", &format!("{}: {message}", conditions.join(", ")), width()));
    }
    outln!("");
    out!("{}", table(&["ACCOUNT", "READY", "ASSETS", "COVERAGE", "KIT"], &account_rows(&accounts.items)));
    for handover in &handovers.items {
        print_handover(handover);
    }
    outln!("\n{}", next(&client, &accounts.items, &handovers.items));
    Ok(())
}

/// Characters of a message that a row shows: more would make the table hard to read.
const IN_A_ROW: usize = 80;

fn condition_rows(conditions: &Conditions) -> Vec<Vec<String>> {
    let short = |text: &str| {
        let is_long = text.chars().count() > IN_A_ROW;
        if is_long { text.chars().take(IN_A_ROW - 1).chain(['…']).collect() } else { text.to_owned() }
    };
    conditions
        .iter()
        .map(|condition| vec![condition.type_.clone(), condition.status.clone(), condition.reason.clone(), short(&condition.message)])
        .collect()
}

/// Messages that no row shows whole, each once with the conditions that say it: the cure stands at the end of a message.
fn long_messages(conditions: &Conditions) -> Vec<(Vec<&str>, &str)> {
    let mut found: Vec<(Vec<&str>, &str)> = Vec::new();
    for condition in conditions.iter().filter(|condition| condition.message.chars().count() > IN_A_ROW) {
        match found.iter_mut().find(|(_, message)| *message == condition.message) {
            Some((names, _)) => names.push(&condition.type_),
            None => found.push((vec![&condition.type_], &condition.message)),
        }
    }
    found
}

/// Parents with their accounts below them, then the other accounts.
fn account_rows(accounts: &[CloudAccount]) -> Vec<Vec<String>> {
    let parents = accounts.iter().filter(|account| account.spec.target.is_parent());
    let families = parents.flat_map(|parent| {
        let name = parent.name_any();
        let members = accounts.iter().filter(move |account| account.spec.member.as_ref().is_some_and(|member| member.parent == name));
        std::iter::once(parent_row(parent)).chain(members.map(|member| account_row(member, "  ")))
    });
    let is_orphan = |account: &&CloudAccount| {
        let parent = account.spec.member.as_ref().map(|member| member.parent.clone());
        !account.spec.target.is_parent() && parent.is_none_or(|parent| !accounts.iter().any(|other| other.name_any() == parent))
    };
    families.chain(accounts.iter().filter(is_orphan).map(|account| account_row(account, ""))).collect()
}

fn parent_row(parent: &CloudAccount) -> Vec<String> {
    let status = parent.status.clone().unwrap_or_default();
    let (is, _) = ready(&status.conditions);
    let listed = if status.members_listed_at.is_some() {
        caretaker_core::cloud_account::roster::summary(&status.members)
    } else {
        "not listed yet".into()
    };
    let kit = status.kit.map_or("-", |_| "made").into();
    vec![format!("{} ({})", parent.name_any(), parent.spec.target.kind()), is, "-".into(), listed, kit]
}

fn account_row(account: &CloudAccount, indent: &str) -> Vec<String> {
    let status = account.status.clone().unwrap_or_default();
    let (mut is, _) = ready(&status.conditions);
    if let Some(member) = account.spec.member.as_ref().filter(|member| !member.is_live()) {
        is = format!("{:?}", member.state);
    }
    let (assets, coverage) = status
        .inventory
        .map_or_else(|| ("-".into(), "Unknown".into()), |inventory| (inventory.assets.to_string(), inventory.coverage.text));
    let kit = status.kit.map_or("-", |_| "made").into();
    vec![format!("{indent}{}", account.name_any()), is, assets, coverage, kit]
}

fn print_handover(handover: &Handover) {
    let status = handover.status.clone().unwrap_or_default();
    outln!("\nHandover {} ({:?})", handover.name_any(), handover.spec.mode);
    let width = width();
    for step in &status.steps {
        let head = format!("  {:<14} {:<10} ", format!("{:?}", step.step), format!("{:?}", step.state));
        out!("{}", paragraph(&head, &step.message, width));
    }
    if let Some(bundle) = &status.bundle {
        let text = format!("bundle {} ({} bytes), sha256 {}", bundle.address, bundle.size_bytes, bundle.sha256);
        out!("{}", paragraph("  ", &text, width));
    }
    if let Some(accounts) = status.accounts.as_ref().filter(|accounts| accounts.to_close > 0) {
        outln!("  our access has ended in {} of {} account(s)", accounts.closed, accounts.to_close);
    }
    for revocation in &status.revocations {
        let proved = revocation.verified_at.as_ref().map_or_else(
            || format!("{} refusals seen, not proved yet; last answer: {}", revocation.refusals, revocation.last_answer),
            |at| format!("refused {} times in a row, proved at {}", revocation.refusals, at.0),
        );
        out!("{}", paragraph("  ", &format!("{}: {proved}", revocation.principal), width));
        if !revocation.left.is_empty() {
            out!("{}", paragraph("    ", &format!("left for the client to delete: {}", revocation.left), width));
        }
    }
}

fn next(client: &ManagedClient, accounts: &[CloudAccount], handovers: &[Handover]) -> String {
    let name = client.name_any();
    if client.status.as_ref().is_some_and(|status| status.handed_over_by.is_some()) {
        let is_erased = client.status.as_ref().and_then(|status| status.erasure.as_ref()?.completed_at.as_ref()).is_some();
        return if is_erased {
            format!("Next: {name} was handed over and our copies are erased; take it away with: kubectl delete mc {name}")
        } else {
            format!(
                "Next: {name} was handed over; kubectl caretaker closing {name} says when our copies are erased. Deleted before that, they stay in the \
                 store without a certificate: kubectl delete mc {name}"
            )
        };
    }
    let waiting = handovers.iter().find(|handover| {
        handover.spec.acceptance.is_none()
            && handover.spec.cancelled.is_none()
            && handover.status.as_ref().is_some_and(|status| status.step == Some(caretaker_api::handover::HandoverStep::Accept))
    });
    if let Some(bundle) = waiting.and_then(|handover| handover.status.as_ref()?.bundle.clone()) {
        return format!(
            "Next: let the client verify the bundle, then: kubectl caretaker accept {name} --digest {} --code CODE --by NAME",
            bundle.sha256
        );
    }
    let kitless = accounts.iter().find(|account| ready(&account.status.clone().unwrap_or_default().conditions).1 == "WaitingForGrant");
    if kitless.is_some_and(|account| account.status.as_ref().is_some_and(|status| status.kit.is_some())) {
        return format!("Next: send the client the grant kit: kubectl caretaker kit {name} --to FOLDER");
    }
    match client.status.as_ref().map(|status| ready(&status.conditions)) {
        Some((is, _)) if is == "True" => format!("Next: could {name} leave today? kubectl caretaker readiness {name}"),
        _ => "Next: see the conditions that are not True above".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_no_row_holds_is_told_whole_and_once() {
        let long = format!("account prod: {} does not lead in: send the client the grant kit", "r".repeat(60));
        let conditions: Conditions = serde_json::from_value(serde_json::json!(
            [("AccessProven", long.as_str()), ("LedgerIntact", "whole"), ("Ready", long.as_str()), ("Stalled", "")].map(|(kind, message)| {
                serde_json::json!({"type": kind, "status": "False", "reason": "R", "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"})
            })
        ))
        .unwrap();
        assert_eq!(long_messages(&conditions), [(vec!["AccessProven", "Ready"], long.as_str())]);
        assert!(condition_rows(&conditions).iter().all(|row| row[3].chars().count() <= IN_A_ROW));
    }
}
