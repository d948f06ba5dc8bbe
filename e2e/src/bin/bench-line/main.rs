//! Measures the line: so many clients from nothing to Ready by the real operator on a real control plane, beside a floor in the same run. `cargo xtask
//! bench line` builds and runs it; figures are printed as one JSON document, progress goes to standard error.

mod floor;
mod measure;
mod plane;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use serde_json::json;

use crate::measure::{Requests, per_client};
use crate::plane::Plane;

/// The idle time that is watched.
const IDLE: Duration = Duration::from_secs(60);

/// Measures the line.
#[derive(Parser)]
struct Args {
    /// Number of clients.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// The operator under test.
    #[arg(long)]
    operator: PathBuf,
    /// Folder for data and logs.
    #[arg(long)]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args = Args::parse();
    let mut plane = Plane::start(&args.folder.join("operator"), &args.operator).await?;
    let operator = plane.start_operator(args.clients).await?;
    let before = Requests::read(&operator.metrics).await?;
    eprintln!("bringing {} clients to Ready", args.clients);
    let seconds = measure::to_ready(&plane.client, args.clients).await?;
    let settled = measure::settle(&operator.metrics).await?;
    let ready = Requests::read(&operator.metrics).await?;
    eprintln!("all Ready in {seconds:.1} s; watching an idle minute");
    tokio::time::sleep(IDLE).await;
    let idle = Requests::read(&operator.metrics).await?.since(&ready);
    let process = measure::process(operator.process.id())?;
    let requests = ready.since(&before);
    let template = floor::Template::take(&plane.client, &requests, args.clients).await?;
    drop(operator);
    drop(plane);
    let plane = Plane::start(&args.folder.join("floor"), &args.operator).await?;
    eprintln!("the floor: a bare client makes the same {} writes", requests.writes());
    let floor = floor::run(&plane.client, &template, args.clients).await?;
    let found = json!({
        "clients": args.clients,
        "operatorSeconds": seconds,
        "operatorSettledAfterSeconds": settled,
        "operatorWrites": requests.writes(),
        "operatorCpuSeconds": process.cpu_seconds,
        "floorSeconds": floor.seconds,
        "floorWrites": floor.writes,
        "ratio": seconds / floor.seconds,
        "peakRssBytes": process.peak_rss,
        "requestsPerClient": per_client(&requests, args.clients),
        "requestsByResource": requests.by_resource(),
        "idleWrites": idle.writes(),
        "idleWritesByResource": idle.by_resource(),
        "idleLeaseWrites": idle.lease_writes(),
    });
    println!("{found}");
    Ok(())
}
