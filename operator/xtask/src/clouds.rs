//! Azure and Google Cloud for the demo: a program of the end-to-end tests that simulates both. This crate knows neither.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::world::target;

/// The running program. Dropping it ends it.
pub struct Clouds {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What it told at its start: `environment`, `secrets`, `spec`, `azure`, `gcp`.
    pub told: Value,
}

impl Clouds {
    /// Starts it.
    pub fn start(folder: &Path) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(target().join("debug/clouds")).arg(folder);
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
