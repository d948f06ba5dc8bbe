//! Which types of Resource Explorer are listed from its index.

use caretaker_cloud::AwsType;

/// What services make and end by themselves, many times a day: nobody could say of each that it is gone.
const PASSING: [&str; 11] = [
    "ec2:network-insights-analysis",
    "ec2:network-interface",
    "ec2:spot-instances-request",
    "ecs:container-instance",
    "ecs:task",
    "ecs:task-set",
    "eks:endpointslice",
    "eks:pod",
    "eks:replicaset",
    "fsx:backup",
    "ssm:session",
];
/// What stands in the ARNs of the copies that services make each night: RDS, ElastiCache, MemoryDB, AWS Backup, Redshift.
const AUTOMATIC: [&str; 5] = ["snapshot:rds:", "snapshot:automatic.", "snapshot/automatic.", "snapshot:awsbackup:", "/rs:"];
/// Types whose resources a service's own list shows.
const WITH_A_LIST: [(&str, AwsType); 17] = [
    ("ec2:instance", AwsType::Instance),
    ("ec2:volume", AwsType::Volume),
    ("ec2:snapshot", AwsType::Snapshot),
    ("ec2:vpc", AwsType::Vpc),
    ("ec2:subnet", AwsType::Subnet),
    ("ec2:security-group", AwsType::SecurityGroup),
    ("rds:db", AwsType::DbInstance),
    ("rds:cluster", AwsType::DbCluster),
    ("dynamodb:table", AwsType::Table),
    ("eks:cluster", AwsType::EksCluster),
    ("lambda:function", AwsType::Function),
    ("kms:key", AwsType::Key),
    ("backup:backup-vault", AwsType::BackupVault),
    ("cloudtrail:trail", AwsType::Trail),
    ("s3:bucket", AwsType::Bucket),
    ("iam:role", AwsType::Role),
    ("iam:user", AwsType::User),
];

/// Whether a resource of this type is listed from the index: not where a service's own list shows it, and not what passes.
pub fn is_listed(kind: &str, arn: &str) -> bool {
    let has_a_list = WITH_A_LIST.iter().any(|(listed, _)| *listed == kind) || is_load_balancer(kind, arn);
    !has_a_list && !passes(kind, arn)
}

/// Whether it is of what services make and end by themselves.
pub fn passes(kind: &str, arn: &str) -> bool {
    PASSING.contains(&kind) || kind.ends_with("snapshot") && AUTOMATIC.iter().any(|part| arn.contains(part))
}

/// Of the second generation, which has a list. Resource Explorer may call both generations by one word; their ARNs differ.
fn is_load_balancer(kind: &str, arn: &str) -> bool {
    kind.starts_with("elasticloadbalancing:loadbalancer")
        && ["app", "net", "gwy"].iter().any(|of| arn.contains(&format!(":loadbalancer/{of}/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_with_a_list_has_its_word() {
        // Load balancers are told by their ARNs, and patches are no resources.
        let apart = [AwsType::LoadBalancer, AwsType::PatchState, AwsType::Other];
        for kind in AwsType::ALL {
            assert_eq!(apart.contains(&kind), !WITH_A_LIST.iter().any(|(_, listed)| *listed == kind), "{kind}");
        }
    }

    #[test]
    fn neither_what_has_a_list_nor_what_passes_is_listed_from_the_index() {
        let arn = |service: &str, rest: &str| format!("arn:aws:{service}:eu-west-1:222222222222:{rest}");
        for (kind, arn, listed) in [
            ("sqs:queue", arn("sqs", "orders"), true),
            ("ec2:instance", arn("ec2", "instance/i-0"), false),
            ("ec2:network-interface", arn("ec2", "network-interface/eni-0"), false),
            ("elasticloadbalancing:loadbalancer", arn("elasticloadbalancing", "loadbalancer/classic"), true),
            ("elasticloadbalancing:loadbalancer", arn("elasticloadbalancing", "loadbalancer/app/web/1"), false),
            ("elasticloadbalancing:loadbalancer/net", arn("elasticloadbalancing", "loadbalancer/net/web/1"), false),
            ("elasticloadbalancing:targetgroup", arn("elasticloadbalancing", "targetgroup/web/1"), true),
            ("rds:snapshot", arn("rds", "snapshot:before-the-move"), true),
            ("rds:snapshot", arn("rds", "snapshot:rds:orders-2026-11-26-00-10"), false),
            ("rds:cluster-snapshot", arn("rds", "cluster-snapshot:rds:orders-2026-11-26"), false),
            ("rds:snapshot", arn("rds", "snapshot:awsbackup:job-0"), false),
            ("elasticache:snapshot", arn("elasticache", "snapshot:automatic.carts-2026-11-26"), false),
            ("memorydb:snapshot", arn("memorydb", "snapshot/automatic.carts-2026-11-26"), false),
            ("redshift:snapshot", arn("redshift", "snapshot:sales/rs:sales-2026-11-26"), false),
            ("redshift:snapshot", arn("redshift", "snapshot:sales/before-the-move"), true),
            ("ssm:parameter", arn("ssm", "parameter/rs:of-people"), true),
        ] {
            assert_eq!(is_listed(kind, &arn), listed, "{kind} {arn}");
        }
    }
}
