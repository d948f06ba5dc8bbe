//! The contract ends by itself, the client leaves, and what the provider held is erased and certified.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use caretaker_testkit::process::run;
use caretaker_testkit::tools;
use serde_json::{Value, json};

/// The volume claim of a client's Prometheus.
const CLAIM: &str = "prometheus-main-db-prometheus-main-0";

/// Files below a folder of the store.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path.display().to_string()) }
    }
    found
}

fn exit_terms(lab: &Lab, exit: &Value) -> Result<()> {
    lab.kubectl.run(&["patch", "mc", "closing", "--type=merge", "-p", &json!({"spec": {"exit": exit}}).to_string()]).map(drop)
}

/// The handover that the contract's end has begun.
fn begun(lab: &Lab) -> Result<String> {
    lab.until("the exit at the contract's end", || {
        let listed = lab.kubectl.get(&["handovers", "-n", "client-closing"])?;
        let handover =
            listed["items"].as_array().into_iter().flatten().find(|object| object["spec"]["mode"] == "Final").context("a final exit")?;
        ensure!(handover["spec"]["client"] == "closing", "{}", handover["spec"]);
        Ok(handover["metadata"]["name"].as_str().unwrap_or_default().to_owned())
    })
}

/// A stock tool and the provider's public key are enough to check the certificate.
fn certified(lab: &Lab) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let (store, to) = (lab.installed.volume("store").display().to_string(), folder.path().display().to_string());
    lab.plugin(&["closing", "closing", "--store", &store, "--to", &to])?;
    let key = lab.kubectl.get(&["pprof", "default"])?["status"]["signing"]["publicKey"].as_str().context("a public key")?.to_owned();
    let file = folder.path().join("certificate.json");
    let verify = || run(Command::new(tools::path("minisign")?).arg("-Vm").arg(&file).args(["-P", &key]));
    verify()?;
    let bytes = std::fs::read(&file)?;
    std::fs::write(&file, [&bytes, b" ".as_slice()].concat())?;
    ensure!(verify().is_err(), "a certificate that was changed is taken");
    Ok(serde_json::from_slice(&bytes)?)
}

/// The client has the certificate, too.
fn brought(lab: &Lab, client: &Client) -> Result<()> {
    let delivered = lab.kubectl.get(&["mc", "closing"])?["status"]["erasure"]["certificateDelivery"].clone();
    ensure!(delivered["fault"].is_null(), "{delivered}");
    let named = delivered["to"].as_str().and_then(|to| to.strip_prefix("s3://closing-archive/")).context("an address")?;
    let names = lab.in_bucket(client, "closing-archive")?;
    ensure!(names.contains(&named.to_owned()) && names.contains(&format!("{named}.minisig")), "{delivered} is not in {names:?}");
    Ok(())
}

/// A volume claim as the prometheus-operator makes it, which outlives the Prometheus that it was made for, and a bucket of the client's. Gives the destination.
fn a_volume_and_a_bucket(lab: &Lab, client: &Client) -> Result<Value> {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let metadata = json!({"name": CLAIM, "namespace": "client-closing"});
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec});
    lab.kubectl.apply(&claim.to_string())?;
    lab.bucket(client, "closing-archive", "destination-closing")?;
    Ok(json!({"url": "s3://closing-archive/from-us", "secretName": "destination-closing"}))
}

#[test]
fn a_contract_ends_and_what_the_provider_held_is_erased_and_certified() -> Result<()> {
    let lab = lab();
    let client = Client::new("closing", "200000000036", "eu-west-1");
    lab.cloud.call(&["furnish", &client.account, "eu-west-1"], "")?;
    lab.onboard(&client)?;
    lab.control()?;
    lab.condition(&["mc", "closing"], "DeadlinesMet", "Unknown", "NotRequested")?;
    let refused = exit_terms(lab, &json!({"dispositions": [{"store": "Ledger", "action": "Destroy"}]}));
    ensure!(refused.is_err_and(|why| why.to_string().contains("the ledger is kept")), "the proof of the exit may be destroyed");

    let hold = json!({"by": "district court", "reason": "case 7"});
    let keep = json!([{"store": "BackupEvidence", "action": "Retain", "reason": "insurance"}]);
    let contract = json!({"endsOn": "2026-01-31", "noticeDays": 0, "atEnd": "HandOver"});
    exit_terms(lab, &json!({"contract": contract, "retrievalDays": 0, "legalHold": hold, "dispositions": keep}))?;
    let name = begun(lab)?;
    ensure!(name == "contract-end-20260131", "{name}");
    lab.condition(&["mc", "closing"], "DeadlinesMet", "False", "DeadlineMissed")?;
    lab.condition(&["handover", &name, "-n", "client-closing"], "BundleDelivered", "True", "")?;
    lab.accept(&client, &["--wait"])?;
    lab.condition(&["mc", "closing"], "HandedOver", "True", "HandedOver")?;

    // Nobody is woken for the machines of a client that has left.
    lab.condition(&["mc", "closing"], "MonitoringReady", "Unknown", "HandedOver")?;
    lab.until("monitoring that watches nothing", || {
        let stack = lab.kubectl.get(&["ms", "main", "-n", "client-closing"])?;
        ensure!(stack["spec"]["accounts"] == json!([]) && stack["status"]["targets"].as_u64().unwrap_or_default() == 0, "{stack}");
        Ok(())
    })?;

    lab.condition(&["ms", "main", "-n", "client-closing"], "MonitoringReady", "Unknown", "HandedOver")?;

    // A hold keeps all of it, whatever else is over.
    lab.condition(&["mc", "closing"], "DataErased", "False", "LegalHold")?;
    let store = lab.installed.volume("store").join("clients/closing");
    let held = |folder: &str| files(&store.join(folder)).len();
    ensure!(held("inventory") > 0 && held("handovers") == 3, "{:?}", files(&store));
    ensure!(lab.plugin(&["closing", "closing"])?.contains("Held"), "{}", lab.plugin(&["closing", "closing"])?);
    let archive = a_volume_and_a_bucket(lab, &client)?;
    exit_terms(lab, &json!({"legalHold": null, "destination": archive}))?;

    lab.condition(&["mc", "closing"], "DataErased", "True", "Settled")?;
    ensure!(["inventory", "handovers", "service-levels"].iter().all(|folder| held(folder) == 0), "{:?}", files(&store));
    ensure!(held("ledger") > 0 && held("closing") == 2, "{:?}", files(&store));
    for kind in ["cloudaccounts", "monitoringstacks", "pvc"] {
        let left = lab.kubectl.get(&[kind, "-n", "client-closing"])?;
        ensure!(left["items"] == json!([]), "{left}");
    }
    // What proves the exit stays, and is still whole.
    lab.condition(&["handover", &name, "-n", "client-closing"], "HandedOver", "True", "")?;
    lab.condition(&["mc", "closing"], "LedgerIntact", "True", "")?;
    let volume = lab.installed.volume("store").display().to_string();
    let told = lab.plugin(&["ledger", "show", "closing", "--store", &volume, "--last", "0"])?;
    ensure!(
        told.contains("intends: erase Bundles") && told.contains("erased Inventories") && told.contains("certificate of erasure"),
        "{told}"
    );
    let certificate = certified(lab)?;
    let of =
        |store: &str| certificate["stores"].as_array().into_iter().flatten().find(|row| row["store"] == store).cloned().unwrap_or_default();
    ensure!(of("Monitoring")["objects"] == 2, "the stack and its volume claim: {certificate}");
    ensure!(of("Bundles")["objects"] == 3 && of("Bundles")["erasedAt"].is_string(), "{certificate}");
    ensure!(of("Ledger")["action"] == "Retain" && of("BackupEvidence")["reason"] == "insurance", "{certificate}");

    brought(lab, &client)?;

    // A second pass finds nothing to do.
    let before = (lab.kubectl.get(&["mc", "closing"])?["metadata"]["resourceVersion"].clone(), files(&store));
    std::thread::sleep(std::time::Duration::from_secs(5));
    let after = (lab.kubectl.get(&["mc", "closing"])?["metadata"]["resourceVersion"].clone(), files(&store));
    ensure!(before == after, "{before:?} became {after:?}");
    lab.kubectl.run(&["delete", "mc", "closing", "--timeout=90s"]).map(drop)
}
