//! F15: what a client is billed for. Seven machines, one of them excluded, are six, with their ids; the day leaves in the bundle.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, PATIENCE, lab};
use caretaker_testkit::process::run;
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";

fn store(lab: &Lab) -> String {
    lab.installed.volume("store").display().to_string()
}

fn metered(lab: &Lab) -> Result<Client> {
    let client = Client::new("metered", "200000000611", REGION);
    lab.cloud.call(&["instances", &client.account, REGION, "7", "a", "b", "c", "d", "e", "f", "lab"], "")?;
    let mut document = client.document();
    document["spec"].as_object_mut().context("a spec")?.remove("backups");
    document["spec"]["scope"] = json!({"exclude": [{"type": "instance", "tag": {"key": "Name", "value": "lab"}, "reason": "the client's own people look after it"}]});
    document["spec"]["billing"] = json!({"zone": "UTC", "units": [
        {"name": "server", "model": "PerDevice", "assets": [{"type": "instance"}]},
        {"name": "person", "model": "PerUser", "quantity": 40},
        {"name": "project", "model": "TimeAndMaterial"},
    ]});
    lab.kubectl.apply(&document.to_string())?;
    lab.grant(&client)?;
    lab.kubectl.wait(&["mc/metered"], "condition=Ready", PATIENCE).with_context(|| lab.log())?;
    Ok(client)
}

/// What cannot be counted is refused at admission, with the cure.
fn terms_that_count_nothing_are_refused(lab: &Lab) -> Result<()> {
    for (unit, words) in [
        (json!({"name": "server", "model": "PerDevice"}), "a unit PerDevice counts assets"),
        (json!({"name": "server", "model": "PerDevice", "assets": [{"type": "instance"}], "quantity": 2}), "and no quantity"),
        (json!({"name": "person", "model": "PerUser"}), "a unit PerUser has either quantity"),
        (json!({"name": "hours", "model": "TimeAndMaterial", "quantity": 8}), "remove quantity"),
    ] {
        let mut document = Client::new("unmetered", "200000000612", REGION).document();
        document["spec"]["billing"] = json!({"zone": "UTC", "units": [unit]});
        let told = lab.kubectl.apply(&document.to_string()).map_or_else(|error| format!("{error:#}"), |_| "it was taken".into());
        ensure!(told.contains(words), "{unit}: {told}");
    }
    Ok(())
}

#[test]
fn what_is_billed_is_counted_with_the_asset_behind_each_unit() -> Result<()> {
    let lab = lab();
    terms_that_count_nothing_are_refused(lab)?;
    let client = metered(lab)?;
    let billing = lab.until("a complete count", || {
        let billing = lab.kubectl.get(&["mc", "metered"])?["status"]["billing"].clone();
        ensure!(billing["complete"] == true && billing["units"][0]["count"] == 6, "{billing}");
        Ok(billing)
    })?;
    ensure!(billing["units"][1]["count"] == 40 && billing["units"][2].get("count").is_none(), "{billing}");
    ensure!(!billing.to_string().contains("i-"), "ids stand in the store: {billing}");

    // The same six, as a spreadsheet and as JSON; the excluded one is none of them.
    let told: Value = serde_json::from_str(&lab.plugin(&["units", "metered", "--store", &store(lab), "-o", "json"])?)?;
    let assets = told[0]["assets"].as_array().context("assets")?;
    let ids: BTreeSet<&str> = assets.iter().filter(|asset| asset["unit"] == "server").filter_map(|asset| asset["id"].as_str()).collect();
    ensure!(ids.len() == 6 && told[0]["record"]["neverBilled"]["Excluded"] == 1, "{told}");
    let sheet = lab.plugin(&["units", "metered", "--store", &store(lab), "-o", "csv"])?;
    ensure!(sheet.lines().filter(|line| line.starts_with("server,")).count() == 6, "{sheet}");
    let inventory = lab.plugin(&["inventory", "metered", "--store", &store(lab), "--type", "instance", "-o", "json"])?;
    let excluded =
        inventory.lines().map(serde_json::from_str::<Value>).find(|line| line.as_ref().is_ok_and(|line| line["verdict"] == "Excluded"));
    let excluded = excluded.context("the inventory has the excluded machine")??;
    ensure!(!sheet.contains(excluded["id"].as_str().context("an id")?), "{sheet}");
    let table = lab.plugin(&["units", "metered"])?;
    ensure!(table.contains("no managed service") && table.lines().all(|line| line.chars().count() <= 100), "{table}");

    // It leaves with the client.
    lab.plugin(&["exit", "metered", "--wait"])?;
    let handovers = lab.kubectl.get(&["handovers", "-n", "client-metered"])?;
    let address = handovers["items"][0]["status"]["bundle"]["address"].as_str().context("the bundle has an address")?;
    let key = lab.kubectl.get(&["pprof", "default"])?["status"]["signing"]["publicKey"].as_str().context("a public key")?.to_owned();
    let (folder, identity) = (tempfile::tempdir()?, tempfile::NamedTempFile::new()?);
    std::fs::write(identity.path(), &client.identity)?;
    let sealed = lab.installed.volume("store").join(address);
    let into = folder.path().display().to_string();
    let (bundle, identity) = (sealed.display().to_string(), identity.path().display().to_string());
    lab.plugin(&["bundle", "open", &bundle, "--public-key", &key, "--identity", &identity, "--into", &into])?;
    let listed = run(Command::new("find").arg(folder.path()).args(["-path", "*07-service-levels/units/*", "-type", "f"]))?;
    ensure!(listed.contains("/days/") && listed.contains("/assets/"), "{listed}");
    Ok(())
}
