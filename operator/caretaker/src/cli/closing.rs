//! `closing`: the deadlines of a client's exit, what became of its data afterwards, and the certificate of it.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use caretaker_api::exit_terms::{Deadline, ErasureStatus, StoreErasure};
use caretaker_api::{ManagedClient, ProviderProfile};
use caretaker_core::digest::sha256_hex;
use kube::{Api, ResourceExt};
use serde_json::json as value;

use super::cluster::{ClusterArgs, connect, explain};
use super::inventory::open;
use super::output::{Form, json, paragraph, table, width};

/// Which client, and whether its certificate is fetched.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the ManagedClient.
    client: String,
    /// URL or folder of the store, to fetch the certificate.
    #[arg(long, requires = "to")]
    store: Option<String>,
    /// Write the certificate and its signature into this folder.
    #[arg(long, value_name = "FOLDER", requires = "store")]
    to: Option<PathBuf>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Answers.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let cluster = connect(&args.cluster).await?;
    let client = Api::<ManagedClient>::all(cluster.clone()).get(&args.client).await.map_err(explain)?;
    let status = client.status.clone().unwrap_or_default();
    let erasure = status.erasure.unwrap_or_default();
    if let (Some(store), Some(to)) = (&args.store, &args.to) {
        let profile = Api::<ProviderProfile>::all(cluster).get(&client.spec.provider_profile).await.map_err(explain)?;
        let key = profile.status.and_then(|status| status.signing).map(|signing| signing.public_key).unwrap_or_default();
        return fetch(&client, &erasure, (store, to), &key).await;
    }
    if args.output == Form::Json {
        return json(&value!({"client": client.name_any(), "deadlines": status.deadlines, "erasure": erasure}));
    }
    let message = status.conditions.iter().find(|condition| condition.type_ == "DataErased").map_or("", |condition| &condition.message);
    out!("{}", told(&client.name_any(), &status.deadlines, (&erasure, message), width()));
    Ok(())
}

async fn fetch(client: &ManagedClient, erasure: &ErasureStatus, (store, to): (&str, &Path), key: &str) -> anyhow::Result<()> {
    let name = client.name_any();
    ensure!(!erasure.certificate.is_empty(), "there is no certificate yet; kubectl caretaker closing {name} says what it waits for");
    let store = open(store)?;
    let bytes = store.get(&erasure.certificate).await?;
    ensure!(
        sha256_hex(&bytes) == erasure.certificate_sha256,
        "{} is not the certificate that the cluster has on record",
        erasure.certificate
    );
    let signature = store.get(&format!("{}.minisig", erasure.certificate)).await?;
    std::fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for (file, bytes) in [("certificate.json", &bytes), ("certificate.json.minisig", &signature)] {
        let path = to.join(file);
        std::fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
        outln!("wrote {}", path.display());
    }
    outln!("\nNext: minisign -Vm {} -P {key}", to.join("certificate.json").display());
    Ok(())
}

/// The rows that `readiness` shows, too.
pub(super) fn deadlines(deadlines: &[Deadline], width: usize) -> String {
    if deadlines.is_empty() {
        return String::new();
    }
    let row = |deadline: &Deadline| {
        let at = deadline.at.0.strftime("%Y-%m-%d %H:%MZ").to_string();
        vec![format!("{:?}", deadline.kind), deadline.rule.clone(), at, format!("{:?}", deadline.state)]
    };
    let mut text = table(&["DEADLINE", "RULE", "BEFORE", "STATE"], &deadlines.iter().map(row).collect::<Vec<_>>());
    let said = |deadline: &Deadline| paragraph(&format!("{:?}: ", deadline.kind), &deadline.message, width);
    text.push('\n');
    text.extend(deadlines.iter().map(said));
    text
}

fn told(name: &str, dates: &[Deadline], (erasure, message): (&ErasureStatus, &str), width: usize) -> String {
    let mut text = deadlines(dates, width);
    if text.is_empty() {
        text =
            paragraph("", &format!("{name} has no deadlines: ManagedClient spec.exit.contract names no end, and no exit has ended"), width);
    }
    if !erasure.stores.is_empty() {
        let row = |store: &StoreErasure| {
            let erased = store.erased_at.as_ref().map_or_else(|| "-".into(), |at| at.0.strftime("%Y-%m-%d %H:%MZ").to_string());
            vec![format!("{:?}", store.store), format!("{:?}", store.action), store.objects.to_string(), store.bytes.to_string(), erased]
        };
        text += "\n";
        text += &table(&["DATA", "DISPOSITION", "OBJECTS", "BYTES", "ERASED"], &erasure.stores.iter().map(row).collect::<Vec<_>>());
        let kept = erasure.stores.iter().filter(|store| !store.reason.is_empty());
        text.extend(kept.map(|store| paragraph(&format!("{:?}: ", store.store), &store.reason, width)));
    }
    if !message.is_empty() {
        text += &paragraph("\nNow: ", message, width);
    }
    if !erasure.certificate.is_empty() {
        text += &format!("Next: kubectl caretaker closing {name} --store URL --to FOLDER\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dates_and_data_are_told_in_80_columns() {
        let dates: Vec<Deadline> = serde_json::from_value(json!([{
            "kind": "Delivery", "rule": "DataAct", "at": "2027-03-05T00:00:00Z", "state": "Near",
            "message": "a final exit has delivered and verified its bundle by the end of 2027-03-04, the last day of contract and transition",
        }]))
        .unwrap();
        let erasure: ErasureStatus = serde_json::from_value(json!({
            "stores": [
                {"store": "Bundles", "action": "Destroy", "objects": 4, "bytes": 123_456_789, "erasedAt": "2027-05-01T00:00:00Z"},
                {"store": "Ledger", "action": "Retain", "reason": "it is the proof"},
            ],
            "certificate": "clients/acme/closing/u/certificate.json", "certificateSha256": "abc",
        }))
        .unwrap();
        let text = told("acme", &dates, (&erasure, "erased"), 80);
        for part in [
            "Delivery",
            "DataAct",
            "2027-03-05 00:00Z",
            "Near",
            "Bundles",
            "123456789",
            "Ledger: it is the proof",
            "Now: erased",
            "closing acme --store",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(told("acme", &[], (&ErasureStatus::default(), ""), 80).contains("acme has no deadlines"));
    }
}
