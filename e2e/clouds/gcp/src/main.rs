//! The simulator as a program: one provider and one client, whose names and key it prints as JSON.

use anyhow::Result;
use caretaker_google_simulator::{Simulator, TestKey};
use clap::Parser;
use serde_json::json;

/// A simulator of a few calls to Google Cloud, on 127.0.0.1.
#[derive(Parser)]
struct Args {
    /// Port; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Number of machines in the client's project.
    #[arg(long, default_value_t = 3)]
    machines: usize,
    /// File for all exchanges, as the judge reads them.
    #[arg(long)]
    exchanges: Option<std::path::PathBuf>,
    /// Id of the provider's project.
    #[arg(long, default_value = "provider-project")]
    provider: String,
    /// Id of the client's project.
    #[arg(long, default_value = "client-project")]
    client: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let (simulator, key) = (Simulator::new(), TestKey::make()?);
    let (us, theirs) = {
        let mut world = simulator.world();
        world.add_project(&args.provider, "100000000001");
        world.add_project(&args.client, "100000000002");
        let us = world.add_account("caretaker", &args.provider);
        world.keys.insert((us.clone(), "key-1".into()), key.public());
        let theirs = world.add_client_access(&args.client, &args.provider, &format!("serviceAccount:{us}"));
        world.add_machines(&args.client, args.machines);
        (us, theirs)
    };
    if let Some(path) = &args.exchanges {
        simulator.log_to(path)?;
    }
    let url = simulator.start(args.port).await?;
    let shown = json!({
        "url": url, "providerProject": args.provider, "principal": us, "project": args.client, "serviceAccount": theirs,
        "key": key.service_account_json(&us, "key-1")?,
    });
    println!("{shown}");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
