//! Tenants by GitOps: real Flux and real Argo CD sync what `examples/tenants` says from a git repository, at their own defaults.

mod argo_cd;
mod flux;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab};
use caretaker_testkit::git_server::GitServer;
use caretaker_testkit::source_root;
use serde_json::{Value, json};

fn here() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| Lab::own("gitops").unwrap_or_else(|error| panic!("the lab does not stand: {error:#}")))
}

/// The repository of the provider, as `examples/tenants` begins it.
struct Tenants {
    server: GitServer,
    _folder: tempfile::TempDir,
}

impl Tenants {
    /// The clients of the examples have the names of the tool at their end: both tools work in one cluster here.
    fn begin(tool: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let server = GitServer::start(folder.path())?;
        let tenants = Self { server, _folder: folder };
        copy(&source_root().join("examples/tenants"), tenants.server.work(), &|text| tenants.adapted(text, tool))?;
        for name in ["aspen", "cedar"] {
            for (from, to) in [
                (format!("clients/{name}"), format!("clients/{name}-{tool}")),
                (format!("flux/clients/{name}.yaml"), format!("flux/clients/{name}-{tool}.yaml")),
            ] {
                std::fs::rename(tenants.at(&from), tenants.at(&to))?;
            }
        }
        Ok(tenants)
    }

    fn adapted(&self, text: &str, tool: &str) -> String {
        let named = ["aspen", "cedar"].iter().fold(text.to_owned(), |text, name| {
            let of = |before: &str| (format!("{before}{name}\n"), format!("{before}{name}-{tool}\n"));
            [of("name: "), of("name: client-"), of("clients/")].iter().fold(text, |text, (from, to)| text.replace(from, to))
        });
        named.replace("https://git.provider.example/tenants.git", &self.server.url)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.server.work().join(path)
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        Ok(std::fs::write(path, text)?)
    }

    fn edit(&self, path: &str, from: &str, to: &str) -> Result<()> {
        let text = std::fs::read_to_string(self.at(path))?;
        ensure!(text.contains(from), "{path} has no {from}: {text}");
        self.write(path, &text.replace(from, to))
    }

    /// A client's folder, with the provider's standard or without it.
    fn client(&self, folder: &str, objects: &[(&str, &Value)], is_standard: bool) -> Result<()> {
        let mut list = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "resources": objects.iter().map(|(file, _)| *file).collect::<Vec<_>>(),
        });
        if is_standard {
            list["components"] = json!([format!("{}standard", "../".repeat(folder.split('/').count()))]);
        }
        self.write(&format!("{folder}/kustomization.yaml"), &list.to_string())?;
        objects.iter().try_for_each(|(file, object)| self.write(&format!("{folder}/{file}"), &serde_json::to_string_pretty(object)?))
    }

    fn push(&self, subject: &str) -> Result<String> {
        self.server.push(subject)
    }
}

fn copy(from: &Path, to: &Path, adapted: &impl Fn(&str) -> String) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target, adapted)?,
            false => std::fs::write(target, adapted(&std::fs::read_to_string(entry.path())?))?,
        }
    }
    Ok(())
}

/// A client with one account that is read, and nothing else.
fn plain(name: &str, account: &str) -> Client {
    let mut client = Client::new(name, account, "eu-west-1");
    client.allow.clear();
    client
}

fn object(client: &Client) -> Result<Value> {
    let mut document = client.document();
    document["spec"].as_object_mut().context("a spec")?.retain(|field, _| !matches!(field.as_str(), "monitoring" | "backups" | "groups"));
    Ok(document)
}

/// A profile with the settings of the one that serves everybody, under another name.
fn profile(lab: &Lab, name: &str) -> Result<Value> {
    let spec = lab.kubectl.get(&["pprof", "default"])?["spec"].clone();
    Ok(json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": name}, "spec": spec}))
}

/// The uid of a client that stands and is not on its way out.
fn stands(lab: &Lab, name: &str) -> Result<String> {
    let client = lab.kubectl.get(&["mc", name])?;
    ensure!(client["metadata"]["deletionTimestamp"].is_null(), "ManagedClient {name} is being deleted");
    client["metadata"]["uid"].as_str().map(str::to_owned).context("an object has a uid")
}

/// What the operator makes for a client belongs to no tool that made the client.
fn children_belong_to_no_tool(lab: &Lab, name: &str) -> Result<()> {
    let namespace = format!("client-{name}");
    for kind in ["namespace", "cloudaccounts,configmaps,networkpolicies,resourcequotas,rolebindings"] {
        let which = if kind == "namespace" { vec!["get", kind, &namespace] } else { vec!["get", kind, "-n", &namespace] };
        let text = lab.kubectl.run(&[&which[..], &["-o", "yaml"]].concat())?;
        for mark in ["kustomize.toolkit.fluxcd.io", "argocd.argoproj.io", "caretaker-tenants", "last-applied-configuration"] {
            ensure!(!text.contains(mark), "{kind} of {name} has {mark}: {text}");
        }
    }
    Ok(())
}
