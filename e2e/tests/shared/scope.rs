//! Scope, differences and baseline: one verdict for each asset, and an inventory that changes only when the world does. AWS and Azure are emulated.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::shared::shared;
use caretaker_e2e::three_clouds::{CLIENT_TENANT, subscription};
use caretaker_e2e::{Client, Lab, PATIENCE, lab};
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";
/// Of this test's client alone.
const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-000000000003";

fn account(client: &str) -> [String; 4] {
    ["ca", "prod", "-n", &format!("client-{client}")].map(str::to_owned)
}

fn status(lab: &Lab, client: &str) -> Result<Value> {
    let object = account(client);
    Ok(lab.kubectl.get(&object.each_ref().map(String::as_str))?["status"].clone())
}

/// Asks for a reading and waits until it is there.
fn read_again(lab: &Lab, client: &str) -> Result<Value> {
    let before = status(lab, client)?["inventory"]["address"].clone();
    // Addresses tell readings apart by the second.
    std::thread::sleep(Duration::from_millis(1100));
    lab.poke(client)?;
    lab.until("the next reading", || {
        let inventory = status(lab, client)?["inventory"].clone();
        ensure!(inventory["address"] != before, "not yet: {inventory}");
        Ok(inventory)
    })
}

fn store(lab: &Lab) -> String {
    lab.installed.volume("store").display().to_string()
}

/// Every asset, as the plugin reads it out of the store.
fn assets(lab: &Lab, client: &str) -> Result<Vec<Value>> {
    let text = lab.plugin(&["inventory", client, "--store", &store(lab), "-o", "json"])?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn has_not_changed(diff: &Value) -> bool {
    ["added", "removed", "changed"].iter().all(|part| diff[*part] == 0) && diff.get("address").is_none()
}

fn scoped(lab: &Lab) -> Result<Client> {
    let client = Client::new("scoped", "200000000601", REGION);
    lab.cloud.call(&["instances", &client.account, REGION, "3", "web", "db", "old"], "")?;
    let mut document = client.document();
    // A backup policy would make a vault meanwhile, and this is to be a world that stands still.
    document["spec"].as_object_mut().context("a spec")?.remove("backups");
    document["spec"]["accounts"][0]["baselineAfterDays"] = json!(0);
    document["spec"]["scope"] = json!({
        "include": [{"type": "instance", "region": REGION}, {"type": "AWS::EC2::Volume"}],
        "exclude": [{"account": "prod", "tag": {"key": "Name", "value": "db"}, "reason": "the client's own people look after it"}],
    });
    lab.kubectl.apply(&document.to_string())?;
    lab.grant(&client)?;
    lab.kubectl.wait(&["mc/scoped"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    Ok(client)
}

fn a_part_of_an_account_is_looked_after_and_what_changes_is_told(lab: &Lab) -> Result<()> {
    let client = scoped(lab)?;
    let object = account("scoped");
    let object = object.each_ref().map(String::as_str);
    // Networks and the like: nobody has said. It warns, and the client is Ready all the same.
    let message = lab.condition(&object, "ScopeAmbiguous", "True", "UnclassifiedAssets")?;
    ensure!(message.contains("match neither include nor exclude") && message.contains("spec.scope"), "{message}");
    lab.condition(&["mc", "scoped"], "ScopeAmbiguous", "True", "UnclassifiedAssets")?;
    let first = status(lab, "scoped")?["inventory"].clone();
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for asset in assets(lab, "scoped")? {
        let verdict = asset["verdict"].as_str().context("each asset has a verdict")?.to_owned();
        let is_db = asset["name"] == "db";
        ensure!((verdict == "Excluded") == is_db && asset["exclusion"].is_string() == is_db, "{asset}");
        *found.entry(verdict).or_default() += 1;
    }
    ensure!(json!(found) == first["byVerdict"] && found.values().sum::<u64>() == first["assets"], "{found:?} beside {first}");

    // The same world, read again.
    let second = read_again(lab, "scoped")?;
    ensure!(second["digest"] == first["digest"] && has_not_changed(&second["sincePrevious"]), "{first} and {second}");
    let told = lab.plugin(&["inventory", "scoped", "--diff", "previous", "--store", &store(lab)])?;
    ensure!(told.contains("nothing has changed"), "{told}");
    let baseline = status(lab, "scoped")?["baseline"].clone();
    ensure!(baseline["digest"] == first["digest"], "frozen after 0 days: {baseline}");

    // One machine goes, one comes.
    let old = assets(lab, "scoped")?.into_iter().find(|asset| asset["name"] == "old").context("the old machine")?;
    lab.cloud.call(&["terminate", &client.account, REGION, old["id"].as_str().context("an id")?], "")?;
    lab.cloud.call(&["instances", &client.account, REGION, "1", "new"], "")?;
    let third = read_again(lab, "scoped")?;
    ensure!(third["sincePrevious"]["added"].as_u64() >= Some(1), "{third}");
    let told = lab.plugin(&["inventory", "scoped", "--diff", "baseline", "--store", &store(lab)])?;
    ensure!(told.contains("new") && told.contains("added") && told.lines().all(|line| line.chars().count() <= 100), "{told}");
    let counts = lab.plugin(&["inventory", "scoped"])?;
    ensure!(counts.contains("1 Excluded") && counts.contains("since the baseline: "), "{counts}");
    ensure!(status(lab, "scoped")?["baseline"] == baseline, "the baseline has changed");
    damage_is_seen(lab)
}

/// A shard is altered and the manifest lost: both are told, and the next reading puts it right.
fn damage_is_seen(lab: &Lab) -> Result<()> {
    let object = account("scoped");
    let object = object.each_ref().map(String::as_str);
    let folder = lab.installed.volume("store").join("clients/scoped/inventory/prod");
    let address = status(lab, "scoped")?["inventory"]["address"].as_str().context("an address")?.to_owned();
    let manifest: Value = serde_json::from_slice(&std::fs::read(lab.installed.volume("store").join(address))?)?;
    for shard in manifest["shards"].as_array().context("the manifest names shards")? {
        let path = folder.join("shards").join(format!("{}.ndjson.zst", shard["digest"].as_str().context("a digest")?));
        let mut bytes = std::fs::read(&path)?;
        bytes[20] ^= 0xff;
        std::fs::write(&path, bytes)?;
    }
    read_again(lab, "scoped")?;
    let message = lab.condition(&object, "StoreReady", "False", "InventoryLost")?;
    ensure!(message.contains("altered in the store"), "{message}");
    assets(lab, "scoped").context("it was stored again")?;
    let address = status(lab, "scoped")?["inventory"]["address"].as_str().context("an address")?.to_owned();
    std::fs::remove_file(lab.installed.volume("store").join(address))?;
    read_again(lab, "scoped")?;
    let message = lab.condition(&object, "StoreReady", "False", "InventoryLost")?;
    ensure!(message.contains("not in the store") && message.contains("manifest.json"), "{message}");
    read_again(lab, "scoped")?;
    lab.condition(&object, "StoreReady", "True", "Settled").map(drop)
}

fn contradiction_is_refused(lab: &Lab) -> Result<()> {
    let mut document = Client::new("torn", "200000000602", REGION).document();
    document["spec"]["accounts"] = json!([{"name": "azure", "azure": {"subscriptionId": "ffffffff-0000-4000-8000-000000000001"}}]);
    document["spec"].as_object_mut().context("a spec")?.remove("backups");
    document["spec"]["scope"] = json!({
        "include": [{"region": "westeurope"}], "exclude": [{"region": "WestEurope", "reason": "not ours"}],
    });
    lab.kubectl.apply(&document.to_string())?;
    let message = lab.condition(&["mc", "torn"], "Ready", "False", "InvalidSpec")?;
    ensure!(message.contains("spec.scope.exclude[0]") && message.contains("remove one of the two"), "{message}");
    Ok(())
}

/// Puts an id's resource group and type in capitals, as Azure does from one day to the next.
fn shout(id: &mut Value) {
    *id = id.as_str().unwrap_or_default().to_uppercase().into();
}

#[test]
fn every_asset_has_one_verdict_and_only_a_change_of_the_world_is_one() -> Result<()> {
    let lab = lab();
    contradiction_is_refused(lab)?;
    a_part_of_an_account_is_looked_after_and_what_changes_is_told(lab)
}

#[test]
fn azure_s_letter_case_is_no_change_and_no_second_asset() -> Result<()> {
    let (lab, clouds) = (&shared().lab, &shared().clouds);
    clouds.azure.change(|world| world.subscriptions.insert(SUBSCRIPTION.into(), subscription(SUBSCRIPTION)));

    let mut document = Client::new("cases", "200000000603", REGION).document();
    document["spec"]["accounts"] =
        json!([{"name": "prod", "azure": {"subscriptionId": SUBSCRIPTION.to_uppercase(), "tenantId": CLIENT_TENANT}}]);
    document["spec"].as_object_mut().context("a spec")?.remove("backups");
    document["spec"]["scope"] = json!({"exclude": [
        {"resourceGroup": "PROD", "type": "Microsoft.Compute/VirtualMachines", "tag": {"key": "NAME", "value": "db"}, "reason": "theirs"},
    ]});
    lab.kubectl.apply(&document.to_string())?;
    let kit = lab.until("the kit", || {
        let kit = lab.kubectl.get(&["configmap", "prod-grant-kit", "-n", "client-cases"])?;
        Ok(kit["data"]["caretaker-access.azure.json"].as_str().context("the kit has the file")?.to_owned())
    })?;
    clouds.azure.deploy(SUBSCRIPTION, &serde_json::from_str(&kit)?)?;
    lab.poke("cases")?;
    lab.kubectl.wait(&["mc/cases"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    let first = status(lab, "cases")?["inventory"].clone();
    // The network interfaces of both machines are no machines.
    ensure!(first["byVerdict"] == json!({"Covered": 3, "Excluded": 1}), "{first}");

    // The same machines in another letter case, and one of them in both on one page.
    clouds.azure.change(|world| {
        let resources = &mut world.subscriptions.get_mut(SUBSCRIPTION).expect("the client's subscription").resources;
        let twice = resources[0].clone();
        resources.iter_mut().for_each(|resource| shout(&mut resource["id"]));
        resources.push(twice);
    });
    let second = read_again(lab, "cases")?;
    ensure!(second["digest"] == first["digest"] && second["assets"] == 4, "{first} and {second}");
    ensure!(has_not_changed(&second["sincePrevious"]), "{second}");
    clouds.judge()
}
