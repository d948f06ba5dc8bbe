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
/// Whether a resource of this type is listed from the index: not where a service's own list shows it, and not what passes.
pub fn is_listed(kind: &str, arn: &str) -> bool {
    !AwsType::lists_indexed(kind, arn) && !passes(kind, arn)
}

/// Whether it is of what services make and end by themselves.
pub fn passes(kind: &str, arn: &str) -> bool {
    PASSING.contains(&kind) || kind.ends_with("snapshot") && AUTOMATIC.iter().any(|part| arn.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

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
