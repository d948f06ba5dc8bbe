//! Parents: one client with an AWS Organization, an Azure tenant and a Google Cloud folder, each of which fans out to its accounts. All three clouds are
//! emulated.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use caretaker_arm_simulator::world::Subscription;
use caretaker_e2e::shared::shared;
use caretaker_e2e::three_clouds::{CLIENT_TENANT, Clouds, PROJECT, SUBSCRIPTION};
use caretaker_e2e::{Client, Lab, PATIENCE};
use caretaker_google_simulator::{Folder, apply_terraform};
use serde_json::{Value, json};

const MANAGEMENT: &str = "200000000701";
const SECOND: &str = "cccccccc-0000-4000-8000-000000000002";
const SEED: &str = "acme-seed";
const SHOP: &str = "acme-shop";
const FOLDER: &str = "770000000001";
const NAMESPACE: &str = "client-clan";

fn poke(lab: &Lab, account: &str) -> Result<()> {
    let stamp = format!("caretaker.dev/requested-at={}", std::time::UNIX_EPOCH.elapsed()?.as_nanos());
    lab.kubectl.run(&["annotate", "--overwrite", "ca", account, "-n", NAMESPACE, &stamp]).map(drop)
}

fn kit(lab: &Lab, account: &str, name: &str) -> Result<String> {
    lab.until(&format!("the kit of {account}"), || {
        let kit = lab.kubectl.get(&["configmap", &format!("{account}-grant-kit"), "-n", NAMESPACE])?;
        Ok(kit["data"][name].as_str().context("the kit has the file")?.to_owned())
    })
}

fn account(name: &str) -> [&str; 4] {
    ["ca", name, "-n", NAMESPACE]
}

/// Names of a parent's accounts by their id in the cloud.
fn members(lab: &Lab, parent: &str) -> Result<BTreeMap<String, Value>> {
    let list = lab.kubectl.get(&["ca", "-n", NAMESPACE, "-l", &format!("caretaker.dev/parent={parent}")])?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    let id = |item: &Value| {
        let spec = &item["spec"];
        let ids = [&spec["aws"]["accountId"], &spec["azure"]["subscriptionId"], &spec["gcp"]["projectId"]];
        ids.iter().find_map(|id| id.as_str()).unwrap_or_default().to_owned()
    };
    Ok(items.into_iter().map(|item| (id(&item), item)).collect())
}

fn name_of(lab: &Lab, parent: &str, id: &str) -> Result<String> {
    lab.until(&format!("the object of {id}"), || {
        let found = members(lab, parent)?;
        let item = found.get(id).with_context(|| format!("only {:?}", found.keys()))?;
        Ok(item["metadata"]["name"].as_str().context("a name")?.to_owned())
    })
}

fn apply_client(lab: &Lab, client: &Client) -> Result<()> {
    let mut document = client.document();
    document["spec"].as_object_mut().context("a spec")?.remove("backups");
    document["spec"]["accounts"] = json!([
        {"name": "org", "allow": ["Revoke"], "awsOrganization": {"accountId": MANAGEMENT, "regions": ["eu-west-1"], "exclude": [MANAGEMENT]}},
        {"name": "tenant", "allow": ["Revoke"], "azureTenant": {"tenantId": CLIENT_TENANT, "subscriptionIds": [SUBSCRIPTION.to_uppercase(), SECOND]}},
        {"name": "folder", "allow": ["Revoke"], "gcpFolder": {"folderId": FOLDER, "serviceAccountProjectId": SEED}},
    ]);
    lab.kubectl.apply(&document.to_string()).map(drop)
}

/// Three accounts appear; two let us in, one refuses and is its own; a new one appears; one that is closed is marked and stays.
fn organization(lab: &Lab) -> Result<()> {
    let made = lab.cloud.call(&["organization", MANAGEMENT, "shop", "data", "legacy"], "")?;
    let ids: Vec<String> = serde_json::from_value(made["accounts"].clone())?;
    lab.condition(&account("org"), "AccessProven", "False", "WaitingForGrant")?;
    lab.cloud.call(&["apply-kit", MANAGEMENT], &kit(lab, "org", "caretaker-organization.cfn.json")?)?;
    poke(lab, "org")?;
    let said = lab.condition(&account("org"), "MembersListed", "True", "Settled")?;
    ensure!(said == "3 accounts: 3 Active", "{said}");
    let template = kit(lab, "org", "caretaker-members.cfn.json")?;
    for id in &ids[..2] {
        ensure!(name_of(lab, "org", id)? == format!("org-{id}"), "{id}");
        lab.cloud.call(&["instances", id, "eu-west-1", "2"], "")?;
        lab.cloud.call(&["apply-kit", id], &template)?;
        poke(lab, &format!("org-{id}"))?;
    }
    for id in &ids[..2] {
        lab.kubectl.wait(&["-n", NAMESPACE, &format!("ca/org-{id}")], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
        lab.condition(&account(&format!("org-{id}")), "ConfusedDeputyProtected", "True", "Proven")?;
        let found = lab.kubectl.get(&account(&format!("org-{id}")))?;
        ensure!(found["status"]["inventory"]["byType"]["instance"] == 2, "{}", found["status"]["inventory"]);
    }
    let refusing = format!("org-{}", ids[2]);
    lab.condition(&account(&refusing), "AccessProven", "False", "WaitingForGrant")?;

    let later = lab.cloud.call(&["organization", MANAGEMENT, "later"], "")?["accounts"][0].as_str().context("an id")?.to_owned();
    lab.cloud.call(&["close-account", MANAGEMENT, &ids[1]], "")?;
    poke(lab, "org")?;
    name_of(lab, "org", &later)?;
    let closed = format!("org-{}", ids[1]);
    let said = lab.condition(&account(&closed), "AccessProven", "False", "MemberClosed")?;
    ensure!(said.contains("suspended since") && said.contains("nothing is deleted"), "{said}");
    let kept = lab.kubectl.get(&account(&closed))?;
    ensure!(kept["status"]["inventory"]["assets"].as_u64() > Some(0), "its last inventory stays: {}", kept["status"]["inventory"]);
    let role = lab.cloud.call(&["role", &ids[1], "CaretakerAccess"], "")?;
    ensure!(role["exists"] == true, "nothing is deleted in the cloud: {role}");
    let sum = lab.until("the sum", || {
        let said = lab.condition(&["mc", "clan"], "AccessProven", "False", "")?;
        ensure!(said.contains("1 suspended, closed or gone"), "{said}");
        Ok(said)
    })?;
    ensure!(sum.contains("of 5 accounts"), "3 live ones here, 2 subscriptions that wait: {sum}");
    for id in [&ids[2], &later] {
        lab.cloud.call(&["apply-kit", id], &template)?;
        poke(lab, &format!("org-{id}"))?;
        lab.condition(&account(&format!("org-{id}")), "AccessProven", "True", "Proven")?;
    }
    Ok(())
}

/// Both subscriptions are named, so each waits with a kit of its own until it is delegated.
fn tenant(lab: &Lab, clouds: &Clouds) -> Result<()> {
    for id in [SUBSCRIPTION, SECOND] {
        let name = name_of(lab, "tenant", id)?;
        lab.condition(&account(&name), "AccessProven", "False", "WaitingForGrant")?;
        let template: Value = serde_json::from_str(&kit(lab, &name, "caretaker-access.azure.json")?)?;
        clouds.azure.deploy(id, &template)?;
        poke(lab, &name)?;
        poke(lab, "tenant")?;
        lab.condition(&account(&name), "InventoryComplete", "True", "Settled")?;
    }
    lab.condition(&account("tenant"), "AccessProven", "True", "Proven")?;
    let said = lab.until("both", || {
        let said = lab.condition(&account("tenant"), "MembersListed", "True", "Settled")?;
        ensure!(said == "2 accounts: 2 Active", "{said}");
        Ok(said)
    });
    said.map(drop)
}

fn folder(lab: &Lab, clouds: &Clouds) -> Result<()> {
    lab.condition(&account("folder"), "AccessProven", "False", "WaitingForGrant")?;
    apply_terraform(&mut clouds.google.world(), SEED, &kit(lab, "folder", "caretaker-access.tf")?)?;
    poke(lab, "folder")?;
    for project in [PROJECT, SHOP] {
        let name = name_of(lab, "folder", project)?;
        ensure!(name == format!("folder-{project}"), "{name}");
        lab.condition(&account(&name), "AccessProven", "True", "Proven")?;
        lab.condition(&account(&name), "InventoryComplete", "True", "Settled")?;
    }
    Ok(())
}

/// Nothing is written where nothing has changed.
fn rests(lab: &Lab) -> Result<()> {
    let versions = || -> Result<Vec<Value>> {
        let list = lab.kubectl.get(&["ca,ms", "-n", NAMESPACE])?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        Ok(items.iter().map(|item| json!([item["metadata"]["name"], item["metadata"]["resourceVersion"]])).collect())
    };
    lab.until("rest", || {
        let before = versions()?;
        std::thread::sleep(Duration::from_secs(3));
        ensure!(before == versions()?, "objects are still written");
        Ok(())
    })
}

fn shown(lab: &Lab) -> Result<()> {
    let status = lab.plugin(&["status", "clan"])?;
    for part in [
        "org (aws-organization)",
        "  org-",
        "tenant (azure-tenant)",
        "folder (gcp-folder)",
        "Suspended",
        "4 accounts: 3 Active, 1 Suspended",
    ] {
        ensure!(status.contains(part), "{part} is not in {status}");
    }
    let access = lab.plugin(&["access", "clan"])?;
    for part in [&format!("folder-{SHOP}"), "CaretakerOrganization", "CaretakerAccess", "caretaker@acme-seed.iam.gserviceaccount.com"] {
        ensure!(access.contains(part), "{part} is not in {access}");
    }
    Ok(())
}

fn leaves(lab: &Lab, clouds: &Clouds, client: &Client) -> Result<()> {
    clouds.control(lab)?;
    lab.plugin(&["exit", "clan", "--final", "--yes", "--wait"])?;
    let handover = || lab.kubectl.get(&["handover", "final", "-n", NAMESPACE]);
    lab.accept(client, &["--wait"])?;
    lab.condition(&["mc", "clan"], "HandedOver", "True", "HandedOver")?;
    let revocations: Vec<Value> = serde_json::from_value(handover()?["status"]["revocations"].clone())?;
    ensure!(revocations.len() == 3 + 4 + 2 + 2 + 1, "three parents, all their accounts, and the one that is left out: {revocations:?}");
    let left_out = format!("org-excluded-{MANAGEMENT}");
    ensure!(revocations.iter().any(|revocation| revocation["account"] == left_out), "{revocations:?}");
    for revocation in &revocations {
        ensure!(revocation["refusals"].as_u64() >= Some(3), "{revocation}");
    }
    let ended = |id: &str| clouds.azure.change(|world| world.subscriptions[id].delegations.is_empty());
    ensure!(ended(SUBSCRIPTION) && ended(SECOND), "a delegation still stands");
    let role = lab.cloud.call(&["role", MANAGEMENT, "CaretakerOrganization"], "")?;
    ensure!(role["inline"].as_array().is_some_and(Vec::is_empty), "our role still has permissions: {role}");
    Ok(())
}

#[test]
fn parents_fan_out_to_their_accounts_and_all_of_them_are_left() -> Result<()> {
    let (lab, clouds) = (&shared().lab, &shared().clouds);
    clouds.azure.change(|world| {
        let second = Subscription { tenant_id: CLIENT_TENANT.into(), groups: vec!["prod".into()], ..Subscription::default() };
        world.subscriptions.insert(SECOND.into(), second);
    });
    {
        let mut world = clouds.google.world();
        world.folders.insert(FOLDER.into(), Folder::default());
        world.add_project(SEED, "100000000009");
        world.add_project(SHOP, "100000000010");
        for project in [PROJECT, SHOP] {
            world.projects.get_mut(project).context("it is there")?.folder = Some(FOLDER.into());
        }
    }

    let client = Client::new("clan", MANAGEMENT, "eu-west-1");
    apply_client(lab, &client)?;
    organization(lab)?;
    tenant(lab, clouds)?;
    folder(lab, clouds)?;
    lab.kubectl.wait(&["mc/clan"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    lab.condition(&["mc", "clan"], "MembersListed", "True", "Settled")?;
    rests(lab)?;
    shown(lab)?;
    leaves(lab, clouds, &client)?;
    clouds.judge()
}
