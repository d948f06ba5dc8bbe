//! EC2 calls and the model. The only file that names `aws_sdk_ec2`.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Instance, InstanceNetworkInterface, SecurityGroup, Snapshot, Subnet, Tag, Volume, Vpc};
use aws_smithy_types::DateTime;
use caretaker_cloud::{Address, Asset, AwsType, Cloud, CloudError, ErrorClass, Power, Result, Size};

use crate::calls::Calls;
use crate::page::{self, Page, Place, next, own, time, with_facts};

/// Rows that are asked for in one page; always sent, since without it a large account may be refused.
const PAGE: i32 = 500;
/// Name of the group of firewall rules that AWS makes with each network.
const DEFAULT_GROUP: &str = "default";

/// The regions that are enabled.
pub async fn enabled_regions(config: &SdkConfig, calls: &Calls<'_>) -> Result<Vec<String>> {
    let client = Client::new(config);
    let answer = calls.make("ec2:DescribeRegions", || client.describe_regions().send()).await?;
    Ok(answer.regions().iter().filter_map(|region| region.region_name().map(str::to_owned)).collect())
}

/// One page of one kind.
pub async fn page(kind: AwsType, config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = Client::new(config);
    macro_rules! read {
        ($call:ident, $name:literal, $items:ident, $convert:ident) => {{
            let request = || client.$call().max_results(PAGE).set_next_token(token.clone()).send();
            let answer = place.calls.make($name, request).await?;
            let assets = answer.$items().iter().map(|item| $convert(item, place)).collect();
            Ok((assets, next(answer.next_token())))
        }};
    }
    match kind {
        AwsType::Instance => {
            let request = || client.describe_instances().max_results(PAGE).set_next_token(token.clone()).send();
            let answer = place.calls.make("ec2:DescribeInstances", request).await?;
            let instances = answer.reservations().iter().flat_map(|reservation| reservation.instances());
            let assets = instances.map(|instance| of_instance(instance, place)).collect();
            Ok((assets, next(answer.next_token())))
        }
        AwsType::Snapshot => {
            let request = || client.describe_snapshots().owner_ids("self").max_results(PAGE).set_next_token(token.clone()).send();
            let answer = place.calls.make("ec2:DescribeSnapshots", request).await?;
            let assets = answer.snapshots().iter().map(|item| of_snapshot(item, place)).collect();
            Ok((assets, next(answer.next_token())))
        }
        AwsType::Volume => read!(describe_volumes, "ec2:DescribeVolumes", volumes, of_volume),
        AwsType::Vpc => read!(describe_vpcs, "ec2:DescribeVpcs", vpcs, of_vpc),
        AwsType::Subnet => read!(describe_subnets, "ec2:DescribeSubnets", subnets, of_subnet),
        AwsType::SecurityGroup => read!(describe_security_groups, "ec2:DescribeSecurityGroups", security_groups, of_group),
        other => Err(CloudError::new(ErrorClass::Invalid, other.operation(), "EC2 does not show it")),
    }
}

fn asset(kind: AwsType, id: Option<&str>, tags: &[Tag], created: Option<&DateTime>, place: &Place<'_>) -> Asset {
    let tags: BTreeMap<String, String> =
        tags.iter().map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())).collect();
    let name = tags.get("Name").cloned().unwrap_or_default();
    Asset { name, tags, created: time(created), ..page::asset(kind, id.unwrap_or_default(), place) }
}

fn of_instance(item: &Instance, place: &Place<'_>) -> Asset {
    let state = item.state().and_then(|state| state.name()).map(|name| name.as_str());
    let facts =
        [("state", own(state)), ("vpcId", own(item.vpc_id())), ("subnetId", own(item.subnet_id())), ("imageId", own(item.image_id()))];
    let machine = Asset {
        power: Some(Power::of(Cloud::Aws, state.unwrap_or_default())),
        addresses: addresses(item),
        size: item.instance_type().map(|kind| Size::Class(kind.as_str().to_owned())),
        zone: own(item.placement().and_then(|placement| placement.availability_zone())),
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
        ("state", own(item.state().map(|state| state.as_str()))),
        ("encrypted", item.encrypted().map(|encrypted| encrypted.to_string())),
        ("attachedTo", own(attached)),
    ];
    let disk = Asset {
        size: gib(item.size()),
        zone: own(item.availability_zone()),
        ..asset(AwsType::Volume, item.volume_id(), item.tags(), item.create_time(), place)
    };
    with_facts(disk, facts)
}

fn of_snapshot(item: &Snapshot, place: &Place<'_>) -> Asset {
    let facts = [
        ("state", own(item.state().map(|state| state.as_str()))),
        ("volumeId", own(item.volume_id())),
        ("encrypted", item.encrypted().map(|encrypted| encrypted.to_string())),
    ];
    let copy = asset(AwsType::Snapshot, item.snapshot_id(), item.tags(), item.start_time(), place);
    with_facts(Asset { size: gib(item.volume_size()), ..copy }, facts)
}

fn gib(size: Option<i32>) -> Option<Size> {
    size.and_then(|size| u64::try_from(size).ok()).map(Size::Gib)
}

fn of_vpc(item: &Vpc, place: &Place<'_>) -> Asset {
    let facts = [("cidr", own(item.cidr_block())), ("default", item.is_default().map(|default| default.to_string()))];
    let network = asset(AwsType::Vpc, item.vpc_id(), item.tags(), None, place);
    with_facts(Asset { built_in: item.is_default() == Some(true), ..network }, facts)
}

fn of_subnet(item: &Subnet, place: &Place<'_>) -> Asset {
    let facts = [("cidr", own(item.cidr_block())), ("vpcId", own(item.vpc_id()))];
    let subnet = asset(AwsType::Subnet, item.subnet_id(), item.tags(), None, place);
    with_facts(Asset { zone: own(item.availability_zone()), ..subnet }, facts)
}

fn of_group(item: &SecurityGroup, place: &Place<'_>) -> Asset {
    let facts = [("groupName", own(item.group_name())), ("vpcId", own(item.vpc_id()))];
    let group = asset(AwsType::SecurityGroup, item.group_id(), item.tags(), None, place);
    with_facts(Asset { built_in: item.group_name() == Some(DEFAULT_GROUP), ..group }, facts)
}
