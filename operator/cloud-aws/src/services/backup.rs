//! Vaults of AWS Backup.

use aws_config::SdkConfig;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{AwsType, Result};

use crate::inventory::listing::{Page, Place, asset, time, with_facts};

/// Vaults in one page: at most 1,000.
/// Source: <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListBackupVaults.html>
const PAGE: i32 = 1000;

/// Vaults of backups.
pub async fn vaults(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_backup::Client::new(config);
    let request = || client.list_backup_vaults().max_results(PAGE).set_next_token(token.clone()).send();
    let answer = place.calls.make("backup:ListBackupVaults", request).await?;
    let assets = answer.backup_vault_list().iter().map(|item| {
        let mut found = asset(AwsType::BackupVault, item.backup_vault_name().unwrap_or_default(), place);
        found.created = time(item.creation_date());
        with_facts(
            found,
            [
                ("arn", said(item.backup_vault_arn())),
                ("recoveryPoints", Some(item.number_of_recovery_points().to_string())),
                ("locked", item.locked().map(|locked| locked.to_string())),
            ],
        )
    });
    Ok((assets.collect(), said(answer.next_token())))
}
