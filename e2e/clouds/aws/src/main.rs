//! The shim as a program of its own, for measurements: it gives one account so many machines, prints its URL in a line, and runs until it is killed.

use anyhow::Result;
use caretaker_aws_shim::{Rows, Watch, machine, start};

/// Puts the shim in front of an emulator.
#[derive(clap::Parser)]
struct Args {
    /// URL of the emulator.
    #[arg(long)]
    upstream: String,
    /// Account that has the machines.
    #[arg(long)]
    account: String,
    /// Region that they are in.
    #[arg(long)]
    region: String,
    /// How many.
    #[arg(long)]
    machines: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Args { upstream, account, region, machines } = clap::Parser::parse();
    let watch = Watch::default();
    let rows = {
        let (account, region) = (account.clone(), region.clone());
        Rows::made(machines, move |number| machine(&account, &region, number))
    };
    watch.set_rows("ec2/DescribeInstances", &account, &region, rows);
    println!("{}", start(&upstream, watch).await?);
    std::future::pending().await
}
