//! What an asset on AWS is in Terraform: the types of `types.rs` by their own id, and what only Resource Explorer shows by what its ARN says.

use crate::asset::Asset;
use crate::catalog::aws::{AwsType, partition};
use crate::catalog::import::{Import, NoImport};
use crate::model::EVERYWHERE;

/// How an import id is made from an ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdOf {
    /// It is the ARN.
    Arn,
    /// What stands behind the last `/` or `:`.
    Last,
    /// What stands behind this part.
    Behind(&'static str),
    /// The address of a queue, which is made from all of it.
    QueueUrl,
}

/// What Resource Explorer shows.
struct Indexed {
    /// Its word there.
    word: &'static str,
    resource: &'static str,
    id: IdOf,
}

const fn row(word: &'static str, resource: &'static str, id: IdOf) -> Indexed {
    Indexed { word, resource, id }
}

/// One row for each word of Resource Explorer whose ARN tells the whole import id. A parameter of Systems Manager is not among them: its ARN does not tell
/// `/name` from `name`.
const INDEXED: &[Indexed] = &[
    row("acm:certificate", "aws_acm_certificate", IdOf::Arn),
    row("cloudfront:distribution", "aws_cloudfront_distribution", IdOf::Last),
    row("ec2:elastic-ip", "aws_eip", IdOf::Last),
    row("ec2:image", "aws_ami", IdOf::Last),
    row("ec2:internet-gateway", "aws_internet_gateway", IdOf::Last),
    row("ec2:launch-template", "aws_launch_template", IdOf::Last),
    row("ec2:natgateway", "aws_nat_gateway", IdOf::Last),
    row("ec2:route-table", "aws_route_table", IdOf::Last),
    row("ec2:transit-gateway", "aws_ec2_transit_gateway", IdOf::Last),
    row("ec2:vpc-endpoint", "aws_vpc_endpoint", IdOf::Last),
    row("ecr:repository", "aws_ecr_repository", IdOf::Behind(":repository/")),
    row("ecs:cluster", "aws_ecs_cluster", IdOf::Last),
    row("elasticache:replicationgroup", "aws_elasticache_replication_group", IdOf::Last),
    row("elasticfilesystem:file-system", "aws_efs_file_system", IdOf::Last),
    row("elasticloadbalancing:loadbalancer", "aws_elb", IdOf::Behind(":loadbalancer/")),
    row("elasticloadbalancing:targetgroup", "aws_lb_target_group", IdOf::Arn),
    row("es:domain", "aws_opensearch_domain", IdOf::Last),
    row("firehose:deliverystream", "aws_kinesis_firehose_delivery_stream", IdOf::Arn),
    row("iam:group", "aws_iam_group", IdOf::Last),
    row("iam:instance-profile", "aws_iam_instance_profile", IdOf::Last),
    row("iam:policy", "aws_iam_policy", IdOf::Arn),
    row("kinesis:stream", "aws_kinesis_stream", IdOf::Last),
    row("logs:log-group", "aws_cloudwatch_log_group", IdOf::Behind(":log-group:")),
    row("redshift:cluster", "aws_redshift_cluster", IdOf::Last),
    row("route53:hostedzone", "aws_route53_zone", IdOf::Last),
    row("secretsmanager:secret", "aws_secretsmanager_secret", IdOf::Arn),
    row("sns:topic", "aws_sns_topic", IdOf::Arn),
    row("sqs:queue", "aws_sqs_queue", IdOf::QueueUrl),
    row("states:stateMachine", "aws_sfn_state_machine", IdOf::Arn),
];

/// What the interface of RDS shows of other services and of Aurora, by the beginning of the engine, has a type of its own.
/// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html>
const ENGINES: [(AwsType, &str, &str); 5] = [
    (AwsType::DbInstance, "aurora", "aws_rds_cluster_instance"),
    (AwsType::DbInstance, "docdb", "aws_docdb_cluster_instance"),
    (AwsType::DbInstance, "neptune", "aws_neptune_cluster_instance"),
    (AwsType::DbCluster, "docdb", "aws_docdb_cluster"),
    (AwsType::DbCluster, "neptune", "aws_neptune_cluster"),
];

/// Why a thing without a region is left out, where its type has one.
const NO_REGION: &str = "its region is not known";

pub(in crate::catalog) fn resources() -> impl Iterator<Item = &'static str> {
    let listed = AwsType::ALL.into_iter().filter_map(|kind| kind.row().terraform);
    listed.chain(ENGINES.iter().map(|(_, _, resource)| *resource)).chain(INDEXED.iter().map(|row| row.resource))
}

pub(in crate::catalog) fn import(asset: &Asset) -> Result<Import, NoImport> {
    let Some(kind) = AwsType::of_native_type(&asset.native_type) else { return indexed(asset) };
    let usual = kind.row().terraform.ok_or(NoImport::NoType)?;
    let engine = asset.facts.get("engine").map(String::as_str).unwrap_or_default();
    let special = ENGINES.iter().find(|(of, begins, _)| *of == kind && engine.starts_with(begins));
    if kind == AwsType::Bucket && asset.region == EVERYWHERE {
        return Err(NoImport::Lacks("the list of buckets did not say its region; `aws s3api get-bucket-location --bucket NAME` tells it"));
    }
    if kind == AwsType::Trail && arn_part(&asset.id, 4).is_some_and(|account| account != asset.account) {
        return Err(NoImport::Needless("a trail of the organisation, which belongs to another account"));
    }
    if kind == AwsType::Key && asset.id.starts_with("mrk-") {
        let why = "a key of several regions: whether it is the first or a copy is not known, and the provider has a resource type for each";
        return Err(NoImport::Lacks(why));
    }
    if asset.facts.get("owner").is_some_and(|owner| *owner != asset.account) {
        return Err(NoImport::Needless("another account shares it, and is the one to manage it"));
    }
    is_placed(asset, kind.is_global())?;
    Ok(Import { resource: special.map_or(usual, |(_, _, resource)| resource), id: asset.id.clone() })
}

fn indexed(asset: &Asset) -> Result<Import, NoImport> {
    let begins =
        |word: &str| asset.native_type == word || word == "elasticloadbalancing:loadbalancer" && asset.native_type.starts_with(word);
    let row = INDEXED.iter().find(|row| begins(row.word)).ok_or(NoImport::NoType)?;
    is_placed(asset, arn_part(&asset.id, 3) == Some(""))?;
    let id = row.id.of(asset).filter(|id| !id.is_empty()).ok_or(NoImport::Lacks("its ARN does not tell its import id"))?;
    Ok(Import { resource: row.resource, id })
}

/// Whether it stands where a provider block can be made for it: in a region, or in none because its type is in none.
fn is_placed(asset: &Asset, is_global: bool) -> Result<(), NoImport> {
    match asset.region.as_str() {
        EVERYWHERE if is_global => Ok(()),
        EVERYWHERE => Err(NoImport::Lacks(NO_REGION)),
        region if partition::of_region(region).is_some() => Ok(()),
        _ => Err(NoImport::Lacks("its region is none that AWS has, and the provider refuses it")),
    }
}

/// A part of an ARN: 3 is the region, 4 the account.
fn arn_part(arn: &str, number: usize) -> Option<&str> {
    arn.strip_prefix("arn:")?;
    arn.splitn(6, ':').nth(number)
}

impl IdOf {
    fn of(self, asset: &Asset) -> Option<String> {
        let arn = asset.id.as_str();
        let found = match self {
            Self::Arn => arn.starts_with("arn:").then_some(arn)?.to_owned(),
            Self::Last => arn.rsplit(['/', ':']).next()?.to_owned(),
            // The ARN of a log group ends in `:*` in some answers.
            Self::Behind(part) => arn.split_once(part)?.1.trim_end_matches(":*").to_owned(),
            Self::QueueUrl => {
                let (region, account, name) = (arn_part(arn, 3)?, arn_part(arn, 4)?, arn_part(arn, 5)?);
                format!("https://sqs.{region}.{}/{account}/{name}", partition::of_region(region)?.domain)
            }
        };
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::asset::Cloud;

    fn asset(kind: AwsType, region: &str, id: &str) -> Asset {
        Asset { native_type: kind.native_type().into(), ..Asset::new(Cloud::Aws, "222222222222", region, kind.asset_type(), id) }
    }

    fn shown(word: &str, region: &str, arn: &str) -> Asset {
        Asset { native_type: word.into(), ..asset(AwsType::Other, region, arn) }
    }

    /// Ids as the pages of the resource types show them.
    #[test]
    fn an_import_id_is_what_the_provider_documents() {
        let of = |word: &str, rest: &str| {
            (word.to_owned(), format!("arn:aws:{}:eu-west-1:222222222222:{rest}", word.split(':').next().unwrap()))
        };
        for ((word, arn), expected) in [
            (of("logs:log-group", "log-group:/aws/lambda/web:*"), "aws_cloudwatch_log_group /aws/lambda/web"),
            (of("logs:log-group", "log-group:plain"), "aws_cloudwatch_log_group plain"),
            (of("sqs:queue", "orders"), "aws_sqs_queue https://sqs.eu-west-1.amazonaws.com/222222222222/orders"),
            (of("sns:topic", "news"), "aws_sns_topic arn:aws:sns:eu-west-1:222222222222:news"),
            (of("ecr:repository", "repository/team/app"), "aws_ecr_repository team/app"),
            (of("elasticloadbalancing:loadbalancer", "loadbalancer/classic"), "aws_elb classic"),
            (of("elasticfilesystem:file-system", "file-system/fs-1"), "aws_efs_file_system fs-1"),
            (of("ec2:vpc-endpoint", "vpc-endpoint/vpce-1"), "aws_vpc_endpoint vpce-1"),
            (of("kinesis:stream", "stream/clicks"), "aws_kinesis_stream clicks"),
            (of("redshift:cluster", "cluster:sales"), "aws_redshift_cluster sales"),
        ] {
            let made = import(&shown(&word, "eu-west-1", &arn)).unwrap();
            assert_eq!(format!("{} {}", made.resource, made.id), expected);
        }
        let queue = shown("sqs:queue", "cn-north-1", "arn:aws-cn:sqs:cn-north-1:222222222222:orders");
        assert_eq!(import(&queue).unwrap().id, "https://sqs.cn-north-1.amazonaws.com.cn/222222222222/orders");
        let zone = shown("route53:hostedzone", EVERYWHERE, "arn:aws:route53:::hostedzone/Z1");
        assert_eq!(import(&zone).unwrap().id, "Z1");
        let group = shown("iam:group", EVERYWHERE, "arn:aws:iam::222222222222:group/people/admins");
        assert_eq!(import(&group).unwrap().id, "admins");
    }

    /// terraform-provider-aws 5258: an instance of Aurora is taken as `aws_db_instance`, and cannot be made again from it.
    #[test]
    fn what_the_interface_of_rds_shows_has_the_type_of_its_engine() {
        for (kind, engine, expected) in [
            (AwsType::DbInstance, "postgres", "aws_db_instance"),
            (AwsType::DbInstance, "aurora-postgresql", "aws_rds_cluster_instance"),
            (AwsType::DbInstance, "docdb", "aws_docdb_cluster_instance"),
            (AwsType::DbInstance, "neptune", "aws_neptune_cluster_instance"),
            (AwsType::DbCluster, "aurora-mysql", "aws_rds_cluster"),
            (AwsType::DbCluster, "docdb", "aws_docdb_cluster"),
            (AwsType::DbCluster, "neptune", "aws_neptune_cluster"),
        ] {
            let facts = [("engine".to_owned(), engine.to_owned())].into();
            assert_eq!(import(&Asset { facts, ..asset(kind, "eu-west-1", "orders") }).unwrap().resource, expected, "{engine}");
        }
    }

    #[test]
    fn what_stands_nowhere_is_told() {
        let why = |asset: &Asset| match import(asset) {
            Err(NoImport::Lacks(why) | NoImport::Needless(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(why(&asset(AwsType::Bucket, EVERYWHERE, "logs")).contains("get-bucket-location"));
        assert_eq!(why(&asset(AwsType::Instance, EVERYWHERE, "i-1")), NO_REGION);
        assert!(why(&asset(AwsType::Bucket, "EU", "logs")).contains("none that AWS has"));
        assert!(why(&asset(AwsType::Trail, "eu-west-1", "arn:aws:cloudtrail:eu-west-1:999999999999:trail/org")).contains("organisation"));
        // terraform-provider-aws 47537, 47585.
        let owner = |owner: &str| Asset {
            facts: [("owner".to_owned(), owner.to_owned())].into(),
            ..asset(AwsType::Subnet, "eu-west-1", "subnet-1")
        };
        assert!(why(&owner("999999999999")).contains("shares it"));
        assert!(import(&owner("222222222222")).is_ok());
        // terraform-provider-aws 43192.
        assert!(why(&asset(AwsType::Key, "eu-west-1", "mrk-0123456789abcdef0123456789abcdef")).contains("several regions"));
        assert!(why(&shown("logs:log-group", "eu-west-1", "odd")).contains("does not tell"));
        assert_eq!(
            import(&shown("ssm:parameter", "eu-west-1", "arn:aws:ssm:eu-west-1:222222222222:parameter/name")),
            Err(NoImport::NoType)
        );
        assert!(import(&asset(AwsType::Role, EVERYWHERE, "deploy")).is_ok());
    }

    #[test]
    fn each_word_has_one_row_and_no_list_of_its_own() {
        assert_eq!(INDEXED.iter().map(|row| row.word).collect::<BTreeSet<_>>().len(), INDEXED.len());
        assert_eq!(resources().collect::<BTreeSet<_>>().len(), resources().count());
        for row in INDEXED {
            let arn = format!("arn:aws:{}:eu-west-1:222222222222:thing", row.word.split(':').next().unwrap());
            assert!(!AwsType::lists_indexed(row.word, &arn), "{}", row.word);
        }
    }
}
