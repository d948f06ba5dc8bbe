//! `report`: what the service levels of a client's months came to, the report itself, and whether a month would have passed.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use caretaker_api::ServiceReport;
use caretaker_api::names::client_namespace;
use caretaker_api::service_report::{LevelStatus, ServiceReportSpec, ServiceReportStatus};
use caretaker_core::digest::sha256_hex;
use clap::ValueEnum;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::cluster::{ClusterArgs, connect, explain};
use super::inventory::open;
use super::output::{json, paragraph, table, width};
use super::status::ready;

/// Files of a report.
const FILES: [&str; 5] = ["report.json", "report.csv", "report.md", "report.html", "credit-claim.json"];

/// Which report, and how.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the ManagedClient.
    client: String,
    /// The month, such as 2026-11; without it all months are listed.
    #[arg(long)]
    month: Option<String>,
    /// Ask whether the month would have passed under the client's terms of today; nothing of it is kept as a record.
    #[arg(long, requires = "month")]
    dry_run: bool,
    /// URL or folder of the store, to read the report itself.
    #[arg(long)]
    store: Option<String>,
    /// Write all files of the report into this folder.
    #[arg(long, value_name = "FOLDER", requires_all = ["store", "month"])]
    to: Option<PathBuf>,
    /// Form of the output. All but a table are of the report itself and need --store; json works without it, too, and then tells what the cluster knows.
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people.
    #[default]
    Table,
    /// For machines.
    Json,
    /// For browsers.
    Html,
    /// For spreadsheets.
    Csv,
    /// Text.
    Md,
}

impl Shape {
    fn file(self) -> &'static str {
        match self {
            Self::Table | Self::Md => "report.md",
            Self::Json => "report.json",
            Self::Html => "report.html",
            Self::Csv => "report.csv",
        }
    }
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let api: Api<ServiceReport> = Api::namespaced(connect(&args.cluster).await?, &client_namespace(&args.client));
    if args.dry_run {
        return dry_run(&api, &args).await;
    }
    let Some(month) = &args.month else {
        ensure!(matches!(args.output, Shape::Table | Shape::Json), "choose a month by --month");
        let all = api.list(&Default::default()).await.map_err(explain)?.items;
        return if args.output == Shape::Json { json(&all) } else { list(&args.client, &all) };
    };
    let report = api.get_opt(month).await.map_err(explain)?;
    let report = report.with_context(|| format!("there is no report of {month}; kubectl caretaker report {} lists them", args.client))?;
    show(&args, &report).await
}

async fn show(args: &Args, report: &ServiceReport) -> anyhow::Result<()> {
    let status = report.status.clone().unwrap_or_default();
    let (Some(store), Some(stored)) = (&args.store, &status.report) else {
        return match args.output {
            Shape::Json if args.store.is_none() => json(report),
            Shape::Table if args.to.is_none() => {
                out!("{}", told(report, &status, width()));
                Ok(())
            }
            _ if status.report.is_none() => bail!("{}", waits(report, &status)),
            _ => bail!("give the store by --store URL to read the report itself"),
        };
    };
    let store = open(store)?;
    let bytes = store.get(&format!("{}/report.json", stored.address)).await?;
    ensure!(sha256_hex(&bytes) == stored.sha256, "{}/report.json is not the report that the cluster has on record", stored.address);
    if let Some(folder) = &args.to {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        for name in FILES {
            match store.get(&format!("{}/{name}", stored.address)).await {
                Ok(bytes) => write(folder, name, &bytes)?,
                Err(error) if error.is_loss() && name == "credit-claim.json" => {}
                Err(error) => return Err(error.into()),
            }
        }
        return Ok(());
    }
    if args.output == Shape::Table {
        out!("{}", told(report, &status, width()));
        return Ok(());
    }
    let bytes = store.get(&format!("{}/{}", stored.address, args.output.file())).await?;
    let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), &bytes);
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
    outln!("wrote {}", path.display());
    Ok(())
}

fn list(client: &str, reports: &[ServiceReport]) -> anyhow::Result<()> {
    if reports.is_empty() {
        outln!("{client} has no reports: set spec.serviceLevels of its ManagedClient (docs/service-levels.md)");
        return Ok(());
    }
    let row = |report: &ServiceReport| {
        let status = report.status.clone().unwrap_or_default();
        let (is, reason) = ready(&status.conditions);
        vec![
            report.name_any(),
            if report.spec.dry_run { format!("{} (trial)", report.spec.month) } else { report.spec.month.clone() },
            status.verdict.map_or("-", |verdict| verdict.as_str()).to_owned(),
            format!("{}/{}", status.days_stored, status.days),
            status.credit_percent.map_or_else(|| "-".into(), |percent| format!("{percent} %")),
            format!("{is} {reason}"),
        ]
    };
    out!("{}", table(&["REPORT", "MONTH", "VERDICT", "DAYS", "CREDIT", "READY"], &reports.iter().map(row).collect::<Vec<_>>()));
    outln!("\nNext: kubectl caretaker report {client} --month MONTH --store URL --to FOLDER");
    Ok(())
}

fn waits(report: &ServiceReport, status: &ServiceReportStatus) -> String {
    let message = status.conditions.iter().find(|condition| condition.type_ == "ReportStored").map_or("", |condition| &condition.message);
    format!("the report of {} is not made yet: {}", report.spec.month, if message.is_empty() { "not looked at yet" } else { message })
}

/// A report as the cluster knows it.
fn told(report: &ServiceReport, status: &ServiceReportStatus, width: usize) -> String {
    let Some(verdict) = status.verdict else { return paragraph("", &waits(report, status), width) };
    let trial = if report.spec.dry_run { " (trial)" } else { "" };
    let mut text = format!("{}{trial}: {}\n\n", report.spec.month, verdict.as_str());
    let percent = |share: &Option<String>| share.as_ref().map_or_else(|| "-".into(), |share| format!("{share} %"));
    let row = |level: &LevelStatus| {
        vec![
            level.objective.clone(),
            level.verdict.as_str().to_owned(),
            percent(&level.worst_percent),
            percent(&level.best_percent),
            format!("{} s", level.down_seconds),
            format!("{} s", level.unknown_seconds),
            format!("{} s", level.excluded_seconds),
            format!("{} s", level.unmeasured_seconds),
        ]
    };
    let head = ["OBJECTIVE", "VERDICT", "AT WORST", "AT BEST", "DOWN", "NOT KNOWN", "EXCLUDED", "UNMEASURED"];
    text += &table(&head, &status.objectives.iter().map(row).collect::<Vec<_>>());
    if let Some(credit) = &status.credit_percent {
        text += &format!("\nCredit: {credit} % of the month's fee. It is a remedy, not compensation.\n");
    }
    if let Some(stored) = &status.report {
        text += &paragraph("\nStored: ", &format!("{}, sha256 {}", stored.address, stored.sha256), width);
    }
    text
}

/// Makes a trial and waits until it is told.
async fn dry_run(api: &Api<ServiceReport>, args: &Args) -> anyhow::Result<()> {
    let month = args.month.clone().unwrap_or_default();
    let name =
        format!("trial-{month}-{:08x}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs());
    let trial = ServiceReport::new(&name, ServiceReportSpec { month, dry_run: true, terms: None });
    api.create(&PostParams::default(), &trial).await.map_err(explain)?;
    let mut report = trial;
    for _ in 0..180 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        report = api.get(&name).await.map_err(explain)?;
        let status = report.status.clone().unwrap_or_default();
        if status.report.is_some() || ready(&status.conditions).1 == "InvalidSpec" {
            break;
        }
    }
    let status = report.status.clone().unwrap_or_default();
    if status.report.is_none() {
        bail!("{}; it goes on as ServiceReport {name}, which can be deleted", waits(&report, &status));
    }
    let namespace = client_namespace(&args.client);
    show(args, &report).await?;
    if args.output == Shape::Table {
        outln!("\nNext: it is kept until: kubectl delete sr {name} -n {namespace}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_told_with_best_and_worst_and_one_that_waits_says_why() {
        let mut report: ServiceReport = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ServiceReport", "metadata": {"name": "2026-11"}, "spec": {"month": "2026-11"},
            "status": {
                "verdict": "Undetermined", "creditPercent": "0", "report": {"address": "clients/a/x", "sha256": "abc"},
                "objectives": [{
                    "objective": "web", "verdict": "Undetermined", "worstPercent": "99.72222", "bestPercent": "100.00000",
                    "countedSeconds": 1, "downSeconds": 0, "unknownSeconds": 7200, "excludedSeconds": 0, "unmeasuredSeconds": 0,
                }],
            },
        }))
        .unwrap();
        let text = told(&report, &report.status.clone().unwrap(), 120);
        for part in ["2026-11: Undetermined", "99.72222 %", "100.00000 %", "7200 s", "not compensation", "clients/a/x"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        report.status = None;
        assert_eq!(told(&report, &ServiceReportStatus::default(), 120), "the report of 2026-11 is not made yet: not looked at yet\n");
    }
}
