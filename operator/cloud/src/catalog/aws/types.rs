//! The rows: one for each type, in the order in which the manifest tells of them.

use crate::asset::AssetType;
use crate::catalog::aws::row::{ArnOf, Indexed, Reach, Row, Tags};
use crate::manifest::action::action;

macro_rules! types {
    ($($(#[$doc:meta])* $kind:ident = $row:expr;)*) => {
        /// A type of asset on AWS.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum AwsType {
            $($(#[$doc])* $kind,)*
        }

        impl AwsType {
            /// Every type.
            pub const ALL: [Self; [$(stringify!($kind)),*].len()] = [$(Self::$kind),*];

            /// All that is known of the type.
            #[must_use]
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Self::$kind => const { &$row },)*
                }
            }
        }
    };
}

types! {
    /// A virtual machine.
    Instance = Row {
        asset_type: AssetType::Instance,
        service: "ec2/instances",
        native_type: "AWS::EC2::Instance",
        plural: "machines",
        operation: "ec2:DescribeInstances",
        reach: Reach::Region,
        permissions: &[action("ec2:DescribeInstances", "list machines")],
        indexed: Indexed::As("ec2:instance"),
        tags: Tags::Listed,
        terraform: Some("aws_instance"),
    };
    /// A disk.
    Volume = Row {
        asset_type: AssetType::Volume,
        service: "ec2/volumes",
        native_type: "AWS::EC2::Volume",
        plural: "disks",
        operation: "ec2:DescribeVolumes",
        reach: Reach::Region,
        permissions: &[action("ec2:DescribeVolumes", "list disks")],
        indexed: Indexed::As("ec2:volume"),
        tags: Tags::Listed,
        terraform: Some("aws_ebs_volume"),
    };
    /// A copy of a disk.
    Snapshot = Row {
        asset_type: AssetType::Snapshot,
        service: "ec2/snapshots",
        native_type: "AWS::EC2::Snapshot",
        plural: "copies of disks",
        operation: "ec2:DescribeSnapshots",
        reach: Reach::Region,
        permissions: &[action("ec2:DescribeSnapshots", "list copies of disks")],
        indexed: Indexed::As("ec2:snapshot"),
        tags: Tags::Listed,
        terraform: Some("aws_ebs_snapshot"),
    };
    /// A virtual network.
    Vpc = Row {
        asset_type: AssetType::Network,
        service: "ec2/vpcs",
        native_type: "AWS::EC2::VPC",
        plural: "networks",
        operation: "ec2:DescribeVpcs",
        reach: Reach::Region,
        permissions: &[action("ec2:DescribeVpcs", "list networks")],
        indexed: Indexed::As("ec2:vpc"),
        tags: Tags::Listed,
        terraform: Some("aws_vpc"),
    };
    /// A part of a virtual network.
    Subnet = Row {
        asset_type: AssetType::Subnet,
        service: "ec2/subnets",
        native_type: "AWS::EC2::Subnet",
        plural: "parts of networks",
        operation: "ec2:DescribeSubnets",
        reach: Reach::Region,
        permissions: &[action("ec2:DescribeSubnets", "list parts of networks")],
        indexed: Indexed::As("ec2:subnet"),
        tags: Tags::Listed,
        terraform: Some("aws_subnet"),
    };
    /// A set of firewall rules.
    SecurityGroup = Row {
        asset_type: AssetType::SecurityGroup,
        service: "ec2/security-groups",
        native_type: "AWS::EC2::SecurityGroup",
        plural: "firewall rules",
        operation: "ec2:DescribeSecurityGroups",
        reach: Reach::Region,
        permissions: &[action("ec2:DescribeSecurityGroups", "list firewall rules")],
        indexed: Indexed::As("ec2:security-group"),
        tags: Tags::Listed,
        terraform: Some("aws_security_group"),
    };
    /// A database server of RDS.
    DbInstance = Row {
        asset_type: AssetType::Database,
        service: "rds/instances",
        native_type: "AWS::RDS::DBInstance",
        plural: "database servers",
        operation: "rds:DescribeDBInstances",
        reach: Reach::Region,
        permissions: &[action("rds:DescribeDBInstances", "list database servers")],
        indexed: Indexed::As("rds:db"),
        tags: Tags::Listed,
        terraform: Some("aws_db_instance"),
    };
    /// A cluster of database servers.
    DbCluster = Row {
        asset_type: AssetType::Database,
        service: "rds/clusters",
        native_type: "AWS::RDS::DBCluster",
        plural: "clusters of database servers",
        operation: "rds:DescribeDBClusters",
        reach: Reach::Region,
        permissions: &[action("rds:DescribeDBClusters", "list clusters of database servers")],
        indexed: Indexed::As("rds:cluster"),
        tags: Tags::Listed,
        terraform: Some("aws_rds_cluster"),
    };
    /// A table of DynamoDB.
    Table = Row {
        asset_type: AssetType::Database,
        service: "dynamodb/tables",
        native_type: "AWS::DynamoDB::Table",
        plural: "tables",
        operation: "dynamodb:ListTables",
        reach: Reach::Region,
        permissions: &[action("dynamodb:ListTables", "list tables")],
        indexed: Indexed::As("dynamodb:table"),
        tags: Tags::Asked(ArnOf::Parts("arn:{partition}:dynamodb:{region}:{account}:table/{id}")),
        terraform: Some("aws_dynamodb_table"),
    };
    /// A Kubernetes cluster.
    EksCluster = Row {
        asset_type: AssetType::Cluster,
        service: "eks/clusters",
        native_type: "AWS::EKS::Cluster",
        plural: "Kubernetes clusters",
        operation: "eks:ListClusters",
        reach: Reach::Region,
        permissions: &[
            action("eks:ListClusters", "list Kubernetes clusters"),
            action("eks:DescribeCluster", "learn a cluster's version, state and tags"),
        ],
        indexed: Indexed::As("eks:cluster"),
        tags: Tags::Listed,
        terraform: Some("aws_eks_cluster"),
    };
    /// A function of Lambda.
    Function = Row {
        asset_type: AssetType::Function,
        service: "lambda/functions",
        native_type: "AWS::Lambda::Function",
        plural: "functions",
        operation: "lambda:ListFunctions",
        reach: Reach::Region,
        permissions: &[action("lambda:ListFunctions", "list functions")],
        indexed: Indexed::As("lambda:function"),
        tags: Tags::Asked(ArnOf::Fact),
        terraform: Some("aws_lambda_function"),
    };
    /// A load balancer of the second generation. Resource Explorer may call both generations by one word; their ARNs differ.
    LoadBalancer = Row {
        asset_type: AssetType::LoadBalancer,
        service: "elb/load-balancers",
        native_type: "AWS::ElasticLoadBalancingV2::LoadBalancer",
        plural: "load balancers",
        operation: "elasticloadbalancing:DescribeLoadBalancers",
        reach: Reach::Region,
        permissions: &[action("elasticloadbalancing:DescribeLoadBalancers", "list load balancers")],
        indexed: Indexed::Among("elasticloadbalancing:loadbalancer", &[":loadbalancer/app/", ":loadbalancer/net/", ":loadbalancer/gwy/"]),
        tags: Tags::Asked(ArnOf::Id),
        terraform: Some("aws_lb"),
    };
    /// A key of KMS.
    Key = Row {
        asset_type: AssetType::Key,
        service: "kms/keys",
        native_type: "AWS::KMS::Key",
        plural: "keys",
        operation: "kms:ListKeys",
        reach: Reach::Region,
        permissions: &[
            action("kms:ListKeys", "list keys"),
            action("kms:ListAliases", "name keys, and tell the client's from AWS's own"),
        ],
        indexed: Indexed::As("kms:key"),
        tags: Tags::Asked(ArnOf::Fact),
        terraform: Some("aws_kms_key"),
    };
    /// A vault of AWS Backup.
    BackupVault = Row {
        asset_type: AssetType::BackupVault,
        service: "backup/vaults",
        native_type: "AWS::Backup::BackupVault",
        plural: "vaults",
        operation: "backup:ListBackupVaults",
        reach: Reach::Region,
        permissions: &[action("backup:ListBackupVaults", "see where backups are kept")],
        indexed: Indexed::As("backup:backup-vault"),
        tags: Tags::Asked(ArnOf::Fact),
        terraform: Some("aws_backup_vault"),
    };
    /// A trail of CloudTrail.
    Trail = Row {
        asset_type: AssetType::AuditTrail,
        service: "cloudtrail/trails",
        native_type: "AWS::CloudTrail::Trail",
        plural: "trails",
        operation: "cloudtrail:DescribeTrails",
        reach: Reach::Region,
        permissions: &[action("cloudtrail:DescribeTrails", "list audit trails")],
        indexed: Indexed::As("cloudtrail:trail"),
        tags: Tags::Asked(ArnOf::Id),
        terraform: Some("aws_cloudtrail"),
    };
    /// What Systems Manager tells of a machine's patches.
    PatchState = Row {
        asset_type: AssetType::PatchState,
        service: "ssm/patch-states",
        native_type: "AWS::SSM::PatchState",
        plural: "patch states",
        operation: "ssm:DescribeInstancePatchStates",
        reach: Reach::Region,
        permissions: &[
            action("ssm:DescribeInstanceInformation", "learn which machines Systems Manager can look into"),
            action("ssm:DescribeInstancePatchStates", "learn which machines lack patches"),
        ],
        indexed: Indexed::Nowhere,
        tags: Tags::Unread,
        terraform: None,
    };
    /// A bucket of S3.
    Bucket = Row {
        asset_type: AssetType::Bucket,
        service: "s3/buckets",
        native_type: "AWS::S3::Bucket",
        plural: "buckets",
        operation: "s3:ListAllMyBuckets",
        reach: Reach::Account,
        permissions: &[action("s3:ListAllMyBuckets", "list buckets").by("s3:ListBuckets")],
        indexed: Indexed::As("s3:bucket"),
        tags: Tags::Asked(ArnOf::Parts("arn:{partition}:s3:::{id}")),
        terraform: Some("aws_s3_bucket"),
    };
    /// A role of IAM. Its tags are in no list, and not asked for one by one.
    Role = Row {
        asset_type: AssetType::Principal,
        service: "iam/roles",
        native_type: "AWS::IAM::Role",
        plural: "roles",
        operation: "iam:ListRoles",
        reach: Reach::Account,
        permissions: &[action("iam:ListRoles", "list roles, and find those that trust us")],
        indexed: Indexed::As("iam:role"),
        tags: Tags::Unread,
        terraform: Some("aws_iam_role"),
    };
    /// A user of IAM. Its tags are in no list, and not asked for one by one.
    User = Row {
        asset_type: AssetType::Principal,
        service: "iam/users",
        native_type: "AWS::IAM::User",
        plural: "users",
        operation: "iam:ListUsers",
        reach: Reach::Account,
        permissions: &[action("iam:ListUsers", "list users, and find ours")],
        indexed: Indexed::As("iam:user"),
        tags: Tags::Unread,
        terraform: Some("aws_iam_user"),
    };
    /// What none of the lists above shows, and Resource Explorer does.
    Other = Row {
        asset_type: AssetType::Other,
        service: "resource-explorer/others",
        native_type: "AWS::ResourceExplorer2::Resource",
        plural: "other resources",
        operation: "resource-explorer-2:ListResources",
        reach: Reach::Index,
        permissions: &[
            action("resource-explorer-2:ListIndexes", "learn in which regions Resource Explorer is on"),
            action("resource-explorer-2:GetIndex", "learn whether Resource Explorer has seen everything there"),
            action("resource-explorer-2:GetDefaultView", "learn which view of Resource Explorer shows everything"),
            action("resource-explorer-2:GetView", "learn whether that view leaves something out"),
            action("resource-explorer-2:ListResources", "list what none of the lists above shows"),
        ],
        indexed: Indexed::Nowhere,
        tags: Tags::Listed,
        terraform: None,
    };
}
