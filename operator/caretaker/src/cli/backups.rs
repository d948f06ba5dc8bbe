//! `backups`: what of a client can be restored and from when, what cannot and why, and what the policy does next.

use caretaker_api::backup_policy::{BackupGap, BackupPolicySpec, BackupPolicyStatus, PlanStatus, ProtectionStatus};
use caretaker_api::names::client_namespace;
use caretaker_api::words::PlanState;
use caretaker_api::{BackupPolicy, ManagedClient};
use caretaker_cloud::Cloud;
use caretaker_core::backup_policy::preview::by_cloud;
use caretaker_core::backup_policy::protection::named;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::json as value;

use super::account::when;
use super::cluster::{ClusterArgs, connect, explain};
use super::output::{Form, json, paragraph, table_within, width};

/// Runs that the preview tells.
const RUNS: usize = 3;
/// Where the text behind a label begins.
const LABEL: usize = 12;

/// Which question.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show what would be written in each account and region, and when the next backups begin.
    Plan(Which),
}

#[derive(clap::Args)]
struct Which {
    /// Name of the ManagedClient; without it all are listed.
    client: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Which {
    /// Every policy of the client, or of all clients, with the client's name.
    async fn policies(&self) -> anyhow::Result<Vec<(String, BackupPolicy)>> {
        let kube = connect(&self.cluster).await?;
        let names = match &self.client {
            Some(name) => vec![Api::<ManagedClient>::all(kube.clone()).get(name).await.map_err(explain)?.name_any()],
            None => {
                let clients = Api::<ManagedClient>::all(kube.clone()).list(&ListParams::default()).await.map_err(explain)?;
                clients.items.iter().map(ResourceExt::name_any).collect()
            }
        };
        let mut found = Vec::new();
        for name in names {
            found.extend(of_client(&kube, &name).await?.into_iter().map(|policy| (name.clone(), policy)));
        }
        Ok(found)
    }
}

async fn of_client(kube: &Client, name: &str) -> anyhow::Result<Vec<BackupPolicy>> {
    let api = Api::<BackupPolicy>::namespaced(kube.clone(), &client_namespace(name));
    Ok(api.list(&ListParams::default()).await.map_err(explain)?.items)
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match &args.command {
        Some(Command::Plan(which)) => plan(which).await,
        None => protection(&args.which).await,
    }
}

async fn protection(which: &Which) -> anyhow::Result<()> {
    let policies = which.policies().await?;
    if which.output == Form::Json {
        let entry = |(client, policy): &(String, BackupPolicy)| {
            let status = status(policy);
            value!({"client": client, "policy": policy.name_any(), "protection": status.protection, "conditions": status.conditions})
        };
        return json(&policies.iter().map(entry).collect::<Vec<_>>());
    }
    match &which.client {
        Some(name) if policies.is_empty() => outln!("{}", nothing(name)),
        Some(_) => {
            let told: Vec<String> = policies.iter().map(|(client, policy)| one(client, policy, width())).collect();
            out!("{}", told.join("\n"));
        }
        None => out!("{}", all(&policies, width())),
    }
    Ok(())
}

fn nothing(client: &str) -> String {
    format!(
        "{client} has no backup policy: nothing of it is backed up. Set spec.backups of its ManagedClient, see examples/managed-client-aws.yaml"
    )
}

fn status(policy: &BackupPolicy) -> BackupPolicyStatus {
    policy.status.clone().unwrap_or_default()
}

/// The condition that speaks of points, as status and message.
fn told(status: &BackupPolicyStatus) -> (String, String) {
    let found = status.conditions.iter().find(|condition| condition.type_ == "BackupsProtected");
    found.map_or_else(|| ("Unknown".into(), "not looked at yet".into()), |found| (found.status.clone(), found.message.clone()))
}

fn all(policies: &[(String, BackupPolicy)], width: usize) -> String {
    let row = |(client, policy): &(String, BackupPolicy)| {
        let status = status(policy);
        let protection = status.protection.clone().unwrap_or_default();
        let text = if protection.text.is_empty() { "-".to_owned() } else { protection.text };
        let oldest = protection.oldest.as_ref().map_or_else(|| "-".to_owned(), |at| at.0.to_string());
        vec![client.clone(), text, told(&status).0, oldest, protection.gaps.first().map(|gap| gap.reason.clone()).unwrap_or_default()]
    };
    let head = ["CLIENT", "PROTECTED", "ALL", "OLDEST POINT", "WORST GAP"];
    table_within(&head, &policies.iter().map(row).collect::<Vec<_>>(), width)
        + "\nNext: kubectl caretaker backups CLIENT tells each gap with its cure\n"
}

fn terms(spec: &BackupPolicySpec) -> String {
    let terms = &spec.terms;
    format!(
        "daily at {} UTC, kept for {} days, at most {} hours lost; what has the tag {}={} in {}",
        terms.daily_at,
        terms.retention_days,
        terms.rpo_hours,
        terms.tag.key,
        terms.tag.value,
        terms.regions.join(", ")
    )
}

/// One policy on lines of at most this width.
fn one(client: &str, policy: &BackupPolicy, width: usize) -> String {
    let status = status(policy);
    let (is, message) = told(&status);
    let mut text = paragraph("", &format!("{client}, policy {}: {}", policy.name_any(), terms(&policy.spec)), width);
    let mut line = |label: &str, value: &str| text.push_str(&paragraph(&format!("  {label:LABEL$}"), value, width));
    line("protected", &format!("{is}: {message}"));
    let Some(found) = &status.protection else { return text };
    line("read", &when(found.read_at.as_ref()));
    line("assets", &figures(found));
    if let Some(oldest) = &found.oldest {
        line("oldest", &format!("the newest point of the asset that is worst off is of {}", oldest.0));
    }
    if found.orphaned > 0 {
        line("orphaned", &format!("{} things that are gone still have recovery points in our vaults", found.orphaned));
    }
    if let Some(at) = &found.earliest_erasure {
        line("erasable", &format!("not before {}: until then a lock, an enforced retention or soft delete holds something", at.0));
    }
    found.unread.iter().for_each(|unread| line("not asked", unread));
    if !found.gaps.is_empty() {
        text.push('\n');
    }
    found.gaps.iter().for_each(|gap| text.push_str(&told_gap(gap, width)));
    if found.more_gaps > 0 {
        let address = found.address.clone().unwrap_or_default();
        text.push_str(&paragraph("", &format!("and {} more; the store has all, in {address}", found.more_gaps), width));
    }
    text
}

fn figures(found: &ProtectionStatus) -> String {
    let all = [
        (found.protected, "protected"),
        (found.waiting, "wait for their first point"),
        (found.unprotected, "unprotected"),
        (found.stale, "stale"),
        (found.failing, "failing"),
        (found.unknown, "not known"),
    ];
    let told: Vec<String> = all.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let rest = match found.unselected {
        0 => String::new(),
        count => format!("; {count} more could be backed up and have no such tag"),
    };
    format!("{} selected: {}{rest}", found.assets, if told.is_empty() { "none".to_owned() } else { told.join(", ") })
}

fn told_gap(gap: &BackupGap, width: usize) -> String {
    let state = if gap.state.as_str() == "Protected" { "At risk" } else { gap.state.as_str() };
    let mut text = paragraph(&format!("{state:LABEL$}"), &named(gap), width);
    text.push_str(&paragraph(&format!("{:LABEL$}", ""), &gap.reason, width));
    text.push_str(&paragraph(&format!("{:>1$}", "cure  ", LABEL), &gap.cure, width));
    text
}

async fn plan(which: &Which) -> anyhow::Result<()> {
    let (policies, now) = (which.policies().await?, Timestamp::now());
    if which.output == Form::Json {
        let entry = |(client, policy): &(String, BackupPolicy)| {
            let of = |(cloud, runs): (Cloud, Result<Vec<Timestamp>, String>)| match runs {
                Ok(runs) => (cloud.to_string(), value!(runs.iter().map(ToString::to_string).collect::<Vec<_>>())),
                Err(why) => (cloud.to_string(), value!({"none": why})),
            };
            let runs: serde_json::Map<_, _> = by_cloud(&policy.spec.terms, now, RUNS).into_iter().map(of).collect();
            value!({"client": client, "policy": policy.name_any(), "plans": status(policy).plans, "nextRuns": runs})
        };
        return json(&policies.iter().map(entry).collect::<Vec<_>>());
    }
    if let (Some(name), true) = (&which.client, policies.is_empty()) {
        outln!("{}", nothing(name));
    }
    let told: Vec<String> = policies.iter().map(|(client, policy)| preview(client, policy, now, width())).collect();
    out!("{}", told.join("\n"));
    Ok(())
}

fn preview(client: &str, policy: &BackupPolicy, now: Timestamp, width: usize) -> String {
    let mut text = paragraph("", &format!("{client}, policy {}: {}", policy.name_any(), terms(&policy.spec)), width);
    let runs = by_cloud(&policy.spec.terms, now, RUNS);
    for (cloud, runs) in &runs {
        let told = match runs {
            Ok(runs) => runs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Err(why) => why.clone(),
        };
        let name = match cloud {
            Cloud::Aws => "AWS",
            Cloud::Azure => "Azure",
            Cloud::Gcp => "Google Cloud",
        };
        let label = if runs.is_ok() { "next runs" } else { "no runs" };
        text.push_str(&paragraph(&format!("  {label:LABEL$}"), &format!("{name}: {told}"), width));
    }
    let plans = status(policy).plans;
    if plans.is_empty() && runs.iter().any(|(_, runs)| runs.is_ok()) {
        text.push_str(&paragraph(&format!("  {:LABEL$}", "plans"), "not looked at yet", width));
    }
    plans.iter().for_each(|plan| text.push_str(&told_plan(plan, width)));
    text
}

fn told_plan(plan: &PlanStatus, width: usize) -> String {
    let how = match plan.state {
        PlanState::InSync => "as the policy says",
        PlanState::Planned => "observe only; this would be written",
        PlanState::Failed => "not as the policy says",
        PlanState::Blocked => "not as the policy says; somebody else must act",
        PlanState::Unknown => "told by another release",
    };
    let mut text = paragraph("  ", &format!("{}, {}: {how}", plan.account, plan.region), width);
    plan.changes.iter().for_each(|change| text.push_str(&paragraph("      ", change, width)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(status: serde_json::Value) -> BackupPolicy {
        serde_json::from_value(value!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "BackupPolicy", "metadata": {"name": "main", "namespace": "client-acme"},
            "spec": {"accounts": ["prod"], "dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "backup", "value": "daily"}, "regions": ["eu-west-1"]},
            "status": status,
        }))
        .unwrap()
    }

    fn whole() -> BackupPolicy {
        policy(value!({
            "conditions": [{
                "type": "BackupsProtected", "status": "False", "reason": "NotAllProtected", "lastTransitionTime": "2026-11-28T00:00:00Z",
                "message": "2 of 4 assets can be restored to a moment within 26 hours",
            }],
            "protection": {
                "readAt": "2026-11-28T12:00:00Z", "text": "2/4", "assets": 4, "protected": 2, "failing": 1, "stale": 1, "unselected": 7, "orphaned": 2,
                "oldest": "2026-11-20T03:31:00Z", "moreGaps": 3, "address": "clients/acme/backups/main/coverage.ndjson",
                "unread": ["account test, eu-west-1: backup:ListBackupVaults was refused"],
                "gaps": [
                    {
                        "state": "Failing", "account": "prod", "region": "eu-west-1", "kind": "volume", "id": "vol-0123456789abcdef0", "name": "db data",
                        "reason": "there is no usable recovery point; the job of 2026-11-28 03:30 UTC failed: IAM role cannot be assumed",
                        "cure": "the client applies the kit again",
                    },
                    {
                        "state": "Protected", "account": "prod", "region": "eu-west-1", "kind": "instance", "id": "i-1",
                        "reason": "AWS Backup leaves out EC2 in eu-west-1", "cure": "the client runs in this account: aws backup update-region-settings",
                    },
                ],
            },
            "plans": [{"account": "prod", "region": "eu-west-1", "state": "Planned", "vault": "v", "changes": ["make the backup vault v in eu-west-1"]}],
        }))
    }

    #[test]
    fn each_gap_is_told_with_its_cure_within_80_columns() {
        let text = one("acme", &whole(), 80);
        for part in [
            "False: 2 of 4 assets",
            "4 selected: 2 protected, 1 stale, 1 failing; 7 more could be backed up",
            "of 2026-11-20T03:31:00Z",
            "2 things that are gone",
            "account test, eu-west-1: backup:ListBackupVaults was refused",
            "Failing     volume vol-0123456789abcdef0 (db data) in prod, eu-west-1",
            "cure  the client applies the kit again",
            "At risk     instance i-1",
            "and 3 more; the store has all",
        ] {
            assert!(text.replace("\n              ", " ").contains(part), "{part} is not in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let text = all(&[("acme".into(), whole())], 80);
        assert!(text.contains("2/4") && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn what_would_be_written_is_told_with_the_next_runs() {
        let text = preview("acme", &whole(), "2026-11-28T12:00:00Z".parse().unwrap(), 80);
        for part in ["2026-11-29T03:30:00Z", "prod, eu-west-1: observe only", "make the backup vault v in eu-west-1"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let text = preview("acme", &policy(value!({})), "2026-11-28T12:00:00Z".parse().unwrap(), 80);
        assert!(text.contains("not looked at yet"), "{text}");
        assert!(one("acme", &policy(value!({})), 80).contains("Unknown: not looked at yet"));
        let mut watched = policy(value!({}));
        watched.spec.terms.regions = vec!["westeurope".into(), "europe-west1".into()];
        let text = preview("acme", &watched, "2026-11-28T12:00:00Z".parse().unwrap(), 200);
        assert!(text.contains("Azure: no plan is written on this cloud") && !text.contains("next runs"), "{text}");
        assert!(text.contains("Google Cloud: dailyAt 03:30") && text.contains("set dailyAt to 03:00 or 04:00"), "{text}");
        watched.spec.terms.daily_at = "03:00".into();
        let text = preview("acme", &watched, "2026-11-28T12:00:00Z".parse().unwrap(), 200);
        assert!(text.contains("next runs   Google Cloud: 2026-11-29T03:00:00Z, 2026-11-30T03:00:00Z"), "{text}");
    }
}
