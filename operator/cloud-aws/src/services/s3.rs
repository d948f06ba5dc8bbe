//! Buckets of S3.

use aws_config::SdkConfig;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{AwsType, EVERYWHERE, Result};

use crate::inventory::listing::{Page, Place, asset, time};

/// Buckets in one page: at most 10,000.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
const PAGE: i32 = 1000;

/// Buckets of all regions.
pub async fn buckets(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    // Only the list of buckets is asked for, whose address has no bucket's name in it; private endpoints and emulators have one address.
    let path_style = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(path_style);
    let request = || client.list_buckets().max_buckets(PAGE).set_continuation_token(token.clone()).send();
    let answer = place.calls.make("s3:ListAllMyBuckets", request).await?;
    let assets = answer.buckets().iter().map(|item| {
        let mut found = asset(AwsType::Bucket, item.name().unwrap_or_default(), place);
        found.region = said(item.bucket_region()).unwrap_or_else(|| EVERYWHERE.to_owned());
        found.created = time(item.creation_date());
        found
    });
    Ok((assets.collect(), said(answer.continuation_token())))
}
