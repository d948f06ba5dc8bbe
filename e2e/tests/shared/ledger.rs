//! What a client's ledger tells of a whole life: as much as the cloud itself saw, each write before it was made, and whoever changes it is found out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use serde_json::Value;

const NAME: &str = "booked";

fn store(lab: &Lab) -> String {
    lab.installed.volume("store").display().to_string()
}

fn entries(lab: &Lab) -> Result<Vec<Value>> {
    let text = lab.plugin(&["ledger", "show", NAME, "--store", &store(lab), "--last", "0", "-o", "json"])?;
    let lines: Vec<Value> = serde_json::from_str(&text)?;
    Ok(lines.into_iter().map(|line| line["entry"].clone()).collect())
}

/// Each write was told before it was made, and what came of it after.
fn intents_and_receipts(entries: &[Value]) -> Result<BTreeSet<String>> {
    let (mut open, mut calls) = (BTreeMap::new(), BTreeSet::new());
    for entry in entries {
        let (data, kind) = (&entry["data"], entry["entry"].as_str().unwrap_or_default());
        let key = data["key"].as_str().unwrap_or_default();
        match kind {
            "intent" => drop(open.insert(key.to_owned(), data["what"].clone())),
            "receipt" | "failure" => ensure!(open.remove(key).is_some(), "nothing was intended under the key of {entry}"),
            _ => {}
        }
        if kind == "receipt" {
            let made = data["receipt"]["calls"].as_array().into_iter().flatten().filter_map(Value::as_str);
            calls.extend(made.filter_map(|call| call.split(' ').next()).map(str::to_owned));
        }
    }
    ensure!(open.is_empty(), "nobody knows what came of {open:?}");
    Ok(calls)
}

/// The action of IAM behind a call; AWS Backup's calls are known by method and path.
fn action_of(service: &str, call: &str) -> String {
    let action = match call.split(':').collect::<Vec<_>>()[..] {
        ["PUT", "backup-vaults", _] => "CreateBackupVault",
        ["PUT", "backup", "plans"] => "CreateBackupPlan",
        ["PUT", "backup", "plans", _, "selections"] => "CreateBackupSelection",
        _ => call,
    };
    format!("{service}:{action}")
}

/// The writes that the cloud saw from us, as `service:Action`.
fn seen(lab: &Lab, account: &str) -> BTreeSet<String> {
    let action = |call: &String| {
        let mut parts = call.split([' ', '/']);
        Some(action_of(parts.next()?, parts.nth(1)?))
    };
    lab.writes_into(account).iter().filter_map(action).filter(|action| !action.starts_with("sts:")).collect()
}

fn refused(lab: &Lab, args: &[&str], words: &str) -> Result<()> {
    let said = lab.plugin(args).err().with_context(|| format!("{args:?} found nothing wrong"))?.to_string();
    ensure!(said.contains(words), "{words} is not in: {said}");
    Ok(())
}

fn tamper(lab: &Lab, folder: &Path) -> Result<()> {
    let store = store(lab);
    let verify = ["ledger", "verify", NAME, "--store", store.as_str()];
    let whole = lab.plugin(&verify)?;
    let head = whole.lines().find_map(|line| line.strip_prefix("head ")).context("the head is told")?.to_owned();
    let offline = ["ledger", "verify", NAME, "--store", store.as_str(), "--head", head.as_str()];
    lab.plugin(&offline)?;
    let mut segments: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    segments.sort();
    let second = segments.get(1).context("there are segments")?;
    let text = std::fs::read_to_string(second)?;
    std::fs::write(second, text.replace("prod", "test"))?;
    refused(lab, &verify, "segment 3 does not follow from segment 2")?;
    std::fs::remove_file(second)?;
    refused(lab, &verify, "segments 2 to 2 are lost")?;
    std::fs::write(second, &text)?;
    let last = segments.last().context("there is a last segment")?;
    let text = std::fs::read_to_string(last)?;
    std::fs::remove_file(last)?;
    refused(lab, &offline, "the chain was shortened")?;
    std::fs::write(last, &text)?;
    lab.plugin(&verify)?;
    Ok(())
}

#[test]
fn the_ledger_tells_as_much_as_the_cloud_saw_and_whoever_changes_it_is_found_out() -> Result<()> {
    let lab = lab();
    let client = Client::new(NAME, "200000000031", "eu-west-1");
    lab.onboard(&client)?;
    lab.control()?;
    lab.plugin(&["exit", NAME, "--final", "--yes", "--wait"])?;
    let object = lab.kubectl.get(&["handover", "final", "-n", "client-booked"])?;
    let digest = object["status"]["bundle"]["sha256"].as_str().context("a digest")?.to_owned();
    lab.accept(&client, &["--wait"])?;
    lab.condition(&["mc", NAME], "HandedOver", "True", "HandedOver")?;

    let entries = entries(lab)?;
    let told = intents_and_receipts(&entries)?;
    let seen = seen(lab, &client.account);
    ensure!(!seen.is_empty() && told == seen, "told: {told:?}; the cloud saw: {seen:?}");
    let of = |kind: &str| entries.iter().filter(|entry| entry["entry"] == kind).collect::<Vec<_>>();
    ensure!(of("sealed").iter().any(|sealed| sealed["data"]["sha256"] == digest.as_str()), "{:?}", of("sealed"));
    ensure!(of("revocation").last().is_some_and(|last| !last["data"]["verifiedAt"].is_null()), "{:?}", of("revocation"));
    let accepted = of("step").into_iter().find(|step| step["data"]["step"] == "Accept" && step["data"]["state"] == "Completed");
    ensure!(accepted.is_some_and(|step| step["by"]["acceptedBy"] == "Jo Doe"), "{accepted:?}");
    let undo = lab.plugin(&["ledger", "undo-plan", NAME, "--store", &store(lab)])?;
    ensure!(undo.contains("delete the backup vault") && undo.contains("apply the grant kit"), "{undo}");

    let client = lab.kubectl.get(&["mc", NAME])?;
    ensure!(client["status"]["ledger"]["segments"].as_u64() > Some(10), "{}", client["status"]["ledger"]);
    lab.condition(&["mc", NAME], "LedgerIntact", "True", "Settled")?;
    let uid = client["metadata"]["uid"].as_str().context("a UID")?;
    tamper(lab, &lab.installed.volume("store").join("clients").join(NAME).join("ledger").join(uid))
}
