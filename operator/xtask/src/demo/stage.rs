//! Everything that the demo works with, and the acts that it plays.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use caretaker_testkit::cluster::{Cluster, Options};
use caretaker_testkit::control_plane::Kubectl;
use caretaker_testkit::emulator::{Cloud, Emulator};
use caretaker_testkit::operator::{self, NAMESPACE, Operator};
use caretaker_testkit::process::run;
use caretaker_testkit::receiver::Receiver;
use caretaker_testkit::tools;

use super::{CLIENT, CONTROL, PATIENCE, PROVIDER, ended, example, plan, pods};
use crate::clouds::Clouds;
use crate::world::{Progress, World, binary};

/// Where clients live.
pub(super) enum Place {
    /// A cluster with a real node: the operator is a pod.
    Node(Box<Cluster>),
    /// A control plane where kwok says that pods run, and why: the operator is a process.
    Kwok(Box<World>, String),
    /// The reader's own cluster: the operator is a process.
    Own,
}

/// Everything that the demo works with.
pub(super) struct Stage {
    // Dropped first, while what it speaks with still runs.
    operator: Option<Operator>,
    pub(super) place: Place,
    emulator: Option<Emulator>,
    pub(super) kubectl: Kubectl,
    pub(super) folder: PathBuf,
    installed: Option<operator::Installed>,
    pub(super) clouds: Clouds,
    /// Takes the pages of tier 1.
    pub(super) receiver: Receiver,
    /// Ids of the client's machines, by region.
    pub(super) machines: BTreeMap<&'static str, Vec<String>>,
}

impl Stage {
    pub(super) fn set(progress: &Progress, folder: &Path, context: Option<&str>, node: Result<(), String>) -> Result<Self> {
        let (place, kubectl) = match (context, node) {
            (Some(context), _) => (Place::Own, own_cluster(folder, context)?),
            (None, Ok(())) => {
                progress
                    .say("starting a cluster: etcd, kube-apiserver, kubelet, containerd, CoreDNS, network policies, prometheus-operator");
                let cluster = Cluster::start(&folder.join("cluster"), &Options { monitoring: true, ..Options::all() })?;
                let kubectl = cluster.kubectl();
                (Place::Node(Box::new(cluster)), kubectl)
            }
            (None, Err(why)) => {
                progress.say(format!("this machine cannot have a real node ({why}): kwok says that pods run, and none does"));
                let world = World::start(progress, folder)?;
                let kubectl = world.plane.kubectl();
                (Place::Kwok(Box::new(world), why), kubectl)
            }
        };
        let emulator = match &place {
            Place::Kwok(..) => None,
            _ => {
                progress.say("starting the AWS emulator, and proving that it refuses what AWS refuses");
                Some(Emulator::start(&folder.join("ministack.log"))?)
            }
        };
        progress.say("starting the simulators of Azure and Google Cloud, and what the AWS emulator lacks");
        let host = if let Place::Node(cluster) = &place { cluster.network.host() } else { "127.0.0.1".into() };
        let endpoint = cloud_of(&place, emulator.as_ref())?.endpoint.clone();
        let clouds = Clouds::start(folder, &endpoint, &host)?;
        let receiver = Receiver::start(&host)?;
        let mut stage = Self {
            operator: None,
            place,
            emulator,
            kubectl,
            folder: folder.into(),
            installed: None,
            clouds,
            receiver,
            machines: BTreeMap::new(),
        };
        if let Place::Node(cluster) = &stage.place {
            pods::install(progress, cluster, &stage.clouds, folder)?;
        } else {
            progress.say("installing the chart with Helm");
            let endpoint = stage.clouds.told["aws"]["endpoint"].as_str().context("the shim has an address")?;
            let values = [format!("aws.endpointUrl={endpoint}"), "insecureEndpoints=true".into(), "log.format=text".into()];
            stage.installed = Some(operator::install(&stage.kubectl, &folder.join("operator"), &binary(), &values)?);
        }
        Ok(stage)
    }

    pub(super) fn cloud(&self) -> Result<&Cloud> {
        cloud_of(&self.place, self.emulator.as_ref())
    }

    pub(super) fn provider(&self, progress: &Progress) -> Result<()> {
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

    pub(super) fn start(&mut self, progress: &Progress) -> Result<()> {
        if let Some(installed) = &self.installed {
            progress.say("starting the operator under the chart's own ServiceAccount");
            let environment = self.clouds.environment();
            let extra: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            self.operator = Some(installed.start("caretaker-0", &extra)?);
        }
        self.kubectl.apply(&example("provider-profile.yaml")?)?;
        let spec = serde_json::json!({"spec": self.clouds.told["spec"]}).to_string();
        self.kubectl.run(&["patch", "pprof", "default", "--type=merge", "-p", &spec])?;
        self.kubectl.wait(&["pprof/default"], "condition=Ready", PATIENCE)?;
        Ok(())
    }

    /// Accounts of the provider's own, one on each cloud: beside them a refusal after the exit proves something.
    pub(super) fn control(&mut self, progress: &Progress) -> Result<()> {
        progress.say("onboarding accounts of the provider's own: beside them a refusal after the exit will prove something");
        self.kubectl.apply(&example("managed-client-control.yaml")?)?;
        let kits = self.folder.join("control-kits");
        self.granted("control", &kits)?;
        let file = |name: &str| kits.join(name).display().to_string();
        self.cloud()?.call(&["apply-kit", CONTROL], &std::fs::read_to_string(file("aws/caretaker-access.cfn.json"))?)?;
        self.clouds.say(&format!("control {} {}", file("azure/caretaker-access.azure.json"), file("gcp/caretaker-access.tf")))?;
        for account in ["aws", "azure", "gcp"] {
            self.poke("ca", account, "client-control")?;
        }
        self.kubectl.wait(&["mc/control"], "condition=AccessProven", PATIENCE)?;
        Ok(())
    }

    /// Waits for the kits of a client, and writes them.
    fn granted(&self, client: &str, folder: &Path) -> Result<()> {
        let namespace = format!("client-{client}");
        let names = self.kubectl.get(&["mc", client])?["spec"]["accounts"].as_array().cloned().unwrap_or_default();
        for account in names.iter().filter_map(|account| account["name"].as_str()) {
            let kit = format!("jsonpath={{.status.kit.configMap}}={account}-grant-kit");
            self.kubectl.wait(&[&format!("ca/{account}"), "-n", &namespace], &kit, PATIENCE)?;
        }
        self.plugin(&["kit", client, "--to", &folder.display().to_string()])
    }

    /// Fails where the operator has ended.
    pub(super) fn still_runs(&mut self) -> Result<()> {
        if let Some(operator) = &mut self.operator
            && !operator.process.is_running()
        {
            return ended("the operator", operator.process.log());
        }
        Ok(())
    }

    pub(super) fn onboard(&mut self, progress: &Progress) -> Result<()> {
        progress.say("making the client's machines, databases, clusters and buckets in its own accounts");
        for region in ["eu-west-1", "us-east-1"] {
            let made = self.cloud()?.call(&["instances", CLIENT, region, "2", "web", "db"], "")?;
            let ids = made["ids"].as_array().into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned));
            self.machines.insert(region, ids.collect());
        }
        self.cloud()?.call(&["furnish", CLIENT, "eu-west-1"], "")?;
        self.clouds.say(&format!("furnish {CLIENT}"))?;
        progress.say("applying examples/managed-client-aws.yaml in the stage Assessment, sealed to a key of the client's");
        self.kubectl.apply(&self.client_yaml()?)?;
        self.two_more_accounts(progress)?;
        progress.say("the client applies the three grant kits: kubectl caretaker kit acme --to kits");
        let kits = self.folder.join("kits");
        self.granted("acme", &kits)?;
        self.apply_kits(&kits)?;
        for account in ["prod", "azure", "gcp"] {
            self.poke("ca", account, "client-acme")?;
        }
        self.kubectl.wait(&["mc/acme"], "condition=Ready", PATIENCE)?;
        progress.say("the client is Ready: kubectl caretaker access acme");
        self.plugin(&["access", "acme"])
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

    /// The example with a recipient whose identity the demo holds, and with the demo's own receiver of pages: the client's and the provider's, in real life.
    fn client_yaml(&self) -> Result<String> {
        let identity = self.folder.join("client-identity.txt");
        let keygen = run(Command::new(binary()).args(["bundle", "keygen"]))?;
        std::fs::write(&identity, &keygen)?;
        let public = keygen.lines().find_map(|line| line.strip_prefix("# public key: ")).context("the key pair has a public key")?;
        let text =
            example("managed-client-aws.yaml")?.replace("https://desk.provider.example/alerts", &format!("{}/tier-1", self.receiver.url));
        let at = text.rfind("- age1").context("the example has a recipient")?;
        let text = format!("{}- {public}\n", &text[..at]);
        Ok(text.replacen("spec:\n", "spec:\n  lifecycle:\n    stage: Assessment\n", 1))
    }

    /// Asks for a visit now.
    pub(super) fn poke(&self, kind: &str, name: &str, namespace: &str) -> Result<()> {
        let stamp = format!("caretaker.dev/requested-at={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
        self.kubectl.run(&["annotate", "--overwrite", kind, name, "-n", namespace, &stamp])?;
        Ok(())
    }

    /// On a real node: pods that run, a page that arrives, and the isolation test.
    pub(super) fn show_pods(&self, progress: &Progress) -> Result<()> {
        match &self.place {
            Place::Node(_) => pods::show(progress, self),
            Place::Kwok(_, why) => {
                progress.say(format!("not shown: pods that run, a page that arrives, the isolation test; there is no real node ({why})"));
                Ok(())
            }
            Place::Own => {
                progress.say("not shown: a page that arrives, the isolation test; the operator is a process here, which pods cannot reach");
                Ok(())
            }
        }
    }

    pub(super) fn leave(&self, progress: &Progress) -> Result<()> {
        progress.say("what can be restored, and from when? kubectl caretaker backups acme");
        self.plugin(&["backups", "acme"])?;
        progress.say("rehearsing the exit");
        self.plugin(&["exit", "acme", "--wait"])?;
        progress.say("could the client leave today? kubectl caretaker readiness acme");
        // What stands in the way is told by the command itself.
        let _ = self.kubectl.wait(&["mc/acme"], "condition=ExitReady", Duration::from_secs(30));
        self.plugin(&["readiness", "acme"])?;
        progress.say("the exit: kubectl caretaker exit acme --final");
        self.plugin(&["exit", "acme", "--final", "--yes", "--wait"])?;
        let bundle = self.kubectl.get(&["handover", "final", "-n", "client-acme"])?["status"]["bundle"].clone();
        let file = self.store()?.join(bundle["address"].as_str().unwrap_or_default());
        let key = self.kubectl.get(&["pprof", "default"])?["status"]["signing"]["publicKey"].as_str().unwrap_or_default().to_owned();
        progress.say("the client verifies the bundle, opens it, and reads the code in it");
        let identity = self.folder.join("client-identity.txt");
        let opened = self.folder.join("client-opened");
        std::fs::create_dir_all(&opened)?;
        let mut open = Command::new(binary());
        open.args(["bundle", "open"]).arg(&file).args(["--public-key", &key, "--identity"]).arg(&identity).arg("--into").arg(&opened);
        print!("{}", run(&mut open)?);
        plan::show(progress, self)?;
        let told = self.opened()?.join("data/15-acceptance.json");
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(told)?)?;
        let code = told["code"].as_str().context("a code")?;
        progress.say("the client accepts with digest and code; our access is revoked, and the refusal is proved");
        let digest = bundle["sha256"].as_str().unwrap_or_default();
        self.plugin(&["accept", "acme", "--digest", digest, "--code", code, "--by", "Jo Doe", "--wait"])?;
        progress.say("the ledger tells all that was done, and is whole");
        let store = self.store()?.display().to_string();
        self.plugin(&["ledger", "verify", "acme", "--store", &store])?;
        self.plugin(&["ledger", "undo-plan", "acme", "--store", &store])?;
        progress.say("until when can the bundle be fetched, and when is our copy erased? kubectl caretaker closing acme");
        self.kubectl.wait(&["mc/acme"], "jsonpath={.status.conditions[?(@.type==\"DataErased\")].reason}=RetrievalPeriod", PATIENCE)?;
        self.plugin(&["closing", "acme"])
    }

    /// Folder of the operator's store.
    fn store(&self) -> Result<PathBuf> {
        match (&self.place, &self.installed) {
            (Place::Node(cluster), _) => pods::store(cluster),
            (_, Some(installed)) => Ok(installed.volume("store")),
            _ => bail!("the chart is not installed"),
        }
    }

    pub(super) fn plugin(&self, args: &[&str]) -> Result<()> {
        let status = Command::new(binary()).args(args).env("KUBECONFIG", &self.kubectl.kubeconfig).status()?;
        if status.success() { Ok(()) } else { bail!("caretaker {} failed", args.join(" ")) }
    }

    pub(super) fn summary(&self, progress: &Progress, keep: bool) -> Result<()> {
        progress.say("done\n");
        self.plugin(&["status"])?;
        println!("\nbundles and inventories  {}", self.store()?.display());
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

fn cloud_of<'a>(place: &'a Place, emulator: Option<&'a Emulator>) -> Result<&'a Cloud> {
    match place {
        Place::Kwok(world, _) => Ok(&world.emulator.cloud),
        _ => Ok(&emulator.context("the emulator runs")?.cloud),
    }
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
