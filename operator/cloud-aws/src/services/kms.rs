//! Keys of KMS, with the names that people gave them.

use std::collections::HashMap;

use aws_config::SdkConfig;
use caretaker_cloud::runtime::{Listing, after_cut, said};
use caretaker_cloud::{AwsType, Result};

use crate::call::Calls;
use crate::inventory::listing::{Page, Place, asset, with_facts};

/// Keys in one page: at most 1,000.
/// Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html>
const PAGE: i32 = 1000;
/// Aliases in one page: at most 100.
/// Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html>
const ALIASES_PAGE: i32 = 100;
/// Prefix of the aliases of keys that AWS manages itself.
const MANAGED: &str = "alias/aws/";

/// Keys. What AWS manages itself says so.
pub async fn keys(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_kms::Client::new(config);
    let aliases = place.names.get_or_try_init(|| aliases(&client, &place.calls)).await?;
    let answer = place.calls.make("kms:ListKeys", || client.list_keys().limit(PAGE).set_marker(token.clone()).send()).await?;
    let assets = answer.keys().iter().map(|item| {
        let mut found = asset(AwsType::Key, item.key_id().unwrap_or_default(), place);
        let alias = aliases.get(&found.id);
        found.name = alias.cloned().unwrap_or_default();
        found.built_in = alias.is_some_and(|alias| alias.starts_with(MANAGED));
        let manager = if found.built_in { "AWS" } else { "CUSTOMER" };
        with_facts(found, [("arn", said(item.key_arn())), ("manager", Some(manager.to_owned()))])
    });
    let more = after_cut("kms:ListKeys", answer.truncated(), answer.next_marker())?;
    Ok((assets.collect(), more))
}

/// Names by key id.
async fn aliases(client: &aws_sdk_kms::Client, calls: &Calls<'_>) -> Result<HashMap<String, String>> {
    let (mut found, mut token, mut listing) = (HashMap::new(), None::<String>, Listing::of("kms:ListAliases"));
    loop {
        let request = || client.list_aliases().limit(ALIASES_PAGE).set_marker(token.clone()).send();
        let answer = calls.make("kms:ListAliases", request).await?;
        for alias in answer.aliases() {
            if let (Some(key), Some(name)) = (alias.target_key_id(), alias.alias_name()) {
                found.insert(key.to_owned(), name.to_owned());
            }
        }
        token = listing.after(after_cut("kms:ListAliases", answer.truncated(), answer.next_marker())?.as_deref())?;
        if token.is_none() {
            return Ok(found);
        }
    }
}
