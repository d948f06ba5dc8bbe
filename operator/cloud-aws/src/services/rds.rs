//! Database servers of RDS, and their clusters.

use aws_config::SdkConfig;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{Asset, AwsType, Result, Size};

use crate::inventory::listing::{Page, Place, asset, time, with_facts};

/// Rows in one page: 20 to 100.
/// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html>
const PAGE: i32 = 100;

/// Database servers.
pub async fn instances(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_rds::Client::new(config);
    let request = || client.describe_db_instances().max_records(PAGE).set_marker(token.clone()).send();
    let answer = place.calls.make("rds:DescribeDBInstances", request).await?;
    let assets = answer.db_instances().iter().map(|item| {
        let mut found = asset(AwsType::DbInstance, item.db_instance_identifier().unwrap_or_default(), place);
        found.created = time(item.instance_create_time());
        found.size = item.allocated_storage().and_then(|gib| u64::try_from(gib).ok()).map(Size::Gib);
        with_facts(
            tagged(found, item.tag_list()),
            [
                ("arn", said(item.db_instance_arn())),
                ("state", said(item.db_instance_status())),
                ("engine", said(item.engine())),
                ("engineVersion", said(item.engine_version())),
                ("instanceClass", said(item.db_instance_class())),
                ("encrypted", item.storage_encrypted().map(|encrypted| encrypted.to_string())),
                ("multiAz", item.multi_az().map(|multi| multi.to_string())),
                ("backupRetentionDays", item.backup_retention_period().map(|days| days.to_string())),
                ("endpoint", said(item.endpoint().and_then(|endpoint| endpoint.address()))),
            ],
        )
    });
    Ok((assets.collect(), said(answer.marker())))
}

/// Clusters of database servers.
pub async fn clusters(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_rds::Client::new(config);
    let request = || client.describe_db_clusters().max_records(PAGE).set_marker(token.clone()).send();
    let answer = place.calls.make("rds:DescribeDBClusters", request).await?;
    let assets = answer.db_clusters().iter().map(|item| {
        let mut found = asset(AwsType::DbCluster, item.db_cluster_identifier().unwrap_or_default(), place);
        found.created = time(item.cluster_create_time());
        with_facts(
            tagged(found, item.tag_list()),
            [
                ("arn", said(item.db_cluster_arn())),
                ("state", said(item.status())),
                ("engine", said(item.engine())),
                ("engineVersion", said(item.engine_version())),
                ("encrypted", item.storage_encrypted().map(|encrypted| encrypted.to_string())),
                ("backupRetentionDays", item.backup_retention_period().map(|days| days.to_string())),
                ("endpoint", said(item.endpoint())),
            ],
        )
    });
    Ok((assets.collect(), said(answer.marker())))
}

fn tagged(mut asset: Asset, tags: &[aws_sdk_rds::types::Tag]) -> Asset {
    asset.tags = tags.iter().map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())).collect();
    asset
}
