//! Roles and users of IAM, and the trails that record what they do.

use aws_config::SdkConfig;
use caretaker_cloud::{AwsType, EVERYWHERE, Result};

use crate::page::{Page, Place, asset, next_where, own, time, with_facts};

/// Rows in one page of IAM: at most 1,000.
const PAGE: i32 = 500;

/// Roles.
pub async fn roles(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_iam::Client::new(config);
    let answer = place.calls.make("iam:ListRoles", || client.list_roles().max_items(PAGE).set_marker(token.clone()).send()).await?;
    let assets = answer.roles().iter().map(|item| {
        let mut found = asset(AwsType::Role, item.role_name(), place);
        EVERYWHERE.clone_into(&mut found.region);
        found.created = time(Some(item.create_date()));
        found.built_in = item.path().starts_with("/aws-service-role/");
        with_facts(found, [("arn", own(Some(item.arn()))), ("path", own(Some(item.path())))])
    });
    Ok((assets.collect(), next_where("iam:ListRoles", answer.is_truncated(), answer.marker())?))
}

/// Users.
pub async fn users(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_iam::Client::new(config);
    let answer = place.calls.make("iam:ListUsers", || client.list_users().max_items(PAGE).set_marker(token.clone()).send()).await?;
    let assets = answer.users().iter().map(|item| {
        let mut found = asset(AwsType::User, item.user_name(), place);
        EVERYWHERE.clone_into(&mut found.region);
        found.created = time(Some(item.create_date()));
        let used = time(item.password_last_used()).map(|time| time.to_string());
        with_facts(found, [("arn", own(Some(item.arn()))), ("path", own(Some(item.path()))), ("passwordLastUsed", used)])
    });
    Ok((assets.collect(), next_where("iam:ListUsers", answer.is_truncated(), answer.marker())?))
}

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
                ("bucket", own(item.s3_bucket_name())),
                ("allRegions", item.is_multi_region_trail().map(|all| all.to_string())),
                ("validated", item.log_file_validation_enabled().map(|validated| validated.to_string())),
            ],
        )
    });
    Ok((assets.collect(), None))
}
