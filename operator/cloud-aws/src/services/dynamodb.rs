//! Tables of DynamoDB.

use aws_config::SdkConfig;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{AwsType, Result};

use crate::inventory::listing::{Page, Place, asset};

/// Names in one page: at most 100.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html>
const PAGE: i32 = 100;

/// Tables of DynamoDB; the last name is the token.
pub async fn tables(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_dynamodb::Client::new(config);
    let request = || client.list_tables().limit(PAGE).set_exclusive_start_table_name(token.clone()).send();
    let answer = place.calls.make("dynamodb:ListTables", request).await?;
    let assets = answer.table_names().iter().map(|name| asset(AwsType::Table, name, place)).collect();
    Ok((assets, said(answer.last_evaluated_table_name())))
}
