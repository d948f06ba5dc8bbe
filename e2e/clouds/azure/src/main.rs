//! The simulator as a program, for demos and for second clients.

use std::path::PathBuf;

use anyhow::{Context, Result};
use caretaker_arm_simulator::world::{Application, Subscription};
use caretaker_arm_simulator::{Simulator, World};
use clap::Parser;
use serde::Deserialize;

/// Simulates the part of Azure that Caretaker calls, on 127.0.0.1.
#[derive(Parser)]
struct Args {
    /// JSON file with `applications` and `subscriptions`.
    #[arg(long)]
    world: PathBuf,
    /// File that the test CA's certificate is written to.
    #[arg(long)]
    ca: PathBuf,
    /// Port; 0 takes a free one. The address is printed.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// File that every exchange is appended to, one JSON object a line.
    #[arg(long)]
    log: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    applications: Vec<Application>,
    subscriptions: std::collections::BTreeMap<String, Subscription>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let text = std::fs::read(&args.world).with_context(|| format!("read {}", args.world.display()))?;
    let start: Start = serde_json::from_slice(&text).with_context(|| format!("parse {}", args.world.display()))?;
    let subscriptions = start.subscriptions.into_iter().map(|(id, subscription)| (id.to_ascii_lowercase(), subscription)).collect();
    let world = World { applications: start.applications, subscriptions, log: args.log, ..World::default() };
    let simulator = Simulator::start_at(world, args.port).await?;
    // The certificate is there before the address is known: who waits for the one has the other.
    std::fs::write(&args.ca, simulator.ca_pem()).with_context(|| format!("write {}", args.ca.display()))?;
    println!("{}", simulator.url());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
