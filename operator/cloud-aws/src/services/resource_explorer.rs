//! What none of the services' own lists that are read here shows: Resource Explorer's index, where the account has it on. It is free of charge, and the
//! client's to turn on; where it is off, the cell says so.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_resourceexplorer2::types::{Resource, ResourceProperty};
use aws_smithy_types::Document;
use caretaker_cloud::access::is_lasting;
use caretaker_cloud::runtime::said;
use caretaker_cloud::{Asset, AwsType, EVERYWHERE, Result};

use crate::inventory::listing::{Page, Place, asset, with_facts};
use crate::services::resource_explorer::plan::{client, inside, plan};

mod plan;
pub mod types;

/// Resources in one page. Where 1,000 are asked for, AWS gives no token for the next page.
const PAGE: i32 = 500;
/// Region of what is in none.
const NOWHERE: &str = "global";

/// A page of one region's index, or the first one of the next region. A region that refuses costs its own resources only, and the refusal stays in the place.
pub async fn others(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let plan = place.index.get_or_try_init(|| plan(config, place)).await?;
    plan.refused.clone().into_iter().for_each(|error| place.leave_out(error));
    let (at, token) = token.as_deref().and_then(|token| token.split_once(' ')).unwrap_or(("0", ""));
    let (at, token) = (at.parse::<usize>().unwrap_or_default(), said(Some(token)));
    let Some((region, view)) = plan.asked.get(at) else { return Ok((Vec::new(), None)) };
    let following = || (at + 1 < plan.asked.len()).then(|| format!("{} ", at + 1));
    let client = client(config, region);
    let request = || client.list_resources().view_arn(view).max_results(PAGE).set_next_token(token.clone()).send();
    let answer = match place.calls.make(AwsType::Other.operation(), request).await.map_err(|error| inside(region, error)) {
        Err(error) if is_lasting(&error) => {
            place.leave_out(error);
            return Ok((Vec::new(), following()));
        }
        answer => answer?,
    };
    let listed = answer.resources().iter().filter(|resource| is_listed(resource, place)).map(|resource| read(resource, place));
    // Copies that a backup service makes each night bear its own tags.
    let assets = listed.filter(|asset| !asset.tags.keys().any(|key| key.starts_with("aws:backup:")));
    let more = said(answer.next_token()).map(|token| format!("{at} {token}")).or_else(following);
    Ok((assets.collect(), more))
}

/// Whether the inventory has it from here: not what the services' own lists show, another account's, or what the spec leaves out.
fn is_listed(resource: &Resource, place: &Place<'_>) -> bool {
    let (kind, arn) = (resource.resource_type().unwrap_or_default(), resource.arn().unwrap_or_default());
    let region = resource.region().unwrap_or(NOWHERE);
    let is_own = resource.owning_account_id().is_none_or(|owner| owner == place.account);
    let is_read = region == NOWHERE || place.regions.iter().any(|read| read == region);
    let has_a_list = resource.cfn_resource_type().is_some_and(|known| AwsType::ALL.iter().any(|native| native.native_type() == known));
    !arn.is_empty() && is_own && is_read && !has_a_list && types::is_listed(kind, arn)
}

fn read(resource: &Resource, place: &Place<'_>) -> Asset {
    let arn = resource.arn().unwrap_or_default();
    let mut found = asset(AwsType::Other, arn, place);
    found.region = match resource.region() {
        None | Some(NOWHERE) => EVERYWHERE.to_owned(),
        Some(region) => region.to_owned(),
    };
    // The one name of the type that each row has.
    found.native_type = resource.resource_type().unwrap_or_default().to_owned();
    found.tags = resource.properties().iter().find(|property| property.name() == Some("tags")).map(tags).unwrap_or_default();
    let last = arn.rsplit(['/', ':']).next().unwrap_or_default();
    found.name = found.tags.get("Name").cloned().unwrap_or_else(|| last.to_owned());
    with_facts(found, [("cloudFormationType", said(resource.cfn_resource_type()))])
}

fn tags(property: &ResourceProperty) -> BTreeMap<String, String> {
    let Some(Document::Array(tags)) = property.data() else { return BTreeMap::new() };
    let text = |tag: &Document, key: &str| tag.as_object()?.get(key)?.as_string().map(str::to_owned);
    tags.iter().filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value").unwrap_or_default()))).collect()
}
