//! The bench's readings of simulated clouds: an account with few assets and one with many, each read into a store by a process of its own,
//! whose peak of memory is compared. Emulated: the clouds are simulators.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use caretaker_testkit::emulator::Emulator;
use serde_json::{Value, json};

use crate::bench::{ACCOUNT, REGION, aws_account, built, measure};

const TENANT: &str = "aaaaaaaa-0000-4000-8000-00000000000f";
const CLIENT: &str = "bbbbbbbb-0000-4000-8000-00000000000f";
const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-00000000000f";
const APPLICATION: &str = "dddddddd-0000-4000-8000-00000000000f";
const OBJECT: &str = "eeeeeeee-0000-4000-8000-00000000000f";
/// Azure's role that reads everything.
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const SECRET: &str = "bench-secret";

/// A program that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It is gone already, or it is killed: either is the end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a simulator and reads the line that it tells of itself.
fn start(command: &mut Command) -> Result<(Running, String)> {
    let mut child = Running(command.stdout(Stdio::piped()).spawn().with_context(|| format!("run {:?}", command.get_program()))?);
    let output = child.0.stdout.take().context("the output is piped")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    Ok((child, line.trim().to_owned()))
}

/// A reading of so many machines of an account of the emulator. The shim gives them, in pages as AWS does: the emulator could not bear so many.
pub fn aws(folder: &Path, machines: usize) -> Result<Value> {
    let emulator = Emulator::start(&folder.join("ministack.log"))?;
    let settings = aws_account(&emulator, "*")?;
    let mut shim = Command::new(built("caretaker-aws-shim"));
    shim.args(["--upstream", &emulator.cloud.endpoint, "--account", ACCOUNT, "--region", REGION, "--machines", &machines.to_string()]);
    let (_shim, url) = start(&mut shim)?;
    measure(Command::new(built("examples/read-aws")).envs(settings).env("BENCH_ENDPOINT", url))
}

/// A reading of so many machines of a subscription of the ARM simulator.
pub fn azure(folder: &Path, machines: usize) -> Result<Value> {
    let kind = "microsoft.compute/virtualmachines";
    let machine = |number: usize| {
        let name = format!("vm-{number:06}");
        json!({
            "id": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/prod/providers/{kind}/{name}"), "name": name, "type": kind,
            "location": "westeurope", "subscriptionId": SUBSCRIPTION, "resourceGroup": "prod", "kind": "", "managedBy": "",
            "tags": {"name": name, "env": "prod"}, "properties": {"provisioningState": "Succeeded"},
        })
    };
    let subscription = json!({
        "tenantId": CLIENT, "groups": ["prod"], "resources": (0..machines).map(machine).collect::<Vec<_>>(),
        "delegations": [{"name": "99999999-0000-4000-8000-000000000001", "tenantId": TENANT, "authorizations": [[OBJECT, READER]]}],
    });
    let application = json!({"tenantId": TENANT, "clientId": APPLICATION, "objectId": OBJECT, "secret": SECRET, "federation": null});
    let (world, ca) = (folder.join("azure.json"), folder.join("azure-ca.pem"));
    std::fs::write(&world, json!({"applications": [application], "subscriptions": {SUBSCRIPTION: subscription}}).to_string())?;
    let (_simulator, url) = start(Command::new(built("caretaker-arm-simulator")).arg("--world").arg(&world).arg("--ca").arg(&ca))?;
    let mut command = Command::new(built("examples/read-azure"));
    command.env("BENCH_ENDPOINT", url).env("BENCH_CA", &ca).envs([
        ("BENCH_TENANT", TENANT),
        ("BENCH_CLIENT", APPLICATION),
        ("BENCH_SECRET", SECRET),
        ("BENCH_SUBSCRIPTION", SUBSCRIPTION),
    ]);
    measure(&mut command)
}

/// The Google simulator with these clients, and what it tells of itself.
fn simulator(args: &[&str]) -> Result<(Running, String)> {
    start(Command::new(built("caretaker-google-simulator")).args(args))
}

/// The same of a project of the Google simulator.
pub fn google(_folder: &Path, machines: usize) -> Result<Value> {
    let (_simulator, told) = simulator(&["--machines", &machines.to_string()])?;
    measure(Command::new(built("examples/read-google")).env("BENCH_SIMULATOR", told))
}

/// Accounts read at the same time under a throttle.
const ACCOUNTS: usize = 50;
/// Calls in a second that the cloud answers for each of them.
const PER_SECOND: u32 = 20;
/// Calls in a minute that we make at most: nine tenths, the part of Google's quota that we take in practice.
const OUR_PACE: u32 = PER_SECOND * 60 * 9 / 10;
/// Machines of each, one in a page: so that reading an account takes more than ten seconds of its quota.
const MACHINES: usize = 240;

/// All at once; the figures of each account, and the seconds that the throttle alone allows for the longest.
pub fn throttled() -> Result<Value> {
    let (accounts, machines, pace) = (ACCOUNTS.to_string(), MACHINES.to_string(), PER_SECOND.to_string());
    let args = ["--clients", &accounts, "--machines", &machines, "--page-rows", "1", "--searches-per-second", &pace];
    let (_simulator, told) = simulator(&args)?;
    let mut command = Command::new(built("examples/throttled"));
    let mut found = measure(command.env("BENCH_SIMULATOR", told).env("BENCH_CALLS_PER_MINUTE", OUR_PACE.to_string()))?;
    let calls = found["accounts"].as_array().context("the accounts are missing")?.iter().filter_map(|account| account["calls"].as_f64());
    found["allowedSeconds"] = json!(calls.fold(0.0, f64::max) / f64::from(PER_SECOND));
    Ok(found)
}
