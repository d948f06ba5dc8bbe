//! Trails of CloudTrail, which record what principals do.

use aws_config::SdkConfig;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{AwsType, Result};

use crate::inventory::listing::{Page, Place, asset, with_facts};

/// Trails that begin in this region: a trail of all regions would show in each of them.
pub async fn trails(config: &SdkConfig, place: &Place<'_>) -> Result<Page> {
    let client = aws_sdk_cloudtrail::Client::new(config);
    let request = || client.describe_trails().include_shadow_trails(false).send();
    let answer = place.calls.make("cloudtrail:DescribeTrails", request).await?;
    let assets = answer.trail_list().iter().map(|item| {
        let mut found = asset(AwsType::Trail, item.trail_arn().unwrap_or_default(), place);
        found.name = item.name().unwrap_or_default().into();
        with_facts(
            found,
            [
                ("bucket", said(item.s3_bucket_name())),
                ("allRegions", item.is_multi_region_trail().map(|all| all.to_string())),
                ("validated", item.log_file_validation_enabled().map(|validated| validated.to_string())),
            ],
        )
    });
    Ok((assets.collect(), None))
}
