//! Functions of Lambda.

use aws_config::SdkConfig;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{AwsType, Result};

use crate::inventory::listing::{Page, Place, asset, with_facts};

/// Functions in one page: at most 50 are given, whatever is asked for.
/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>
const PAGE: i32 = 50;

/// Functions.
pub async fn functions(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_lambda::Client::new(config);
    let request = || client.list_functions().max_items(PAGE).set_marker(token.clone()).send();
    let answer = place.calls.make("lambda:ListFunctions", request).await?;
    let assets = answer.functions().iter().map(|item| {
        // Environment variables may hold secrets; nothing of them is taken.
        with_facts(
            asset(AwsType::Function, item.function_name().unwrap_or_default(), place),
            [
                ("arn", said(item.function_arn())),
                ("runtime", said(item.runtime().map(|runtime| runtime.as_str()))),
                ("role", said(item.role())),
                ("memoryMib", item.memory_size().map(|size| size.to_string())),
                ("changed", said(item.last_modified())),
            ],
        )
    });
    Ok((assets.collect(), said(answer.next_marker())))
}
