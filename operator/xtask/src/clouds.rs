//! The simulated clouds: Azure and Google Cloud by a program of the end-to-end tests, AWS by an emulator with a shim in front of it. This crate knows none
//! of them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use caretaker_testkit::emulator::Emulator;
use serde_json::Value;

use crate::world::{Progress, target};

/// The running program. Dropping it ends it.
pub struct Clouds {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What it told at its start: `environment`, `secrets`, `spec`, `azure`, `gcp`, `aws`.
    pub told: Value,
}

impl Clouds {
    /// Starts it at an address of this machine, with a shim in front of the AWS emulator at this URL.
    pub fn start(folder: &Path, aws: &str, address: &str) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(target().join("debug/clouds")).arg(folder).args([aws, address]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(std::fs::File::create(folder.join("clouds.log"))?);
        let mut child = command.spawn().context("start the simulators; setpriv is part of util-linux")?;
        let input = child.stdin.take().context("the input is piped")?;
        let mut output = BufReader::new(child.stdout.take().context("the output is piped")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let told =
            serde_json::from_str(&line).with_context(|| format!("the simulators did not start; see {}/clouds.log", folder.display()))?;
        Ok(Self { child, input, output, told })
    }

    /// Environment that the operator must have to reach them.
    pub fn environment(&self) -> Vec<(String, String)> {
        serde_json::from_value(self.told["environment"].clone()).unwrap_or_default()
    }

    /// One command.
    pub fn say(&mut self, command: &str) -> Result<()> {
        writeln!(self.input, "{command}")?;
        self.input.flush()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        ensure!(answer.trim() == "ok", "{command}: {}", answer.trim());
        Ok(())
    }
}

impl Drop for Clouds {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts all three by themselves, says where they are and what stands in them, and leaves them running until Ctrl-C.
pub fn stand() -> Result<()> {
    let progress = Progress::start();
    progress.say("building the simulators");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["build", "--workspace", "--bin", "clouds", "--quiet"];
    let status = Command::new(cargo).args(args).current_dir(crate::root()).status().context("run cargo")?;
    ensure!(status.success(), "cargo {} failed", args.join(" "));
    let folder = tempfile::tempdir()?;
    let emulator = Emulator::start(&folder.path().join("ministack.log"))?;
    let mut clouds = Clouds::start(folder.path(), &emulator.cloud.endpoint, "127.0.0.1")?;
    progress.say("up until Ctrl-C. Emulated: what is shown with them is not proved against the clouds themselves");
    for line in shown(&clouds.told, &emulator.cloud.endpoint) {
        println!("{line}");
    }
    loop {
        std::thread::sleep(Duration::from_secs(1));
        ensure!(clouds.child.try_wait()?.is_none(), "the simulators have ended; see {}/clouds.log", folder.path().display());
    }
}

/// What a person must know: one setting a line, in the form of a shell.
fn shown(told: &Value, aws: &str) -> Vec<String> {
    let text = |pointer: &str| told.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut lines = vec![
        format!("export CARETAKER_AWS_ENDPOINT_URL={}", text("/aws/endpoint")),
        "export CARETAKER_INSECURE_ENDPOINTS=true".to_owned(),
        format!("# root of an AWS account is its 12 digits as access key with the secret test, at {aws}"),
    ];
    let pairs: Vec<(String, String)> = serde_json::from_value(told["environment"].clone()).unwrap_or_default();
    lines.extend(pairs.into_iter().map(|(name, value)| format!("export {name}={value}")));
    lines.push(format!("# Azure: subscription {} of tenant {}", text("/azure/subscriptionId"), text("/azure/tenantId")));
    lines.push(format!("# Google Cloud: project {}", text("/gcp/projectId")));
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_address_is_shown_as_a_setting() {
        let told = json!({
            "aws": {"endpoint": "http://127.0.0.1:1"}, "environment": [["CARETAKER_GCP_ENDPOINT_URL", "http://127.0.0.1:2"]],
            "azure": {"subscriptionId": "s", "tenantId": "t"}, "gcp": {"projectId": "p"}, "secrets": {"secret": "hidden"},
        });
        let shown = shown(&told, "http://127.0.0.1:3").join("\n");
        for part in [
            "CARETAKER_AWS_ENDPOINT_URL=http://127.0.0.1:1",
            "CARETAKER_GCP_ENDPOINT_URL=http://127.0.0.1:2",
            "subscription s",
            "project p",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("hidden"));
    }
}
