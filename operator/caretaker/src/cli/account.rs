//! `kit`: what a client applies to let us in; and which accounts a command is about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use caretaker_api::cloud_account::{Cloud, CloudAccountStatus, KitStatus};
use caretaker_api::names::client_namespace;
use caretaker_api::{CloudAccount, ProviderProfile};
use caretaker_documents::kit::provider_command;
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
    let api = Api::<ConfigMap>::namespaced(kube.clone(), &client_namespace(&args.which.client));
    let mut all = Vec::new();
    for (account, kit) in with_kits(&accounts, &args.which)? {
        let name = account.name_any();
        let files = api.get(&kit.config_map).await.map_err(explain)?.data.unwrap_or_default();
        all.push((name, kit, files));
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

    #[test]
    fn one_account_without_a_kit_keeps_nobody_from_the_others() {
        assert_eq!(names(&[account("new", false), account("prod", true)]).unwrap(), ["prod"]);
        let refused = names(&[account("new", false), account("test", false)]).unwrap_err().to_string();
        assert!(refused.contains("new, test") && refused.contains("caretaker status acme"), "{refused}");
    }
}
