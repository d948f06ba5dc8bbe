//! RDS and DynamoDB.

use aws_config::SdkConfig;
use caretaker_cloud::{Asset, AwsType, Result, Size};

use crate::page::{Page, Place, asset, next, own, time, with_facts};

/// Rows in one page of RDS: 20 to 100.
const RDS_PAGE: i32 = 100;
/// Names in one page of DynamoDB: at most 100.
const TABLES_PAGE: i32 = 100;

/// Database servers.
pub async fn instances(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_rds::Client::new(config);
    let request = || client.describe_db_instances().max_records(RDS_PAGE).set_marker(token.clone()).send();
    let answer = place.calls.make("rds:DescribeDBInstances", request).await?;
    let assets = answer.db_instances().iter().map(|item| {
        let mut found = asset(AwsType::DbInstance, item.db_instance_identifier().unwrap_or_default(), place);
        found.created = time(item.instance_create_time());
        found.size = item.allocated_storage().and_then(|gib| u64::try_from(gib).ok()).map(Size::Gib);
        with_facts(
            tagged(found, item.tag_list()),
            [
                ("arn", own(item.db_instance_arn())),
                ("state", own(item.db_instance_status())),
                ("engine", own(item.engine())),
                ("engineVersion", own(item.engine_version())),
                ("instanceClass", own(item.db_instance_class())),
                ("encrypted", item.storage_encrypted().map(|encrypted| encrypted.to_string())),
                ("multiAz", item.multi_az().map(|multi| multi.to_string())),
                ("backupRetentionDays", item.backup_retention_period().map(|days| days.to_string())),
                ("endpoint", own(item.endpoint().and_then(|endpoint| endpoint.address()))),
            ],
        )
    });
    Ok((assets.collect(), next(answer.marker())))
}

/// Clusters of database servers.
pub async fn clusters(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_rds::Client::new(config);
    let request = || client.describe_db_clusters().max_records(RDS_PAGE).set_marker(token.clone()).send();
    let answer = place.calls.make("rds:DescribeDBClusters", request).await?;
    let assets = answer.db_clusters().iter().map(|item| {
        let mut found = asset(AwsType::DbCluster, item.db_cluster_identifier().unwrap_or_default(), place);
        found.created = time(item.cluster_create_time());
        with_facts(
            tagged(found, item.tag_list()),
            [
                ("arn", own(item.db_cluster_arn())),
                ("state", own(item.status())),
                ("engine", own(item.engine())),
                ("engineVersion", own(item.engine_version())),
                ("encrypted", item.storage_encrypted().map(|encrypted| encrypted.to_string())),
                ("backupRetentionDays", item.backup_retention_period().map(|days| days.to_string())),
                ("endpoint", own(item.endpoint())),
            ],
        )
    });
    Ok((assets.collect(), next(answer.marker())))
}

fn tagged(mut asset: Asset, tags: &[aws_sdk_rds::types::Tag]) -> Asset {
    asset.tags = tags.iter().map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned())).collect();
    asset
}

/// Tables of DynamoDB; the last name is the token.
pub async fn tables(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_dynamodb::Client::new(config);
    let request = || client.list_tables().limit(TABLES_PAGE).set_exclusive_start_table_name(token.clone()).send();
    let answer = place.calls.make("dynamodb:ListTables", request).await?;
    let assets = answer.table_names().iter().map(|name| asset(AwsType::Table, name, place)).collect();
    Ok((assets, next(answer.last_evaluated_table_name())))
}
