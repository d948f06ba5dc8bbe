//! EC2 calls and the model. The only file that names `aws_sdk_ec2`.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Instance, SecurityGroup, Snapshot, Subnet, Tag, Volume, Vpc};
use aws_smithy_types::DateTime;
use caretaker_cloud::{Asset, AwsType, CloudError, ErrorClass, Result};

use crate::calls::Calls;
use crate::page::{self, Page, Place, next, own, time, with_facts};

/// Rows that are asked for in one page; always sent, since without it a large account may be refused.
const PAGE: i32 = 500;

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
    let facts = [
        ("state", own(item.state().and_then(|state| state.name()).map(|name| name.as_str()))),
        ("instanceType", own(item.instance_type().map(|kind| kind.as_str()))),
        ("privateIp", own(item.private_ip_address())),
        ("publicIp", own(item.public_ip_address())),
        ("vpcId", own(item.vpc_id())),
        ("subnetId", own(item.subnet_id())),
        ("imageId", own(item.image_id())),
    ];
    with_facts(asset(AwsType::Instance, item.instance_id(), item.tags(), item.launch_time(), place), facts)
}

fn of_volume(item: &Volume, place: &Place<'_>) -> Asset {
    let attached = item.attachments().first().and_then(|attachment| attachment.instance_id());
    let facts = [
        ("state", own(item.state().map(|state| state.as_str()))),
        ("sizeGib", item.size().map(|size| size.to_string())),
        ("encrypted", item.encrypted().map(|encrypted| encrypted.to_string())),
        ("attachedTo", own(attached)),
    ];
    with_facts(asset(AwsType::Volume, item.volume_id(), item.tags(), item.create_time(), place), facts)
}

fn of_snapshot(item: &Snapshot, place: &Place<'_>) -> Asset {
    let facts = [
        ("state", own(item.state().map(|state| state.as_str()))),
        ("volumeId", own(item.volume_id())),
        ("sizeGib", item.volume_size().map(|size| size.to_string())),
        ("encrypted", item.encrypted().map(|encrypted| encrypted.to_string())),
    ];
    with_facts(asset(AwsType::Snapshot, item.snapshot_id(), item.tags(), item.start_time(), place), facts)
}

fn of_vpc(item: &Vpc, place: &Place<'_>) -> Asset {
    let facts = [("cidr", own(item.cidr_block())), ("default", item.is_default().map(|default| default.to_string()))];
    with_facts(asset(AwsType::Vpc, item.vpc_id(), item.tags(), None, place), facts)
}

fn of_subnet(item: &Subnet, place: &Place<'_>) -> Asset {
    let facts = [("cidr", own(item.cidr_block())), ("vpcId", own(item.vpc_id())), ("zone", own(item.availability_zone()))];
    with_facts(asset(AwsType::Subnet, item.subnet_id(), item.tags(), None, place), facts)
}

fn of_group(item: &SecurityGroup, place: &Place<'_>) -> Asset {
    let facts = [("groupName", own(item.group_name())), ("vpcId", own(item.vpc_id()))];
    with_facts(asset(AwsType::SecurityGroup, item.group_id(), item.tags(), None, place), facts)
}
