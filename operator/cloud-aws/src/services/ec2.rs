//! EC2 calls and the model. The only file that names `aws_sdk_ec2`.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Instance, SecurityGroup, Snapshot, Subnet, Tag, Volume, Vpc};
use aws_smithy_types::DateTime;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{Asset, AwsType, Result};

use crate::call::Calls;
use crate::inventory::listing::{self, Page, Place, time, with_facts};

/// Rows that are asked for in one page: at most 1,000. Always sent, since without it a large account may be refused.
/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
const PAGE: i32 = 500;

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
    let facts = [
        ("state", said(item.state().and_then(|state| state.name()).map(|name| name.as_str()))),
        ("instanceType", said(item.instance_type().map(|kind| kind.as_str()))),
        ("privateIp", said(item.private_ip_address())),
        ("publicIp", said(item.public_ip_address())),
        ("vpcId", said(item.vpc_id())),
        ("subnetId", said(item.subnet_id())),
        ("imageId", said(item.image_id())),
    ];
    with_facts(asset(AwsType::Instance, item.instance_id(), item.tags(), item.launch_time(), place), facts)
}

fn of_volume(item: &Volume, place: &Place<'_>) -> Asset {
    let attached = item.attachments().first().and_then(|attachment| attachment.instance_id());
    let facts = [
        ("state", said(item.state().map(|state| state.as_str()))),
        ("sizeGib", item.size().map(|size| size.to_string())),
        ("encrypted", item.encrypted().map(|encrypted| encrypted.to_string())),
        ("attachedTo", said(attached)),
    ];
    with_facts(asset(AwsType::Volume, item.volume_id(), item.tags(), item.create_time(), place), facts)
}

fn of_snapshot(item: &Snapshot, place: &Place<'_>) -> Asset {
    let facts = [
        ("state", said(item.state().map(|state| state.as_str()))),
        ("volumeId", said(item.volume_id())),
        ("sizeGib", item.volume_size().map(|size| size.to_string())),
        ("encrypted", item.encrypted().map(|encrypted| encrypted.to_string())),
    ];
    with_facts(asset(AwsType::Snapshot, item.snapshot_id(), item.tags(), item.start_time(), place), facts)
}

fn of_vpc(item: &Vpc, place: &Place<'_>) -> Asset {
    let facts = [("cidr", said(item.cidr_block())), ("default", item.is_default().map(|default| default.to_string()))];
    with_facts(asset(AwsType::Vpc, item.vpc_id(), item.tags(), None, place), facts)
}

fn of_subnet(item: &Subnet, place: &Place<'_>) -> Asset {
    let facts = [("cidr", said(item.cidr_block())), ("vpcId", said(item.vpc_id())), ("zone", said(item.availability_zone()))];
    with_facts(asset(AwsType::Subnet, item.subnet_id(), item.tags(), None, place), facts)
}

fn of_group(item: &SecurityGroup, place: &Place<'_>) -> Asset {
    let facts = [("groupName", said(item.group_name())), ("vpcId", said(item.vpc_id()))];
    with_facts(asset(AwsType::SecurityGroup, item.group_id(), item.tags(), None, place), facts)
}
