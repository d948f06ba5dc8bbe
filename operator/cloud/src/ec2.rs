//! What EC2 shows: one cell for each in every region.

use std::fmt;

use crate::model::AssetType;

/// A kind of asset that EC2 shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ec2Type {
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
}

impl Ec2Type {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Instance, Self::Volume, Self::Snapshot, Self::Vpc, Self::Subnet, Self::SecurityGroup];

    /// The kind in the words of all clouds.
    #[must_use]
    pub const fn asset_type(self) -> AssetType {
        match self {
            Self::Instance => AssetType::Instance,
            Self::Volume => AssetType::Volume,
            Self::Snapshot => AssetType::Snapshot,
            Self::Vpc => AssetType::Network,
            Self::Subnet => AssetType::Subnet,
            Self::SecurityGroup => AssetType::SecurityGroup,
        }
    }

    /// Service and part of its cells.
    #[must_use]
    pub const fn service(self) -> &'static str {
        match self {
            Self::Instance => "ec2/instances",
            Self::Volume => "ec2/volumes",
            Self::Snapshot => "ec2/snapshots",
            Self::Vpc => "ec2/vpcs",
            Self::Subnet => "ec2/subnets",
            Self::SecurityGroup => "ec2/security-groups",
        }
    }

    /// AWS's own name of the type.
    #[must_use]
    pub const fn native_type(self) -> &'static str {
        match self {
            Self::Instance => "AWS::EC2::Instance",
            Self::Volume => "AWS::EC2::Volume",
            Self::Snapshot => "AWS::EC2::Snapshot",
            Self::Vpc => "AWS::EC2::VPC",
            Self::Subnet => "AWS::EC2::Subnet",
            Self::SecurityGroup => "AWS::EC2::SecurityGroup",
        }
    }

    /// The call that shows it.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Instance => "ec2:DescribeInstances",
            Self::Volume => "ec2:DescribeVolumes",
            Self::Snapshot => "ec2:DescribeSnapshots",
            Self::Vpc => "ec2:DescribeVpcs",
            Self::Subnet => "ec2:DescribeSubnets",
            Self::SecurityGroup => "ec2:DescribeSecurityGroups",
        }
    }
}

impl fmt::Display for Ec2Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.asset_type().fmt(f)
    }
}
