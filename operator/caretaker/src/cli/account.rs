//! `kit`: what a client applies to let us in; and which accounts a command is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use caretaker_api::cloud_account::{Cloud, CloudAccountStatus, KitStatus};
use caretaker_api::names::client_namespace;
use caretaker_api::{CloudAccount, ProviderProfile};
use caretaker_core::digest::json_digest;
use caretaker_documents::kit::{Subject, files, provider_command};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Api, Client, ResourceExt};

use super::cluster::{ClusterArgs, connect, explain};
use super::output::{Form, json};

/// Which accounts, in which form.
#[derive(clap::Args)]
pub struct Which {
    /// Name of the ManagedClient.
    pub(super) client: String,
    /// Name of one CloudAccount; without it all of the client.
    #[arg(long)]
    account: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    pub(super) output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Which kit.
#[derive(clap::Args)]
pub struct KitArgs {
    #[command(flatten)]
    which: Which,
    /// Folder to write the files to, one folder in it for each account. Without it they are listed.
    #[arg(long)]
    to: Option<PathBuf>,
}

impl Which {
    pub(super) async fn accounts(&self) -> anyhow::Result<(Client, Vec<CloudAccount>)> {
        let kube = connect(&self.cluster).await?;
        let api = Api::<CloudAccount>::namespaced(kube.clone(), &client_namespace(&self.client));
        let found = match &self.account {
            Some(name) => vec![api.get(name).await.map_err(explain)?],
            None => api.list(&Default::default()).await.map_err(explain)?.items,
        };
        ensure!(!found.is_empty(), "client {} has no accounts; is the name right? kubectl caretaker status", self.client);
        Ok((kube, found))
    }
}

/// Accounts without their parents, which hold nothing themselves.
pub(super) fn without_parents(mut accounts: Vec<CloudAccount>) -> Vec<CloudAccount> {
    accounts.retain(|account| !account.spec.target.is_parent());
    accounts
}

pub(super) fn status(account: &CloudAccount) -> CloudAccountStatus {
    account.status.clone().unwrap_or_default()
}

pub(super) fn when(time: Option<&Time>) -> String {
    time.map_or_else(|| "never".into(), |time| time.0.to_string())
}

/// Lists a kit's files, or writes them.
pub async fn kit(args: KitArgs) -> anyhow::Result<()> {
    let (kube, accounts) = args.which.accounts().await?;
    let maps = Api::<ConfigMap>::namespaced(kube.clone(), &client_namespace(&args.which.client));
    let profiles = Api::<ProviderProfile>::all(kube.clone());
    let mut all = Vec::new();
    for (account, kit) in with_kits(&accounts, &args.which)? {
        let profile = profiles.get(&account.spec.provider_profile).await.map_err(explain)?;
        let files = made(account, &args.which.client, &profile)?;
        let held = maps.get_opt(&kit.config_map).await.map_err(explain)?.and_then(|map| map.data);
        if let Some(warning) = differs(&kit.config_map, held.as_ref(), &files) {
            eprintln!("{warning}");
        }
        let digest = json_digest(&serde_json::json!({"data": files}));
        all.push((account.name_any(), KitStatus { digest, ..kit }, files));
    }
    // On stderr, since none of it is for the client: a file beside the kits would be sent on with them.
    match of_provider(&kube, &accounts).await {
        Ok(commands) => commands.iter().for_each(|command| eprintln!("For you, not for the client: {command}")),
        Err(error) => eprintln!("what you must run yourself on Google Cloud is not known: {error}"),
    }
    if args.which.output == Form::Json {
        return json(
            &all.iter().map(|(name, kit, files)| serde_json::json!({"account": name, "kit": kit, "files": files})).collect::<Vec<_>>(),
        );
    }
    for (name, kit, files) in &all {
        outln!("{name}: ConfigMap {}, digest {}", kit.config_map, kit.digest);
        for (file, text) in files {
            match &args.to {
                None => outln!("  {file} ({} lines)", text.lines().count()),
                Some(folder) => outln!("  {}", write(&folder.join(name), file, text)?.display()),
            }
        }
    }
    if args.to.is_none() {
        outln!("\nNext: kubectl caretaker kit {} --to FOLDER writes them; send the folder to the client", args.which.client);
    }
    Ok(())
}

/// The kit as this release makes it of the account's spec and its profile. People of the client may write ConfigMaps in its namespace, so that what stands there
/// is sent to nobody: a client's administrator will run it.
fn made(account: &CloudAccount, client: &str, profile: &ProviderProfile) -> anyhow::Result<BTreeMap<String, String>> {
    let subject = Subject { client, account: &account.name_any(), spec: &account.spec, provider: &profile.spec };
    files(&subject).with_context(|| {
        let name = &account.spec.provider_profile;
        format!("ProviderProfile {name} does not name the provider on the cloud of account {}", account.name_any())
    })
}

/// What is said where the ConfigMap of a kit holds something else.
fn differs(name: &str, held: Option<&BTreeMap<String, String>>, made: &BTreeMap<String, String>) -> Option<String> {
    let held = held.filter(|held| *held != made)?;
    let names: BTreeSet<&String> = held.keys().chain(made.keys()).filter(|file| held.get(*file) != made.get(*file)).collect();
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    Some(format!(
        "ConfigMap {name} is not used: it holds something else than this release makes of the account ({}). Somebody has changed it, or the operator has another \
         release.",
        names.join(", ")
    ))
}

/// What the provider must run itself, once for each service account.
async fn of_provider(kube: &Client, accounts: &[CloudAccount]) -> anyhow::Result<BTreeSet<String>> {
    let (api, mut commands) = (Api::<ProviderProfile>::all(kube.clone()), BTreeSet::new());
    let on_google: Vec<_> = accounts.iter().filter(|account| account.spec.is_live() && account.spec.target.cloud() == Cloud::Gcp).collect();
    let names: BTreeSet<&String> = on_google.iter().map(|account| &account.spec.provider_profile).collect();
    for name in names {
        let profile = api.get(name).await.map_err(explain)?;
        let of_profile = on_google.iter().filter(|account| account.spec.provider_profile == *name);
        commands.extend(of_profile.filter_map(|account| provider_command(&account.spec, &profile.spec)));
    }
    Ok(commands)
}

/// The accounts that have a kit. Those that have none yet are told beside it: they keep nobody from the others' kits.
fn with_kits<'a>(accounts: &'a [CloudAccount], which: &Which) -> anyhow::Result<Vec<(&'a CloudAccount, KitStatus)>> {
    let found: Vec<_> = accounts.iter().filter_map(|account| Some((account, account.status.as_ref()?.kit.clone()?))).collect();
    // An account that its parent calls closed needs none.
    let lacks = |account: &&CloudAccount| account.spec.is_live() && account.status.as_ref().is_none_or(|status| status.kit.is_none());
    let missing: Vec<String> = accounts.iter().filter(lacks).map(ResourceExt::name_any).collect();
    if !missing.is_empty() {
        let said = format!("no kit yet: {}; see kubectl caretaker status {}", missing.join(", "), which.client);
        ensure!(!found.is_empty(), "{said}");
        eprintln!("{said}");
    }
    Ok(found)
}

fn write(folder: &Path, file: &str, text: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let path = folder.join(file);
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, has_kit: bool) -> CloudAccount {
        let status = if has_kit { serde_json::json!({"kit": {"configMap": name, "digest": "d"}}) } else { serde_json::json!({}) };
        serde_json::from_value(serde_json::json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name},
            "spec": {"aws": {"accountId": "111122223333"}}, "status": status,
        }))
        .unwrap()
    }

    fn names(accounts: &[CloudAccount]) -> anyhow::Result<Vec<String>> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            which: Which,
        }
        let line: Line = clap::Parser::parse_from(["kit", "acme"]);
        Ok(with_kits(accounts, &line.which)?.into_iter().map(|(account, _)| account.name_any()).collect())
    }

    /// H1: a file that somebody had put into the ConfigMap was sent to the client's administrator.
    #[test]
    fn what_stands_in_the_config_map_is_not_sent() {
        let files =
            |all: &[(&str, &str)]| all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<BTreeMap<_, _>>();
        let ours = files(&[("README.md", "x"), ("access.tf", "y")]);
        let planted = files(&[("README.md", "x"), ("access.tf", "y"), ("override.tf", "z")]);
        assert!(differs("kit", Some(&planted), &ours).is_some_and(|said| said.contains("(override.tf)")));
        assert_eq!((differs("kit", Some(&ours), &ours), differs("kit", None, &ours)), (None, None));
        let profile: ProviderProfile = serde_json::from_value(serde_json::json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "default"},
            "spec": {"displayName": "P", "contacts": [{"name": "Desk", "email": "desk@p.example"}]},
        }))
        .unwrap();
        let refused = made(&account("prod", true), "acme", &profile).unwrap_err().to_string();
        assert!(refused.contains("does not name the provider on the cloud of account prod"), "{refused}");
    }

    #[test]
    fn one_account_without_a_kit_keeps_nobody_from_the_others() {
        assert_eq!(names(&[account("new", false), account("prod", true)]).unwrap(), ["prod"]);
        let refused = names(&[account("new", false), account("test", false)]).unwrap_err().to_string();
        assert!(refused.contains("new, test") && refused.contains("caretaker status acme"), "{refused}");
    }
}
