//! One page of one cell, whatever service answers it.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use aws_config::SdkConfig;
use aws_smithy_types::DateTime;
use caretaker_cloud::{Asset, AwsType, Cloud, CloudError, ErrorClass, Result};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::calls::Calls;
use crate::{databases, ec2, identity, index, keys, others, patches, platform, storage, tags};

/// Pages of one list after which it is taken for endless.
const MAX_PAGES: usize = 100_000;

/// What a page brings: assets, and the token of the next page.
pub type Page = (Vec<Asset>, Option<String>);

/// Where the pages of a cell are read, and how.
pub struct Place<'a> {
    pub account: &'a str,
    pub region: &'a str,
    /// All regions that are read.
    pub regions: &'a [String],
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    pub calls: Calls<'a>,
    /// What the first page asked once for all: names of keys by their id.
    pub names: OnceCell<HashMap<String, String>>,
    /// Where Resource Explorer is asked.
    pub index: OnceCell<index::Plan>,
    /// Why some of what is there was left out.
    pub left_out: Mutex<Option<CloudError>>,
}

/// One page of one type, with all tags.
pub async fn page(kind: AwsType, config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let (mut assets, next) = listed(kind, config, place, token).await?;
    tags::add(kind, config, place, &mut assets).await?;
    Ok((assets, next))
}

async fn listed(kind: AwsType, config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    match kind {
        AwsType::Instance | AwsType::Volume | AwsType::Snapshot | AwsType::Vpc | AwsType::Subnet | AwsType::SecurityGroup => {
            ec2::page(kind, config, place, token).await
        }
        AwsType::DbInstance => databases::instances(config, place, token).await,
        AwsType::DbCluster => databases::clusters(config, place, token).await,
        AwsType::Table => databases::tables(config, place, token).await,
        AwsType::EksCluster => platform::clusters(config, place, token).await,
        AwsType::Function => platform::functions(config, place, token).await,
        AwsType::LoadBalancer => platform::load_balancers(config, place, token).await,
        AwsType::Key => keys::keys(config, place, token).await,
        AwsType::BackupVault => storage::vaults(config, place, token).await,
        AwsType::PatchState => patches::states(config, place, token).await,
        AwsType::Bucket => storage::buckets(config, place, token).await,
        AwsType::Trail => identity::trails(config, place).await,
        AwsType::Role => identity::roles(config, place, token).await,
        AwsType::User => identity::users(config, place, token).await,
        AwsType::Other => others::page(config, place, token).await,
    }
}

/// A token that says something.
pub fn next(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}

/// The page tokens of one list so far.
pub struct Tokens {
    operation: &'static str,
    seen: HashSet<String>,
}

impl Tokens {
    /// Of this call.
    pub fn of(operation: &'static str) -> Self {
        Self { operation, seen: HashSet::new() }
    }

    /// What is asked for next; `None` at the end, which an empty token is too.
    ///
    /// # Errors
    /// The list has no end, since a token came again: nothing is concluded from what is missing in it.
    pub fn after(&mut self, token: Option<&str>) -> Result<Option<String>> {
        let Some(token) = next(token) else { return Ok(None) };
        let fault = |message: &str| Err(CloudError::new(ErrorClass::Conflict, self.operation, message));
        if self.seen.len() >= MAX_PAGES {
            return fault("the list has no end");
        }
        if self.seen.contains(&token) {
            return fault("the cloud repeated a page token: the list cannot be read to its end");
        }
        self.seen.insert(token.clone());
        Ok(Some(token))
    }
}

/// The token of a list that also says whether it was cut off.
///
/// # Errors
/// It was, and there is no token: it cannot be read to its end.
pub fn next_where(operation: &str, cut_off: bool, token: Option<&str>) -> Result<Option<String>> {
    match next(token) {
        _ if !cut_off => Ok(None),
        None => Err(CloudError::new(ErrorClass::Conflict, operation, "the list was cut off, without a page token")),
        token => Ok(token),
    }
}

/// An asset without tags and facts yet.
pub fn asset(kind: AwsType, id: &str, place: &Place<'_>) -> Asset {
    Asset {
        native_type: kind.native_type().into(),
        service: kind.service().into(),
        name: id.into(),
        source: kind.operation().into(),
        seen_at: Timestamp::now(),
        ..Asset::new(Cloud::Aws, place.account, place.region, kind.asset_type(), id)
    }
}

/// AWS's time in ours.
pub fn time(time: Option<&DateTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::from_second(time.secs()).ok())
}

/// The same with facts; those that the cloud did not tell are left out.
pub fn with_facts<const N: usize>(mut asset: Asset, facts: [(&str, Option<String>); N]) -> Asset {
    asset.facts = facts.into_iter().filter_map(|(key, value)| value.map(|value| (key.to_owned(), value))).collect();
    asset
}

/// A text that says something.
pub fn own(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_comes_again_is_no_end_and_an_empty_one_is() {
        let mut tokens = Tokens::of("kms:ListAliases");
        assert_eq!(tokens.after(Some("a")).unwrap().as_deref(), Some("a"));
        assert_eq!(tokens.after(Some("b")).unwrap().as_deref(), Some("b"));
        assert_eq!(tokens.after(Some("")).unwrap(), None);
        assert_eq!(tokens.after(None).unwrap(), None);
        let error = tokens.after(Some("a")).unwrap_err();
        assert_eq!((error.class, error.operation.as_str()), (ErrorClass::Conflict, "kms:ListAliases"));
    }
}
