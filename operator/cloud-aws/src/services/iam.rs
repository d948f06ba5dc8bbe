//! Roles and users of IAM.

use aws_config::SdkConfig;
use caretaker_cloud::runtime::{after_cut, said};
use caretaker_cloud::{AwsType, EVERYWHERE, Result};

use crate::inventory::listing::{Page, Place, asset, time, with_facts};

/// Rows in one page: at most 1,000.
/// Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>
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
        with_facts(found, [("arn", said(Some(item.arn()))), ("path", said(Some(item.path())))])
    });
    Ok((assets.collect(), after_cut("iam:ListRoles", answer.is_truncated(), answer.marker())?))
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
        with_facts(found, [("arn", said(Some(item.arn()))), ("path", said(Some(item.path()))), ("passwordLastUsed", used)])
    });
    Ok((assets.collect(), after_cut("iam:ListUsers", answer.is_truncated(), answer.marker())?))
}
