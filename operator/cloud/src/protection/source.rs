//! By which name a cloud's backups know an asset.

use crate::asset::{Asset, AssetType, Cloud};
use crate::catalog::aws::{AwsType, partition};

/// An asset as the backups of its cloud name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The name: an ARN on AWS, the inventory's own id elsewhere.
    pub name: String,
    /// The kind in the words of the cloud's backup service, such as `EBS`.
    pub service: &'static str,
    /// The machine that a disk is attached to, where saving the machine saves its disks, and the inventory tells which it is.
    pub within: Option<String>,
}

/// The name of an asset; `None` of what the cloud's backups cannot hold, or what this release does not know of them.
#[must_use]
pub fn source_of(asset: &Asset) -> Option<Source> {
    if asset.built_in {
        return None;
    }
    match asset.cloud {
        Cloud::Aws => aws(asset),
        Cloud::Azure => azure(asset),
        Cloud::Gcp => gcp(asset),
    }
}

/// Source of the words: <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateRegionSettings.html>
fn aws(asset: &Asset) -> Option<Source> {
    let Asset { region, account, id, .. } = asset;
    let (service, within) = match AwsType::of_service(&asset.service)? {
        AwsType::Instance => ("EC2", format!("ec2:{region}:{account}:instance/{id}")),
        AwsType::Volume => ("EBS", format!("ec2:{region}:{account}:volume/{id}")),
        AwsType::DbInstance => ("RDS", format!("rds:{region}:{account}:db:{id}")),
        AwsType::DbCluster => ("Aurora", format!("rds:{region}:{account}:cluster:{id}")),
        AwsType::Table => ("DynamoDB", format!("dynamodb:{region}:{account}:table/{id}")),
        AwsType::Bucket => ("S3", format!("s3:::{id}")),
        _ => return None,
    };
    let partition = partition::of_region(region).map_or("aws", |of| of.name);
    Some(Source { name: format!("arn:{partition}:{within}"), service, within: None })
}

/// Machines are saved whole, into Recovery Services vaults; disks with their machine, or as snapshots of their own.
fn azure(asset: &Asset) -> Option<Source> {
    let service = match asset.native_type.as_str() {
        "microsoft.compute/virtualmachines" => "AzureIaasVM",
        "microsoft.compute/disks" => "AzureDisk",
        _ => return None,
    };
    let within = asset.facts.get("managedBy").filter(|by| by.contains("/microsoft.compute/virtualmachines/")).cloned();
    Some(Source { name: asset.id.clone(), service, within: within.filter(|_| asset.asset_type == AssetType::Volume) })
}

/// Disks are saved as snapshots, a machine by those of all its disks, a database of Cloud SQL by its own backups.
fn gcp(asset: &Asset) -> Option<Source> {
    let service = match asset.native_type.as_str() {
        "compute.googleapis.com/Disk" | "compute.googleapis.com/RegionDisk" => "disk",
        "compute.googleapis.com/Instance" => "instance",
        "sqladmin.googleapis.com/Instance" => "database",
        _ => return None,
    };
    Some(Source { name: asset.id.clone(), service, within: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::AssetType;

    #[test]
    fn an_asset_has_the_name_that_its_backups_have() {
        let of = |kind: AwsType, region: &str, id: &str| {
            let asset = Asset { service: kind.service().into(), ..Asset::new(Cloud::Aws, "111122223333", region, kind.asset_type(), id) };
            source_of(&asset).map(|source| (source.name, source.service))
        };
        let named = |name: &str, service| Some((name.to_owned(), service));
        assert_eq!(of(AwsType::Volume, "eu-west-1", "vol-1"), named("arn:aws:ec2:eu-west-1:111122223333:volume/vol-1", "EBS"));
        assert_eq!(of(AwsType::Instance, "cn-north-1", "i-1"), named("arn:aws-cn:ec2:cn-north-1:111122223333:instance/i-1", "EC2"));
        assert_eq!(of(AwsType::DbCluster, "eu-west-1", "db"), named("arn:aws:rds:eu-west-1:111122223333:cluster:db", "Aurora"));
        assert_eq!(of(AwsType::Bucket, "eu-west-1", "b"), named("arn:aws:s3:::b", "S3"));
        assert_eq!(of(AwsType::Vpc, "eu-west-1", "vpc-1"), None);
        let machine = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/web";
        let mut disk = Asset::new(Cloud::Azure, "s", "westeurope", AssetType::Volume, "/subscriptions/s/disks/d");
        assert_eq!(source_of(&disk), None, "of a type that is not known");
        disk.native_type = "microsoft.compute/disks".into();
        assert_eq!(source_of(&disk).unwrap().within, None);
        disk.facts.insert("managedBy".into(), machine.into());
        assert_eq!(source_of(&disk).unwrap().within.as_deref(), Some(machine));
        let name = "//compute.googleapis.com/projects/p/zones/europe-west1-b/disks/d";
        let disk = Asset {
            native_type: "compute.googleapis.com/Disk".into(),
            ..Asset::new(Cloud::Gcp, "p", "europe-west1-b", AssetType::Volume, name)
        };
        assert_eq!(source_of(&disk).map(|source| (source.name, source.service)), named(name, "disk"));
    }
}
