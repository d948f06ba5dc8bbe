//! The simulator as a program: one provider and its clients, whose names and key it prints as JSON.

use std::time::Duration;

use anyhow::Result;
use caretaker_google_simulator::{Quota, Simulator, TestKey, World};
use clap::Parser;
use serde_json::{Value, json};

/// A simulator of a few calls to Google Cloud, on 127.0.0.1.
#[derive(Parser)]
struct Args {
    /// Port; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Number of machines in a client's project.
    #[arg(long, default_value_t = 3)]
    machines: usize,
    /// File for all exchanges, as the judge reads them.
    #[arg(long)]
    exchanges: Option<std::path::PathBuf>,
    /// Id of the provider's project.
    #[arg(long, default_value = "provider-project")]
    provider: String,
    /// Id of the client's project. Of several clients each further one has its number behind it.
    #[arg(long, default_value = "client-project")]
    client: String,
    /// Number of clients.
    #[arg(long, default_value_t = 1)]
    clients: usize,
    /// Most rows of a page of a search; as many as Google gives where it is not named.
    #[arg(long)]
    page_rows: Option<usize>,
    /// Searches in a second that each client's project pays for; those beyond are answered 429. No limit where it is not named.
    #[arg(long)]
    searches_per_second: Option<u32>,
}

/// A client's project with its machines; its id and our service account.
fn add_client(world: &mut World, args: &Args, index: usize, principal: &str) -> Value {
    let id = if index == 0 { args.client.clone() } else { format!("{}-{index:03}", args.client) };
    world.add_project(&id, &format!("2{index:011}"));
    let account = world.add_client_access(&id, &args.provider, principal);
    world.add_machines(&id, args.machines);
    world.quotas.extend(args.searches_per_second.map(|calls| Quota::new(&id, calls, Duration::from_secs(1))));
    json!({"project": id, "serviceAccount": account})
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let (simulator, key) = (Simulator::new(), TestKey::make()?);
    let (us, clients) = {
        let mut world = simulator.world();
        world.add_project(&args.provider, "100000000001");
        world.page_rows = args.page_rows;
        let us = world.add_account("caretaker", &args.provider);
        world.keys.insert((us.clone(), "key-1".into()), key.public());
        let principal = format!("serviceAccount:{us}");
        let clients: Vec<Value> = (0..args.clients).map(|index| add_client(&mut world, &args, index, &principal)).collect();
        (us, clients)
    };
    if let Some(path) = &args.exchanges {
        simulator.log_to(path)?;
    }
    let url = simulator.start(args.port).await?;
    let shown = json!({
        "url": url, "providerProject": args.provider, "principal": us, "clients": clients, "key": key.service_account_json(&us, "key-1")?,
    });
    println!("{shown}");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
