//! An asset: one thing in a client's cloud, in the same shape for all clouds.

mod address;
mod kind;
mod power;
mod stored;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use address::{Address, Family, Visibility};
pub use kind::AssetType;
pub use power::Power;

use crate::catalog::aws::AwsType;
use crate::model::{CellKey, EVERYWHERE};
use crate::patch::PatchFacts;

/// A cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Gcp,
}

impl Cloud {
    /// Every cloud.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Gcp];

    /// The word in the inventory.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// The zone that a location is, where the cloud gives zones as locations: on Google Cloud a region with a letter behind it, `europe-west1-b`.
    #[must_use]
    pub fn zone_of(self, location: &str) -> Option<String> {
        let (region, zone) = location.rsplit_once('-')?;
        let is_zone = zone.len() == 1 && zone.starts_with(|c: char| c.is_ascii_lowercase()) && region.contains('-');
        (self == Self::Gcp && is_zone).then(|| location.to_owned())
    }

    /// The region that a location is in: itself, but for a zone, which is a location on Google Cloud.
    #[must_use]
    pub fn region_of(self, location: &str) -> &str {
        if self.zone_of(location).is_some() { location.rsplit_once('-').map_or(location, |(region, _)| region) } else { location }
    }

    /// The cloud that writes its regions in this form: `eu-west-1` on AWS, `westeurope` on Azure, `europe-west1` on Google Cloud. No name has two forms.
    #[must_use]
    pub fn of_region(region: &str) -> Option<Self> {
        let letters = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase());
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let numbered = |text: &str| {
            let (word, number) = text.split_at(text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len()));
            (letters(word), number.is_empty(), digits(number))
        };
        match region.split('-').collect::<Vec<_>>().as_slice() {
            [name] => matches!(numbered(name), (true, true, _) | (true, _, true)).then_some(Self::Azure),
            [area, place] => (letters(area) && matches!(numbered(place), (true, false, true))).then_some(Self::Gcp),
            [area, places @ .., number] => {
                let is_short = (2..=4).contains(&area.len()) && number.len() <= 2;
                (is_short && letters(area) && digits(number) && places.iter().all(|place| letters(place))).then_some(Self::Aws)
            }
            [] => None,
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How large a thing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// Capacity of a disk, of a copy of one or of a database's storage, in GiB.
    Gib(u64),
    /// The cloud's own name for the size of a machine, such as `t3.micro`, `Standard_D2s_v3` or `e2-small`.
    Class(String),
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gib(gib) => write!(f, "{gib} GiB"),
            Self::Class(class) => f.write_str(class),
        }
    }
}

/// One thing in a client's cloud. One line of the inventory.
///
/// Whatever is decided about an asset is decided by its typed fields. A line that an earlier release stored is read as if it were of this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "stored::Stored")]
pub struct Asset {
    /// The cloud's own id, such as `i-0abc`.
    pub id: String,
    /// Which cloud it is in.
    pub cloud: Cloud,
    /// Account, subscription or project.
    pub account: String,
    /// Region or location, as the cloud says it: on Google Cloud the zone of what stands in one.
    pub region: String,
    /// Zone within the region, in the cloud's own word, where the thing stands in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Kind.
    #[serde(rename = "type")]
    pub asset_type: AssetType,
    /// The cloud's own type, such as `AWS::EC2::Instance`, `Microsoft.Compute/virtualMachines` or `compute.googleapis.com/Instance`; of what
    /// only Resource Explorer shows its word, such as `sqs:queue`.
    pub native_type: String,
    /// Service and part of the cell that showed it, in the words of [`CellKey::service`].
    pub service: String,
    /// Name as people gave it (the tag `Name` on AWS); empty where there is none.
    pub name: String,
    /// Power state of a machine; `None` of a thing that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power: Option<Power>,
    /// Addresses of a machine: of each network interface, the first one before the others, the main private address, the public ones and those of
    /// IPv6. Further private addresses of an interface, as clusters take them for their pods, come and go and are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// How large it is, where the cloud says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Tags or labels.
    pub tags: BTreeMap<String, String>,
    /// What the cloud puts it in order by: its resource group on Azure, in lower case; the folders above it on Google Cloud, such as `folders/12`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Whether the cloud made it or manages it itself, so that nobody else can: the role of a service, a key of the cloud's, a default network or
    /// group of firewall rules.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub built_in: bool,
    /// When it was made, where the cloud says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Patches of the machine whose id this is, of the kind [`AssetType::PatchState`] only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches: Option<PatchFacts>,
    /// Further facts, for people to read and for nothing else: `state` in the cloud's own word, `vpcId`, `encrypted`, ….
    pub facts: BTreeMap<String, String>,
    /// The call that showed it, such as `ec2:DescribeInstances`.
    pub source: String,
    /// When it was seen. An inventory in the store leaves out what is the time of its own cell.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub seen_at: Timestamp,
}

/// Whether a time is left open.
fn is_unsaid(at: &Timestamp) -> bool {
    at.is_zero()
}

impl Asset {
    /// An asset of which no more is known than what it is and where. Its time is left open.
    #[must_use]
    pub fn new(cloud: Cloud, account: &str, region: &str, asset_type: AssetType, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            cloud,
            account: account.to_owned(),
            region: region.to_owned(),
            zone: None,
            asset_type,
            native_type: String::new(),
            service: String::new(),
            name: String::new(),
            power: None,
            addresses: Vec::new(),
            size: None,
            tags: BTreeMap::new(),
            groups: Vec::new(),
            built_in: false,
            created: None,
            patches: None,
            facts: BTreeMap::new(),
            source: String::new(),
            seen_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// The cell that the asset belongs to.
    #[must_use]
    pub fn cell(&self) -> CellKey {
        // One question to Resource Graph, Cloud Asset, S3 or IAM answers for all locations.
        let is_regional = self.cloud == Cloud::Aws && !AwsType::of_service(&self.service).is_some_and(AwsType::is_global);
        let region = if is_regional { self.region.clone() } else { EVERYWHERE.to_owned() };
        CellKey { account: self.account.clone(), region, service: self.service.clone() }
    }

    /// The region without a zone: Google Cloud names what stands in a zone after the zone, `europe-west1-b`.
    #[must_use]
    pub fn region_name(&self) -> &str {
        match self.cloud {
            Cloud::Gcp if self.zone.is_some() => self.region.rsplit_once('-').map_or(self.region.as_str(), |(region, _)| region),
            _ => &self.region,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(line: Value) -> Asset {
        serde_json::from_value(line).unwrap()
    }

    /// A line as the release before this one stored it.
    fn earlier(cloud: &str, kind: &str, region: &str, facts: Value) -> Value {
        json!({
            "id": "one", "cloud": cloud, "account": "1", "region": region, "type": kind, "nativeType": "n", "service": "s", "name": "web",
            "tags": {"env": "prod"}, "created": "2026-01-02T03:04:05Z", "facts": facts, "source": "x:Call", "seenAt": "2026-02-02T00:00:00Z",
        })
    }

    fn ips(asset: &Asset) -> Vec<String> {
        asset.addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_line_of_an_earlier_release_is_read_as_this_one_writes_it() {
        let facts =
            json!({"state": "running", "privateIp": "10.0.0.1", "publicIp": "203.0.113.7", "instanceType": "t3.micro", "vpcId": "vpc-1"});
        let aws = read(earlier("aws", "instance", "eu-west-1", facts));
        assert_eq!((aws.cloud, aws.power, aws.zone.as_deref()), (Cloud::Aws, Some(Power::Running), None));
        assert_eq!(ips(&aws), ["10.0.0.1 (private)", "203.0.113.7 (public)"]);
        assert_eq!(aws.size, Some(Size::Class("t3.micro".into())));
        assert_eq!(aws.facts.keys().collect::<Vec<_>>(), ["state", "vpcId"], "what is typed now is no fact any more");
        assert_eq!((aws.name.as_str(), aws.tags["env"].as_str(), aws.created.is_some()), ("web", "prod", true));

        let facts = json!({"state": "RUNNING", "privateIp": "10.0.0.1,10.0.0.2", "folders": "folders/12,folders/34", "sizeGib": "10"});
        let gcp = read(earlier("gcp", "instance", "europe-west1-b", facts));
        assert_eq!((gcp.power, gcp.zone.as_deref(), gcp.region_name()), (Some(Power::Running), Some("europe-west1-b"), "europe-west1"));
        assert_eq!((ips(&gcp).len(), gcp.groups), (2, vec!["folders/12".to_owned(), "folders/34".to_owned()]));
        assert_eq!(gcp.size, Some(Size::Gib(10)));

        let azure = read(earlier("azure", "instance", "westeurope", json!({"state": "deallocated", "resourceGroup": "prod"})));
        assert_eq!((azure.power, azure.groups, azure.addresses.len()), (Some(Power::Stopped), vec!["prod".to_owned()], 0));
        let unsaid = read(earlier("azure", "instance", "westeurope", json!({"state": "succeeded"})));
        assert_eq!(unsaid.power, Some(Power::Unknown), "how a deployment ended is no power state");
    }

    #[test]
    fn what_an_earlier_release_told_of_other_kinds_is_read_as_well() {
        for (kind, facts, expected, why) in [
            ("principal", json!({"path": "/aws-service-role/rds.amazonaws.com/"}), true, "a role of a service"),
            ("principal", json!({"path": "/"}), false, "the client's own role"),
            ("key", json!({"manager": "AWS"}), true, "a key of AWS's own"),
            ("network", json!({"default": "true"}), true, "the default network"),
            ("security-group", json!({"groupName": "default"}), true, "the default group"),
            ("volume", json!({"default": "true"}), false, "it is not said of a disk"),
        ] {
            assert_eq!(read(earlier("aws", kind, "eu-west-1", facts)).built_in, expected, "{why}");
        }
        let disk = read(earlier("aws", "volume", "eu-west-1", json!({"state": "in-use", "sizeGib": "8"})));
        assert_eq!((disk.power, disk.size), (None, Some(Size::Gib(8))), "a disk has a state and no power");
        let facts = json!({"missing": "3", "failed": "0", "critical": "1", "pendingReboot": "true", "assessedAt": "2026-01-02T03:04:05Z"});
        let patches = PatchFacts::of(&read(earlier("aws", "patch-state", "eu-west-1", facts)));
        assert_eq!((patches.missing, patches.critical, patches.pending_reboot, patches.assessed_at.is_some()), (3, 1, true, true));
    }

    #[test]
    fn a_line_comes_back_as_it_went() {
        let machine = Asset {
            zone: Some("eu-west-1a".into()),
            power: Some(Power::Running),
            addresses: vec![Address::private("10.0.0.1".parse().unwrap()), Address::public("2001:db8::1".parse().unwrap())],
            size: Some(Size::Class("t3.micro".into())),
            groups: vec!["prod".into()],
            built_in: true,
            facts: [("state".to_owned(), "running".to_owned())].into(),
            ..Asset::new(Cloud::Aws, "1", "eu-west-1", AssetType::Instance, "i-1")
        };
        let patches = PatchFacts { missing: 2, pending_reboot: true, ..PatchFacts::default() };
        let state = Asset { patches: Some(patches), ..Asset::new(Cloud::Gcp, "p", "global", AssetType::PatchState, "x") };
        let disk = Asset { size: Some(Size::Gib(8)), ..Asset::new(Cloud::Azure, "s", "westeurope", AssetType::Volume, "d") };
        for asset in [machine, state, disk] {
            let line = serde_json::to_string(&asset).unwrap();
            assert_eq!(serde_json::from_str::<Asset>(&line).unwrap(), asset, "{line}");
        }
    }

    #[test]
    fn what_is_not_known_takes_no_room_in_a_line() {
        let line = serde_json::to_value(Asset::new(Cloud::Aws, "1", "r", AssetType::Volume, "v")).unwrap();
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["account", "cloud", "facts", "id", "name", "nativeType", "region", "service", "source", "tags", "type"]);
    }

    #[test]
    fn only_google_s_zones_are_locations() {
        for (cloud, location, zone) in [
            (Cloud::Gcp, "europe-west1-b", true),
            (Cloud::Gcp, "europe-west1", false),
            (Cloud::Gcp, "global", false),
            (Cloud::Gcp, "nam-b", false),
            (Cloud::Aws, "us-gov-a", false),
        ] {
            assert_eq!(cloud.zone_of(location).is_some(), zone, "{location}");
        }
    }

    #[test]
    fn a_region_tells_its_cloud() {
        for (cloud, regions) in [
            (Some(Cloud::Aws), ["eu-west-1", "us-gov-east-1", "ap-southeast-10"]),
            (Some(Cloud::Azure), ["westeurope", "eastus2", "germanywestcentral"]),
            (Some(Cloud::Gcp), ["europe-west1", "us-east4", "northamerica-northeast2"]),
            (None, ["eu-west", "EU-WEST-1", "europe-west1-b"]),
            (None, ["", "2", "eu--1"]),
            (None, ["West Europe", "westeurope2a", "global-1-1"]),
        ] {
            for region in regions {
                assert_eq!(Cloud::of_region(region), cloud, "{region}");
            }
        }
        assert_eq!((Cloud::Gcp.region_of("europe-west1-b"), Cloud::Gcp.region_of("us-east4")), ("europe-west1", "us-east4"));
        assert_eq!((Cloud::Aws.region_of("eu-west-1"), Cloud::Azure.region_of("westeurope")), ("eu-west-1", "westeurope"));
    }
}
