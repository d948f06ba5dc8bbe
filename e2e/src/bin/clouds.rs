//! Azure and Google Cloud, simulated, as a program: `clouds FOLDER [AWS]`. It prints what must be known as one line of JSON, and then takes commands, one a
//! line: `azure FILE` and `google FILE` apply a grant kit as the client would, `furnish` gives the client more than machines, `judge` has all exchanges
//! judged. Each is answered by `ok` or by what is wrong. With the address of an AWS emulator it also starts the shim in front of it.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use caretaker_aws_shim::Watch;
use caretaker_e2e::three_clouds::{CLIENT_TENANT, Clouds, PROJECT, SUBSCRIPTION};
use serde_json::json;

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("give a folder")?.into();
    let clouds = Clouds::start(&folder)?;
    let (secrets, spec) = clouds.provider();
    let runtime = tokio::runtime::Runtime::new()?;
    let aws = match std::env::args().nth(2) {
        Some(upstream) => Some(runtime.block_on(caretaker_aws_shim::start(&upstream, Watch::default()))?),
        None => None,
    };
    let shown = json!({
        "environment": clouds.environment(), "secrets": secrets, "spec": spec,
        "azure": {"subscriptionId": SUBSCRIPTION, "tenantId": CLIENT_TENANT}, "gcp": {"projectId": PROJECT}, "aws": {"endpoint": aws},
    });
    println!("{shown}");
    for line in std::io::stdin().lock().lines() {
        match command(&clouds, &line?) {
            Ok(()) => println!("ok"),
            Err(error) => println!("{}", format!("{error:#}").replace('\n', " ")),
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn command(clouds: &Clouds, line: &str) -> Result<()> {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("azure", file) => clouds.apply_azure(&std::fs::read_to_string(file)?),
        ("google", file) => clouds.apply_google(&std::fs::read_to_string(file)?),
        ("furnish", _) => {
            clouds.furnish();
            Ok(())
        }
        ("judge", _) => clouds.judge(),
        (other, _) => bail!("unknown command {other}"),
    }
}
