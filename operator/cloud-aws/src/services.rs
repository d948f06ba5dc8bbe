//! What is read of AWS, a file for each service.
//!
//! Another service takes three files, and a line of `Cargo.toml` for its crate of the SDK:
//! 1. `catalog/aws/types.rs` of `caretaker-cloud` has a row for each type: its names, its cell, its permissions, its word in Resource Explorer, its tags,
//!    its address in Terraform. The permission manifest, the kits, the index, the tags and the exit's import blocks are made from the row.
//! 2. A file here has a function for each type that reads one page.
//! 3. [`page`] below names the function; the compiler asks for it.
//!
//! A test of the catalog says what an incomplete row lacks. `cargo xtask generate` then renews the files that are made from the manifest.

use aws_config::SdkConfig;
use caretaker_cloud::{AwsType, Result};

use crate::inventory::listing::{Page, Place};

mod backup;
mod cloudtrail;
mod dynamodb;
pub mod ec2;
mod eks;
mod elb;
mod iam;
mod kms;
mod lambda;
mod rds;
pub mod resource_explorer;
mod s3;
mod ssm;

/// One page of one type, as its service lists it.
pub async fn page(kind: AwsType, config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    match kind {
        AwsType::Instance => ec2::instances(config, place, token).await,
        AwsType::Volume => ec2::volumes(config, place, token).await,
        AwsType::Snapshot => ec2::snapshots(config, place, token).await,
        AwsType::Vpc => ec2::vpcs(config, place, token).await,
        AwsType::Subnet => ec2::subnets(config, place, token).await,
        AwsType::SecurityGroup => ec2::security_groups(config, place, token).await,
        AwsType::DbInstance => rds::instances(config, place, token).await,
        AwsType::DbCluster => rds::clusters(config, place, token).await,
        AwsType::Table => dynamodb::tables(config, place, token).await,
        AwsType::EksCluster => eks::clusters(config, place, token).await,
        AwsType::Function => lambda::functions(config, place, token).await,
        AwsType::LoadBalancer => elb::load_balancers(config, place, token).await,
        AwsType::Key => kms::keys(config, place, token).await,
        AwsType::BackupVault => backup::vaults(config, place, token).await,
        AwsType::Trail => cloudtrail::trails(config, place).await,
        AwsType::PatchState => ssm::patch_states(config, place, token).await,
        AwsType::Bucket => s3::buckets(config, place, token).await,
        AwsType::Role => iam::roles(config, place, token).await,
        AwsType::User => iam::users(config, place, token).await,
        AwsType::Other => resource_explorer::others(config, place, token).await,
    }
}
