//! Tags of what the services' own lists show without any, asked of Resource Groups Tagging: one question for up to 100 assets.

use std::collections::{BTreeMap, HashMap};

use aws_config::{Region, SdkConfig};
use caretaker_cloud::access::is_lasting;
use caretaker_cloud::catalog::aws::{ArnOf, Tags};
use caretaker_cloud::{Asset, AwsType, CloudError, EVERYWHERE, ErrorClass, Result};

use crate::inventory::listing::Place;

/// ARNs in one question: at most 100.
/// Source: <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>
const MOST: usize = 100;
const OPERATION: &str = "tag:GetResources";

/// Adds the tags of a page's assets. Where they cannot be read the page is not read either: a scope would judge assets by tags that they only seem not to have.
/// What one list shows of all regions is asked for in its own: a region that refuses costs what is in it, and the refusal stays in the place.
pub async fn add(kind: AwsType, config: &SdkConfig, place: &Place<'_>, assets: &mut Vec<Asset>) -> Result<()> {
    let Tags::Asked(arn) = kind.row().tags else { return Ok(()) };
    let mut by_region: BTreeMap<String, Vec<Asset>> = BTreeMap::new();
    for asset in assets.drain(..) {
        by_region.entry(asset.region.clone()).or_default().push(asset);
    }
    for (region, mut found) in by_region {
        match in_region((kind, arn), config, place, (&region, &mut found)).await {
            Ok(()) => assets.extend(found),
            Err(error) if kind.is_global() && is_lasting(&error) => {
                let message = format!("{} of the {} are left out, those in {region}: {}", found.len(), kind.row().plural, error.message);
                place.leave_out(CloudError { message, ..error });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn in_region(
    (kind, arn): (AwsType, ArnOf),
    config: &SdkConfig,
    place: &Place<'_>,
    (region, assets): (&str, &mut [Asset]),
) -> Result<()> {
    if region == EVERYWHERE {
        let message = format!("the list of {} does not say which region each is in", kind.row().plural);
        return Err(CloudError::new(ErrorClass::Invalid, OPERATION, message));
    }
    let config = config.to_builder().region(Region::new(region.to_owned())).build();
    let client = aws_sdk_resourcegroupstagging::Client::new(&config);
    for part in assets.chunks_mut(MOST) {
        let arns: Vec<Option<String>> = part.iter().map(|asset| arn.of(asset, place.partition)).collect();
        let mut told = tags(&client, place, arns.iter().flatten().cloned().collect()).await?;
        for (asset, arn) in part.iter_mut().zip(arns) {
            asset.tags = arn.and_then(|arn| told.remove(&arn)).unwrap_or_default();
        }
    }
    Ok(())
}

/// Tags by ARN; what never had one is not among them.
async fn tags(
    client: &aws_sdk_resourcegroupstagging::Client,
    place: &Place<'_>,
    arns: Vec<String>,
) -> Result<HashMap<String, BTreeMap<String, String>>> {
    let request = || client.get_resources().set_resource_arn_list(Some(arns.clone())).send();
    let answer = place.calls.make(OPERATION, request).await?;
    if answer.pagination_token().is_some_and(|token| !token.is_empty()) {
        return Err(CloudError::new(
            ErrorClass::Conflict,
            OPERATION,
            "the answer about named resources has a further page, which cannot be asked for",
        ));
    }
    let of = |tag: &aws_sdk_resourcegroupstagging::types::Tag| (tag.key().to_owned(), tag.value().to_owned());
    let mapped = answer.resource_tag_mapping_list().iter();
    Ok(mapped.filter_map(|item| Some((item.resource_arn()?.to_owned(), item.tags().iter().map(of).collect()))).collect())
}
