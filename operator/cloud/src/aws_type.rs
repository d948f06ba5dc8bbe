//! What is read on AWS: one cell for each type, in every region or once for the account.

use std::fmt;

use crate::asset::AssetType;
use crate::model::EVERYWHERE;

/// A type of asset on AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AwsType {
    /// A virtual machine.
    Instance,
    /// A disk.
    Volume,
    /// A copy of a disk.
    Snapshot,
    /// A virtual network.
    Vpc,
    /// A part of a virtual network.
    Subnet,
    /// A set of firewall rules.
    SecurityGroup,
    /// A database server of RDS.
    DbInstance,
    /// A cluster of database servers.
    DbCluster,
    /// A table of DynamoDB.
    Table,
    /// A Kubernetes cluster.
    EksCluster,
    /// A function of Lambda.
    Function,
    /// A load balancer.
    LoadBalancer,
    /// A key of KMS.
    Key,
    /// A vault of AWS Backup.
    BackupVault,
    /// A trail of CloudTrail.
    Trail,
    /// What Systems Manager tells of a machine's patches.
    PatchState,
    /// A bucket of S3.
    Bucket,
    /// A role of IAM.
    Role,
    /// A user of IAM.
    User,
    /// What none of the lists above shows, and Resource Explorer does.
    Other,
}

/// Asset type, cell's service, AWS's own type, call.
type Row = (AssetType, &'static str, &'static str, &'static str);

impl AwsType {
    /// Every type.
    pub const ALL: [Self; 20] = [
        Self::Instance,
        Self::Volume,
        Self::Snapshot,
        Self::Vpc,
        Self::Subnet,
        Self::SecurityGroup,
        Self::DbInstance,
        Self::DbCluster,
        Self::Table,
        Self::EksCluster,
        Self::Function,
        Self::LoadBalancer,
        Self::Key,
        Self::BackupVault,
        Self::Trail,
        Self::PatchState,
        Self::Bucket,
        Self::Role,
        Self::User,
        Self::Other,
    ];

    const fn row(self) -> Row {
        match self {
            Self::Instance => (AssetType::Instance, "ec2/instances", "AWS::EC2::Instance", "ec2:DescribeInstances"),
            Self::Volume => (AssetType::Volume, "ec2/volumes", "AWS::EC2::Volume", "ec2:DescribeVolumes"),
            Self::Snapshot => (AssetType::Snapshot, "ec2/snapshots", "AWS::EC2::Snapshot", "ec2:DescribeSnapshots"),
            Self::Vpc => (AssetType::Network, "ec2/vpcs", "AWS::EC2::VPC", "ec2:DescribeVpcs"),
            Self::Subnet => (AssetType::Subnet, "ec2/subnets", "AWS::EC2::Subnet", "ec2:DescribeSubnets"),
            Self::SecurityGroup => {
                (AssetType::SecurityGroup, "ec2/security-groups", "AWS::EC2::SecurityGroup", "ec2:DescribeSecurityGroups")
            }
            Self::DbInstance => (AssetType::Database, "rds/instances", "AWS::RDS::DBInstance", "rds:DescribeDBInstances"),
            Self::DbCluster => (AssetType::Database, "rds/clusters", "AWS::RDS::DBCluster", "rds:DescribeDBClusters"),
            Self::Table => (AssetType::Database, "dynamodb/tables", "AWS::DynamoDB::Table", "dynamodb:ListTables"),
            Self::EksCluster => (AssetType::Cluster, "eks/clusters", "AWS::EKS::Cluster", "eks:ListClusters"),
            Self::Function => (AssetType::Function, "lambda/functions", "AWS::Lambda::Function", "lambda:ListFunctions"),
            Self::LoadBalancer => (
                AssetType::LoadBalancer,
                "elb/load-balancers",
                "AWS::ElasticLoadBalancingV2::LoadBalancer",
                "elasticloadbalancing:DescribeLoadBalancers",
            ),
            Self::Key => (AssetType::Key, "kms/keys", "AWS::KMS::Key", "kms:ListKeys"),
            Self::BackupVault => (AssetType::BackupVault, "backup/vaults", "AWS::Backup::BackupVault", "backup:ListBackupVaults"),
            Self::Trail => (AssetType::AuditTrail, "cloudtrail/trails", "AWS::CloudTrail::Trail", "cloudtrail:DescribeTrails"),
            Self::PatchState => (AssetType::PatchState, "ssm/patch-states", "AWS::SSM::PatchState", "ssm:DescribeInstancePatchStates"),
            Self::Bucket => (AssetType::Bucket, "s3/buckets", "AWS::S3::Bucket", "s3:ListAllMyBuckets"),
            Self::Role => (AssetType::Principal, "iam/roles", "AWS::IAM::Role", "iam:ListRoles"),
            Self::User => (AssetType::Principal, "iam/users", "AWS::IAM::User", "iam:ListUsers"),
            Self::Other => {
                (AssetType::Other, "resource-explorer/others", "AWS::ResourceExplorer2::Resource", "resource-explorer-2:ListResources")
            }
        }
    }

    /// The type in the words of all clouds.
    #[must_use]
    pub const fn asset_type(self) -> AssetType {
        self.row().0
    }

    /// Service and part of its cells.
    #[must_use]
    pub const fn service(self) -> &'static str {
        self.row().1
    }

    /// AWS's own name of the type.
    #[must_use]
    pub const fn native_type(self) -> &'static str {
        self.row().2
    }

    /// The call that shows it.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        self.row().3
    }

    /// Whether one answer speaks for all regions of the account.
    #[must_use]
    pub const fn is_global(self) -> bool {
        matches!(self, Self::Bucket | Self::Role | Self::User | Self::Other)
    }

    /// Whether an index is read that AWS keeps of the services, and not their own lists: what it lacks may be there all the same.
    #[must_use]
    pub const fn is_of_an_index(self) -> bool {
        matches!(self, Self::Other)
    }

    /// The cells of an account, as region and type: each regional type in every region, the others once, [`EVERYWHERE`].
    #[must_use]
    pub fn cells<'a>(regions: impl IntoIterator<Item = &'a str>) -> Vec<(String, Self)> {
        let within = |region: &str, is_global: bool| -> Vec<(String, Self)> {
            Self::ALL.into_iter().filter(|kind| kind.is_global() == is_global).map(|kind| (region.to_owned(), kind)).collect()
        };
        let mut cells: Vec<_> = regions.into_iter().flat_map(|region| within(region, false)).collect();
        cells.extend(within(EVERYWHERE, true));
        cells
    }

    /// The type that a cell's service shows.
    #[must_use]
    pub fn of_service(service: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.service() == service)
    }
}

impl fmt::Display for AwsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.service())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::manifest::aws_actions;
    use crate::model::Purpose;

    #[test]
    fn each_type_has_a_cell_of_its_own_and_its_call_is_in_the_manifest() {
        let services: BTreeSet<&str> = AwsType::ALL.into_iter().map(AwsType::service).collect();
        assert_eq!(services.len(), AwsType::ALL.len());
        for kind in AwsType::ALL {
            assert_eq!(AwsType::of_service(kind.service()), Some(kind));
            assert!(aws_actions(Purpose::Read).iter().any(|action| action.name == kind.operation()), "{}", kind.operation());
        }
    }
}
