//! EC2 calls and the model. The only file that names `aws_sdk_ec2`.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Instance, InstanceNetworkInterface, SecurityGroup, Snapshot, Subnet, Tag, Volume, Vpc};
use aws_smithy_types::DateTime;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{Address, Asset, AwsType, Cloud, Power, Result, Size};

use crate::call::Calls;
use crate::inventory::listing::{self, Page, Place, time, with_facts};

/// Rows that are asked for in one page: at most 1,000. Always sent, since without it a large account may be refused.
/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
const PAGE: i32 = 500;
/// Name of the group of firewall rules that AWS makes with each network.
const DEFAULT_GROUP: &str = "default";

/// The regions that are enabled.
pub async fn enabled_regions(config: &SdkConfig, calls: &Calls<'_>) -> Result<Vec<String>> {
    let client = Client::new(config);
    let answer = calls.make("ec2:DescribeRegions", || client.describe_regions().send()).await?;
    Ok(answer.regions().iter().filter_map(|region| region.region_name().map(str::to_owned)).collect())
}

macro_rules! page {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $call:ident, $items:ident, $convert:ident $(, $filter:ident($value:literal))?) => {
        $(#[$doc])*
        pub async fn $name(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
            let client = Client::new(config);
            let request = || client.$call()$(.$filter($value))?.max_results(PAGE).set_next_token(token.clone()).send();
            let answer = place.calls.make(AwsType::$kind.operation(), request).await?;
            Ok((answer.$items().iter().map(|item| $convert(item, place)).collect(), said(answer.next_token())))
        }
    };
}

/// Machines, which EC2 lists by the order that started them.
pub async fn instances(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = Client::new(config);
    let request = || client.describe_instances().max_results(PAGE).set_next_token(token.clone()).send();
    let answer = place.calls.make(AwsType::Instance.operation(), request).await?;
    let instances = answer.reservations().iter().flat_map(|reservation| reservation.instances());
    Ok((instances.map(|instance| of_instance(instance, place)).collect(), said(answer.next_token())))
}

page!(
    /// Disks.
    volumes, Volume, describe_volumes, volumes, of_volume
);
page!(
    /// Copies of disks that are the account's own; without that AWS lists all public ones.
    snapshots, Snapshot, describe_snapshots, snapshots, of_snapshot, owner_ids("self")
);
page!(
    /// Networks.
    vpcs, Vpc, describe_vpcs, vpcs, of_vpc
);
page!(
    /// Parts of networks.
    subnets, Subnet, describe_subnets, subnets, of_subnet
);
page!(
    /// Firewall rules.
    security_groups, SecurityGroup, describe_security_groups, security_groups, of_group
);

fn asset(kind: AwsType, id: Option<&str>, tags: &[Tag], created: Option<&DateTime>, place: &Place<'_>) -> Asset {
    let tags: BTreeMap<String, String> =
        tags.iter().map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())).collect();
    let name = tags.get("Name").cloned().unwrap_or_default();
    Asset { name, tags, created: time(created), ..listing::asset(kind, id.unwrap_or_default(), place) }
}

fn of_instance(item: &Instance, place: &Place<'_>) -> Asset {
    let state = item.state().and_then(|state| state.name()).map(|name| name.as_str());
    let facts =
        [("state", said(state)), ("vpcId", said(item.vpc_id())), ("subnetId", said(item.subnet_id())), ("imageId", said(item.image_id()))];
    let machine = Asset {
        power: Some(Power::of(Cloud::Aws, state.unwrap_or_default())),
        addresses: addresses(item),
        size: item.instance_type().map(|kind| Size::Class(kind.as_str().to_owned())),
        zone: said(item.placement().and_then(|placement| placement.availability_zone())),
        ..asset(AwsType::Instance, item.instance_id(), item.tags(), item.launch_time(), place)
    };
    with_facts(machine, facts)
}

/// The machine's own addresses, then those of its network interfaces in the order of their devices. Of further private addresses, as clusters take
/// them for their pods, only those count that lead to a public one.
fn addresses(item: &Instance) -> Vec<Address> {
    let private = |ip: Option<&str>| ip.and_then(|ip| ip.parse().ok()).map(Address::private);
    let public = |ip: Option<&str>| ip.and_then(|ip| ip.parse().ok()).map(Address::public);
    let mut found: Vec<Address> = [private(item.private_ip_address()), public(item.public_ip_address())].into_iter().flatten().collect();
    let mut interfaces: Vec<&InstanceNetworkInterface> = item.network_interfaces().iter().collect();
    interfaces.sort_by_key(|interface| interface.attachment().and_then(|attachment| attachment.device_index()));
    for interface in interfaces {
        found.extend(private(interface.private_ip_address()));
        found.extend(public(interface.association().and_then(|association| association.public_ip())));
        let further = interface.private_ip_addresses().iter();
        found.extend(further.filter_map(|further| public(further.association().and_then(|association| association.public_ip()))));
        let sixes = interface.ipv6_addresses().iter().filter_map(|six| six.ipv6_address()?.parse().ok());
        found.extend(sixes.map(Address::of_ipv6));
    }
    let mut seen = BTreeSet::new();
    found.retain(|address| seen.insert(address.ip));
    found
}

fn of_volume(item: &Volume, place: &Place<'_>) -> Asset {
    let attached = item.attachments().first().and_then(|attachment| attachment.instance_id());
    let facts = [
        ("state", said(item.state().map(|state| state.as_str()))),
        ("encrypted", item.encrypted().map(|encrypted| encrypted.to_string())),
        ("attachedTo", said(attached)),
    ];
    let disk = Asset {
        size: gib(item.size()),
        zone: said(item.availability_zone()),
        ..asset(AwsType::Volume, item.volume_id(), item.tags(), item.create_time(), place)
    };
    with_facts(disk, facts)
}

fn of_snapshot(item: &Snapshot, place: &Place<'_>) -> Asset {
    let facts = [
        ("state", said(item.state().map(|state| state.as_str()))),
        ("volumeId", said(item.volume_id())),
        ("encrypted", item.encrypted().map(|encrypted| encrypted.to_string())),
    ];
    let copy = asset(AwsType::Snapshot, item.snapshot_id(), item.tags(), item.start_time(), place);
    with_facts(Asset { size: gib(item.volume_size()), ..copy }, facts)
}

fn gib(size: Option<i32>) -> Option<Size> {
    size.and_then(|size| u64::try_from(size).ok()).map(Size::Gib)
}

/// The account that shares it, where that is another one.
fn other_owner(owner: Option<&str>, place: &Place<'_>) -> Option<String> {
    said(owner).filter(|owner| owner != place.account)
}

fn of_vpc(item: &Vpc, place: &Place<'_>) -> Asset {
    let facts = [
        ("cidr", said(item.cidr_block())),
        ("default", item.is_default().map(|default| default.to_string())),
        ("owner", other_owner(item.owner_id(), place)),
    ];
    let network = asset(AwsType::Vpc, item.vpc_id(), item.tags(), None, place);
    with_facts(Asset { built_in: item.is_default() == Some(true), ..network }, facts)
}

fn of_subnet(item: &Subnet, place: &Place<'_>) -> Asset {
    let facts = [("cidr", said(item.cidr_block())), ("vpcId", said(item.vpc_id())), ("owner", other_owner(item.owner_id(), place))];
    let subnet = asset(AwsType::Subnet, item.subnet_id(), item.tags(), None, place);
    with_facts(Asset { zone: said(item.availability_zone()), ..subnet }, facts)
}

fn of_group(item: &SecurityGroup, place: &Place<'_>) -> Asset {
    let facts = [("groupName", said(item.group_name())), ("vpcId", said(item.vpc_id())), ("owner", other_owner(item.owner_id(), place))];
    let group = asset(AwsType::SecurityGroup, item.group_id(), item.tags(), None, place);
    with_facts(Asset { built_in: item.group_name() == Some(DEFAULT_GROUP), ..group }, facts)
}
