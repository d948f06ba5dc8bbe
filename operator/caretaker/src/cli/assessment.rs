//! `assessment`: the report on a client, for JSON and for people with a browser.

use std::path::PathBuf;

use anyhow::Context;
use caretaker_api::ManagedClient;
use caretaker_core::assessment::{Assessment, assessment};
use caretaker_documents::assessment as documents;
use clap::ValueEnum;
use jiff::Timestamp;
use kube::Api;

use super::cluster::{ClusterArgs, connect, explain};
use super::output::{json, paragraph, table_within, width};
use super::world::Read;

/// Form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// A summary for people.
    #[default]
    Table,
    /// The report.
    Json,
    /// The report as one page that asks for nothing from outside.
    Html,
}

/// Which client.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the ManagedClient.
    client: String,
    /// Write assessment.json and assessment.html into this folder.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let kube = connect(&args.cluster).await?;
    let client = Api::<ManagedClient>::all(kube.clone()).get(&args.client).await.map_err(explain)?;
    let read = Read::of(&kube, vec![client]).await?;
    let report = assessment(&read.first().context("nothing was read of the client")?.world(), Timestamp::now());
    if let Some(folder) = &args.to {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        for (name, text) in documents::files(&report) {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
            outln!("wrote {}", path.display());
        }
        return Ok(());
    }
    match args.output {
        Shape::Json => json(&report),
        Shape::Html => {
            out!("{}", documents::page(&report));
            Ok(())
        }
        Shape::Table => {
            out!("{}", told(&report, width()));
            Ok(())
        }
    }
}

fn told(report: &Assessment, width: usize) -> String {
    let mut text = format!("{} ({}), phase {}\n\n", report.display_name, report.client, report.phase.as_str());
    let row = |account: &caretaker_core::assessment::Account| {
        let access = account.access.map_or("unknown", |is| if is { "proved" } else { "no" });
        let assets = account.read_at.map_or_else(|| "-".into(), |_| account.assets.to_string());
        vec![account.name.clone(), account.cloud.into(), account.id.clone(), access.into(), assets, account.coverage.clone()]
    };
    let rows: Vec<Vec<String>> = report.accounts.iter().map(row).collect();
    text += &table_within(&["ACCOUNT", "CLOUD", "ID", "ACCESS", "ASSETS", "COVERAGE"], &rows, width);
    text.push('\n');
    if let Some(protection) = &report.protection {
        let says = format!(
            "{} protected; {} without a usable recovery point, {} selected by nothing",
            protection.text, protection.unprotected, protection.unselected
        );
        text += &paragraph("Backups: ", &says, width);
    }
    text.extend(report.unknown.iter().map(|unknown| paragraph("Not known: ", unknown, width)));
    text += &format!("Risks: {}; see kubectl caretaker risks {}\n", report.risks.len(), report.client);
    if report.read_only {
        text += "Nothing may be written in the clouds of this client: it is an assessment.\n";
    }
    text += &format!("\nNext: kubectl caretaker assessment {} --to FOLDER\n", report.client);
    text
}
