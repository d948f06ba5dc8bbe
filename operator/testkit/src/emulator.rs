//! The AWS emulator, with enforcement on, and what seeds it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::process::{Process, free_port};
use crate::python;
use crate::worker::{Shared, Worker};

/// A running emulator. Dropping it stops it.
pub struct Emulator {
    process: Process,
    /// How it is reached and seeded.
    pub cloud: Cloud,
}

/// An emulator's address, and the way to seed it. Works from any process.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// URL.
    pub endpoint: String,
    python: PathBuf,
    worker: Arc<Shared>,
}

impl Emulator {
    /// Starts it and proves that it enforces; without the proof no test of access would mean anything.
    ///
    /// # Errors
    /// It does not start, listens elsewhere than on 127.0.0.1, or does not enforce.
    pub fn start(log: &Path) -> Result<Self> {
        let python = python::environment("ministack")?;
        let port = free_port()?;
        let env = [
            ("AUTH", "true"),
            ("BIND_HOST", "127.0.0.1"),
            ("MINISTACK_HOST", "127.0.0.1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("PYTHONUNBUFFERED", "1"),
        ];
        let mut env: Vec<(String, String)> = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        env.push(("GATEWAY_PORT".into(), port.to_string()));
        let script = crate::source_root().join("e2e/python/emulator.py").display().to_string();
        let mut process = Process::start("ministack", &python, &[script], &env, log)?;
        process.wait_until("the port", Duration::from_secs(30), || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        only_loopback(port)?;
        let cloud = Cloud { endpoint: format!("http://127.0.0.1:{port}"), python, worker: Arc::default() };
        cloud.prove().context("the first test of every run: the emulator must enforce")?;
        Ok(Self { process, cloud })
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Fails where a port is listened on at any other address than 127.0.0.1.
fn only_loopback(port: u16) -> Result<()> {
    let hex = format!(":{port:04X}");
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let mut fields = line.split_whitespace().skip(1);
            let (local, state) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
            if state == "0A" && local.ends_with(&hex) {
                ensure!(local.starts_with("0100007F:"), "port {port} is open to other machines ({local})");
            }
        }
    }
    Ok(())
}

impl Cloud {
    /// The emulator at an address that another process has started.
    ///
    /// # Errors
    /// The Python environment cannot be made.
    pub fn at(endpoint: &str) -> Result<Self> {
        Ok(Self { endpoint: endpoint.to_owned(), python: python::environment("ministack")?, worker: Arc::default() })
    }

    /// Proves that a wrong and a missing ExternalId, a wrong secret and an expired session are refused.
    ///
    /// # Errors
    /// One of them was let in.
    pub fn prove(&self) -> Result<Value> {
        self.call(&["prove", "900000000001", "900000000002"], "")
    }

    /// One command of `e2e/python/cloud.py`, which stays for the next ones.
    ///
    /// # Errors
    /// The command failed; the error holds what it wrote.
    pub fn call(&self, args: &[&str], input: &str) -> Result<Value> {
        let start = || {
            let script = crate::source_root().join("e2e/python/cloud.py").display().to_string();
            Worker::start("cloud.py", &self.python, &[&script, &self.endpoint, "--serve"])
        };
        self.worker.ask(start, &json!({"args": args, "input": input}))
    }
}
