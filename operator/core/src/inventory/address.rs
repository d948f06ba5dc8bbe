//! Where an account's inventories are in the store, and in which order assets stand in them.
//!
//! `clients/CLIENT/inventory/ACCOUNT/` holds `shards/DIGEST.ndjson.zst`, the assets, each shard under the digest of its lines; one folder
//! `runs/TIME-DIGEST/` for each reading, with its manifest and its differences; and `run/`, what a reading that is under way has finished.

use caretaker_cloud::{Asset, AssetType, AwsType, Cloud};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::digest::first_byte;

/// Number of buckets that assets are spread over by their keys: what is in memory while sorting is one of them.
pub const BUCKETS: u8 = 64;

/// How the time of a reading stands in an address.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// Stands between a machine's key and what is known of it, so that both are in one bucket.
const OF: char = '\0';

/// What makes an asset itself, in the cloud's own way of comparing. Ids of Azure and Google Cloud are unique by themselves, those of AWS within their
/// region and type, where they are no ARNs.
#[must_use]
pub fn key(asset: &Asset) -> String {
    if asset.asset_type == AssetType::PatchState {
        return format!("{}{OF}patches", key_of(asset, AwsType::Instance.native_type()));
    }
    key_of(asset, &asset.native_type)
}

fn key_of(asset: &Asset, native_type: &str) -> String {
    match asset.cloud {
        Cloud::Azure => asset.id.to_lowercase(),
        Cloud::Gcp => asset.id.clone(),
        // An ARN is unique by itself; the words that Resource Explorer has for a type may change.
        _ if AwsType::of_service(&asset.service).is_some_and(AwsType::is_of_an_index) => format!("{}/{}", asset.account, asset.id),
        _ => format!("{}/{}/{native_type}/{}", asset.account, asset.region, asset.id),
    }
}

/// The bucket of a key; inventories are sorted by bucket, then by key.
#[must_use]
pub fn bucket(key: &str) -> u8 {
    first_byte(key.split(OF).next().unwrap_or_default()) % BUCKETS
}

/// Folder of an account's inventories.
#[must_use]
pub fn folder(client: &str, account: &str) -> String {
    format!("clients/{client}/inventory/{account}")
}

/// Address of a shard by the digest of its lines.
#[must_use]
pub fn shard(folder: &str, digest: &str) -> String {
    format!("{folder}/shards/{digest}.ndjson.zst")
}

/// The digest in the address of a shard; `None` where it is none.
#[must_use]
pub fn shard_digest(address: &str) -> Option<&str> {
    let (rest, name) = address.rsplit_once('/')?;
    rest.ends_with("/shards").then(|| name.strip_suffix(".ndjson.zst"))?
}

/// Folder of one reading.
#[must_use]
pub fn run(folder: &str, taken_at: Timestamp, digest: &str) -> String {
    format!("{folder}/runs/{}-{}", stamp(taken_at), &digest[..digest.len().min(16)])
}

/// Address of a reading's manifest.
#[must_use]
pub fn manifest(run: &str) -> String {
    format!("{run}/manifest.json")
}

/// Folder of the account in the address of a manifest; `None` where the address is of an inventory of one file, as earlier releases wrote them.
#[must_use]
pub fn folder_of_manifest(address: &str) -> Option<&str> {
    let run = address.strip_suffix("/manifest.json")?;
    let (folder, _) = run.rsplit_once("/runs/")?;
    Some(folder)
}

/// Folder and time of the reading that an address belongs to; `None` where it belongs to none.
#[must_use]
pub fn run_of(address: &str) -> Option<(&str, Timestamp)> {
    let (run, _) = address.rsplit_once('/')?;
    let (_, name) = run.rsplit_once("/runs/")?;
    let time = DateTime::strptime(STAMP, name.split_once('-')?.0).ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some((run, time.timestamp()))
}

/// Folder of what a reading that is under way has finished.
#[must_use]
pub fn segments(folder: &str) -> String {
    format!("{folder}/run")
}

/// A time as it stands in addresses: sorted by name is sorted by time.
#[must_use]
pub fn stamp(at: Timestamp) -> String {
    at.strftime(STAMP).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::tests::asset;

    #[test]
    fn an_address_gives_back_what_it_was_made_of() {
        let at: Timestamp = "2026-11-26T09:48:07Z".parse().unwrap();
        let folder = folder("acme", "prod");
        let run = run(&folder, at, &"ab".repeat(32));
        assert_eq!(run, "clients/acme/inventory/prod/runs/20261126T094807Z-abababababababab");
        assert_eq!(run_of(&manifest(&run)), Some((run.as_str(), at)));
        assert_eq!(folder_of_manifest(&manifest(&run)), Some(folder.as_str()));
        assert_eq!(shard_digest(&shard(&folder, "cd")), Some("cd"));
        for other in ["clients/acme/inventory/prod/abcd.ndjson.zst", "clients/acme/inventory/prod/run/x.ndjson.zst"] {
            assert_eq!((run_of(other), folder_of_manifest(other), shard_digest(other)), (None, None, None), "{other}");
        }
    }

    #[test]
    fn an_azure_id_in_two_letter_cases_is_one_key() {
        let of = |cloud: Cloud, id: &str| key(&Asset { id: id.into(), cloud, ..asset("westeurope") });
        assert_eq!(of(Cloud::Azure, "/subscriptions/A/Web"), of(Cloud::Azure, "/subscriptions/a/web"));
        assert_ne!(of(Cloud::Gcp, "//x/Web"), of(Cloud::Gcp, "//x/web"));
        assert_ne!(of(Cloud::Aws, "i-1"), key(&asset("eu-west-1")));
        assert!(bucket("x") < BUCKETS);
    }

    #[test]
    fn an_arn_is_one_key_whatever_its_type_is_called() {
        let of = |service: AwsType, native_type: &str| {
            let (service, native_type, id) =
                (service.service().to_owned(), native_type.to_owned(), "arn:aws:sqs:eu-west-1:1:orders".to_owned());
            key(&Asset { id, service, native_type, ..asset("eu-west-1") })
        };
        assert_eq!(of(AwsType::Other, "sqs:queue"), of(AwsType::Other, "sqs:fifo-queue"));
        assert_ne!(of(AwsType::Volume, "AWS::EC2::Volume"), of(AwsType::Volume, "AWS::EC2::Snapshot"));
    }
}
