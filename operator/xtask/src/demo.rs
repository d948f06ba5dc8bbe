//! `demo`: the main job on real parts, from nothing to a verified exit.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use caretaker_testkit::control_plane::Kubectl;
use caretaker_testkit::emulator::Cloud;
use caretaker_testkit::operator::{self, NAMESPACE, Operator};
use caretaker_testkit::process::run;
use caretaker_testkit::tools;
use serde_json::Value;

use crate::clouds::Clouds;
use crate::world::{Progress, World, binary, build};

/// Account of the provider in the demo.
const PROVIDER: &str = "111111111111";
/// Account of the client in `examples/managed-client-aws.yaml`.
const CLIENT: &str = "222222222222";
/// Longest wait for a state.
const PATIENCE: Duration = Duration::from_secs(120);

/// How the demo runs.
#[derive(clap::Args)]
pub struct Args {
    /// Leave everything running until Ctrl-C or --down.
    #[arg(long)]
    keep: bool,
    /// Stop a demo that was left running.
    #[arg(long)]
    down: bool,
    /// Use this context of your own kubeconfig instead of starting a control plane.
    #[arg(long)]
    context: Option<String>,
}

fn state_folder() -> PathBuf {
    caretaker_testkit::cache().join("demo")
}

/// Runs the demo.
pub fn demo(args: &Args) -> Result<()> {
    if args.down {
        return down();
    }
    let progress = Progress::start();
    build(&progress, &["build", "--workspace", "--bin", "caretaker", "--bin", "clouds", "--quiet"])?;
    let folder = state_folder();
    if folder.exists() {
        down()?;
    }
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("pid"), std::process::id().to_string())?;
    let mut stage = Stage::set(&progress, &folder, args.context.as_deref())?;
    stage.provider(&progress)?;
    let mut operator = stage.start(&progress)?;
    stage.onboard(&progress)?;
    stage.clouds.say("judge").context("the simulators and the operator speak as AWS, Microsoft and Google describe")?;
    stage.leave(&progress)?;
    stage.summary(&progress, args.keep)?;
    if args.keep {
        println!("\nEverything stays up until Ctrl-C, or: cargo xtask demo --down");
        while operator.process.is_running() {
            std::thread::sleep(Duration::from_millis(300));
        }
        bail!("the operator ended; see {}", operator.process.log().display());
    }
    Ok(())
}

/// Stops a demo that was left running. Its parts end with it.
fn down() -> Result<()> {
    let folder = state_folder();
    let Ok(pid) = std::fs::read_to_string(folder.join("pid")) else {
        println!("no demo is running");
        return Ok(());
    };
    let ours = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).is_ok_and(|line| line.contains("tasks"));
    if ours && pid.trim() != std::process::id().to_string() {
        run(Command::new("kill").args(["-TERM", pid.trim()]))?;
        println!("stopped the demo");
    }
    std::fs::remove_dir_all(&folder).context("remove the demo's folder")
}

/// Everything that the demo works with.
struct Stage {
    world: Option<World>,
    emulator: Option<caretaker_testkit::emulator::Emulator>,
    kubectl: Kubectl,
    folder: PathBuf,
    installed: Option<operator::Installed>,
    clouds: Clouds,
}

impl Stage {
    fn set(progress: &Progress, folder: &Path, context: Option<&str>) -> Result<Self> {
        let (world, emulator, kubectl) = match context {
            None => {
                let world = World::start(progress, folder)?;
                let kubectl = world.plane.kubectl();
                (Some(world), None, kubectl)
            }
            Some(context) => {
                progress.say("starting the AWS emulator, and proving that it refuses what AWS refuses");
                let emulator = caretaker_testkit::emulator::Emulator::start(&folder.join("ministack.log"))?;
                (None, Some(emulator), own_cluster(folder, context)?)
            }
        };
        progress.say("starting the simulators of Azure and Google Cloud, and what the AWS emulator lacks");
        let running = world.as_ref().map(|world| &world.emulator).or(emulator.as_ref()).context("the emulator runs")?;
        let clouds = Clouds::start(folder, &running.cloud.endpoint)?;
        let mut stage = Self { world, emulator, kubectl, folder: folder.into(), installed: None, clouds };
        progress.say("installing the chart with Helm");
        let values = vec![
            format!("aws.endpointUrl={}", stage.clouds.told["aws"]["endpoint"].as_str().context("the shim has an address")?),
            "log.format=text".into(),
        ];
        stage.installed = Some(operator::install(&stage.kubectl, &folder.join("operator"), &binary(), &values)?);
        Ok(stage)
    }

    fn cloud(&self) -> Result<&Cloud> {
        let emulator = self.world.as_ref().map(|world| &world.emulator).or(self.emulator.as_ref());
        Ok(&emulator.context("the emulator runs")?.cloud)
    }

    fn provider(&self, progress: &Progress) -> Result<()> {
        progress.say("making the provider: an IAM user that may assume roles and nothing else");
        let user = self.cloud()?.call(&["provider", PROVIDER, "caretaker"], "")?;
        let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
        let secret = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws-base", "namespace": NAMESPACE},
            "stringData": {"aws_access_key_id": text("accessKeyId"), "aws_secret_access_key": text("secretAccessKey")},
        });
        self.kubectl.apply(&secret.to_string())?;
        self.kubectl.apply(&self.clouds.told["secrets"].to_string())?;
        Ok(())
    }

    fn start(&self, progress: &Progress) -> Result<Operator> {
        progress.say("starting the operator under the chart's own ServiceAccount");
        let environment = self.clouds.environment();
        let extra: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let operator = self.installed.as_ref().context("the chart is installed")?.start("caretaker-0", &extra)?;
        self.kubectl.apply(&example("provider-profile.yaml")?)?;
        let spec = serde_json::json!({"spec": self.clouds.told["spec"]}).to_string();
        self.kubectl.run(&["patch", "pprof", "default", "--type=merge", "-p", &spec])?;
        self.kubectl.wait(&["pprof/default"], "condition=Ready", PATIENCE)?;
        Ok(operator)
    }

    fn onboard(&mut self, progress: &Progress) -> Result<()> {
        progress.say("making the client's machines, databases, clusters and buckets in its own accounts");
        for region in ["eu-west-1", "us-east-1"] {
            self.cloud()?.call(&["instances", CLIENT, region, "2", "web", "db"], "")?;
        }
        self.cloud()?.call(&["furnish", CLIENT, "eu-west-1"], "")?;
        self.clouds.say(&format!("furnish {CLIENT}"))?;
        progress.say("applying examples/managed-client-aws.yaml, sealed to a key of the client's");
        self.kubectl.apply(&self.client_yaml()?)?;
        self.two_more_accounts(progress)?;
        for account in ["prod", "azure", "gcp"] {
            let kit = format!("jsonpath={{.status.kit.configMap}}={account}-grant-kit");
            self.kubectl.wait(&[&format!("ca/{account}"), "-n", "client-acme"], &kit, PATIENCE)?;
        }
        progress.say("the client applies the three grant kits: kubectl caretaker kit acme --to kits");
        let kits = self.folder.join("kits");
        self.plugin(&["kit", "acme", "--to", &kits.display().to_string()])?;
        self.cloud()?.call(&["apply-kit", CLIENT], &std::fs::read_to_string(kits.join("prod/caretaker-access.cfn.json"))?)?;
        self.clouds.say(&format!("azure {}", kits.join("azure/caretaker-access.azure.json").display()))?;
        self.clouds.say(&format!("google {}", kits.join("gcp/caretaker-access.tf").display()))?;
        for account in ["prod", "azure", "gcp"] {
            self.poke("ca", account)?;
        }
        self.kubectl.wait(&["mc/acme"], "condition=Ready", PATIENCE)?;
        progress.say("the client is Ready: kubectl caretaker access acme");
        self.plugin(&["access", "acme"])?;
        Ok(())
    }

    /// The same client on Azure and Google Cloud.
    fn two_more_accounts(&self, progress: &Progress) -> Result<()> {
        progress.say("and on Azure and Google Cloud, with an account on each");
        let told = &self.clouds.told;
        let patch = serde_json::json!([
            {"op": "add", "path": "/spec/accounts/-", "value": {"name": "azure", "azure": told["azure"], "allow": ["Revoke"]}},
            {"op": "add", "path": "/spec/accounts/-", "value": {"name": "gcp", "gcp": told["gcp"], "allow": ["Revoke"]}},
        ]);
        self.kubectl.run(&["patch", "mc", "acme", "--type=json", "-p", &patch.to_string()])?;
        Ok(())
    }

    /// The example with a recipient whose identity the demo holds: the client's, in real life.
    fn client_yaml(&self) -> Result<String> {
        let identity = self.folder.join("client-identity.txt");
        let keygen = run(Command::new(binary()).args(["bundle", "keygen"]))?;
        std::fs::write(&identity, &keygen)?;
        let public = keygen.lines().find_map(|line| line.strip_prefix("# public key: ")).context("the key pair has a public key")?;
        let text = example("managed-client-aws.yaml")?;
        let at = text.rfind("- age1").context("the example has a recipient")?;
        Ok(format!("{}- {public}\n", &text[..at]))
    }

    /// Asks for a visit now.
    fn poke(&self, kind: &str, name: &str) -> Result<()> {
        let stamp = format!("caretaker.dev/requested-at={}", std::process::id());
        self.kubectl.run(&["annotate", "--overwrite", kind, name, "-n", "client-acme", &stamp])?;
        Ok(())
    }

    fn leave(&self, progress: &Progress) -> Result<()> {
        progress.say("rehearsing the exit");
        self.plugin(&["exit", "acme", "--wait"])?;
        progress.say("the exit: kubectl caretaker exit acme --final");
        self.plugin(&["exit", "acme", "--final", "--yes", "--wait"])?;
        let bundle = self.handover()?["status"]["bundle"].clone();
        let file =
            self.installed.as_ref().context("the chart is installed")?.volume("store").join(bundle["address"].as_str().unwrap_or_default());
        let key = self.kubectl.get(&["pprof", "default"])?["status"]["signing"]["publicKey"].as_str().unwrap_or_default().to_owned();
        progress.say("the client verifies the bundle");
        let identity = self.folder.join("client-identity.txt");
        print!(
            "{}",
            run(Command::new(binary()).args(["bundle", "verify"]).arg(&file).args(["--public-key", &key, "--identity"]).arg(&identity))?
        );
        progress.say("the client accepts its digest; our access is revoked, and the refusal is proved");
        self.plugin(&["accept", "acme", "--digest", bundle["sha256"].as_str().unwrap_or_default(), "--by", "Jo Doe", "--wait"])?;
        Ok(())
    }

    fn handover(&self) -> Result<Value> {
        self.kubectl.get(&["handover", "final", "-n", "client-acme"])
    }

    fn plugin(&self, args: &[&str]) -> Result<()> {
        let status = Command::new(binary()).args(args).env("KUBECONFIG", &self.kubectl.kubeconfig).status()?;
        if status.success() { Ok(()) } else { bail!("caretaker {} failed", args.join(" ")) }
    }

    fn summary(&self, progress: &Progress, keep: bool) -> Result<()> {
        progress.say("done\n");
        self.plugin(&["status"])?;
        println!();
        self.plugin(&["coverage", "acme"])?;
        println!();
        self.plugin(&["inventory", "acme"])?;
        let store = self.installed.as_ref().context("the chart is installed")?.volume("store");
        println!("\nbundles and inventories  {}", store.display());
        println!("the client's identity    {}", self.folder.join("client-identity.txt").display());
        println!("logs                     {}", self.folder.display());
        println!("kubeconfig               {}", self.kubectl.kubeconfig.display());
        println!("kubectl                  {}", tools::path("kubectl")?.display());
        println!("\nNext: {}in another terminal:", if keep { "" } else { "cargo xtask demo --keep, then " });
        println!("  export KUBECONFIG={} PATH={}:$PATH", self.kubectl.kubeconfig.display(), tools::folder("kubectl")?.display());
        println!("  kubectl get caretaker -A; kubectl explain mc.spec; kubectl describe mc acme");
        println!("  {} status acme", binary().display());
        println!("All three clouds were emulated: nothing here proves behaviour against the clouds themselves.");
        Ok(())
    }
}

fn example(name: &str) -> Result<String> {
    let path = crate::root().join("examples").join(name);
    std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

/// The reader's own cluster: its kubeconfig, cut down to one context.
fn own_cluster(folder: &Path, context: &str) -> Result<Kubectl> {
    let text =
        run(Command::new(tools::path("kubectl")?).args(["config", "view", "--raw", "--minify", "-o", "json", "--context", context]))?;
    let path = folder.join("own.kubeconfig");
    // It holds the reader's credentials.
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    Ok(Kubectl { kubeconfig: path })
}
