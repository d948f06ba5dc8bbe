//! The last act of the demo: the next provider, with an empty cluster, takes the client in from its bundle.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use caretaker_testkit::control_plane::{ControlPlane, Kubectl};
use caretaker_testkit::operator::{self, NAMESPACE, Operator};
use caretaker_testkit::process::run;
use serde_json::json;

use super::stage::Stage;
use super::{CLIENT, PATIENCE, PROVIDER, example};
use crate::world::{Progress, binary};

/// Account of the next provider.
const NEXT: &str = "555555555555";

/// The next provider's cluster. Dropping it ends it.
struct Next {
    // Dropped first, while what it speaks with still runs.
    _operator: Operator,
    kubectl: Kubectl,
    store: PathBuf,
    _plane: ControlPlane,
}

/// Takes the client in on a second control plane, and compares what was handed over with what is there.
pub(super) fn take_in(progress: &Progress, stage: &mut Stage) -> Result<()> {
    progress.say("the next provider starts an empty control plane of its own, and installs the chart there");
    let next = start(stage)?;
    progress.say(
        "and takes the client in from the opened bundle: kubectl caretaker intake new --bundle FOLDER --name acme | kubectl apply -f -",
    );
    let bundle = stage.opened()?.display().to_string();
    let plugin = |args: &[&str]| run(Command::new(binary()).args(args).env("KUBECONFIG", &next.kubectl.kubeconfig));
    next.kubectl.apply(&plugin(&["intake", "new", "--bundle", &bundle, "--name", "acme"])?)?;
    progress.say("the client applies the next provider's three kits");
    let kits = stage.folder.join("next-kits");
    for account in ["prod", "azure", "gcp"] {
        let kit = format!("jsonpath={{.status.kit.configMap}}={account}-grant-kit");
        next.kubectl.wait(&[&format!("ca/{account}"), "-n", "client-acme"], &kit, PATIENCE)?;
    }
    plugin(&["kit", "acme", "--to", &kits.display().to_string()])?;
    stage.apply_kits(&kits)?;
    for account in ["prod", "azure", "gcp"] {
        let stamp = format!("caretaker.dev/requested-at={}", std::process::id());
        next.kubectl.run(&["annotate", "--overwrite", "ca", account, "-n", "client-acme", &stamp])?;
    }
    next.kubectl.wait(&["mc/acme"], "condition=InventoryComplete", PATIENCE)?;
    progress.say("is everything there that was handed over? kubectl caretaker intake compare acme --bundle FOLDER");
    print!("{}", plugin(&["intake", "compare", "acme", "--bundle", &bundle, "--store", &next.store.display().to_string()])?);
    Ok(())
}

fn start(stage: &Stage) -> Result<Next> {
    let folder = stage.folder.join("next");
    let plane = ControlPlane::start(&folder)?;
    let kubectl = plane.kubectl();
    let endpoint = stage.clouds.told["aws"]["endpoint"].as_str().context("the shim has an address")?;
    let values = [format!("aws.endpointUrl={endpoint}"), "insecureEndpoints=true".into(), "log.format=text".into()];
    let installed = operator::install(&kubectl, &folder.join("operator"), &binary(), &values)?;
    provider(stage, &kubectl)?;
    let environment = stage.clouds.environment();
    let extra: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let operator = installed.start("next-0", &extra)?;
    kubectl.wait(&["pprof/default"], "condition=Ready", PATIENCE)?;
    Ok(Next { _operator: operator, kubectl, store: installed.volume("store"), _plane: plane })
}

/// An AWS account and user of its own. The simulators of Azure and Google Cloud know one provider's identity, which this one has, too.
fn provider(stage: &Stage, kubectl: &Kubectl) -> Result<()> {
    let user = stage.cloud()?.call(&["provider", NEXT, "caretaker"], "")?;
    let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws-base", "namespace": NAMESPACE},
        "stringData": {"aws_access_key_id": text("accessKeyId"), "aws_secret_access_key": text("secretAccessKey")},
    });
    kubectl.apply(&secret.to_string())?;
    kubectl.apply(&stage.clouds.told["secrets"].to_string())?;
    kubectl.apply(&example("provider-profile.yaml")?.replace(PROVIDER, NEXT).replace("Example Managed Services", "The Next Provider"))?;
    kubectl.run(&["patch", "pprof", "default", "--type=merge", "-p", &json!({"spec": stage.clouds.told["spec"]}).to_string()]).map(drop)
}

impl Stage {
    /// The folder of the bag that the client has opened.
    pub(super) fn opened(&self) -> Result<PathBuf> {
        let folder = self.folder.join("client-opened");
        Ok(std::fs::read_dir(&folder)?.next().context("an opened bundle")??.path())
    }

    /// The client applies the kits of its three accounts.
    pub(super) fn apply_kits(&mut self, kits: &Path) -> Result<()> {
        let text = std::fs::read_to_string(kits.join("prod/caretaker-access.cfn.json"))?;
        self.cloud()?.call(&["apply-kit", CLIENT], &text)?;
        self.clouds.say(&format!("azure {}", kits.join("azure/caretaker-access.azure.json").display()))?;
        self.clouds.say(&format!("google {}", kits.join("gcp/caretaker-access.tf").display()))
    }
}
