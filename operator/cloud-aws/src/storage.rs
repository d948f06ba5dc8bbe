//! Buckets of S3, and vaults of AWS Backup.

use aws_config::SdkConfig;
use caretaker_cloud::{AwsType, EVERYWHERE, Result};

use crate::page::{Page, Place, asset, next, own, time, with_facts};

/// Buckets in one page: at most 10,000.
const BUCKETS_PAGE: i32 = 1000;
/// Vaults in one page: at most 1,000.
const VAULTS_PAGE: i32 = 1000;

/// Buckets of all regions.
pub async fn buckets(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    // Only the list of buckets is asked for, whose address has no bucket's name in it; private endpoints and emulators have one address.
    let path_style = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(path_style);
    let request = || client.list_buckets().max_buckets(BUCKETS_PAGE).set_continuation_token(token.clone()).send();
    let answer = place.calls.make("s3:ListAllMyBuckets", request).await?;
    let assets = answer.buckets().iter().map(|item| {
        let mut found = asset(AwsType::Bucket, item.name().unwrap_or_default(), place);
        found.region = own(item.bucket_region()).unwrap_or_else(|| EVERYWHERE.to_owned());
        found.created = time(item.creation_date());
        found
    });
    Ok((assets.collect(), next(answer.continuation_token())))
}

/// Vaults of backups.
pub async fn vaults(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_backup::Client::new(config);
    let request = || client.list_backup_vaults().max_results(VAULTS_PAGE).set_next_token(token.clone()).send();
    let answer = place.calls.make("backup:ListBackupVaults", request).await?;
    let assets = answer.backup_vault_list().iter().map(|item| {
        let mut found = asset(AwsType::BackupVault, item.backup_vault_name().unwrap_or_default(), place);
        found.created = time(item.creation_date());
        with_facts(
            found,
            [
                ("arn", own(item.backup_vault_arn())),
                ("recoveryPoints", Some(item.number_of_recovery_points().to_string())),
                ("locked", item.locked().map(|locked| locked.to_string())),
            ],
        )
    });
    Ok((assets.collect(), next(answer.next_token())))
}
