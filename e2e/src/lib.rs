//! The lab: what every end-to-end test works with. One operator on one control plane serves all tests that can share it, see [`shared`]; each test has client
//! names and accounts of its own, so that they run side by side. What disturbs others has a lab of its own.

mod acceptance;
pub mod bench;
mod client;
pub mod faults;
pub mod in_pod;
pub mod node;
pub mod shared;
pub mod three_clouds;

pub use client::Client;

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use caretaker_aws_shim::Watch;
use caretaker_testkit::control_plane::{ControlPlane, Kubectl};
use caretaker_testkit::emulator::{Cloud, Emulator};
use caretaker_testkit::operator::{self, ENDS_WITHIN, Installed, NAMESPACE, Operator};
use caretaker_testkit::process::run;
use serde_json::{Value, json};

/// Longest wait for a state.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Name of the client whose account is the provider's own.
pub const CONTROL: &str = "control";
/// Account of the provider.
pub const PROVIDER: &str = "111111111111";

/// What a test works with.
pub struct Lab {
    /// kubectl as the administrator.
    pub kubectl: Kubectl,
    /// Seeds the emulator.
    pub cloud: Cloud,
    /// What the operator calls in the emulator, and faults.
    pub watch: Watch,
    /// The chart as installed.
    pub installed: Installed,
    /// The provider's secret access key: it must appear nowhere.
    pub secret: String,
    faults: faults::Standing,
    operator: Mutex<Option<Operator>>,
    has_control: Mutex<bool>,
    own: Option<Own>,
}

/// A control plane and an emulator of a lab's own, with the folder where they are, if that goes with them.
type Own = (ControlPlane, Emulator, Option<tempfile::TempDir>);

/// Kubeconfig of a control plane that runs already, by `cargo xtask up`; without it a lab starts its own.
const WORLD: &str = "CARETAKER_E2E_KUBECONFIG";
/// URL of that one's emulator.
const ENDPOINT: &str = "CARETAKER_E2E_AWS";
/// File of the run that collects what was skipped.
const SKIPS: &str = "CARETAKER_E2E_SKIPS";
/// Folder of the run for data and logs, which it removes at its end.
const FOLDER: &str = "CARETAKER_E2E_FOLDER";

/// Notes that a test cannot run here and why; `cargo xtask test` counts and names it.
///
/// # Errors
/// The note cannot be written.
pub fn skip(test: &str, reason: &str) -> Result<()> {
    eprintln!("skipped {test}: {reason}");
    let Some(file) = std::env::var_os(SKIPS) else { return Ok(()) };
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    writeln!(file, "{test}: {}", reason.replace('\n', " "))?;
    Ok(())
}

/// The runtime of everything that a test awaits.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().expect("a runtime"))
}

/// The lab that is shared, with the operator running.
///
/// # Panics
/// A part does not come up.
#[must_use]
pub fn lab() -> &'static Lab {
    &shared::shared().lab
}

fn binary() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| caretaker_testkit::source_root().join("target"), PathBuf::from);
    target.join("debug/caretaker")
}

/// The provider's profile with the Secret that it names, and the secret access key in it.
///
/// # Errors
/// The emulator makes no user.
pub fn provider(cloud: &Cloud, name: &str) -> Result<(Value, String)> {
    let user = cloud.call(&["provider", PROVIDER, &format!("caretaker-{name}-{}", std::process::id())], "")?;
    let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
    let documents = json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws-base", "namespace": NAMESPACE},
            "stringData": {"aws_access_key_id": text("accessKeyId"), "aws_secret_access_key": text("secretAccessKey")},
        },
        {
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "default"},
            "spec": {
                "displayName": "Test Provider", "contacts": [{"name": "Desk", "email": "desk@provider.example"}],
                "aws": {"principalArn": text("arn"), "credentials": {"secretName": "aws-base"}},
            },
        },
    ]});
    Ok((documents, text("secretAccessKey")))
}

impl Lab {
    /// Sets the lab without starting the operator.
    ///
    /// # Errors
    /// A part does not come up.
    pub fn set(name: &str) -> Result<Self> {
        match (std::env::var(WORLD), std::env::var(ENDPOINT)) {
            (Ok(kubeconfig), Ok(endpoint)) => Self::at(name, Kubectl { kubeconfig: kubeconfig.into() }, Cloud::at(&endpoint)?, None),
            _ => Self::alone(name, true),
        }
    }

    /// Sets a lab with a control plane of its own, with or without the prometheus-operator, without starting the operator.
    ///
    /// # Errors
    /// A part does not come up.
    pub fn alone(name: &str, with_prometheus: bool) -> Result<Self> {
        let temporary = if std::env::var_os(FOLDER).is_some() { None } else { Some(tempfile::tempdir()?) };
        let given = || std::env::var_os(FOLDER).map(|folder| PathBuf::from(folder).join(name));
        let folder = temporary.as_ref().map(|folder| folder.path().to_owned()).or_else(given).context("a folder")?;
        let mut plane = ControlPlane::start(&folder)?;
        if with_prometheus {
            plane.start_prometheus_operator()?;
        }
        let emulator = Emulator::start(&folder.join("ministack.log"))?;
        Self::at(name, plane.kubectl(), emulator.cloud.clone(), Some((plane, emulator, temporary)))
    }

    fn at(name: &str, kubectl: Kubectl, cloud: Cloud, own: Option<Own>) -> Result<Self> {
        let watch = Watch::default();
        let endpoint = runtime().block_on(caretaker_aws_shim::start(&cloud.endpoint, watch.clone()))?;
        let folder = kubectl.kubeconfig.parent().context("a kubeconfig has a folder")?.join(format!("operator-{name}"));
        let insecure = "insecureEndpoints=true".into();
        let values = [
            format!("aws.endpointUrl={endpoint}"),
            insecure,
            "log.format=text".into(),
            "log.level=info\\,caretaker_controllers=debug".into(),
        ];
        let installed = operator::install(&kubectl, &folder, &binary(), &values)?;
        let (documents, secret) = provider(&cloud, name)?;
        kubectl.apply(&documents.to_string())?;
        let faults = faults::Standing::of(&watch);
        Ok(Self { kubectl, cloud, watch, installed, secret, faults, operator: Mutex::default(), has_control: Mutex::default(), own })
    }

    /// A lab with a control plane of its own, with the operator running.
    ///
    /// # Errors
    /// A part does not come up.
    pub fn own(name: &str) -> Result<Self> {
        let lab = Self::alone(name, true)?;
        lab.start(&[])?;
        lab.kubectl.wait(&["pprof/default"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
        Ok(lab)
    }

    /// Has calls to the emulator fail as long as what is given back lives. Other tests' faults stay.
    pub fn faults(&self, faults: Vec<caretaker_aws_shim::Fault>) -> faults::Faults<'_> {
        self.faults.add(faults)
    }

    /// The lab's own control plane.
    ///
    /// # Panics
    /// The lab uses the run's.
    #[must_use]
    pub fn plane(&self) -> &ControlPlane {
        &self.own.as_ref().expect("a lab with a control plane of its own").0
    }

    /// The same, to start or stop parts of it.
    ///
    /// # Panics
    /// The lab uses the run's.
    pub fn plane_mut(&mut self) -> &mut ControlPlane {
        &mut self.own.as_mut().expect("a lab with a control plane of its own").0
    }

    /// Deletes what an earlier run left in a control plane that is used again, as a user would.
    fn clear(&self) -> Result<()> {
        let names = self.kubectl.run(&["get", "mc", "-o", "name"])?;
        for name in names.lines().filter_map(|line| line.split_once('/')).map(|(_, name)| name) {
            self.kubectl.run(&[
                "annotate",
                "--overwrite",
                "mc",
                name,
                "caretaker.dev/paused-",
                &format!("caretaker.dev/confirm-deletion={name}"),
            ])?;
            self.kubectl.run(&["delete", "mc", name, "--wait=false"])?;
        }
        self.until("the end of the clients", || {
            let left = self.kubectl.run(&["get", "mc", "-o", "name"])?;
            ensure!(left.trim().is_empty(), "{left}");
            Ok(())
        })
    }

    /// Starts the operator, with further environment.
    ///
    /// # Errors
    /// It cannot be started.
    ///
    /// # Panics
    /// Another thread of the test panicked meanwhile.
    pub fn start(&self, extra: &[(&str, &str)]) -> Result<()> {
        self.start_after(extra, "")
    }

    /// Starts the operator in a mount namespace of its own, after a shell command that prepares it.
    ///
    /// # Errors
    /// It cannot be started.
    ///
    /// # Panics
    /// Another thread of the test panicked meanwhile.
    pub fn start_after(&self, extra: &[(&str, &str)], prepare: &str) -> Result<()> {
        // The one before is dead, as we know and the lease does not: nobody has to wait for its end.
        self.kubectl.run(&["delete", "lease", "caretaker", "-n", NAMESPACE, "--ignore-not-found"])?;
        let operator = self.installed.start_after("caretaker-0", extra, prepare)?;
        *self.operator.lock().expect("no panic while held") = Some(operator);
        Ok(())
    }

    /// Stops the operator, where one runs.
    ///
    /// # Errors
    /// It does not end.
    ///
    /// # Panics
    /// Another thread of the test panicked meanwhile.
    pub fn stop(&self) -> Result<()> {
        let stopped = self.operator.lock().expect("no panic while held").take();
        stopped.map_or(Ok(()), |mut operator| operator.process.stop(ENDS_WITHIN).map(drop))
    }

    /// Gives the running operator to a closure.
    ///
    /// # Panics
    /// No operator was started.
    pub fn with_operator<T>(&self, act: impl FnOnce(&mut Operator) -> T) -> T {
        act(self.operator.lock().expect("no panic while held").as_mut().expect("the operator was started"))
    }

    /// What the operator tells at its metrics address.
    ///
    /// # Errors
    /// It does not answer.
    pub fn metrics(&self) -> Result<String> {
        let url = self.with_operator(|operator| operator.metrics.clone());
        runtime().block_on(async { Ok(reqwest::get(url).await?.error_for_status()?.text().await?) })
    }

    /// Calls so far with a session of an account.
    #[must_use]
    pub fn calls_into(&self, account: &str) -> Vec<String> {
        let of = |call: &String| self.watch.account_of(call.split(' ').nth(1).unwrap_or_default());
        self.watch.calls().into_iter().filter(|call| of(call).as_deref() == Some(account)).collect()
    }

    /// Those of them that change something.
    #[must_use]
    pub fn writes_into(&self, account: &str) -> Vec<String> {
        let of = |call: &String| self.watch.account_of(call.split(' ').nth(1).unwrap_or_default());
        self.watch.writes().into_iter().filter(|call| of(call).as_deref() == Some(account)).collect()
    }

    /// The operator's log.
    #[must_use]
    pub fn log(&self) -> String {
        let folder = self.installed.volume("x").ancestors().nth(2).map(PathBuf::from).unwrap_or_default();
        std::fs::read_to_string(folder.join("caretaker-0.log")).unwrap_or_default()
    }

    /// The kubectl plugin with the administrator's kubeconfig.
    ///
    /// # Errors
    /// It failed; the error holds what it wrote.
    pub fn plugin(&self, args: &[&str]) -> Result<String> {
        run(Command::new(binary()).args(args).env("KUBECONFIG", &self.kubectl.kubeconfig))
    }

    /// Waits until a check gives something.
    ///
    /// # Errors
    /// It did not in time; the error holds the last answer.
    pub fn until<T>(&self, what: &str, mut check: impl FnMut() -> Result<T>) -> Result<T> {
        let began = Instant::now();
        loop {
            match check() {
                Ok(found) => return Ok(found),
                Err(error) if began.elapsed() > PATIENCE => {
                    return Err(error.context(format!("{what} did not come within {} s", PATIENCE.as_secs())));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// Waits until a condition of an object has a status and reason, and gives its message.
    ///
    /// # Errors
    /// It did not in time.
    pub fn condition(&self, object: &[&str], kind: &str, status: &str, reason: &str) -> Result<String> {
        self.until(&format!("{object:?} {kind}={status} {reason}"), || {
            let found = self.kubectl.get(object)?;
            let generation = found["metadata"]["generation"].as_i64();
            let condition =
                found["status"]["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == kind).cloned();
            let Some(condition) = condition else { bail!("no condition {kind} yet: {}", found["status"]) };
            let current = condition["observedGeneration"].as_i64() == generation;
            if current && condition["status"] == status && (reason.is_empty() || condition["reason"] == reason) {
                return Ok(condition["message"].as_str().unwrap_or_default().to_owned());
            }
            bail!("{condition}")
        })
    }

    /// Asks for a visit of an account now.
    ///
    /// # Errors
    /// The account is not there.
    pub fn poke(&self, client: &str) -> Result<()> {
        let stamp = format!("caretaker.dev/requested-at={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
        self.kubectl.run(&["annotate", "--overwrite", "ca", "prod", "-n", &format!("client-{client}"), &stamp])?;
        Ok(())
    }

    /// Applies a client and does the client's part: machines, and the grant kit.
    ///
    /// # Errors
    /// It does not become Ready.
    pub fn onboard(&self, client: &Client) -> Result<()> {
        self.kubectl.apply(&client.document().to_string())?;
        self.grant(client)?;
        self.kubectl.wait(&[&format!("mc/{}", client.name)], "condition=Ready", PATIENCE).with_context(|| self.log())?;
        Ok(())
    }

    /// An account of the provider's own that lets its principal in: beside it a refusal after an exit proves something. Made once in a lab.
    ///
    /// # Errors
    /// It does not let us in.
    ///
    /// # Panics
    /// Another thread of the test panicked meanwhile.
    pub fn control(&self) -> Result<()> {
        let mut is_made = self.has_control.lock().expect("no panic while held");
        if !*is_made {
            let mut client = Client::new(CONTROL, "200000000999", "eu-west-1");
            client.allow.clear();
            let mut document = client.document();
            let spec = document["spec"].as_object_mut().context("a client has a spec")?;
            spec.retain(|field, _| !matches!(field.as_str(), "monitoring" | "backups" | "groups"));
            self.kubectl.apply(&document.to_string())?;
            self.grant(&client)?;
            self.condition(&["ca", "prod", "-n", &format!("client-{CONTROL}")], "AccessProven", "True", "")?;
            let named = json!({"spec": {"controlClient": CONTROL}}).to_string();
            self.kubectl.run(&["patch", "pprof", "default", "--type=merge", "-p", &named])?;
            *is_made = true;
        }
        Ok(())
    }

    /// The client applies the grant kit.
    ///
    /// # Errors
    /// There is no kit.
    pub fn grant(&self, client: &Client) -> Result<()> {
        let namespace = format!("client-{}", client.name);
        let template = self.until("the grant kit", || {
            let kit = self.kubectl.get(&["configmap", "prod-grant-kit", "-n", &namespace])?;
            Ok(kit["data"]["caretaker-access.cfn.json"].as_str().context("the kit has a template")?.to_owned())
        })?;
        self.cloud.call(&["apply-kit", &client.account], &template)?;
        self.poke(&client.name)
    }
}
